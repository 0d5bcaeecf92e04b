"""reconcile: bring one pair from whatever state to agreement; the same function outbound and inbound.

gather (facts) -> core.plan (decision) -> create / exchange / outcome (deeds). Crash recovery, echo suppression and
repeats have no code of their own: the decision depends on states, not on events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncd.core.actions import Adopt, Create, Exchange, Park, Reject, Remove, Unlink, Wait
from syncd.core.facts import Facts
from syncd.core.model import Customer, State, Work
from syncd.core.plan import plan
from syncd.errors import (
    AlreadyLinked,
    OutcomeUnknown,
    PairGone,
    ProviderError,
    Rejected,
    Temporary,
    Throttled,
    Unauthorized,
)
from syncd.lanes import LanePaused, Outdated, Report
from syncd.reconcile.agreement import confirmed, settle_intents
from syncd.reconcile.create import adopt, adopted, create, forget, remove
from syncd.reconcile.departure import ABSENT_AGAIN
from syncd.reconcile.exchange import exchange
from syncd.reconcile.gather import asked
from syncd.reconcile.outcome import finish, park, put_off, reject, retry
from syncd.reconcile.outset import Case, Memory, outset, remember
from syncd.reconcile.route import Route, blank_link
from syncd.reconcile.staging import announce
from syncd.source import customers
from syncd.store import mapping, work

ADOPT_PAUSE = 86_400.0  # seconds; `syncd adopt` makes the pairs due before that
EMPTY_PAUSE = 600.0
UNREAD_PAUSE = 5.0  # capture marks the pair anew before that
BUDGET_PAUSE = 10.0
POISONOUS = 3  # failures while others got through, after which a pair no longer speaks for its provider
REPEATED = frozenset({"Temporary", "OutcomeUnknown", "NotFound"})

__all__ = ["Route", "compare", "reconcile", "reconcile_all"]


def reconcile_all(route: Route, works: Sequence[Work]) -> list[Report]:
    """Reconcile a chunk of taken pairs. The generations were read with the works, the rows are read after them."""
    keys = [item.pair.key for item in works]
    rows = customers.read(route.source, keys)
    memory = remember(route, keys)
    return [_one(route, item, rows.get(item.pair.key), memory) for item in works]


def compare(route: Route, works: Sequence[Work]) -> list[Report]:
    """Look at due pairs whose records are in `route.listed`, as the listing shows them and without a request. A look
    that has nothing to write ends here; every other pair stays due, and its own look reads the record right before the
    write."""
    keys = [item.pair.key for item in works]
    rows = customers.read(route.source, keys)
    memory = remember(route, keys)
    looks = (_compared(route, item, rows.get(item.pair.key), memory) for item in works)
    return [report for report in looks if report is not None]


def _compared(route: Route, item: Work, customer: Customer | None, memory: Memory) -> Report | None:
    if customer is None or customer.key != item.pair.key:
        return None
    route = replace(route, lease=replace(route.lease, over=item.pair))
    route.lane.begin_look()
    try:
        case = asked(route, outset(route, item, customer, memory), memory)
        return None if _writes(route, case) else _perform(route, case)
    except (PairGone, AlreadyLinked, ProviderError, LanePaused):
        return None  # the look of its own says why


def _writes(route: Route, case: Case) -> bool:
    """Whether anything would leave for the provider or the source."""
    action = plan(case.facts)
    if isinstance(action, Adopt):
        action = plan(adopted(route, case, action).facts)
    return isinstance(action, Create | Remove) or (isinstance(action, Exchange) and bool(action.push or action.pull))


def _one(route: Route, item: Work, customer: Customer | None, memory: Memory) -> Report:
    if customer is not None and customer.key != item.pair.key:
        return _respelled(route, item, customer, memory)
    if item.error_class in REPEATED and not route.lane.may_retry():
        return _spared(route, item)
    route = replace(route, lease=replace(route.lease, over=item.pair))
    route.lane.begin_look()
    try:
        return reconcile(route, item, customer, memory)
    except Outdated:
        return _anew(route, item)
    except PairGone:
        pass
    except Unauthorized as error:
        route.lane.refused(error.message)
    except Throttled as error:
        route.lane.throttled(error.retry_after)
    except LanePaused:
        pass
    return Report("deferred")


def _anew(route: Route, item: Work) -> Report:
    """The write would have waited for its pace with what had been read: its slot is taken first, then all is read and
    judged again. Where even that is too old (a machine that stands still), the pair stays due."""
    keys = [item.pair.key]
    try:
        route.lane.book()
        return reconcile(route, item, customers.read(route.source, keys).get(item.pair.key), remember(route, keys))
    except PairGone:
        pass
    except Unauthorized as error:
        route.lane.refused(error.message)
    except Throttled as error:
        route.lane.throttled(error.retry_after)
    except LanePaused:
        pass
    return Report("deferred")


def _spared(route: Route, item: Work) -> Report:
    """The lane's budget for repeats is used up: in an outage, repeats stay a small part of the traffic."""
    due_at = route.later(BUDGET_PAUSE)
    with route.state.fenced(route.lease) as tx:
        work.postpone(tx, item, due_at, item.attempts, item.error_class, item.error)
    return Report("retry", due_at)


