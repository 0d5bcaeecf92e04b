"""The decision: facts about one pair in, one action out. Read `merge` for the fields, this for everything around them.

`plan`, `syncd plan`, `--dry-run`, `explain` and the daemon all call this one function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from syncd.core.guards import IDENTIFYING, guts, same_person
from syncd.core.merge import Decision, FieldFacts, Seen, Tie, Verdict, merge
from syncd.core.model import (
    CreateMode,
    Direction,
    FieldBase,
    Intent,
    Link,
    Policy,
    Remote,
    Removal,
    Stage,
    Value,
    Values,
    Verb,
)
from syncd.core.normalise import degraded, equal

OUTWARD = frozenset({Verb.CREATE, Verb.UPDATE})


class Departure(StrEnum):
    """What is known about a source row that cannot be read."""

    BACK = "back"  # it was there again a moment later
    UNPROVEN = "unproven"  # absent at one look, no trigger said so
    EMPTY = "empty"  # the whole source is empty or unreadable: proves nothing
    OUT_OF_SCOPE = "out-of-scope"  # the view hides it, the table still has it
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings and the adapter say about one provider; `fields` holds each field's effective direction."""

    provider: str
    fields: Mapping[str, Direction] = field(default_factory=dict)
    policy: Policy = Policy.SOURCE
    on_delete: Removal = Removal.KEEP
    create: CreateMode = CreateMode.AFTER_MATCH
    adopted: bool = False
    writable: bool = True
    repeatable: bool = True  # a create may be repeated once a look-up proves that nothing arrived
    renumbers: bool = True  # our key at the provider may change later, as an ordinary field
    clears: bool = True  # an empty value can be sent and is kept as empty
    echoes: bool = False  # an answered write may still be stored later, and shorter


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decided about one field, valid only for the two digests that were on the screen."""

    take: Direction | None  # None: ignore
    shown: tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that `plan` may look at.

    source     the projected row, None where it could not be read (then `departure` says what is known)
    rejection  (field, reason) where the provider's rules refuse the projection
    remote     the linked record as fetched just now; None with a linked pair means: proven not to exist
    found      records that carry our key, looked up just now, for a pair that is not linked
    claimed    external ids among `found` that are linked to other customers
    holder     another customer whose reserved key at this provider is the one we want
    key_alive  after a deletion: another live customer carries our key at the provider
    reborn     the row was inserted, or deleted and inserted again, since the last look
    ordered    what a person ordered for the pair: `link` (`found` is then the one record to link), `unlink`, or after a
               delete conflict `remove` or `keep`
    held       (kind, reason) of a question that is not answered, or was answered with "leave it alone": nothing is
               created before
    """

    rules: Rules
    digest: Callable[[str, Value], str]
    source: Values | None = None
    departure: Departure | None = None
    rejection: tuple[str, str] | None = None
    link: Link | None = None
    remote: Remote | None = None
    found: tuple[Remote, ...] = ()
    claimed: frozenset[str] = frozenset()
    holder: str | None = None
    key_alive: bool = False
    buried: bool = False
    intents: tuple[Intent, ...] = ()
    composed: frozenset[str] = frozenset()
    rulings: Mapping[str, Ruling] = field(default_factory=dict)
    create_anyway: bool = False
    reborn: bool = False
    ordered: str = ""
    held: tuple[str, str] | None = None
    ties: Mapping[str, Tie] = field(default_factory=dict)
    fill: bool = False


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
    `reasons` every field's reason, `resolved` conflicts that a policy decided, `lossy` fields kept shorter there."""

    push: Values = field(default_factory=dict)
    pull: Values = field(default_factory=dict)
    settle: frozenset[str] = frozenset()
    review: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, str] = field(default_factory=dict)
    lossy: frozenset[str] = frozenset()


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
    """Archive or delete the remote, then unlink and leave a tombstone."""

    remote: Remote
    how: Removal


