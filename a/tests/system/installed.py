"""An installation as a person has it: a shop, sandboxes, a settings file, and the command line."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from syncd import log
from syncd.cli import main
from syncd.sandbox.five import provider_settings, serve_five, write_secrets
from syncd.sandbox.kit import Server
from syncd.sandbox.shop import FIELDS, make_shop

COMMON = 'create = "always"\nrate = "off"\nsettle = "1s"\ntimeout = "3s"\nbackoff = "200ms"\n'


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Installed:
    """`directory` holds shop.db, state.db and syncd.toml; `server` the sandboxes."""

    directory: Path
    server: Server
    capsys: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.directory / "syncd.toml"

    def __call__(self, *words: str) -> Answer:
        """A command as it is typed; `--config` is added."""
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*words, "--config", str(self.config)])
        said = self.capsys.readouterr()
        return Answer(int(ended.value.code or 0), said.out, said.err)

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The application at work in its own database."""
        with closing(sqlite3.connect(self.directory / "shop.db")) as shop, shop:
            return shop.execute(statement, values).fetchall()

    def state(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """A look into the state."""
        with closing(sqlite3.connect(self.directory / "state.db")) as state, state:
            return state.execute(statement, values).fetchall()

    def change(self, old: str, new: str) -> None:
        """Edit the settings file."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")
        tomllib.loads(self.config.read_text(encoding="utf-8"))

    def requests(self, name: str) -> int:
        """How many requests came in at a sandbox."""
        return len(self.server.twins[name].log)


@contextmanager
def installed(
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    names: Sequence[str] = ("aiotic",),
    customers: int = 5,
    common: str = COMMON,
) -> Iterator[Installed]:
    """A shop with triggers, and settings for some of the five sandboxes."""
    make_shop(directory / "shop.db", customers)
    write_secrets(directory / "secrets")
    fields = "\n".join(f'{name} = "{column}"' for name, column in FIELDS.items())
    with serve_five() as server:
        (directory / "syncd.toml").write_text(
            f'lease = "30s"\n[source]\nurl = "sqlite:///{directory / "shop.db"}"\ntable = "customers"\nkey = "id"\n'
            f'[source.fields]\n{fields}\n[state]\nurl = "sqlite:///{directory / "state.db"}"\n'
            + provider_settings(server, directory / "secrets", common, tuple(names)),
            encoding="utf-8",
        )
        site = Installed(directory, server, capsys)
        assert site("triggers", "install").code == 0
        try:
            yield site
        finally:
            log.stop()
