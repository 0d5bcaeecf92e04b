"""What a run would do, found out by doing all of it except the writing: `syncd plan` and `run-once --dry-run`.

The same capture, scan, gather and `core.plan` as a cycle, in the same order, over reading transactions alone: nothing
is acknowledged, marked, claimed or sent. What a run would pull into the source is laid over the rows, so that the
fan-out to the other providers is in the list too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from syncd.core.actions import Adopt, Create, Exchange, Park, Reject, Remove, Unlink, Wait
from syncd.core.facts import Facts
from syncd.core.guards import trips
from syncd.core.model import Customer, Remote, Removal, Value, Values, Work
from syncd.core.plan import plan
from syncd.detect.intake import REMOTE, row_of
from syncd.detect.intake_guard import VERB, foretold
from syncd.errors import OutcomeUnknown, ProviderError, Rejected, Temporary, Throttled, Unauthorized
from syncd.lanes import LanePaused
from syncd.operate.foresight import Marks, captured, due
from syncd.operate.reading import patiently, stopped
from syncd.reconcile import Route
from syncd.reconcile.create import adopted, create_asks, leave_asks, sendable
from syncd.reconcile.exchange import asks_of, braked, overruling
from syncd.reconcile.gather import gather, tie
from syncd.reconcile.outcome import Ask, granted, of_the_source, source_rows, total
from syncd.reconcile.outset import Case, Memory, remember
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import progress, review
from syncd.store.database import Transaction

CHUNK = 200
Change = tuple[Value, Value]  # from, to
Overlay = dict[str, dict[str, "Laid"]]  # customer key -> what runs would have pulled into its row


@dataclass(frozen=True, slots=True)
class Laid:
    """A value over a row: which provider it would come from, and whether it won over an edit of the source's own."""

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
    """A pair for which a run would do nothing yet, and why. `kind`: review, rejected, staged, adopt, absent, empty."""

    provider: str
    key: str
    kind: str
    reason: str
    fields: tuple[str, ...] = ()


@dataclass
class Preview:
    """The list. `troubles` names providers that could not be read, or that a person paused, and why."""

    operations: list[Operation] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    paused: dict[str, str] = field(default_factory=dict)

    def staged(self) -> dict[tuple[str, str], int]:
        """How many operations each guard would hold back, by provider and guard."""
        counts: dict[tuple[str, str], int] = {}
        for item in self.waiting:
            if item.kind == "staged":
                counts[item.provider, item.reason] = counts.get((item.provider, item.reason), 0) + 1
        return counts


@dataclass
class Budget:
    """The guards of one provider, counted on from where they stand; what a later look replaces is given back."""

    route: Route
    booked: dict[str, tuple[Ask, ...]] = field(default_factory=dict)

    def holds(self, case: Case, asks: Sequence[Ask]) -> Ask | None:
        """The guard that would stage the operation; None when it passes them all, and is counted."""
        self.give_back(case.pair.key)
        with self.route.state.read() as tx:
            held = next((ask for ask in asks if not granted(case, ask) and self._over(tx, ask)), None)
        if held is None:
            self.booked[case.pair.key] = tuple(asks)
        return held

    def give_back(self, key: str) -> None:
        """What was counted for this customer."""
        self.booked.pop(key, None)

    def _over(self, tx: Transaction, ask: Ask) -> bool:
        if ask.limit is None:
            return False
        spent = progress.spent(tx, self.route.provider, ask.verb, self.route.later(-ask.limit.window))
        spent += sum(other.number for asks in self.booked.values() for other in asks if other.verb == ask.verb)
        rows = source_rows(self.route) if of_the_source(ask) else 0
        return trips(ask.limit, spent, total(tx, self.route, ask, rows), ask.number)


