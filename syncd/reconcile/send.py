"""The only place that sends writes; the result of each is an outcome.

A write must follow its reading at once, because it would overwrite an edit made in between. Where the write would wait
for the lane's pace, or comes late behind others of its group, its slot is taken first and the record is read again. A
record that has changed by then is left for another look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from syncd.core.agreement import completed
from syncd.core.case import Decided
from syncd.core.effects import Failure, Missing, NotSent, Outcome, Refused, Stale, Stored, Unknown, Write
from syncd.core.model import Remote, Verb
from syncd.errors import SetupNeeded, SourceUnreachable
from syncd.lanes import Reading
from syncd.reconcile.attempt import attempt
from syncd.reconcile.gather import its_own, numbered
from syncd.reconcile.pull import pull
from syncd.reconcile.route import Route


def send(
    route: Route, admitted: Sequence[Decided]
) -> tuple[list[tuple[Decided, Outcome]], SourceUnreachable | SetupNeeded | None]:
    """Send these writes one after the other. Answers each with its outcome; and the source's error, if a pull met one.
    That pull has no outcome, and no write after it is sent. What was answered before it must still be recorded: a
    create whose answer is thrown away is one of unknown outcome. Raises `LeaseLost`."""
    outcomes: list[tuple[Decided, Outcome]] = []
    for place, decided in enumerate(admitted, 1):
        try:
            outcomes.append((decided, _sent(route, decided)))
        except (SourceUnreachable, SetupNeeded) as error:
            left = NotSent(Failure(type(error).__name__, error.message, mine=False))
            return [*outcomes, *((each, left) for each in admitted[place:])], error
    return outcomes, None


def _sent(route: Route, decided: Decided) -> Outcome:
    write = decided.write
    assert write is not None  # noqa: S101 - only writes are admitted
    match write.verb:
        case Verb.PULL:
            return pull(route, decided, write.values)
        case Verb.UPDATE:
            return _update(route, decided, write)
        case Verb.CREATE:
            return _create(route, decided, write)
        case _:
            return _remove(route, decided, write)


def _update(route: Route, decided: Decided, write: Write) -> Outcome:
    def update(current: Remote) -> Remote:
        return route.adapter.update(completed(decided.case, current), write.values)

    return _over(route, decided, write, update)


def _remove(route: Route, decided: Decided, write: Write) -> Outcome:
    def remove(current: Remote) -> None:
        assert write.how is not None  # noqa: S101 - made by `decide`
        route.adapter.remove(current, write.how)

    return _over(route, decided, write, remove)


def _create(route: Route, decided: Decided, write: Write) -> Outcome:
    def create() -> Remote:
        return route.adapter.create(write.key, write.values)

    outcome = _written(route, decided, create)
    if (
        isinstance(outcome, Stale) and outcome.why is None
    ):  # the adapter looked first, and its write would have waited for the pace
        booked = attempt(route, decided.case.work.attempts, route.lane.book)
        return NotSent(booked) if isinstance(booked, Failure) else _written(route, decided, create)
    return outcome


def _over(route: Route, decided: Decided, write: Write, call: Callable[[Remote], Remote | None]) -> Outcome:
    """Write over the record as it was read. Where that reading would be too old, take the write's slot first and read
    the record again; `Stale` where it has changed by then."""
    read = write.remote
    assert read is not None  # noqa: S101 - made by `decide`
    outcome = _written(route, decided, lambda: call(read), decided.case.read)
    if not isinstance(outcome, Stale) or outcome.why is not None:
        return outcome
    again = attempt(route, decided.case.work.attempts, lambda: _read_again(route, read))
    match again:
        case Failure():
            return NotSent(again)
        case Refused() | Missing() | Stale():
            return again
        case None:
            return Missing()
        case _:
            same = (again.values, again.archived) == (read.values, read.archived)
            return _written(route, decided, lambda: call(again), route.lane.trace.read) if same else Stale()


def _read_again(route: Route, read: Remote) -> Remote | None:
    route.lane.book()
    shown = its_own(read.external_id, route.adapter.fetch(read.external_id))
    return numbered(route, shown) if shown is not None else None


def _written(route: Route, decided: Decided, call: Callable[[], Remote | None], read: Reading | None = None) -> Outcome:
    """Try one write. Answers its outcome, with `half` where one of several requests was executed."""
    route.lane.trace.begin_write(read)
    answer = attempt(route, decided.case.work.attempts, call)
    half = route.lane.trace.acknowledged
    match answer:
        case Failure():
            return Unknown(answer) if answer.unknown else NotSent(answer, half)
        case Stale(why=None):
            return answer
        case Stale(why=why):
            route.lane.succeeded()
            return NotSent(why, half) if half and why is not None else answer
        case Refused():
            route.lane.succeeded()
            return replace(answer, half=half)
        case Missing():
            route.lane.succeeded()
            return Missing(half)
        case _:
            route.lane.succeeded()
            return Stored(numbered(route, answer) if answer is not None else None)
