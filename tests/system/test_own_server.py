"""What only a PostgreSQL server of our own may go through: restarts in the middle of a transaction, a standby as the
source, a fail-over to a replica that lags.

The providers are shelves and waiting is virtual; the server's own waiting is real.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.engine.run import Installation, Options, run_cycle
from syncd.errors import SafetyStop, SourceUnreachable, StateUnreachable
from syncd.source import snapshot
from syncd.store.database import open_state, upgrade
from tests.clock import VirtualClock
from tests.cluster import Cluster
from tests.contract.shop import Shop, shop
from tests.databases import database
from tests.system.shelf import KEY, NAME, Shelf, shelved
from tests.system.test_faults import add, rename, settle

LOOK = Options()
SCAN = Options(scan=True)
LATER = ("INSERT INTO intent", "DELETE FROM work")


@dataclass
class Cut:
    """The server restarts right after a statement of this beginning was executed, once; its transaction is open."""

    server: Cluster
    words: str
    armed: bool = False
    happened: int = 0

    def watch(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "after_cursor_execute", self._executed)

    def _executed(self, _conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if self.armed and " ".join(statement.split()).startswith(self.words):
            self.armed = False
            self.happened += 1
            self.server.restart()


@contextmanager
def own_shop(server: Cluster, directory: Path) -> Iterator[Shop]:
    with database("postgresql", directory, server.url()) as url, shop(url) as made:
        yield made


def patiently(made: Installation, clock: VirtualClock) -> int:
    """Runs until one ends well; how many failed, each with an error of ours."""
    for failed in range(6):
        try:
            run_cycle(made, SCAN)
        except (SourceUnreachable, StateUnreachable):
            clock.advance(60)
        else:
            return failed
    raise AssertionError("six runs in a row did not end")


def edited(place: Shop, shelf: Shelf) -> None:
    """A change here, a new customer here, a change there."""
    rename(place, 1, "Renamed here")
    add(place, 21, 21)
    shelf.records["N2"]["name"] = "Renamed there"


def all_arrived(place: Shop, shelf: Shelf, before: Counter[str], *engines: Any) -> None:
    """Each change arrived, each once, nothing else was written, and no connection is lost to its pool."""
    assert [engine.pool.checkedout() for engine in engines] == [0] * len(engines)
    assert shelf.records["N1"]["name"] == "Renamed here"
    assert place.value("SELECT company FROM customers WHERE id = 2") == "Renamed there"
    assert len(shelf.records) == 21
    assert Counter(shelf.writes) - before == Counter({"N1": 1, "N21": 1})


@pytest.mark.parametrize("words", ["DELETE FROM syncd.change_log", 'UPDATE "public"."customers"'])
def test_the_source_restarts_in_the_middle_of_a_transaction(own_server: Cluster, tmp_path: Path, words: str) -> None:
    """The source's server is gone before our commit: that transaction never was, and is made again."""
    shelf, clock, cut = Shelf(lists=True), VirtualClock(), Cut(own_server, words)
    with own_shop(own_server, tmp_path) as place:
        place.tables()
        with place.source() as source, shelved(source, {NAME: shelf}, clock=clock) as made:
            add(place, 1, 20)
            run_cycle(made, SCAN)
            before = Counter(shelf.writes)
            edited(place, shelf)
            cut.watch(source.engine)
            cut.armed = True
            place.app.dispose()
            failed = patiently(made, clock)
            place.app.dispose()
            settle(made, clock)
            assert (cut.happened, failed <= 1) == (1, True)
            all_arrived(place, shelf, before, source.engine)


@pytest.mark.parametrize(
    "words", ["INSERT INTO work", *(pytest.param(words, marks=pytest.mark.long) for words in LATER)]
)
def test_the_state_restarts_in_the_middle_of_a_transaction(own_server: Cluster, tmp_path: Path, words: str) -> None:
    """The state's server is gone before our commit: nothing is sent twice, lost or taken for an edit."""
    shelf, clock, cut = Shelf(lists=True), VirtualClock(), Cut(own_server, words)
    with (
        database("sqlite", tmp_path) as shop_url,
        shop(shop_url) as place,
        database("postgresql", tmp_path, own_server.url()) as url,
    ):
        place.tables()
        blank = open_state(url, key=KEY, check=False)
        upgrade(blank)
        blank.close()
        with place.source() as source, shelved(source, {NAME: shelf}, url, clock) as made:
            add(place, 1, 20)
            run_cycle(made, SCAN)
            before = Counter(shelf.writes)
            edited(place, shelf)
            cut.watch(made.state.writer)
            cut.armed = True
            failed = patiently(made, clock)
            settle(made, clock)
            assert (cut.happened, failed <= 1) == (1, True)
            all_arrived(place, shelf, before, made.state.writer, made.state.reader)


# -- standbys ----------------------------------------------------------------------------------------------------------


