"""The decision: facts about one pair in, one action out. Read `merge` for the fields, this for everything around them.

`plan`, `syncd plan`, `--dry-run`, `explain` and the daemon all call this one function. Whole behaviour, the first line
that is true decides:

    a person ordered `unlink`             unlink; later while the outcome of a create of ours is unknown
    the row cannot be read                as "gone" below
    it looks like somebody else's
        not all of it is captured yet     wait
        it came anew                      unlink with a tombstone, then look again; where the settings remove: park
    linked
        the record is gone or archived    park: nobody is brought back by a write
        the provider's rules refuse it    reject
        else                              exchange what `merge` says field by field, but
            number fixed over there       review, or its own for good when it was linked that way
            emptied, cannot be emptied    review
            looks erased over there       review instead of pull, and of push over placeholders
            read-only source, gutting,    review instead of pull
            another's record by its ids
            left alone as shown           keep
    not linked
        a person named the record         adopt; park one that is not there, archived or another customer's
        our create may have made it       adopt the one that holds what was sent; park several, another's, a stranger,
                                          and none where nobody can look it up
        the provider's rules refuse it    reject
        a question about it is open       park
        another customer has its key      park
        it was removed before             adopt where number, e-mail or VAT number agree, else park
        create = "never"                  nothing
        a record carries its key          park: never overwritten, never linked by itself
        no match report was accepted      wait
        else                              create
    gone
        empty source, back, one look      wait
        only out of view or filter        unlink
        on_delete = "keep", nothing left  unlink with a tombstone
        another customer carries its key  park
        edited there, or not ours         park
        else                              remove

What a person ordered (`create`, `keep`, `remove`) stands before the doubt it answers, never before the key of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from syncd.core.actions import Action, Adopt, Create, Exchange, Nothing, Park, Reject, Remove, Unlink, Wait
from syncd.core.erasure import erasure
from syncd.core.facts import Departure, Facts, seen
from syncd.core.guards import guts, same_person
from syncd.core.merge import Decision, FieldFacts, Tie, Verdict, merge
from syncd.core.model import CreateMode, Direction, Remote, Removal, Stage, Values
from syncd.core.normalise import degraded, equal
from syncd.core.recognition import another, another_record, edited_there, recognised
from syncd.core.writes import OUTWARD, late_digests, unknown_create

SHALL_IT_GO = Park("delete_conflict", "another customer has this key now; shall the first one's record go?")


def plan(facts: Facts) -> Action:
    """Decide what to do with one pair. Pure and total."""
    if facts.ordered == "unlink" and unknown_create(facts) is None:
        return Unlink("unlinked by a person", tombstone=False)
    if facts.source is None and facts.rejection is None:
        return _departed(facts)
    if facts.unread:
        return Wait("unread")
    if facts.reborn and another(facts):
        return _succeeded(facts)
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
    if ours and not recognised(facts, ours[0]):
        return Park("found", "a record with this customer's key appeared that holds nothing of what was sent")
    if ours:
        return Adopt(ours[0], own=True)
    if not facts.rules.repeatable and not facts.create_anyway:
        return Park("unknown_create", "a create was lost and cannot be looked up by our key")
    return None


def _link_ordered(ours: tuple[Remote, ...]) -> Action:
    """A person named the record. It must be there, in use, and nobody else's."""
    if len(ours) != 1:
        return Park("ambiguous", "the record to be linked is not there, or is linked to another customer")
    if ours[0].archived:
        return Park("remote_archived", "the record to be linked is archived or anonymised")
    return Adopt(ours[0], own=False)


def _came_back(facts: Facts, ours: tuple[Remote, ...]) -> Action:
    """The record that was buried, and nobody else's who has the number by now, is linked again."""
    known = len(ours) == 1 and len(facts.found) == 1 and ours[0].external_id in facts.unearthed
    if known and same_person(facts.source or {}, ours[0].values):
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
        return Unlink("out of scope", tombstone=False, guarded=True)
    remote = facts.remote
    if remote is None and unknown_create(facts) is not None and len(facts.found) == 1:
        remote = facts.found[0] if facts.found[0].external_id not in facts.claimed else None
    if facts.ordered == "keep" or facts.rules.on_delete is Removal.KEEP or remote is None or remote.archived:
        return Unlink("deleted in the source", tombstone=True)
    if facts.key_alive:
        return Park("delete_conflict", "another live customer carries this key")
    if facts.succeeded and facts.ordered != "remove":
        return SHALL_IT_GO
    if facts.ordered != "remove" and remote is not facts.remote and not recognised(facts, remote):
        return Park("delete_conflict", "deleted in the source; what carries its key holds nothing of what was sent")
    if facts.ordered != "remove" and facts.link is not None and edited_there(facts, remote):
        return Park("delete_conflict", "deleted in the source, edited at the provider")
    return Remove(remote, facts.rules.on_delete)


