"""What all sandboxes share: faults, toggles, the log and the control API."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from flask import Flask, request

from syncd.errors import OutcomeUnknown, Temporary
from syncd.providers.http import OPEN_GATE, Http
from syncd.sandbox import kit
from syncd.sandbox.kit import Answer, Fault, Record, Server, Twin
from syncd.sandbox.twin import IDLE
from syncd.testing.row import StillClock


def _archive(twin: Twin, record: Record) -> None:
    record["archived"] = twin.now().isoformat()


def _app(clock: StillClock) -> Flask:
    twin = Twin("acme", {"semantics": ("replace", "merge")}, clock=clock, archive=_archive)
    made = kit.app(twin, authorised=lambda: "x-key" in request.headers, refused=lambda s, t: ({"error": t}, s))

    @made.get("/c/<number>")
    def read(number: str) -> Answer:
        return twin.records.get(number, {})

    @made.put("/c/<number>")
    def write(number: str) -> Answer:
        twin.put(number, kit.json_body())
        return twin.records[number]

    return made


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def server(clock: StillClock) -> Iterator[Server]:
    with kit.serve([_app(clock)]) as running:
        yield running


@pytest.fixture
def twin(server: Server) -> Twin:
    return server.twins["acme"]


@pytest.fixture
def http(server: Server) -> Iterator[Http]:
    made = Http(url=server.url("acme"), timeout=1, gate=OPEN_GATE, credentials={"x-key": "1"})
    yield made
    made.close()


def _put(http: Http, number: str, name: str) -> None:
    http.request("PUT", "/c/{id}", ids={"id": number}, body={"name": name})


@pytest.mark.parametrize(
    ("kind", "executed"),
    [
        ("status", False),
        ("reset", False),
        ("status-after", True),
        ("reset-after", True),
        ("reset-body", True),
        ("truncated", True),
        ("cut", True),
        ("html", True),
        ("gzip", True),
    ],
)
def test_faults_execute_or_not(http: Http, twin: Twin, kind: str, executed: bool) -> None:
    """A fault keeps the answer back; whether the write took effect is exactly what its table says."""
    twin.faults.add(Fault(kind))
    with pytest.raises(OutcomeUnknown):
        _put(http, "1", "x")
    assert ("1" in twin.records) is executed
    assert twin.writes() == int(executed)
    _put(http, "2", "y")


def test_a_late_effect_comes_with_a_later_request(http: Http, twin: Twin) -> None:
    """The answer is lost, nothing has happened yet, and then, two requests on, it has."""
    twin.faults.add(Fault("late", after=2))
    with pytest.raises(OutcomeUnknown):
        _put(http, "1", "late")
    _put(http, "1", "new")
    assert twin.records["1"] == {"name": "new"}
    assert http.request("GET", "/c/{id}", ids={"id": "1"}).data == {"name": "late"}


def test_a_late_effect_comes_with_the_clock(http: Http, twin: Twin, clock: StillClock) -> None:
    """The same, when the sandbox's clock has moved on."""
    twin.faults.add(Fault("late", seconds=90, status=504))
    with pytest.raises(OutcomeUnknown):
        _put(http, "1", "late")
    assert http.request("GET", "/c/{id}", ids={"id": "1"}).data == {}
    clock.sleep(91)
    assert http.request("GET", "/c/{id}", ids={"id": "1"}).data == {"name": "late"}


def test_a_late_effect_comes_on_demand(http: Http, twin: Twin) -> None:
    """The same, when a test says so."""
    twin.faults.add(Fault("late"))
    with pytest.raises(OutcomeUnknown):
        _put(http, "1", "late")
    assert twin.records == {}
    twin.settle()
    assert twin.records == {"1": {"name": "late"}}


