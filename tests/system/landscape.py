"""A landscape for tests of commands: a shop on SQLite, five sandboxes, a settings file, and syncd in this process."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner

from syncd.bootstrap import installation, open_settings_source
from syncd.cli import syncd
from syncd.cli.exits import leave
from syncd.engine.run import Installation, Options, Result, run_cycle
from syncd.log import setup
from syncd.sandbox.five import NAMES, provider_settings, serve_five, write_secrets
from syncd.sandbox.kit import Server
from syncd.sandbox.shop import FIELDS, make_shop
from syncd.sandbox.twin import Twin
from syncd.settings import Settings, load
from syncd.source import triggers

COMMON = 'rate = "off"\nsettle = "1s"\ntimeout = "3s"\nbackoff = "200ms"\n'


@dataclass
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass
class Landscape:
    """`common` lines go to every provider's table, `extra` lines to one; `head` lines stand before them."""

    directory: Path
    server: Server
    names: tuple[str, ...]
    create: str = "always"
    common: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    head: str = ""
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    source_url: str = ""

    @property
    def config(self) -> Path:
        return self.directory / "syncd.toml"

    @property
    def shop(self) -> Path:
        return self.directory / "shop.db"

    @property
    def state(self) -> Path:
        return self.directory / "state.db"

    def write(self) -> None:
        """The settings file as the attributes say."""
        secrets = self.directory / "secrets"
        write_secrets(secrets)
        fields = "\n".join(f'{name} = "{column}"' for name, column in self.fields.items())
        tables = "\n".join(
            provider_settings(
                self.server,
                secrets,
                f'create = "{self.create}"\n{COMMON}{self.common}{self.extra.get(name, "")}',
                (name,),
            )
            for name in self.names
        )
        url = self.source_url or f"sqlite:///{self.shop}"
        self.config.write_text(
            f'lease = "30s"\n[source]\nurl = "{url}"\ntable = "customers"\nkey = "id"\n[source.fields]\n{fields}\n'
            f'[state]\nurl = "sqlite:///{self.state}"\n{self.head}\n{tables}',
            encoding="utf-8",
        )

    def change(self, old: str, new: str) -> None:
        """A person's edit of the settings file; what `write` writes afterwards knows nothing of it."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")
        tomllib.loads(self.config.read_text(encoding="utf-8"))

    @property
    def settings(self) -> Settings:
        return load(self.config)

    def install(self) -> None:
        source = open_settings_source(self.settings)
        try:
            triggers.install(source)
        finally:
            source.close()

    @contextmanager
    def site(self, *, exclusive: bool = True) -> Iterator[Installation]:
        with installation(self.settings, exclusive=exclusive) as site:
            yield site

    def run(self, *, scan: bool = False, wait: float = 10.0) -> Result:
        """One `run-once`."""
        with self.site() as site:
            return run_cycle(site, Options(mode="run-once", scan=scan, wait=wait, exclusive=True))

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The application at work in its own database."""
        with closing(sqlite3.connect(self.shop)) as shop, shop:
            return shop.execute(statement, values).fetchall()

    def transaction(self, *statements: str) -> None:
        """What the application does in one commit."""
        with closing(sqlite3.connect(self.shop)) as shop, shop:
            for statement in statements:
                shop.execute(statement)

    def recalled(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """A look into the state, or a hand in it."""
        with closing(sqlite3.connect(self.state)) as state, state:
            return state.execute(statement, values).fetchall()

    def row(self, key: int) -> dict[str, Any]:
        with closing(sqlite3.connect(self.shop)) as shop:
            shop.row_factory = sqlite3.Row
            found = shop.execute("SELECT * FROM customers WHERE id = ?", (key,)).fetchone()
            return dict(found) if found is not None else {}

    def rows(self) -> list[dict[str, Any]]:
        """The whole table, in whichever database it is."""
        engine = sa.create_engine(self.source_url or f"sqlite:///{self.shop}")
        with engine.connect() as conn:
            rows = conn.execute(sa.text("SELECT * FROM customers ORDER BY id")).mappings().all()
        engine.dispose()
        return [dict(row) for row in rows]

    def said(self, *words: str) -> Answer:
        """A command as typed, in this process."""
        return typed(self.config, *words)

    def settle(self) -> None:
        """As if the settle time of every write were over: the next run confirms them."""
        self.recalled("UPDATE intent SET settle_until = at")

    def settled(self) -> bool:
        """Whether nothing is due, under way or to be confirmed any more."""
        with closing(sqlite3.connect(self.state)) as state:
            return all(state.execute(f"SELECT count(*) FROM {name}").fetchone()[0] == 0 for name in ("work", "intent"))

    def pulse(self) -> object:
        """A daemon's last sign of life."""
        with closing(sqlite3.connect(self.state)) as state:
            return state.execute("SELECT max(seen) FROM pulse").fetchone()[0]

    def twin(self, name: str) -> Twin:
        return self.server.twins[name]

    def requests(self, name: str) -> int:
        """How many requests came in at a sandbox."""
        return len(self.twin(name).log)

    def writes(self) -> dict[str, int]:
        return {name: self.twin(name).writes() for name in self.names}

    def remotes(self) -> dict[str, int]:
        return {name: len(self.twin(name).records) for name in self.names}


def typed(config: Path, *words: str) -> Answer:
    """A command as typed, in this process, whoever wrote the settings file: a process of its own costs a second."""
    with CliRunner().isolation() as (out, err, _both):
        code = leave(lambda: syncd.main([*words, "--config", str(config)], prog_name="syncd", standalone_mode=False))
        return Answer(code, out.getvalue().decode(), err.getvalue().decode())


@contextmanager
def landscape(
    directory: Path, customers: int = 20, names: tuple[str, ...] = NAMES, *, install: bool = True, **more: Any
) -> Iterator[Landscape]:
    """Everything set up, nothing synchronised yet."""
    setup(level="error", format="json")
    with serve_five() as server:
        land = Landscape(directory, server, names, **more)
        if customers:
            make_shop(land.shop, customers)
        land.write()
        if install:
            land.install()
        yield land
