"""TLS as a provider's server, or somebody between, may offer it. Nothing of ours leaves before all of it is right."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncd import tls
from syncd.errors import OutcomeUnknown, Temporary
from syncd.providers.way import Way
from tests.unit.test_http import client, listening

CURVE = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def openssl(command: str) -> None:
    subprocess.run(["openssl", *command.split()], check=True, capture_output=True, timeout=30)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that the client trusts, and what it signs."""

    place: Path

    @property
    def root(self) -> Path:
        return self.place / "root.pem"

    def sign(self, name: str, *, days: int = 2, root: str = "root") -> ssl.SSLContext:
        """A server's context with a certificate for this name; a negative number of days: it has run out."""
        path = self.place / f"{name}-{root}{days}"
        openssl(
            f"req -new {CURVE} -subj /CN={name} -addext subjectAltName=DNS:{name} -keyout {path}.key -out {path}.csr"
        )
        by = f"-CA {self.place / root}.pem -CAkey {self.place / root}.key"
        openssl(f"x509 -req -in {path}.csr {by} -days {days} -copy_extensions copy -out {path}.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{path}.pem", f"{path}.key")
        return context


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Trusted for the length of a test; "stranger" is one that nobody trusts."""
    for name in ("root", "stranger"):
        openssl(f"req -x509 {CURVE} -days 2 -subj /CN={name} -keyout {tmp_path / name}.key -out {tmp_path / name}.pem")
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.root))
    return made


@dataclass
class Secure:
    """A server that speaks TLS with whatever context it has at the moment; what it could read of each request."""

    context: ssl.SSLContext
    port: int = 0
    received: list[bytes] = field(default_factory=list)

    def talk(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as secure:
            request = b""
            while more := secure.recv(4096):
                request += more
                if request.endswith(b"{}"):
                    break
            self.received.append(request)
            secure.sendall(ANSWER)


@contextmanager
def secure(context: ssl.SSLContext) -> Iterator[Secure]:
    made = Secure(context)
    with listening(made.talk) as port:
        made.port = port
        yield made


def old_protocol(context: ssl.SSLContext) -> ssl.SSLContext:
    """A server that speaks nothing newer than TLS 1.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def test_a_sound_certificate_is_accepted(authority: Authority) -> None:
    """What the refusals below are worth: the same server with nothing wrong is spoken to."""
    with secure(authority.sign("localhost")) as server, client(f"https://localhost:{server.port}", timeout=5.0) as http:
        assert http.request("PUT", "/a", body={}).status == 200
        assert server.received[0].startswith(b"PUT /a")


def test_the_keys_of_a_session_are_written_nowhere(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSLKEYLOGFILE, which would let whoever reads that file read all our traffic, has no say."""
    keys = authority.place / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    with secure(authority.sign("localhost")) as server, client(f"https://localhost:{server.port}", timeout=5.0) as http:
        assert http.request("PUT", "/a", body={}).ok
    assert not keys.exists()


@pytest.mark.parametrize("verified", [True, False])
def test_nor_are_those_of_a_database(authority: Authority, monkeypatch: pytest.MonkeyPatch, verified: bool) -> None:
    """The same variable has no say in what the database's driver is handed."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(authority.place / "keys.log"))

    for ca in ("", str(authority.root)):
        assert tls.context(ca, verified=verified).keylog_filename is None


@contextmanager
def relayed(path: Path, port: int) -> Iterator[None]:
    """systemd's own relay between a unix socket and a port of this machine, as the units run it."""
    relay = f"/lib/systemd/systemd-socket-proxyd 127.0.0.1:{port}"
    command = ["systemd-socket-activate", "-l", str(path), *relay.split()]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        try:
            deadline = time.monotonic() + 20
            while not _listens(path):
                assert child.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield
        finally:
            child.terminate()


def _listens(path: Path) -> bool:
    """Whether connections are taken there: the socket's file is there a moment before (`__SO_ACCEPTCON`, unix(7))."""
    lines = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    return any(line.endswith(f" {path}") and line.split()[3] == "00010000" for line in lines)


@pytest.mark.parametrize("name", ["api.provider.example", "elsewhere.example"])
def test_tls_reaches_through_a_socket_to_the_host_itself(authority: Authority, tmp_path: Path, name: str) -> None:
    """A process without a network speaks to HOST.sock; whoever relays sees only TLS, and a server that is not the host
    of the URL gets no byte of the request."""
    if shutil.which("systemd-socket-activate") is None:
        pytest.skip("systemd is not installed")
    way = Way(sockets=str(tmp_path))
    with (
        secure(authority.sign(name)) as server,
        relayed(tmp_path / "api.provider.example.sock", server.port),
        client("https://api.provider.example", timeout=10.0, way=way) as http,
    ):
        if name == "elsewhere.example":
            with pytest.raises(Temporary):
                http.request("PUT", "/a", body={})
            assert server.received == []
        else:
            assert http.request("PUT", "/a", body={}).status == 200
            assert server.received[0].startswith(b"PUT /a")


def test_without_its_socket_a_host_is_not_reached(tmp_path: Path) -> None:
    """Where `[network] sockets` is set nothing goes another way."""
    with client("http://127.0.0.1:9", way=Way(sockets=str(tmp_path))) as http, pytest.raises(Temporary) as told:
        http.request("GET", "/a")
    assert "FileNotFoundError" in told.value.message


@pytest.mark.parametrize("fault", ["expired", "another name", "unknown authority", "TLS 1.1"])
def test_nothing_leaves_over_a_faulty_connection(authority: Authority, fault: str) -> None:
    """A certificate that ran out, is for another host or from nobody we trust, or a protocol of yesterday: the
    request was not executed, and the server read nothing of it."""
    contexts = {
        "expired": lambda: authority.sign("localhost", days=-1),
        "another name": lambda: authority.sign("elsewhere.example"),
        "unknown authority": lambda: authority.sign("localhost", root="stranger"),
        "TLS 1.1": lambda: old_protocol(authority.sign("localhost")),
    }
    with secure(contexts[fault]()) as server, client(f"https://localhost:{server.port}", timeout=5.0) as http:
        for _ in range(2):
            with pytest.raises(Temporary) as told:
                http.request("PUT", "/a", body={})
            assert not isinstance(told.value, OutcomeUnknown)
    assert server.received == []


def test_a_certificate_that_changes_between_two_requests(authority: Authority) -> None:
    """Trust is no memory: every connection is judged anew."""
    with secure(authority.sign("localhost")) as server, client(f"https://localhost:{server.port}", timeout=5.0) as http:
        assert http.request("PUT", "/a", body={}).status == 200
        server.context = authority.sign("localhost", root="stranger")
        with pytest.raises(Temporary):
            http.request("PUT", "/a", body={})
        assert len(server.received) == 1
        server.context = authority.sign("localhost", days=3)
        assert http.request("PUT", "/a", body={}).status == 200