def test_a_fault_fits_method_route_and_count(http: Http, twin: Twin) -> None:
    """A fault hits the requests it names, after those it skips, as often as it says."""
    twin.faults.add(Fault("status", method="GET", route="/c/<number>", skip=1, times=2))
    outcome = []
    for _ in range(4):
        _put(http, "1", "x")
        try:
            outcome.append(http.request("GET", "/c/{id}", ids={"id": "1"}).status)
        except Temporary:
            outcome.append(503)
    assert outcome == [200, 503, 503, 200]


def test_the_log(http: Http, twin: Twin) -> None:
    """The log knows route, keys (nested ones too), and whether a record changed."""
    http.request("PUT", "/c/{id}", ids={"id": "A B"}, body={"a": {"b": [{"c": 1}]}})
    http.request("GET", "/c/{id}", ids={"id": "A B"})
    put, get = twin.log
    assert (put.method, put.route, put.keys, put.status, put.wrote) == (
        "PUT",
        "/c/<number>",
        ("a", "a.b", "a.b.c"),
        200,
        True,
    )
    assert (get.route, get.wrote) == ("/c/<number>", False)
    assert twin.writes("/c/<number>") == 1


def test_a_log_that_must_not_grow(http: Http, twin: Twin) -> None:
    """Where so many are `kept`, the last requests are, whatever came before."""
    twin.kept = 3
    for number in range(10):
        _put(http, str(number), "x")
    assert 3 <= len(twin.log) <= 6
    assert [entry.path for entry in twin.log[-3:]] == ["/c/7", "/c/8", "/c/9"]


def test_the_control_api(http: Http, server: Server, twin: Twin, clock: StillClock) -> None:
    """Another process can do what a test does in this one."""
    with httpx.Client(base_url=server.url("acme") + "/_control", trust_env=False) as control:
        assert control.post("/faults", json={"kind": "reset-after", "method": "PUT"}).status_code == 204
        with pytest.raises(OutcomeUnknown):
            _put(http, "1", "x")
        assert control.post("/faults", json=[{"kind": "nonsense"}]).status_code == 400
        assert control.post("/toggles", json={"semantics": "merge"}).json() == {"semantics": "merge"}
        assert control.post("/toggles", json={"semantics": "other"}).status_code == 400
        assert twin.toggle("semantics") == "merge"
        assert control.patch("/records/1", json={"city": "Ulm"}).json() == {"name": "x", "city": "Ulm"}
        assert control.patch("/records/2", json={}).status_code == 404
        assert control.post("/archive/1").status_code == 204
        assert control.get("/records").json()["1"]["archived"] == clock.now().isoformat()
        assert [entry["wrote"] for entry in control.get("/log").json()] == [True]
        assert control.get("/").status_code == 404
        assert control.delete("/records/1").status_code == 204
        assert control.put("/records/9", json={"name": "z"}).status_code == 200
        assert control.post("/idle", json={"seconds": 0}).headers["connection"] == "close"
        assert control.post("/idle", json={"seconds": -1}).status_code == 400
        assert twin.idle == 0
        assert control.post("/reset").status_code == 204
    assert (twin.records, twin.log, twin.toggle("semantics"), twin.idle) == ({}, [], "replace", IDLE)


def test_several_on_their_own_ports(clock: StillClock) -> None:
    """Each sandbox is an origin of its own; afterwards nobody listens."""
    with kit.serve([_app(clock)]) as one, kit.serve([_app(clock)]) as two:
        urls = {one.url("acme"), two.url("acme")}
        assert len(urls) == 2
    for url in urls:
        http = Http(url=url, timeout=1, gate=OPEN_GATE, credentials={})
        with pytest.raises(Temporary):
            _put(http, "1", "x")
        http.close()


def test_wrong_credentials_come_first(server: Server) -> None:
    """Who is not known learns nothing, not even that a path does not exist."""
    with httpx.Client(base_url=server.url("acme"), trust_env=False) as client:
        assert client.get("/nowhere").status_code == 401
        assert client.get("/nowhere", headers={"x-key": "1"}).status_code == 404
        assert client.post("/c/1", headers={"x-key": "1"}).headers["allow"] == "GET, HEAD, OPTIONS, PUT"
