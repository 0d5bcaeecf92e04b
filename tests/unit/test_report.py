"""The status: pure judgement over facts, and the one table of words that everything shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.core.guards import Limit
from syncd.core.model import State
from syncd.core.questions import FIELD_KINDS, HELD_KINDS, PAIR_KINDS
from syncd.log.keys import permitted
from syncd.status.codes import worst
from syncd.status.facts import Item, Life, ProviderFacts, Report, SourceFacts
from syncd.status.liveness import Daemon, state_of
from syncd.status.remedies import PAIRS, PROVIDERS, REVIEWS, SOURCE, quoted, review
from syncd.status.report import build, limit_text, projected_calls, readiness
from syncd.status.shape import as_json

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
CALM = ProviderFacts("aiotic", "aiotic", pairs={State.LINKED: 3}, last_ok=NOW)


def judged(*providers: ProviderFacts, source: SourceFacts | None = None, items: tuple[Item, ...] = ()) -> Report:
    """The report over these facts."""
    return build(NOW, source or SourceFacts(log_rows=0), providers or (CALM,), items)


@pytest.mark.parametrize(("ahead", "said"), [(60.0, "60 s ahead of"), (-7.0, "7 s behind")])
def test_a_clock_that_is_off_is_named_and_stops_nothing(ahead: float, said: str) -> None:
    """More than 5 s beside the state database's clock: attention with a command; a living daemon stays ready."""
    alive = DAEMON._replace(state="working", age=1.0)
    report = build(NOW, SourceFacts(log_rows=0), (CALM,), (), life=Life((alive,), ahead=ahead))
    (problem,) = report.problems
    assert (report.state, report.exit_code, problem.kind, problem.command) == (
        "attention",
        5,
        "clock_off",
        "timedatectl",
    )
    assert said in problem.reason
    assert readiness(report) == 0
    assert build(NOW, SourceFacts(), (CALM,), (), life=Life((alive,), ahead=4.9)).problems == ()


def test_calm_is_ok() -> None:
    """Nothing wrong: ok, exit 0, no problem."""
    report = judged()
    assert (report.state, report.exit_code, report.problems) == ("ok", 0, ())


@pytest.mark.parametrize(
    ("provider", "code", "kind"),
    [
        (CALM._replace(condition="blocked"), 7, "blocked"),
        (CALM._replace(condition="down"), 7, "down"),
        (CALM._replace(condition="paused"), 5, "paused"),
        (CALM._replace(due=1, oldest=NOW - timedelta(hours=1), last_ok=NOW - timedelta(hours=1)), 4, "stalled"),
        (CALM._replace(calls_month=90_000, monthly=100_000), 5, "calls"),
    ],
)
def test_a_provider_in_trouble_has_a_problem_with_a_command(provider: ProviderFacts, code: int, kind: str) -> None:
    """Every condition that needs somebody is a problem with one command, and its code is the exit code."""
    report = judged(provider, CALM)
    assert report.exit_code == code
    assert [problem.kind for problem in report.problems] == [kind]
    assert report.problems[0].command.startswith("syncd ")
    assert report.state == "attention"


def test_throttled_is_no_trouble() -> None:
    """A provider that asks to slow down goes on by itself: shown, not alarmed about."""
    report = judged(CALM._replace(condition="throttled", due=5, oldest=NOW - timedelta(minutes=3)))
    assert (report.exit_code, report.providers[0].state) == (0, "throttled")


def test_a_long_first_pass_is_not_stalled() -> None:
    """Old due pairs are no alarm while calls get through."""
    busy = CALM._replace(due=90_000, oldest=NOW - timedelta(hours=9), last_ok=NOW - timedelta(seconds=1))
    assert judged(busy).exit_code == 0


def test_a_change_that_waits_counts_whatever_the_lane_says() -> None:
    """A provider that throttles for hours, or is slower than changes come in, is nothing to be calm about."""
    old = NOW - timedelta(hours=2)
    for condition in ("ok", "throttled"):
        facts = CALM._replace(condition=condition, due=9, oldest=old, oldest_live=old, last_ok=NOW)
        report = judged(facts)
        assert (report.state, report.exit_code) == ("attention", 4)
        assert [(problem.kind, problem.since) for problem in report.problems] == [("delayed", old)]
    silent = judged(CALM._replace(condition="throttled", due=9, oldest=old, oldest_live=old, last_ok=old))
    assert [problem.kind for problem in silent.problems] == ["stalled"]


DAEMON = Daemon("shop1", 4711, NOW - timedelta(days=3), NOW - timedelta(minutes=9), 540.0, "silent")


