"""The merge of one field: two sides, one base, one verdict.

The three-way merge of Unison and OfflineIMAP, by field, with a base *per side* as vdirsyncer keeps it, so that a
provider that reformats is no editor. Whole behaviour:

    neither changed            keep
    only the source changed    push            (a `pull` field: review)
    only the provider changed  pull            (a `push` or composed field: answered with the source's value)
    both, equal                settle          (the base moves, nothing is written)
    both, different            the policy      (a value pulled from another provider: the order of providers decides)
    no base                    equal settles, push/pull fields go their way, else the policy; never blank, and fill only
                               where the direction says so, or the field was mapped later and the provider's is empty;
                               a value that may be a changed form of the source's is not pulled: a person is asked
    unknown                    counts as unchanged on that side; a first appearance is never a pull

A provider's value that one of our writes of unknown outcome explains (the value before the write, or the value sent) is
late or stale and never an edit: the source's value is pushed again. As long as such a write may have left a changed
form of an older value, a value without explanation is not pulled: a person is asked. A changed form of the sent value
corrects a provisional base only until a reading has shown the full value; after that a person is asked.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from syncd.core.model import Direction, FieldBase, Policy, Value


class Verdict(StrEnum):
    """What happens to one field."""

    KEEP = "keep"
    SETTLE = "settle"
    PUSH = "push"
    PULL = "pull"
    REVIEW = "review"


class Tie(StrEnum):
    """Which provider wins a conflict about a source value that came from another provider: `ours`, this pair's;
    `theirs`, the other one; `review`, a person decides; `none`, the source's value came from no provider."""

    NONE = "none"
    OURS = "ours"
    THEIRS = "theirs"
    REVIEW = "review"


class Seen(NamedTuple):
    """A value as read, with its keyed digest."""

    value: Value
    digest: str


class FieldFacts(NamedTuple):
    """All that `merge` may look at. A side that is None is unknown.

    equal      both sides mean the same in comparison form
    degraded   the provider's value is a cut, re-cased or re-punctuated form of the source's
    late       digests that our own writes of unknown outcome explain
    sent       what those writes sent, as far as the provider may store it yet, or keep a cut form of it
    unsettled  the outcome of such a write is not known yet: this look judges it
    fill       adoption: an empty side may be filled from the other, as the match report showed
    fresh      the field was mapped after the pair was linked: the provider's empty side is filled, like any change
    decision   what a person decided for exactly these two values
    """

    source: Seen | None
    provider: Seen | None
    base: FieldBase | None
    direction: Direction = Direction.BOTH
    policy: Policy = Policy.SOURCE
    composed: bool = False
    equal: bool = False
    degraded: bool = False
    late: frozenset[str] = frozenset()
    sent: frozenset[str] = frozenset()
    unsettled: bool = False
    fill: bool = False
    decision: Direction | None = None
    tie: Tie = Tie.NONE
    fresh: bool = False


class Decision(NamedTuple):
    """The verdict for one field; `reason` is a fixed word that people and tests can rely on."""

    verdict: Verdict
    reason: str


def merge(facts: FieldFacts) -> Decision:
    """Decide one field. Pure, total and deterministic."""
    source, provider, base = facts.source, facts.provider, facts.base
    if facts.direction is Direction.OFF:
        return Decision(Verdict.KEEP, "off")
    if source is None:
        return Decision(Verdict.KEEP, "not-mapped")
    if base is not None and base.frozen and facts.decision is None:
        return Decision(Verdict.SETTLE, "equal") if facts.equal else Decision(Verdict.REVIEW, "frozen")
    if provider is None:
        return _unreadable(facts, source)
    if facts.decision is not None:
        return _decided(facts)
    if provider.digest in facts.late and (base is None or provider.digest != base.provider):
        return Decision(Verdict.SETTLE, "equal") if facts.equal else _outward(facts, "late")
    if base is None:
        return _without_base(facts, source, provider)
    if base.provider is None:
        return _first_appearance(facts, source, base)
    return _three_way(facts, source, provider, base)


def _unreadable(facts: FieldFacts, source: Seen) -> Decision:
    """A person may order the source's value to be sent; the provider's value is unknown and cannot be taken."""
    if facts.decision is Direction.PUSH:
        return Decision(Verdict.PUSH, "decided")
    if facts.base is None:
        return Decision(Verdict.SETTLE, "unreadable")
    if source.digest == facts.base.source and not _superseded(facts, source):
        return Decision(Verdict.KEEP, "unreadable")
    return _outward(facts, "source-changed")


def _superseded(facts: FieldFacts, source: Seen) -> bool:
    """Whether an unconfirmed write of ours carried something else than what the source holds now."""
    return bool(facts.sent - {source.digest})