@dataclass(frozen=True, slots=True)
class Unlink:
    """Forget the link; `tombstone` keeps anybody from bringing the customer back unasked. `again`: there is a row
    under this key, which is then looked at as one that nobody linked."""

    reason: str
    tombstone: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again later; `why` is `adopt`, `absent`, `back` or `empty`."""

    why: str


Action = Nothing | Create | Adopt | Exchange | Park | Reject | Remove | Unlink | Wait


def plan(facts: Facts) -> Action:
    """Decide what to do with one pair. Pure and total."""
    if facts.ordered == "unlink" and unknown_create(facts) is None:
        return Unlink("unlinked by a person", tombstone=False)
    if facts.source is None and facts.rejection is None:
        return _departed(facts)
    if facts.reborn and _another(facts):
        return Unlink("another customer has this key now", tombstone=True, again=True)
    if facts.link is not None and facts.link.external_id is not None:
        return _linked(facts)
    return _unlinked(facts)


def _linked(facts: Facts) -> Action:
    if facts.remote is None:
        return Park("remote_gone", "the provider no longer has this customer")
    if facts.remote.archived:
        return Park("remote_archived", "somebody archived or anonymised this customer at the provider")
    if facts.rejection is not None:
        return Reject(*facts.rejection)
    return exchange(facts)


def _another(facts: Facts) -> bool:
    """Whether a row that came anew under a known key is somebody else's: nothing that identifies a customer stayed."""
    own, base = unknown_create(facts), facts.link.base if facts.link is not None else {}
    agreed = {name: entry.source for name, entry in base.items()}
    agreed |= {name: digests.sent for name, digests in own.fields.items()} if own is not None else {}
    source = facts.source or {}
    known = {name for name, value in source.items() if value is not None and name in agreed}
    names = known & set(IDENTIFYING) or known
    return bool(names) and not any(agreed[name] == facts.digest(name, source[name]) for name in names)


def _unlinked(facts: Facts) -> Action:
    ours = tuple(remote for remote in facts.found if remote.external_id not in facts.claimed)
    if facts.ordered == "link":
        return _link_ordered(ours)
    if unknown_create(facts) is not None:
        found = _lost_create(facts, ours)
        if found is not None:
            return found
    if facts.rejection is not None:
        return Reject(*facts.rejection)
    if facts.held is not None and not facts.create_anyway:
        return Park(*facts.held)
    if facts.holder is not None:
        return Park("key_taken", "another customer already has this key at the provider")
    if facts.buried and not facts.create_anyway:
        return _came_back(facts, ours)
    if facts.rules.create is CreateMode.NEVER and not facts.create_anyway:
        return Nothing("excluded")
    if facts.found:
        return Park("found", "the provider already has a customer with this key that nobody linked")
    if not facts.rules.adopted and not facts.create_anyway:
        return Wait("adopt")
    return Create(facts.source or {})


def _lost_create(facts: Facts, ours: tuple[Remote, ...]) -> Action | None:
    """What became of a create whose answer was lost; None where it proved not to have happened."""
    if len(facts.found) > 1 or len(ours) != len(facts.found):
        return Park("ambiguous", "several remotes carry this customer's key")
    if ours and not _recognised(facts, ours[0]):
        return Park("found", "a record with this customer's key appeared that holds nothing of what was sent")
    if ours:
        return Adopt(ours[0], own=True)
    if not facts.rules.repeatable and not facts.create_anyway:
        return Park("unknown_create", "a create was lost and cannot be looked up by our key")
    return None


def _recognised(facts: Facts, remote: Remote) -> bool:
    """Whether a record can be the one that our lost create made: any filled value in it is one that was sent, or is
    what is left of the source's. A person who made it under the same number typed other data."""
    sent, source = late_digests(facts.intents), facts.source or {}
    filled = {n: value for n, value in remote.values.items() if value is not None and n in sent and n != "number"}
    return not filled or any(
        facts.digest(name, value) in sent[name] or degraded(source.get(name), value) for name, value in filled.items()
    )


def _link_ordered(ours: tuple[Remote, ...]) -> Action:
    """A person named the record. It must be there, in use, and nobody else's."""
    if len(ours) != 1:
        return Park("ambiguous", "the record to be linked is not there, or is linked to another customer")
    if ours[0].archived:
        return Park("remote_archived", "the record to be linked is archived or anonymised")
    return Adopt(ours[0], own=False)


def _came_back(facts: Facts, ours: tuple[Remote, ...]) -> Action:
    if len(ours) == 1 and len(facts.found) == 1 and same_person(facts.source or {}, ours[0].values):
        return Adopt(ours[0], own=False)
    return Park("came_back", "this customer was removed before and is here again")


