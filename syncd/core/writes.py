"""What our own writes explain: the base after an agreement, the provider's values that no person typed, and whether a
record shows anything new.

Every intent that is not closed counts: a create that may have been executed, a late or superseded update, a pull that a
crash kept from being recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from syncd.core.actions import Exchange
from syncd.core.facts import Facts, seen
from syncd.core.model import FieldBase, Intent, Link, Remote, Sent, Stage, State, Value, Values, Verb

OUTWARD = (Verb.CREATE, Verb.UPDATE)


def unknown_create(facts: Facts) -> Intent | None:
    """The intent of our create of unknown outcome, if there is one."""
    return next((i for i in facts.intents if i.verb is Verb.CREATE and i.stage is Stage.OPEN), None)


def late_digests(intents: tuple[Intent, ...]) -> dict[str, frozenset[str]]:
    """By field, the digests that our unconfirmed writes explain: of the values before each write and as sent."""
    explained: dict[str, set[str]] = {}
    for intent in intents:
        if intent.verb in OUTWARD:
            for name, sent in intent.fields.items():
                explained.setdefault(name, set()).update(filter(None, (sent.before, sent.sent)))
    return {name: frozenset(digests) for name, digests in explained.items()}


def unrecorded(intents: Sequence[Intent]) -> list[Intent]:
    """The intents of pulls that a crash kept from being recorded, oldest first."""
    return [intent for intent in intents if intent.verb is Verb.PULL and intent.stage is Stage.OPEN]


def outlived(facts: Facts, pulled: Collection[str]) -> list[tuple[int, dict[str, Sent]]]:
    """The settled writes that sent a field that is about to be pulled, each with the fields that it goes on to explain.

    The record was read after their settle time and shows another value: nothing of theirs can come any more. Example: a
    create waits for its confirming reading; a look pulls a new street and dies in the push behind it. Without this, a
    second street would be taken for what the provider made of the create's street.
    """
    settled = (i for i in facts.intents if i.verb in OUTWARD and i.stage is Stage.CONFIRM)
    over = [i for i in settled if i.settle_until <= facts.at and not i.fields.keys().isdisjoint(pulled)]
    return [(i.id, {name: sent for name, sent in i.fields.items() if name not in pulled}) for i in over]


def recovered(facts: Facts) -> Facts:
    """The facts with the base of pulls that a crash kept from being recorded. Where the row holds the pulled value, no
    person edited the row, and a later edit at the provider meets no conflict.

    Where the row holds neither the pulled value nor the value before it, a person typed over one of the two, and it is
    unknown over which: the field is disputed, and the provider's value never wins unasked, not even where nothing was
    agreed before.
    """
    pulls = unrecorded(facts.intents)
    if facts.link is None or not pulls:
        return facts
    base = dict(facts.link.base)
    for intent in pulls:
        for name, (before, sent, *_) in intent.fields.items():
            source = seen(facts, name)[0]
            if source is not None and source.digest == sent:
                base[name] = FieldBase(sent, sent, pulled=True)
            elif source is not None and before is not None and source.digest != before:
                base[name] = base.get(name, FieldBase(before, before))._replace(disputed=True)
    version = facts.link.version if base == facts.link.base else None
    return facts._replace(link=facts.link._replace(base=base, version=version))


def renewed(facts: Facts, stored: Values, names: frozenset[str], *, provisional: bool) -> dict[str, FieldBase]:
    """The base after agreement: the source's present spelling, and the provider's as stored (None where unreadable)."""
    source, digest = facts.source or {}, facts.digest
    base = facts.link.base if facts.link is not None else {}
    fresh = {}
    for name in names:
        if name in source:
            here, there = digest(name, source[name]), digest(name, stored[name]) if name in stored else None
            fresh[name] = FieldBase(here, there, provisional=provisional, earlier=_earlier(base.get(name), here, there))
    return fresh


def _earlier(last: FieldBase | None, source: str, provider: str | None) -> tuple[str, str | None] | None:
    """The digests agreed before this change; None where a value returns to them, so that a value that goes to and fro
    counts again. A new spelling on the provider's side alone is no change."""
    if last is None or last.source == source:
        return last.earlier if last is not None else None
    came_back = last.earlier is not None and (last.earlier[0] == source or last.earlier[1] == provider)
    return None if came_back else (last.source, last.provider)


