"""A log folded into a status: what must not depend on the order, the number or the company of its lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import State
from syncd.log import EVENTS
from syncd.log.keys import permitted
from syncd.status.activity import BARS, bars_of, quantile, summary, window
from syncd.status.facts import Item, Life, ProviderFacts, Report, SourceFacts
from syncd.status.fold import (
    AHEAD,
    CAPTURE,
    CHANGES,
    DONE,
    HOURS,
    KEPT,
    LANES,
    OPEN,
    REMEMBERED,
    TROUBLE,
    Folded,
    take,
)  # fmt: skip
from syncd.status.history import SENTENCES
from syncd.status.lines import NOUNS, event_of
from syncd.status.page import render
from syncd.status.present import present
from syncd.status.recorded import judge, report_of
from syncd.status.report import build
from syncd.status.shape import as_json, iso
from syncd.status.sheet import sheet
from syncd.status.snapshot import dated, fair_share, snapshot_event

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
NAMES = ("billbee", "jtl")
KEYS = ("1", "2", "Müller 3")


def line(at: datetime, event: str, /, **fields: Any) -> bytes:
    """A line as the log writes it: only what the allow-list lets through."""
    kept, _ = permitted(fields)
    return json.dumps({"event": event, "level": "info", "timestamp": iso(at), **kept}).encode()


def snapshot(at: datetime, report: Report) -> bytes:
    return line(at, "status.snapshot", **snapshot_event(report))


def folded(lines: Iterable[bytes], now: datetime = NOW) -> Folded:
    known = Folded()
    for each in lines:
        take(known, event_of(each), now)
    return known


def status(lines: Iterable[bytes], now: datetime = NOW) -> dict[str, Any]:
    return as_json(present(folded(lines, now), now))


def well(at: datetime, **more: Any) -> Report:
    facts = [ProviderFacts(name, name, pairs={State.LINKED: 7}, last_ok=at, **more) for name in NAMES]
    return build(at, SourceFacts(log_rows=0), facts, [])


moments = st.integers(0, 40).map(lambda minutes: NOW - timedelta(minutes=minutes, milliseconds=minutes % 3))


@st.composite
def reports(draw: st.DrawFn, at: datetime) -> Report:
    lines: list[ProviderFacts] = []
    items: list[Item] = []
    for name in NAMES:
        troubled = draw(
            st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["rejected", "dead", "retry", "conflict"]))
        )
        for key, kind in sorted(troubled.items()):
            number = len(items) + 1 if kind == "conflict" else None
            fields = ("city",) if kind in {"conflict", "rejected"} else ()
            items.append(Item(name, key, kind, fields, f"{kind} for a reason", at, number))
        kinds = list(troubled.values())
        pairs = {State.LINKED: 5, State.REJECTED: kinds.count("rejected"), State.DEAD: kinds.count("dead")}
        condition = draw(st.sampled_from(["ok", "ok", "throttled", "paused", "blocked", "down"]))
        later = {"Temporary": kinds.count("retry")} if "retry" in kinds else {}
        reviews = kinds.count("conflict")
        lines.append(ProviderFacts(name, name, condition, "", None, pairs, later=later, reviews=reviews, last_ok=at))
    capture = draw(st.sampled_from(["ok", "ok", "ok", "unreachable", "triggers", "restored"]))
    return build(at, SourceFacts(capture, "", draw(st.sampled_from([None, 0, 3]))), lines, items)


@st.composite
def told(draw: st.DrawFn) -> bytes:
    """One line of a running installation."""
    at = draw(moments)
    name = draw(
        st.sampled_from([*TROUBLE, *(f"pair.{verb}" for verb in DONE), *CHANGES, *CAPTURE, "conflict.resolved"])
    )
    fields: dict[str, Any] = {"provider": draw(st.sampled_from(NAMES))}
    if name.partition(".")[0] in {"pair", "conflict", "field", "guard"}:
        fields |= {"customer_key": draw(st.sampled_from(KEYS)), "reason": draw(st.sampled_from(["", "answered 503"]))}
        fields |= {"wait_s": draw(st.sampled_from([0.5, 60.0]))}
    if name == "guard.tripped":
        fields["guard"] = draw(st.sampled_from(["update", "delete"]))
    if name == "cycle.finished":
        fields |= {"run_id": draw(st.sampled_from("ab")), "duration_ms": draw(st.integers(1, 3))}
    if name in LANES:
        fields["state"] = draw(st.sampled_from(["down", "blocked"]))
    return line(at, name, **fields)


@st.composite
def logs(draw: st.DrawFn) -> list[bytes]:
    """Lines in the order of their times, snapshots among them."""
    lines = draw(st.lists(told(), max_size=25))
    for at in draw(st.lists(moments, max_size=3)):
        lines.append(snapshot(at, draw(reports(at))))
    return sorted(lines, key=lambda each: json.loads(each)["timestamp"])


def picture(lines: Sequence[bytes]) -> tuple[Any, ...]:
    """Everything that the page shows, but for how many lines it took."""
    known = folded(lines)
    shown = sheet(known, present(known, NOW), NOW)
    return (status(lines), shown.headline, shown.lead, shown.cards, shown.rows, shown.runs, shown.changes)


# -- laws --------------------------------------------------------------------------------------------------------------


@given(logs(), st.data())
def test_the_order_of_lines_does_not_matter(lines: list[bytes], data: st.DataObject) -> None:
    """Lines of several threads, machines and files come as they like; the picture is the same."""
    assert picture(data.draw(st.permutations(lines))) == picture(lines)


@pytest.mark.long
@given(logs(), st.data())
def test_lines_may_come_twice(lines: list[bytes], data: st.DataObject) -> None:
    """Two files that overlap count nothing twice."""
    again = data.draw(st.lists(st.sampled_from(lines))) if lines else []
    assert picture([*lines, *again]) == picture(lines)


@given(logs(), st.data())
def test_foreign_lines_change_nothing(lines: list[bytes], data: st.DataObject) -> None:
    """Whatever else stands in the journal is counted and skipped, also when it is JSON with an event and a time."""
    foreign = [
        b"Traceback (most recent call last):",
        b"{",
        b"[" * 100_000,
        b'{"event": "GET /", "timestamp": "2026-11-22T12:30:00Z"}',
        b'{"event": "pair.pushed", "provider": "jtl"}',
        b'{"event": "pair.pushed", "timestamp": "2026-11-22T12:30:00"}',
        b'{"event": ["pair.pushed"], "timestamp": {"a": 1}}',
        b"\xff\xfe{}",
    ]
    mixed = list(lines)
    some = data.draw(st.lists(st.sampled_from(foreign), min_size=1, max_size=8))
    for each in some:
        mixed.insert(data.draw(st.integers(0, len(mixed))), each)
    assert picture(mixed) == picture(lines)
    assert folded(mixed).foreign == len(some)


@pytest.mark.long
@given(logs(), moments.flatmap(lambda at: st.tuples(st.just(at), reports(at))))
def test_the_last_minute_is_enough(lines: list[bytes], last: tuple[datetime, Report]) -> None:
    """The last snapshot and what follows it give the same verdict, cards and figures as the whole day."""
    at, report = last
    lines = sorted([*lines, snapshot(at, report)], key=lambda each: json.loads(each)["timestamp"])
    newest = max(place for place, each in enumerate(lines) if b"status.snapshot" in each)
    instant = json.loads(lines[newest])["timestamp"]
    tail = [each for each in lines if json.loads(each)["timestamp"] >= instant]
    whole, short = folded(lines), folded(tail)
    assert status(tail) == status(lines)
    pages = [sheet(known, present(known, NOW), NOW) for known in (whole, short)]
    assert pages[0].cards == pages[1].cards
    assert pages[0].headline == pages[1].headline
    assert [(row.name, row.line) for row in pages[0].rows if row.line] == [
        (row.name, row.line) for row in pages[1].rows if row.line
    ]


@given(moments.flatmap(lambda at: st.tuples(st.just(at), reports(at))))
def test_a_snapshot_says_what_the_status_says(last: tuple[datetime, Report]) -> None:
    """What `status --json` prints comes out of the log line again, and is judged the same."""
    at, report = last
    event = event_of(snapshot(at, report))
    assert event is not None
    found = report_of(event, at)
    assert as_json(found) == as_json(report)
    assert judge(found) == (report.state, report.exit_code)


@given(logs())
def test_silence_is_never_ok(lines: list[bytes]) -> None:
    """Five minutes after the last event nobody knows how it stands, whatever the last event was."""
    late = NOW + timedelta(minutes=5, seconds=1)
    answer = status(lines, late)
    assert (answer["state"], answer["exit_code"] in {0, 4, 5}) == ("stopped", False)
    known = folded(lines, late)
    assert sheet(known, present(known, late), late).grave != "ok"


# -- what stands now ---------------------------------------------------------------------------------------------------


def after(*events: tuple[str, dict[str, Any]], report: Report | None = None) -> dict[str, Any]:
    """The status a minute after a snapshot, with these events a second apart."""
    start = NOW - timedelta(minutes=1)
    lines = [snapshot(start, report or well(start))]
    lines += [line(start + timedelta(seconds=n), name, **fields) for n, (name, fields) in enumerate(events, 1)]
    return status(lines)


def test_all_well() -> None:
    """A fresh snapshot without problems, and nothing since, is in order."""
    assert (after()["state"], after()["exit_code"], after()["problems"]) == ("ok", 0, [])


@pytest.mark.parametrize(
    ("event", "fields", "kind", "figure", "code", "command"),
    [
        ("pair.rejected", {"fields": ["country"], "reason": "no"}, "rejected", "rejected", 5, "syncd explain 1"),
        ("pair.retried", {"reason": "answered 503"}, "retry", "retry", 4, "syncd explain 1"),
        ("pair.retried", {"reason": "create: outcome unknown"}, "ambiguous", "ambiguous", 4, "syncd explain 1"),
        ("pair.dead_lettered", {"reason": "answered 500"}, "dead", "dead", 5, "syncd retry 1"),
        ("pair.parked", {"kind": "remote_gone"}, "remote_gone", "review", 5, "syncd review list"),
        ("conflict.opened", {"fields": ["city"]}, "conflict", "review", 5, "syncd review list"),
        ("field.frozen", {"fields": ["city"]}, "frozen", "review", 5, "syncd review list"),
        ("guard.tripped", {"guard": "update"}, "guard_update", "review", 5, "syncd review list"),
    ],
)  # fmt: skip
def test_trouble_since_the_snapshot(
    event: str, fields: dict[str, Any], kind: str, figure: str, code: int, command: str
) -> None:
    """A later event is laid on top: a problem, a figure and a verdict; the pair's next success takes it away."""
    pair = {"provider": "jtl", "customer_key": "1"}
    answer = after((event, pair | fields))
    assert [(p["kind"], p["provider"], p["command"]) for p in answer["problems"]] == [(kind, "jtl", command)]
    assert (answer["state"], answer["exit_code"], answer["providers"][1][figure]) == ("attention", code, 1)
    assert answer["problems_total"] == 1
    if event != "guard.tripped":
        assert after((event, pair | fields), ("pair.pushed", pair)) == after()