def _succeeded(facts: Facts) -> Action:
    """Somebody else has the key now. By itself only the link is ended, and the row is looked at as one that nobody
    linked; whether the first customer's record goes too is asked, for he may live on under another key."""
    match _departed(replace(facts, source=None, departure=Departure.GONE)):
        case Remove(remote, how) if facts.ordered == "remove":
            return Remove(remote, how, again=True)
        case Remove():
            return SHALL_IT_GO
        case Park() as parked:
            return parked
        case _:
            return Unlink("another customer has this key now", tombstone=True, again=True)


def exchange(facts: Facts) -> Action:
    """Merge every field of a linked pair whose both sides were read."""
    said = decisions(facts)
    chosen: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for name, decision in said.items():
        chosen[decision.verdict].append(name)
    source, there = facts.source or {}, (facts.remote.values if facts.remote else {})
    pull = {name: there[name] for name in chosen[Verdict.PULL]}
    result = Exchange(
        push={name: source[name] for name in chosen[Verdict.PUSH]},
        pull=pull,
        settle=frozenset(chosen[Verdict.SETTLE]),
        review={name: said[name].reason for name in chosen[Verdict.REVIEW]},
        reasons={name: decision.reason for name, decision in said.items()},
        resolved={
            name: facts.rules.provider if name in pull else facts.rivals.get(name, "source")
            for name, decision in said.items()
            if decision.reason == "conflict" and decision.verdict in {Verdict.PULL, Verdict.PUSH}
        },
        lossy=frozenset(name for name, decision in said.items() if decision.reason == "lossy"),
    )
    if not (result.push or result.pull or result.settle or result.review):
        return Nothing()
    return result


def decisions(facts: Facts) -> dict[str, Decision]:
    """What happens to each field and why, as `explain` shows it: what `merge` says, but for what stands against it."""
    said = {name: _overrule(facts, name, decision) for name, decision in verdicts(facts).items()}
    there = facts.remote.values if facts.remote is not None else {}
    pull = {name: there[name] for name, decision in said.items() if decision.verdict is Verdict.PULL}
    every = _held_back(facts, pull)
    for name in pull:
        held = _locked(facts, name) or every
        if held and (held != every or held == "read-only" or said[name].reason != "decided"):
            said[name] = _question(facts, name, held)
    signs = erasure(facts)
    for name in [name for name, decision in said.items() if signs.holds(decision)]:
        said[name] = _question(facts, name, "erased")
    return said


def _question(facts: Facts, name: str, reason: str) -> Decision:
    """A person decides, unless one said to leave exactly these values alone."""
    return Decision(Verdict.KEEP, "ignored") if _left_alone(facts, name) else Decision(Verdict.REVIEW, reason)


def _locked(facts: Facts, name: str) -> str:
    """Why nothing can be written to this one field of the source; "" where it can."""
    if name in facts.rules.one_way:
        return "read-only"
    return "no-row" if name in facts.locked else ""


def _held_back(facts: Facts, pull: Values) -> str:
    """Why nothing of this pull reaches the source unasked; "" where it may."""
    if not facts.rules.writable:
        return "read-only"
    if guts(facts.source or {}, pull):
        return "gutted"
    return "other-record" if another_record(facts) else ""


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


def _as_shown(facts: Facts, name: str) -> bool:
    source, provider = seen(facts, name)
    now = (source.digest if source else None, provider.digest if provider else None)
    return facts.rulings[name].shown == now


def verdicts(facts: Facts) -> dict[str, Decision]:
    """What `merge` says about each projected field."""
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
        fresh=name in facts.rules.fresh and facts.link is not None and bool(facts.link.base),
        decision=ruling.take if ruling is not None and ruling.take and _as_shown(facts, name) else None,
        tie=facts.ties.get(name, Tie.NONE),
    )