def test_a_daemon_without_a_sign_of_life_is_never_ok() -> None:
    """Only where no daemon lives at all: of two that share the work one may die."""
    alone = build(NOW, SourceFacts(), (CALM,), (), life=Life((DAEMON,)))
    (problem,) = alone.problems
    both = build(NOW, SourceFacts(), (CALM,), (), life=Life((DAEMON._replace(state="working", age=1.0), DAEMON)))
    assert (alone.state, alone.exit_code) == ("attention", 7)
    assert (problem.kind, problem.since, problem.command) == ("daemon_silent", DAEMON.pulse, "systemctl status syncd")
    assert (both.state, both.problems) == ("ok", ())


def test_what_a_daemon_cannot_get_over_is_a_problem() -> None:
    """An error that comes again and again is told by whoever asks, not only by the log."""
    report = build(NOW, SourceFacts(), (CALM,), (), life=Life((DAEMON._replace(state="failing", reason="KeyError"),)))
    assert (report.state, report.exit_code) == ("attention", 7)
    assert [(problem.kind, problem.reason) for problem in report.problems] == [("daemon_failing", "KeyError")]


def test_a_state_that_cannot_be_written_stops_everything() -> None:
    """Nothing becomes durable, so nothing is sent and nothing acknowledged: that is no `ok`."""
    report = build(NOW, SourceFacts(), (CALM,), (), life=Life(storage="the disk is full"))
    assert (report.state, report.exit_code) == ("stopped", 7)
    assert [(problem.kind, problem.reason) for problem in report.problems] == [("state", "the disk is full")]


def test_silence_is_three_polls_and_half_a_minute_at_least() -> None:
    """Below both bounds nobody worries; a daemon that polls every minute has three."""
    assert [state_of(*facts) for facts in ((30.0, 0.5, ""), (31.0, 0.5, ""), (170.0, 60.0, ""), (181.0, 60.0, ""))] == [
        "working",
        "silent",
        "working",
        "silent",
    ]
    assert state_of(1.0, 5.0, "job.failed") == "failing"


def test_ready_needs_life_and_no_fault_that_stops_everything() -> None:
    """A customer in review or one provider that is down is no reason to restart; a dead daemon and a full disk are."""
    working = DAEMON._replace(state="working", age=1.0)

    def ready(*daemons: Daemon, lines: tuple[ProviderFacts, ...] = (CALM,), storage: str = "", word: str = "ok") -> int:
        return readiness(build(NOW, SourceFacts(word), lines, (), life=Life(daemons, storage=storage)))

    down, review = CALM._replace(condition="down"), CALM._replace(reviews=1)
    assert ready(working) == ready(working, DAEMON) == 0
    assert ready(working, lines=(CALM, down, review)) == 0
    assert ready() == ready(DAEMON) == ready(working, lines=(down,)) == ready(working, storage="full") == 7
    assert (ready(working, word="unreachable"), ready(working, word="restored")) == (7, 6)


@pytest.mark.parametrize(
    ("facts", "code", "state"),
    [
        (SourceFacts("unreachable"), 7, "stopped"),
        (SourceFacts("triggers"), 2, "stopped"),
        (SourceFacts("settings"), 2, "stopped"),
        (SourceFacts("restored"), 6, "stopped"),
        (SourceFacts("ok", "", 4, NOW - timedelta(minutes=9)), 4, "attention"),
        (SourceFacts("ok", "", 4, NOW - timedelta(seconds=9)), 0, "ok"),
    ],
)
def test_source_decides_first(facts: SourceFacts, code: int, state: str) -> None:
    """A source that cannot be captured stops everything; changes that wait too long are late."""
    report = judged(source=facts)
    assert (report.exit_code, report.state) == (code, state)
    assert bool(report.problems) is bool(code)


def test_a_restored_side_freezes_every_provider() -> None:
    """While the fence tells of a restore nothing is written anywhere, and the status says so."""
    assert {line.state for line in judged(CALM, source=SourceFacts("restored")).providers} == {"frozen"}


def test_worst_first_and_counted_to_the_end() -> None:
    """Problems stand with the worst first; those beyond the list are counted in `problems_total` and the exit code."""
    facts = CALM._replace(pairs={State.REJECTED: 70, State.DEAD: 1}, later={"Temporary": 2, "adopt": 900}, reviews=1)
    items = (
        Item("aiotic", "7", "retry"),
        *(Item("aiotic", str(number), "rejected") for number in range(50)),
        Item("aiotic", "9", "conflict", ("city",), "both", NOW, 12),
    )
    report = judged(facts, items=items)
    assert report.problems_total == 74
    assert [p.code for p in report.problems] == sorted((p.code for p in report.problems), reverse=True)
    assert report.providers[0].retry == 2
    assert "syncd review show 12" in {p.command for p in report.problems}


