"""An edit made at a provider reaches the source and the other four, once, and then there is silence."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.model import State
from syncd.operate.review import decide, item
from syncd.sandbox.billbee import merge
from syncd.sandbox.five import NAMES
from tests.contract.shop import Shop
from tests.databases import SQLITE_FIRST
from tests.system.people import EXPECTED, people, seen
from tests.system.road import Road, road

LISTING = ("aiotic", "jtl", "billbee")
TWO = ("aiotic", "jtl")
A_DAY = 90_000.0  # seconds: the sweep over everything comes round
PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    "aiotic": {"city": ("city",), "email": ("email",), "street": ("address",)},
    "invisible_collector": {"city": ("city",), "email": ("email",)},
    "jtl": {
        "city": ("BillingAddress", "City"),
        "email": ("BillingAddress", "EmailAddress"),
        "street": ("BillingAddress", "Street"),
    },
    "billbee": {"city": ("Addresses", "City"), "email": ("Email",)},
    "azotte": {"city": ("primaryBillingAddress", "city"), "email": ("email",)},
}


def with_another(provider: str) -> tuple[str, ...]:
    """A provider and one that must not notice what happens to it."""
    return (provider, "jtl" if provider == "aiotic" else "aiotic")


def one_of(names: tuple[str, ...]) -> list[Any]:
    """The first is everybody's, the others are the gate's."""
    return [names[0], *(pytest.param(name, marks=pytest.mark.long) for name in names[1:])]


def edit(way: Road, provider: str, key: int, **fields: str | None) -> None:
    """What a person at the provider does to the record of a customer."""
    record = way.record(provider, key)
    changes: dict[str, Any] = {}
    for name, value in fields.items():
        first, *rest = PLACES[provider][name]
        if not rest:
            changes[first] = value
            continue
        holder: Any = deepcopy(changes.get(first, record[first]))
        (holder[0] if isinstance(holder, list) else holder)[rest[0]] = value
        changes[first] = holder
    way.twin(provider).edit(way.external_id(provider, key), **changes)


def there(way: Road, provider: str, key: int, name: str) -> Any:
    """A field as the provider's raw record shows it."""
    value: Any = way.record(provider, key)
    for step in PLACES[provider][name]:
        value = (value[0] if isinstance(value, list) else value)[step]
    return value


def written(way: Road, before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in way.requests().items()}


def resolve(way: Road, decision: str, kind: str) -> None:
    """A person decides the one open item of this kind."""
    assert way.site is not None
    (found,) = [review for review in way.reviews() if review.kind == kind]
    decide(way.site.state, item(way.site.state, found.id), decision, way.clock.now())


@pytest.mark.parametrize("any_shop", SQLITE_FIRST, indirect=True)
def test_an_edit_at_each_provider_reaches_the_source_and_the_other_four(any_shop: Shop, tmp_path: Path) -> None:
    """One edit there: one source write, four provider writes, none to its origin, and then silence."""
    with road(any_shop, tmp_path, 8) as way, way.opened():
        way.run()
        way.calm()
        for key, origin in enumerate(NAMES, start=1):
            before, town, rows = way.requests(), f"Übersee-{origin}", way.source_writes
            edit(way, origin, key, city=town)
            way.run(scan=True)
            assert way.row(key)["city"] == town
            assert {name: there(way, name, key, "city") for name in NAMES} == dict.fromkeys(NAMES, town)
            assert written(way, before) == {name: int(name != origin) for name in NAMES}
            assert way.source_writes - rows == 1
            way.silent()
        for person in people(8):
            as_it_is = person.changed(city=way.row(person.key)["city"])
            for name in NAMES:
                wanted = EXPECTED[name](as_it_is)
                assert seen(way.record(name, person.key), wanted) == wanted


