"""The three-way merge of one field: a table of histories by hand, and laws over every combination of facts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from syncd.core.merge import Decision, FieldFacts, Seen, Tie, Verdict, merge
from syncd.core.model import Direction, FieldBase, Policy

OLD, NEW, EDIT, SENT, EMPTY = "old", "new", "edit", "sent", ""
KEEP, SETTLE, PUSH, PULL, REVIEW = Verdict.KEEP, Verdict.SETTLE, Verdict.PUSH, Verdict.PULL, Verdict.REVIEW


def seen(word: str | None) -> Seen | None:
    """A value whose digest is the word itself; "" is the empty value, None one that nobody can read."""
    return None if word is None else Seen(word or None, f"#{word}")


def facts(source: str | None, provider: str | None, base: tuple[str, str | None] | None, **more: object) -> FieldFacts:
    """Facts of one field; equal words are equal values."""
    agreed = FieldBase(f"#{base[0]}", None if base[1] is None else f"#{base[1]}") if base else None
    same = source is not None and source == provider
    made = FieldFacts(seen(source), seen(provider), agreed, equal=same)
    flags = {name: more.pop(name) for name in ("provisional", "frozen", "disputed", "shown") if name in more}
    if agreed is not None and flags:
        made = made._replace(base=agreed._replace(**flags))  # type: ignore[arg-type]
    for name in ("late", "sent"):
        if name in more:
            more[name] = frozenset(f"#{word}" for word in more[name])  # type: ignore[attr-defined]
    return made._replace(**more)  # type: ignore[arg-type]


AGREED = (OLD, OLD)
WIN_SOURCE, WIN_PROVIDER, ASK = Policy.SOURCE, Policy.PROVIDER, Policy.REVIEW
PULL_ONLY, PUSH_ONLY, OFF = Direction.PULL, Direction.PUSH, Direction.OFF
LOST: dict[str, object] = {
    "late": (OLD, SENT),
    "sent": (SENT,),
    "unsettled": True,
}  # a write of SENT over OLD, outcome unknown
LATER: dict[str, object] = {"late": (OLD, SENT), "sent": (SENT,)}  # the same write, judged, in its last settle time

# (what happened, facts, verdict, reason)
HISTORIES: list[tuple[str, FieldFacts, Verdict, str]] = [
    ("nobody changed anything", facts(OLD, OLD, AGREED), KEEP, "agreed"),
    ("nobody changed anything, two spellings", facts(OLD, NEW, (OLD, NEW)), KEEP, "agreed"),
    ("the source changed", facts(NEW, OLD, AGREED), PUSH, "source-changed"),
    ("the source was emptied", facts(EMPTY, OLD, AGREED), PUSH, "source-changed"),
    ("the provider changed", facts(OLD, EDIT, AGREED), PULL, "provider-changed"),
    ("the provider was emptied", facts(OLD, EMPTY, AGREED), PULL, "provider-changed"),
    ("both changed to the same", facts(NEW, NEW, AGREED), SETTLE, "equal"),
    ("both were emptied", facts(EMPTY, EMPTY, AGREED), SETTLE, "equal"),
    ("both changed, source wins", facts(NEW, EDIT, AGREED, policy=WIN_SOURCE), PUSH, "conflict"),
    ("both changed, provider wins", facts(NEW, EDIT, AGREED, policy=WIN_PROVIDER), PULL, "conflict"),
    ("both changed, a person decides", facts(NEW, EDIT, AGREED, policy=ASK), REVIEW, "conflict"),
    # directions
    ("off", facts(NEW, EDIT, AGREED, direction=OFF), KEEP, "off"),
    ("the source does not map it", facts(None, EDIT, None), KEEP, "not-mapped"),
    ("push only, source changed", facts(NEW, OLD, AGREED, direction=PUSH_ONLY), PUSH, "source-changed"),
    ("push only, provider changed", facts(OLD, EDIT, AGREED, direction=PUSH_ONLY), PUSH, "push-only"),
    ("push only, both", facts(NEW, EDIT, AGREED, direction=PUSH_ONLY, policy=WIN_PROVIDER), PUSH, "push-only"),
    ("pull only, source changed", facts(NEW, OLD, AGREED, direction=PULL_ONLY), REVIEW, "pull-only"),
    ("pull only, provider changed", facts(OLD, EDIT, AGREED, direction=PULL_ONLY), PULL, "provider-changed"),
    ("pull only, both", facts(NEW, EDIT, AGREED, direction=PULL_ONLY, policy=WIN_PROVIDER), REVIEW, "conflict"),
    ("composed, edited over there", facts(OLD, EDIT, AGREED, composed=True), PUSH, "push-only"),
    ("composed, a part changed", facts(NEW, OLD, AGREED, composed=True), PUSH, "source-changed"),
    # no base
    ("no base, equal", facts(OLD, OLD, None), SETTLE, "equal"),
    ("no base, both empty", facts(EMPTY, EMPTY, None), SETTLE, "equal"),
    ("no base, source wins", facts(NEW, EDIT, None, policy=WIN_SOURCE), PUSH, "no-base"),
    ("no base, provider wins", facts(NEW, EDIT, None, policy=WIN_PROVIDER), PULL, "no-base"),
    ("no base, a person decides", facts(NEW, EDIT, None, policy=ASK), REVIEW, "no-base"),
    ("no base, source empty", facts(EMPTY, EDIT, None), REVIEW, "no-base"),
    ("no base, provider empty", facts(NEW, EMPTY, None), REVIEW, "no-base"),
    ("adopted, source empty", facts(EMPTY, EDIT, None, fill=True), PULL, "filled"),
    ("adopted, provider empty", facts(NEW, EMPTY, None, fill=True), PUSH, "filled"),
    ("mapped later, source empty", facts(EMPTY, EDIT, None, fresh=True), REVIEW, "no-base"),
    ("mapped later, provider empty", facts(NEW, EMPTY, None, fresh=True), PUSH, "filled"),
    ("mapped later, both filled", facts(NEW, EDIT, None, fresh=True, policy=ASK), REVIEW, "no-base"),
    ("no base, push only", facts(NEW, EDIT, None, direction=PUSH_ONLY), PUSH, "no-base"),
    ("no base, push only, fills", facts(NEW, EMPTY, None, direction=PUSH_ONLY), PUSH, "no-base"),
    ("no base, push only, would blank", facts(EMPTY, EDIT, None, direction=PUSH_ONLY), REVIEW, "no-base"),
    ("no base, pull only", facts(NEW, EDIT, None, direction=PULL_ONLY), PULL, "no-base"),
    ("no base, pull only, would blank", facts(NEW, EMPTY, None, direction=PULL_ONLY), REVIEW, "no-base"),
    ("no base, composed of nothing", facts(EMPTY, EDIT, None, composed=True), KEEP, "no-base"),
    ("no base, composed", facts(NEW, EDIT, None, composed=True), PUSH, "no-base"),
    # unknown on the provider's side
    ("never readable, first time", facts(OLD, None, None), SETTLE, "unreadable"),
    ("unreadable, unchanged", facts(OLD, None, (OLD, None)), KEEP, "unreadable"),
    ("unreadable, source changed", facts(NEW, None, (OLD, None)), PUSH, "source-changed"),
    ("hidden for once, unchanged", facts(OLD, None, AGREED), KEEP, "unreadable"),
    ("unreadable, pull only", facts(NEW, None, (OLD, None), direction=PULL_ONLY), REVIEW, "pull-only"),
    ("unreadable, and taken back during a lost write", facts(OLD, None, (OLD, None), **LOST), PUSH, "source-changed"),
    ("unreadable, an old write may still land", facts(NEW, None, (NEW, None), **LATER), PUSH, "source-changed"),
    ("shows up, equal", facts(OLD, OLD, (OLD, None)), SETTLE, "equal"),
    ("shows up, other", facts(OLD, EDIT, (OLD, None), policy=WIN_SOURCE), PUSH, "first-seen"),
    ("shows up, other, provider wins", facts(OLD, EDIT, (OLD, None), policy=WIN_PROVIDER), REVIEW, "first-seen"),
    ("shows up, cut off", facts(OLD, EDIT, (OLD, None), policy=WIN_PROVIDER, degraded=True), SETTLE, "lossy"),
    ("shows up, source changed", facts(NEW, EDIT, (OLD, None), policy=WIN_PROVIDER), PUSH, "source-changed"),
    ("shows up, pull only", facts(OLD, EDIT, (OLD, None), direction=PULL_ONLY), REVIEW, "first-seen"),
    # our own writes of unknown outcome
    ("lost, and not executed", facts(SENT, OLD, AGREED, **LOST), PUSH, "source-changed"),
    ("lost, and executed", facts(SENT, SENT, AGREED, **LOST), SETTLE, "equal"),
    ("lost, executed, source went on", facts(NEW, SENT, AGREED, **LOST), PUSH, "late"),
    ("lost, executed, source went back", facts(OLD, SENT, AGREED, **LOST), PUSH, "late"),
    ("lost, superseded, lands late", facts(NEW, SENT, (NEW, NEW), policy=WIN_PROVIDER, **LATER), PUSH, "late"),
    ("lost, superseded, stale reading", facts(NEW, OLD, (NEW, NEW), policy=WIN_PROVIDER, **LATER), PUSH, "late"),
    ("late on a pull-only field", facts(NEW, SENT, AGREED, direction=PULL_ONLY, **LATER), REVIEW, "pull-only"),
    ("late without a base", facts(NEW, SENT, None, policy=WIN_PROVIDER, **LATER), PUSH, "late"),
    ("changed, without a base", facts(NEW, EDIT, None, policy=WIN_PROVIDER, **LATER), REVIEW, "no-base"),
    (
        "lost, stored cut off",
        facts(SENT, EDIT, AGREED, policy=WIN_PROVIDER, degraded=True, **LOST),
        SETTLE,
        "lossy",
    ),
    ("lost, edited over there", facts(SENT, EDIT, AGREED, policy=WIN_PROVIDER, **LOST), PULL, "conflict"),
    ("lost, edited, source wins", facts(SENT, EDIT, AGREED, policy=WIN_SOURCE, **LOST), PUSH, "conflict"),
    ("lost, stored changed, source went on", facts(NEW, EDIT, AGREED, policy=WIN_PROVIDER, **LOST), REVIEW, "conflict"),
    (
        "lost, source went on to a longer form of what stands there",
        facts(NEW, EDIT, AGREED, policy=WIN_SOURCE, degraded=True, **LOST),
        PUSH,
        "conflict",
    ),
    (
        "lost, stored changed, source went back",
        facts(OLD, EDIT, AGREED, policy=WIN_PROVIDER, **LOST),
        REVIEW,
        "conflict",
    ),
    ("the same, source wins", facts(OLD, EDIT, AGREED, policy=WIN_SOURCE, **LOST), PUSH, "conflict"),
    ("superseded, lands late and changed", facts(NEW, EDIT, (NEW, NEW), **LATER), REVIEW, "conflict"),
    ("left of an older write, for all we know", facts(OLD, EDIT, AGREED, disputed=True), REVIEW, "conflict"),
    ("the same, then edited here", facts(NEW, EDIT, AGREED, disputed=True, policy=WIN_SOURCE), PUSH, "conflict"),
    ("the same, provider wins", facts(NEW, EDIT, AGREED, disputed=True, policy=WIN_PROVIDER), REVIEW, "conflict"),
    # an answer that only repeats what was sent
    ("202, then cut off", facts(OLD, EDIT, AGREED, provisional=True, degraded=True), SETTLE, "lossy"),
    (
        "202, shown whole, then cut off",
        facts(OLD, EDIT, AGREED, provisional=True, shown=True, degraded=True, policy=WIN_PROVIDER),
        REVIEW,
        "conflict",
    ),
    (
        "lost, a listing shows it whole, then cut off",
        facts(SENT, EDIT, (SENT, SENT), provisional=True, shown=True, degraded=True, policy=WIN_PROVIDER, **LOST),
        REVIEW,
        "conflict",
    ),
    (
        "the value before was shown whole, what was sent is cut off",
        facts(SENT, EDIT, AGREED, provisional=True, shown=True, degraded=True, policy=WIN_PROVIDER, **LOST),
        SETTLE,
        "lossy",
    ),
    ("202, shown whole, then edited", facts(OLD, EDIT, AGREED, provisional=True, shown=True), PULL, "provider-changed"),
    ("202, then edited", facts(OLD, EDIT, AGREED, provisional=True), PULL, "provider-changed"),
    ("no 202: a shorter text is an edit", facts(OLD, EDIT, AGREED, degraded=True), PULL, "provider-changed"),
    (
        "202, cut off, source went on",
        facts(NEW, EDIT, AGREED, provisional=True, policy=WIN_PROVIDER),
        REVIEW,
        "conflict",
    ),
    (
        "202, source went on to a longer form of what stands there",
        facts(NEW, EDIT, AGREED, provisional=True, degraded=True, policy=WIN_SOURCE),
        PUSH,
        "conflict",
    ),
    ("202, source went on", facts(NEW, OLD, AGREED, provisional=True), PUSH, "source-changed"),
    # freezing and decisions
    ("frozen", facts(NEW, EDIT, AGREED, frozen=True), REVIEW, "frozen"),
    ("frozen, and agreed by hand", facts(NEW, NEW, AGREED, frozen=True), SETTLE, "equal"),
    ("frozen, decided", facts(NEW, EDIT, AGREED, frozen=True, decision=PUSH_ONLY), PUSH, "decided"),
    ("decided for the source", facts(NEW, EDIT, AGREED, policy=ASK, decision=PUSH_ONLY), PUSH, "decided"),
    ("decided for the provider", facts(NEW, EDIT, AGREED, policy=ASK, decision=PULL_ONLY), PULL, "decided"),
    ("decided, and equal by now", facts(NEW, NEW, AGREED, decision=PULL_ONLY), SETTLE, "equal"),
    ("what is composed stays there", facts(NEW, EDIT, AGREED, composed=True, decision=PULL_ONLY), SETTLE, "composed"),
    # two editors
    ("two editors, the other first", facts(NEW, EDIT, AGREED, tie=Tie.THEIRS, policy=WIN_PROVIDER), PUSH, "conflict"),
    ("two editors, this one comes first", facts(NEW, EDIT, AGREED, tie=Tie.OURS, policy=WIN_SOURCE), PULL, "conflict"),
    ("two editors, one wants a person", facts(NEW, EDIT, AGREED, tie=Tie.REVIEW), REVIEW, "conflict"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "verdict", "reason"), [h[1:] for h in HISTORIES], ids=[h[0] for h in HISTORIES])
def test_history(given: FieldFacts, verdict: Verdict, reason: str) -> None:
    """Each history of one field has one verdict and one reason."""
    assert merge(given) == Decision(verdict, reason)


# -- laws over every combination ---------------------------------------------------------------------------------

SOURCES = (None, EMPTY, OLD, NEW, SENT)
PROVIDERS = (None, EMPTY, OLD, EDIT, SENT, NEW)
BASES: tuple[tuple[tuple[str, str | None] | None, dict[str, bool]], ...] = (
    (None, {}),
    (AGREED, {}),
    ((OLD, None), {}),
    (AGREED, {"provisional": True}),
    (AGREED, {"frozen": True}),
)
WRITES: tuple[dict[str, object], ...] = ({}, LOST, LATER)


def everything() -> Iterator[FieldFacts]:
    """Every combination of facts that can occur: about a quarter of a million."""
    for source, provider, (base, flags), writes in itertools.product(SOURCES, PROVIDERS, BASES, WRITES):
        start = facts(source, provider, base, **flags, **writes)
        lossy = (False, True) if start.source and start.provider and not start.equal else (False,)
        decisions = (None, PUSH_ONLY, PULL_ONLY) if provider is not None else (None,)
        for direction, policy, composed, degraded, fill, decision, tie in itertools.product(
            Direction, Policy, (False, True), lossy, (False, True), decisions, Tie
        ):
            if not composed or direction in {Direction.BOTH, Direction.PUSH}:
                yield FieldFacts(
                    start.source,
                    start.provider,
                    start.base,
                    direction,
                    policy,
                    composed,
                    start.equal,
                    degraded,
                    start.late,
                    start.sent,
                    start.unsettled,
                    fill,
                    decision,
                    tie,
                )


def _pull_broken(f: FieldFacts, said: Decision) -> str:
    """Why this must not be pulled; "" where it may."""
    assert f.source is not None
    late = f.provider is not None and f.provider.digest in f.late
    known = f.base is not None and f.provider is not None and f.provider.digest == f.base.provider
    reasons = {
        "nothing to pull": f.provider is None,
        "equal": f.equal,
        "composed": f.composed,
        "push only": f.direction is Direction.PUSH and f.decision is None,
        "our own late write": late and not known and f.decision is None,
        "no edit": known and f.decision is None,
        "a first appearance": f.base is not None and f.base.provider is None and f.decision is None,
        "blanks without a base": f.base is None and f.provider is not None and f.provider.value is None
        and f.decision is None,
        "fills without an order": f.base is None and f.source.value is None and not f.fill and f.decision is None
        and f.direction is Direction.BOTH,
        "a changed form of an older write": bool(f.sent - {f.source.digest}) and f.base is not None
        and f.decision is None,
        "a changed form of what was sent": f.degraded and f.base is not None and f.decision is None
        and (f.base.provisional or (f.source.digest in f.sent and f.unsettled)),
        "frozen": f.base is not None and f.base.frozen and f.decision is None,
    }  # fmt: skip
    return next((reason for reason, broken in reasons.items() if broken), "") if said.verdict is PULL else ""


def _push_broken(f: FieldFacts, said: Decision) -> str:
    assert f.source is not None
    known = f.base is not None and f.source.digest == f.base.source
    quiet = f.base is not None and f.provider is not None and f.provider.digest == f.base.provider
    reasons = {
        "equal": f.equal,
        "pull only": f.direction is Direction.PULL and f.decision is None,
        "nothing changed": known and quiet and f.decision is None,
        "blanks without a base": f.base is None and f.source.value is None and f.decision is None and not f.late,
        "frozen": f.base is not None and f.base.frozen and f.decision is None,
    }
    return next((reason for reason, broken in reasons.items() if broken), "") if said.verdict is PUSH else ""


def _one_sided_broken(f: FieldFacts, said: Decision) -> str:
    """An edit on one side only, nothing under way: it goes through, whatever policy, order or decision on others."""
    if f.base is None or f.base.frozen or f.sent or f.direction is not Direction.BOTH or f.decision is not None:
        return ""
    if f.source is None or f.equal or f.base.provider is None:
        return ""
    ours = f.source.digest != f.base.source
    theirs = f.provider is not None and f.provider.digest != f.base.provider
    if ours and not theirs and said.verdict is not PUSH:
        return "an edit of the source was lost"
    editor = theirs and not f.composed and not (f.degraded and f.base.provisional)
    return "an edit at the provider was lost" if editor and not ours and said.verdict is not PULL else ""


def test_laws_hold_for_every_combination() -> None:
    """No combination of facts pulls what nobody edited, pushes where it must not, or loses a one-sided edit."""
    broken = set()
    number = 0
    for f in everything():
        number += 1
        said = merge(f)
        if f.direction is Direction.OFF or f.source is None:
            wrong = "" if said.verdict is KEEP else "off or unmapped, and moved"
        else:
            wrong = _pull_broken(f, said) or _push_broken(f, said) or _one_sided_broken(f, said)
        if f.equal and said.verdict not in {KEEP, SETTLE}:
            wrong = "equal sides moved"
        if wrong:
            broken.add((wrong, said, f))

    assert number > 100_000
    assert [str(entry) for entry in itertools.islice(broken, 5)] == []


def test_policy_and_order_matter_only_in_doubt() -> None:
    """Who wins is asked only when both sides changed or nothing was agreed before; the order only when both changed."""
    doubts = {"conflict", "no-base", "first-seen"}
    for f in everything():
        if f.policy is not Policy.SOURCE or f.tie is not Tie.NONE:
            continue
        said = merge(f)
        if said.reason not in doubts:
            assert all(merge(f._replace(policy=policy)) == said for policy in Policy), f
        if said.reason != "conflict":
            assert all(merge(f._replace(tie=tie)) == said for tie in Tie), f


def test_the_same_facts_give_the_same_verdict() -> None:
    """The merge remembers nothing: asked twice, in another order, it says the same."""
    sample = list(itertools.islice(everything(), 0, None, 97))

    first = [merge(f) for f in sample]

    assert [merge(f) for f in reversed(sample)] == first[::-1]


def test_two_editors_agree_in_any_order() -> None:
    """Two providers edit one field between two cycles: whichever lane runs first, the same value wins (25)."""

    def outcome(order: tuple[str, str]) -> tuple[str, str, str]:
        source, there, base = OLD, {"first": NEW, "second": EDIT}, {"first": AGREED, "second": AGREED}
        giver = ""
        for lane in (*order, *order):
            tie = Tie.NONE if giver in {"", lane} else Tie.OURS if lane == "first" else Tie.THEIRS
            said = merge(facts(source, there[lane], base[lane], tie=tie))
            if said.verdict is PULL:
                source, giver = there[lane], lane
            elif said.verdict is PUSH:
                there[lane] = source
            base[lane] = (source, there[lane])
        return source, there["first"], there["second"]

    assert outcome(("first", "second")) == outcome(("second", "first")) == (NEW, NEW, NEW)