def test_a_problem_of_the_snapshot_ends_with_a_success() -> None:
    """What a snapshot lists is gone, and its figure with it, when the pair came through; the other one stays."""
    start = NOW - timedelta(minutes=1)
    items = [Item("jtl", key, "rejected", ("country",), "country: required", start) for key in ("1", "2")]
    facts = [ProviderFacts("jtl", "jtl", pairs={State.REJECTED: 2})]
    report = build(start, SourceFacts(), facts, items)
    pair = {"provider": "jtl", "customer_key": "1"}
    answer = after(("pair.pushed", pair), report=report)
    assert [p["customer_key"] for p in answer["problems"]] == ["2"]
    assert (answer["providers"][0]["rejected"], answer["problems_total"]) == (1, 1)
    again = after(("pair.rejected", pair), report=report)
    assert (again["providers"][0]["rejected"], again["problems_total"]) == (2, 2)
    assert again["problems"][0]["since"] == iso(start)  # it is no news


def test_lanes_pause_and_resume() -> None:
    """A lane's pause shows at once with its reason, and its end as well; a person's pause stands above it."""
    down = ("lane.paused", {"provider": "jtl", "state": "blocked", "reason": "answered 401"})
    answer = after(down)
    assert (answer["providers"][1]["state"], answer["exit_code"]) == ("blocked", 7)
    assert answer["problems"][0]["command"] == "syncd doctor --provider jtl"
    assert after(down, ("lane.resumed", {"provider": "jtl"})) == after()
    start = NOW - timedelta(minutes=1)
    paused = build(start, SourceFacts(), [ProviderFacts("jtl", "jtl", "paused", "CHG-4", start)], [])
    assert after(("lane.resumed", {"provider": "jtl"}), report=paused)["providers"][0]["state"] == "paused"