def test_customers_who_swap_addresses_stay_who_they_are(sqlite_shop: Shop, tmp_path: Path) -> None:
    """Two customers swap their e-mail addresses: every provider gets both, nobody is linked anew; one that wants them
    unique refuses both, which is told, and loses nobody."""
    with road(sqlite_shop, tmp_path, 4) as way, way.opened():
        way.run()
        way.calm()
        ids = {(name, key): way.external_id(name, key) for name in NAMES for key in (2, 3)}
        mine = {key: way.row(key)["e_mail"] for key in (2, 3)}
        way.shop.run(
            f"UPDATE customers SET e_mail = CASE id WHEN 2 THEN '{mine[3].replace(chr(39), chr(39) * 2)}'"
            f" ELSE '{mine[2].replace(chr(39), chr(39) * 2)}' END WHERE id IN (2, 3)"
        )
        way.run(scan=True)
        way.calm()
        assert {(name, key): way.external_id(name, key) for name, key in ids} == ids
        for name in NAMES:
            kept = name == "azotte"
            shown = [str(there(way, name, key, "email")).lower() for key in (2, 3)]
            assert shown == [mine[key].lower() for key in ((2, 3) if kept else (3, 2))], name
            states = {way.link(name, key).state for key in (2, 3)}
            assert states == {State.REJECTED if kept else State.LINKED}
        assert way.reviews() == []
        before = way.requests()
        way.calm()
        assert {name for name, count in written(way, before).items() if count} <= {"azotte"}


@pytest.mark.parametrize("winner", [2, pytest.param(3, marks=pytest.mark.long)])
def test_records_merged_over_there(sqlite_shop: Shop, tmp_path: Path, winner: int) -> None:
    """Two customers joined at Billbee: the lost one is a question, made neither there nor anew; the other one goes on,
    but where it shows the lost one's address now, nobody takes that for his own unasked. The shop keeps both."""
    with road(sqlite_shop, tmp_path, 4) as way, way.opened(per={"billbee": "inbound_create = true\n"}):
        way.run()
        way.calm()
        twin, loser = way.twin("billbee"), 5 - winner
        kept, gone = way.external_id("billbee", winner), way.external_id("billbee", loser)
        addresses = [way.link("billbee", key).external_ids["AddressId"] for key in (loser, winner)]
        before, rows = way.requests(), way.rows()
        merge(twin, kept, gone)
        for _ in range(2):
            way.clock.advance(A_DAY)
            way.run(scan=True)
        asked = {(str(loser), "remote_gone")} | (
            {(str(winner), "other_record")} if addresses == sorted(addresses) else set()
        )
        assert {(r.customer_key, r.kind) for r in way.reviews("billbee")} == asked
        assert way.rows() == rows
        assert way.requests() == before
        way.change(winner, e_mail="neu@example.org")
        way.change(loser, e_mail="andere@example.org")
        way.run(scan=True)
        assert way.external_id("billbee", winner) == kept
        assert twin.records[kept]["Email"] == "neu@example.org"
        assert len(twin.records) == 3
        way.silent()


@pytest.mark.parametrize("origin", one_of(NAMES))
def test_edits_of_different_fields_on_both_sides_both_survive(sqlite_shop: Shop, tmp_path: Path, origin: str) -> None:
    """The shop changes one field and the provider another, between two runs: neither is lost."""
    with road(sqlite_shop, tmp_path, 3) as way, way.opened():
        way.run()
        way.calm()
        way.change(2, e_mail="shop@example.org")
        edit(way, origin, 2, city="Anderswo")
        way.run(scan=True)
        assert (way.row(2)["e_mail"], way.row(2)["city"]) == ("shop@example.org", "Anderswo")
        for name in NAMES:
            assert (there(way, name, 2, "email"), there(way, name, 2, "city")) == ("shop@example.org", "Anderswo")
        way.silent()


