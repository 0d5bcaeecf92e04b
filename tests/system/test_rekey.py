"""`syncd db rekey` as it is typed: the state under another key, and nothing else changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.bootstrap import installation
from syncd.errors import LeaseLost, SafetyStop
from syncd.operate.rekey import rekey
from syncd.runtime.leadership import hold, keep, lane_name
from syncd.sandbox.faults import Fault
from syncd.settings import load
from syncd.store import mapping
from syncd.store.key_files import new_key_beside
from syncd.store.leases import lock_file
from tests.databases import database
from tests.system.landscape import Landscape, landscape
from tests.system.running import until

NAMES = ("aiotic", "invisible_collector", "jtl")  # one lists, one cannot, one lists what changed


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def land(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Landscape]:
    """Five customers everywhere; the third was erased from the state."""
    place = contextlib.nullcontext() if request.param == "sqlite" else database("postgresql", tmp_path)
    with place as url, landscape(tmp_path, 5, NAMES) as land:
        if url is not None:
            secret(tmp_path / "key", "a" * 40)
            land.change(f'url = "sqlite:///{tmp_path / "state.db"}"', f'url = "{url}"\nkey = "file:{tmp_path / "key"}"')
            assert land.said("db", "upgrade").code == 0
        assert land.said("run-once").code == 0
        settle(url or f"sqlite:///{tmp_path}/state.db")
        assert land.said("run-once").code == 0
        assert unconfirmed(url or f"sqlite:///{tmp_path}/state.db") == 0
        assert land.said("forget", "3", "--yes").code == 0
        yield land


def unconfirmed(url: str) -> int:
    """How many writes wait for their confirming reading: an edit right after a 202 would be a question of its own."""
    engine = sa.create_engine(url)
    with engine.connect() as conn:
        count = int(conn.execute(sa.text("SELECT count(*) FROM intent")).scalar_one())
    engine.dispose()
    return count


def settle(url: str) -> None:
    """As if the settle time of every write were over."""
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.execute(sa.text("UPDATE intent SET settle_until = at"))
    engine.dispose()


def secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")


def writes(land: Landscape) -> dict[str, int]:
    return {name: land.server.twins[name].writes() for name in NAMES}


def earlier(land: Landscape) -> int:
    """How many agreed values are kept together with what was agreed before them."""
    with installation(load(land.config), exclusive=False, read_only=True) as site, site.state.read() as tx:
        links = [link for name in NAMES for link in mapping.page(tx, name, "", 100)]
    return sum(base.earlier is not None for link in links for base in link.base.values())


def rekeyed(land: Landscape) -> str:
    """The command, and what it says to do with the settings; what it said."""
    if land.state.exists():
        answer = land.said("db", "rekey")
        assert (answer.code, "12 links are kept under the new key" in answer.out) == (0, True), answer.err
        return answer.out
    old, new = land.directory / "key", land.directory / "new"
    secret(new, "b" * 40)
    answer = land.said("db", "rekey", "--key", f"file:{new}")
    assert (answer.code, "12 links" in answer.out) == (0, True), answer.err
    refused = land.said("run-once")
    assert (refused.code, "the one that `syncd db rekey` replaced" in refused.err) == (6, True)
    land.change(f'key = "file:{old}"', f'key = "file:{new}"')
    refused = land.said("run-once")
    assert (refused.code, "older_keys lacks 1 of the keys" in refused.err) == (6, True)
    land.change(f'key = "file:{new}"', f'key = "file:{new}"\nolder_keys = ["file:{old}"]')
    return answer.out


def test_nothing_else_changes(land: Landscape) -> None:
    """What was agreed stays agreed, an edit that was under way on either side arrives as it would have, and who was
    erased stays away: twice in a row."""
    for turn in (1, 2):
        land.sql("UPDATE customers SET city = ? WHERE id = 1", f"Ulm {turn}")
        land.server.twins["aiotic"].edit("1002", address=f"Anderswo {turn}")
        before = writes(land)
        if turn == 1 or land.state.exists():
            rekeyed(land)
        assert writes(land) == before
        assert land.said("run-once", "--scan").code == 0
        assert land.sql("SELECT street FROM customers WHERE id = 2") == [(f"Anderswo {turn}",)]
        assert land.server.twins["aiotic"].records["1001"]["city"] == f"Ulm {turn}"
        assert {name: count - before[name] for name, count in writes(land).items()} == {
            "aiotic": 1,
            "invisible_collector": 2,
            "jtl": 2,
        }
        assert "3" not in {link["customer_key"] for link in land.said("links", "--format", "json").data["links"]}
    assert land.said("run-once", "--scan").code == 0


def test_a_daemon_that_slept_meanwhile_writes_nothing_under_the_old_key(tmp_path: Path) -> None:
    """A machine that was suspended for longer than its lease is no daemon at work, so the command goes on. Once awake,
    that process has no lease any more, and gets none: what it would agree on, nobody could read."""
    with database("postgresql", tmp_path) as url, landscape(tmp_path, 1, ("aiotic",)) as land:
        old, new, lane = tmp_path / "key", tmp_path / "new", lane_name("aiotic")
        secret(old, "a" * 40)
        secret(new, "b" * 40)
        land.change(f'url = "sqlite:///{tmp_path / "state.db"}"', f'url = "{url}"\nkey = "file:{old}"')
        assert land.said("db", "upgrade").code == 0
        assert land.said("run-once").code == 0
        settle(url)
        assert land.said("run-once").code == 0
        with land.site() as asleep:
            held = hold(asleep, lane)
            assert held is not None
            with asleep.state.begin() as tx:
                tx.execute(sa.text("UPDATE lease SET until = 0"))
            assert land.said("db", "rekey", "--key", f"file:{new}").code == 0

            with pytest.raises(LeaseLost), asleep.state.fenced(held.lease):
                pass
            assert not keep(asleep, lane)
            with pytest.raises(SafetyStop, match="the one that `syncd db rekey` replaced"):
                hold(asleep, lane)


@pytest.mark.parametrize("late", [False, True])
def test_a_crash_leaves_one_whole_state(tmp_path: Path, late: bool) -> None:
    """Killed before the commit, the old state and its key are as they were; killed right after it, the next command
    takes the new key from beside the state."""
    with landscape(tmp_path, 3, NAMES) as land:
        assert land.said("run-once").code == 0
        key, before = (tmp_path / "state.db.key").read_bytes(), writes(land)
        commits: list[int] = []

        def end(_conn: sa.Connection) -> None:
            commits.append(1)
            if len(commits) == 2:
                raise Killed

        with installation(load(land.config), exclusive=False) as site, contextlib.suppress(Killed):
            if not late:
                sa.event.listen(site.state.writer, "commit", end)
            rekey(site, lambda: new_key_beside(tmp_path / "state.db"), lambda _read: None)
        assert late or len(commits) == 2
        assert land.said("run-once", "--scan").code == 0
        assert writes(land) == before
        assert ((tmp_path / "state.db.key").read_bytes() != key) is late
        assert (tmp_path / "state.db.key.older").exists() is late


def test_it_is_refused_where_it_could_lose_something(tmp_path: Path) -> None:
    """While somebody works on the state, and where a provider cannot be read: nothing changes."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        assert land.said("run-once").code == 0
        key = (tmp_path / "state.db.key").read_bytes()
        with lock_file(tmp_path / "state.db"):
            answer = land.said("db", "rekey")
            assert (answer.code, "then syncd db rekey" in answer.err) == (8, True)
        land.server.twins["aiotic"].faults.add(Fault("status", status=401, times=0))
        assert land.said("db", "rekey").code == 7
        land.server.twins["aiotic"].faults.clear()
        answer = land.said("db", "rekey", "--key", f"file:{tmp_path / 'no-such-file'}")
        assert (answer.code, "--key" in answer.err) == (2, True)
        assert (tmp_path / "state.db.key").read_bytes() == key
        assert land.said("run-once", "--scan", "--wait", "5s").code == 0


def test_what_was_agreed_before_a_change_is_forgotten_and_no_edit(land: Landscape) -> None:
    """Nobody has the values of before any more: their digests go, nothing counts as being edited, and the next run
    finds nothing to do."""
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    assert land.said("run-once").code == 0
    assert until(lambda: not land.said("run-once", "--scan").code)
    before = writes(land)
    assert earlier(land) > 0
    assert "being edited" not in rekeyed(land)

    assert earlier(land) == 0
    assert land.said("run-once", "--scan").code == 0
    assert writes(land) == before
    land.sql("UPDATE customers SET city = 'Leer' WHERE id = 2")
    assert land.said("run-once").code == 0
    assert writes(land) != before