def _respelled(route: Route, item: Work, customer: Customer, memory: Memory) -> Report:
    """A mark in another spelling (collation, padding, a watched table's column) moves to the row's own key.

    A link under that spelling moves along. Where the row's own key is linked as well (`AB1` went, and somebody else
    became `ab1`), it is the first owner's.
    """
    link = memory.links.get(item.pair.key)
    with route.state.fenced(route.lease) as tx:
        if link is not None and link.external_id is not None:
            if not mapping.is_taken(tx, customer.key):
                mapping.move_key(tx, item.pair.key, customer.key)
            elif (first := mapping.make_way(tx, item.pair.key)) is not None:
                work.mark(tx, [replace(item.pair, key=first)], "deleted", route.clock.now())
        work.mark(tx, [replace(item.pair, key=customer.key)], item.reason, route.clock.now())
        work.finish(tx, item)
    return Report("again")


def reconcile(route: Route, item: Work, customer: Customer | None, memory: Memory) -> Report:
    """One look at one pair. However it ends, it may meet a record or a key that another customer's link holds: then it
    is parked with its row as the state has it, and nothing of what this look found is stored."""
    try:
        return _looked_at(route, item, customer, memory)
    except AlreadyLinked:
        with route.state.read() as tx:
            link = mapping.read(tx, item.pair)
        case = Case(item, replace(_nothing_yet(route, item, memory), link=link), customer, item.pair.key)
        return park(route, case, Park("key_taken", "this remote, or its key, is linked to another customer"))


def _looked_at(route: Route, item: Work, customer: Customer | None, memory: Memory) -> Report:
    case = Case(item, _nothing_yet(route, item, memory), customer, item.pair.key)
    try:
        case = outset(route, item, customer, memory)
        case = asked(route, case, memory)
        report = _perform(route, case)
    except (Unauthorized, Throttled, LanePaused):
        raise
    except Rejected as refused:
        return reject(route, case, refused.field, refused.reason)
    except (Temporary, OutcomeUnknown) as error:
        if item.attempts < POISONOUS:
            route.lane.failed(error.message)
        return retry(route, case, error)
    except ProviderError as error:
        return retry(route, case, error)
    if report.kind == "ambiguous":
        if item.attempts < POISONOUS:
            route.lane.failed("an answer was lost")
    elif route.lane.requests():
        route.lane.succeeded()
    return report


def _nothing_yet(route: Route, item: Work, memory: Memory) -> Facts:
    link = memory.links.get(item.pair.key)
    our_key = (link.provider_key if link else None) or item.pair.key
    return Facts(route.rules, route.digester(our_key), link=link)


def _perform(route: Route, case: Case) -> Report:
    action = plan(case.facts)
    if isinstance(action, Adopt):
        case = adopt(route, case, action)
        action = plan(case.facts)
    match action:
        case Create(values):
            return create(route, case, values)
        case Exchange():
            return exchange(route, case, action)
        case Park():
            return park(route, case, action)
        case Reject(name, reason):
            return reject(route, case, name, reason)
        case Remove():
            return remove(route, case, action)
        case Unlink():
            return forget(route, case, action)
        case Wait(why):
            return _wait(route, case, why)
        case _:
            return _agreed(route, case)


def _wait(route: Route, case: Case, why: str) -> Report:
    pause = {"adopt": ADOPT_PAUSE, "absent": ABSENT_AGAIN, "back": 0.0, "unread": UNREAD_PAUSE}.get(why, EMPTY_PAUSE)
    due_at = route.later(pause)
    with route.state.fenced(route.lease) as tx:
        if why == "absent" and case.work.error_class == "absent" and case.work.error:
            put_off(tx, case, due_at, why, case.work.error)
        else:
            put_off(tx, case, due_at, why, route.clock.now().isoformat() if why == "absent" else "")
        if why == "adopt":
            announce(tx, route.provider, "adopt", "customers wait for `syncd adopt`", route.clock.now())
    return Report("waiting", due_at)


def _agreed(route: Route, case: Case) -> Report:
    """Both sides agree, or the pair is excluded: finish, and let confirmed writes go."""
    link = case.facts.link
    now = route.clock.now()
    excluded = link is None or link.external_id is None
    with route.state.fenced(route.lease) as tx:
        if excluded:
            finish(tx, route, case, replace(blank_link(case.pair, link), state=State.EXCLUDED))
        elif link is not None:
            settle_intents(tx, route, case.facts.intents)
            base = confirmed(link.base, case.facts.intents, now)
            finish(tx, route, case, replace(link, base=base, state=State.LINKED, verified_at=now))
    return Report("excluded" if excluded else "settled" if case.facts.intents else "unchanged")
