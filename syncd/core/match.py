"""First contact: which of the provider's customers is which of ours? Pure; nothing is linked here.

    sure        the same number or VAT id, and each side has it only once
    probable    one candidate, by e-mail with postal code or name, or by name with the whole address
    ambiguous   several candidates, one that several customers claim, or our number on a record that is somebody else

A shared e-mail address or name alone is no evidence: families, head offices and info@ addresses share them. A number
counts only where nothing contradicts it: a provider that hands out numbers itself has its own 1001.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from syncd.core.model import Values
from syncd.core.normalise import comparable, equal

NUMBER, VAT = "number", "vat_number"
STRONG = frozenset({NUMBER, VAT})
_WEAK: Mapping[str, tuple[str, ...]] = {
    "email+postal_code": ("email", "postal_code"),
    "email+name": ("email", "name"),
    "name+address": ("name", "street", "postal_code"),
}
_TWICE = (("vat_number",), ("email", "name"))
_LEGAL = frozenset({"gmbh", "mbh", "und", "the", "and", "bv", "nv", "ltd", "llc", "inc", "lda", "firma", "kg", "ag"})
_WORD = re.compile(r"[^\W\d_]{3,}")
_NOT_WORD = re.compile(r"[\W_]+")


class Kind(StrEnum):
    """How sure a match is."""

    SURE = "sure"
    PROBABLE = "probable"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Here:
    """A source customer that is not linked; `number` is our key at the provider."""

    key: str
    number: str
    values: Values


@dataclass(frozen=True, slots=True)
class There:
    """A remote that is not linked; `number` is our key as it carries it, None where it carries none."""

    external_id: str
    number: str | None
    values: Values
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One source customer and the remotes it may be, best evidence first; `reasons` name fields, never values."""

    kind: Kind
    key: str
    external_ids: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of it. `twice` groups remotes that look like one customer over there."""

    matches: tuple[Match, ...]
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]
    twice: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """Why a customer may be a remote; `doubt`: the number is the same and everything else differs."""

    there: There
    reasons: tuple[str, ...]
    doubt: bool = False

    @property
    def strong(self) -> bool:
        return not self.doubt and not self.there.archived and any(reason in STRONG for reason in self.reasons)


@dataclass
class _Index:
    """Remotes by what identifies them."""

    by: dict[tuple[str, ...], list[There]] = field(default_factory=dict)

    def add(self, there: There) -> None:
        for token in tokens(there.number, there.values):
            self.by.setdefault(token, []).append(there)

    def claims(self, here: Here) -> list[_Claim]:
        reasons: dict[str, list[str]] = {}
        remotes: dict[str, There] = {}
        for token in tokens(here.number, here.values):
            for there in self.by.get(token, ()):
                remotes[there.external_id] = there
                reasons.setdefault(there.external_id, []).append(token[0])
        return [_claim(here, remotes[id_], tuple(why)) for id_, why in reasons.items()]


def match(here: Sequence[Here], there: Sequence[There]) -> Outcome:
    """Sort both sides into sure, probable, ambiguous and alone. Deterministic; linear in the number of customers."""
    index = _Index()
    for remote in there:
        index.add(remote)
    claims = {customer.key: index.claims(customer) for customer in here}
    strong = _count(claim.there.external_id for made in claims.values() for claim in made if claim.strong)
    matches = {
        key: Match(Kind.SURE, key, (claim.there.external_id,), claim.reasons)
        for key, made in claims.items()
        if (claim := _sure(made, strong)) is not None
    }
    taken = {found.external_ids[0] for found in matches.values()}
    rest = {
        key: [claim for claim in made if claim.there.external_id not in taken]
        for key, made in claims.items()
        if key not in matches
    }
    wanted = _count(claim.there.external_id for made in rest.values() for claim in made)
    for key, made in rest.items():
        if made:
            matches[key] = _unsure(key, made, wanted)
    named = {external_id for found in matches.values() for external_id in found.external_ids}
    return Outcome(
        matches=tuple(matches[customer.key] for customer in here if customer.key in matches),
        only_here=tuple(customer.key for customer in here if customer.key not in matches),
        only_there=tuple(remote.external_id for remote in there if remote.external_id not in named),
        twice=_doubles(there),
    )


def _claim(here: Here, there: There, reasons: tuple[str, ...]) -> _Claim:
    return _Claim(there, reasons, doubt=reasons == (NUMBER,) and contradicted(here.values, there.values))


def _sure(claims: Sequence[_Claim], strong: Mapping[str, int]) -> _Claim | None:
    """The one remote with strong evidence, if nobody else has strong evidence for it and nothing is doubtful."""
    candidates = [claim for claim in claims if claim.strong]
    blocked = any(claim.doubt or (claim.there.archived and NUMBER in claim.reasons) for claim in claims)
    if len(candidates) != 1 or blocked or strong[candidates[0].there.external_id] != 1:
        return None
    return candidates[0]


def _unsure(key: str, claims: Sequence[_Claim], wanted: Mapping[str, int]) -> Match:
    ordered = sorted(claims, key=lambda claim: (not claim.strong, -len(claim.reasons), claim.there.external_id))
    ids = tuple(claim.there.external_id for claim in ordered)
    reasons = tuple(dict.fromkeys(reason for claim in ordered for reason in claim.reasons))
    if any(claim.doubt for claim in claims):
        reasons += ("everything-else-differs",)
    if any(claim.there.archived for claim in claims):
        reasons += ("archived-there",)
    if len(claims) > 1:
        reasons += ("several-there",)
    if any(wanted[external_id] > 1 for external_id in ids):
        reasons += ("several-here",)
    plain = len(claims) == 1 and wanted[ids[0]] == 1 and not claims[0].doubt and not claims[0].there.archived
    return Match(Kind.PROBABLE if plain else Kind.AMBIGUOUS, key, ids, reasons)


def tokens(number: str | None, values: Values) -> list[tuple[str, ...]]:
    """What identifies a customer, each with the name of the evidence in front, in comparison form."""
    found: list[tuple[str, ...]] = [(NUMBER, number)] if number else []
    own = values.get("number")
    if isinstance(own, str) and own and own != number:
        found.append((NUMBER, own))
    vat = _form(values, VAT)
    if vat:
        found.append((VAT, vat))
    for name, parts in _WEAK.items():
        forms = [_form(values, part) for part in parts]
        if all(forms):
            found.append((name, *forms))
    return found


def _form(values: Values, name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        return ""
    if name == "email":
        return value.casefold()
    if name == VAT:
        return _NOT_WORD.sub("", value).upper()
    form = comparable(name, value)
    return _NOT_WORD.sub("", str(form)).casefold()


def contradicted(one: Values, other: Values) -> bool:
    """Whether two records share something to compare and agree in none of it: name, e-mail, phone, VAT id, address."""
    votes = [_names_agree(one, other), *(_agree(one, other, name) for name in ("email", "phone", VAT))]
    votes.append(_agree(one, other, "street") if _agree(one, other, "postal_code") else None)
    known = [vote for vote in votes if vote is not None]
    return bool(known) and not any(known)


def _agree(one: Values, other: Values, name: str) -> bool | None:
    mine, theirs = _form(one, name), _form(other, name)
    if not mine or not theirs:
        return None
    country = one.get("country")
    place = country if isinstance(country, str) else None
    return mine == theirs or equal(name, one[name], other[name], place)


def _names_agree(one: Values, other: Values) -> bool | None:
    """Whether two names share a word that means something."""
    mine, theirs = (_words(values) for values in (one, other))
    return bool(mine & theirs) if mine and theirs else None


def _words(values: Values) -> set[str]:
    texts = [values.get(name) for name in ("name", "first_name", "last_name")]
    words = {word for text in texts if isinstance(text, str) for word in _WORD.findall(text.casefold())}
    return words - _LEGAL


def _doubles(there: Sequence[There]) -> tuple[tuple[str, ...], ...]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for remote in there:
        keys = [(NUMBER, remote.number)] if remote.number else []
        for parts in _TWICE:
            forms = [_form(remote.values, part) for part in parts]
            if all(forms):
                keys.append(("+".join(parts), *forms))  # type: ignore[arg-type]  # one evidence has several parts
        for key in keys:
            groups.setdefault(key, []).append(remote.external_id)
    found: dict[str, tuple[str, ...]] = {}
    for ids in groups.values():
        if len(ids) > 1:
            found.setdefault(ids[0], tuple(dict.fromkeys(ids)))
    return tuple(group for group in found.values() if len(group) > 1)


def _count(ids: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for external_id in ids:
        counts[external_id] = counts.get(external_id, 0) + 1
    return counts
