"""`syncd plan` and `run-once --dry-run`: what a run would do.

The plan calls the same `gather`, `decide` and guards as a run, in the same order, in reading transactions: it
acknowledges, marks, reserves and sends nothing. Values that a run would pull into the source are laid over the rows, so
that the plan also lists what the pull brings to the other providers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from syncd.core.actions import Adopt, Exchange, Park, Reject, Unlink, Wait
from syncd.core.agreement import overruling
from syncd.core.alias import REMOTE
from syncd.core.case import Decided
from syncd.core.decide import decide
from syncd.core.effects import Failure, Refused
from syncd.core.facts import Facts
from syncd.core.model import Customer, Pair, Remote, Removal, Value, Values, Verb, Work
from syncd.detect.capture import unread
from syncd.detect.intake import row_of
from syncd.detect.intake_guard import VERB, foretold
from syncd.detect.marks import Marks
from syncd.errors import Temporary, Throttled, Unauthorized
from syncd.lanes import LanePaused
from syncd.operate.account import Account
from syncd.operate.due import Due, due, swept, unstored
from syncd.operate.reading import patiently, patiently_looked, stopped
from syncd.reconcile import Route
from syncd.reconcile.around import tie
from syncd.reconcile.case import remember
from syncd.reconcile.listed import by_key
from syncd.reconcile.route import Aliases
from syncd.runtime.installation import Installation
from syncd.source import customers

CHUNK = 200
Change = tuple[Value, Value]  # from, to
Overlay = dict[str, dict[str, "Laid"]]  # customer key -> field -> value that a run would pull into the row


@dataclass(frozen=True, slots=True)
class Laid:
    """A value laid over a row: the provider that it would come from, and whether it won over an edit in the source."""

    value: Value
    provider: str
    overruled: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One write a run would make. `verb`: create, adopt, update, pull, insert, archive, delete or unlink."""

    provider: str
    key: str
    verb: str
    fields: Mapping[str, Change] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pair for which a run would do nothing yet. `kind` is review, rejected, staged, retry, or the reason of a
    `Wait`."""

    provider: str
    key: str
    kind: str
    reason: str
    fields: tuple[str, ...] = ()


@dataclass
class Preview:
    """The operations and waiting pairs of a run. `troubles`: providers that could not be read, and why; `paused`:
    providers that an operator paused."""

    operations: list[Operation] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    paused: dict[str, str] = field(default_factory=dict)

    def staged(self) -> dict[tuple[str, str], int]:
        """How many operations the guards would hold back, by provider and guard."""
        counts: dict[tuple[str, str], int] = {}
        for item in self.waiting:
            if item.kind == "staged":
                counts[item.provider, item.reason] = counts.get((item.provider, item.reason), 0) + 1
        return counts


def preview(site: Installation, routes: Sequence[Route], *, wait: float = 30.0, scan: bool = False) -> Preview:
    """Everything that `run-once --wait WAIT` would do now. Raises `SafetyStop`, `SetupNeeded` and `SourceUnreachable`,
    as a run does before its first look."""
    result, overlay = Preview(), Overlay()
    marks = unread(site)
    sweep = swept(site, marks)
    accounts = {route.provider: _account(site, route, marks) for route in routes}
    until = site.clock.now() + timedelta(seconds=wait)
    for account in accounts.values():
        route = account.route
        pause = stopped(site, route)
        if pause:
            result.paused[route.provider] = pause
            continue
        try:
            found = patiently(route, lambda route=route: due(site, route, marks, sweep, until, scan=scan))  # type: ignore[misc]
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


def _judged_together(accounts: Mapping[str, Account], result: Preview) -> None:
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


def _arrivals(site: Installation, route: Route, remotes: Sequence[Remote], overlay: Overlay, result: Preview) -> None:
    """List records that would become rows, each under a placeholder for the key that the source will choose."""
    entering, outside = foretold(site, route, remotes)
    for remote in entering:
        key = REMOTE + remote.external_id
        values = row_of(route, remote)
        overlay[key] = {name: Laid(value, route.provider) for name, value in values.items()}
        result.operations.append(Operation(route.provider, key, "insert", _from_nothing(values)))
    for remote in outside:
        result.waiting.append(Waiting(route.provider, REMOTE + remote.external_id, "staged", VERB))


def _through(account: Account, works: Sequence[Work], overlay: Overlay, result: Preview) -> None:
    for decided in looks(account.route, works, overlay, account):
        _act(account, decided, overlay, result)


def _fan_out(accounts: Mapping[str, Account], overlay: Overlay, result: Preview) -> None:
    """Look once more, for every other provider, at rows that a pull or an insert would change. A listed push stays, and
    the new look begins after it; any other listed operation is replaced by the new look's."""
    for account in accounts.values():
        route = account.route
        keys = [key for key, laid in overlay.items() if any(one.provider != route.provider for one in laid.values())]
        if not keys or route.provider in result.troubles or route.provider in result.paused:
            continue
        result.operations = [
            op
            for op in result.operations
            if op.provider != route.provider or op.key not in keys or op.verb == "pull" or op.key in account.pushed
        ]
        result.waiting = [item for item in result.waiting if item.provider != route.provider or item.key not in keys]
        for key in set(keys) - account.pushed.keys():
            account.booked.pop(key, None)
        now = route.clock.now()
        works = [Work(pair, 0, "changed", now, now) for pair in (Pair(route.provider, key) for key in keys)]
        try:
            _through(account, works, overlay, result)
        except (Unauthorized, Throttled, Temporary, LanePaused) as error:
            result.troubles[route.provider] = str(error)


