"""Signs that a person was erased at a provider: never pulled, nothing pushed over them, asked once."""

from __future__ import annotations

import pytest

from syncd.core.actions import Exchange
from syncd.core.erasure import erased, placeholder
from syncd.core.facts import Facts, Ruling
from syncd.core.model import Direction, Policy, Value, Values
from syncd.core.plan import plan
from tests.unit.pairs import LIVE, agreed, digest, linked

ROW: Values = {
    "name": "Muster Bau",
    "email": "a@muster.de",
    "phone": "+49 30 123456",
    "street": "Weg 1",
    "postal_code": "10115",
    "city": "Berlin",
}
BASE = {name: agreed(value, name=name) for name, value in ROW.items()}
SIGNS = (
    ("name", "Deleted"),
    ("name", "User"),
    ("name", "Deleted User"),
    ("name", "[anonymised]"),
    ("name", "anonymous"),
    ("name", "Gelöschter Kunde"),
    ("name", "NULL"),
    ("name", None),
    ("email", "deleted-482@azotte.invalid"),
    ("email", "anonymous@shop.example"),
    ("email", "deleted_482@shop.example"),
    ("phone", "***"),
    ("phone", "000000"),
    ("postal_code", "00000"),
    ("street", "xxxx"),
    ("city", "n/a"),
    ("name", "0f8fad5bd9cb469fa165"),
)


def exchanged(there: Values, source: Values = ROW, policy: Policy = Policy.PROVIDER) -> Exchange:
    """What is planned where the provider shows `there`."""
    action = plan(linked(source, {**ROW, **there}, BASE, LIVE._replace(policy=policy)))
    assert isinstance(action, Exchange), action
    return action


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize(("name", "value"), SIGNS)
def test_one_sign_is_enough(name: str, value: Value, policy: Policy) -> None:
    """A placeholder in one field holds back every pull, and every push over it, whatever the other fields say."""
    beside = "phone" if name != "phone" else "street"
    here = {**ROW, "email" if name != "email" else "city": "typed-here@muster.de"}
    action = exchanged({name: value, beside: "+49 30 999"}, here, policy)
    assert (action.push, action.pull) == ({}, {})
    assert {name, beside} <= {field for field, kind in action.review.items() if kind == "erased"}


@pytest.mark.parametrize("value", ["Userland GmbH", "Anna Nym", "Nulli Secundus", "info@user.de", "+49 30 000123"])
def test_ordinary_words_are_no_placeholders(value: str) -> None:
    """What only contains such a word is somebody's."""
    assert not placeholder(value)


@pytest.mark.parametrize("beside", ["email", "street", "postal_code", "city"])
def test_a_name_that_changes_with_mail_or_address_is_asked_about(beside: str) -> None:
    """Where one reading changes the name and the e-mail address, or the address, it is a question whatever the words
    are; alone, each is an edit."""
    action = exchanged({"name": "Quokka", beside: "quokka@nowhere.de"})
    assert action.review == {"name": "erased", beside: "erased"}
    assert action.pull == {}
    assert exchanged({"name": "Quokka"}).pull == {"name": "Quokka"}
    assert exchanged({beside: "quokka@nowhere.de"}).pull == {beside: "quokka@nowhere.de"}


def test_what_was_agreed_or_is_ours_is_no_sign() -> None:
    """A mask that was there when both sides agreed, and a value that the source holds as well, say nothing."""
    base = {**BASE, "phone": BASE["phone"]._replace(provider=digest("phone", "***"))}
    action = plan(linked(ROW, {**ROW, "phone": "***", "city": "Bonn"}, base))
    assert isinstance(action, Exchange)
    assert action.pull == {"city": "Bonn"}
    user = {**ROW, "name": "User"}
    action = plan(linked(user, {**user, "city": "Bonn"}, BASE))
    assert isinstance(action, Exchange)
    assert action.pull == {"city": "Bonn"}


def decided(take: Direction | None) -> Facts:
    """An erased name, and what a person said about it."""
    shown = (digest("name", ROW["name"]), digest("name", "Deleted"))
    return linked(ROW, {**ROW, "name": "Deleted"}, BASE)._replace(rulings={"name": Ruling(take, shown)})


def test_a_person_decides() -> None:
    """`take source` writes the source's value, `take provider` pulls, `ignore` leaves both as they are."""
    pushed, pulled, left = (plan(decided(take)) for take in (Direction.PUSH, Direction.PULL, None))
    assert isinstance(pushed, Exchange)
    assert isinstance(pulled, Exchange)
    assert pushed.push == {"name": ROW["name"]}
    assert pulled.pull == {"name": "Deleted"}
    assert not isinstance(left, Exchange)


def test_an_erased_record_is_no_newcomer() -> None:
    """A record of an erased person that nobody linked does not become a row."""
    assert erased({"name": "Deleted User", "email": "x@y.de"})
    assert not erased({"name": "Muster", "email": "x@y.de", "phone": "***"})
