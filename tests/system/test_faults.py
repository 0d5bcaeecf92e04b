"""Rows of the fault matrix that concern the whole road: a database or a provider fails, and nothing is lost or doubled.

The providers are shelves (dicts behind the real contract) and waiting is virtual, so that an hour of outage costs
nothing. Which test stands for which row: see the table in tests/README.md.
"""

from __future__ import annotations

import copy
import io
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd import log
from syncd.engine.run import Installation, Options, run_cycle
from syncd.errors import (
    ProviderError,
    SafetyStop,
    SetupNeeded,
    SourceUnreachable,
    StateUnreachable,
    Temporary,
    Throttled,
    Unauthorized,
)
from syncd.source import changelog
from syncd.store import mapping, work
from tests.clock import VirtualClock
from tests.contract.shop import Shop, shop
from tests.system.shelf import NAME, Shelf, shelved

LOOK = Options()
SCAN = Options(scan=True)
HOUR, DAY = 3600.0, 86_400.0
WAL_HEAD, FRAME_HEAD, PAGE = 32, 24, 4096  # bytes; sqlite.org/fileformat2.html, section 4


@pytest.fixture(autouse=True)
def told() -> Iterator[io.StringIO]:
    """The log at debug level. Whatever fails, at either database or at the provider, no value of a customer is in it,
    and none is in its tracebacks."""
    stream = io.StringIO()
    log.setup("debug", "json", stream=stream)
    yield stream
    text = stream.getvalue()
    assert "cycle.finished" in text
    assert re.findall(r"Firm \d+|k\d+@example|canary\w*", text, re.IGNORECASE) == []


def add(place: Shop, first: int, last: int) -> None:
    """Customers with these keys; their numbers are N<key>."""
    rows = ", ".join(f"({key}, 'N{key}', 'Firm {key}', 'k{key}@example.com')" for key in range(first, last + 1))
    place.run(f"INSERT INTO customers (id, number, company, email) VALUES {rows}")


def rename(place: Shop, key: int, name: str) -> None:
    place.run(f"UPDATE customers SET company = '{name}' WHERE id = {key}")


@contextmanager
def site(place: Shop, shelf: Shelf, clock: VirtualClock, url: str = "sqlite://") -> Iterator[Installation]:
    """An installation with one provider; the tables are made at first."""
    if not sa.inspect(place.app).has_table("customers"):
        place.tables()
    with place.source() as source, shelved(source, {NAME: shelf}, url, clock) as made:
        yield made


def states(made: Installation) -> Counter[str]:
    """How many pairs are shown in which state."""
    with made.state.read() as tx:
        return Counter({state.value: n for state, n in mapping.counts(tx).get(NAME, {}).items() if n})


def settle(made: Installation, clock: VirtualClock) -> None:
    """Enough time and looks for whatever waits for a retry or a settle time."""
    for _ in range(4):
        clock.advance(1000)
        run_cycle(made, LOOK)


# -- the state database ------------------------------------------------------------------------------------------------


def test_a_full_disk_stops_before_the_next_write(sqlite_shop: Shop, tmp_path: Path) -> None:
    """What cannot be made durable is neither acknowledged nor sent; with space again all arrives once."""
    shelf, clock = Shelf(), VirtualClock()
    with site(sqlite_shop, shelf, clock, f"sqlite:///{tmp_path}/state.db") as made:
        add(sqlite_shop, 1, 5)
        run_cycle(made, LOOK)
        for more in (0, 20):  # no room for the marks; room for the marks, but not for all intents
            add(sqlite_shop, 1000 + more * 10, 1000 + more * 10 + 149)
            waiting, before = changelog.backlog(made.source).rows, len(shelf.writes)
            with made.state.begin() as tx:
                pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
                tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}").close()
            with pytest.raises(StateUnreachable, match="disk is full"):
                run_cycle(made, LOOK)
            assert more or (changelog.backlog(made.source).rows, len(shelf.writes)) == (waiting, before)
            with made.state.begin() as tx:
                noted = set(tx.exec_driver_sql("SELECT customer_key FROM intent").scalars())
                linked = set(tx.exec_driver_sql("SELECT customer_key FROM mapping WHERE external_id <> ''").scalars())
                tx.exec_driver_sql("PRAGMA max_page_count = 1000000").close()
            assert {key.removeprefix("N") for key in shelf.records} <= noted | linked
        settle(made, clock)
        assert len(shelf.records) == 305
        assert set(Counter(shelf.writes).values()) == {1}


