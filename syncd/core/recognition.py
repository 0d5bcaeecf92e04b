"""Is it the same customer? Comparisons of a row, a record and our writes of unknown outcome. `plan` decides by them."""

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
    """Whether the row under a known key may be another customer's: no identifying value stayed, or only the e-mail
    address, which families and head offices share. Example: customer 2 is deleted, and a row is inserted under key 2
    with the same `info@` address, another number and other names. Where the row has no number, an unchanged phone or
    street speaks for the same customer. With other names the same number is no proof either: a shop that counts its
    numbers gives the last one again after a deletion."""
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
    """Whether all names of the row are as agreed: with a new number or e-mail address alone, the row is still the same
    customer's."""
    agreed, source = _agreed(facts), facts.source if facts.source is not None else facts.row
    known = [name for name in NAMES if name in agreed and source.get(name) is not None]
    return bool(known) and all(agreed[name] == facts.digest(name, source[name]) for name in known)


def perhaps_another(facts: Facts) -> bool:
    """Whether the change log must be asked whose row this is: its number, name, e-mail or VAT number differs from the
    base, or there is no base yet, as after a crash right after the linking. A weaker sign than `another`, because shops
    merge customers who share some of these values."""
    agreed = _agreed(facts)
    if not agreed:
        return facts.link is not None and facts.link.external_id is not None
    source = facts.source if facts.source is not None else facts.row
    return any(name in source and agreed[name] != facts.digest(name, source[name]) for name in _OWNED if name in agreed)


def _agreed(facts: Facts) -> dict[str, str]:
    """The digests of the customer's values as last agreed, or as our create of unknown outcome sent them. A link that
    was made right before a crash has no base yet: the record's values stand in for it."""
    own, base = unknown_create(facts), facts.link.base if facts.link is not None else {}
    agreed = {name: entry.source for name, entry in base.items()}
    agreed |= {name: digests.sent for name, digests in own.fields.items()} if own is not None else {}
    if not agreed and facts.link is not None and facts.remote is not None:
        agreed = {name: facts.digest(name, value) for name, value in facts.remote.values.items()}
    return agreed


def another_record(facts: Facts) -> bool:
    """Whether one of the provider's own ids changed under the same link: after a merge, or where the record was made
    anew under our key, the record's values may be another customer's. Our own key does not count, because it identifies
    no record."""
    if facts.link is None or facts.remote is None:
        return False
    before, now = facts.link.external_ids, facts.remote.external_ids
    return any(now.get(name, value) != value for name, value in before.items() if value != facts.link.provider_key)


def recognised(facts: Facts, remote: Remote) -> bool:
    """Whether a record can be the one that our lost create made, and not another customer's under the same key.

    The record is ours where none of its values contradicts what was sent. It is ours, and edited since, where an
    identifying value agrees and no more values contradict than agree. Example: name and e-mail as sent, another phone:
    ours. The e-mail as sent, another name and another street: another customer of that household.
    """
    agreed, contradicted = _compared(facts, remote)
    if not contradicted:
        return bool(late_digests(facts.intents))
    return bool(agreed & PROVING) and len(contradicted) <= len(agreed)


def made_by(facts: Facts, remote: Remote) -> bool:
    """Whether our lost create most likely made a record that carries no key of ours: an identifying value agrees, and
    fewer values contradict than agree. No customer is linked on that, but the record is not taken in as a new customer.
    To save time, all values are compared only where an identifying one agrees."""
    if not may_be_made_by(facts, remote):
        return False
    agreed, contradicted = _compared(facts, remote)
    return len(contradicted) < len(agreed)


def may_be_made_by(facts: Facts, remote: Remote) -> bool:
    """Whether our lost create may have made a record that carries no key of ours: one identifying value agrees, as sent
    or as the provider spells it. Enough to keep the record from becoming a second row of a customer about whom a person
    is being asked. Example: the name as sent, the city in capitals, another e-mail."""
    telling = {name: remote.values[name] for name in PROVING & remote.values.keys()}
    return bool(_compared(facts, remote._replace(values=telling))[0])


def holds_what_was_sent(facts: Facts, remote: Remote) -> bool:
    """Whether a record shows what our lost create sent, an identifying value among it, and no other value: enough to
    remove a record without our key when a person orders it. `made_by` is not enough for that: the record may be a
    relative's with the same e-mail address."""
    agreed, contradicted = _compared(facts, remote)
    return bool(agreed & PROVING) and not contradicted


def base_of_lost_create(facts: Facts, created: Intent, remote: Remote) -> dict[str, FieldBase]:
    """The base once the record of a lost create is linked: what was sent.

    Where the record shows another value, it is unknown who typed it, so it never reaches the source unasked. A country
    or language that was not sent is the provider's default, as after a create that was answered.
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
    """The fields of a record that agree with our lost create, and the contradicting ones; an address counts as one."""
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
    """The digests of spellings that a provider may have made of our creates' values, where the intents hold them."""
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
    """How many characters a value needs to be evidence: a short cut form may be the beginning of many values."""
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
