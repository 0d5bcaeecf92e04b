"""An installation to be measured: a shop with so many customers, and providers without a pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from syncd.bootstrap import installation
from syncd.engine.run import Installation
from syncd.sandbox import shop
from syncd.sandbox.five import NAMES, provider_settings, write_secrets
from syncd.sandbox.kit import Server
from syncd.settings import load
from syncd.source import triggers
from tests.databases import database

_GUARDS = '[guards]\ncreate = "off"\nupdate = "off"\nblank = "off"\n'


@dataclass(frozen=True)
class Wanted:
    """Which providers, how many customers, on which source, and how it is worked off."""

    providers: tuple[str, ...] = ("aiotic",)
    customers: int = 300
    source: str = "sqlite"
    concurrency: int = 4
    create: str = "always"
    triggers: bool = True
    settle: str = "180s"


@contextmanager
def at(directory: Path, server: Server, wanted: Wanted) -> Iterator[tuple[Installation, Callable[[str], None]]]:
    """The installation, and a way to do what the application does."""
    with shop_at(directory, server, wanted) as (config, change), installation(load(config)) as site:
        if wanted.triggers:
            triggers.install(site.source)
        yield site, change


@contextmanager
def shop_at(directory: Path, server: Server, wanted: Wanted) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A shop and its settings file, for processes that open both themselves."""
    with database(wanted.source, directory) as url:
        engine = sa.create_engine(url)

        def change(statement: str) -> None:
            with engine.begin() as conn:
                conn.execution_options(no_parameters=True).exec_driver_sql(statement)

        fill(engine, wanted.customers)
        yield write(directory, server, wanted, url), change
        engine.dispose()


def fill(engine: sa.Engine, count: int, start: int = 0) -> None:
    """The sandbox's customers, with keys from 1."""
    columns = list(shop.FIELDS.values())
    kinds = ", ".join(f"{name} VARCHAR(160)" for name in columns)
    names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    with engine.begin() as conn:
        conn.execute(sa.text(f"CREATE TABLE IF NOT EXISTS customers (id BIGINT PRIMARY KEY, {kinds})"))
        rows = [
            {"id": key, **dict(zip(columns, row, strict=True))}
            for key, row in enumerate(shop.customers(count), 1)
            if key > start
        ]
        statement = sa.text(f"INSERT INTO customers (id, {names}) VALUES (:id, {marks})")
        for begin in range(0, len(rows), 1000):
            conn.execute(statement, rows[begin : begin + 1000])


def write(directory: Path, server: Server, wanted: Wanted, url: str) -> Path:
    """The settings file."""
    secrets = directory / "secrets"
    write_secrets(secrets)
    fields = "".join(f'{name} = "{column}"\n' for name, column in shop.FIELDS.items())
    common = (
        f'create = "{wanted.create}"\nrate = "off"\nconcurrency = {wanted.concurrency}\nsettle = "{wanted.settle}"\n'
    )
    key = f'adapter = "aiotic"\napi_key = "file:{secrets / "aiotic"}"\n'
    tables = [
        provider_settings(server, secrets, common, (name,))
        if name in NAMES
        else f'[providers.{name}]\nurl = "{server.url(name)}"\n{key}{common}'
        for name in wanted.providers
    ]
    path = directory / "syncd.toml"
    path.write_text(
        f'[source]\nurl = "{url}"\ntable = "customers"\nkey = "id"\n[source.fields]\n{fields}'
        f'[state]\nurl = "sqlite:///{directory}/state.db"\n{_GUARDS}' + "\n".join(tables),
        encoding="utf-8",
    )
    return path