def returning(facts: Facts, reasons: Mapping[str, str]) -> frozenset[str]:
    """Fields whose one changed side returned to what was agreed before the last change: a repair, which no guard counts
    or holds back. In a conflict there is no repair."""
    base = facts.link.base if facts.link is not None else {}
    back = set()
    for name, reason in reasons.items():
        entry = base.get(name)
        if entry is None or entry.earlier is None:
            continue
        here, there = seen(facts, name)
        ours = reason == "source-changed" and here is not None and here.digest == entry.earlier[0]
        theirs = reason == "provider-changed" and there is not None and there.digest == entry.earlier[1]
        if ours or theirs:
            back.add(name)
    return frozenset(back)


def disputed(facts: Facts, base: Mapping[str, FieldBase], action: Exchange) -> dict[str, FieldBase]:
    """The base, with the mark `disputed` on fields whose value at the provider may be the remains of an older push, or
    of an erasure that a person denied in part. Without the mark, a later look would take the value for a person's edit,
    once the push's intent is closed or the denied sign is pushed away."""
    review, denied = action.review, any(action.reasons.get(name) == "decided" for name in action.push)
    writes = [intent for intent in facts.intents if intent.verb in OUTWARD]

    def doubtful(name: str, reason: str, entry: FieldBase) -> bool:
        if reason != "conflict":
            return reason == "erased" and denied
        source = seen(facts, name)[0]
        older = any(i.fields[name].sent != (source.digest if source else None) for i in writes if name in i.fields)
        return older or entry.provisional

    torn = [name for name, reason in review.items() if name in base and doubtful(name, reason, base[name])]
    return {**base, **{name: base[name]._replace(disputed=True) for name in torn}}


def is_news(link: Link, remote: Remote, digest: Callable[[str, Value], str]) -> bool:
    """Whether a record is archived, shows a value that differs from the base, or shows for the first time a value that
    only the provider's answer had promised. The look that follows marks such a value as `shown`."""
    if remote.archived:
        return True
    if remote.version is not None and remote.version == link.version:
        return False
    return any(
        _news(link.base[name], digest(name, value)) for name, value in remote.values.items() if name in link.base
    )


def _news(entry: FieldBase, shown: str) -> bool:
    return not entry.frozen and (entry.provider != shown or (entry.provisional and not entry.shown))


def seen_listed(
    link: Link, intents: Sequence[Intent], remote: Remote, digest: Callable[[str, Value], str]
) -> Link | None:
    """The link, with values marked that our updates of unknown outcome sent and a listing shows in full; None where it
    shows none of them.

    No look reads the record before the settle time is over. Example: the answer of a push is lost, a listing shows the
    pushed name, then a person shortens it. Without the mark the shorter name would be taken for the provider's cut.
    """
    unknown = [intent for intent in intents if intent.stage is Stage.OPEN and intent.verb is Verb.UPDATE]
    seen = {
        name: FieldBase(s.sent, s.sent, provisional=True, shown=True, earlier=_earlier(entry, s.sent, s.sent))
        for intent in unknown
        for name, s in intent.fields.items()
        if (entry := link.base.get(name)) is not None and name in remote.values
        if digest(name, remote.values[name]) == s.sent != entry.provider
    }
    return link._replace(base={**link.base, **seen}, version=None) if seen else None


def versioned(link: Link, remote: Remote, digest: Callable[[str, Value], str]) -> Link:
    """The link with the record's version; without a version where the record shows anything new, or a question about it
    is open."""
    unread = link._replace(version=None)
    known = link.state is State.LINKED and not remote.provisional and not is_news(unread, remote, digest)
    return unread._replace(version=remote.version) if known else unread
