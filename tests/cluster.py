"""A PostgreSQL server of our own, which may be restarted, copied and promoted as no shared server may be.

It is made from the installed binaries, in a temporary directory, on a free loopback port. Binaries that are not there
are a visible skip, and a failure where `CI` is set.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

LIMIT = 60.0  # seconds for any of the server's own commands
SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
max_prepared_transactions = 20
wal_level = replica
max_connections = 60
shared_buffers = 16MB
hot_standby = on
logging_collector = off
"""


@cache
def binaries() -> Path | None:
    """Where initdb and pg_ctl are; the newest of several."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found.sort(key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))])
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).parent if on_path else None


@dataclass(frozen=True)
class Cluster:
    """One server. `account` is who runs it: PostgreSQL refuses to be root's."""

    data: Path
    port: int
    account: str | None

    def url(self, database: str = "postgres") -> URL:
        return URL.create("postgresql+psycopg", "postgres", host="127.0.0.1", port=self.port, database=database)

    @property
    def sockets(self) -> Path:
        """The directory with its unix socket."""
        return self.data.parent

    def command(self, program: str, *words: str) -> None:
        """One of PostgreSQL's own programs, ended with success within its time."""
        where = binaries()
        assert where is not None
        subprocess.run(
            [str(where / program), *words],
            check=True,
            timeout=LIMIT,
            user=self.account,
            group=self.account,
            extra_groups=[] if self.account else None,
            cwd=self.data.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would be inherited by the server and never end
            stderr=subprocess.DEVNULL,
        )

    def control(self, *words: str) -> None:
        self.command("pg_ctl", "-D", str(self.data), "-w", "-t", str(int(LIMIT / 2)), *words)

    def start(self) -> None:
        self.control("-l", str(self.data.parent / f"{self.data.name}.log"), "start")

    def stop(self) -> None:
        self.control("-m", "immediate", "stop")

    def restart(self) -> None:
        """As after a power cut: no transaction is ended, no client is told."""
        self.control("-m", "immediate", "-l", str(self.data.parent / f"{self.data.name}.log"), "restart")

    def promote(self) -> None:
        """Make a primary of this standby."""
        self.control("promote")

    def ask(self, query: str) -> str:
        engine = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as conn:
                found = conn.exec_driver_sql(query)
                return str(found.scalar()) if found.returns_rows else ""
        finally:
            engine.dispose()

    @contextmanager
    def standby(self) -> Iterator[Cluster]:
        """A hot standby that streams from this server."""
        copy = Cluster(self.data.with_name("standby"), free_port(), self.account)
        from_here = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")
        copy.command("pg_basebackup", *from_here, "-D", str(copy.data), "-R", "-X", "stream", "-c", "fast", "--no-sync")
        with (copy.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"port = {copy.port}\n")
        copy.start()
        try:
            yield copy
        finally:
            copy.stop()
            shutil.rmtree(copy.data)

    def cut_off(self) -> None:
        """From now on this standby gets nothing any more, whatever its primary commits."""
        self.ask("ALTER SYSTEM SET primary_conninfo = ''")
        self.ask("SELECT pg_reload_conf()")
        end = time.monotonic() + LIMIT / 2
        while self.ask("SELECT count(*) FROM pg_stat_wal_receiver") != "0":
            assert time.monotonic() < end, "the standby still follows"
            time.sleep(0.01)

    def caught_up(self, primary: Cluster) -> None:
        """Wait until this standby shows everything that its primary has committed."""
        position = primary.ask("SELECT pg_current_wal_lsn()")
        end = time.monotonic() + LIMIT / 2
        while self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") != "True":
            assert time.monotonic() < end, "the standby does not follow"
            time.sleep(0.01)


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A started server, gone with all its files afterwards."""
    if binaries() is None:
        reason = "no PostgreSQL server programs (initdb, pg_ctl) are installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    account = _account()
    with tempfile.TemporaryDirectory(prefix="syncd-postgresql-") as made:
        if account is not None:
            shutil.chown(made, account)
        own = Cluster(Path(made) / "primary", free_port(), account)
        own.command("initdb", "-D", str(own.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with (own.data / "postgresql.conf").open("a") as settings:
            settings.write(f"{SETTINGS}unix_socket_directories = '{made}'\nport = {own.port}\n")
        own.start()
        try:
            yield own
        finally:
            own.stop()


def _account() -> str | None:
    """Nobody else where we are not root, else the account that the installation made, or nobody."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
