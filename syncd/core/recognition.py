"""Is it the same customer? What a row, a record and our own writes of unknown outcome say about each other.

Nothing here decides; `plan` asks.
"""

from __future__ import annotations

from syncd.core.facts import Facts
from syncd.core.guards import IDENTIFYING
from syncd.core.model import Remote
from syncd.core.normalise import degraded
from syncd.core.writes import late_digests, unknown_create


def another(facts: Facts) -> bool:
    """Whether the row may be somebody else's under a known key: nothing that identifies a customer stayed."""
    link, number = facts.link, facts.row.get("number")
    if link is not None and number is not None and number == link.provider_key:
        return False
    own, base = unknown_create(facts), link.base if link is not None else {}
    agreed = {name: entry.source for name, entry in base.items()}
    agreed |= {name: digests.sent for name, digests in own.fields.items()} if own is not None else {}
    source = facts.source if facts.source is not None else facts.row
    known = {name for name, value in source.items() if value is not None and name in agreed}
    names = known & set(IDENTIFYING) or known
    return bool(names) and not any(agreed[name] == facts.digest(name, source[name]) for name in names)


def another_record(facts: Facts) -> bool:
    """Whether the provider shows one of its own identifiers changed under the same link: after a merge, or of a record
    made anew under our key, what it shows may be somebody else's. Our key may change; it is nobody's identity."""
    if facts.link is None or facts.remote is None:
        return False
    before, now = facts.link.external_ids, facts.remote.external_ids
    return any(now.get(name, value) != value for name, value in before.items() if value != facts.link.provider_key)


def recognised(facts: Facts, remote: Remote) -> bool:
    """Whether a record can be the one that our lost create made: any filled value in it is one that was sent, or is
    what is left of the source's. A person who made it under the same number typed other data."""
    sent, source = late_digests(facts.intents), facts.source or {}
    filled = {n: value for n, value in remote.values.items() if value is not None and n in sent and n != "number"}
    return not filled or any(
        facts.digest(name, value) in sent[name] or degraded(source.get(name), value) for name, value in filled.items()
    )


def edited_there(facts: Facts, remote: Remote) -> bool:
    """Whether the record shows anything that neither was agreed nor is explained by our own unconfirmed writes."""
    base = facts.link.base if facts.link is not None else {}
    late = late_digests(facts.intents)
    return any(
        entry.provider is not None
        and name in remote.values
        and facts.digest(name, remote.values[name]) not in {entry.provider, *late.get(name, ())}
        for name, entry in base.items()
    )