def _departed(facts: Facts) -> Action:
    if facts.departure is Departure.EMPTY:
        return Wait("empty")
    if facts.departure is Departure.BACK:
        return Wait("back")
    if facts.departure is Departure.UNPROVEN:
        linked = facts.link is not None and facts.link.external_id is not None
        return Wait("absent") if linked or facts.intents else Unlink("not in the source", tombstone=False)
    if facts.departure is Departure.OUT_OF_SCOPE:
        return Unlink("out of scope", tombstone=False)
    remote = facts.remote
    if remote is None and unknown_create(facts) is not None and len(facts.found) == 1:
        remote = facts.found[0] if facts.found[0].external_id not in facts.claimed else None
    if facts.ordered == "keep" or facts.rules.on_delete is Removal.KEEP or remote is None or remote.archived:
        return Unlink("deleted in the source", tombstone=True)
    if facts.key_alive:
        return Park("delete_conflict", "another live customer carries this key")
    if facts.ordered != "remove" and remote is not facts.remote and not _recognised(facts, remote):
        return Park("delete_conflict", "deleted in the source; what carries its key holds nothing of what was sent")
    if facts.ordered != "remove" and facts.link is not None and _edited_there(facts, remote):
        return Park("delete_conflict", "deleted in the source, edited at the provider")
    return Remove(remote, facts.rules.on_delete)


def _edited_there(facts: Facts, remote: Remote) -> bool:
    base = facts.link.base if facts.link is not None else {}
    late = late_digests(facts.intents)
    return any(
        entry.provider is not None
        and name in remote.values
        and facts.digest(name, remote.values[name]) not in {entry.provider, *late.get(name, ())}
        for name, entry in base.items()
    )


def exchange(facts: Facts) -> Action:
    """Merge every field of a linked pair whose both sides were read."""
    decisions = {name: _overrule(facts, name, decision) for name, decision in verdicts(facts).items()}
    chosen: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for name, decision in decisions.items():
        chosen[decision.verdict].append(name)
    source, there = facts.source or {}, (facts.remote.values if facts.remote else {})
    review = {name: decisions[name].reason for name in chosen[Verdict.REVIEW]}
    pull = {name: there[name] for name in chosen[Verdict.PULL]}
    held = "read-only" if not facts.rules.writable else "gutted" if guts(source, pull) else ""
    if held:
        undecided = [name for name in pull if held == "read-only" or decisions[name].reason != "decided"]
        review |= {name: held for name in undecided if not _left_alone(facts, name)}
        pull = {name: value for name, value in pull.items() if name not in undecided}
    result = Exchange(
        push={name: source[name] for name in chosen[Verdict.PUSH]},
        pull=pull,
        settle=frozenset(chosen[Verdict.SETTLE]),
        review=review,
        reasons={name: decision.reason for name, decision in decisions.items()},
        resolved={
            name: "provider" if name in pull else "source"
            for name, decision in decisions.items()
            if decision.reason == "conflict" and (name in pull or decision.verdict is Verdict.PUSH)
        },
        lossy=frozenset(name for name, decision in decisions.items() if decision.reason == "lossy"),
    )
    if not (result.push or result.pull or result.settle or result.review):
        return Nothing()
    return result


def _overrule(facts: Facts, name: str, decision: Decision) -> Decision:
    """A number that is the provider's address for the customer cannot follow; and a person may have said `ignore` for
    exactly what is there now."""
    if name == "number" and not facts.rules.renumbers:
        decision = _number_for_good(facts, decision)
    if not facts.rules.clears and _stays_filled(facts, name, decision):
        decision = Decision(Verdict.REVIEW, "cannot-clear")
    if decision.verdict is Verdict.REVIEW and _left_alone(facts, name):
        return Decision(Verdict.KEEP, "ignored")
    return decision


def _number_for_good(facts: Facts, decision: Decision) -> Decision:
    """Whoever is linked under another number keeps it there; only a change since then is worth a question."""
    if decision.verdict in {Verdict.KEEP, Verdict.SETTLE}:
        return decision
    if facts.link is None or "number" not in facts.link.base:
        return Decision(Verdict.SETTLE, "own-number")
    return Decision(Verdict.REVIEW, "renumbered") if decision.verdict is not Verdict.REVIEW else decision


