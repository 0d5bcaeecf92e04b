"""What syncd tells about itself: whole lines, in order, without a value, whatever happens to the place they go to."""

from __future__ import annotations

import ast
import base64
import io
import json
import logging
import os
import re
import select
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import syncd
from syncd import log
from syncd.core.model import State
from syncd.errors import OutcomeUnknown, SettingsError
from syncd.log.keys import permitted, sentence
from syncd.log.lines import LONGEST_LINE, LONGEST_SNAPSHOT, as_json
from syncd.log.sinks import Sink

NOW = datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=UTC)
STAMP = "2026-03-01T12:00:00.005Z"


class _Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a log waits for nothing")

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.sleep(seconds)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    yield
    log.stop()


@pytest.fixture
def told() -> Callable[[], list[dict[str, Any]]]:
    """Set up at debug level; the answer reads what was told since."""
    stream = io.StringIO()
    log.setup("debug", "json", stream=stream, clock=_Clock())
    log.name_customers(str)

    def read() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.seek(0)
        stream.truncate()
        return lines

    return read


Told = Callable[[], list[dict[str, Any]]]


# ---- events


def test_an_event_is_one_line_with_a_fixed_head() -> None:
    """event, level, timestamp, run_id, then the rest as it came."""
    stream = io.StringIO()
    log.setup("info", "json", stream=stream, clock=_Clock())
    with log.run("01KAMQ8F"):
        log.emit("pair.pushed", provider="billbee", customer_key="1042", fields=["email"], duration_ms=12.34567)

    assert stream.getvalue() == (
        '{"event":"pair.pushed","level":"info","timestamp":"' + STAMP + '","run_id":"01KAMQ8F",'
        '"provider":"billbee","customer_key":"1042","fields":["email"],"duration_ms":12.346}\n'
    )


def test_events_of_the_contract_are_registered() -> None:
    """Names are API: none may vanish."""
    promised = """
        cycle.started cycle.finished pair.created pair.adopted pair.pushed pair.pulled pair.settled pair.removed
        pair.retried pair.rejected pair.parked pair.dead_lettered conflict.opened conflict.resolved field.frozen
        guard.tripped drift.found lane.paused lane.resumed provider.throttled pair.lossy capture.checked
        source.unreachable daemon.started daemon.stopping daemon.stopped status.snapshot"""

    assert set(promised.split()) - log.EVENTS.keys() == set()
    assert set(log.EVENTS.values()) == {"debug", "info", "warning", "error"}
    assert [name for name in log.EVENTS if not re.fullmatch(r"[a-z]+\.[a-z_]+", name)] == []


@pytest.mark.parametrize(("event", "level"), log.EVENTS.items())
def test_every_event_comes_at_its_level(told: Told, event: str, level: str) -> None:
    """The registry decides how grave an event is."""
    log.emit(event)

    assert told() == [{"event": event, "level": level, "timestamp": STAMP}]


def test_a_caller_may_lower_or_raise_a_level(told: Told) -> None:
    """An idle cycle is worth less than a busy one."""
    log.emit("cycle.finished", level="debug", outcome="ok")

    assert told() == [{"event": "cycle.finished", "level": "debug", "timestamp": STAMP, "outcome": "ok"}]


def test_an_unregistered_event_is_a_programming_error() -> None:
    """Also before anybody set logging up."""
    with pytest.raises(ValueError, match="not a registered event"):
        log.emit("pair.exploded")


def test_levels_below_the_setting_are_not_told() -> None:
    """`level = "warning"` hides what is merely new."""
    stream = io.StringIO()
    log.setup("warning", "json", stream=stream, clock=_Clock())
    log.emit("pair.pushed")
    log.emit("pair.retried")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["pair.retried"]


def test_before_setup_nothing_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """A command that does not log stays silent, on both streams."""
    log.emit("pair.pushed", customer_key="1")

    assert capfd.readouterr() == ("", "")


def test_the_run_id_ends_with_the_run(told: Told) -> None:
    """Also when the run fails."""
    with log.run("r1"):
        log.emit("cycle.started")
    with pytest.raises(OutcomeUnknown), log.run("r2"):
        _fail("x")
    log.emit("cycle.started")

    assert [line.get("run_id") for line in told()] == ["r1", None]


