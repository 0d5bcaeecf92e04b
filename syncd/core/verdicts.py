"""The verdict on each field of a linked pair: that of `merge`, unless a rule beyond the field overrules it (a read-only
source, an erased person, a field that swings, a person's ruling). The table in `plan` gives their order."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.core.actions import Action, Exchange, Nothing
from syncd.core.erasure import erasure
from syncd.core.facts import Facts, seen
from syncd.core.guards import Move, flips, guts, writers
from syncd.core.merge import Decision, FieldFacts, Tie, Verdict, merge
from syncd.core.model import Direction, Stage, Values
from syncd.core.normalise import degraded, equal
from syncd.core.recognition import another_record
from syncd.core.writes import OUTWARD, late_digests

NO_DIGESTS: frozenset[str] = frozenset()
AGREED = Decision(Verdict.KEEP, "agreed")


def exchange(facts: Facts) -> Action:
    """Merge every field of a linked pair whose both sides were read."""
    said, frozen = judged(facts)
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
        frozen=frozen,
    )
    if not (result.push or result.pull or result.settle or result.review):
        return Nothing()
    return result


def judged(facts: Facts) -> tuple[dict[str, Decision], dict[str, tuple[str, ...]]]:
    """Each field's verdict and reason, after the rules that overrule `merge`; and of each frozen field the writers that
    contradict each other."""
    said = {name: _overrule(facts, name, decision) for name, decision in verdicts(facts).items()}
    there = facts.remote.values if facts.remote is not None else {}
    pull = {name: there[name] for name, decision in said.items() if decision.verdict is Verdict.PULL}
    every = _held_back(facts, pull)
    for name in pull:
        held = _locked(facts, name) or every
        if held and (held != every or held == "read-only" or said[name].reason != "decided"):
            said[name] = _question(facts, name, held)
    said |= _after_an_erasure(facts, said)
    frozen = _swinging(facts, said)
    return said | dict.fromkeys(frozen, Decision(Verdict.REVIEW, "frozen")), frozen


def _after_an_erasure(facts: Facts, said: Mapping[str, Decision]) -> dict[str, Decision]:
    """Decisions that wait for a person because this customer may have been erased at the provider.

    While a person is asked, no push may take away a sign of the erasure. Example: name and city change at once, and the
    city is push-only. If the city were pushed, the name alone would look like an edit and be pulled unasked.
    """
    signs = erasure(facts)
    asked = {name: _question(facts, name, "erased") for name, decision in said.items() if signs.holds(decision)}
    if any(decision.verdict is Verdict.REVIEW for decision in asked.values()):
        pushed = [name for name in signs.at_once if said[name].verdict is Verdict.PUSH]
        asked |= {name: _question(facts, name, "erased") for name in pushed if said[name].reason != "decided"}
    return asked


def _swinging(facts: Facts, said: Mapping[str, Decision]) -> dict[str, tuple[str, ...]]:
    """Fields that would swing to and fro between two writers (two providers, or this provider and the source), each
    with these writers. A move that a person decided never counts as a swing."""
    base = facts.link.base if facts.link is not None else {}
    frozen = {}
    for name, decision in said.items() if facts.trail else ():
        back = decision.verdict is Verdict.PUSH and name in base and base[name].pulled
        if (back or decision.verdict is Verdict.PULL) and decision.reason != "decided":
            trail = [move for move in facts.trail if name in move.fields]
            coming = Move(decision.verdict.value, facts.rules.provider, facts.at)
            if flips(trail, coming):
                frozen[name] = writers(trail, coming)
    return frozen


def _question(facts: Facts, name: str, reason: str) -> Decision:
    """A question to a person, unless a person decided to `ignore` exactly these values."""
    return Decision(Verdict.KEEP, "ignored") if _left_alone(facts, name) else Decision(Verdict.REVIEW, reason)


def _locked(facts: Facts, name: str) -> str:
    """Why this field of the source cannot be written; "" where it can."""
    if name in facts.rules.one_way:
        return "read-only"
    return "no-row" if name in facts.locked else ""


def _held_back(facts: Facts, pull: Values) -> str:
    """Why a person must be asked before any pull of this pair; "" where no question is needed."""
    if not facts.rules.writable:
        return "read-only"
    if guts(facts.source or {}, pull):
        return "gutted"
    return "other-record" if another_record(facts) else ""


def _overrule(facts: Facts, name: str, decision: Decision) -> Decision:
    """The decision after three rules: a number that the provider cannot change stays; a person is asked about a field
    that the provider cannot empty; a field that a person decided to `ignore` stays while both sides show what the
    person saw."""
    if name == "number" and not facts.rules.renumbers:
        decision = _number_for_good(facts, decision)
    if not facts.rules.clears and _stays_filled(facts, name, decision):
        decision = Decision(Verdict.REVIEW, "cannot-clear")
    if decision.verdict is Verdict.REVIEW and _left_alone(facts, name):
        return Decision(Verdict.KEEP, "ignored")
    return decision


def _number_for_good(facts: Facts, decision: Decision) -> Decision:
    """A customer who was linked under another number keeps that number at the provider. A later change of the number is
    a question, in which a person may take the provider's number."""
    if decision.verdict in {Verdict.KEEP, Verdict.SETTLE} or decision == Decision(Verdict.PULL, "decided"):
        return decision
    if facts.link is None or "number" not in facts.link.base:
        return Decision(Verdict.SETTLE, "own-number")
    return Decision(Verdict.REVIEW, "renumbered") if decision.verdict is not Verdict.REVIEW else decision


