"""A password goes to no database that has not proved who it is: real servers, and one that lies."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.errors import SourceUnreachable, StateUnreachable
from syncd.source.connection import connect, source_url
from syncd.source.failures import translated
from syncd.store.database import open_state
from syncd.tls import LOCAL, Tls, for_postgresql, hosts_of, in_force
from tests.cluster import Cluster, cluster, free_port
from tests.unit.test_http_tls import CURVE, openssl

KEY = b"a state key of at least 32 characters"
SECRET = "the-password-of-a-test"


@dataclass(frozen=True)
class Papers:
    """Certificates: `signed(name)` by "root"; "stranger" is another authority."""

    place: Path

    def authority(self, name: str) -> str:
        if not (self.place / f"{name}.pem").exists():
            out = f"-keyout {self.place / name}.key -out {self.place / name}.pem"
            openssl(f"req -x509 {CURVE} -days 2 -subj /CN={name} {out}")
        return str(self.place / f"{name}.pem")

    def signed(self, name: str) -> tuple[Path, Path]:
        """The certificate and the key of a server with this name."""
        self.authority("root")
        path, root = self.place / f"server-{name}", self.place / "root"
        subject = f"-subj /CN={name} -addext subjectAltName=DNS:{name}"
        openssl(f"req -new {CURVE} {subject} -keyout {path}.key -out {path}.csr")
        openssl(
            f"x509 -req -in {path}.csr -CA {root}.pem -CAkey {root}.key -days 2 -copy_extensions copy -out {path}.pem"
        )
        return Path(f"{path}.pem"), Path(f"{path}.key")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Cluster]:
    with cluster() as own:
        own.ask(f"CREATE ROLE shop LOGIN PASSWORD '{SECRET}'")
        yield own


def dress(own: Cluster, papers: Papers, name: str, method: str = "scram-sha-256") -> None:
    """The server shows a certificate for this name ("" for none at all), and asks the shop's account in this way."""
    if name:
        for file, target in zip(papers.signed(name), ("server.crt", "server.key"), strict=True):
            shutil.copy(file, own.data / target)
            os.chmod(own.data / target, 0o600)
            if own.account:
                shutil.chown(own.data / target, own.account)
    own.ask(f"ALTER SYSTEM SET ssl = {'on' if name else 'off'}")
    kind = "hostssl" if name else "host"
    rules = f"{kind} all shop 127.0.0.1/32 {method}\nhost all postgres 127.0.0.1/32 trust\n"
    (own.data / "pg_hba.conf").write_text(rules)
    own.ask("SELECT pg_reload_conf()")
    end = time.monotonic() + 20.0
    while own.ask("SHOW ssl") != ("on" if name else "off"):
        assert time.monotonic() < end
        time.sleep(0.05)


def postgresql_url(own: Cluster, host: str = "localhost") -> str:
    return f"postgresql://shop@{host}:{own.port}/postgres"


def asked(url: str, tls: Tls) -> str:
    """The version of TLS that a connection of the source speaks."""
    engine = connect(source_url(url, SECRET), 5.0, 30.0, tls)
    query = {
        "postgresql": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        "mysql": "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'SSL_VERSION'",
    }
    try:
        with translated(), engine.connect() as conn:
            return str(conn.execute(sa.text(query[engine.dialect.name])).scalar_one() or "")
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("name", "tls", "method", "refused"),
    [
        ("localhost", ("verify", "root"), "scram-sha-256", ""),
        ("localhost", ("encrypt", ""), "scram-sha-256", ""),
        ("localhost", ("", ""), "password", ""),  # this machine: no proof is needed
        ("db.example", ("verify", "root"), "scram-sha-256", "another name"),
        ("db.example", ("encrypt", ""), "scram-sha-256", ""),
        ("localhost", ("verify", "stranger"), "scram-sha-256", "nobody that we trust"),
        ("localhost", ("verify", ""), "scram-sha-256", "nobody that we trust"),
        ("localhost", ("verify", "root"), "password", "unsafe way"),
        ("localhost", ("encrypt", ""), "password", "unsafe way"),
        ("", ("verify", "root"), "scram-sha-256", "no TLS"),
        ("", ("encrypt", ""), "scram-sha-256", "no TLS"),
        ("", ("off", ""), "scram-sha-256", ""),
        ("", ("off", ""), "password", "unsafe way"),
    ],
)
def test_postgresql_proves_who_it_is(
    postgresql: Cluster, papers: Papers, name: str, tls: tuple[str, str], method: str, refused: str
) -> None:
    """Right, wrong name, wrong authority, none, and a server that wants the password in the clear; source and state."""
    dress(postgresql, papers, name, method)
    wanted = Tls(tls[0], papers.authority(tls[1]) if tls[1] else "")
    if not refused:
        assert asked(postgresql_url(postgresql), wanted).startswith("TLSv1" if name else "")
        open_state(postgresql_url(postgresql), SECRET, KEY, check=False, tls=wanted).close()
        return
    with pytest.raises(SourceUnreachable, match=refused) as source:
        asked(postgresql_url(postgresql), wanted)
    with pytest.raises(StateUnreachable, match=refused):
        open_state(postgresql_url(postgresql), SECRET, KEY, check=False, tls=wanted)
    assert "[source.tls] ca" in source.value.remedy
    assert SECRET not in source.value.message


