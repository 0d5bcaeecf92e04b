"""`syncd db rekey` as it is typed: the state under another key, and nothing else changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.bootstrap import installation
from syncd.operate.rekey import rekey
from syncd.sandbox.faults import Fault
from syncd.settings import load
from syncd.store import mapping
from syncd.store.key_files import new_key_beside
from syncd.store.leases import lock_file
from tests.databases import database
from tests.system.installed import Installed, installed
from tests.system.running import until

NAMES = ("aiotic", "invisible_collector", "jtl")  # one lists, one cannot, one lists what changed


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Installed]:
    """Five customers everywhere; the third was erased from the state."""
    place = contextlib.nullcontext() if request.param == "sqlite" else database("postgresql", tmp_path)
    with place as url, installed(tmp_path, capsys, NAMES, 5) as made:
        if url is not None:
            secret(tmp_path / "key", "a" * 40)
            made.change(f'url = "sqlite:///{tmp_path / "state.db"}"', f'url = "{url}"\nkey = "file:{tmp_path / "key"}"')
            assert made("db", "upgrade").code == 0
        assert made("run-once").code == 0
        assert until(lambda: not made("run-once").code and not unconfirmed(url or f"sqlite:///{tmp_path}/state.db"))
        assert made("forget", "3", "--yes").code == 0
        yield made


def unconfirmed(url: str) -> int:
    """How many writes wait for their confirming reading: an edit right after a 202 would be a question of its own."""
    engine = sa.create_engine(url)
    with engine.connect() as conn:
        count = int(conn.execute(sa.text("SELECT count(*) FROM intent")).scalar_one())
    engine.dispose()
    return count


def secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")


def writes(shop: Installed) -> dict[str, int]:
    return {name: shop.server.twins[name].writes() for name in NAMES}


def earlier(shop: Installed) -> int:
    """How many agreed values are kept together with what was agreed before them."""
    with installation(load(shop.config), exclusive=False, read_only=True) as site, site.state.read() as tx:
        links = [link for name in NAMES for link in mapping.page(tx, name, "", 100)]
    return sum(base.earlier is not None for link in links for base in link.base.values())


def rekeyed(shop: Installed) -> str:
    """The command, and what it says to do with the settings; what it said."""
    if (shop.directory / "state.db").exists():
        answer = shop("db", "rekey")
        assert (answer.code, "12 links are kept under the new key" in answer.out) == (0, True), answer.err
        return answer.out
    old, new = shop.directory / "key", shop.directory / "new"
    secret(new, "b" * 40)
    answer = shop("db", "rekey", "--key", f"file:{new}")
    assert (answer.code, "12 links" in answer.out) == (0, True), answer.err
    refused = shop("run-once")
    assert (refused.code, "the one that `syncd db rekey` replaced" in refused.err) == (6, True)
    shop.change(f'key = "file:{old}"', f'key = "file:{new}"')
    refused = shop("run-once")
    assert (refused.code, "older_keys lacks 1 of the keys" in refused.err) == (6, True)
    shop.change(f'key = "file:{new}"', f'key = "file:{new}"\nolder_keys = ["file:{old}"]')
    return answer.out


def test_nothing_else_changes(shop: Installed) -> None:
    """What was agreed stays agreed, an edit that was under way on either side arrives as it would have, and who was
    erased stays away: twice in a row."""
    for turn in (1, 2):
        shop.sql("UPDATE customers SET city = ? WHERE id = 1", f"Ulm {turn}")
        shop.server.twins["aiotic"].edit("1002", address=f"Anderswo {turn}")
        before = writes(shop)
        if turn == 1 or (shop.directory / "state.db").exists():
            rekeyed(shop)
        assert writes(shop) == before
        assert shop("run-once", "--scan").code == 0
        assert shop.sql("SELECT street FROM customers WHERE id = 2") == [(f"Anderswo {turn}",)]
        assert shop.server.twins["aiotic"].records["1001"]["city"] == f"Ulm {turn}"
        assert {name: count - before[name] for name, count in writes(shop).items()} == {
            "aiotic": 1,
            "invisible_collector": 2,
            "jtl": 2,
        }
        assert "3" not in {link["customer_key"] for link in shop("links", "--format", "json").json["links"]}
    assert shop("run-once", "--scan").code == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_crash_leaves_one_whole_state(tmp_path: Path, capsys: pytest.CaptureFixture[str], late: bool) -> None:
    """Killed before the commit, the old state and its key are as they were; killed right after it, the next command
    takes the new key from beside the state."""
    with installed(tmp_path, capsys, NAMES, 3) as shop:
        assert shop("run-once").code == 0
        key, before = (tmp_path / "state.db.key").read_bytes(), writes(shop)
        commits: list[int] = []

        def end(_conn: sa.Connection) -> None:
            commits.append(1)
            if len(commits) == 2:
                raise Killed

        with installation(load(shop.config), exclusive=False) as site, contextlib.suppress(Killed):
            if not late:
                sa.event.listen(site.state.writer, "commit", end)
            rekey(site, lambda: new_key_beside(tmp_path / "state.db"), lambda _read: None)
        assert late or len(commits) == 2
        assert shop("run-once", "--scan").code == 0
        assert writes(shop) == before
        assert ((tmp_path / "state.db.key").read_bytes() != key) is late
        assert (tmp_path / "state.db.key.older").exists() is late


def test_it_is_refused_where_it_could_lose_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While somebody works on the state, and where a provider cannot be read: nothing changes."""
    with installed(tmp_path, capsys, ("aiotic",), 3) as shop:
        assert shop("run-once").code == 0
        key = (tmp_path / "state.db.key").read_bytes()
        with lock_file(tmp_path / "state.db"):
            answer = shop("db", "rekey")
            assert (answer.code, "then syncd db rekey" in answer.err) == (8, True)
        shop.server.twins["aiotic"].faults.add(Fault("status", status=401, times=0))
        assert shop("db", "rekey").code == 7
        shop.server.twins["aiotic"].faults.clear()
        answer = shop("db", "rekey", "--key", f"file:{tmp_path / 'no-such-file'}")
        assert (answer.code, "--key" in answer.err) == (2, True)
        assert (tmp_path / "state.db.key").read_bytes() == key
        assert shop("run-once", "--scan", "--wait", "5s").code == 0


def test_what_was_agreed_before_a_change_is_forgotten_and_no_edit(shop: Installed) -> None:
    """Nobody has the values of before any more: their digests go, nothing counts as being edited, and the next run
    finds nothing to do."""
    shop.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    assert shop("run-once").code == 0
    assert until(lambda: not shop("run-once", "--scan").code)
    before = writes(shop)
    assert earlier(shop) > 0
    assert "being edited" not in rekeyed(shop)

    assert earlier(shop) == 0
    assert shop("run-once", "--scan").code == 0
    assert writes(shop) == before
    shop.sql("UPDATE customers SET city = 'Leer' WHERE id = 2")
    assert shop("run-once").code == 0
    assert writes(shop) != before
