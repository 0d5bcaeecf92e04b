"""The status as a value, judged from facts. Pure: the same facts give the same status in every command.

`operate.status` collects the facts; `status --json`, the log's `status.snapshot` and `run-once` show the report.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from syncd.core.guards import Limit
from syncd.core.model import State
from syncd.status.codes import OK, PERSON, RETRY, SAFETY, UNREACHABLE, USAGE, WORST_FIRST, worst
from syncd.status.facts import GuardFacts, Item, Life, Problem, ProviderFacts, ProviderReport, Report, SourceFacts
from syncd.status.liveness import alive
from syncd.status.remedies import DAEMON, MACHINE, PAIRS, PROVIDERS, SOURCE, Remedy, review, says_nothing

LATE = timedelta(minutes=5)  # where a row of the change log is older, no process captures
SKEW = 5.0  # seconds by which two clocks may differ before that is a problem
STALLED = timedelta(minutes=15)  # where a pair is due for longer and no call got through for as long, no lane works
_NOTHING = Life()
_STOPPED = frozenset({"restored", "triggers", "settings", "unreachable"})


def build(
    at: datetime,
    source: SourceFacts,
    providers: Sequence[ProviderFacts],
    items: Sequence[Item],
    *,
    guards: Sequence[GuardFacts] = (),
    life: Life = _NOTHING,
) -> Report:
    """The report of these facts at `at`. `items` may be fewer than the providers' counts (a long list is cut off);
    `problems_total` and the exit code count all."""
    lag = max((at - source.oldest).total_seconds(), 0.0) if source.oldest is not None else None
    if source.capture == "ok" and lag is not None and lag > LATE.total_seconds():
        source = SourceFacts("late", source.reason, source.log_rows, source.oldest)
    lines = [_line(facts, at, frozen=source.capture == "restored") for facts in providers]
    problems = [
        *_of_life(life),
        *_of_source(source),
        *(p for facts in providers for p in _of_provider(facts, at)),
        *map(_of_item, items),
    ]
    problems.sort(key=lambda problem: WORST_FIRST.index(problem.code))
    total = len(problems) - len(items) + max(len(items), sum(_troubled(facts) for facts in providers))
    code = worst([problem.code for problem in problems] + [counted(line) for line in lines])
    return Report(
        state=verdict(code, source.capture, [line.state for line in lines], [p.kind for p in problems]),
        exit_code=code,
        at=at,
        capture=source.capture,
        lag_s=lag,
        log_rows=source.log_rows,
        providers=tuple(lines),
        problems=tuple(problems),
        problems_total=total,
        guards=tuple(guards),
        last_run=life.last_run,
        daemons=life.daemons,
        storage=life.storage,
    )


_PLAIN = frozenset({"adopt", "absent", "back", "empty", "missing", "source-moved", "unread", ""})


def retries(later: Mapping[str, int]) -> int:
    """How many of these due pairs (counts by error class) had a failed attempt. A pair that waits for a person, for a
    second look or for a release has none."""
    return sum(number for kind, number in later.items() if is_failure(kind))


def is_failure(error_class: str) -> bool:
    """Whether a pair with this error class in `work` waits because an attempt failed."""
    return error_class not in _PLAIN and error_class != "OutcomeUnknown" and ":" not in error_class


def is_let_go(error_class: str) -> bool:
    """Whether a person released the pair with this error class in `work`: it waits for its turn alone."""
    return error_class.startswith(("granted:", "accepted:"))


def _line(facts: ProviderFacts, at: datetime, *, frozen: bool) -> ProviderReport:
    return ProviderReport(
        name=facts.name,
        adapter=facts.adapter,
        state="frozen" if frozen else facts.condition,
        reason=facts.reason,
        since=facts.since,
        linked=facts.pairs.get(State.LINKED, 0),
        due=facts.due,
        retry=retries(facts.later),
        ambiguous=_ambiguous(facts),
        rejected=facts.pairs.get(State.REJECTED, 0),
        review=facts.reviews,
        dead=facts.pairs.get(State.DEAD, 0),
        excluded=facts.pairs.get(State.EXCLUDED, 0),
        oldest_due_s=max((at - facts.oldest).total_seconds(), 0.0) if facts.oldest else None,
        last_ok=facts.last_ok,
        calls_month=facts.calls_month,
    )


def _ambiguous(facts: ProviderFacts) -> int:
    return max(facts.later.get("OutcomeUnknown", 0), facts.pairs.get(State.AMBIGUOUS, 0))


def _troubled(facts: ProviderFacts) -> int:
    pairs = facts.pairs.get(State.REJECTED, 0) + facts.pairs.get(State.DEAD, 0)
    return pairs + retries(facts.later) + _ambiguous(facts) + facts.reviews


def counted(line: ProviderReport) -> int:
    """The exit code of a provider's counts alone: the list of problems may be cut off before those that give it."""
    if line.rejected + line.dead + line.review:
        return PERSON
    return RETRY if line.retry + line.ambiguous else OK


