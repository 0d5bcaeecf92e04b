"""The one HTTP client, against real sockets that behave badly."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from flask import Flask, request

from syncd import __version__
from syncd.errors import OutcomeUnknown, ProviderError, Rejected, SettingsError, Temporary, Throttled, Unauthorized
from syncd.providers import transport
from syncd.providers.connection import tls
from syncd.providers.http import OPEN_GATE, Gate, Http
from syncd.providers.way import OPEN_WAY, PrivateAddressError, Way
from syncd.sandbox import kit
from syncd.sandbox.kit import Answer, Fault, Server, Twin

SECRET = "s3cret-key"


def _echo() -> Flask:
    """Answers what it was asked, and does what a PUT says."""
    twin = Twin("echo")
    made = kit.app(twin, authorised=lambda: request.headers.get("x-key") == SECRET, refused=lambda s, t: ({"e": t}, s))

    @made.route("/<path:anything>", methods=["GET", "PUT", "POST", "DELETE"])
    def echo(anything: str) -> Answer:
        twin.put(anything, {})
        return {
            "path": request.environ["RAW_URI"],
            "port": request.environ["REMOTE_PORT"],
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": request.get_data(as_text=True),
        }, {"Set-Cookie": "sticky=1; Path=/"}

    return made


@pytest.fixture
def server() -> Iterator[Server]:
    with kit.serve([_echo()]) as running:
        yield running


@contextmanager
def client(url: str, *, timeout: float = 0.5, gate: Gate = OPEN_GATE, way: Way = OPEN_WAY) -> Iterator[Http]:
    tenant = {"X-Tenant": "acme"}
    http = Http(url=url, timeout=timeout, gate=gate, credentials={"X-Key": SECRET}, headers=tenant, way=way)
    try:
        yield http
    finally:
        http.close()


@pytest.fixture
def http(server: Server) -> Iterator[Http]:
    with client(server.url("echo")) as made:
        yield made


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of bare sockets: `talk` gets each connection in a thread of its own; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve_one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve_one, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


def test_what_is_sent(http: Http) -> None:
    """JSON out, identity coding wanted, our own name, credentials and fixed headers; nothing of httpx's defaults."""
    said = http.request("PUT", "/a/{id}", ids={"id": "1"}, params={"q": "x y&z"}, body={"name": "Müßig 🥐"}).record()
    assert said["path"] == "/a/1?q=x%20y%26z"
    assert json.loads(said["body"]) == {"name": "Müßig 🥐"}
    wanted = {
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"syncd/{__version__}",
        "x-key": SECRET,
        "x-tenant": "acme",
    }
    assert {name: said["headers"].get(name) for name in wanted} == wanted


def test_no_body_no_content_type(http: Http) -> None:
    """A request without a body says nothing about one."""
    assert "content-type" not in http.request("GET", "/a").record()["headers"]


def test_cookies_are_not_kept(http: Http) -> None:
    """A provider cannot make us carry its cookies."""
    http.request("GET", "/a")
    assert "cookie" not in http.request("GET", "/a").record()["headers"]


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("C#1", "C%231"),
        ("A B", "A%20B"),
        ("50%", "50%25"),
        ("a+b", "a%2Bb"),
        ("Ærø", "%C3%86r%C3%B8"),
        ("a/b", "a%2Fb"),
        ("../x", "..%2Fx"),
        ("%2e%2e", "%252e%252e"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("http://evil.example/", "http%3A%2F%2Fevil.example%2F"),
        ("a\\b", "a%5Cb"),
        ("...", "..."),
    ],
)
def test_an_id_is_one_segment(http: Http, text: str, segment: str) -> None:
    """Whatever an id holds, it stays one segment of the path, on the wire as well."""
    assert http.request("GET", "/c/{id}/x", ids={"id": text}).record()["path"] == f"/c/{segment}/x"


