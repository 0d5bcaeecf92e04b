"""What is fuzzed: a name, and a function that takes the lot's random and makes and feeds one input."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from syncd.cli.match_file import HEADER, lines_of
from syncd.cli.output import visible
from syncd.cli.spreadsheet import guarded, unguarded
from syncd.errors import ProviderError, SettingsError, UsageError
from syncd.log.keys import permitted
from syncd.providers.adapter import ProviderAdapter
from syncd.providers.strict import Unreadable, parse_json, retry_after
from syncd.sandbox.faults import Fault
from syncd.settings import load
from syncd.source.keys import KeyKind, bound, spelled
from syncd.source.naming import short, trigger_name
from syncd.status.fold import Folded, take
from syncd.status.lines import event_of
from syncd.status.page import render
from syncd.status.present import present
from tests.fuzz.inputs import SPITEFUL, answer, patch, spoiled
from tests.system.landscape import Landscape, landscape

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Target = Callable[[random.Random], None]
_TOML = Path(__file__).resolve().parents[2] / "deploy" / "syncd.toml"
_EVENT = {
    "event": "pair.rejected", "level": "warning", "timestamp": "2026-03-01T11:00:00Z", "provider": "jtl",
    "customer_key": "17", "reason": "no", "fields": ["city"], "command": "syncd explain 17", "run_id": "a",
    "problems": [{"provider": "jtl", "customer_key": "17", "kind": "rejected", "since": "2026-03-01T11:00:00Z"}],
    "providers": [{"name": "jtl", "state": "ok", "linked": 3, "oldest_due_s": 1.5, "calls_month": 7}],
    "state": "ok", "source": {"capture": "ok", "lag_s": 0, "log_rows": 0}, "daemons": [{"pid": 1, "host": "h"}],
}  # fmt: skip


def settings_file(directory: Path) -> Target:
    text, file = _TOML.read_text(encoding="utf-8"), directory / "fuzzed.toml"

    def feed(draw: random.Random) -> None:
        file.write_bytes(spoiled(draw, text))
        with suppress(SettingsError):
            load(file)

    return feed


def log_lines(draw: random.Random) -> None:
    """A line, then the page that is built of it."""
    name = draw.choice(("pair.rejected", "status.snapshot", "lane.paused", "daemon.started", "cycle.finished"))
    event = {**_EVENT, **patch(draw, _EVENT), "event": name}
    line = spoiled(draw, json.dumps(event)) if draw.random() < 0.5 else json.dumps(event).encode()
    if draw.random() < 0.2:
        line = json.dumps({"MESSAGE": draw.choice((list(line), line.decode("utf-8", "replace"), None, 5))}).encode()
    folded = Folded()
    take(folded, event_of(line), NOW)
    report = present(folded, NOW)
    if draw.random() < 0.02:  # the template is compiled anew each time
        render(folded, report, NOW)
    permitted(event)


def waits(draw: random.Random) -> None:
    texts = ("120", "Fri, 31 Dec 2027 23:59:59 GMT", "1772366400", "0.5", "-1")
    names = ("retry-after", "date", "x-ratelimit-retry-after", "x-ratelimit-reset")
    headers = {name: spoiled(draw, draw.choice(texts)).decode("latin-1") for name in names if draw.random() < 0.7}
    found = retry_after(headers, NOW)
    assert found is None or 1.0 <= found <= 3600.0, headers


def bodies(draw: random.Random) -> None:
    with suppress(Unreadable):
        parse_json(spoiled(draw, json.dumps(_EVENT)))


def identifiers(draw: random.Random) -> None:
    """Names of tables, keys of customers: bounded, stable, printable."""
    name = "".join(draw.choice((*SPITEFUL, "kunden", "Größe", " ")) for _ in range(draw.randint(1, 5)))
    plain = name.encode("utf-8", "replace").decode()
    assert len(short(plain).encode()) <= 40
    assert len(trigger_name(plain, "UPDATE").encode()) <= 63
    for kind in KeyKind:
        if (value := bound(kind, name)) is not None:
            spelled(kind, value)
    assert "\n" not in visible(name)
    assert unguarded(guarded(name)) == name


def match_file(directory: Path) -> Target:
    file = directory / "fuzzed.csv"
    rows = [",".join(HEADER), "jtl,sure,17,9,email | name,city,", "jtl,ambiguous,=18,9 | 10,name,,street"]

    def feed(draw: random.Random) -> None:
        file.write_bytes(spoiled(draw, "\r\n".join(rows)))
        with suppress(UsageError):
            lines_of(file, "jtl")

    return feed


def answers(land: Landscape, adapter: ProviderAdapter, name: str) -> Target:
    """One request to one provider, whose answer was spoiled on the way."""
    twin = land.twin(name)
    external_id, record = next(iter(twin.records.items()))

    def feed(draw: random.Random) -> None:
        spoil = (
            Fault("merge", times=0, patch=patch(draw, record))
            if draw.random() < 0.5
            else Fault("body", times=0, body=answer(draw, record), status=draw.choice((None, 200, 400, 404, 409, 422)))
        )
        twin.faults.add(spoil)
        try:
            with suppress(ProviderError):
                if draw.random() < 0.5:
                    adapter.fetch(external_id)
                else:
                    next(iter(adapter.scan(None)), None)
        finally:
            twin.faults.clear()

    return feed


@contextmanager
def targets(directory: Path) -> Iterator[Mapping[str, Target]]:
    """Everything that is fuzzed, the five providers' answers by name."""
    with landscape(directory, 2) as land, ExitStack() as opened:
        land.run()
        site = opened.enter_context(land.site())
        yield {
            "settings": settings_file(directory),
            "log lines": log_lines,
            "Retry-After": waits,
            "bodies": bodies,
            "identifiers": identifiers,
            "match files": match_file(directory),
        } | {f"answers of {route.provider}": answers(land, route.adapter, route.provider) for route in site.routes}