def test_a_power_cut_at_any_frame(sqlite_shop: Shop, tmp_path: Path) -> None:
    """Whatever part of the write-ahead log reached the disk, the state opens whole, and going on from it either
    stops or changes nothing that is there already."""
    shelf, clock, path = Shelf(), VirtualClock(), tmp_path / "state.db"
    with site(sqlite_shop, shelf, clock, f"sqlite:///{path}") as made:
        add(sqlite_shop, 1, 12)
        run_cycle(made, LOOK)
        rename(sqlite_shop, 3, "Changed")
        run_cycle(made, LOOK)
        shutil.copy(path, tmp_path / "kept.db")
        log = Path(f"{path}-wal").read_bytes()
    frames = (len(log) - WAL_HEAD) // (FRAME_HEAD + PAGE)
    assert frames > 50
    for frame in range(frames + 1):
        cut = tmp_path / "cut.db"
        shutil.copy(tmp_path / "kept.db", cut)
        torn = 1000 if frame % 2 else 0  # half a frame more
        Path(f"{cut}-wal").write_bytes(log[: WAL_HEAD + frame * (FRAME_HEAD + PAGE) + torn])
        with closing(sqlite3.connect(cut)) as opened:
            assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if frame % 40 == 0 or frame >= frames - 2:
            _go_on(sqlite_shop, tmp_path, cut, Shelf(records=copy.deepcopy(shelf.records)))


def test_a_locked_state_is_waited_out(sqlite_shop: Shop, tmp_path: Path) -> None:
    """While another process holds the state's file, a run ends after a bounded wait with nothing acknowledged
    and nothing sent; afterwards each change arrives once."""
    shelf, clock, path = Shelf(), VirtualClock(), tmp_path / "state.db"
    with site(sqlite_shop, shelf, clock, f"sqlite:///{path}") as made:
        add(sqlite_shop, 1, 3)
        run_cycle(made, LOOK)
        add(sqlite_shop, 4, 6)
        with made.state.begin() as tx:
            tx.exec_driver_sql("PRAGMA busy_timeout = 100").close()
        with closing(sqlite3.connect(path, isolation_level=None)) as intruder:
            intruder.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                with pytest.raises(StateUnreachable, match="locked"):
                    run_cycle(made, LOOK)
            assert (len(shelf.writes), changelog.backlog(made.source).rows) == (3, 3)
            intruder.execute("ROLLBACK")
        run_cycle(made, LOOK)
        assert Counter(shelf.writes) == Counter(list(shelf.records)) == Counter(f"N{key}" for key in range(1, 7))
        assert changelog.backlog(made.source).rows == 0


def _go_on(place: Shop, directory: Path, state: Path, shelf: Shelf) -> None:
    """A run over a copy of the source with this state must leave the provider as it is."""
    twin = directory / "twin.db"
    with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as old, closing(sqlite3.connect(twin)) as new:
        old.backup(new)
    before = copy.deepcopy(shelf.records)
    with shop(f"sqlite:///{twin}") as copied:
        try:
            with site(copied, shelf, VirtualClock(), f"sqlite:///{state}") as made:
                run_cycle(made, SCAN)
        except SafetyStop:
            assert shelf.requests == 0
    assert shelf.records == before
    twin.unlink()