def _decided(facts: FieldFacts) -> Decision:
    """A composed value has no column to be pulled into: where a person takes the provider's value, both sides stay as
    they are until a part of the composed value changes."""
    if facts.equal:
        return Decision(Verdict.SETTLE, "equal")
    if facts.decision is Direction.PULL:
        return Decision(Verdict.SETTLE, "composed") if facts.composed else Decision(Verdict.PULL, "decided")
    return Decision(Verdict.PUSH, "decided")


def _without_base(facts: FieldFacts, source: Seen, provider: Seen) -> Decision:
    if facts.equal:
        return Decision(Verdict.SETTLE, "equal")
    if facts.composed or facts.direction is Direction.PUSH:
        if source.value is None:
            return Decision(Verdict.KEEP if facts.composed else Verdict.REVIEW, "no-base")
        return Decision(Verdict.PUSH, "no-base")
    if facts.direction is Direction.PULL:
        asks = provider.value is None or (facts.degraded and not facts.fill)
        return Decision(Verdict.REVIEW if asks else Verdict.PULL, "no-base")
    if source.value is None or provider.value is None:
        if not facts.fill and not (facts.fresh and provider.value is None):
            return Decision(Verdict.REVIEW, "no-base")
        return Decision(Verdict.PULL if source.value is None else Verdict.PUSH, "filled")
    decision = _by_policy(Policy.REVIEW if _superseded(facts, source) else facts.policy, "no-base")
    cut = decision.verdict is Verdict.PULL and facts.degraded and not facts.fill
    return Decision(Verdict.REVIEW, "no-base") if cut else decision


def _first_appearance(facts: FieldFacts, source: Seen, base: FieldBase) -> Decision:
    if facts.equal:
        return Decision(Verdict.SETTLE, "equal")
    if source.digest != base.source:
        return _outward(facts, "source-changed")
    if facts.degraded:
        return Decision(Verdict.SETTLE, "lossy")
    if facts.direction is Direction.PULL:
        return Decision(Verdict.REVIEW, "first-seen")
    if facts.composed or facts.direction is Direction.PUSH or facts.policy is Policy.SOURCE:
        return Decision(Verdict.PUSH, "first-seen")
    return Decision(Verdict.REVIEW, "first-seen")


def _three_way(facts: FieldFacts, source: Seen, provider: Seen, base: FieldBase) -> Decision:
    ours, theirs = source.digest != base.source, provider.digest != base.provider
    if not ours and not theirs:
        return Decision(Verdict.KEEP, "agreed")
    if facts.equal:
        return Decision(Verdict.SETTLE, "equal")
    if not theirs:
        return _outward(facts, "source-changed")
    seen_whole = base.shown and not ours
    was_sent = (facts.unsettled and source.digest in facts.sent) or (base.provisional and not ours)
    if facts.degraded and was_sent and not seen_whole:
        return Decision(Verdict.SETTLE, "lossy")
    if facts.composed or facts.direction is Direction.PUSH:
        return Decision(Verdict.PUSH, "push-only")
    # The provider's value may be a cut form of an older value that we sent, of which only the digest is left.
    # A cut form after a reading of the full value is as doubtful: the provider cut it late, or a person edited.
    mended = base.provisional and base.shown and facts.degraded
    doubtful = _superseded(facts, source) or base.disputed or (base.provisional and ours) or mended
    if not ours and not doubtful:
        return Decision(Verdict.PULL, "provider-changed")
    if not ours and not facts.unsettled:
        return Decision(Verdict.REVIEW, "conflict")
    decision = _conflict(facts)
    return Decision(Verdict.REVIEW, "conflict") if doubtful and decision.verdict is Verdict.PULL else decision


def _conflict(facts: FieldFacts) -> Decision:
    if facts.direction is Direction.PULL or facts.tie is Tie.REVIEW:
        return Decision(Verdict.REVIEW, "conflict")
    if facts.tie is not Tie.NONE:
        return Decision(Verdict.PULL if facts.tie is Tie.OURS else Verdict.PUSH, "conflict")
    return _by_policy(facts.policy, "conflict")


def _outward(facts: FieldFacts, reason: str) -> Decision:
    if facts.direction is Direction.PULL:
        return Decision(Verdict.REVIEW, "pull-only")
    return Decision(Verdict.PUSH, reason)


def _by_policy(policy: Policy, reason: str) -> Decision:
    if policy is Policy.REVIEW:
        return Decision(Verdict.REVIEW, reason)
    return Decision(Verdict.PUSH if policy is Policy.SOURCE else Verdict.PULL, reason)