def _stays_filled(facts: Facts, name: str, decision: Decision) -> bool:
    """Emptied here, and the provider cannot empty it: agreeing in silence would hide that it still holds the value."""
    source, there = seen(facts, name)
    if source is None or source.value is not None or decision.verdict not in {Verdict.PUSH, Verdict.KEEP}:
        return False
    if there is None:
        return decision.verdict is Verdict.PUSH
    return there.value is not None and decision.reason not in {"off", "not-mapped", "ignored"}


def _left_alone(facts: Facts, name: str) -> bool:
    ruling = facts.rulings.get(name)
    return ruling is not None and ruling.take is None and _as_shown(facts, name)


def verdicts(facts: Facts) -> dict[str, Decision]:
    """The decision for each projected field, as `explain` shows it."""
    late = late_digests(facts.intents)
    return {name: merge(field_facts(facts, name, late)) for name in sorted(facts.source or {})}


def field_facts(facts: Facts, name: str, late: Mapping[str, frozenset[str]]) -> FieldFacts:
    """What `merge` may know of one field; `late` as `late_digests` gives it."""
    source, provider = seen(facts, name)
    country = (facts.source or {}).get("country")
    place = country if isinstance(country, str) else None
    same = bool(source and provider and equal(name, source.value, provider.value, place))
    ruling = facts.rulings.get(name)
    writes = [intent for intent in facts.intents if intent.verb in OUTWARD and name in intent.fields]
    return FieldFacts(
        source=source,
        provider=provider,
        base=facts.link.base.get(name) if facts.link is not None else None,
        direction=facts.rules.fields.get(name, Direction.BOTH),
        policy=facts.rules.policy,
        composed=name in facts.composed,
        equal=same,
        degraded=bool(source and provider and not same and degraded(source.value, provider.value)),
        late=late.get(name, frozenset()),
        sent=frozenset(i.fields[name].sent for i in writes if i.stage is Stage.OPEN or facts.rules.echoes),
        unsettled=any(intent.stage is Stage.OPEN for intent in writes),
        fill=facts.fill,
        decision=ruling.take if ruling is not None and ruling.take and _as_shown(facts, name) else None,
        tie=facts.ties.get(name, Tie.NONE),
    )


def seen(facts: Facts, name: str) -> tuple[Seen | None, Seen | None]:
    """Both sides of a field with their digests; None where unknown."""

    def side(values: Values) -> Seen | None:
        return Seen(values[name], facts.digest(name, values[name])) if name in values else None

    return side(facts.source or {}), side(facts.remote.values if facts.remote is not None else {})


def _as_shown(facts: Facts, name: str) -> bool:
    source, provider = seen(facts, name)
    now = (source.digest if source else None, provider.digest if provider else None)
    return facts.rulings[name].shown == now


def late_digests(intents: tuple[Intent, ...]) -> dict[str, frozenset[str]]:
    """Per field, the values that our own unconfirmed writes explain: what stood there before and what was sent."""
    explained: dict[str, set[str]] = {}
    for intent in intents:
        if intent.verb in OUTWARD:
            for name, sent in intent.fields.items():
                explained.setdefault(name, set()).update(filter(None, (sent.before, sent.sent)))
    return {name: frozenset(digests) for name, digests in explained.items()}


def recovered(facts: Facts) -> Facts:
    """With the base of pulls that reached the source before a crash kept them from being recorded: what the row holds
    there is no edit of a person, so that a later one at the provider meets no conflict."""
    if facts.link is None:
        return facts
    base = dict(facts.link.base)
    for intent in facts.intents:
        if intent.verb is Verb.PULL and intent.stage is Stage.OPEN:
            for name, digests in intent.fields.items():
                source = seen(facts, name)[0]
                if source is not None and source.digest == digests.sent:
                    base[name] = FieldBase(digests.sent, digests.sent, pulled=True)
    return replace(facts, link=replace(facts.link, base=base))


def unknown_create(facts: Facts) -> Intent | None:
    """Our own create whose outcome nobody knows, if there is one."""
    return next((i for i in facts.intents if i.verb is Verb.CREATE and i.stage is Stage.OPEN), None)


def renewed(facts: Facts, stored: Values, names: frozenset[str], *, provisional: bool) -> dict[str, FieldBase]:
    """The base after agreement: the source's present spelling, and the provider's as stored (None where unreadable)."""
    source = facts.source or {}
    return {
        name: FieldBase(
            source=facts.digest(name, source[name]),
            provider=facts.digest(name, stored[name]) if name in stored else None,
            provisional=provisional,
        )
        for name in names
        if name in source
    }