@pytest.mark.parametrize("policy", ["source", "provider", "review"])
@pytest.mark.parametrize("origin", one_of(TWO))
def test_a_conflict_is_decided_by_the_policy(sqlite_shop: Shop, tmp_path: Path, policy: str, origin: str) -> None:
    """Both sides changed one field: the policy's side wins everywhere, with `review` it waits for a person."""
    with road(sqlite_shop, tmp_path, 3, TWO) as way, way.opened(per={origin: f'conflict = "{policy}"\n'}):
        way.run()
        way.calm()
        way.change(2, city="Shopstadt", e_mail="neu@example.org")
        edit(way, origin, 2, city="Dortstadt")
        way.run(scan=True)
        assert there(way, origin, 2, "email") == "neu@example.org"  # a conflict holds back no other field
        if policy == "review":
            assert way.row(2)["city"] == "Shopstadt"
            assert there(way, origin, 2, "city") == "Dortstadt"
            resolve(way, "take:provider", "conflict")
            way.run()
            assert way.reviews() == []
        winner = "Shopstadt" if policy == "source" else "Dortstadt"
        assert way.row(2)["city"] == winner
        assert {there(way, name, 2, "city") for name in TWO} == {winner}
        way.silent()


def test_field_directions(sqlite_shop: Shop, tmp_path: Path) -> None:
    """`push` answers an edit there with the source's value, `pull` sends one here to a person, `off` does nothing."""
    fields = '[providers.jtl.fields]\ncity = "push"\nemail = "pull"\nstreet = "off"\n'
    with road(sqlite_shop, tmp_path, 3, TWO) as way, way.opened(per={"jtl": fields}):
        way.run()
        way.calm()
        mine = way.row(2)
        before = way.requests()
        edit(way, "jtl", 2, city="Falschstadt", email="dort@example.org", street="Nirgends 1")
        way.run(scan=True)
        assert way.row(2) == mine | {"e_mail": "dort@example.org"}
        assert there(way, "jtl", 2, "city") == mine["city"]
        assert there(way, "jtl", 2, "street") == "Nirgends 1"
        assert written(way, before) == {"jtl": 1, "aiotic": 1}
        way.silent()
        before = way.requests()
        way.change(2, e_mail="hier@example.org", street="Hier 5")
        way.run(scan=True)
        assert written(way, before) == {"jtl": 0, "aiotic": 1}
        assert there(way, "jtl", 2, "email") == "dort@example.org"
        assert [(r.provider, r.kind, list(r.fields)) for r in way.reviews()] == [("jtl", "pull_only", ["email"])]
        way.silent()


# -- new customers over there ------------------------------------------------------------------------------------------


def newcomer(way: Road, provider: str) -> None:
    """A person creates a customer over there; it resembles nobody."""
    twin = way.twin(provider)
    record = deepcopy(way.record(provider, 2))
    text = {"city": "Neustadt", "email": "neuling@example.org"}
    if provider == "aiotic":
        record |= {"number": "77001", "name": "Neuling AG", "vat_number": None, "phone_number": None, **text}
        external_id = "77001"
    elif provider == "jtl":
        external_id, record["Id"], record["Number"] = "77001", 77001, "77001"
        address = {"Company": "Neuling AG", "VatID": None, "PhoneNumber": None, "MobilePhoneNumber": None}
        record["BillingAddress"] |= address | {"EmailAddress": text["email"], "City": text["city"]}
        record["LastChange"] = twin.now().isoformat()
    else:
        external_id, record["Id"], record["Number"] = "77001", 77001, 77001
        record |= {"Name": "Neuling AG", "Email": text["email"], "VatId": None, "Tel1": None, "Tel2": None}
        record["MetaData"] = []
        for name in ("DefaultMailAddress", "DefaultCommercialMailAddress", "DefaultStatusUpdatesMailAddress"):
            record[name] = None
        record["Addresses"][0] |= {"Id": 77002, "CustomerId": 77001, "Company": "Neuling AG", "City": text["city"]}
    twin.put(external_id, record)


