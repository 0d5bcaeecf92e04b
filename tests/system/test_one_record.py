"""What a provider says of one record concerns that record alone: the lane and all other customers go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.model import Remote, Values
from syncd.engine.run import Options, run_cycle
from syncd.errors import OutcomeUnknown, Stale, Taken, Temporary
from syncd.runtime.installation import Installation
from syncd.sandbox.faults import Fault
from syncd.store import mapping, progress, review
from tests.clock import VirtualClock
from tests.contract.shop import Shop
from tests.system.landscape import landscape
from tests.system.shelf import NAME, Shelf, shelved


def _fill(shop: Shop, customers: int) -> None:
    shop.tables()
    shop.run(
        *(f"INSERT INTO customers (id, number, company) VALUES ({n}, 'N{n}', 'Firm')" for n in range(1, customers + 1))
    )


def _state(made: Installation, key: str) -> str:
    with made.state.read() as tx:
        (link,) = [link for link in mapping.of_customers(tx, [key])[key] if link.pair.provider == NAME]
    return link.state.value


def _lane(made: Installation) -> str:
    return made.routes[0].lane.breaker.state


def _broken(shelf: Shelf, error: Callable[[], Exception], keys: frozenset[str], times: int) -> Counter[str]:
    """From now on, the next `times` writes of each of these customers fail."""
    met: Counter[str] = Counter()
    write = shelf.update

    def update(current, values):  # type: ignore[no-untyped-def]
        if current.external_id in keys and met[current.external_id] < times:
            met[current.external_id] += 1
            raise error()
        return write(current, values)

    shelf.update = update  # type: ignore[method-assign]
    return met


def _unreadable(key: str) -> None:
    if key == "N1":
        raise Temporary("answered 500", status=500)


def test_five_conflicts_about_five_records_are_no_outage(sqlite_shop: Shop) -> None:
    """Each is read again and written; nobody has failed, nothing waits, and the guards counted each write once."""
    shelf, clock = Shelf(), VirtualClock()
    _fill(sqlite_shop, 8)
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}, clock=clock) as made:
        run_cycle(made, Options())
        everybody = frozenset(shelf.records)
        met = _broken(shelf, lambda: Stale("answered 409", status=409), everybody, 1)
        sqlite_shop.run("UPDATE customers SET company = 'Neu'")
        run_cycle(made, Options())

        assert len(met) == 8
        assert _lane(made) == "ok"
        clock.advance(1.0)
        run_cycle(made, Options())
        assert {record["name"] for record in shelf.records.values()} == {"Neu"}
        assert {_state(made, str(n)) for n in range(1, 9)} == {"linked"}


def test_five_conflicts_at_jtl_are_no_outage_either(tmp_path: Path) -> None:
    """JTL-Wawi's own 409 about a customer who changed meanwhile: read again, written, and the lane never stops."""
    with landscape(tmp_path, 5, ("jtl",)) as land:
        land.run()
        land.twin("jtl").faults.add(
            Fault("status", method="PATCH", status=409, times=5, body='{"ErrorCode": "CONFLICT"}')
        )
        land.sql("UPDATE customers SET city = 'Emden'")
        land.run()

        refused = [entry for entry in land.twin("jtl").log if entry.method == "PATCH" and entry.status == 409]
        assert len({entry.path for entry in refused}) == 5
        assert {record["BillingAddress"]["City"] for record in land.twin("jtl").records.values()} == {"Emden"}
        (line,) = land.said("status", "--json").data["providers"]
        assert line["state"] == "ok"