# -- the source --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [pytest.param("RENAME COLUMN email TO mail", marks=pytest.mark.long), "DROP COLUMN email"]
)
def test_a_column_that_vanishes_blanks_nobody(any_shop: Shop, change: str) -> None:
    """While a mapped column is missing nothing is sent, the error names the cause; then all goes on."""
    shelf, clock = Shelf(), VirtualClock()
    with site(any_shop, shelf, clock) as made:
        add(any_shop, 1, 3)
        run_cycle(made, LOOK)
        before, writes = copy.deepcopy(shelf.records), len(shelf.writes)
        any_shop.run(f"ALTER TABLE customers {change}")
        rename(any_shop, 1, "New name")
        with pytest.raises(SetupNeeded, match="column"):
            run_cycle(made, SCAN)
        assert (shelf.records, len(shelf.writes)) == (before, writes)
        back = "RENAME COLUMN mail TO email" if "RENAME" in change else "ADD COLUMN email varchar(60)"
        any_shop.run(f"ALTER TABLE customers {back}", "UPDATE customers SET email = 'back@example.com'")
        settle(made, clock)
        assert {record["email"] for record in shelf.records.values()} == {"back@example.com"}
        assert shelf.records["N1"]["name"] == "New name"


def test_a_column_of_another_type_costs_its_own_rows_only(postgres_shop: Shop) -> None:
    """Values that are no longer what the field needs refuse their customer; everybody else goes on."""
    shelf, clock = Shelf(), VirtualClock()
    with site(postgres_shop, shelf, clock) as made:
        add(postgres_shop, 1, 4)
        run_cycle(made, LOOK)
        postgres_shop.run(
            "ALTER TABLE customers ALTER COLUMN born TYPE text, ALTER COLUMN company TYPE varchar(400)",
            "UPDATE customers SET company = 'Wider ' || id, born = '1980-01-31'",
            "UPDATE customers SET born = 'no date' WHERE id = 2",
        )
        run_cycle(made, LOOK)
        assert {key for key, record in shelf.records.items() if record["name"] != f"Wider {key[1:]}"} == {"N2"}
        assert states(made) == {"linked": 3, "rejected": 1}


def test_a_lost_grant_is_said_and_waited_for(postgres_shop: Shop) -> None:
    """Without the right to read nothing is sent and the error is ours, without a value; with it all goes on."""
    shelf, clock, role = Shelf(), VirtualClock(), f"syncd_{postgres_shop.url.rpartition('_')[2]}"
    postgres_shop.tables()
    with postgres_shop.source():
        add(postgres_shop, 1, 3)
    grants = (
        f"GRANT USAGE ON SCHEMA syncd TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA syncd TO {role}",
        f"GRANT SELECT ON customers TO {role}",
    )
    postgres_shop.run(f"CREATE ROLE {role} LOGIN", *grants)
    url = postgres_shop.url.replace("//postgres@", f"//{role}@").replace("//postgres:", f"//{role}:")
    try:
        with (
            postgres_shop.source(install=False, url=url) as source,
            shelved(source, {NAME: shelf}, clock=clock) as made,
        ):
            run_cycle(made, LOOK)
            writes = len(shelf.writes)
            postgres_shop.run(f"REVOKE SELECT ON customers FROM {role}")
            rename(postgres_shop, 2, "Secret name")
            with pytest.raises(SourceUnreachable) as told:
                run_cycle(made, LOOK)
            assert "refuses the account" in str(told.value)
            assert "Secret" not in str(told.value)
            assert len(shelf.writes) == writes == 3
            postgres_shop.run(grants[-1])
            settle(made, clock)
            assert shelf.records["N2"]["name"] == "Secret name"
    finally:
        postgres_shop.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_source_that_drops_every_connection_in_the_middle(postgres_shop: Shop) -> None:
    """The server ends all our sessions in the middle of a run: it may fail, but nothing is lost or doubled."""
    shelf, clock = Shelf(), VirtualClock()
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def cut(key: str) -> None:
        if shelf.requests % 13 == 0:
            postgres_shop.value(kill)

    with site(postgres_shop, shelf, clock) as made:
        add(postgres_shop, 1, 120)
        shelf.before = cut
        for _ in range(6):
            try:
                run_cycle(made, LOOK)
            except SourceUnreachable:
                clock.advance(60)
        shelf.before = lambda _key: None
        settle(made, clock)
        assert len(shelf.records) == 120
        assert set(Counter(shelf.writes).values()) == {1}


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_locked_log_is_left_alone(dialect: str, request: pytest.FixtureRequest) -> None:
    """Somebody holds rows of the log: the run gives up instead of waiting on, marks made and not
    acknowledged; later they are read once more, and each change arrives once."""
    place: Shop = request.getfixturevalue({"postgresql": "postgres_shop", "mysql": "mariadb_shop"}[dialect])
    log = {"postgresql": "syncd.change_log", "mysql": "syncd_change_log"}[dialect]
    shelf, clock = Shelf(), VirtualClock()
    place.tables()
    with place.source(lock_timeout=1.0) as source, shelved(source, {NAME: shelf}, clock=clock) as made:
        add(place, 1, 3)
        run_cycle(made, LOOK)
        add(place, 4, 6)
        with place.app.begin() as holder:
            holder.exec_driver_sql(f"SELECT seq FROM {log} FOR UPDATE").all()
            with pytest.raises(SourceUnreachable, match="busy"):
                run_cycle(made, LOOK)
        assert changelog.backlog(source).rows == 3
        run_cycle(made, LOOK)
        assert Counter(shelf.writes) == Counter(list(shelf.records)) == Counter(f"N{key}" for key in range(1, 7))
        assert changelog.backlog(source).rows == 0
        engine: Any = source.engine
        assert engine.pool.checkedout() == 0


