"""Is it the same customer? What a row, a record and our own writes of unknown outcome say about each other.

Nothing here decides; `plan` asks.
"""

from __future__ import annotations

from syncd.core.facts import Facts
from syncd.core.guards import IDENTIFYING, NAMES
from syncd.core.model import FieldBase, Intent, Remote, Value
from syncd.core.normalise import degraded, equal, spelling
from syncd.core.writes import late_digests, unknown_create

PROVING = frozenset({"name", "email", "vat_number"})
"""What identifies a customer beside our key, which every record that is compared here carries."""
ADDRESS = frozenset({"street", "street2", "postal_code", "city", "state"})
SHARED = frozenset({"city", "postal_code", "state"})
"""Neighbours share them: they can contradict, but prove nothing."""
TELLS_NOTHING = frozenset({"number", "country", "language", "active"})
"""The key itself, and what providers fill in by themselves: neither proof nor contradiction."""
TELLING = 8  # characters
_OWNED = (*IDENTIFYING, "name", "first_name", "last_name")


def another(facts: Facts) -> bool:
    """Whether the row may be another customer's under a known key: no identifying value stayed, or only the e-mail
    address did, which families and head offices share. Example: customer 2 is deleted and a row is inserted under key 2
    with `info@` as before, another number and other names: another customer of that office. Where the row has no
    number, an unchanged phone or street is enough to speak for the same customer. The number alone does not count
    beside other names either: a shop that counts its numbers gives the last one again after a deletion."""
    link, number = facts.link, facts.row.get("number")
    agreed = _agreed(facts)
    source = facts.source if facts.source is not None else facts.row
    known = {name for name, value in source.items() if value is not None and name in agreed}
    names = known & set(IDENTIFYING) or known - SHARED - TELLS_NOTHING or known
    stayed = {name for name in known if agreed[name] == facts.digest(name, source[name])}
    if link is not None and number is not None and number == link.provider_key:
        return bool(known & NAMES) and not stayed & (NAMES | {"email", "vat_number"})
    if names & stayed != {"email"}:
        return bool(names) and not names & stayed
    telling = NAMES if number is not None else known - {"email"} - SHARED - TELLS_NOTHING
    return bool(known & NAMES) and not telling & stayed


def keeps_names(facts: Facts) -> bool:
    """Whether all names of the row are as they were agreed: a new number or e-mail address alone makes nobody another
    customer."""
    agreed, source = _agreed(facts), facts.source if facts.source is not None else facts.row
    known = [name for name in NAMES if name in agreed and source.get(name) is not None]
    return bool(known) and all(agreed[name] == facts.digest(name, source[name]) for name in known)


def perhaps_another(facts: Facts) -> bool:
    """Whether the change log has to be asked whose row this is: its number, name, e-mail or VAT number differs from
    what was agreed, or nothing was agreed yet, as after a crash that followed on the linking. A weaker sign than
    `another`, for shops merge customers who share some of these values."""
    agreed = _agreed(facts)
    if not agreed:
        return facts.link is not None and facts.link.external_id is not None
    source = facts.source if facts.source is not None else facts.row
    return any(name in source and agreed[name] != facts.digest(name, source[name]) for name in _OWNED if name in agreed)


def _agreed(facts: Facts) -> dict[str, str]:
    """The digests of the customer as last agreed, or as our create of unknown outcome sent him. A record that was
    linked just before a crash has no base yet: what it shows stands for what was agreed."""
    own, base = unknown_create(facts), facts.link.base if facts.link is not None else {}
    agreed = {name: entry.source for name, entry in base.items()}
    agreed |= {name: digests.sent for name, digests in own.fields.items()} if own is not None else {}
    if not agreed and facts.link is not None and facts.remote is not None:
        agreed = {name: facts.digest(name, value) for name, value in facts.remote.values.items()}
    return agreed


def another_record(facts: Facts) -> bool:
    """Whether the provider shows one of its own ids changed under the same link: after a merge, or where the record was
    made anew under our key, the record's values may be another customer's. A change of our own key does not count, for
    our key identifies no record."""
    if facts.link is None or facts.remote is None:
        return False
    before, now = facts.link.external_ids, facts.remote.external_ids
    return any(now.get(name, value) != value for name, value in before.items() if value != facts.link.provider_key)


def recognised(facts: Facts, remote: Remote) -> bool:
    """Whether a record can be the one that our lost create made, and not a person's under the same key.

    The record is ours where no value that it shows contradicts what was sent; or where an identifying value agrees and
    no more values contradict than agree, so that a person edited the record since. Example: name and e-mail as sent,
    another phone: ours, edited. The e-mail as sent, another name and another street: another customer of that
    household.
    """
    agreed, contradicted = _compared(facts, remote)
    if not contradicted:
        return bool(late_digests(facts.intents))
    return bool(agreed & PROVING) and len(contradicted) <= len(agreed)