@pytest.mark.parametrize("origin", one_of(LISTING))
def test_a_new_customer_there_is_inserted_once_and_reaches_the_other_four(
    sqlite_shop: Shop, tmp_path: Path, origin: str
) -> None:
    """`inbound_create` makes one row of a remote that matches nobody, and one record at each of the other four."""
    with road(sqlite_shop, tmp_path, 3) as way, way.opened(per={origin: "inbound_create = true\n"}):
        way.run()
        way.calm()
        before = {name: len(way.twin(name).records) for name in NAMES}
        newcomer(way, origin)
        way.run(scan=True)
        (row,) = [row for row in way.rows() if row["e_mail"] == "neuling@example.org"]
        assert row["city"] == "Neustadt"
        assert {name: len(way.twin(name).records) - before[name] for name in NAMES} == dict.fromkeys(NAMES, 1)
        assert {there(way, name, row["id"], "city") for name in NAMES} == {"Neustadt"}
        way.silent()


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("origin", one_of(LISTING))
def test_a_crash_after_the_insert_makes_no_second_row(sqlite_shop: Shop, tmp_path: Path, origin: str) -> None:
    """The row is in the source and nothing of it in the state: the change log links it, nobody inserts it again."""
    per = {origin: "inbound_create = true\n"}
    with road(sqlite_shop, tmp_path, 3) as way:
        with way.opened(per=per) as site:
            way.run()
            way.calm()
            newcomer(way, origin)
            gone: list[bool] = []

            def inserting(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
                if statement.startswith("INSERT INTO") and "customers" in statement.split("(", maxsplit=1)[0]:
                    gone.append(True)

            def dying(_conn: Any) -> None:
                if gone:
                    raise Crash

            sa.event.listen(site.source.engine, "before_cursor_execute", inserting)
            sa.event.listen(site.state.writer, "begin", dying)
            with pytest.raises(Crash):
                way.run(scan=True)
        assert len(way.rows()) == 4
        with way.opened(per=per):
            way.run(scan=True)
            assert len(way.rows()) == 4
            assert {len(way.twin(name).records) for name in NAMES} == {4}
            assert way.link(origin, max(row["id"] for row in way.rows())).provider_key is not None
            way.clock.advance(500.0)
            way.run(scan=True)
            assert way.reviews() == []
            way.silent()


# -- deletions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "how"),
    [("billbee", "keep"), ("jtl", "archive"), ("jtl", "delete"), ("aiotic", "delete"), ("azotte", "delete")],
)
def test_a_deleted_customer(sqlite_shop: Shop, tmp_path: Path, provider: str, how: str) -> None:
    """What a deletion means is the provider's `on_delete`; the link goes in any case and nobody brings anyone back."""
    inbound = "inbound_create = true\n" if provider in LISTING else ""
    with (
        road(sqlite_shop, tmp_path, 4, with_another(provider)) as way,
        way.opened(per={provider: f'on_delete = "{how}"\n{inbound}'}),
    ):
        way.run()
        way.calm()
        external_id, record = way.external_id(provider, 2), deepcopy(way.record(provider, 2))
        way.shop.run("DELETE FROM customers WHERE id = 2")
        way.run(scan=True)
        assert way.link(provider, 2) is None
        left = way.twin(provider).records.get(external_id)
        if how == "keep":
            assert left == record
        elif how == "archive":
            assert left is not None
            assert left["IsLocked"] is True
        else:
            assert left is None or left.get("email") != record["email"]
        way.silent()
        assert len(way.rows()) == 3