def test_a_huge_field_costs_its_own_row_only(sqlite_shop: Shop) -> None:
    """Ten megabytes in one field refuse that customer before anything is sent; the others go."""
    shelf, clock = Shelf(), VirtualClock()
    with site(sqlite_shop, shelf, clock) as made:
        add(sqlite_shop, 1, 20)
        sqlite_shop.run("UPDATE customers SET street = hex(zeroblob(5000000)) WHERE id = 7")
        run_cycle(made, LOOK)
        assert set(shelf.records) == {f"N{key}" for key in range(1, 21)} - {"N7"}
        assert states(made) == {"linked": 19, "rejected": 1}


# -- the provider ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wiped", [False, True])
def test_an_empty_listing_deletes_nobody(sqlite_shop: Shop, wiped: bool) -> None:
    """A listing that shows nobody proves nothing; where every single record is gone too, a person is asked:
    no row is deleted, nobody is created again."""
    shelf, clock = Shelf(lists=True), VirtualClock()
    with site(sqlite_shop, shelf, clock) as made:
        add(sqlite_shop, 1, 30)
        run_cycle(made, SCAN)
        writes = len(shelf.writes)
        shelf.blank = True
        if wiped:
            shelf.records.clear()
        for _ in range(3):
            clock.advance(HOUR)
            run_cycle(made, SCAN)
        assert sqlite_shop.value("SELECT count(*) FROM customers") == 30
        assert len(shelf.writes) == writes
        assert states(made) == {"linked": 30}


def test_a_poison_record_slows_nobody(sqlite_shop: Shop) -> None:
    """One of 300 that fails for ever costs less than a twentieth of all requests, holds others up by one short
    pause at most (where half of a quiet lane's looks are its failures), and ends as dead."""
    shelf, clock, asked = Shelf(), VirtualClock(), Counter[str]()

    def fail(key: str) -> None:
        asked[key] += 1
        if key == "N150":
            raise Temporary("always fails")

    shelf.before = fail
    with site(sqlite_shop, shelf, clock) as made:
        add(sqlite_shop, 1, 300)
        run_cycle(made, LOOK)
        assert len(shelf.records) == 299
        assert clock.elapsed < 60
        for turn in range(1, 16):
            rename(sqlite_shop, turn, f"Again {turn}")
            run_cycle(made, LOOK)
            clock.advance(1000)
            run_cycle(made, LOOK)
            assert shelf.records[f"N{turn}"]["name"] == f"Again {turn}"
        assert states(made) == {"linked": 299, "dead": 1}
    assert 12 <= asked["N150"] < 0.05 * shelf.requests