def made_by(facts: Facts, remote: Remote) -> bool:
    """Whether a record that carries no key of ours is most likely what our lost create made: an identifying value
    agrees, and fewer values contradict than agree. Nobody is linked on that; but it is no newcomer's record. What
    identifies nobody is compared only where something else agreed: many records are asked about many creates."""
    if not may_be_made_by(facts, remote):
        return False
    agreed, contradicted = _compared(facts, remote)
    return len(contradicted) < len(agreed)


def may_be_made_by(facts: Facts, remote: Remote) -> bool:
    """Whether a record that carries no key of ours may be what the lost create of a customer made whose row is there:
    one identifying value agrees, as it was sent or as the provider spells it. His question is open, and whoever answers
    it looks at this record, which must not become a second row of his meanwhile. Example: the name as sent, the city in
    capitals, another e-mail."""
    telling = {name: remote.values[name] for name in PROVING & remote.values.keys()}
    return bool(_compared(facts, remote._replace(values=telling))[0])


def holds_what_was_sent(facts: Facts, remote: Remote) -> bool:
    """Whether a record shows what our lost create sent, an identifying value among it, and nothing else: enough to
    remove a record without our key on a person's word, where `made_by` may be a relative's with one e-mail address."""
    agreed, contradicted = _compared(facts, remote)
    return bool(agreed & PROVING) and not contradicted


def base_of_lost_create(facts: Facts, created: Intent, remote: Remote) -> dict[str, FieldBase]:
    """The base once the record of a lost create is linked: what was sent.

    Where the record shows another value, nobody knows who typed that value, so it never reaches the source unasked. A
    country or language that was not sent is the provider's default, as after a create that was answered.
    """
    base: dict[str, FieldBase] = {}
    for name, digests in created.fields.items():
        shown = remote.values.get(name)
        ours = name not in remote.values or _as_sent(facts, frozenset({digests.sent}), name, shown)
        default = name in TELLS_NOTHING and digests.sent == facts.digest(name, None)
        provider = digests.sent if ours or not default else facts.digest(name, shown)
        base[name] = FieldBase(
            digests.sent,
            provider if name in remote.values else None,
            provisional=True,
            disputed=not ours and not default,
        )
    return base


def _compared(facts: Facts, remote: Remote) -> tuple[set[str], set[str]]:
    """What of a record agrees with our lost create and what contradicts it; an address counts as one."""
    sent, respelled = late_digests(facts.intents), _respelled(facts.intents)
    agreed, contradicted = set[str](), set[str]()
    for name, value in remote.values.items():
        if name not in sent or name in TELLS_NOTHING:
            continue
        known = _as_sent(facts, sent[name], name, value)
        if not known and not any(facts.digest(name, form) in respelled for form in spelling(value)):
            contradicted.add("address" if name in ADDRESS else name)
        elif name not in SHARED and isinstance(value, str) and len(value) >= _telling(facts, sent[name], name, value):
            agreed.add("address" if name in ADDRESS else name)
    return agreed - contradicted, contradicted


def _respelled(intents: tuple[Intent, ...]) -> frozenset[str]:
    """What providers may have made of the values of our creates, where these remember it."""
    return frozenset(form for intent in intents for sent in intent.fields.values() for form in sent.spelled)


def _as_sent(facts: Facts, sent: frozenset[str], name: str, value: Value) -> bool:
    """Whether a value is one that was sent, or the provider's form of it: re-spelled or cut off. The provider's form
    can be recognised only as long as the row holds the value that was sent."""
    if facts.digest(name, value) in sent:
        return True
    own = (facts.source or {}).get(name)
    country = (facts.source or {}).get("country")
    place = country if isinstance(country, str) else None
    return (
        own is not None and facts.digest(name, own) in sent and (equal(name, own, value, place) or degraded(own, value))
    )


def _telling(facts: Facts, sent: frozenset[str], name: str, value: Value) -> int:
    """How many characters a value needs to be evidence: a cut form may be so short that anybody's begins like it."""
    return 1 if facts.digest(name, value) in sent else TELLING


def edited_there(facts: Facts, remote: Remote) -> bool:
    """Whether the record shows any value that was not agreed and that no unconfirmed write of ours explains."""
    base = facts.link.base if facts.link is not None else {}
    late = late_digests(facts.intents)
    return any(
        entry.provider is not None
        and name in remote.values
        and facts.digest(name, remote.values[name]) not in {entry.provider, *late.get(name, ())}
        for name, entry in base.items()
    )
