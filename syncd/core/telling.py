"""The review items, events and log lines of an exchange of fields. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from syncd.core.actions import Exchange
from syncd.core.case import Case, Decided, Progress, Terms
from syncd.core.effects import Line, Note, Question, Told
from syncd.core.endings import told, waited
from syncd.core.erasure import erasure
from syncd.core.facts import Facts, seen
from syncd.core.verdicts import as_shown


def exchanged(decided: Decided) -> tuple[Exchange, Progress, Case]:
    """The three parts of a case whose fields are being moved."""
    action, progress = decided.action, decided.progress
    assert isinstance(action, Exchange) and progress is not None  # noqa: S101, PT018 - made by `exchange`
    return action, progress, decided.case


def questions_of(case: Case, action: Exchange, progress: Progress) -> tuple[Question, ...]:
    """One review item for each kind of reason that keeps fields from moving. A person's decision about the present
    values that could not be carried out is void, and the person is asked again."""
    kinds: dict[str, list[str]] = {}
    for name, reason in progress.review.items():
        kinds.setdefault(reason.replace("-", "_"), []).append(name)
    return tuple(
        Question(kind, _reason(case, action, kind, names), _shown(case.facts, names), void=_in_vain(case.facts, names))
        for kind, names in kinds.items()
    )


def _in_vain(facts: Facts, names: Iterable[str]) -> bool:
    return any(name in facts.rulings and as_shown(facts, name) for name in names)


def _reason(case: Case, action: Exchange, kind: str, names: Sequence[str]) -> str:
    """The reason of a review item, as a person reads it. For frozen fields it names the writers that contradict each
    other, which a later look knows from the open item alone."""
    if kind == "erased":
        return erasure(case.facts).said
    if kind == "frozen" and action.frozen:
        return "; ".join(f"{name} swings between {', '.join(who)}" for name, who in sorted(action.frozen.items()))
    if kind == "frozen" and "frozen" in case.asked:
        return case.asked["frozen"].reason
    return f"{', '.join(sorted(names))}: {kind.replace('_', ' ')}"


def _shown(facts: Facts, names: Iterable[str]) -> dict[str, list[str | None]]:
    """The two digests of each field that a review item shows."""
    pairs = {name: seen(facts, name) for name in names}
    return {
        name: [source.digest if source else None, there.digest if there else None]
        for name, (source, there) in pairs.items()
    }


def said(case: Case, action: Exchange, progress: Progress, terms: Terms) -> Iterator[Told]:
    """Which fields moved, whose value won a conflict, and which fields the provider keeps shorter."""
    if progress.pulled:
        yield told(case, "pair.pulled", progress.pulled, wait_s=waited(case, terms))
    if progress.pushed:
        yield told(case, "pair.pushed", progress.pushed, wait_s=waited(case, terms))
    for names, winner, loser, policy in _resolutions(case, action):
        detail = f"{winner} before {loser}, by {policy}"
        writers = [winner, loser]
        yield told(case, "conflict.resolved", names, detail, winner=winner, writers=writers, policy=policy)
    if action.lossy:
        yield told(case, "pair.lossy", action.lossy)


def _resolutions(case: Case, action: Exchange) -> Iterator[tuple[list[str], str, str, str]]:
    """Conflicts that were decided without a person: fields, winner, loser, and by which policy. Where the source's
    value came from another provider, the order of the providers decided."""
    rules, rivals = case.facts.rules, case.facts.rivals
    sides = {name: (winner, rivals.get(name, "source")) for name, winner in action.resolved.items()}
    for winner, other in sorted(set(sides.values())):
        names = sorted(name for name, side in sides.items() if side == (winner, other))
        loser = other if winner == rules.provider else rules.provider
        yield names, winner, loser, rules.policy.value if other == "source" else "order"


def opened(case: Case, action: Exchange, questions: Sequence[Question]) -> Told:
    """The events and log lines of fields that this look freezes, and of questions that are new or show other values."""
    if not (action.frozen or questions):
        return Told()
    notes: tuple[Note, ...] = ()
    if action.frozen:
        reason = "; ".join(f"{name} swings between {', '.join(who)}" for name, who in sorted(action.frozen.items()))
        notes = (Note(case.pair, "field.frozen", tuple(sorted(action.frozen)), reason),)
    by_writers = {
        who: tuple(sorted(name for name, them in action.frozen.items() if them == who))
        for who in sorted(set(action.frozen.values()))
    }
    lines = [Line("field.frozen", names, {"writers": list(who)}) for who, names in by_writers.items()]
    news = [
        name
        for question in questions
        if question.kind not in case.asked or dict(question.fields) != dict(case.asked[question.kind].fields)
        for name in question.fields
        if name not in action.frozen
    ]
    lines += [Line("conflict.opened", tuple(sorted(news)))] if news else []
    return Told(notes, tuple(lines))