# -- MariaDB -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mariadb(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server of our own with a certificate for localhost."""
    program, maker = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if program is None or maker is None:
        if os.environ.get("CI"):
            pytest.fail("no MariaDB server programs are installed")
        pytest.skip("no MariaDB server programs are installed")
    place = tmp_path_factory.mktemp("mariadb")
    data, port = place / "data", free_port()
    account = ["--user=root"] if os.geteuid() == 0 else []
    made = [maker, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *account]
    subprocess.run(made, check=True, capture_output=True, timeout=120)
    certificate, key = papers.signed("localhost")
    words = [
        *(program, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", *account),
        *(f"--socket={place / 's'}", f"--pid-file={place / 'pid'}", "--innodb-flush-log-at-trx-commit=0"),
        *(f"--ssl-cert={certificate}", f"--ssl-key={key}", f"--ssl-ca={papers.authority('root')}"),
    ]
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        _made_ready(port)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def _made_ready(port: int) -> None:
    engine = sa.create_engine(f"mysql+pymysql://root@127.0.0.1:{port}/", isolation_level="AUTOCOMMIT")
    end = time.monotonic() + 60.0
    while True:
        try:
            with engine.connect() as conn:
                conn.exec_driver_sql("CREATE DATABASE crm")
                for host in ("localhost", "127.0.0.1"):
                    conn.exec_driver_sql(f"CREATE USER 'shop'@'{host}' IDENTIFIED BY '{SECRET}'")
                    conn.exec_driver_sql(f"GRANT ALL ON crm.* TO 'shop'@'{host}'")
                break
        except sa.exc.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.2)
    engine.dispose()


@pytest.mark.parametrize(
    ("host", "tls", "refused"),
    [
        ("localhost", ("verify", "root"), ""),
        ("127.0.0.1", ("encrypt", ""), ""),
        ("127.0.0.1", ("verify", "root"), "another name"),
        ("localhost", ("verify", "stranger"), "nobody that we trust"),
        ("localhost", ("verify", ""), "nobody that we trust"),
    ],
)
def test_mariadb_proves_who_it_is(mariadb: int, papers: Papers, host: str, tls: tuple[str, str], refused: str) -> None:
    """Right, wrong name, wrong authority; without a name of its own an authority that the system trusts is needed."""
    url = f"mysql://shop@{host}:{mariadb}/crm"
    wanted = Tls(tls[0], papers.authority(tls[1]) if tls[1] else "")
    if not refused:
        assert asked(url, wanted).startswith("TLSv1")
        return
    with pytest.raises(SourceUnreachable, match=refused):
        asked(url, wanted)


@dataclass
class Liar:
    """A MariaDB that offers no TLS and asks for the password in the clear; what it was told."""

    port: int
    heard: list[bytes] = field(default_factory=list)

    def talk(self, line: socket.socket) -> None:
        capabilities = 0xFFFFFFFF & ~0x800  # all of them but TLS
        low, high = struct.pack("<H", capabilities & 0xFFFF), struct.pack("<H", capabilities >> 16 & 0xFFFF)
        salt = b"12345678"
        greeting = b"\x0a11.4.0-MariaDB\0" + struct.pack("<I", 1) + salt + b"\0" + low + b"\x21\x02\x00" + high
        greeting += b"\x15" + b"\0" * 10 + b"123456789012\0" + b"mysql_native_password\0"
        line.sendall(struct.pack("<I", len(greeting))[:3] + b"\0" + greeting)
        self.heard.append(line.recv(4096))
        switch = b"\xfemysql_clear_password\0"
        line.sendall(struct.pack("<I", len(switch))[:3] + b"\x02" + switch)
        self.heard.append(line.recv(4096))


@contextmanager
def liar() -> Iterator[Liar]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Liar(listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                    with line:
                        line.settimeout(5.0)
                        made.talk(line)
                except OSError:
                    if listener.fileno() < 0:
                        return
                    if not running.is_set():
                        return

        running = threading.Event()
        running.set()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield made
        finally:
            running.clear()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("mode", "refused"), [("verify", "no TLS"), ("encrypt", "no TLS"), ("off", "unsafe way"), ("", "unsafe way")]
)
def test_nobody_hears_a_password_in_the_clear(mode: str, refused: str) -> None:
    """A server that lost its TLS on the way, or asks for the password itself, gets neither."""
    with liar() as server:
        with pytest.raises(SourceUnreachable, match=refused):
            asked(f"mysql://shop@127.0.0.1:{server.port}/crm", Tls(mode))
        assert SECRET.encode() not in b"".join(server.heard)


# -- which servers need proof ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "query", "mode"),
    [
        (None, {}, LOCAL),
        ("localhost", {}, LOCAL),
        ("127.0.0.53", {}, LOCAL),
        ("::1", {}, LOCAL),
        (None, {"host": "/run/postgresql"}, LOCAL),
        (None, {"unix_socket": "/run/mysqld/mysqld.sock"}, LOCAL),
        ("db.example", {}, "verify"),
        ("10.0.0.7", {}, "verify"),
        ("localhost.example", {}, "verify"),
        ("localhost", {"host": "db.example"}, "verify"),
        (None, {"host": ("/run/postgresql", "db.example")}, "verify"),
        (None, {"host": "localhost,db.example"}, "verify"),
    ],
)
def test_only_this_machine_needs_no_proof(host: str | None, query: dict[str, str | tuple[str, ...]], mode: str) -> None:
    """Whatever else a URL may lead to is verified, unless the settings say otherwise."""
    assert in_force(Tls(), hosts_of(host, query)) == mode
    assert in_force(Tls("off"), hosts_of(host, query)) == "off"


def test_a_server_elsewhere_is_verified_without_a_word() -> None:
    """The default needs no setting: full verification, a password that is proved, no encryption that steps in front."""
    made = for_postgresql("verify", "", password=True)
    assert (made["sslmode"], made["require_auth"], made["gssencmode"]) == ("verify-full", "scram-sha-256", "disable")
    assert made["sslrootcert"]