def test_a_conflict_for_ever_waits_ever_longer(sqlite_shop: Shop) -> None:
    """A record that answers every write with 409 is one dead letter in the end, and no loop."""
    shelf, clock = Shelf(), VirtualClock()
    _fill(sqlite_shop, 2)
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}, clock=clock) as made:
        run_cycle(made, Options())
        met = _broken(shelf, lambda: Stale("answered 409", status=409), frozenset({"N1"}), 1000)
        sqlite_shop.run("UPDATE customers SET company = 'Neu'")
        for _ in range(20):
            run_cycle(made, Options())
            clock.advance(900.0)

        assert _lane(made) == "ok"
        assert met["N1"] == 13
        assert (_state(made, "1"), _state(made, "2")) == ("dead", "linked")


@pytest.mark.parametrize("others", [True, False], ids=["others-get-through", "alone"])
@pytest.mark.parametrize("broken", ["read", "write"])
def test_a_customer_that_fails_for_ever_is_one_dead_letter(sqlite_shop: Shop, others: bool, broken: str) -> None:
    """One customer whose every request is answered with 500 ends as a dead letter; the lane stays open for the rest."""
    shelf, clock, down = Shelf(), VirtualClock(), list[str]()
    _fill(sqlite_shop, 6)
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}, clock=clock) as made:
        run_cycle(made, Options())
        if broken == "write":
            _broken(shelf, lambda: OutcomeUnknown("answered 500", status=500), frozenset({"N1"}), 1000)
        else:
            shelf.before = _unreadable
        sqlite_shop.run("UPDATE customers SET company = 'Neu'" + ("" if others else " WHERE id = 1"))
        for turn in range(14):
            if others:
                sqlite_shop.run(f"UPDATE customers SET company = 'Neu {turn}' WHERE id = {2 + turn % 5}")
            run_cycle(made, Options())
            down.append(_lane(made))
            clock.advance(900.0)

        assert _state(made, "1") == "dead"
        assert set(down) == {"ok"}
        if others:
            assert all(str(record["name"]).startswith("Neu ") for key, record in shelf.records.items() if key != "N1")
        with made.state.read() as tx:
            assert progress.provider_state(tx, NAME).last_ok is not None


def test_a_holder_that_the_provider_names_is_offered_by_command(sqlite_shop: Shop) -> None:
    """A create that is refused because somebody else has the value: the person reads the command that links him."""
    shelf = Shelf()
    _fill(sqlite_shop, 1)

    def create(key: str, values: Values) -> Remote:
        raise Taken("vat_number", "is in use", external_id="gid-17")

    shelf.create = create  # type: ignore[method-assign]
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}) as made:
        run_cycle(made, Options())
        with made.state.read() as tx:
            (item,) = review.reviews_of(tx, NAME, ["1"])["1"]

    assert (item.kind, item.reason) == (
        "taken",
        "the provider already has a customer with this vat_number; if it is this one: syncd link shelf 1 gid-17",
    )


def test_who_looks_before_it_creates_is_asked_once(tmp_path: Path) -> None:
    """aiotic's create looks under the number itself: one reading and one write for each new customer."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        land.run()
        log = land.twin("aiotic").log

    assert Counter(entry.method for entry in log if entry.route == "/customer/<number>") == {"GET": 3, "PUT": 3}


@pytest.mark.parametrize("conditional", [True, False])
def test_a_lost_answer_of_a_conditional_write_is_looked_at_without_settle(sqlite_shop: Shop, conditional: bool) -> None:
    """A write with a version cannot land late over a newer one: its repetition waits for nothing but the backoff."""
    shelf, clock = Shelf(conditional=conditional), VirtualClock()
    _fill(sqlite_shop, 1)
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}, clock=clock) as made:
        (route,) = made.routes
        patient = replace(made, routes=(replace(route, settle=600.0),))
        run_cycle(patient, Options())
        _broken(shelf, lambda: OutcomeUnknown("no answer"), frozenset({"N1"}), 1)
        sqlite_shop.run("UPDATE customers SET company = 'Neu'")
        run_cycle(patient, Options())
        clock.advance(30.0)
        run_cycle(patient, Options())

    assert (shelf.records["N1"]["name"] == "Neu") is conditional
