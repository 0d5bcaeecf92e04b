"""`syncd db copy` and `backup` as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import database
from tests.system.landscape import landscape


@pytest.mark.long
def test_an_installation_goes_on_from_a_copied_state(tmp_path: Path) -> None:
    """To PostgreSQL by what the command says, and nothing is created or sent again."""
    with database("postgresql", tmp_path) as url, landscape(tmp_path, 3, ("aiotic",)) as land:
        assert land.said("run-once").code == 0
        answer = land.said("db", "copy", "--to", url)
        assert answer.code == 0, answer.err
        assert "3 links among them" in answer.out
        key = f'key = "file:{tmp_path / "state.db.key"}"'
        assert key in answer.out

        land.change(f'url = "sqlite:///{tmp_path / "state.db"}"', f'url = "{url}"\n{key}')
        sent = land.server.twins["aiotic"].writes()
        assert land.said("run-once").code == 0
        assert land.said("status", "--json").data["providers"][0]["linked"] == 3
        assert land.server.twins["aiotic"].writes() == sent
        again = land.said("db", "copy", "--to", url)
        assert (again.code, "not empty" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:geheim@127.0.0.1/x", "must not hold a password"),
        ("mysql://u@127.0.0.1/x", "must be of one of these databases"),
        ("nonsense", "is not a database URL"),
        ("sqlite:///{shop}", "is not a state of syncd"),
        ("sqlite:////no/such/directory/state.db", "directory that does not exist"),
    ],
)
def test_a_place_that_cannot_be_meant_is_a_sentence(tmp_path: Path, url: str, sentence: str) -> None:
    """Exit 2 with place and reason; no password is repeated, and neither database is touched."""
    with landscape(tmp_path, 1, ("aiotic",)) as land:
        assert land.said("db", "upgrade").code == 0
        (tmp_path / "shop.db").chmod(0o600)  # a file that others can read is refused for that
        tables = land.sql("SELECT name FROM sqlite_master ORDER BY name")
        answer = land.said("db", "copy", "--to", url.format(shop=tmp_path / "shop.db"))

        assert answer.code == 2
        assert sentence in answer.err
        assert "geheim" not in answer.err + answer.out
        assert land.sql("SELECT name FROM sqlite_master ORDER BY name") == tables


def test_a_backup_names_the_key_and_the_way_back(tmp_path: Path) -> None:
    """A backup without its key is useless, and a restored one needs `recover`: both are said."""
    with landscape(tmp_path, 2, ("aiotic",)) as land:
        assert land.said("run-once").code == 0
        answer = land.said("db", "backup", str(tmp_path / "kept.db"))

        assert answer.code == 0
        assert f"keep {tmp_path / 'state.db.key'} at another place" in answer.out
        assert "syncd recover" in answer.out
        nowhere = land.said("db", "backup", str(tmp_path / "nowhere" / "kept.db"))
        assert (nowhere.code, "there is no directory" in nowhere.err) == (2, True)