@pytest.mark.parametrize("text", ["", ".", "..", "a\nb", "a\0", "\x7f", "\ud800"])
def test_an_id_that_cannot_be_quoted(http: Http, server: Server, text: str) -> None:
    """An id that would climb, vanish or split a header is refused before anything leaves."""
    with pytest.raises(Rejected):
        http.request("GET", "/c/{id}", ids={"id": text})
    assert not server.twins["echo"].log


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "ftp://api.example",
        "api.example",
        "https://",
        "https://user:pw@api.example",
        "https://api.example?a=1",
        "https://api.example#x",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Plain http only to ourselves, and nothing in a URL that is not an address."""
    with pytest.raises(SettingsError):
        Http(url=url, timeout=1, gate=OPEN_GATE, credentials={})


@pytest.mark.parametrize("url", ["http://localhost:1", "http://[::1]:1", "http://127.3.2.1", "https://api.example/erp"])
def test_urls_that_are_allowed(url: str) -> None:
    """https anywhere, http on loopback."""
    Http(url=url, timeout=1, gate=OPEN_GATE, credentials={}).close()


def test_http_where_it_is_allowed() -> None:
    """A provider's settings may allow plain http in a local network."""
    Http(url="http://10.0.0.1:5883/api", timeout=1, gate=OPEN_GATE, credentials={}, allow_http=True).close()


def test_a_path_in_the_url_stays(server: Server) -> None:
    """Templates are appended to the path of the URL."""
    with client(server.url("echo") + "/erp/") as http:
        assert http.request("GET", "/v1/{id}", ids={"id": "ä"}).record()["path"] == "/erp/v1/%C3%A4"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(http: Http, server: Server, status: int) -> None:
    """A redirect is a failure: neither body nor credentials reach its target."""
    reached: list[bytes] = []
    with listening(lambda connection: reached.append(connection.recv(4096))) as port:
        headers = {"Location": f"http://127.0.0.1:{port}/elsewhere"}
        server.twins["echo"].faults.add(Fault("status", status=status, headers=headers, times=2))
        with pytest.raises(Temporary):
            http.request("GET", "/a")
        with pytest.raises(OutcomeUnknown):
            http.request("PUT", "/a", body={})
    assert reached == []


