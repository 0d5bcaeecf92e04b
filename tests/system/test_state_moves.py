"""`syncd db copy` and `backup` as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import database
from tests.system.installed import installed


@pytest.mark.long
def test_an_installation_goes_on_from_a_copied_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To PostgreSQL by what the command says, and nothing is created or sent again."""
    with database("postgresql", tmp_path) as url, installed(tmp_path, capsys, ("aiotic",), 3) as shop:
        assert shop("run-once").code == 0
        answer = shop("db", "copy", "--to", url)
        assert answer.code == 0, answer.err
        assert "3 links among them" in answer.out
        key = f'key = "file:{tmp_path / "state.db.key"}"'
        assert key in answer.out

        shop.change(f'url = "sqlite:///{tmp_path / "state.db"}"', f'url = "{url}"\n{key}')
        sent = shop.server.twins["aiotic"].writes()
        assert shop("run-once").code == 0
        assert shop("status", "--json").json["providers"][0]["linked"] == 3
        assert shop.server.twins["aiotic"].writes() == sent
        again = shop("db", "copy", "--to", url)
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
def test_a_place_that_cannot_be_meant_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, sentence: str
) -> None:
    """Exit 2 with place and reason; no password is repeated, and neither database is touched."""
    with installed(tmp_path, capsys, ("aiotic",), 1) as shop:
        assert shop("db", "upgrade").code == 0
        (tmp_path / "shop.db").chmod(0o600)  # a file that others can read is refused for that
        tables = shop.sql("SELECT name FROM sqlite_master ORDER BY name")
        answer = shop("db", "copy", "--to", url.format(shop=tmp_path / "shop.db"))

        assert answer.code == 2
        assert sentence in answer.err
        assert "geheim" not in answer.err + answer.out
        assert shop.sql("SELECT name FROM sqlite_master ORDER BY name") == tables


def test_a_backup_names_the_key_and_the_way_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A backup without its key is useless, and a restored one needs `recover`: both are said."""
    with installed(tmp_path, capsys, ("aiotic",), 2) as shop:
        assert shop("run-once").code == 0
        answer = shop("db", "backup", str(tmp_path / "kept.db"))

        assert answer.code == 0
        assert f"keep {tmp_path / 'state.db.key'} at another place" in answer.out
        assert "syncd recover" in answer.out
        nowhere = shop("db", "backup", str(tmp_path / "nowhere" / "kept.db"))
        assert (nowhere.code, "there is no directory" in nowhere.err) == (2, True)