def preview(site: Installation, routes: Sequence[Route], *, wait: float = 30.0, scan: bool = False) -> Preview:
    """Everything a `run-once --wait WAIT` that started now would do. Raises what a run would raise before it began:
    `SafetyStop`, `SetupNeeded`, `SourceUnreachable`."""
    result, overlay = Preview(), Overlay()
    marks, budgets = captured(site), {route.provider: Budget(route) for route in routes}
    until = site.clock.now() + timedelta(seconds=wait)
    for route in routes:
        pause = stopped(site, route)
        if pause:
            result.paused[route.provider] = pause
            continue
        try:
            foreseen = patiently(route, lambda route=route: due(site, route, marks, until, scan=scan))  # type: ignore[misc]
            budgets[route.provider].route = replace(route, listed=foreseen.listed)
            _arrivals(site, route, foreseen.arrivals, overlay, result)
            _through(budgets[route.provider], foreseen.works, marks, overlay, result)
        except (Unauthorized, Throttled, Temporary, LanePaused) as error:
            result.troubles[route.provider] = str(error)
    _fan_out(budgets, marks, overlay, result)
    _judged_together(result)
    return result


def _judged_together(result: Preview) -> None:
    """Where the guard would hold back one deletion, it holds back all that are due."""
    over = {item.provider for item in result.waiting if (item.kind, item.reason) == ("staged", "delete")}
    held = [op for op in result.operations if op.provider in over and op.verb in {"archive", "delete"}]
    result.operations = [op for op in result.operations if op not in held]
    result.waiting += [Waiting(op.provider, op.key, "staged", "delete") for op in held]


def _arrivals(site: Installation, route: Route, remotes: Sequence[Remote], overlay: Overlay, result: Preview) -> None:
    """Records that would become rows, under a key that stands for the one which the source will choose."""
    entering, outside = foretold(site, route, remotes)
    for remote in entering:
        key = REMOTE + remote.external_id
        values = row_of(route, remote)
        overlay[key] = {name: Laid(value, route.provider) for name, value in values.items()}
        result.operations.append(Operation(route.provider, key, "insert", _from_nothing(values)))
    for remote in outside:
        result.waiting.append(Waiting(route.provider, REMOTE + remote.external_id, "staged", VERB))


def _through(budget: Budget, works: Sequence[Work], marks: Marks, overlay: Overlay, result: Preview) -> None:
    for case, action in looks(budget.route, works, marks, overlay):
        _act(budget.route, case, action, budget, (result, overlay))


def _fan_out(budgets: Mapping[str, Budget], marks: Marks, overlay: Overlay, result: Preview) -> None:
    """Rows that a pull or an insert would change, once more for every other provider; what it would push there gives
    way to what it pushes then."""
    for budget in budgets.values():
        route = budget.route
        keys = [key for key, laid in overlay.items() if any(one.provider != route.provider for one in laid.values())]
        if not keys or route.provider in result.troubles or route.provider in result.paused:
            continue
        result.operations = [
            op for op in result.operations if op.provider != route.provider or op.key not in keys or op.verb == "pull"
        ]
        result.waiting = [item for item in result.waiting if item.provider != route.provider or item.key not in keys]
        for key in keys:
            budget.give_back(key)
        now = route.clock.now()
        works = [Work(pair, 0, "changed", now, now) for pair in (marks.pair(route.provider, key) for key in keys)]
        try:
            _through(budget, works, marks, overlay, result)
        except (Unauthorized, Throttled, Temporary, LanePaused) as error:
            result.troubles[route.provider] = str(error)


# -- looking -------------------------------------------------------------------------------------------------------


def looks(route: Route, works: Sequence[Work], marks: Marks, overlay: Overlay) -> Iterator[tuple[Case, object]]:
    """Gather and decide, pair by pair, exactly as a run does. An error of the pair itself is its action."""
    for start in range(0, len(works), CHUNK):
        chunk = works[start : start + CHUNK]
        rows = customers.read(route.source, [work.pair.key for work in chunk])
        memory = marks.moved(route.provider, remember(route, marks.known_as([work.pair.key for work in chunk])))
        for work in chunk:
            row = rows.get(work.pair.key)
            if row is None and work.pair.key.startswith(REMOTE) and work.pair.key in overlay:
                row = Customer(work.pair.key, _values(overlay[work.pair.key]))
            elif row is not None and row.key in overlay:
                row = replace(row, values={**row.values, **_values(overlay[row.key])})
            yield _look(route, work, row, memory, overlay.get(work.pair.key, {}))


def _values(laid: Mapping[str, Laid]) -> dict[str, Value]:
    return {name: one.value for name, one in laid.items()}