def test_the_environment_has_no_say(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment gets nothing."""
    reached: list[bytes] = []
    with listening(lambda connection: reached.append(connection.recv(4096))) as port:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        with client(server.url("echo")) as http:
            assert http.request("GET", "/a").ok
    assert reached == []


@pytest.mark.parametrize(
    ("status", "reading", "error"),
    [
        (401, True, Unauthorized),
        (402, False, Unauthorized),
        (403, False, Unauthorized),
        (408, True, Temporary),
        (408, False, OutcomeUnknown),
        (425, False, Temporary),
        (429, False, Throttled),
        (500, True, Temporary),
        (500, False, OutcomeUnknown),
        (503, True, Temporary),
        (304, True, Temporary),
    ],
)
def test_statuses_that_decide(
    http: Http, server: Server, status: int, reading: bool, error: type[ProviderError]
) -> None:
    """Some statuses say all there is to say, whatever the body."""
    server.twins["echo"].faults.add(Fault("status", status=status, headers={"Retry-After": "5"}, body="<h1>no</h1>"))
    with pytest.raises(ProviderError) as caught:
        http.request("POST", "/a", body={}, reading=reading)
    assert type(caught.value) is error
    assert caught.value.status == status
    if isinstance(caught.value, Temporary):
        assert caught.value.retry_after == 5


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 412, 415, 422])
def test_statuses_for_the_adapter(http: Http, server: Server, status: int) -> None:
    """Other refusals go to the adapter, with their body where it is JSON."""
    faults = server.twins["echo"].faults
    faults.add(Fault("status", status=status, body='{"why": 1}'), Fault("status", status=status, body="<h1>no</h1>"))
    first, second = (http.request("PUT", "/a", body={}) for _ in range(2))
    assert (first.status, first.data, first.text) == (status, {"why": 1}, False)
    assert (second.status, second.data, second.text) == (status, None, True)


def test_a_204_has_no_data(http: Http, server: Server) -> None:
    """An empty 2xx is an answer without data, not an error."""
    server.twins["echo"].faults.add(Fault("status", status=204))
    answer = http.request("DELETE", "/a")
    assert (answer.ok, answer.data, answer.text) == (True, None, False)
    with pytest.raises(OutcomeUnknown):
        answer.record()


def test_the_content_type_has_no_say(http: Http, server: Server) -> None:
    """JSON is JSON under any name (Azotte calls it application/clientOutput+Json)."""
    headers = {"Content-Type": "application/clientOutput+Json"}
    server.twins["echo"].faults.add(Fault("status", status=200, headers=headers, body='{"a": 1}'))
    assert http.request("GET", "/a").data == {"a": 1}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["hang", "hang-after", "trickle", "trickle-head", "endless", "slow"])
def test_the_deadline_is_total(server: Server, kind: str) -> None:
    """However an answer is drawn out (here for minutes), one request takes no longer than its timeout."""
    server.twins["echo"].faults.add(Fault(kind, seconds=0.3 if "trickle" in kind else 600.0))
    with client(server.url("echo"), timeout=0.4) as http, pytest.raises(OutcomeUnknown):
        http.request("PUT", "/a", body={"text": "x" * 1000})


def test_an_answer_that_is_too_long(server: Server) -> None:
    """More than five million bytes are not read, however fast they come; a refusal has said enough before."""
    long = '"' + "x" * 5_000_000 + '"'
    server.twins["echo"].faults.add(Fault("body", body=long), Fault("status", status=422, body=long))
    with client(server.url("echo"), timeout=20) as http:
        with pytest.raises(OutcomeUnknown, match="5000000"):
            http.request("PUT", "/a", body={})
        assert http.request("PUT", "/a", body={}).data is None


def test_a_slow_drip_of_headers() -> None:
    """A byte every 50 ms resets the timer of httpx with each byte, but not ours: we are gone before the head is."""
    whole = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65_536)
        for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + b"x" * 1000:
            connection.sendall(bytes([letter]))
            time.sleep(0.05)
        whole.set()

    with listening(drip) as port, client(f"http://127.0.0.1:{port}", timeout=0.3) as http:
        with pytest.raises(Temporary):
            http.request("GET", "/a")
        assert not whole.is_set()


def test_a_tls_handshake_that_never_comes() -> None:
    """The deadline counts from the start of the connection; nothing of ours was sent, so nothing was executed."""

    given_up = threading.Event()
    hellos, outlasted = list[bytes](), []

    def talk(connection: socket.socket) -> None:
        hellos.append(connection.recv(4096))
        if not given_up.wait(60.0):
            outlasted.append("a minute")

    with listening(talk) as port, client(f"https://127.0.0.1:{port}", timeout=0.2) as http:
        while not any(hellos):  # on a busy machine the deadline may be over before a handshake has begun
            with pytest.raises(Temporary):
                http.request("PUT", "/a", body={})
        given_up.set()

    assert outlasted == []


def test_a_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    """A self-signed certificate ends the connection before the request leaves."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    received: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            received.append(secure.recv(4096))

    with listening(talk) as port, client(f"https://localhost:{port}") as http, pytest.raises(Temporary):
        http.request("PUT", "/a", body={})
    assert received == []


def test_tls_is_never_older_than_1_2() -> None:
    """Certificates and names are verified, whatever the machine's own configuration still allows."""
    context = tls()
    assert (context.minimum_version, context.check_hostname, context.verify_mode) == (
        ssl.TLSVersion.TLSv1_2,
        True,
        ssl.CERT_REQUIRED,
    )


def test_no_other_origin_is_reached(http: Http, server: Server) -> None:
    """The last door: a request for another host, port or scheme gets neither credentials nor a connection."""
    with kit.serve([_echo()]) as other:
        for url in (other.url("echo"), server.url("echo").replace("127.0.0.1", "localhost")):
            request = httpx.Request("GET", url, extensions=transport.extensions(
                target=b"/", deadline=time.monotonic() + 5, reading=True, what="GET /"
            ))  # fmt: skip
            with pytest.raises(Temporary, match="another origin"):
                http.answered(request)
            assert "x-key" not in request.headers
        assert not other.twins["echo"].log


def test_nobody_listens(server: Server) -> None:
    """A refused connection and a name that does not exist mean that nothing was executed."""
    for url in ("http://127.0.0.1:9", "https://nowhere.invalid"):
        with client(url) as http, pytest.raises(Temporary):
            http.request("PUT", "/a", body={})


@pytest.mark.parametrize("way", [Way(), Way(private=True)])
@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "0.0.0.0", "::",
     "224.0.0.1"],
)  # fmt: skip
def test_nobody_leads_us_to_the_metadata_of_a_cloud(way: Way, address: str) -> None:
    """Link-local, in whatever form, is refused whatever the settings say; so is what is nobody's address."""
    with pytest.raises(PrivateAddressError):
        way.addresses(address, 80)


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.0.9", "127.0.0.2", "fd00::7", "::ffff:10.1.2.3", "100.64.0.1"]
)
def test_a_name_does_not_lead_into_the_own_network(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the settings say so, with a word or by writing the address itself: a name may be poisoned, or rebound
    between two connections."""
    _resolving(monkeypatch, address)

    with pytest.raises(PrivateAddressError):
        Way().addresses("api.provider.example", 443)
    assert list(Way(private=True).addresses("api.provider.example", 443)) == [address]
    assert list(Way().addresses(address, 443)) == [address]


def test_a_public_address_among_private_ones_is_taken_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is where the provider may be."""
    _resolving(monkeypatch, "10.0.0.1", "93.184.215.14")

    assert list(Way().addresses("api.provider.example", 443)) == ["93.184.215.14"]


def test_a_name_in_the_own_network_gets_no_byte(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked at every connection, and said in words that lead on; nothing was executed."""
    port = httpx.URL(server.url("echo")).port
    _resolving(monkeypatch, "127.0.0.1")
    with client(f"https://api.provider.example:{port}") as http, pytest.raises(Temporary, match="private = true"):
        http.request("PUT", "/a", body={})
    assert not server.twins["echo"].log


def _resolving(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """What the resolver of this machine says, whatever it is asked."""

    def answer(_host: str, port: int, **_more: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (text, port)) for text in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_an_answer_that_is_no_http() -> None:
    """Garbage after a write leaves the outcome unknown."""

    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"\x00\x01garbage\r\n\r\n")

    with listening(talk) as port, client(f"http://127.0.0.1:{port}") as http, pytest.raises(OutcomeUnknown):
        http.request("PUT", "/a", body={})


def test_a_kept_connection_that_was_closed() -> None:
    """A provider that drops idle connections costs us nothing: the next request takes a fresh one."""
    count: list[int] = []
    closed = threading.Semaphore(0)

    def talk(connection: socket.socket) -> None:
        received = b""
        while not received.endswith(b"{}"):  # what is left unread would make the end a reset
            received += connection.recv(65_536)
        count.append(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    with listening(talk) as port, client(f"http://127.0.0.1:{port}") as http:
        for _ in range(3):
            assert http.request("PUT", "/a", body={}).ok
            assert closed.acquire(timeout=20)
    assert len(count) == 3


def _port(http: Http) -> int:
    """Our end of the connection that one request took."""
    port = http.request("GET", "/a").record()["port"]
    assert isinstance(port, int)
    return port


@pytest.fixture
def keeper(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    """A client that keeps connections however slow the machine is today."""
    monkeypatch.setattr(transport, "KEPT", 60.0)
    server.twins["echo"].idle = 60.0
    with client(server.url("echo"), timeout=20) as made:
        yield made


def test_a_connection_is_kept(keeper: Http) -> None:
    """Requests in a row share a connection."""
    assert len({_port(keeper) for _ in range(4)}) == 1


def test_a_connection_is_not_kept_for_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a silence that some server would not have waited for, none is used again."""
    assert transport.KEPT < 2.0
    monkeypatch.setattr(transport, "KEPT", 0.0)
    with client(server.url("echo"), timeout=20) as impatient:
        first = _port(impatient)
        assert _port(impatient) != first


def _given_up(port: object) -> bool:
    """Whether the other side has ended the connection whose end here is this port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return not [1 for _, here, _, state, *_ in lines if here.endswith(f":{port:04X}") and state == "01"]


def test_an_idle_connection_that_was_given_up(keeper: Http, server: Server) -> None:
    """A server that gives up idle connections sooner than we do, or keeps none at all, loses us nothing."""
    twin = server.twins["echo"]
    for twin.idle in (0.05, 0.0):
        for _ in range(3):
            port = keeper.request("PUT", "/a", body={}).record()["port"]
            while not _given_up(port):
                time.sleep(0.01)
    assert twin.writes() == 6


def test_a_new_connection_is_not_idle_yet(server: Server) -> None:
    """A client that connects and is slow to ask gets its answer, however short idle connections are kept."""
    server.twins["echo"].idle = 0.01
    port = int(server.url("echo").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        time.sleep(0.1)
        slow.sendall(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        assert slow.recv(1024).startswith(b"HTTP/1.1 ")


def test_a_connection_closed_under_a_write(keeper: Http, server: Server) -> None:
    """Nobody knows what became of a write whose connection ended silently: it is not repeated, and only one is lost,
    because no further request is sent on a connection that was used before."""
    server.twins["echo"].faults.add(Fault("stale", times=0))
    assert keeper.request("PUT", "/a", body={"n": 1}).ok
    with pytest.raises(OutcomeUnknown):
        keeper.request("PUT", "/a", body={"n": 2})
    for number in range(3, 9):
        assert keeper.request("PUT", "/a", body={"n": number}).ok
    assert [entry.body for entry in server.twins["echo"].log] == [b'{"n":%d}' % n for n in (1, 3, 4, 5, 6, 7, 8)]


def test_trust_in_kept_connections_returns(keeper: Http, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One lost connection does not end the keeping of connections for ever."""
    monkeypatch.setattr(transport, "DISTRUST", 0.0)
    server.twins["echo"].faults.add(Fault("stale"))
    _port(keeper)
    with pytest.raises(Temporary):
        _port(keeper)
    assert len({_port(keeper) for _ in range(3)}) == 1


def test_a_fresh_connection_that_fails_is_no_reason(keeper: Http, server: Server) -> None:
    """A reset on a new connection says nothing about kept ones."""
    server.twins["echo"].faults.add(Fault("reset"))
    with pytest.raises(Temporary):
        _port(keeper)
    assert len({_port(keeper) for _ in range(2)}) == 1


def test_a_write_that_did_not_leave_whole() -> None:
    """A body whose end never reached the socket cannot have been executed, whether the server left or only stalls."""

    def leave(connection: socket.socket) -> None:
        connection.recv(1024)

    told = threading.Event()  # the client has given up

    def stall(connection: socket.socket) -> None:
        connection.recv(1024)
        told.wait(20)

    body = {"note": "x" * 40_000_000}
    for talk in (leave, stall):
        with listening(talk) as port, client(f"http://127.0.0.1:{port}", timeout=0.6) as http:
            with pytest.raises(Temporary, match="not leave whole"):
                http.request("PUT", "/a", body=body)
            told.set()


class Recorder:
    """A gate that writes down what it was told."""

    def __init__(self, refuse: ProviderError | None = None) -> None:
        self.admitted: list[str] = []
        self.observed: list[tuple[str, int, str | None]] = []
        self._refuse = refuse

    def admit(self, endpoint: str) -> None:
        self.admitted.append(endpoint)
        if self._refuse:
            raise self._refuse

    def observe(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        self.observed.append((endpoint, status, headers.get("x-ratelimit-remaining")))


def test_the_gate_sees_every_request(server: Server) -> None:
    """Each request asks first and reports its answer, failures included; ids are not part of an endpoint's name."""
    gate = Recorder()
    server.twins["echo"].faults.add(Fault("status", status=429, headers={"X-RateLimit-Remaining": "0"}))
    with client(server.url("echo"), gate=gate) as http:
        with pytest.raises(Throttled):
            http.request("GET", "/c/{id}", ids={"id": "1"})
        http.request("GET", "/c/{id}", ids={"id": "2"})
    assert gate.admitted == ["GET /c/{id}"] * 2
    assert gate.observed == [("GET /c/{id}", 429, "0"), ("GET /c/{id}", 200, None)]


def test_a_closed_gate(server: Server) -> None:
    """What the gate raises ends the request before it leaves."""
    gate = Recorder(refuse=Temporary("stopped"))
    with client(server.url("echo"), gate=gate) as http, pytest.raises(Temporary, match="stopped"):
        http.request("PUT", "/a", body={})
    assert not server.twins["echo"].log


def test_errors_name_the_template_only(http: Http, server: Server) -> None:
    """An error's text holds no id, no query, no body and no credential."""
    server.twins["echo"].faults.add(*(Fault(kind) for kind in ("reset", "html", "status", "truncated")))
    for _ in range(4):
        with pytest.raises(ProviderError) as caught:
            http.request("PUT", "/c/{id}", ids={"id": "KUNDE-7"}, params={"mail": "x@y.example"}, body={"n": "Müller"})
        text = f"{caught.value!r} {caught.value.__cause__!r}"
        assert not [word for word in ("KUNDE", "y.example", "Müller", SECRET, "127.0.0.1") if word in text]
        assert "PUT /c/{id}" in text
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
