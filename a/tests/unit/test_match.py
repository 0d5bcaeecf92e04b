"""Who is who at first contact: what counts as evidence, and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.evidence import weigh
from syncd.core.match import Here, Kind, There, match
from syncd.core.model import Value, Values
from syncd.core.names import alike

PERSON: Values = {
    "name": "Kranbau Oster GmbH",
    "email": "info@oster.example",
    "phone": "+49 30 1234567",
    "street": "Hafenweg 12a",
    "postal_code": "10317",
    "country": "DE",
    "vat_number": "DE811001001",
}
OTHER: Values = {
    "name": "Noordzee Techniek B.V.",
    "email": "hallo@noordzee.example",
    "phone": "+31 20 7654321",
    "street": "Kanaaldijk 8",
    "postal_code": "1976 AB",
    "country": "NL",
    "vat_number": "NL811002002B01",
}


def here(key: str, number: str, **values: Value) -> Here:
    return Here(key, number, {**PERSON, **values})


def there(external_id: str, number: str | None, **values: Value) -> There:
    return There(external_id, number, {**PERSON, **values})


@pytest.mark.parametrize(
    ("remote", "kind", "reason"),
    [
        (there("r", "1001", vat_number=None, email=None), Kind.SURE, "number"),
        (there("r", "9999", name="Ganz anders", email=None, phone=None), Kind.SURE, "vat_number"),
        (there("r", "9999", vat_number="de 811 001 001", email=None), Kind.SURE, "vat_number"),
        (there("r", None, vat_number=None, name="Anders"), Kind.PROBABLE, "email+postal_code"),
        (there("r", None, vat_number=None, postal_code=None), Kind.PROBABLE, "email+name"),
        (there("r", None, vat_number=None, email=None), Kind.PROBABLE, "name+address"),
        (There("r", "1001", {}), Kind.PROBABLE, "number"),
        (there("r", "1001", vat_number="DE899999999"), Kind.PROBABLE, "number"),
        (there("r", "9999", street="Hafenweg 99"), Kind.PROBABLE, "vat_number"),
        (there("r", "9999", name="Kranbau Oster AG"), Kind.PROBABLE, "vat_number"),
        (there("r", "1001", email="neu@oster.example"), Kind.SURE, "number"),
        (there("r", "1001", email="neu@oster.example", phone="+49 40 7654321"), Kind.PROBABLE, "number"),
        (There("r", "1001", OTHER), Kind.AMBIGUOUS, "everything-else-differs"),
        (There("r", "1001", PERSON, archived=True), Kind.AMBIGUOUS, "archived-there"),
    ],
)
def test_what_one_pair_is(remote: There, kind: Kind, reason: str) -> None:
    """Number or VAT id make it sure, two weaker things probable, a number on somebody else is never linked."""
    (found,) = match([here("1", "1001")], [remote]).matches
    assert (found.kind, found.external_ids) == (kind, ("r",))
    assert reason in found.reasons


@pytest.mark.parametrize("shared", [("email",), ("name",), ("phone",), ("postal_code",), ("name", "postal_code")])
def test_what_families_and_head_offices_share_is_no_evidence(shared: tuple[str, ...]) -> None:
    """One shared e-mail address, name, phone or postal code links nobody."""
    remote = There("r", None, {**OTHER, **{name: PERSON[name] for name in shared}})
    outcome = match([here("1", "1001")], [remote])
    assert (outcome.matches, outcome.only_here, outcome.only_there) == ((), ("1",), ("r",))


def test_several_candidates_are_ambiguous_and_doubled() -> None:
    """Two records with the customer's VAT id: neither is linked, and both are reported as one customer there."""
    outcome = match([here("1", "1001")], [there("a", "8001", email=None), there("b", "8002", email=None)])
    (found,) = outcome.matches
    assert (found.kind, set(found.external_ids)) == (Kind.AMBIGUOUS, {"a", "b"})
    assert outcome.twice == (("a", "b"),)
    assert outcome.only_there == ()


def test_number_and_vat_that_point_apart_are_ambiguous() -> None:
    """The number says one record, the VAT id another: a person decides."""
    remotes = [there("a", "1001", vat_number="DE999999999"), there("b", "8002", email=None, name="X")]
    (found,) = match([here("1", "1001")], remotes).matches
    assert found.kind is Kind.AMBIGUOUS


def test_a_record_that_two_customers_claim_is_nobodys() -> None:
    """One VAT id on two rows: both are ambiguous."""
    rows = [here("1", "1001"), here("2", "1002", email="zwei@oster.example")]
    found = match(rows, [there("r", "9001", email=None)]).matches
    assert [each.kind for each in found] == [Kind.AMBIGUOUS, Kind.AMBIGUOUS]
    assert all("several-here" in each.reasons for each in found)


