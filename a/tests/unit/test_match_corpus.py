"""`sure` on sides of which it is known who is who: never wrong, and not too shy."""

from __future__ import annotations

from collections import Counter

import pytest

from syncd.core.match import Here, Kind, Outcome, There, match
from syncd.core.model import Value
from tests.unit.acquainted import Corpus, corpus, strangers_that_count

SEEDS = (1, 2, 3)
RECALL = 0.7  # of the customers who are on both sides, so many at least are linked without a question


def judged(known: Corpus, found: Outcome) -> tuple[Counter[str], float]:
    """The kinds of cases in which `sure` was wrong, and the share of the acquainted that it found."""
    sure = {each.key: each.external_ids[0] for each in found.matches if each.kind is Kind.SURE}
    wrong = Counter(known.kinds[key] for key, external_id in sure.items() if known.truth.get(key) != external_id)
    right = sum(1 for key, external_id in known.truth.items() if sure.get(key) == external_id)
    return wrong, right / len(known.truth)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_sure_match_is_wrong(seed: int) -> None:
    """Among 2 000 pairs with trades, legal forms, families, branches, twins at one address, shared e-mails, formatting
    noise and renamed companies, `sure` links nobody to somebody else, and finds most of those who are there."""
    known = corpus(seed)
    wrong, recall = judged(known, match(known.here, known.there))
    print(f"seed {seed}: {len(known.here)} pairs, {len(known.truth)} acquainted, recall {recall:.3f}")
    assert wrong == Counter()
    assert recall >= RECALL


@pytest.mark.parametrize("seed", SEEDS)
def test_two_shops_that_both_count_from_one_are_not_linked_by_number(seed: int) -> None:
    """Where most pairs with one number contradict each other, no number is evidence, and the report says so."""
    known = strangers_that_count(seed)
    found = match(known.here, known.there)
    wrong, recall = judged(known, found)
    print(f"seed {seed}: {len(known.truth)} acquainted, recall {recall:.3f}")
    assert wrong == Counter()
    assert found.numbers_apart


def one(number: str = "7", **values: Value) -> Here:
    return Here("1", number, values)


def other(number: str = "7", **values: Value) -> There:
    return There("r", number, values)


def outcome(here: Here, there: There) -> Outcome:
    return match([here], [there])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Groß & Söhne", "Stein & Söhne"),
        ("Elektro Vogel", "Elektro Klein"),
        ("Hotel Adler", "Hotel Post"),
        ("Boulangerie Dupont", "Boulangerie Durand"),
        ("Panadería Núñez", "Panadería Peña"),
    ],
)
def test_a_word_that_many_share_is_no_name(ours: str, theirs: str) -> None:
    """One number and one word of the trade: strangers, when e-mail, phone, street, postal code and VAT id differ."""
    mine = {
        "email": "a@x.example",
        "phone": "+49 30 111111",
        "street": "Weg 1",
        "postal_code": "1",
        "vat_number": "DE811",
    }
    not_mine = {
        "email": "b@y.example",
        "phone": "+49 40 2222",
        "street": "Ufer 2",
        "postal_code": "2",
        "vat_number": "DE922",
    }
    (found,) = outcome(one(name=ours, **mine), other(name=theirs, **not_mine)).matches
    assert found.kind is Kind.AMBIGUOUS


def test_a_number_alone_is_not_sure() -> None:
    """Rows with neither name nor e-mail are not linked for their number."""
    (found,) = outcome(one(city="Berlin", country="DE"), other(city="Berlin", country="DE")).matches
    assert found.kind is Kind.PROBABLE
