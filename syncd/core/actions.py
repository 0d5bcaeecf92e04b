"""The nine actions that `plan` may decide for a pair."""

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
    """Link the pair to a remote that exists. `own`: our create, whose answer was lost, made that remote; the base is
    then what the create sent."""

    remote: Remote
    own: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """Move fields between the source row and the remote of a linked pair. Of `settle` fields only the base is renewed.
    `review` maps a field to the reason why a person is asked; `reasons` holds every field's reason. `resolved` maps a
    field whose conflict needed no person to the side whose value won (`source`, or a provider's name). The provider
    stores `lossy` fields shorter. `frozen` maps a field that swings to and fro to the writers that contradict each
    other."""

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
    """Stop the pair until a person decides. `void`: a person's order could not be carried out and ends in this
    question."""

    kind: str
    reason: str
    void: bool = False


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


LEFT_OUT = "out of scope"
"""How the tombstones are marked of customers whom a filter left out."""


@dataclass(frozen=True, slots=True)
class Unlink:
    """End the link. `tombstone`: leave a tombstone, so that no scan and no retry brings the customer back unasked.
    `again`: the source has a row under this key, and the next look treats the row as an unlinked customer. `guarded`: a
    filter excludes the customer; the delete guard counts this, because one wrong line of the settings may exclude every
    customer. A tombstone is left then too: the record stays, and a customer who is back in the selection must not get a
    second one."""

    reason: str
    tombstone: bool
    again: bool = False
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again later; `why` is `adopt`, `absent`, `back`, `empty` or `unread`."""

    why: str


Action = Nothing | Create | Adopt | Exchange | Park | Reject | Remove | Unlink | Wait
