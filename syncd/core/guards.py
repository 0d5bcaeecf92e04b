"""Guards: how many operations of one kind may be executed within a window before a person must look."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from syncd.core.model import Value, Values
from syncd.core.normalise import degraded, equal

NEVER_BELOW = 10  # a share never trips below this many operations
VITAL = ("name", "email", "phone", "street")
IDENTIFYING = ("number", "email", "vat_number")
NAMES = frozenset({"name", "first_name", "last_name", "contact_person"})
REVERSALS = 3
STAGED = "staged:"
GRANTED = "granted:"
MILDER = MappingProxyType({"blank": ("overwrite", "update"), "overwrite": ("update",)})
BRAKE_WINDOW = timedelta(hours=24)
ACCEPTED = "accepted:report"  # the class of a due pair that `syncd adopt` approved, as its report showed it


@dataclass(frozen=True, slots=True)
class Limit:
    """`share` of a total (0..1) or an absolute `count`, within `window` seconds."""

    share: float | None
    count: int | None
    window: float


class Guards(NamedTuple):
    """The limits of one provider; None switches one off."""

    update: Limit | None = None
    delete: Limit | None = None
    blank: Limit | None = None
    overwrite: Limit | None = None
    create: Limit | None = None


class Ask(NamedTuple):
    """One operation that a guard is asked about; blank-outs count by field, any other operation as one."""

    verb: str
    limit: Limit | None
    names: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        return len(self.names) if self.verb == "blank" else 1

    @property
    def of_the_source(self) -> bool:
        """Whether the limit's share is of the source's rows; else it is of the provider's pairs."""
        return self.limit is not None and self.limit.share is not None and self.verb in {"create", "overwrite"}


def granted(error_class: str, shown: str, ask: Ask) -> bool:
    """Whether a person's release covers this operation: this verb, and these fields (`shown`, joined) or fewer.

    A release also passes the operation's milder guards: otherwise, with two guards at their limits, each would stage
    what the other let pass, for ever.
    """
    if not error_class.startswith(GRANTED):
        return False
    verb = error_class.removeprefix(GRANTED)
    if verb == ask.verb:
        return set(ask.names) <= set(shown.split(","))
    return ask.verb in MILDER.get(verb, ())


def trips(limit: Limit | None, spent: int, total: int, more: int = 1) -> bool:
    """Whether `more` operations after `spent` in the window would pass the limit."""
    if limit is None:
        return False
    if limit.count is not None:
        return spent + more > limit.count
    return spent + more > max(NEVER_BELOW, int((limit.share or 0.0) * total))


def accepted(error_class: str, shown: str, verb: str, names: Iterable[str]) -> bool:
    """Whether a person accepted this operation with a match report: a create, or fields that it showed (`shown`,
    joined) to be filled or different. No guard counts it or holds it back."""
    if error_class != ACCEPTED:
        return False
    return verb == "create" or (verb in {"update", "overwrite"} and set(names) <= set(shown.split(",")))


def blanked(before: Values, changes: Values) -> tuple[str, ...]:
    """Fields that a write would empty."""
    return tuple(name for name, value in changes.items() if value is None and before.get(name) is not None)


def guts(before: Values, changes: Values) -> bool:
    """Whether one pull would take three or more of name, e-mail, phone and street from a customer."""
    return len([name for name in blanked(before, changes) if name in VITAL]) >= 3


class Move(NamedTuple):
    """One executed movement of fields: which way, at which provider, when."""

    direction: str  # push | pull
    provider: str
    at: datetime
    fields: frozenset[str] = frozenset()


def flips(history: Sequence[Move], coming: Move) -> bool:
    """Whether a field would swing: three reversals of direction, or of the pulling provider, within 24 hours.

    Movements of one direction never count, however many: a person may toggle a flag all day. Pushes that follow a
    pull to *other* providers are its fan-out, not a reversal, so reversals are judged per provider.
    """
    recent = _recent(history, coming)
    own = [move.direction for move in recent if move.provider == coming.provider]
    pulls = [move.provider for move in recent if move.direction == "pull"]
    return _reversals(own) >= REVERSALS or _reversals(pulls) >= REVERSALS


def writers(history: Sequence[Move], coming: Move) -> tuple[str, ...]:
    """The writers of a field that swings: the providers that contradict each other, or this provider and the source."""
    recent = _recent(history, coming)
    pulls = [move.provider for move in recent if move.direction == "pull"]
    if _reversals(pulls) >= REVERSALS:
        return tuple(sorted(set(pulls)))
    return (coming.provider, "source")


def _recent(history: Sequence[Move], coming: Move) -> list[Move]:
    return [*(move for move in history if coming.at - move.at <= BRAKE_WINDOW), coming]


def _reversals(trail: Sequence[str]) -> int:
    return sum(1 for one, two in itertools.pairwise(trail) if one != two)


def same_person(one: Values, other: Values) -> bool:
    """Whether a row that came back is the same customer's: number, VAT number or e-mail agree and are filled.

    E-mail or number alone do not count beside names of which none is the same: families and head offices share an
    e-mail, and a shop gives the number of a deleted customer to the next one.
    """
    agreed = {name for name in IDENTIFYING if _filled(one.get(name)) and one.get(name) == other.get(name)}
    told = [name for name in NAMES if _filled(one.get(name)) and _filled(other.get(name))]
    if agreed in ({"email"}, {"number"}) and told:
        return any(equal(name, one[name], other[name]) or degraded(one[name], other[name]) for name in told)
    return bool(agreed)


def _filled(value: Value) -> bool:
    return isinstance(value, str) and bool(value)
