"""First contact: which of the provider's records is which customer? Pure; nothing is linked here.

    sure        the same number or VAT id, each side has it only once, and what else both hold speaks for it
    probable    one candidate: by number or VAT id with a doubt, by e-mail with postal code or name, or by name with the
                whole address
    ambiguous   several candidates, one that several customers claim, or our number on another customer's record

What `sure` needs beside the number or the VAT id (`core.evidence` says what agrees and what contradicts):

    by number   name, e-mail or VAT id agree, or two other values; the VAT id does not contradict
    by VAT id   one other value agrees; the address does not contradict (branches), nor does the number point elsewhere
    both        at most one contradiction, outweighed by two that agree, the name or the VAT id among them; another name
                only where the VAT id agrees and the two names have no word in common (renamed, not a relative)

An e-mail address or a name alone is no evidence: families, head offices and info@ addresses share them. Where most
pairs with one number contradict each other, the numbers of the two sides come from different ranges, and no number is
evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from syncd.core.evidence import VAT, Evidence, identifying, weigh
from syncd.core.model import Values
from syncd.core.questions import SURE, Offer
from syncd.core.tokens import NUMBER, WEAK, form, tokens

ADDRESS = "address"
_TWICE = (("vat_number",), ("email", "name"))
OTHERWISE = "everything-else-differs"
DOUBTED = "more-differs-than-agrees"
DOUBTS = frozenset({OTHERWISE, DOUBTED})
APART = "numbers-apart"
DIFFERS, ALONE = "something-differs", "nothing-else-agrees"
UNSURE = DOUBTS | {APART, DIFFERS, ALONE}
"""Why a match is not sure; a report gives at least one of these reasons where number or VAT id agree."""
REASONS = frozenset({NUMBER, VAT, *WEAK})
"""What a match may rest on."""
_FEW = 3  # same-number pairs that can be compared; fewer say nothing about two number ranges


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
    """The whole report. `twice` groups remotes that look like one customer at the provider; `numbers_apart`: no number
    counted."""

    matches: tuple[Match, ...]
    only_here: tuple[str, ...]
    only_there: tuple[str, ...]
    twice: tuple[tuple[str, ...], ...]
    numbers_apart: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    """Why a customer may be a remote, and what the values of the two say."""

    there: There
    reasons: tuple[str, ...]
    evidence: Evidence

    @property
    def by_number(self) -> bool:
        return NUMBER in self.reasons

    @property
    def strong(self) -> bool:
        if self.there.archived or not _outweighed(self.evidence):
            return False
        return (self.by_number and _sure_by_number(self.evidence)) or (
            VAT in self.reasons and _sure_by_vat(self.evidence)
        )


def _outweighed(said: Evidence) -> bool:
    """Whether nothing contradicts, or one value that the others outweigh."""
    if not said.against:
        return True
    if len(said.against) > 1 or len(said.agree) < 2:
        return False
    if "name" in said.against:
        return VAT in said.agree and not said.sibling
    return "name" in said.agree or VAT in said.agree


def _sure_by_number(said: Evidence) -> bool:
    return VAT not in said.against and bool(said.agree & {"name", "email", VAT} or len(said.agree) > 1)


def _sure_by_vat(said: Evidence) -> bool:
    reached = ADDRESS in said.agree or {"email", "phone"} <= said.agree
    return (
        VAT in said.agree
        and len(said.agree) > 1
        and ADDRESS not in said.against
        and (reached or "name" not in said.against)
    )


@dataclass
class _Index:
    """Remotes by what identifies them; `shared` holds values that several customers of one side have."""

    shared: frozenset[tuple[str, str]] = frozenset()
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
        return [
            _Claim(remotes[id_], tuple(dict.fromkeys(why)), weigh(here.values, remotes[id_].values, self.shared))
            for id_, why in reasons.items()
        ]


def match(here: Sequence[Here], there: Sequence[There]) -> Outcome:
    """Sort both sides into sure, probable, ambiguous and alone. Deterministic; linear in the number of customers."""
    index = _Index(_shared(here) | _shared(there))
    for remote in there:
        index.add(remote)
    claims = {customer.key: index.claims(customer) for customer in here}
    numbers_apart = _apart(claims.values())
    if numbers_apart:
        claims = {key: [_without_number(claim) for claim in made] for key, made in claims.items()}
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
        numbers_apart=numbers_apart,
    )


def stands(here: Here, there: There, told: Offer) -> bool:
    """Whether a report's line about these two still holds, by the present values of both sides.

    Every reason of the line must still be true (where it names several records, one of the reasons), and a sure match
    must still be sure, unless a person accepted it over the report's doubts. Example: a report of Monday matches
    customer 41 to record X by number and e-mail; on Wednesday key 41 belongs to another customer.
    """
    index = _Index()
    index.add(there)
    claims = index.claims(here)
    known = set(claims[0].reasons) if claims else set()
    given = set(told.why) & REASONS
    if not given <= known and (len(told.ids) == 1 or given.isdisjoint(known)):
        return False
    return told.how != SURE or not set(told.why).isdisjoint(UNSURE) or any(claim.strong for claim in claims)


def _shared(side: Sequence[Here] | Sequence[There]) -> frozenset[tuple[str, str]]:
    counts = Counter(value for each in side for value in identifying(each.values))
    return frozenset(value for value, number in counts.items() if number > 1)


def _apart(claims: Iterable[Sequence[_Claim]]) -> bool:
    """Whether most pairs with one number, of those that can be compared, are two customers."""
    said = [claim.evidence for made in claims for claim in made if claim.by_number]
    comparable_pairs = [each for each in said if each.agree or each.against]
    return ranges_apart(sum(each.doubtful for each in comparable_pairs), len(comparable_pairs))


def ranges_apart(contradicted: int, compared: int) -> bool:
    """Whether two sides whose same-number pairs contradict each other so often have two number ranges."""
    return compared >= _FEW and contradicted * 2 > compared


def _without_number(claim: _Claim) -> _Claim:
    """The claim with its number as a doubt (`numbers-apart`) instead of a reason."""
    if not claim.by_number:
        return claim
    return replace(claim, reasons=(*(why for why in claim.reasons if why != NUMBER), APART))


def _sure(claims: Sequence[_Claim], strong: Mapping[str, int]) -> _Claim | None:
    """The one remote with strong evidence, if no other customer has strong evidence for it and no number points
    elsewhere."""
    candidates = [claim for claim in claims if claim.strong]
    if len(candidates) != 1 or strong[candidates[0].there.external_id] != 1:
        return None
    if any(claim.by_number and claim is not candidates[0] for claim in claims):
        return None
    return candidates[0]


def _unsure(key: str, claims: Sequence[_Claim], wanted: Mapping[str, int]) -> Match:
    ordered = sorted(claims, key=lambda claim: (not claim.strong, -len(claim.reasons), claim.there.external_id))
    ids = tuple(claim.there.external_id for claim in ordered)
    reasons = tuple(dict.fromkeys(reason for claim in ordered for reason in claim.reasons))
    doubts = [claim for claim in claims if claim.evidence.doubtful and claim.reasons in {(NUMBER,), (APART,)}]
    if doubts:
        reasons += (DOUBTED if any(claim.evidence.agree for claim in doubts) else OTHERWISE,)
    elif not UNSURE & set(reasons):
        reasons += tuple(dict.fromkeys(_why_unsure(claim) for claim in claims if not claim.strong))
    if any(claim.there.archived for claim in claims):
        reasons += ("archived-there",)
    if len(claims) > 1:
        reasons += ("several-there",)
    if any(wanted[external_id] > 1 for external_id in ids):
        reasons += ("several-here",)
    plain = len(claims) == 1 and wanted[ids[0]] == 1 and not doubts and not claims[0].there.archived
    return Match(Kind.PROBABLE if plain else Kind.AMBIGUOUS, key, ids, reasons)


def _why_unsure(claim: _Claim) -> str:
    return DIFFERS if claim.evidence.against else ALONE


def _doubles(there: Sequence[There]) -> tuple[tuple[str, ...], ...]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for remote in there:
        keys = [(NUMBER, remote.number)] if remote.number else []
        for parts in _TWICE:
            forms = [form(remote.values, part) for part in parts]
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