def test_late_and_simultaneous_lines() -> None:
    """A line that comes late does not undo a newer one; at the same moment the graver one stands."""
    start = NOW - timedelta(minutes=1)
    pair = {"provider": "jtl", "customer_key": "1"}
    lines = [
        snapshot(start, well(start)),
        line(NOW - timedelta(seconds=2), "lane.paused", provider="jtl", state="down"),
        line(NOW - timedelta(seconds=1), "lane.resumed", provider="jtl"),
        line(NOW, "conflict.opened", fields=["city"], **pair),
        line(NOW, "pair.pushed", **pair),
        line(NOW - timedelta(seconds=3), "cycle.finished", run_id="a", outcome="partial"),
        line(NOW, "cycle.finished", run_id="a", outcome="ok"),
    ]
    answer = status(lines)
    assert ([p["kind"] for p in answer["problems"]], answer["providers"][1]["state"]) == (["conflict"], "ok")
    assert status(lines[::-1]) == answer
    assert picture(lines[::-1]) == picture(lines)


def test_two_lines_of_one_moment_count_both() -> None:
    """Lines that differ in one figure only are two; whichever comes first, both waiting times are counted."""
    lines = [line(NOW, "pair.pushed", provider="jtl", customer_key="1", wait_s=wait) for wait in (0.5, 60.0)]
    assert picture(lines) == picture(lines[::-1])
    hour = next(iter(folded([*lines, *lines]).hours.values()))
    assert (hour.done["jtl", "done"], len(hour.waits)) == (2, 2)


