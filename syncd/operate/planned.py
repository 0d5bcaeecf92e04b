"""What a plan says: the writes that a run would make, and the pairs for which it would do nothing yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.core.actions import Adopt, Exchange, Park, Reject, Unlink, Wait
from syncd.core.agreement import overruling
from syncd.core.case import Decided
from syncd.core.effects import Failure, Refused
from syncd.core.model import Removal, Value, Values, Verb
from syncd.operate.account import Account
from syncd.reconcile.guard import KEY_TAKEN

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
class Plan:
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


def write_down(account: Account, decided: Decided, overlay: Overlay, result: Plan) -> None:
    """List what a run would do with this case, and go on with the case that follows an adoption."""
    provider, key = decided.case.pair.provider, decided.case.pair.key
    if decided.asks:
        decided = account.judged(decided)
    if isinstance(decided.action, Adopt):
        result.operations.append(Operation(provider, key, "adopt"))
        if decided.then is not None:
            write_down(account, decided.then, overlay, result)
    elif decided.change is not None and decided.change.staged is not None:
        verb, names = decided.change.staged
        result.waiting.append(Waiting(provider, key, "staged", verb, names))
    elif isinstance(decided.action, Exchange):
        _exchange(account, decided, decided.action, overlay, result)
        account.note_push(decided)
    elif not account.reserves(decided):
        result.waiting.append(Waiting(provider, key, "review", f"{KEY_TAKEN.kind}: {KEY_TAKEN.reason}"))
    elif decided.write is not None and decided.write.verb is Verb.CREATE:
        result.operations.append(Operation(provider, key, "create", from_nothing(decided.write.values)))
    elif decided.write is not None:
        verb = "archive" if decided.write.how is Removal.ARCHIVE else "delete"
        result.operations.append(Operation(provider, key, verb))
    elif isinstance(decided.action, Unlink):
        if decided.change is not None and decided.change.kind == "unlinked":
            result.operations.append(Operation(provider, key, "unlink"))
    else:
        _wait(decided, result)


def _wait(decided: Decided, result: Plan) -> None:
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


def _exchange(account: Account, decided: Decided, action: Exchange, overlay: Overlay, result: Plan) -> None:
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


def _with_former_push(provider: str, key: str, fields: Mapping[str, Change], result: Plan) -> dict[str, Change]:
    """The fields of a push joined with those of an earlier listed push of the pair, which is taken off the list. Each
    field goes from the provider's present value to the last one pushed."""
    former = [op for op in result.operations if (op.provider, op.key, op.verb) == (provider, key, "update")]
    result.operations = [op for op in result.operations if op not in former]
    before = {name: change for op in former for name, change in op.fields.items()}
    return {**before, **{name: (before.get(name, change)[0], change[1]) for name, change in fields.items()}}


def from_nothing(values: Values) -> dict[str, Change]:
    """The changes that a new record or row makes: from nothing to each value that it gets."""
    return {name: (None, value) for name, value in values.items() if value is not None}