@contextmanager
def outage(place: Shop, error: ProviderError, every: float, seconds: float) -> Iterator[tuple[Shelf, Shelf, int]]:
    """A provider that answers everything with this error for so long, beside a sound one; how many requests it got."""
    ill, well, clock = Shelf(), Shelf(), VirtualClock()
    place.tables()

    def fail(_key: str) -> None:
        raise error

    with place.source() as source, shelved(source, {"ill": ill, "well": well}, clock=clock) as made:
        add(place, 1, 50)
        run_cycle(made, LOOK)
        before, ill.before = ill.requests, fail
        place.run("UPDATE customers SET company = 'Changed'")
        end = clock.elapsed + seconds
        while clock.elapsed < end:
            run_cycle(made, Options(look=False))
            clock.advance(every)
        assert {record["name"] for record in well.records.values()} == {"Changed"}
        got, ill.before = ill.requests - before, lambda _key: None
        for _ in range(4):
            clock.advance(1000)
            run_cycle(made, LOOK)
        with made.state.read() as tx:
            assert work.next_due(tx, "ill", clock.now()) is None
        yield ill, well, got


def test_refused_credentials_cost_a_call_a_quarter_of_an_hour(sqlite_shop: Shop) -> None:
    """Three hours of 401 are one call, then one probe every 15 minutes; nobody else notices."""
    with outage(sqlite_shop, Unauthorized("401", status=401), 180.0, 3 * HOUR) as (ill, _well, requests):
        assert 10 <= requests <= 13
        assert {record["name"] for record in ill.records.values()} == {"Changed"}


def test_an_hour_of_5xx_costs_a_few_probes(sqlite_shop: Shop) -> None:
    """An hour in which every request fails is a handful of requests; then each customer is written once."""
    with outage(sqlite_shop, Temporary("503", status=503), 60.0, HOUR) as (ill, _well, requests):
        assert requests <= 20
        assert Counter(ill.writes) == dict.fromkeys(ill.records, 2)
        assert {record["name"] for record in ill.records.values()} == {"Changed"}


def test_a_429_stops_the_whole_lane_as_long_as_told(sqlite_shop: Shop) -> None:
    """One 429 with Retry-After holds every request of that provider, counts against nobody, and is obeyed."""
    with outage(sqlite_shop, Throttled("429", retry_after=600.0, status=429), 60.0, HOUR) as (ill, _well, requests):
        assert 5 <= requests <= 6
        assert Counter(ill.writes) == dict.fromkeys(ill.records, 2)


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_neither_storms_nor_stalls(sqlite_shop: Shop, jump: float) -> None:
    """The wall clock jumps by a day: nothing is written again, changes of both sides go through. A retry that
    waits while the clock is set back waits for the old time, or until its customer is marked again."""
    shelf, clock = Shelf(lists=True), VirtualClock()

    def fail(key: str) -> None:
        if key == "N3":
            raise Temporary("not now")

    with site(sqlite_shop, shelf, clock) as made:
        add(sqlite_shop, 1, 50)
        settle(made, clock)
        shelf.before = fail
        rename(sqlite_shop, 3, "Late")
        run_cycle(made, LOOK)
        requests, writes = shelf.requests, len(shelf.writes)
        clock.step_wall(jump)
        run_cycle(made, LOOK)
        assert shelf.requests - requests <= 60  # one planned look at everybody
        shelf.before = lambda _key: None
        rename(sqlite_shop, 4, "New")
        shelf.records["N5"]["name"] = "There"
        if jump < 0:
            sqlite_shop.run("UPDATE customers SET secret_note = 'touched' WHERE id = 3")
        for _ in range(12):
            clock.advance(60)
            run_cycle(made, LOOK)
        assert (shelf.records["N4"]["name"], shelf.records["N3"]["name"]) == ("New", "Late")
        assert sqlite_shop.value("SELECT company FROM customers WHERE id = 5") == "There"
        assert len(shelf.writes) == writes + 2