def _contested(route: Route, facts: Facts, laid: Mapping[str, Laid]) -> Facts:
    """With the providers that the laid values come from as rivals, as the run would find them in the state."""
    others = {name: one for name, one in laid.items() if one.provider != route.provider}
    ties = {name: tie(route, one.provider, beaten=one.overruled) for name, one in others.items()}
    return replace(
        facts,
        ties={**facts.ties, **ties},
        rivals={**facts.rivals, **{name: one.provider for name, one in others.items()}},
        beaten=facts.beaten | {name for name, one in others.items() if one.overruled},
    )


def _look(
    route: Route, work: Work, row: Customer | None, memory: Memory, laid: Mapping[str, Laid]
) -> tuple[Case, object]:
    try:
        case = patiently(route, lambda: gather(route, work, row, memory))
        case = replace(case, facts=_contested(route, case.facts, laid))
        action: object = plan(case.facts)
        if isinstance(action, Adopt):
            case = adopted(route, case, action)
            follow_up = plan(case.facts)
            return case, (action, follow_up)
    except Rejected as refused:
        return _blank(route, work, row), Reject(refused.field, refused.reason)
    except (Unauthorized, Throttled, Temporary):
        raise
    except (OutcomeUnknown, ProviderError) as error:
        return _blank(route, work, row), error
    return case, action


def _blank(route: Route, work: Work, row: Customer | None) -> Case:
    return Case(work, Facts(route.rules, route.digester(work.pair.key)), row, work.pair.key)


# -- writing it down -------------------------------------------------------------------------------------------------


def _act(route: Route, case: Case, action: object, budget: Budget, into: tuple[Preview, Overlay]) -> None:
    operations, (provider, key) = into[0].operations, (case.pair.provider, case.pair.key)
    match action:
        case (Adopt(), follow_up):
            operations.append(Operation(provider, key, "adopt"))
            _act(route, case, follow_up, budget, into)
        case Exchange():
            _exchange(route, case, action, budget, into)
        case Create(values):
            if not _staged(budget, case, create_asks(route, case), into[0]):
                operations.append(Operation(provider, key, "create", _from_nothing(sendable(route, values))))
        case Remove(_, how):
            if not _staged(budget, case, (Ask("delete", route.guards.delete),), into[0]):
                operations.append(Operation(provider, key, "archive" if how is Removal.ARCHIVE else "delete"))
        case Unlink() if case.facts.link is not None:
            if not action.guarded or not _staged(budget, case, leave_asks(route), into[0]):
                operations.append(Operation(provider, key, "unlink"))
        case _:
            _wait(route, key, action, into[0])


def _staged(budget: Budget, case: Case, asks: Sequence[Ask], result: Preview) -> bool:
    held = budget.holds(case, asks)
    if held is not None:
        result.waiting.append(Waiting(case.pair.provider, case.pair.key, "staged", held.verb, held.names))
    return held is not None


def _wait(route: Route, key: str, action: object, result: Preview) -> None:
    match action:
        case Park(kind, reason) if not _left_alone(route, key, kind):
            result.waiting.append(Waiting(route.provider, key, "review", f"{kind}: {reason}"))
        case Reject(name, reason):
            result.waiting.append(Waiting(route.provider, key, "rejected", reason, (name,) if name else ()))
        case Wait(why):
            result.waiting.append(Waiting(route.provider, key, why, why))
        case ProviderError():
            result.waiting.append(Waiting(route.provider, key, "retry", action.message))
        case _:
            pass


def _exchange(route: Route, case: Case, action: Exchange, budget: Budget, into: tuple[Preview, Overlay]) -> None:
    result, overlay = into
    provider, key = case.pair.provider, case.pair.key
    action, _ = braked(route, case, action)
    if _staged(budget, case, asks_of(route, case, action), result):
        return
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
        result.operations.append(Operation(provider, key, "update", fields))
    if action.review:
        reasons = sorted({reason.replace("-", "_") for reason in action.review.values()})
        result.waiting.append(Waiting(provider, key, "review", ", ".join(reasons), tuple(sorted(action.review))))


def _left_alone(route: Route, key: str, kind: str) -> bool:
    with route.state.read() as tx:
        return review.ignored(tx, route.provider, key, kind)


def _from_nothing(values: Values) -> dict[str, Change]:
    return {name: (None, value) for name, value in values.items() if value is not None}