def test_source_and_state() -> None:
    """A source or state that does not answer stops everything until a cycle ends; a restore needs a person."""
    lost = ("source.unreachable", {"reason": "no connection"})
    assert (after(lost)["state"], after(lost)["source"]["capture"], after(lost)["exit_code"]) == (
        "stopped",
        "unreachable",
        7,
    )
    assert after(lost, ("cycle.finished", {"run_id": "a"}))["state"] == "ok"
    assert after(("state.unreachable", {"reason": "disk full"}))["state"] == "stopped"
    restored = ("capture.broken", {"reason": "the log was reset", "command": "syncd recover"})
    answer = after(restored, ("capture.acknowledged", {}), restored)
    assert (answer["exit_code"], answer["problems"][0]["command"]) == (6, "syncd recover")


def test_doubts_have_their_own_words() -> None:
    """Stopped on purpose, nothing but deltas, and clocks that differ are told apart from silence."""
    start = NOW - timedelta(minutes=2)
    stopped = [snapshot(start, well(start)), line(NOW - timedelta(minutes=1), "daemon.stopped")]
    assert status(stopped)["problems"][0]["kind"] == "ended"
    assert status([*stopped, line(NOW, "cycle.finished", run_id="b")])["state"] == "ok"
    deltas = status([line(NOW, "pair.pushed", provider="jtl", customer_key="1")])
    assert (deltas["state"], deltas["problems"][0]["kind"]) == ("attention", "unknown")
    ahead = NOW + AHEAD + timedelta(seconds=1)
    assert status([snapshot(ahead, well(ahead))])["problems"][0]["kind"] == "clock"
    assert status([])["problems"][0]["kind"] == "silent"