# -- looking -------------------------------------------------------------------------------------------------------


def looks(route: Route, works: Sequence[Work], overlay: Overlay, account: Account | None = None) -> Iterator[Decided]:
    """Gather and decide as a run does. Raises the error of a provider that cannot be read at all."""
    for start in range(0, len(works), CHUNK):
        chunk = works[start : start + CHUNK]
        rows = customers.read(route.source, [work.pair.key for work in chunk])
        memory = remember(route, [work.pair.key for work in chunk])
        memory = account.unstored.over(memory) if account is not None else memory
        laid = [(work, _laid_over(rows.get(work.pair.key), work.pair.key, overlay)) for work in chunk]
        for case in patiently_looked(route, laid, memory):
            facts = account.after_pushes(case.facts, case.pair.key) if account is not None else case.facts
            facts = _contested(route, facts, overlay.get(case.pair.key, {}))
            yield decide(case._replace(facts=facts), route.terms())


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


# -- writing it down -------------------------------------------------------------------------------------------------


def _act(account: Account, decided: Decided, overlay: Overlay, result: Preview) -> None:
    """List what a run would do with this case, and go on with the case that follows an adoption."""
    provider, key = decided.case.pair.provider, decided.case.pair.key
    if decided.asks:
        decided = account.judged(decided)
    if isinstance(decided.action, Adopt):
        result.operations.append(Operation(provider, key, "adopt"))
        if decided.then is not None:
            _act(account, decided.then, overlay, result)
    elif decided.change is not None and decided.change.staged is not None:
        verb, names = decided.change.staged
        result.waiting.append(Waiting(provider, key, "staged", verb, names))
    elif isinstance(decided.action, Exchange):
        _exchange(account, decided, decided.action, overlay, result)
        account.note_push(decided)
    elif decided.write is not None and decided.write.verb is Verb.CREATE:
        result.operations.append(Operation(provider, key, "create", _from_nothing(decided.write.values)))
    elif decided.write is not None:
        verb = "archive" if decided.write.how is Removal.ARCHIVE else "delete"
        result.operations.append(Operation(provider, key, verb))
    elif isinstance(decided.action, Unlink):
        if decided.change is not None and decided.change.kind == "unlinked":
            result.operations.append(Operation(provider, key, "unlink"))
    else:
        _wait(decided, result)


def _wait(decided: Decided, result: Preview) -> None:
    case = decided.case
    provider, key = case.pair.provider, case.pair.key
    match decided.action or case.failure:
        case Park(kind, reason):
            if kind not in case.ignored:
                result.waiting.append(Waiting(provider, key, "review", f"{kind}: {reason}"))
        case Reject(name, reason) | Refused(name, reason):
            result.waiting.append(Waiting(provider, key, "rejected", reason, (name,) if name else ()))
        case Wait(why):
            result.waiting.append(Waiting(provider, key, why, why))
        case Failure(_, message):
            result.waiting.append(Waiting(provider, key, "retry", message))
        case _:
            pass


def _exchange(account: Account, decided: Decided, action: Exchange, overlay: Overlay, result: Preview) -> None:
    case = decided.case
    provider, key = case.pair.provider, case.pair.key
    source, remote = case.facts.source or {}, case.facts.remote
    there: Values = remote.values if remote is not None else {}
    if action.pull:
        fields = {name: (source.get(name), value) for name, value in action.pull.items()}
        result.operations.append(Operation(provider, key, "pull", fields))
        over = overruling(case.facts, action, action.pull)
        laid = {name: Laid(value, provider, name in over) for name, value in action.pull.items()}
        overlay.setdefault(key, {}).update(laid)
    if action.push:
        fields = {name: (there.get(name), value) for name, value in action.push.items()}
        if key in account.pushed:
            fields = _with_former_push(provider, key, fields, result)
        result.operations.append(Operation(provider, key, "update", fields))
    if action.review:
        reasons = sorted({reason.replace("-", "_") for reason in action.review.values()})
        result.waiting.append(Waiting(provider, key, "review", ", ".join(reasons), tuple(sorted(action.review))))


def _with_former_push(provider: str, key: str, fields: Mapping[str, Change], result: Preview) -> dict[str, Change]:
    """The fields of a push joined with those of an earlier listed push of the pair, which is taken off the list. Each
    field goes from the provider's present value to the last one pushed."""
    former = [op for op in result.operations if (op.provider, op.key, op.verb) == (provider, key, "update")]
    result.operations = [op for op in result.operations if op not in former]
    before = {name: change for op in former for name, change in op.fields.items()}
    return {**before, **{name: (before.get(name, change)[0], change[1]) for name, change in fields.items()}}


def _from_nothing(values: Values) -> dict[str, Change]:
    return {name: (None, value) for name, value in values.items() if value is not None}
