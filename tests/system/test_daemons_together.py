"""Several daemons on one PostgreSQL state, and one daemon whose database goes away: real processes, real servers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.bootstrap import open_settings_source, open_settings_state
from syncd.sandbox.five import provider_settings, serve_five, write_secrets
from syncd.sandbox.kit import Server
from syncd.settings import load
from syncd.source import triggers
from syncd.store.database import upgrade
from tests.databases import database, server
from tests.system.running import Running, goes_on, running, until

NAMES = ("aiotic", "jtl")
COLUMNS = ("number", "name", "email", "street", "postal_code", "city", "country")
LEASE = 14.0  # seconds; the shortest that a timeout of 2 s allows


@dataclass(frozen=True)
class Shared:
    """Two databases on one server: the shop's and the state's."""

    directory: Path
    server: Server
    shop: sa.Engine
    state: sa.Engine

    @property
    def config(self) -> Path:
        return self.directory / "syncd.toml"

    def run(self, statement: str) -> None:
        with self.shop.begin() as conn:
            conn.exec_driver_sql(statement)

    def writes(self) -> dict[str, int]:
        return {name: self.server.twins[name].writes() for name in NAMES}

    def settled(self) -> bool:
        """Whether nothing is due, under way or to be confirmed any more."""
        with self.state.connect() as conn:
            return conn.exec_driver_sql("SELECT EXISTS (TABLE work) OR EXISTS (TABLE intent)").scalar() is False

    def pulse(self, daemon: Running) -> object:
        """The last sign of life of one of the daemons."""
        with self.state.connect() as conn:
            asked = f"SELECT seen FROM pulse WHERE pid = {daemon.process.pid}"
            return conn.exec_driver_sql(asked).scalar()

    def holders(self) -> dict[str, str]:
        """Who holds what, those that ran out left out."""
        with self.state.connect() as conn:
            rows = conn.exec_driver_sql(
                "SELECT name, holder FROM lease WHERE until > extract(epoch FROM clock_timestamp())"
            ).all()
        return {name: holder for name, holder in rows if not name.startswith("member:")}


@contextmanager
def shared(directory: Path, customers: int = 4) -> Iterator[Shared]:
    """Everything that two daemons need, nothing synchronised yet."""
    with (
        database("postgresql", directory) as shop_url,
        database("postgresql", directory) as state_url,
        serve_five() as sandboxes,
    ):
        shop, state = sa.create_engine(shop_url), sa.create_engine(state_url)
        made = Shared(directory, sandboxes, shop, state)
        made.run(f"CREATE TABLE customers (id int PRIMARY KEY, {', '.join(f'{name} text' for name in COLUMNS)})")
        rest = "'Hafenweg 1', '20457', 'Hamburg', 'DE'"
        rows = ", ".join(f"({n}, '{1000 + n}', 'Firma {n}', 'info{n}@example.com', {rest})" for n in range(customers))
        made.run(f"INSERT INTO customers VALUES {rows}")
        made.config.write_text(_settings(shop_url, state_url, directory / "secrets", sandboxes), encoding="utf-8")
        settings = load(made.config)
        ready, source = open_settings_state(settings, check=False), open_settings_source(settings)
        upgrade(ready)
        triggers.install(source)
        ready.close()
        source.close()
        try:
            yield made
        finally:
            shop.dispose()
            state.dispose()


def _settings(shop: str, state: str, secrets: Path, sandboxes: Server) -> str:
    write_secrets(secrets)
    for name, url in (("shop", shop), ("state", state)):
        (secrets / name).touch(mode=0o600)
        (secrets / name).write_text(sa.make_url(url).password or "none", encoding="ascii")
    (secrets / "key").touch(mode=0o600)
    (secrets / "key").write_text("k" * 40, encoding="ascii")

    def plain(text: str) -> str:
        url = sa.make_url(text)
        return sa.URL.create(
            "postgresql+psycopg", url.username, None, url.host, url.port, url.database
        ).render_as_string()

    fields = "\n".join(f'{name} = "{name}"' for name in COLUMNS)
    common = 'create = "always"\nrate = "off"\nsettle = "1s"\ntimeout = "2s"\nbackoff = "200ms"\n'
    return (
        f'lease = "{LEASE:.0f}s"\n[schedule]\npoll = "500ms"\n[source]\nurl = "{plain(shop)}"\n'
        f'password = "file:{secrets / "shop"}"\ntable = "customers"\nkey = "id"\n[source.fields]\n{fields}\n'
        f'[state]\nurl = "{plain(state)}"\npassword = "file:{secrets / "state"}"\nkey = "file:{secrets / "key"}"\n'
        + provider_settings(sandboxes, secrets, common, NAMES)
    )


def filled(site: Shared, customers: int = 4) -> bool:
    return all(len(site.server.twins[name].records) == customers for name in NAMES)


def reached(site: Shared, email: str) -> bool:
    """Whether customer 1001 has this e-mail at both providers."""
    jtl = next(record for record in site.server.twins["jtl"].records.values() if str(record.get("Number")) == "1001")
    aiotic = site.server.twins["aiotic"].records["1001"]
    return aiotic.get("email") == email and jtl["BillingAddress"].get("EmailAddress") == email


@pytest.mark.long
def test_a_stopped_daemon_is_succeeded_and_writes_nothing_when_it_wakes(tmp_path: Path) -> None:
    """Lanes spread over two daemons. One is frozen beyond its lease: the other takes all over and delivers, once; the
    woken one sends nothing of what it had in hand, and both go on together."""
    with shared(tmp_path) as site, running(site.config, tmp_path) as first, running(site.config, tmp_path) as second:
        assert until(lambda: filled(site)), first.log.read_text() + second.log.read_text()
        assert until(lambda: len({h for name, h in site.holders().items() if name.startswith("lane:")}) == 2)
        holders = site.holders()
        assert {"capture", "verify", "lane:aiotic", "lane:jtl"} <= set(holders)

        captor = first if first.events("daemon.started")[0]["holder"] == holders["capture"] else second
        other = second if captor is first else first
        captor.send(signal.SIGSTOP)
        before = site.writes()
        site.run("UPDATE customers SET email = 'while-frozen@example.com' WHERE number = '1001'")
        assert until(lambda: reached(site, "while-frozen@example.com"), LEASE + 20.0)
        assert set(site.holders().values()) == {other.events("daemon.started")[0]["holder"]}
        captor.send(signal.SIGCONT)
        assert goes_on(partial(site.pulse, captor))
        once = {name: count - before[name] for name, count in site.writes().items()}
        site.run("UPDATE customers SET email = 'awake@example.com' WHERE number = '1001'")

        assert until(lambda: reached(site, "awake@example.com"))
        assert once == {"aiotic": 1, "jtl": 1}
        assert until(lambda: len({h for name, h in site.holders().items() if name.startswith("lane:")}) == 2)
        assert [daemon.end() for daemon in (captor, other)] == [0, 0]
        assert [event for daemon in (first, second) for event in daemon.events("job.failed")] == []
        assert site.holders() == {}


@pytest.mark.long
def test_a_database_that_goes_away_is_told_once_and_caught_up_with(tmp_path: Path) -> None:
    """While the source refuses connections the daemon stays and says so once; afterwards each change arrives once."""
    where = server("postgresql")
    with shared(tmp_path) as site, running(site.config, tmp_path) as daemon:
        assert where is not None
        assert until(lambda: filled(site))
        assert until(site.settled)
        name, before = site.shop.url.database, site.writes()
        admin = sa.create_engine(where, isolation_level="AUTOCOMMIT")
        site.run("UPDATE customers SET email = 'before-the-fall@example.com' WHERE number = '1001'")
        site.shop.dispose()
        with admin.connect() as conn:
            conn.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            conn.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        assert until(lambda: daemon.events("source.unreachable"))
        assert goes_on(partial(site.pulse, daemon), 3)
        told = len(daemon.events("source.unreachable"))
        with admin.connect() as conn:
            conn.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        admin.dispose()

        assert until(lambda: reached(site, "before-the-fall@example.com"))
        assert until(lambda: daemon.events("daemon.recovered"))
        assert (told, daemon.end()) == (1, 0)
        written = {provider: count - before[provider] for provider, count in site.writes().items()}
        assert written == {"aiotic": 1, "jtl": 1}