# -- lines -------------------------------------------------------------------------------------------------------------


def test_every_form_of_a_line() -> None:
    """Plain, behind a prefix that has braces of its own, and as journald wraps it, as text or as bytes."""
    plain = line(NOW, "pair.pushed", provider="jtl", customer_key="1")
    wrapped = json.dumps({"MESSAGE": plain.decode(), "_PID": "1", "PRIORITY": "6"}).encode()
    numbers = json.dumps({"MESSAGE": list(plain)}).encode()
    forms = [
        plain,
        b"Nov 22 12:30:00 shop syncd[17]: " + plain,
        b"syncd-1  | {shop} " + plain,
        b"<6>" + plain + b"\r\n",
        wrapped,
        numbers,
    ]
    assert [event_of(form) for form in forms] == [json.loads(plain)] * len(forms)
    cut = folded([b'{"MESSAGE": null, "_PID": "1"}'])
    assert (cut.foreign, cut.cut) == (1, 1)


def test_the_page_knows_every_event() -> None:
    """A new event is a sign of life, and one that changes a state has a sentence."""
    assert {name.partition(".")[0] for name in EVENTS} == NOUNS
    assert set(SENTENCES) == CHANGES
    assert {*CHANGES, *TROUBLE, *CAPTURE, *LANES, *(f"pair.{verb}" for verb in DONE)} <= set(EVENTS)


def test_a_hidden_provider_is_not_crowded_out() -> None:
    """Of too many problems a snapshot keeps the first of every provider and kind, in their order."""
    items = [Item("billbee", str(n), "rejected", (), "", NOW) for n in range(50)]
    items.append(Item("jtl", "9", "conflict", ("city",), "", NOW, 4))
    facts = [ProviderFacts("billbee", "billbee", pairs={State.REJECTED: 50}), ProviderFacts("jtl", "jtl", reviews=1)]
    report = build(NOW, SourceFacts(), facts, items)
    kept = fair_share(report.problems, 10)
    assert [(p.provider, p.customer_key) for p in kept][-1] == ("jtl", "9")
    assert (len(kept), kept) == (10, [p for p in report.problems if p in kept])