def test_many_deletions_stop_at_the_guard(sqlite_shop: Shop, tmp_path: Path) -> None:
    """More deletions than the limit are staged, all of them, under one item; a release carries out exactly those."""
    tops = '[guards]\ndelete = "2/24h"\n'
    with road(sqlite_shop, tmp_path, 12, ("aiotic",)) as way, way.opened(tops=tops, common='on_delete = "delete"\n'):
        way.run()
        way.calm()
        way.shop.run("DELETE FROM customers WHERE id <= 5")
        assert way.run().counts["aiotic"]["staged"] == 5
        assert [(r.kind, r.count) for r in way.reviews()] == [("guard_delete", 5)]
        way.run(scan=True)
        assert len(way.twin("aiotic").records) == 12
        resolve(way, "release", "guard_delete")
        way.shop.run("DELETE FROM customers WHERE id = 6")
        way.run()
        assert len(way.twin("aiotic").records) == 7
        assert [(r.kind, r.count) for r in way.reviews()] == [("guard_delete", 1)]


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("jtl", "remote_gone"),
        ("billbee", "remote_archived"),
        *(pytest.param(name, "remote_gone", marks=pytest.mark.long) for name in NAMES if name != "jtl"),
        pytest.param("aiotic", "remote_archived", marks=pytest.mark.long),
    ],
)
def test_a_remote_that_is_gone_waits_for_a_person(sqlite_shop: Shop, tmp_path: Path, provider: str, kind: str) -> None:
    """A remote deleted or archived over there is neither made again nor a reason to touch the source."""
    with road(sqlite_shop, tmp_path, 4, with_another(provider)) as way, way.opened():
        way.run()
        way.calm()
        twin, external_id = way.twin(provider), way.external_id(provider, 2)
        if kind == "remote_gone":
            twin.drop(external_id)
        else:
            assert twin.archive is not None
            twin.archive(twin, twin.records[external_id])
        count, before, rows = len(twin.records), way.requests(), way.rows()
        way.clock.advance(A_DAY)
        way.run(scan=True)
        assert [(r.provider, r.customer_key, r.kind) for r in way.reviews()] == [(provider, "2", kind)]
        assert way.rows() == rows
        way.change(2, city="Neu in der Shop")
        way.run(scan=True)
        assert written(way, before) == {name: int(name != provider) for name in way.names}
        assert len(twin.records) == count
        way.silent()


# -- keys, truncation, views, settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("any_shop", SQLITE_FIRST, indirect=True)
def test_a_changed_key_moves_everything_with_it(any_shop: Shop, tmp_path: Path) -> None:
    """A re-keyed row keeps its five remotes: nothing is created, nothing removed, later edits find them."""
    with road(any_shop, tmp_path, 4) as way, way.opened(per={"jtl": 'on_delete = "delete"\n'}):
        way.run()
        way.calm()
        ids, before = {name: way.external_id(name, 2) for name in NAMES}, way.requests()
        way.shop.run("UPDATE customers SET id = 4002 WHERE id = 2")
        way.run(scan=True)
        assert {name: way.external_id(name, 4002) for name in NAMES} == ids
        assert [way.link(name, 2) for name in NAMES] == [None] * 5
        assert way.requests() == before
        way.change(4002, city="Umgezogen")
        way.run()
        assert {there(way, name, 4002, "city") for name in NAMES} == {"Umgezogen"}
        way.silent()


@pytest.mark.parametrize(
    "statement", [pytest.param("TRUNCATE customers", marks=pytest.mark.long), "DELETE FROM customers"]
)
def test_an_empty_table_never_means_that_all_were_deleted(postgres_shop: Shop, tmp_path: Path, statement: str) -> None:
    """Emptied and filled again: links stay, nothing is removed, what changed meanwhile arrives."""
    with road(postgres_shop, tmp_path, 6) as way, way.opened(per={"aiotic": 'on_delete = "delete"\n'}):
        way.run()
        way.calm()
        before = way.requests()
        way.shop.run(statement)
        for _ in range(3):
            way.clock.advance(700.0)
            way.run(scan=True)
        assert way.requests() == before
        way.add([p.changed(city="Wieder da") if p.key == 3 else p for p in people(6)])
        way.clock.advance(700.0)
        way.run(scan=True)
        assert written(way, before) == dict.fromkeys(NAMES, 1)
        assert {there(way, name, 3, "city") for name in NAMES} == {"Wieder da"}
        way.silent()