def test_every_event_that_syncd_tells_is_registered_with_its_keys() -> None:
    """A name or key in the code that the registry does not know would be lost in production."""
    unknown = []
    for path in Path(syncd.__file__).parent.rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) not in {"emit", "log.emit", "tell"}:
                continue
            nodes = [node for argument in call.args for node in ast.walk(argument) if isinstance(node, ast.Constant)]
            words = [str(node.value) for node in nodes if re.fullmatch(r"[a-z]+\.[a-z_]+", str(node.value))]
            unknown += [f"{path.name}: {word}" for word in words if word not in log.EVENTS]
            keys = {keyword.arg for keyword in call.keywords if keyword.arg} - {"level", "exc"}
            unknown += [f"{path.name}: {key}" for key in keys if key not in log.KEYS]

    assert unknown == []


# ---- the allow-list


class _Word(StrEnum):
    ONE = "one"


VALUES: list[tuple[str, object, object]] = [
    ("count", 3, 3),
    ("count", True, True),
    ("duration_ms", 1.23456, 1.235),
    ("count", 2**60, None),
    ("count", float("nan"), None),
    ("count", float("inf"), None),
    ("count", "3", None),
    ("provider", "billbee-at", "billbee-at"),
    ("provider", "Anna Muster", None),
    ("provider", "a@b.example", None),
    ("provider", "+4915550000001", None),
    ("provider", "4915550000001", None),
    ("state", State.DEAD, "dead"),
    ("kind", _Word.ONE, "one"),
    ("customer_key", 7, "7"),
    ("customer_key", "urn:x/1", "urn:x/1"),
    ("customer_key", "a\n\x1b[2Jb", "a??[2Jb"),
    ("customer_key", "k" * 999, "k" * 300),
    ("customer_key", b"x", None),
    ("fields", ["email", "vat_number"], ["email", "vat_number"]),
    ("fields", {"b", "a"}, ["a", "b"]),
    ("fields", "email", None),
    ("fields", {"email": "x"}, None),
    ("fields", [], []),
    ("field", "email", "email"),
    ("field", "Email", None),
    ("until", NOW, STAMP),
    ("until", NOW.astimezone(timezone(timedelta(hours=2))), STAMP),
    ("until", NOW.replace(tzinfo=None), None),
    ("until", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
    ("until", "tomorrow", None),
    ("endpoint", "GET /api/v1/customers/{id}", "GET /api/v1/customers/{id}"),
    ("endpoint", "GET /customers?email=x", None),
    ("command", "syncd explain 4711000001", "syncd explain 4711000001"),
    ("command", "rm -rf /", None),
    ("limit", "50%/24h", "50%/24h"),
    ("limit", 20, 20),
    ("place", "syncd.toml:34 providers.jtl.tenent_id", "syncd.toml:34 providers.jtl.tenent_id"),
    ("counts", {"created": 2, "billbee": {"pushed": 1}}, {"created": 2, "billbee": {"pushed": 1}}),
    ("counts", [1], None),
    ("providers", ["billbee", "jtl"], ["billbee", "jtl"]),
    ("problems", 3, 3),
    ("source", {"capture": "ok", "lag_s": 1.0}, {"capture": "ok", "lag_s": 1.0}),
    ("name_of_customer", "x", None),
    ("payload", {"a": 1}, None),
    ("email", "a@b.example", None),
]


@pytest.mark.parametrize(("key", "value", "shown"), VALUES)
def test_only_registered_keys_with_fitting_values_pass(told: Told, key: str, value: object, shown: object) -> None:
    """What does not fit is left out and counted, and the line is told all the same."""
    fields: dict[str, Any] = {key: value}
    log.emit("pair.parked", **fields)
    rest = {"dropped": 1} if shown is None else {key: shown}

    assert told() == [{"event": "pair.parked", "level": "error", "timestamp": STAMP, **rest}]


def test_none_says_nothing(told: Told) -> None:
    """An unknown value is left out and not counted."""
    log.emit("pair.parked", until=None, reason=None, whatever=None)

    assert told() == [{"event": "pair.parked", "level": "error", "timestamp": STAMP}]


def test_lists_are_cut_and_cleaned_with_a_count(told: Told) -> None:
    """The bad ones and those beyond the fiftieth are counted."""
    log.emit("drift.found", fields=["email", "Max Muster", 3])
    log.emit("drift.found", fields=["email"] * 60)

    first, second = told()
    assert (first["fields"], first["dropped"]) == (["email"], 2)
    assert (len(second["fields"]), second["dropped"]) == (50, 10)


def test_tables_in_a_snapshot_are_under_the_same_list(told: Told) -> None:
    """Nothing hides one level deeper."""
    log.emit(
        "status.snapshot",
        schema=1,
        state="attention",
        source={"capture": "triggers", "lag_s": 0.5, "password": "x"},
        providers=[{"name": "jtl", "state": "paused", "reason": "401", "linked": 3, "last_ok": NOW, "email": "x"}],
        problems=[{"provider": "jtl", "customer_key": "7", "kind": "rejected", "fields": ["country"], "phone": "1"}],
        last_run={"run_id": "r1", "outcome": "ok", "counts": {"pushed": 1}},
        guards=[{"provider": "jtl", "verb": "update", "limit": "50%/24h", "used": 3, "tripped": False}],
    )

    assert told() == [
        {
            "event": "status.snapshot",
            "level": "info",
            "timestamp": STAMP,
            "schema": 1,
            "state": "attention",
            "source": {"capture": "triggers", "lag_s": 0.5},
            "providers": [{"name": "jtl", "state": "paused", "reason": "401", "linked": 3, "last_ok": STAMP}],
            "problems": [{"provider": "jtl", "customer_key": "7", "kind": "rejected", "fields": ["country"]}],
            "last_run": {"run_id": "r1", "outcome": "ok", "counts": {"pushed": 1}},
            "guards": [{"provider": "jtl", "verb": "update", "limit": "50%/24h", "used": 3, "tripped": False}],
            "dropped": 3,
        }
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the provider requires a country", "the provider requires a country"),
        ("HTTP 422 for 51 of 2000 customers", "HTTP 422 for 51 of 2000 customers"),
        ("mail anna@x.example is taken", "mail [address] is taken"),
        ("call +49 (0) 1555-000.0001 now", "call [number] now"),
        ("VAT DE123456789 is bad", "VAT DE[number] is bad"),
        ("see https://u:p@h/x?y=z now", "see [address] now"),
        ("see https://h/x?y=z now", "see [url] now"),
        ("key 0123456789abcdef0123456789abcdef bad", "key [token] bad"),
        ("GET /api/v1/customers/{id}: answered 401", "GET /api/v1/customers/{id}: answered 401"),
        ("GET /api/v1/0123456789abcdef0123456789abcdef: 401", "GET [token]: 401"),
        ("no Müller here", "no [text] here"),
        ("two\nlines\x1b[2J", "two lines?[2J"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_sentences_are_searched_for_personal_data(text: str, shown: str) -> None:
    """A provider's own words that slipped into a reason lose what looks like somebody's data."""
    assert sentence(text) == (shown, 0)


@given(
    st.dictionaries(st.sampled_from(sorted(log.KEYS)), st.none() | st.text() | st.integers() | st.floats(), max_size=9)
)
def test_whatever_comes_the_line_is_ascii_and_ends_once(fields: dict[str, Any]) -> None:
    """Any text as any key makes one line of JSON."""
    stream = io.StringIO()
    log.setup("debug", "json", stream=stream, clock=_Clock())
    log.emit("pair.parked", **fields)
    text = stream.getvalue()

    assert text.isascii()
    assert text.count("\n") == 1
    assert json.loads(text)["event"] == "pair.parked"


def test_permitted_leaves_its_input_alone() -> None:
    """The caller's table is not ours to change."""
    fields: dict[str, object] = {"counts": {"a b c d": 1}, "x": 1}

    assert permitted(fields) == ({"counts": {}}, 2)
    assert fields == {"counts": {"a b c d": 1}, "x": 1}


# ---- length


def test_a_line_stays_below_the_size_of_a_pipe(told: Told) -> None:
    """The longest values are cut first, and what is missing is counted."""
    log.emit(
        "pair.parked",
        customer_key="1",
        reason="r" * 300,
        fields=["f" * 40] * 50,
        detail="d" * 300,
        writers=["w" * 80] * 50,
    )
    line = told()[0]

    assert len(json.dumps(line, separators=(",", ":"))) <= LONGEST_LINE
    assert (line["customer_key"], line["reason"], line["detail"]) == ("1", "r" * 300, "d" * 300)
    assert len(line["fields"]) + len(line["writers"]) + line["dropped"] == 100


def test_a_snapshot_may_be_longer_but_not_endless(told: Told) -> None:
    """The whole status is one event; its longest list gives way."""
    problems = [
        {"provider": "jtl", "customer_key": str(n), "reason": "r" * 290, "command": "syncd explain 1"}
        for n in range(50)
    ]
    log.emit("status.snapshot", problems=problems, problems_total=50)
    log.emit("status.snapshot", problems=[{**problem, "detail": "d" * 290, "error": "e" * 290} for problem in problems])
    whole, cut = told()

    assert (len(whole["problems"]), whole["problems_total"]) == (50, 50)
    assert len(json.dumps(cut)) < LONGEST_SNAPSHOT * 1.1
    assert (len(cut["problems"]), cut["dropped"]) == (25, 25)


# ---- exceptions and libraries


def _fail(secret: str) -> None:
    local = secret * 2
    try:
        raise ValueError(local)  # noqa: TRY301  a chain of two is the point
    except ValueError as error:
        raise OutcomeUnknown(secret, status=504) from error


def test_an_exception_shows_type_and_frames_only(told: Told) -> None:
    """Neither its message, nor its cause's, nor a local variable."""
    try:
        _fail("Zz-Canary")
    except OutcomeUnknown as error:
        log.emit("pair.retried", provider="jtl", exc=error)
    line = told()[0]
    frames = line.pop("frames")

    assert line == {
        "event": "pair.retried",
        "level": "warning",
        "timestamp": STAMP,
        "provider": "jtl",
        "error_type": "syncd.errors.OutcomeUnknown",
        "caused_by": ["ValueError"],
    }
    assert [re.sub(r":\d+:", ":N:", frame) for frame in frames] == [
        "unit/test_log.py:N:test_an_exception_shows_type_and_frames_only",
        "unit/test_log.py:N:_fail",
    ]


def test_what_else_is_passed_as_an_exception_is_not_shown(told: Told) -> None:
    """`exc` is for exceptions."""
    log.emit("pair.retried", exc="Zz-Canary")

    assert told() == [{"event": "pair.retried", "level": "warning", "timestamp": STAMP}]


@pytest.mark.parametrize(
    "name", ["httpx", "httpcore.connection", "sqlalchemy.engine", "alembic", "apscheduler", "werkzeug", "other"]
)
def test_a_library_is_heard_without_its_words(told: Told, name: str) -> None:
    """Who, how grave and where; and nothing below WARNING."""
    logger = logging.getLogger(name)
    logger.info("GET https://u:p@h/?api_key=Zz-Canary")
    logger.warning("retry %s", "Zz-Canary")
    logger.critical("Zz-Canary", extra={"email": "Zz-Canary"})
    lines = told()

    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("library.logged", "warning", name),
        ("library.logged", "error", name),
    ]
    assert [re.sub(r"\d+", "N", line["where"]) for line in lines] == ["test_log:N"] * 2
    assert "Zz-Canary" not in json.dumps(lines)


def test_a_librarys_exception_is_shown_like_ours(told: Told) -> None:
    """APScheduler reports failed jobs this way."""
    try:
        _fail("Zz-Canary")
    except OutcomeUnknown:
        logging.getLogger("apscheduler.executors.default").exception("job failed")
    line = told()[0]

    assert (line["level"], line["error_type"]) == ("error", "syncd.errors.OutcomeUnknown")
    assert "Zz-Canary" not in json.dumps(line)


def test_others_that_use_structlog_are_not_quoted(told: Told) -> None:
    """Our chain serves the whole process; an event of somebody else is told as a library's."""
    structlog.get_logger().warning("customer Zz-Canary", provider="jtl")

    assert told() == [{"event": "library.logged", "level": "warning", "timestamp": STAMP, "logger": "structlog"}]


def test_warnings_are_told_without_their_text(told: Told) -> None:
    """Python prints them to stderr otherwise, with the source line."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.setup("debug", "json", stream=(stream := io.StringIO()), clock=_Clock())
        warnings.warn("Zz-Canary", stacklevel=1)

    assert [json.loads(line)["logger"] for line in stream.getvalue().splitlines()] == ["py.warnings"]
    assert "Zz-Canary" not in stream.getvalue()


def test_a_thread_that_dies_leaves_frames_and_no_message(told: Told) -> None:
    """Its traceback would hold the message."""
    thread = threading.Thread(target=_fail, args=("Zz-Canary",))
    thread.start()
    thread.join()
    line = told()[0]

    assert (line["event"], line["level"], line["logger"]) == ("library.logged", "error", "python")
    assert (line["error_type"], "Zz-Canary" in json.dumps(line)) == ("syncd.errors.OutcomeUnknown", False)


def test_an_error_that_nobody_caught_is_a_sentence_too(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """A person at a terminal reads what it means; neither line holds the error's own words."""
    try:
        _fail("Zz-Canary")
    except OutcomeUnknown as error:
        sys.excepthook(type(error), error, error.__traceback__)

    said = capsys.readouterr().err
    assert said == "error: internal error (OutcomeUnknown); the next run looks up what was under way\n"
    assert "Zz-Canary" not in said + json.dumps(told())


def test_stop_gives_everything_back() -> None:
    """Hooks and handlers are as before, however often setup was called."""
    before = (sys.excepthook, threading.excepthook, list(logging.getLogger().handlers))
    log.setup(stream=io.StringIO())
    log.setup(stream=io.StringIO())
    log.stop()
    log.stop()

    assert (sys.excepthook, threading.excepthook, list(logging.getLogger().handlers)) == before


# ---- places


def test_a_terminal_gets_lines_for_people() -> None:
    """Without a format, a terminal is a person."""
    stream = _Terminal()
    log.setup(stream=stream, clock=_Clock())
    log.name_customers(str)
    log.emit(
        "pair.rejected", provider="jtl", customer_key="Ü 1", reason="no country", fields=["country"], counts={"a": 1}
    )

    assert stream.getvalue() == (
        '12:00:00 error   pair.rejected provider=jtl customer_key="\\u00dc 1" reason="no country" fields=["country"]\n'
    )


@pytest.mark.parametrize(
    ("format", "stream", "json_wanted"),
    [("json", _Terminal, True), ("", io.StringIO, True), ("console", io.StringIO, False)],
)
def test_a_written_format_wins_over_the_guess(format: str, stream: type[io.StringIO], json_wanted: bool) -> None:  # noqa: A002
    """`json` is JSON on a terminal too, `console` is text in a pipe too."""
    out = stream()
    log.setup("info", format, stream=out, clock=_Clock())
    log.emit("daemon.started")

    assert out.getvalue().startswith("{") is json_wanted


def test_the_journal_gets_priorities(tmp_path: Path) -> None:
    """Only when $JOURNAL_STREAM names the very stream; systemd strips the prefix."""
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        log.setup("debug", journal=f"{status.st_dev}:{status.st_ino}", stream=stream, clock=_Clock())
        for event in ("cycle.started", "pair.pushed", "pair.retried", "pair.rejected"):
            log.emit(event)
        log.setup("debug", journal=f"{status.st_dev}:{status.st_ino + 1}", stream=stream, clock=_Clock())
        log.emit("pair.pushed")
    lines = (tmp_path / "journal").read_text().splitlines()

    assert [line.partition("{")[0] for line in lines] == ["<7>", "<6>", "<4>", "<3>", ""]


def test_a_log_file_gets_json_beside_stderr(tmp_path: Path) -> None:
    """Whatever the terminal shows, the file is for machines; others cannot write it."""
    path = tmp_path / "syncd.log"
    stream = _Terminal()
    log.setup("info", "", str(path), stream=stream, clock=_Clock())
    log.emit("pair.pushed")

    assert json.loads(path.read_text()) == {"event": "pair.pushed", "level": "info", "timestamp": STAMP}
    assert stream.getvalue().startswith("12:00:00")
    assert path.stat().st_mode & 0o137 == 0


def test_a_rotated_log_file_is_begun_anew(tmp_path: Path) -> None:
    """logrotate moves the file away without telling us."""
    path = tmp_path / "syncd.log"
    log.setup("info", "json", str(path), stream=io.StringIO(), clock=_Clock())
    log.emit("pair.pushed")
    path.rename(tmp_path / "syncd.log.1")
    log.emit("pair.pulled")

    assert json.loads((tmp_path / "syncd.log.1").read_text())["event"] == "pair.pushed"
    assert json.loads(path.read_text())["event"] == "pair.pulled"


def test_a_log_file_comes_back_after_its_directory_was_gone(tmp_path: Path) -> None:
    """Lines lost meanwhile are counted; those on stderr are not."""
    directory = tmp_path / "logs"
    directory.mkdir()
    log.setup("info", "json", str(directory / "syncd.log"), stream=io.StringIO(), clock=_Clock())
    directory.rename(tmp_path / "away")
    log.emit("pair.pushed")
    log.emit("pair.pushed")
    directory.mkdir()
    log.emit("pair.pulled")
    lines = [json.loads(line) for line in (directory / "syncd.log").read_text().splitlines() if line]

    assert [(line["event"], line.get("count")) for line in lines] == [("pair.pulled", None), ("log.dropped", 2)]


def test_a_log_file_that_cannot_be_opened_is_a_settings_error(tmp_path: Path) -> None:
    """Better at the start than silently."""
    with pytest.raises(SettingsError, match=r"log.file: cannot be opened for appending \(FileNotFoundError\)"):
        log.setup("info", "json", str(tmp_path / "missing" / "syncd.log"))


def test_a_full_device_is_survived_and_told_of(tmp_path: Path) -> None:
    """Lost lines are counted, and the next one that arrives brings the number."""
    stream = io.StringIO()
    log.setup("info", "json", stream=stream, clock=_Clock())
    real, full = stream.write, True

    def write(text: str) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return real(text)

    stream.write = write  # type: ignore[method-assign]
    log.emit("pair.pushed")
    log.emit("pair.pushed")
    full = False
    log.emit("pair.pulled")
    log.emit("pair.pulled")

    assert [json.loads(line) for line in stream.getvalue().splitlines() if line] == [
        {"event": "pair.pulled", "level": "info", "timestamp": STAMP},
        {"event": "log.dropped", "level": "warning", "timestamp": STAMP, "count": 2},
        {"event": "pair.pulled", "level": "info", "timestamp": STAMP},
    ]


def test_a_line_after_a_torn_one_begins_anew() -> None:
    """A disk that fills up in the middle of a line costs that line only."""
    arrived = bytearray()
    room = [30]

    def write(data: bytes) -> None:
        arrived.extend(data[: room[0]])
        if len(data) > room[0]:
            raise OSError(28, "No space left on device")

    sink = Sink(write, as_json)
    sink.send({"event": "pair.pushed", "customer_key": "1042"})
    room[0] = 1000
    sink.send({"event": "pair.pulled"})

    assert arrived.decode().splitlines() == ['{"event":"pair.pushed","custom', '{"event":"pair.pulled"}']
    assert sink.take_lost() == 1


PROGRAM = """
import logging, sys, os
from syncd import log
log.setup("debug", "json")
for _ in range(1000):
    log.emit("pair.pushed", provider="jtl", customer_key="1")
    logging.getLogger("httpx").warning("x")
print("alive")
"""


@pytest.mark.parametrize("target", ["/dev/full", "closed", "broken pipe"])
def test_no_fate_of_stderr_stops_the_process(target: str) -> None:
    """A full disk, a closed stream, a reader that went away: no exception, no loop, exit 0."""
    reader, writer = os.pipe()
    redirect = {"/dev/full": "2>/dev/full", "closed": "2>&-", "broken pipe": ""}[target]
    os.close(reader)
    try:
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" -c "$1" {redirect}', sys.executable, PROGRAM],
            stdout=subprocess.PIPE,
            stderr=writer,
            check=False,
            timeout=60,
            cwd=Path(syncd.__file__).parent.parent,
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stdout) == (0, b"alive\n")


@pytest.mark.timeout(120)
def test_a_reader_that_stopped_reading_holds_up_nobody() -> None:
    """A full pipe costs one line's patience, then lines are lost at once; when somebody reads again, it is told."""
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    log.setup("info", "json", stream=stream)
    for _ in range(600):  # the pipe holds some two hundred; a second of patience for each other would be minutes
        log.emit("pair.pushed", provider="jtl", customer_key="1", reason="r" * 200)
    os.set_blocking(reader, False)
    while os.read(reader, 1_000_000):
        if not select.select([reader], [], [], 0.1)[0]:
            break
    log.emit("pair.pulled")
    told = os.read(reader, 1_000_000).decode().splitlines()
    stream.close()
    os.close(reader)

    assert [json.loads(line)["event"] for line in told if line] == ["pair.pulled", "log.dropped"]


def test_a_closed_stream_is_no_place_to_write(tmp_path: Path) -> None:
    """Its number may belong to another file by now, and that file must stay as it is."""
    stream = (tmp_path / "log").open("w")
    log.setup("info", "json", stream=stream, clock=_Clock())
    number = stream.fileno()
    stream.close()
    other = os.open(tmp_path / "customers.db", os.O_CREAT | os.O_RDWR)
    log.emit("pair.pushed")
    os.close(other)

    assert other == number
    assert (tmp_path / "customers.db").read_bytes() == b""


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    """A line is written in one piece."""
    with (tmp_path / "log").open("w") as stream:
        log.setup("info", "json", stream=stream)

        def tell() -> None:
            for _ in range(200):
                log.emit("pair.pushed", reason="r" * 250)

        threads = [threading.Thread(target=tell) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = (tmp_path / "log").read_text().splitlines()

    assert [json.loads(line)["event"] for line in lines] == ["pair.pushed"] * 800


# ---- the canary

SECRETS = ["8f3a9c4b7d21e05566aa77bb88cc99dd", "Basic dXNlcjpwYXNzd29yZC0xMjM0NTY3OA=="]
PERSONAL = ["Zz-Canary Müller", "canary@example.com", "+49 1555 0000001", "Kanarienweg 7", "DE999999999"]
LOOKS_PERSONAL = [*SECRETS, "canary@example.com", "+49 1555 0000001", "DE999999999", "Müller"]


def _forms(text: str) -> set[str]:
    raw = text.encode()
    plain = {text, quote(text), quote(text, safe=""), json.dumps(text)[1:-1], text.encode("unicode_escape").decode()}
    return plain | {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}


def test_no_canary_reaches_a_line() -> None:
    """Secrets and personal data, fed as any key, name, exception, library message or neighbour, come out nowhere."""
    # keys are shown as they are, on purpose; who holds a lease, on which host and in which run, are words of our own
    free = {"customer_key", "external_id", "other_key", "was", "command", "holder", "host", "run_id"}
    stream, console = io.StringIO(), _Terminal()
    for out in (stream, console):
        log.setup("debug", stream=out, clock=_Clock())
        for canary in (*SECRETS, *PERSONAL):
            for key in log.KEYS.keys() - free - {"reason", "detail", "error", "remedy"}:
                for value in (canary, [canary], {canary: 1}, {"x": canary}, [{"email": canary}], {"reason": [canary]}):
                    fields: dict[str, Any] = {key: value, re.sub(r"\W", "_", canary): canary, canary: 1}
                    log.emit("status.snapshot", **fields)
            try:
                _fail(canary)
            except OutcomeUnknown as error:
                log.emit("pair.retried", exc=error, stack_info=True, exc_info=error)
                logging.getLogger("apscheduler").exception(canary, extra={"payload": canary})
                structlog.get_logger().error(canary, payload=canary)
            logging.getLogger("sqlalchemy.engine.Engine").warning("[parameters: %r]", (canary,))
        for canary in LOOKS_PERSONAL:
            log.emit("pair.rejected", reason=f"told {canary} to us", problems=[{"reason": canary}])
    text = stream.getvalue() + console.getvalue()

    assert len(text) > 100_000
    assert [form for canary in (*SECRETS, *PERSONAL) for form in _forms(canary) if form in text] == []
