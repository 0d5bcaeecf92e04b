"""`syncd plan` and `run-once --dry-run`: what a run would do.

The plan calls the same `gather`, `decide` and guards as a run, in the same order, in reading transactions: it
acknowledges, marks, reserves and sends nothing. Values that a run would pull into the source are laid over the rows, so
that the plan also lists what the pull brings to the other providers.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from syncd.core.alias import REMOTE
from syncd.core.case import Decided
from syncd.core.decide import decide
from syncd.core.facts import Facts
from syncd.core.guards import IDENTIFYING
from syncd.core.model import Customer, Remote, Value, Values, Work
from syncd.detect.intake import row_of
from syncd.detect.intake_guard import VERB, foretold
from syncd.detect.marks import Marks
from syncd.errors import Temporary, Throttled, Unauthorized
from syncd.lanes import LanePaused
from syncd.operate.account import Account, facts_by_now, memory_by_now
from syncd.operate.due import Due, due, outset, unstored
from syncd.operate.planned import Laid, Operation, Overlay, Plan, Waiting, from_nothing, write_down
from syncd.operate.reading import patiently, patiently_looked, stopped
from syncd.reconcile import Route
from syncd.reconcile.around import tie
from syncd.reconcile.case import Memory, remember
from syncd.reconcile.listed import by_key
from syncd.reconcile.route import Aliases
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store.work import generations

CHUNK = 200


def plan(site: Installation, routes: Sequence[Route], *, wait: float = 30.0, scan: bool = False) -> Plan:
    """Everything that `run-once --wait WAIT` would do now. Raises `SafetyStop`, `SetupNeeded` and `SourceUnreachable`,
    as a run does before its first look."""
    result, overlay = Plan(), Overlay()
    begun = outset(site)
    accounts = {route.provider: _account(site, route, begun.marks) for route in routes}
    until = site.clock.now() + timedelta(seconds=wait)
    for account in accounts.values():
        route = account.route
        pause = stopped(site, route)
        if pause:
            result.paused[route.provider] = pause
            continue
        try:
            found = account.due = patiently(route, lambda route=route: due(site, route, begun, until, scan=scan))  # type: ignore[misc]
            account.route = _with_listing(route, found)
            _arrivals(site, route, found.arrivals, overlay, result)
            _through(account, found.in_order(), overlay, result)
        except (Unauthorized, Throttled, Temporary, LanePaused) as error:
            result.troubles[route.provider] = str(error)
    _fan_out(accounts, overlay, result)
    _judged_together(accounts, result)
    return result


def _account(site: Installation, route: Route, marks: Marks) -> Account:
    return Account(replace(route, aliases=Aliases(marks.before)), unstored(site, route.provider, marks))


def _with_listing(route: Route, found: Due) -> Route:
    """The route with what the listing has shown: whole records need not be fetched to be compared."""
    if not route.adapter.capabilities.lists_whole:
        return route
    route.listing.keys = by_key(found.listed.values()) if found.complete else None
    return replace(route, listed=found.listed)


def _judged_together(accounts: Mapping[str, Account], result: Plan) -> None:
    """Judge deletions together: where the guard holds back one of a provider's, it holds back all. So it does with
    unlinks by a filter."""
    for verb in ("delete", "unlink"):
        over = {item.provider for item in result.waiting if (item.kind, item.reason) == ("staged", verb)}
        booked = {
            (provider, key)
            for provider in over
            for key, asks in accounts[provider].booked.items()
            if any(ask.verb == verb for ask in asks)
        }
        held = [op for op in result.operations if (op.provider, op.key) in booked]
        result.operations = [op for op in result.operations if op not in held]
        result.waiting += [Waiting(op.provider, op.key, "staged", verb) for op in held]


def _arrivals(site: Installation, route: Route, remotes: Sequence[Remote], overlay: Overlay, result: Plan) -> None:
    """List records that would become rows, each under a placeholder for the key that the source will choose."""
    entering, outside = foretold(site, route, list(_first_of_each(route, remotes, overlay)))
    for remote in entering:
        key = REMOTE + remote.external_id
        values = row_of(route, remote)
        overlay[key] = {name: Laid(value, route.provider) for name, value in values.items()}
        result.operations.append(Operation(route.provider, key, "insert", from_nothing(values)))
    for remote in outside:
        result.waiting.append(Waiting(route.provider, REMOTE + remote.external_id, "staged", VERB))


def _first_of_each(route: Route, remotes: Sequence[Remote], overlay: Overlay) -> Iterator[Remote]:
    """The records without those that share a number, VAT number or e-mail with a record that would become a row before
    them: a run finds that row, and inserts no second one."""
    rows = [_values(laid) for key, laid in overlay.items() if key.startswith(REMOTE)]
    taken = {same for values in rows for same in _identity(values)}
    for remote in remotes:
        if not taken & _identity(remote.values):
            taken |= _identity(row_of(route, remote))
            yield remote


def _identity(values: Values) -> set[tuple[str, str]]:
    return {(name, str(values[name]).lower()) for name in IDENTIFYING if values.get(name)}


def _through(account: Account, works: Sequence[Work], overlay: Overlay, result: Plan) -> None:
    again: list[Work] = []
    for decided in looks(account.route, works, overlay, account):
        write_down(account, decided, overlay, result)
        again += [decided.case.work] if account.lets_go(decided) else []
    for decided in looks(account.route, again, overlay, account):
        write_down(account, decided, overlay, result)


def _fan_out(accounts: Mapping[str, Account], overlay: Overlay, result: Plan) -> None:
    """Look once more, for every other provider, at rows that a pull or an insert would change. A listed push stays, and
    the new look begins after it; any other listed operation is replaced by the new look's."""
    for account in accounts.values():
        route = account.route
        keys = [key for key, laid in overlay.items() if any(one.provider != route.provider for one in laid.values())]
        if not keys or account.due is None or route.provider in result.troubles:
            continue
        result.operations = [
            op
            for op in result.operations
            if op.provider != route.provider or op.key not in keys or op.verb == "pull" or op.key in account.pushed
        ]
        result.waiting = [item for item in result.waiting if item.provider != route.provider or item.key not in keys]
        for key in set(keys) - account.pushed.keys():
            account.unbook(key)
        try:
            _through(account, account.due.changed(keys), overlay, result)
        except (Unauthorized, Throttled, Temporary, LanePaused) as error:
            result.troubles[route.provider] = str(error)