def test_unlisted_trouble_still_counts() -> None:
    """Kept counts alone decide the exit code: a list that is empty or cut off never makes it ok."""
    assert judged(CALM._replace(pairs={State.DEAD: 1})).exit_code == 5
    assert judged(CALM._replace(later={"OutcomeUnknown": 1})).exit_code == 4


def test_every_word_has_a_remedy() -> None:
    """No review kind, pair state or provider state is without a sentence; what needs a person has a command."""
    assert set(REVIEWS) >= {*FIELD_KINDS, *PAIR_KINDS, *HELD_KINDS, "adopt", "guard"}
    assert set(PAIRS) >= {state.value for state in State}
    assert set(PROVIDERS) >= {"ok", "throttled", "paused", "blocked", "down", "frozen"}
    for table in (PAIRS, REVIEWS, PROVIDERS, SOURCE):
        for word, remedy in table.items():
            assert remedy.sentence, word
            assert bool(remedy.command) is bool(remedy.code), word
    assert review("guard_delete") is REVIEWS["guard"]


def test_commands_quote_keys_for_the_shell() -> None:
    """A key is the source's own text: copied into a shell it stays one word and runs nothing."""
    assert quoted("A-17.b_2") == "A-17.b_2"
    assert quoted("x; rm -rf /") == "'x; rm -rf /'"
    assert quoted("O'Neill") == "'O'\\''Neill'"
    assert quoted("--yes") == "'--yes'"


def test_json_shape_is_the_documented_one() -> None:
    """`status --json` has exactly the documented keys, and all of it passes the log's allow-list."""
    facts = CALM._replace(condition="blocked", reason="401", since=NOW, due=1, oldest=NOW)
    item = Item("aiotic", "7", "rejected", ("city",), "no city", NOW)
    answer = as_json(
        build(NOW, SourceFacts(log_rows=0), (facts,), (item,), life=Life((DAEMON._replace(state="working"),)))
    )
    assert set(answer) == {
        "schema", "state", "exit_code", "at", "source", "providers", "problems", "problems_total", "guards", "last_run",
        "daemons", "storage",
    }  # fmt: skip
    assert set(answer["source"]) == {"capture", "lag_s", "log_rows"}
    assert set(answer["providers"][0]) == {
        "name", "adapter", "state", "reason", "since", "linked", "due", "retry", "ambiguous", "rejected", "review",
        "dead", "excluded", "oldest_due_s", "last_ok", "calls_month",
    }  # fmt: skip
    assert set(answer["daemons"][0]) == {"host", "pid", "since", "pulse", "pulse_age_s", "state", "reason"}
    assert set(answer["storage"]) == {"ok", "reason"}
    assert {frozenset(problem) for problem in answer["problems"]} == {
        frozenset({"provider", "customer_key", "kind", "fields", "reason", "since", "command"})
    }
    kept, dropped = permitted(answer)
    assert dropped == 0
    assert set(kept) == set(answer) - {"last_run"}


def test_calls_are_projected_over_the_month() -> None:
    """The month's calls at this pace; the first three days say too little to project from."""
    assert projected_calls(10_000, datetime(2026, 3, 11, tzinfo=UTC)) == 31_000
    assert projected_calls(9_000, datetime(2026, 3, 1, 1, tzinfo=UTC)) == 93_000
    assert projected_calls(500, datetime(2026, 3, 31, 23, tzinfo=UTC)) >= 500


@pytest.mark.parametrize(
    ("limit", "text"),
    [(Limit(0.5, None, 86400), "50%/24h"), (Limit(None, 200, 604800), "200/7d"), (Limit(0.025, None, 90), "2.5%/1.5m")],
)
def test_limits_read_as_in_the_settings(limit: Limit, text: str) -> None:
    """A guard is shown in the notation it was written in."""
    assert limit_text(limit) == text


def test_worst_order() -> None:
    """6, 2, 8, 1, 7, 5, 4, 3, 0: the first of these that occurred is the exit code."""
    assert [worst(codes) for codes in ([3, 4], [4, 5], [5, 7], [7, 1], [1, 8], [8, 2], [2, 6], [])] == [
        4, 5, 7, 1, 8, 2, 6, 0,
    ]  # fmt: skip