def test_a_record_that_is_surely_somebodys_is_no_candidate_for_another() -> None:
    """Two customers share e-mail and postal code; the record with the first one's number is his alone."""
    rows = [here("1", "1001"), here("2", "1002", vat_number="DE811009999", name="Zweigstelle")]
    outcome = match(rows, [there("r", "1001")])
    assert [(each.kind, each.key) for each in outcome.matches] == [(Kind.SURE, "1")]
    assert outcome.only_here == ("2",)


def test_evidence_needs_something_to_compare() -> None:
    """What only one side holds neither agrees nor contradicts; formatting is no contradiction."""
    assert weigh(PERSON, {}) == weigh({}, PERSON)
    assert not weigh(PERSON, {}).against
    assert weigh(PERSON, OTHER).against == {"name", "email", "phone", "vat_number", "address"}
    assert weigh(PERSON, {**OTHER, "name": "Oster Kranbau"}).agree == {"name"}
    spelled = {**PERSON, "name": "KRANBAU OSTER", "email": "Info@Oster.example", "phone": "030 1234567"}
    spelled |= {"street": "Hafenw. 12 A", "postal_code": "D-10317", "vat_number": "DE 811.001.001"}
    assert weigh(PERSON, spelled).against <= {"address"}  # a shortened word that nobody knows is another street
    assert weigh(PERSON, {**spelled, "street": "Hafenweg 12 A"}).agree == weigh(PERSON, PERSON).agree


def test_what_several_share_agrees_with_nobody() -> None:
    """An e-mail address that two customers of one side have says nothing about a third record that has it."""
    shared = frozenset({("email", "info@oster.example")})
    assert weigh(PERSON, {"email": "info@oster.example"}, shared).agree == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ("Kranbau Oster GmbH", "OSTER Kranbau", "agree"),
        ("Oster B. V.", "Oster BV", "agree"),
        ("Müller", "MUELLER", "agree"),
        ("Müller", "Muller", "agree"),
        ("Weber, Anna", "Frau Dr. Anna Weber", "agree"),
        ("Hotel Restaurant", "Restaurant Hotel", "agree"),
        ("Anna Weber", "Bernd Weber", "sibling"),
        ("A. Weber", "B. Weber", "sibling"),
        ("Hans Weber sen.", "Hans Weber jun.", "sibling"),
        ("Weber GmbH", "Weber GmbH & Co. KG", "sibling"),
        ("Hotel Adler", "Adler Apotheke", "sibling"),
        ("Oster Filiale Nord", "Oster Filiale Süd", "sibling"),
        ("Kunde 201", "Kunde 202", "sibling"),
        ("Groß & Söhne", "Stein & Söhne", "differ"),
        ("Elektro Vogel", "Elektro Klein", "differ"),
        ("Padaria Silva", "Padaria Costa", "differ"),
        ("Weber", "Anna Weber", None),
        ("A. Weber", "Anna Weber", None),
        ("Oster Hafenlogistik", "Oster", None),
    ],
)
def test_what_names_say(one: str, other: str, likeness: str | None) -> None:
    """Distinguishing words decide; legal forms, trades, titles and stop words do not, but another one tells apart."""
    assert alike(one, other) == alike(other, one) == likeness


NUMBERS = st.sampled_from(["1", "2", "3"])
SIDE = {
    "email": st.sampled_from(["a@x.example", "b@x.example", None]),
    "postal_code": st.sampled_from(["1", None]),
    "name": st.sampled_from(["Anna Alt", "Bert Breit", None]),
    "vat_number": st.sampled_from(["DE1", "DE2", None]),
}


@given(
    st.lists(st.tuples(NUMBERS, st.fixed_dictionaries(SIDE)), max_size=6),
    st.lists(st.tuples(NUMBERS, st.fixed_dictionaries(SIDE), st.booleans()), max_size=6),
)
def test_every_report_is_whole_and_links_one_to_one(
    ours: list[tuple[str, dict[str, str | None]]], theirs: list[tuple[str, dict[str, str | None], bool]]
) -> None:
    """Each customer is matched or only here, each remote named or only there; sure links are one to one; the order of
    the providers' records changes nothing about who is linked."""
    rows = [Here(str(n), number, dict(values)) for n, (number, values) in enumerate(ours)]
    remotes = [There(f"r{n}", number, dict(values), gone) for n, (number, values, gone) in enumerate(theirs)]
    outcome = match(rows, remotes)
    matched = [found.key for found in outcome.matches]
    assert sorted([*matched, *outcome.only_here]) == sorted(row.key for row in rows)
    named = {external_id for found in outcome.matches for external_id in found.external_ids}
    assert named | set(outcome.only_there) == {remote.external_id for remote in remotes}
    assert not named & set(outcome.only_there)
    linked = [found.external_ids[0] for found in outcome.matches if found.kind is Kind.SURE]
    assert len(linked) == len(set(linked))
    assert not {remote.external_id for remote in remotes if remote.archived} & set(linked)
    again = match(rows, list(reversed(remotes)))
    assert {(f.key, f.kind, frozenset(f.external_ids)) for f in again.matches} == {
        (f.key, f.kind, frozenset(f.external_ids)) for f in outcome.matches
    }