def on(server: Cluster, place: Shop) -> str:
    """The same database on another server."""
    return server.url(sa.make_url(place.url).database or "").render_as_string(hide_password=False)


def test_a_read_only_account_on_a_standby_delivers(own_server: Cluster, tmp_path: Path) -> None:
    """`snapshot` on a hot standby: what commits late arrives too, and nothing is written twice."""
    shelf, clock = Shelf(), VirtualClock()
    with own_shop(own_server, tmp_path) as place, own_server.standby() as standby:
        place.tables()
        with place.source():
            add(place, 1, 5)
        standby.caught_up(own_server)
        with (
            place.source(install=False, url=on(standby, place), change_log="snapshot", write=False) as source,
            shelved(source, {NAME: shelf}, clock=clock) as made,
        ):
            run_cycle(made, LOOK)
            assert len(shelf.records) == 5
            with place.app.connect() as late:
                late.exec_driver_sql("UPDATE customers SET company = 'Late' WHERE id = 1")
                rename(place, 2, "Early")
                standby.caught_up(own_server)
                run_cycle(made, LOOK)
                late.commit()
            standby.caught_up(own_server)
            run_cycle(made, LOOK)
            run_cycle(made, LOOK)
            assert (shelf.records["N1"]["name"], shelf.records["N2"]["name"]) == ("Late", "Early")
            assert Counter(shelf.writes) == Counter({f"N{key}": 1 + (key < 3) for key in range(1, 6)})


def test_a_promoted_standby_is_another_source(own_server: Cluster, tmp_path: Path) -> None:
    """`snapshot`: a new timeline voids the position once the server tells of it; nothing is missed before."""
    with own_shop(own_server, tmp_path) as place, own_server.standby() as standby:
        place.tables()
        with place.source():
            add(place, 1, 2)
        standby.caught_up(own_server)
        with place.source(install=False, url=on(standby, place), change_log="snapshot", write=False) as source:
            cursor = snapshot.read(source, "").cursor
            standby.promote()
            with shop(on(standby, place)) as promoted:
                add(promoted, 3, 3)
            seen, restarts, end = set[str](), 0, time.monotonic() + 30
            while not restarts and time.monotonic() < end:
                changes = snapshot.read(source, cursor)
                cursor = changes.cursor
                seen |= {entry.key for entry in changes.entries}
                restarts += bool(changes.restart)
                standby.ask("CHECKPOINT")  # which is where a server tells
            assert restarts == 1
            assert "3" in seen
            assert snapshot.read(source, cursor).restart == ""


@contextmanager
def failed_over(server: Cluster, place: Shop, shelf: Shelf, url: str, lost: tuple[str, ...]) -> Iterator[Installation]:
    """An installation that worked on the primary, whose last acknowledge and these statements the replica never got."""
    with server.standby() as standby:
        with place.source() as source, shelved(source, {NAME: shelf}, url, VirtualClock()) as made:
            run_cycle(made, SCAN)
            rename(place, 1, "Known to both")
            standby.caught_up(server)
            standby.cut_off()
            place.run(*lost)
            run_cycle(made, LOOK)
        standby.promote()
        with (
            place.source(install=False, url=on(standby, place)) as source,
            shelved(source, {NAME: shelf}, url, VirtualClock()) as made,
        ):
            yield made


def test_a_replica_that_only_lacks_the_acknowledge_goes_on(own_server: Cluster, tmp_path: Path) -> None:
    """The promoted replica still has the marks that were acknowledged: they are looked at again, no more."""
    shelf, url = Shelf(), f"sqlite:///{tmp_path}/state.db"
    with own_shop(own_server, tmp_path) as place:
        place.tables()
        add(place, 1, 5)
        with failed_over(own_server, place, shelf, url, ()) as made:
            writes = len(shelf.writes)
            run_cycle(made, SCAN)
            assert (len(shelf.writes), shelf.records["N1"]["name"]) == (writes, "Known to both")


def test_a_replica_that_lacks_changes_stops_everything(own_server: Cluster, tmp_path: Path) -> None:
    """Changes that reached the provider are not in the promoted replica: nothing is written before a person
    looked."""
    shelf, url = Shelf(), f"sqlite:///{tmp_path}/state.db"
    lost = (
        "UPDATE customers SET company = 'Lost' WHERE id = 2",
        "INSERT INTO customers (id, number, company) VALUES (6, 'N6', 'Lost too')",
    )
    with own_shop(own_server, tmp_path) as place:
        place.tables()
        add(place, 1, 5)
        with failed_over(own_server, place, shelf, url, lost) as made:
            writes = len(shelf.writes)
            assert len(shelf.records) == 6
            for _ in range(2):
                with pytest.raises(SafetyStop):
                    run_cycle(made, SCAN)
            assert len(shelf.writes) == writes