def _of_life(life: Life) -> Iterable[Problem]:
    if life.storage:
        yield _problem(Item("", "", "state", (), life.storage), DAEMON["state"])
    if life.daemons and not alive(life.daemons):
        yield _problem(Item("", "", "daemon_silent", (), "", life.daemons[0].pulse), DAEMON["daemon_silent"])
    for daemon in life.daemons:
        if daemon.state == "failing":
            yield _problem(Item("", "", "daemon_failing", (), daemon.reason), DAEMON["daemon_failing"])
    for name, pairs in life.vanished.items():
        reason = f"{pairs} customers; not in the settings. Gone? syncd provider remove {name}"
        yield _problem(Item(name, "", "vanished", (), reason), PROVIDERS["vanished"])
    if abs(life.ahead) > SKEW:
        way = "ahead of" if life.ahead > 0 else "behind"
        reason = (
            f"This machine's clock is {abs(life.ahead):.0f} s {way} the state database's; syncd goes by the latter."
        )
        yield _problem(Item("", "", "clock_off", (), reason), MACHINE["clock_off"])


def _of_source(source: SourceFacts) -> Iterable[Problem]:
    remedy = SOURCE[source.capture]
    if remedy.code:
        yield _problem(Item("", "", f"capture_{source.capture}", (), source.reason, source.oldest), remedy)


def _of_provider(facts: ProviderFacts, at: datetime) -> Iterable[Problem]:
    remedy = PROVIDERS[facts.condition]
    if remedy.code:
        yield _problem(Item(facts.name, "", facts.condition, (), facts.reason, facts.since), remedy)
    elif word := _waiting_word(facts, at):
        since = facts.oldest if word == "stalled" else facts.oldest_live
        yield _problem(Item(facts.name, "", word, (), "", since), PROVIDERS[word])
    expected = projected_calls(facts.calls_month, at)
    if facts.monthly and expected > facts.monthly:
        reason = f"{facts.calls_month} calls this month, {expected} expected, {facts.monthly} are free"
        yield _problem(Item(facts.name, "", "calls", (), reason), PROVIDERS["calls"])


def _waiting_word(facts: ProviderFacts, at: datetime) -> str:
    """The problem that the age of the oldest due pair makes, `stalled` or `delayed`; "" for none. A first pass may take
    longer than `STALLED` as long as calls get through; a change may not."""
    if facts.oldest is not None and at - facts.oldest > STALLED:
        if facts.last_ok is None or at - facts.last_ok > STALLED:
            return "stalled"
        if facts.oldest_live is not None and at - facts.oldest_live > STALLED:
            return "delayed"
    return ""


def projected_calls(so_far: int, at: datetime) -> int:
    """The month's calls, extended from those `so_far`. In the month's first three days they are taken as the calls of
    three days: one first pass says little about a month."""
    days = calendar.monthrange(at.year, at.month)[1]
    passed = at.day - 1 + at.hour / 24
    return max(so_far, round(so_far / max(passed, 3.0) * days))


def _of_item(item: Item) -> Problem:
    return _problem(item, review(item.kind) if item.review is not None else PAIRS[item.kind])


def _problem(item: Item, remedy: Remedy) -> Problem:
    command = remedy.typed(provider=item.provider, key=item.key, number=item.review if item.review is not None else "")
    reason = remedy.sentence if says_nothing(item.kind, item.fields, item.reason) else item.reason
    return Problem(item.provider, item.key, item.kind, item.fields, reason, item.since, command, remedy.code)


def verdict(code: int, capture: str, states: Sequence[str], kinds: Collection[str]) -> str:
    """The state of the whole installation: `stopped` where nothing moves at any provider, `ok` only where nothing is
    wrong, else `attention`. `states` are those of the providers, `kinds` those of the problems."""
    if capture in _STOPPED or code in {SAFETY, USAGE} or "state" in kinds:
        return "stopped"
    if states and all(state in {"paused", "blocked", "down"} for state in states):
        return "stopped"
    return "attention" if code else "ok"


def readiness(report: Report) -> int:
    """The exit code of `syncd status --ready`: 0 while a daemon lives, the state can be written and nothing stops the
    whole installation; else the code that tells why. For supervisors and load balancers: a customer in review, or one
    of several providers that is down, is no reason to restart a daemon."""
    codes = [SOURCE[report.capture].code, *(problem.code for problem in report.problems if problem.kind in DAEMON)]
    if report.state == "stopped":
        codes.append(report.exit_code or UNREACHABLE)
    if not report.daemons:
        codes.append(UNREACHABLE)
    return worst(codes)


def limit_text(limit: Limit) -> str:
    """A limit in the notation of the settings: `50%/24h`, `200/7d`."""
    amount = f"{limit.count}" if limit.count is not None else f"{100 * (limit.share or 0.0):g}%"
    units = ((86400.0 * 7, 86400.0, "d"), (3600.0, 3600.0, "h"), (60.0, 60.0, "m"), (0.0, 1.0, "s"))
    size, unit = next((size, unit) for least, size, unit in units if limit.window >= least)
    return f"{amount}/{limit.window / size:g}{unit}"