@pytest.mark.long
def test_a_log_without_end_is_held_in_bounded_memory() -> None:
    """Whatever comes, only so many pairs, lines of an hour, hours, runs and changes are kept: the newest ones."""
    count = 2 * OPEN + 5000
    began = NOW - timedelta(hours=3 * HOURS)

    def endless() -> Iterator[bytes]:
        for number in range(count):
            at = min(began + (NOW - began) * (number / (OPEN // 2)), NOW - timedelta(seconds=1))
            yield line(at, "pair.retried", provider="jtl", customer_key=str(number), reason="answered 503")
            if number % 200 == 0:
                yield line(at, "cycle.finished", run_id=f"r{number}", outcome="partial")
                yield line(at, "lane.paused", provider="jtl", state="down", until=at, count=number)

    found = folded(endless())

    assert ("jtl", str(count - 1), "") in found.pairs
    assert len(found.pairs) <= OPEN
    assert max(len(hour.seen) for hour in found.hours.values()) <= REMEMBERED
    assert (len(found.hours) <= HOURS, len(found.runs), len(found.changes)) == (True, KEPT, KEPT)
    assert sum(sum(hour.done.values()) for hour in found.hours.values()) > REMEMBERED


def test_quantiles_of_the_scale() -> None:
    """Waiting times are counted in steps of a fifth; a median lies within one step."""
    at = NOW - timedelta(minutes=1)
    waits = [0.5, 1.0, 2.0, 10.0, 60.0]
    known = folded(line(at, "pair.pushed", provider="jtl", customer_key=str(n), wait_s=w) for n, w in enumerate(waits))
    hour = next(iter(known.hours.values()))
    steps = Counter({step: number for (_, step), number in hour.waits.items()})
    assert 2.0 <= (quantile(steps, 0.5) or 0) <= 2.4
    assert 60.0 <= (quantile(steps, 0.95) or 0) <= 72.0


HOSTILE = "</style><script>alert(1)</script><img src=x onerror=y>'\"{{ 7*7 }}\u202e\x00\n"


def test_hostile_words_are_only_words() -> None:
    """Markup, templates, control and direction characters in any place of a line are shown as text, or not at all."""
    row = dict.fromkeys(("name", "adapter", "state", "reason", "since", "last_ok"), HOSTILE) | {"linked": "9" * 5000}
    problem = dict.fromkeys(("provider", "customer_key", "kind", "reason", "since", "command"), HOSTILE)
    event = {
        "event": "status.snapshot", "timestamp": iso(NOW), "state": HOSTILE, "exit_code": HOSTILE, "at": HOSTILE,
        "source": {"capture": HOSTILE, "lag_s": 1e400, "log_rows": -1}, "providers": [row, 7, None, [row]],
        "problems": [problem | {"fields": [HOSTILE, 3]}, "x"], "problems_total": "many",
        "guards": [{"provider": HOSTILE, "guard": HOSTILE, "limit": HOSTILE, "used": True, "staged": 3}],
        "last_run": {"finished_at": iso(NOW), "mode": HOSTILE, "counts": {HOSTILE: 3, "a": {"b": {}}}},
    }  # fmt: skip
    lines = [json.dumps(event).encode()]
    for name in EVENTS:
        fields: dict[str, Any] = dict.fromkeys(
            ("provider", "customer_key", "reason", "state", "guard", "kind", "run_id", "mode"), HOSTILE
        )
        fields |= {"event": name, "timestamp": iso(NOW), "counts": {HOSTILE: {HOSTILE: 4}}, "until": HOSTILE}
        if name != "status.snapshot":
            lines.append(json.dumps(fields).encode())
    known = folded(lines)
    page = render(known, present(known, NOW), NOW)
    assert "<script" not in page.lower()
    assert "<img" not in page.lower()
    assert "{{ 7*7 }}" in page
    assert not {"\u202e", "\x00"} & set(page)
    assert page.count("</style>") == 1


def test_no_command_but_our_own() -> None:
    """What a person copies from the page is made here; of a line's command only a review item's number is believed."""
    report = well(NOW)
    event = json.loads(snapshot(NOW, report))
    event["problems"] = [
        {"provider": "x; reboot", "customer_key": "", "kind": "down", "command": "syncd resume x; reboot"},
        {"provider": "jtl", "customer_key": "$(reboot)", "kind": "rejected", "command": "reboot"},
        {"provider": "jtl", "customer_key": "1", "kind": "conflict", "command": "syncd review show 12; reboot"},
        {"provider": "jtl", "customer_key": "1", "kind": "conflict", "command": "syncd review show 12"},
        {"provider": "jtl", "customer_key": "1", "kind": "invented", "command": "syncd forget 1 --yes"},
    ]
    commands = [p["command"] for p in status([json.dumps(event).encode()])["problems"]]
    assert commands == [
        "syncd doctor --provider 'x; reboot'",
        "syncd explain '$(reboot)'",
        "syncd review list",
        "syncd review show 12",
        "syncd review list",
    ]


# -- outages -----------------------------------------------------------------------------------------------------------


def snapshots(hours: float, state: str = "ok") -> list[Any]:
    """A snapshot every ten minutes of the hours before NOW; in the middle third jtl is in this state."""
    told = []
    for step in range(int(hours * 6)):
        at = NOW - timedelta(minutes=10 * (int(hours * 6) - step))
        bad = hours * 2 <= step < hours * 4
        condition = state if bad else "ok"
        facts = [ProviderFacts("jtl", "jtl", condition, due=40 * bad), ProviderFacts("aiotic", "aiotic")]
        event = snapshot_event(build(at, SourceFacts(log_rows=0), facts, []))
        told.append({"event": "status.snapshot", "timestamp": iso(at), **event})
    return told


def folded_from(events: list[Any]) -> Folded:
    folded = Folded()
    for event in events:
        take(folded, event, NOW)
    return folded


@pytest.mark.parametrize("state", ["down", "blocked", "paused"])
def test_an_outage_paints_its_hours(state: str) -> None:
    """A provider that did not work looks not idle: its hours are marked, and only its own; lines that come twice or in
    another order change nothing."""
    events = snapshots(12, state)
    folded = folded_from(events)
    hours = window(folded, NOW)
    mine, others = bars_of("jtl", hours, NOW), bars_of("aiotic", hours, NOW)
    again = folded_from([*reversed(events), *events])

    assert 4 <= sum(bar.out > 0 for bar in mine) <= 5
    assert max(bar.backlog for bar in mine) == 40
    assert [bar.out for bar in others] == [0.0] * BARS
    assert bars_of("jtl", window(again, NOW), NOW) == mine
    assert "out of order" in summary("jtl", mine)


def test_hours_without_a_line_are_nobodys() -> None:
    """Between two hours in which somebody worked, silence is an outage of syncd; before the log there is none."""
    events = [event for place, event in enumerate(snapshots(12)) if not 30 <= place < 48]
    bars = bars_of("jtl", window(folded_from(events), NOW), NOW)
    assert 2 <= sum(bar.mute for bar in bars) <= 3
    assert not any(bar.mute for bar in bars[:10])


def test_every_fault_has_a_since() -> None:
    """Also one that tells none: since the daemon first told it; once it is over, the next one begins anew."""
    first: dict[tuple[str, str], datetime] = {}
    life = Life((), None, "the disk is full")

    def told(minutes: int, life: Life) -> datetime | None:
        report = dated(build(NOW + timedelta(minutes=minutes), SourceFacts(), [], [], life=life), first)
        return report.problems[0].since if report.problems else None

    assert [told(0, life), told(5, life), told(6, Life()), told(7, life)] == [
        NOW, NOW, None, NOW + timedelta(minutes=7),
    ]  # fmt: skip


def test_one_fault_stands_once() -> None:
    """Customers that an outage keeps waiting have no card of their own; the card leads to the provider's row."""
    facts = [ProviderFacts("jtl", "jtl", "down", "answered 503", NOW, due=3, later={"Temporary": 2}, oldest=NOW)]
    items = [Item("jtl", str(key), "retry", (), "answered 503", NOW) for key in range(2)]
    event = snapshot_event(build(NOW, SourceFacts(log_rows=0), facts, items))
    folded = folded_from([{"event": "status.snapshot", "timestamp": iso(NOW), **event}])
    made = sheet(folded, present(folded, NOW), NOW)
    (card,) = made.cards
    assert (card.what, card.whom, card.row) == ("does not answer", "5 customers wait for it", made.rows[0].anchor)
    assert made.unlisted == 0


def test_silence_is_red_within_two_snapshots() -> None:
    """Who writes a page every twenty seconds shows it red before two of the minutes between snapshots have passed."""
    folded = folded_from(snapshots(1))
    newest = folded.newest
    assert newest is not None
    calm, late = newest + timedelta(seconds=90), newest + timedelta(seconds=101)
    assert sheet(folded, present(folded, calm), calm).grave == "ok"
    assert sheet(folded, present(folded, late), late).grave == "bad"


def test_a_person_s_act_is_told_with_whom_it_was_about() -> None:
    """`forget 3` has no provider: nobody reads that everything was forgotten."""
    acts: list[dict[str, Any]] = [
        {"action": "pause", "provider": "jtl"},
        {"action": "forget", "customer_key": "3"},
        {"action": "unlink", "provider": "jtl", "customer_key": "2"},
        {"action": "db.backup", "count": 4},
    ]
    lines = [line(NOW + timedelta(seconds=place), "operator.acted", **act) for place, act in enumerate(acts)]
    known = folded(lines)
    told = [change.what for change in sheet(known, present(known, NOW), NOW).changes]
    assert told[::-1] == [
        "A person: pause jtl", "A person: forget customer 3", "A person: unlink customer 2 at jtl",
        "A person: db.backup",
    ]  # fmt: skip