def test_mass_blanking_stops_at_the_guard(sqlite_shop: Shop, tmp_path: Path) -> None:
    """A column emptied for everybody is staged at each provider; a release carries out exactly what was staged."""
    with road(sqlite_shop, tmp_path, 40, ("aiotic",)) as way, way.opened():
        way.run()
        way.calm()
        filled = sum(record["email"] is not None for record in way.twin("aiotic").records.values())
        way.shop.run("UPDATE customers SET e_mail = NULL")
        staged = way.run().counts["aiotic"]["staged"]
        emptied = filled - sum(record["email"] is not None for record in way.twin("aiotic").records.values())
        assert emptied <= 10
        assert staged == filled - emptied
        assert [(r.kind, r.count) for r in way.reviews()] == [("guard_blank", staged)]
        done = [
            person.key
            for person in people(40)
            if person["e_mail"] and person["phone"] and way.record("aiotic", person.key)["email"] is None
        ]
        resolve(way, "release", "guard_blank")
        way.change(done[0], phone=None)
        way.run()
        assert all(record["email"] is None for record in way.twin("aiotic").records.values())
        assert way.record("aiotic", done[0])["phone_number"] is not None
        assert [(r.kind, r.count) for r in way.reviews()] == [("guard_blank", 1)]


def test_another_column_for_a_field_is_planned_and_guarded(sqlite_shop: Shop, tmp_path: Path) -> None:
    """A changed column mapping drops that field's base: everybody is looked at again, and the update guard watches."""
    with road(sqlite_shop, tmp_path, 40, ("aiotic",)) as way:
        way.shop.run("ALTER TABLE customers ADD COLUMN mail2 VARCHAR(160)")
        way.shop.run("UPDATE customers SET mail2 = 'zweit' || id || '@example.org'")

        def pushed() -> int:
            return sum("zweit" in str(record["email"]) for record in way.twin("aiotic").records.values())

        with way.opened():
            way.run()
            way.calm()
        with way.opened(columns={"email": "mail2"}):
            staged = way.run().counts["aiotic"]["staged"]
            assert staged == 20  # half of 40 pairs may change; what is empty there is filled like any change
            assert pushed() == 20
            resolve(way, "release", "guard_update")
            way.run()
            assert pushed() == 40
            assert way.reviews() == []
            way.silent()


def test_a_view_over_two_tables(any_shop: Shop, tmp_path: Path) -> None:
    """Triggers on the tables under a view: a change of either arrives; an edit there waits for a person."""
    with road(any_shop, tmp_path, 0, TWO) as way:
        way.fill_view(people(5))
        with way.opened(source=VIEW):
            assert way.run().total("created") == 10
            way.calm()
            before = way.requests()
            way.shop.run("UPDATE addresses SET city = 'Unter der Sicht' WHERE customer_id = 3")
            way.shop.run("UPDATE people SET e_mail = 'sicht@example.org' WHERE id = 4")
            way.run()
            assert written(way, before) == {"aiotic": 2, "jtl": 2}
            assert {there(way, name, 3, "city") for name in TWO} == {"Unter der Sicht"}
            assert {there(way, name, 4, "email") for name in TWO} == {"sicht@example.org"}
            way.shop.run("DELETE FROM addresses WHERE customer_id = 5")  # leaves the view, not the first table
            way.run()
            way.clock.advance(61.0)  # a gap in a view may be a moment between two statements: two looks
            way.run()
            assert [way.link(name, 5) for name in TWO] == [None, None]
            assert {len(way.twin(name).records) for name in TWO} == {5}
            edit(way, "jtl", 2, city="Von dort")
            way.run(scan=True)
            assert [(r.provider, r.kind, list(r.fields)) for r in way.reviews()] == [("jtl", "read_only", ["city"])]
            way.silent()


VIEW = """table = "customers"
key = "id"
write = false
[[source.watch]]
table = "people"
key = "id"
[[source.watch]]
table = "addresses"
key = "customer_id"
"""
