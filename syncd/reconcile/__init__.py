"""reconcile: bring pairs to agreement from any state, by one function for both directions.

    gather -> decide -> admit -> send -> record

Crash recovery, echo suppression and repeats have no code of their own: the decision depends on states, not on events.
A single pair is a group of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncd.core.case import Case, Decided
from syncd.core.decide import decide
from syncd.core.model import Work
from syncd.lanes import Report
from syncd.reconcile.gather import gather
from syncd.reconcile.guard import admit
from syncd.reconcile.record import record
from syncd.reconcile.route import Route
from syncd.reconcile.send import send

__all__ = ["Route", "compare", "reconcile"]


def reconcile(route: Route, works: Sequence[Work]) -> list[Report]:
    """Look at a group of taken pairs of one lane: read both sides, decide, write, record. Raises `LeaseLost`, and the
    errors of state and source.

    The generations were read with the works, the rows are read after them, the records last. An adoption, and a pull
    that a push follows, are a round of their own: the look goes on from what was just recorded. Adoptions come first,
    so that the writes after them meet the guards in the order of the pairs, as a plan foretells.
    """
    cases = gather(route, works)  # reads only; a failed read is a case with a failure
    decided = [decide(case, route.terms()) for case in cases]  # pure: a write behind its guards, or a change
    reports, decided = _adopted(route, decided)
    while decided:
        admitted, held = admit(route, decided)  # one transaction: guards counted, keys reserved, all intents opened
        outcomes, broken = send(route, admitted)  # the only caller of the adapters' writes
        ended, decided = record(route, decided, held, outcomes)  # one transaction: all that came of it
        reports += ended
        if broken is not None:
            raise broken
    return reports


def compare(route: Route, works: Sequence[Work]) -> list[Report]:
    """Look at due pairs whose records are in `route.listed`, without a request. A look with nothing to write ends here.
    Any other pair stays due, and its next look reads the record right before the write."""
    cases = gather(replace(route, reads_only=True), works)
    decided = [decide(case, route.terms()) for case in cases if case.failure is None and _own_row(case)]
    quiet = [each for each in decided if not _writes(each)]
    reports: list[Report] = []
    while quiet:
        ended, quiet = record(route, quiet, (), ())
        reports += ended
    return reports


def _adopted(route: Route, decided: Sequence[Decided]) -> tuple[list[Report], list[Decided]]:
    """Record adoptions. Answers the reports of looks that ended with them, and all other looks in their order."""
    adopting = [each for each in decided if each.then is not None]
    if not adopting:
        return [], list(decided)
    reports, then = record(route, adopting, (), ())
    following = {each.case.pair: each for each in then}
    open_ = [following.get(each.case.pair) if each.then is not None else each for each in decided]
    return reports, [each for each in open_ if each is not None]


def _own_row(case: Case) -> bool:
    return case.customer is not None and case.customer.key == case.pair.key


def _writes(decided: Decided) -> bool:
    """Whether the decision writes to the provider or into the source."""
    return decided.write is not None or (decided.then is not None and _writes(decided.then))
