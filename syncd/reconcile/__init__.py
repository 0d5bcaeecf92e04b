"""reconcile: bring pairs from whatever state to agreement; the same function outbound and inbound.

    gather -> decide -> admit -> send -> record

Crash recovery, echo suppression and repeats have no code of their own: the decision depends on states, not on events.
A single look is a group of one: there is one road.
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
    """Look at a group of taken pairs of one lane, and do what follows. Raises `LeaseLost`, and the errors of state and
    source.

    The generations were read with the works, the rows are read after them, the records last. Adoptions, and a pull
    that a push follows, are a round of their own: the look then goes on from what was just recorded. Adoptions come
    first, so that what follows from them meets the guards in its place among the others, as a plan says.
    """
    cases = gather(route, works)  # reads only; a failed read is a case with a failure
    decided = [decide(case, route.terms()) for case in cases]  # pure: a write behind its guards, or a change
    reports, decided = _adopted(route, decided)
    while decided:
        admitted, held = admit(route, decided)  # one transaction: guards counted, keys reserved, all intents opened
        outcomes = send(route, admitted)  # the only caller of the adapters' writes
        ended, decided = record(route, decided, held, outcomes)  # one transaction: all that came of it
        reports += ended
    return reports


def compare(route: Route, works: Sequence[Work]) -> list[Report]:
    """Look at due pairs whose records are in `route.listed`, as the listing shows them and without a request. A look
    that has nothing to write ends here; every other pair stays due, and its own look reads the record right before the
    write."""
    cases = gather(replace(route, reads_only=True), works)
    decided = [decide(case, route.terms()) for case in cases if case.failure is None and _own_row(case)]
    quiet = [each for each in decided if not _writes(each)]
    reports: list[Report] = []
    while quiet:
        ended, quiet = record(route, quiet, (), ())
        reports += ended
    return reports


def _adopted(route: Route, decided: Sequence[Decided]) -> tuple[list[Report], list[Decided]]:
    """Records adoptions; the looks that ended with them, and all others, in their order."""
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
    """Whether anything would leave for the provider or the source."""
    return decided.write is not None or (decided.then is not None and _writes(decided.then))
