"""What a decision may be: nine actions, and nothing else ever happens to a pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.core.model import Remote, Removal, Values


@dataclass(frozen=True, slots=True)
class Nothing:
    """Both sides agree, or there is nothing to agree about."""

    reason: str = "agreed"


@dataclass(frozen=True, slots=True)
class Create:
    """A new remote from these values."""

    values: Values


@dataclass(frozen=True, slots=True)
class Adopt:
    """Link an existing remote; `own` when our create of unknown outcome made it: what was sent is then the base."""

    remote: Remote
    own: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """Move fields between two linked sides. `settle` fields only move the base, `review` maps field to reason,
    `reasons` every field's reason, `resolved` conflicts that were decided without a person and whose value won
    (`source` or a provider by its name), `lossy` fields kept shorter there, `frozen` fields that swing to and fro with
    those who swing them."""

    push: Values = field(default_factory=dict)
    pull: Values = field(default_factory=dict)
    settle: frozenset[str] = frozenset()
    review: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, str] = field(default_factory=dict)
    lossy: frozenset[str] = frozenset()
    frozen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Park:
    """Stop the pair until a person decides."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The provider's rules refuse this customer until it changes."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Archive or delete the remote, then unlink and leave a tombstone; `again` as with `Unlink`."""

    remote: Remote
    how: Removal
    again: bool = False


@dataclass(frozen=True, slots=True)
class Unlink:
    """Forget the link; `tombstone` keeps anybody from bringing the customer back unasked. `again`: there is a row
    under this key, which is then looked at as one that nobody linked. `guarded`: a filter sent the customer away, and
    one line in the settings may send everybody."""

    reason: str
    tombstone: bool
    again: bool = False
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again later; `why` is `adopt`, `absent`, `back`, `empty` or `unread`."""

    why: str


Action = Nothing | Create | Adopt | Exchange | Park | Reject | Remove | Unlink | Wait