def _stays_filled(facts: Facts, name: str, decision: Decision) -> bool:
    """Whether the source's value is empty while the provider keeps a value that cannot be emptied: without a question
    the rest at the provider would stay unnoticed."""
    source, there = seen(facts, name)
    if source is None or source.value is not None or decision.verdict not in {Verdict.PUSH, Verdict.KEEP}:
        return False
    if there is None:
        return decision.verdict is Verdict.PUSH
    return there.value is not None and decision.reason not in {"off", "not-mapped", "ignored"}


def _left_alone(facts: Facts, name: str) -> bool:
    ruling = facts.rulings.get(name)
    return ruling is not None and ruling.take is None and as_shown(facts, name)


def as_shown(facts: Facts, name: str) -> bool:
    """Whether both sides of a field that a person decided about still show what that person saw."""
    source, provider = seen(facts, name)
    now = (source.digest if source else None, provider.digest if provider else None)
    return facts.rulings[name].shown == now


def verdicts(facts: Facts) -> dict[str, Decision]:
    """What `merge` says about each projected field."""
    late, asked = late_digests(facts.intents), facts.rulings
    return {
        name: AGREED if name not in asked and _unmoved(facts, name) else merge(field_facts(facts, name, late))
        for name in sorted(facts.source or {})
    }


def _unmoved(facts: Facts, name: str) -> bool:
    """Whether both sides show what was agreed, and the field is neither frozen nor off. This is the first line of
    `merge`, true for nearly every field; with two digests it costs little."""
    if facts.link is None or facts.remote is None or facts.source is None or name not in facts.remote.values:
        return False
    entry = facts.link.base.get(name)
    if entry is None or entry.frozen or facts.rules.fields.get(name) is Direction.OFF:
        return False
    digest, there = facts.digest, facts.remote.values[name]
    return digest(name, facts.source[name]) == entry.source and digest(name, there) == entry.provider


def field_facts(facts: Facts, name: str, late: Mapping[str, frozenset[str]]) -> FieldFacts:
    """The facts of one field for `merge`; `late` as `late_digests` gives it."""
    source, provider = seen(facts, name)
    country = (facts.source or {}).get("country")
    place = country if isinstance(country, str) else None
    same = source is not None and provider is not None and equal(name, source.value, provider.value, place)
    ruling = facts.rulings.get(name)
    writes = [i for i in facts.intents if i.verb in OUTWARD and name in i.fields] if facts.intents else ()
    return FieldFacts(
        source=source,
        provider=provider,
        base=facts.link.base.get(name) if facts.link is not None else None,
        direction=facts.rules.fields.get(name, Direction.BOTH),
        policy=facts.rules.policy,
        composed=name in facts.composed,
        equal=same,
        degraded=not same and source is not None and provider is not None and degraded(source.value, provider.value),
        late=late.get(name, NO_DIGESTS),
        sent=frozenset(i.fields[name].sent for i in writes if i.stage is Stage.OPEN or facts.rules.echoes),
        unsettled=any(intent.stage is Stage.OPEN for intent in writes),
        fill=facts.fill,
        fresh=name in facts.rules.fresh and facts.link is not None and bool(facts.link.base),
        decision=ruling.take if ruling is not None and ruling.take and as_shown(facts, name) else None,
        tie=facts.ties.get(name, Tie.NONE),
    )
