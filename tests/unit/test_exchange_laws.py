"""Laws of the exchange over real values: what people type survives, and what machines make of it is no edit."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from syncd.core.actions import Exchange, Nothing
from syncd.core.erasure import ADDRESS, NAMES
from syncd.core.facts import Facts, Rules, Ruling
from syncd.core.merge import Decision, merge
from syncd.core.model import FIELDS, Direction, FieldBase, Policy, Value
from syncd.core.plan import plan
from syncd.core.verdicts import field_facts, verdicts
from syncd.core.writes import late_digests
from tests.unit.pairs import LIVE, agreed, digest, intent, linked

TEXTS = [name for name in FIELDS if name not in {"number", "birth_date", "active"}]
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=30).map(str.strip)
typed = words.filter(lambda value: value[:1].isalnum())
policies = st.sampled_from(Policy)


def moved(facts: Facts) -> Exchange:
    """What the plan moves; an empty exchange where nothing is to be done."""
    action = plan(facts)
    if isinstance(action, Nothing):
        return Exchange()
    assert isinstance(action, Exchange)
    return action


def ruled(policy: Policy) -> Rules:
    """Rules of a live provider with this policy."""
    return LIVE._replace(policy=policy)


def both(source: dict[str, Value], there: dict[str, Value], base: dict[str, Value], policy: Policy) -> Facts:
    """A linked pair whose both sides once held `base`."""
    entries = {name: agreed(value, name=name) for name, value in base.items()}
    return linked(source, there, entries, ruled(policy))


@given(st.sets(st.sampled_from(TEXTS)), st.sets(st.sampled_from(TEXTS)), policies)
def test_edits_of_different_fields_all_survive(ours: set[str], theirs: set[str], policy: Policy) -> None:
    """What one side changed goes to the other, whatever the policy says about the fields that both changed (12).

    Where a name changed there together with the e-mail or the address, a person is asked about what came from there.
    """
    base: dict[str, Value] = dict.fromkeys(TEXTS, "agreed")
    source = base | dict.fromkeys(ours, "typed here")
    there = base | dict.fromkeys(theirs, "typed there")

    done = moved(both(source, there, base, policy))

    assert set(done.push) | set(done.pull) | set(done.review) == ours | theirs
    assert ours - theirs <= set(done.push)
    if theirs.isdisjoint(NAMES) or theirs.isdisjoint({"email", *ADDRESS}):
        assert theirs - ours <= set(done.pull)
    else:
        assert theirs - ours <= set(done.review)


@given(st.dictionaries(st.sampled_from(TEXTS), typed), st.dictionaries(st.sampled_from(TEXTS), typed), policies)
def test_the_same_edit_on_both_sides_settles(edits: dict[str, str], base: dict[str, str], policy: Policy) -> None:
    """Equal edits meet: nothing is written, whatever the policy."""
    both_sides: dict[str, Value] = {**base, **edits}

    done = moved(both(both_sides, dict(both_sides), dict(base), policy))

    assert (done.push, done.pull, done.review) == ({}, {}, {})


@given(st.dictionaries(st.sampled_from(TEXTS), typed, min_size=1), policies)
def test_a_second_look_finds_nothing_to_do(values: dict[str, str], policy: Policy) -> None:
    """After agreement the same facts give nothing: no write follows a write (20)."""
    assert plan(both(dict(values), dict(values), dict(values), policy)) == Nothing()


@given(st.sampled_from(TEXTS), typed, policies)
@example("name", "Müller & Söhne", Policy.PROVIDER)
def test_composed_and_decomposed_letters_are_one_text(name: str, value: str, policy: Policy) -> None:
    """NFC and NFD spell the same; a provider that stores the other form has changed nothing (15, 16)."""
    other = unicodedata.normalize("NFD", value)
    facts = both({name: unicodedata.normalize("NFC", value)}, {name: other}, {name: value}, policy)

    assert plan(facts) == Nothing()


careless = st.sampled_from(
    [
        lambda text: text[: max(len(text) // 2, 1)],
        str.upper,
        str.lower,
        lambda text: f"  {text} ",
        lambda text: text.replace(" ", ""),
        lambda text: text.replace("-", " ").replace(".", ""),
        lambda text: text[:5].upper(),
    ]
)


@given(typed, careless, policies)
@example("Musterfirma Süd-West GmbH & Co. KG", str.upper, Policy.PROVIDER)
def test_what_a_careless_provider_makes_of_our_text_is_never_pulled(
    value: str, form: Callable[[str], str], policy: Policy
) -> None:
    """Cut off, other case, lost blanks and punctuation: after a 202 or a lost answer that is no edit (2, 12)."""
    stored = form(value).strip() or None
    answered = {"name": agreed(value, name="name", provisional=True)}
    lost = intent({"name": ("before", value)})

    after_202 = moved(linked({"name": value}, {"name": stored}, answered, ruled(policy)))
    after_loss = moved(
        linked({"name": value}, {"name": stored}, {"name": agreed("before", name="name")}, ruled(policy),
               intents=(lost,))
    )  # fmt: skip

    assert (after_202.pull, after_loss.pull) == ({}, {})


@given(typed, typed, typed, policies)
def test_an_older_value_never_comes_back(first: str, second: str, third: str, policy: Policy) -> None:
    """Whatever stands there after writes of ours went astray: what the source held before is not pulled (1, 14)."""
    writes = (
        intent({"name": (first, second)}, number=1),
        intent({"name": (first, third)}, number=2),
    )
    for stored in (first, second, second[:4], third):
        facts = linked(
            {"name": third}, {"name": stored}, {"name": agreed(first, name="name")}, ruled(policy), intents=writes
        )
        assert "name" not in moved(facts).pull or digest("name", stored) == digest("name", third)


@given(st.dictionaries(st.sampled_from(TEXTS), typed, min_size=1), policies)
def test_unknown_is_not_empty(values: dict[str, str], policy: Policy) -> None:
    """A field that the answer does not hold is unchanged; one that it holds empty was emptied (18)."""
    kept: dict[str, Value] = dict(values)

    unknown = moved(both(kept, {}, kept, policy))
    emptied = verdicts(both(kept, dict.fromkeys(values), kept, policy))

    assert (unknown.push, unknown.pull, unknown.review) == ({}, {}, {})
    assert {said.verdict for said in emptied.values()} == {"pull"}


at_rest = st.tuples(*[st.sampled_from(["one", "two", None])] * 4)


@given(at_rest, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(Direction))
@example(("one", "two", "one", "two"), False, False, True, Direction.BOTH)
def test_a_field_at_rest_is_what_the_merge_says(
    held: tuple[Value, ...], frozen: bool, hidden: bool, decided: bool, direction: Direction
) -> None:
    """Most fields are found at rest by their digests alone: the merge, asked about all facts, says the same."""
    here, there, source, provider = held
    entry = agreed(source, provider, name="city", frozen=frozen)
    base = {"city": entry._replace(provider=None) if hidden else entry}
    shown = digest("city", here), digest("city", there)
    rulings = {"city": Ruling(Direction.PUSH, shown)} if decided else {}
    for lost in ((), (intent({"city": (provider, here)}),)):
        rules = LIVE._replace(fields={"city": direction})
        facts = linked({"city": here}, {"city": there}, base, rules, intents=lost, rulings=rulings)
        assert verdicts(facts) == {"city": merge(field_facts(facts, "city", late_digests(lost)))}


@given(st.dictionaries(st.sampled_from(TEXTS), st.tuples(typed, typed), min_size=1), policies)
def test_nothing_is_blanked_or_filled_without_a_base(pairs: dict[str, tuple[str, str]], policy: Policy) -> None:
    """Linked without a base and one side empty: a person looks, nothing is written (13)."""
    source: dict[str, Value] = {name: None if len(ours) % 2 else ours for name, (ours, _) in pairs.items()}
    there: dict[str, Value] = {name: theirs if len(pairs[name][0]) % 2 else None for name, (_, theirs) in pairs.items()}

    done = moved(linked(source, there, {}, ruled(policy)))

    assert set(done.review) == set(pairs)
    assert set(done.review.values()) == {"no-base"}


@given(st.permutations(TEXTS), policies)
def test_the_order_of_fields_changes_nothing(order: list[str], policy: Policy) -> None:
    """A plan depends on the values, not on the order in which an adapter names them (13)."""
    source: dict[str, Value] = {name: f"{name} here" if index % 2 else "agreed" for index, name in enumerate(TEXTS)}
    there: dict[str, Value] = {name: f"{name} there" if index % 3 else "agreed" for index, name in enumerate(TEXTS)}
    base: dict[str, Value] = dict.fromkeys(TEXTS, "agreed")

    def shuffled(values: dict[str, Value]) -> dict[str, Value]:
        return {name: values[name] for name in order}

    assert plan(both(shuffled(source), shuffled(there), shuffled(base), policy)) == plan(
        both(source, there, base, policy)
    )


def test_a_comparison_form_that_changes_moves_nothing() -> None:
    """A phone library or a country that reads numbers otherwise than before finds the same digests (16)."""
    spelled, stored = "030 1234567", "+49 30 1234567"
    base = {"phone": FieldBase(digest("phone", spelled), digest("phone", stored))}

    for country in ("DE", "NL", None):
        source: dict[str, Value] = {"phone": spelled, "country": country}
        there: dict[str, Value] = {"phone": stored, "country": country}
        entries = base | {"country": agreed(country, name="country")}
        assert plan(linked(source, there, entries)) == Nothing()


def test_a_muller_that_becomes_a_mueller_is_an_edit() -> None:
    """Almost equal is not equal: a person's umlaut is a change like any other (19)."""
    facts = both({"name": "muller"}, {"name": "Müller"}, {"name": "muller"}, Policy.SOURCE)

    assert verdicts(facts) == {"name": Decision(verdicts(facts)["name"].verdict, "provider-changed")}
    assert moved(facts).pull == {"name": "Müller"}