# -- looking -------------------------------------------------------------------------------------------------------


def looks(route: Route, works: Sequence[Work], overlay: Overlay, account: Account | None = None) -> Iterator[Decided]:
    """Gather and decide as a run does. Raises the error of a provider that cannot be read at all."""
    known = {work.pair.key for work in works}
    for start in range(0, len(works), CHUNK):
        chunk = works[start : start + CHUNK]
        rows = customers.read(route.source, [work.pair.key for work in chunk])
        with route.state.read() as tx:  # a newer mark would say that the row has changed meanwhile
            marked = generations(tx, route.provider, [work.pair.key for work in chunk])
        chunk = [work._replace(generation=marked.get(work.pair.key, work.generation)) for work in chunk]
        memory = remember(route, [work.pair.key for work in chunk])
        memory = memory_by_now(account, memory) if account is not None else memory
        own = _by_own_key(chunk, rows, memory, known)
        laid = [(work, _laid_over(row, work.pair.key, overlay)) for work, row in own]
        for case in patiently_looked(route, laid, memory):
            facts = facts_by_now(account, case.facts, case.pair.key) if account is not None else case.facts
            facts = _contested(route, facts, overlay.get(case.pair.key, {}))
            yield decide(case._replace(facts=facts), route.terms())


def _by_own_key(
    works: Sequence[Work], rows: Mapping[str, Customer], memory: Memory, known: Container[str]
) -> Iterator[tuple[Work, Customer | None]]:
    """The pairs with their rows. A mark in another spelling of a key that is due itself is none of the row's; a link
    under that spelling is the key's first owner's, as in `reconcile.record`. Example: `AB1` was deleted, then another
    customer got `ab1`."""
    for work in works:
        row, key = rows.get(work.pair.key), work.pair.key
        if row is None or row.key == key or row.key not in known:
            yield work, row
        elif all(each in memory.links and memory.links[each].external_id for each in (key, row.key)):
            yield work._replace(reason="deleted"), None


def _laid_over(row: Customer | None, key: str, overlay: Overlay) -> Customer | None:
    if row is None and key.startswith(REMOTE) and key in overlay:
        return Customer(key, _values(overlay[key]))
    if row is not None and row.key in overlay:
        return row._replace(values={**row.values, **_values(overlay[row.key])})
    return row


def _values(laid: Mapping[str, Laid]) -> dict[str, Value]:
    return {name: one.value for name, one in laid.items()}


def _contested(route: Route, facts: Facts, laid: Mapping[str, Laid]) -> Facts:
    """The facts with the providers of laid values as rivals, as a run would read them from the state."""
    others = {name: one for name, one in laid.items() if one.provider != route.provider}
    ties = {name: tie(route, one.provider, beaten=one.overruled) for name, one in others.items()}
    return facts._replace(
        ties={**facts.ties, **ties},
        rivals={**facts.rivals, **{name: one.provider for name, one in others.items()}},
        beaten=facts.beaten | {name for name, one in others.items() if one.overruled},
    )
