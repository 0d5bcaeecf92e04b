"""Signs that a provider erased a person: placeholders, or many fields changed at once.

No provider documents how an erased record looks, and some of its fields may stay. So one sign is enough to ask a
person. A placeholder that is pulled would erase the customer in the source; a value that is pushed over a placeholder
would bring an erased person back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from syncd.core.facts import Facts, seen
from syncd.core.merge import Decision, Verdict
from syncd.core.model import Value, Values
from syncd.core.normalise import degraded, equal
from syncd.core.writes import late_digests

NAMES = ("name", "first_name", "last_name", "contact_person")
ADDRESS = ("street", "street2", "postal_code", "city")
PERSONAL = (*NAMES, "email", "phone", "mobile", "fax", *ADDRESS, "vat_number", "tax_number", "birth_date")

_ERASED = re.compile(
    r"anonymi[sz]|gelöscht|entfernt|(?<![a-z])(?:deleted?|erased|redacted|removed|forgotten|gdpr|dsgvo|rgpd)(?![a-z])"
    r"|supprimé|eliminad[oa]|apagad[oa]|removid[oa]|cancellat[oa]|verwijderd|usunięt",
    re.IGNORECASE,
)
_MASK = re.compile(
    r"[\s*#•._-]+|[\s*#•._xX-]{3,}|[\s+()/.-]*(?:0[\s+()/.-]*){3,}"
    r"|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_NOBODY = frozenset(
    {"anonymous", "anonym", "anonyme", "unknown", "unbekannt", "null", "none", "nil", "na", "undefined"}
)
_ANYBODY = frozenset({"user", "customer", "kunde"})
_NO_DATES = frozenset({date(1, 1, 1), date(1900, 1, 1)})
_NOT_LETTER = re.compile(r"[\W\d_]+")


class Erasure(NamedTuple):
    """The signs of an erasure: fields that hold a placeholder, and fields that changed `at_once` although one edit
    rarely changes them together. Names of fields only."""

    placeholders: tuple[str, ...] = ()
    at_once: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The signs in words, for the person who is asked."""
        if self.placeholders:
            return f"placeholders at the provider ({', '.join(self.placeholders)}): was this person erased there?"
        return f"{', '.join(self.at_once)} changed at once at the provider: erased, or somebody else?"

    def holds(self, decision: Decision) -> bool:
        """Whether this decision about a field waits for a person: pulls do, and pushes over placeholders. A person's
        own decision does not."""
        if decision.reason == "decided":
            return False
        if decision.verdict is Verdict.PULL:
            return bool(self.placeholders or self.at_once)
        return decision.verdict is Verdict.PUSH and bool(self.placeholders)


def placeholder(value: Value) -> bool:
    """Whether a value is a placeholder for an erased one: `Deleted`, `***`, `00000`, `deleted-482@shop.invalid`."""
    if isinstance(value, date):
        return value in _NO_DATES
    if not isinstance(value, str) or not value.strip():
        return False
    local, at, domain = value.strip().rpartition("@")
    if at and domain.casefold().rpartition(".")[2] == "invalid":
        return True
    words = (local or domain).replace("_", " ")
    nobody = _NOBODY if at else _NOBODY | _ANYBODY
    plain = _NOT_LETTER.sub("", words).casefold()
    return bool(_ERASED.search(words) or _MASK.fullmatch(local or domain)) or plain in nobody


def erased(values: Values) -> bool:
    """Whether an unlinked record looks erased: such a record is not taken in as a new customer."""
    return any(placeholder(values.get(name)) for name in (*NAMES, "email"))


def erasure(facts: Facts) -> Erasure:
    """The signs of an erasure in a linked record that it did not show when its values were agreed."""
    if facts.remote is None:
        return Erasure()
    late = late_digests(facts.intents)
    moved = [name for name in PERSONAL if _moved(facts, name, late)]
    values = facts.remote.values
    signs = tuple(name for name in moved if placeholder(values[name]) or _nameless(moved, values, name))
    names = [name for name in moved if name in NAMES and name not in facts.composed and _agreed(facts, name)]
    others = [name for name in moved if name in {"email", *ADDRESS} and _agreed(facts, name)]
    return Erasure(signs, (*names, *others) if names and others else ())


def _nameless(moved: list[str], values: Values, name: str) -> bool:
    """Whether the whole name was emptied: people clear a phone number, never a name."""
    if name == "name":
        return values[name] is None
    parts = ("first_name", "last_name")
    return name in parts and all(part in moved and values[part] is None for part in parts)


def _agreed(facts: Facts, name: str) -> bool:
    entry = facts.link.base.get(name) if facts.link is not None else None
    return entry is not None and entry.provider is not None


def _moved(facts: Facts, name: str, late: Mapping[str, frozenset[str]]) -> bool:
    """Whether the provider shows a value that was not agreed, that no write of ours explains, and that is no re-spelled
    or cut form of the source's value."""
    there = facts.remote.values if facts.remote is not None else {}
    if name not in there:
        return False
    entry, digest = facts.link.base.get(name) if facts.link is not None else None, facts.digest(name, there[name])
    if (entry is not None and entry.provider == digest) or digest in late.get(name, ()):
        return False
    source = seen(facts, name)[0]
    if source is None or source.value == there[name]:
        return False
    country = (facts.source or {}).get("country")
    place = country if isinstance(country, str) else None
    return not (equal(name, source.value, there[name], place) or degraded(source.value, there[name]))
