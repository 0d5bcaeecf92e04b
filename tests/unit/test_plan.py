"""The decision about a pair: every branch, from a row that is gone to a record that somebody else has."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import pytest

from syncd.cli.words import REASONS
from syncd.core.actions import Adopt, Create, Exchange, Nothing, Park, Reject, Remove, Unlink, Wait
from syncd.core.facts import Departure, Facts, Ruling
from syncd.core.merge import Decision, Tie, Verdict
from syncd.core.model import CreateMode, Direction, Policy, Removal, Stage, Values, Verb
from syncd.core.normalise import spellings
from syncd.core.plan import plan
from syncd.core.recognition import holds_what_was_sent, made_by, may_be_made_by
from syncd.core.verdicts import judged
from syncd.core.writes import renewed
from tests.unit.pairs import LIVE, agreed, digest, hidden, intent, link, linked, remote

CORE = Path(__file__).parents[2] / "syncd" / "core"
ROW: Values = {"name": "Muster", "email": "a@x.de", "phone": "1", "street": "Weg 1"}
BASE = {name: agreed(value, name=name) for name, value in ROW.items()}
EMPTIED: Values = {"name": "Muster", "email": None, "phone": None, "street": None}
MINE = remote({"name": "Muster"}, "r7")
OTHER = remote({"name": "Anders"}, "r8")
LOST = intent({"name": (None, "Muster")}, Verb.CREATE)


def unlinked(**more: Any) -> Facts:
    """A row that no record is linked to, at a provider that may create."""
    settled: dict[str, Any] = {"rules": LIVE, "digest": digest, "source": ROW}
    return Facts(**(settled | more))


def kind(facts: Facts) -> str:
    """The review kind of a parked pair."""
    action = plan(facts)
    assert isinstance(action, Park), action
    return action.kind


# -- linked ----------------------------------------------------------------------------------------------------------


def test_agreement_is_nothing() -> None:
    """Both sides as agreed: nothing is to be done, not even a new base."""
    assert plan(linked(ROW, ROW, BASE)) == Nothing()


def test_a_record_that_is_gone_or_archived_waits_for_a_person() -> None:
    """A remote that somebody removed or archived is not brought back by an update, even when the row changed (11)."""
    changed = {**ROW, "name": "Neu"}

    assert kind(linked(changed, None, BASE)) == "remote_gone"
    assert kind(linked(changed, ROW, BASE)._replace(remote=remote(ROW, archived=True))) == "remote_archived"


def test_a_key_that_is_given_anew_is_no_edit_of_the_old_customer() -> None:
    """A row inserted again under a linked key is somebody else when nothing that identifies stayed the same (21)."""
    other = {**ROW, "name": "Anders", "email": "z@y.de"}

    assert plan(linked(other, ROW, BASE, reborn=True)) == Unlink(
        "another customer has this key now", tombstone=True, again=True
    )
    assert isinstance(plan(linked(other, ROW, BASE)), Exchange)
    assert isinstance(plan(linked({**other, "email": "a@x.de"}, ROW, BASE, reborn=True)), Exchange)
    assert plan(linked(ROW, ROW, BASE, reborn=True)) == Nothing()


def test_the_first_customer_of_a_key_is_not_removed_unasked() -> None:
    """Whoever lost his key to somebody else may live on under another one: where the settings remove, a person says."""
    other = {**ROW, "name": "Anders", "email": "z@y.de"}
    rules = LIVE._replace(on_delete=Removal.DELETE)
    facts = linked(other, ROW, BASE, rules, reborn=True)
    left = Unlink("another customer has this key now", tombstone=True, again=True)

    assert kind(facts) == "delete_conflict"
    assert plan(facts._replace(ordered="remove")) == Remove(remote(ROW), Removal.DELETE, again=True)
    assert plan(facts._replace(ordered="keep")) == left
    assert kind(facts._replace(ordered="remove", key_alive=True)) == "delete_conflict"
    assert kind(unlinked(source=other, rules=rules, reborn=True, intents=(LOST,), found=(MINE,))) == "delete_conflict"
    refused = facts._replace(source=None, rejection=("country", "missing"))
    assert kind(refused._replace(row={"email": "z@y.de"})) == "delete_conflict"
    assert plan(refused._replace(row={"email": "a@x.de"})) == Reject("country", "missing")


def test_the_same_number_is_the_same_customer() -> None:
    """A row inserted again under its old number is no other customer, as long as a name or the e-mail stayed, and
    wherever the number is off. Beside other names the number alone proves nothing."""
    other = {**ROW, "name": "Anders", "email": "z@y.de"}
    number = linked(other, ROW, BASE).link.provider_key  # type: ignore[union-attr]

    assert isinstance(plan(linked(other, ROW, BASE, reborn=True, row={"number": number})), Unlink)
    for stayed in ("name", "email"):
        same = {**other, stayed: ROW[stayed]}
        assert isinstance(plan(linked(same, ROW, BASE, reborn=True, row={"number": number})), Exchange)


def test_a_country_alone_speaks_for_nobody() -> None:
    """A shop without numbers gives a key again: of a row without e-mail only what is a customer's own counts."""
    row: Values = {"name": "Muster", "first_name": "Eva", "country": "DE", "city": "Bonn"}
    base = {name: agreed(value, name=name) for name, value in row.items()}

    assert isinstance(plan(linked({**row, "name": "Anders", "first_name": "Ute"}, row, base, reborn=True)), Unlink)
    assert isinstance(plan(linked({**row, "name": "Anders"}, row, base, reborn=True)), Exchange)


def test_a_row_that_may_be_somebody_elses_waits_for_capture() -> None:
    """While the log or a newer mark knows more of a key, its row is left alone: merged customers share an e-mail."""
    other = {**ROW, "email": "z@y.de"}

    assert plan(linked(other, ROW, BASE, unread=True)) == Wait("unread")
    assert plan(linked(other, ROW, BASE, unread=True, reborn=True)) == Wait("unread")
    assert plan(linked({**other, "email": "a@x.de", "name": "B"}, ROW, BASE, unread=True)) == Wait("unread")


def test_placeholders_of_an_anonymised_record_are_not_pulled() -> None:
    """An archived record's values are nobody's edit (32)."""
    hollow = remote({"name": "Anonymisiert", "email": None}, archived=True)

    assert kind(linked(ROW, ROW, BASE)._replace(remote=hollow)) == "remote_archived"


def test_a_row_that_the_rules_refuse_is_rejected() -> None:
    """A refused projection rejects field and rule; a record that is gone is the graver news."""
    refused: dict[str, Any] = {"rejection": ("country", "is missing")}

    assert plan(linked(None, ROW, BASE, **refused)) == Reject("country", "is missing")
    assert kind(linked(None, None, BASE, **refused)) == "remote_gone"
    assert plan(unlinked(source=None, **refused)) == Reject("country", "is missing")


def test_a_held_field_holds_no_other() -> None:
    """A field in review keeps what it has on both sides; the others go on (17)."""
    facts = linked(
        {**ROW, "email": "here@x.de", "phone": "2"},
        {**ROW, "email": "there@x.de", "street": "Weg 2"},
        BASE,
        LIVE._replace(policy=Policy.REVIEW),
    )

    action = plan(facts)

    assert isinstance(action, Exchange)
    assert (action.push, action.pull, action.review) == ({"phone": "2"}, {"street": "Weg 2"}, {"email": "conflict"})
    assert action.resolved == {}


def test_a_resolved_conflict_names_the_winner() -> None:
    """A conflict that a policy decided is told with its winner; where both values came from providers, by its name."""
    sides = ({**ROW, "email": "here@x.de"}, {**ROW, "email": "there@x.de"}, BASE)

    first, second = (plan(linked(*sides, LIVE._replace(policy=p))) for p in (Policy.SOURCE, Policy.PROVIDER))

    assert isinstance(first, Exchange)
    assert isinstance(second, Exchange)
    assert (first.push, first.resolved) == ({"email": "here@x.de"}, {"email": "source"})
    assert (second.pull, second.resolved) == ({"email": "there@x.de"}, {"email": "billbee"})

    rival: dict[str, Any] = {"rivals": {"email": "jtl"}}
    lost = plan(linked(*sides, ties={"email": Tie.THEIRS}, **rival))
    won = plan(linked(*sides, ties={"email": Tie.OURS}, **rival))
    assert isinstance(lost, Exchange)
    assert isinstance(won, Exchange)
    assert (lost.resolved, won.resolved) == ({"email": "jtl"}, {"email": "billbee"})


def test_one_pull_takes_not_three_vital_fields() -> None:
    """A pull that would empty three of name, e-mail, phone and street goes to review as a whole, other pulls too."""
    gutted = plan(linked(ROW, {**EMPTIED, "name": "Neu"}, BASE))
    two = plan(linked(ROW, {**EMPTIED, "street": "Weg 1"}, BASE))

    assert isinstance(gutted, Exchange)
    assert (gutted.pull, gutted.review) == ({}, dict.fromkeys(["name", "email", "phone", "street"], "gutted"))
    assert isinstance(two, Exchange)
    assert two.pull == {"email": None, "phone": None}


def test_what_a_person_decided_is_pulled_even_so() -> None:
    """A person's decision about a gutted field stands; the undecided ones wait on."""
    shown = (digest("email", "a@x.de"), digest("email", None))
    facts = linked(ROW, EMPTIED, BASE, rulings={"email": Ruling(Direction.PULL, shown)})

    action = plan(facts)

    assert isinstance(action, Exchange)
    assert (action.pull, set(action.review)) == ({"email": None}, {"phone", "street"})


def test_what_another_record_shows_is_not_pulled_unasked() -> None:
    """An identifier of the provider's own that changed under the same link: what stands there may be somebody else's,
    so a person looks; our edits go on, our own key may change, and an identifier that is new says nothing (10)."""
    known = link(BASE)._replace(external_ids={"Id": "r1", "AddressId": "5", "Number": "17"})
    edited = {**ROW, "name": "Anders"}

    def looked(ids: dict[str, str], **more: Any) -> Exchange:
        shown = remote(edited)._replace(external_ids=ids)
        facts = linked({**ROW, "phone": "2"}, edited, BASE, **more)._replace(link=known, remote=shown)
        action = plan(facts)
        assert isinstance(action, Exchange)
        assert action.push == {"phone": "2"}
        return action

    assert looked({"Id": "r1", "AddressId": "6"}).review == {"name": "other-record"}
    for ids in ({"AddressId": "5"}, {"Number": "18", "Id": "r1"}, {"Other": "1"}, {}):
        assert looked(ids).pull == {"name": "Anders"}
    ruling = Ruling(Direction.PULL, (digest("name", "Muster"), digest("name", "Anders")))
    assert looked({"AddressId": "6"}, rulings={"name": ruling}).pull == {"name": "Anders"}


def test_a_source_that_may_only_be_read_is_not_written() -> None:
    """Where the source account may not write, a remote edit is shown to a person, even a decided one."""
    reader = LIVE._replace(writable=False)
    shown = (digest("email", "a@x.de"), digest("email", "b@x.de"))
    facts = linked(ROW, {**ROW, "email": "b@x.de"}, BASE, reader, rulings={"email": Ruling(Direction.PULL, shown)})

    action = plan(facts)

    assert isinstance(action, Exchange)
    assert (action.pull, action.review) == ({}, {"email": "read-only"})


@pytest.mark.parametrize("held", ["gutted", "read-only", "conflict"])
def test_ignore_lasts_as_long_as_what_was_shown(held: str) -> None:
    """Who says `ignore` is not asked again, for no kind of question, until one of the two values changes."""
    there = EMPTIED if held == "gutted" else {**ROW, "email": "there@x.de"}
    row = {**ROW, "email": "here@x.de"} if held == "conflict" else ROW
    rules = LIVE._replace(writable=held != "read-only", policy=Policy.REVIEW)
    asked = plan(linked(row, there, BASE, rules))
    assert isinstance(asked, Exchange)
    assert set(asked.review.values()) == {held}

    rulings = {name: Ruling(None, (digest(name, row[name]), digest(name, there[name]))) for name in asked.review}
    newer = {**there, "email": "newer@x.de"}

    assert plan(linked(row, there, BASE, rules, rulings=rulings)) == Nothing()
    again = plan(linked(row, newer, BASE, rules, rulings=rulings))
    assert isinstance(again, Exchange)
    assert "email" in {**again.review, **again.pull}


def test_a_ruling_is_for_what_was_shown() -> None:
    """A decision for two values decides nothing about others (30)."""
    rules = LIVE._replace(policy=Policy.REVIEW)
    shown = (digest("email", "here@x.de"), digest("email", "there@x.de"))
    rulings = {"email": Ruling(Direction.PULL, shown)}

    def looked(here: str, there: str) -> Exchange:
        action = plan(linked({**ROW, "email": here}, {**ROW, "email": there}, BASE, rules, rulings=rulings))
        assert isinstance(action, Exchange)
        return action

    assert looked("here@x.de", "there@x.de").pull == {"email": "there@x.de"}
    assert looked("later@x.de", "there@x.de").review == {"email": "conflict"}
    assert looked("here@x.de", "later@x.de").review == {"email": "conflict"}


def test_a_number_that_is_the_address_cannot_follow() -> None:
    """Where the provider cannot renumber, a changed number is a question, not a write (8)."""
    row, base = {**ROW, "number": "2"}, {**BASE, "number": agreed("1", name="number")}

    fixed = plan(linked(row, {**ROW, "number": "1"}, base, LIVE._replace(renumbers=False)))
    free = plan(linked(row, {**ROW, "number": "1"}, base, LIVE._replace(renumbers=True)))
    adopted = plan(linked(row, {**ROW, "number": "1"}, BASE, LIVE._replace(renumbers=False)))

    assert isinstance(fixed, Exchange)
    assert isinstance(free, Exchange)
    assert (fixed.push, fixed.review) == ({}, {"number": "renumbered"})
    assert free.push == {"number": "2"}
    assert isinstance(adopted, Exchange)
    assert (adopted.push, adopted.review, set(adopted.settle)) == ({}, {}, {"number"})


def test_a_crashed_pull_is_no_write_of_ours_over_there() -> None:
    """An open pull explains nothing about the provider: a shortened name there is still an edit after a crash (4)."""
    crashed = intent({"name": ("Muster", "Must")}, Verb.PULL)

    action = plan(linked(ROW, {**ROW, "name": "Must"}, BASE, intents=(crashed,)))

    assert isinstance(action, Exchange)
    assert action.pull == {"name": "Must"}


def test_a_late_write_is_pushed_again() -> None:
    """A write that lands after its successor is no edit, nor is one that is cut off; a person's new value is (1, 2)."""
    late = intent({"name": ("Muster", "Erster")}, stage=Stage.CONFIRM)
    base = BASE | {"name": agreed("Zweiter", name="name")}
    lost = intent({"name": ("Muster", "Musterfirma Nord")})
    rules = LIVE._replace(policy=Policy.PROVIDER)

    landed = plan(linked({**ROW, "name": "Zweiter"}, {**ROW, "name": "Erster"}, base, rules, intents=(late,)))
    cut = plan(linked({**ROW, "name": "Musterfirma Nord"}, {**ROW, "name": "Musterfir"}, BASE, rules, intents=(lost,)))

    edited = plan(linked({**ROW, "name": "Zweiter"}, {**ROW, "name": "Dritter"}, base, intents=(late,)))
    before = plan(linked({**ROW, "name": "Zweiter"}, {**ROW, "name": "Muster"}, base, rules, intents=(late,)))

    assert isinstance(before, Exchange)
    assert (before.push, before.pull) == ({"name": "Zweiter"}, {})
    assert isinstance(landed, Exchange)
    assert isinstance(cut, Exchange)
    assert isinstance(edited, Exchange)
    assert edited.pull == {"name": "Dritter"}
    assert (landed.push, landed.pull) == ({"name": "Zweiter"}, {})
    assert (cut.push, cut.pull, cut.settle, cut.lossy) == ({}, {}, frozenset({"name"}), frozenset({"name"}))


def test_a_hidden_field_is_pushed_and_not_pulled() -> None:
    """A street that the provider cannot show is pushed when it changes; showing up later it is no edit (18)."""
    base = BASE | {"street": hidden("Weg 1", "street")}
    shown = {name: value for name, value in ROW.items() if name != "street"}
    rules = LIVE._replace(policy=Policy.PROVIDER)

    changed = plan(linked({**ROW, "street": "Weg 2"}, shown, base, rules))
    appeared = plan(linked(ROW, {**ROW, "street": "Gasse 9"}, base, rules))

    assert isinstance(changed, Exchange)
    assert isinstance(appeared, Exchange)
    assert changed.push == {"street": "Weg 2"}
    assert (appeared.pull, appeared.review) == ({}, {"street": "first-seen"})


def test_a_composed_field_follows_its_parts() -> None:
    """A composed contact person is pushed when a part of it changes, and never pulled (15)."""
    base = BASE | {"contact_person": agreed("Anna Alt", name="contact_person")}
    composed = frozenset({"contact_person"})

    renamed = linked({**ROW, "contact_person": "Anna Neu"}, {**ROW, "contact_person": "Anna Alt"}, base)
    edited = linked({**ROW, "contact_person": "Anna Alt"}, {**ROW, "contact_person": "Chef"}, base)

    for facts, sent in ((renamed, "Anna Neu"), (edited, "Anna Alt")):
        action = plan(facts._replace(composed=composed))
        assert isinstance(action, Exchange)
        assert (action.push, action.pull) == ({"contact_person": sent}, {})


def test_every_reason_has_a_sentence() -> None:
    """`explain` says why in words: no reason that merge or plan give is without a sentence, and none is left over."""
    trees = [ast.parse((CORE / f"{name}.py").read_text(encoding="utf-8")) for name in ("merge", "plan", "verdicts")]
    texts = {
        n.value for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    calls = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    given = {
        each.value
        for call in calls
        if call.func.id in {"Decision", "_outward", "_by_policy"}  # type: ignore[attr-defined]
        for each in call.args
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }

    assert given - set(REASONS) == set()
    assert set(REASONS) - texts == set()


def test_explain_shows_what_the_plan_does() -> None:
    """The verdict of a field is the one that is carried out, also where something stands against what merge says."""
    held = linked(ROW, {**ROW, "email": "b@x.de"}, BASE, LIVE._replace(writable=False))
    gutted = linked(ROW, {**EMPTIED, "name": "Neu"}, BASE)

    assert judged(held)[0]["email"] == Decision(Verdict.REVIEW, "read-only")
    assert {said.reason for said in judged(gutted)[0].values()} == {"gutted"}


# -- not linked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (unlinked(), Create(ROW)),
        (unlinked(rules=LIVE._replace(create=CreateMode.NEVER)), Nothing("excluded")),
        (unlinked(rules=LIVE._replace(create=CreateMode.NEVER), create_anyway=True), Create(ROW)),
        (unlinked(rules=LIVE._replace(adopted=False)), Wait("adopt")),
        (unlinked(rules=LIVE._replace(adopted=False), create_anyway=True), Create(ROW)),
        (unlinked(intents=(LOST,)), Create(ROW)),
        (unlinked(intents=(LOST,), found=(MINE,)), Adopt(MINE, own=True)),
        (unlinked(intents=(LOST,), found=(MINE,), rejection=("name", "x")), Adopt(MINE, own=True)),
        (unlinked(intents=(LOST,), rejection=("name", "x")), Reject("name", "x")),
        (unlinked(buried=True, found=(MINE,)), None),
        (unlinked(ordered="link", found=(MINE,)), Adopt(MINE, own=False)),
        (unlinked(ordered="link", found=(MINE,), intents=(LOST,)), Adopt(MINE, own=True)),
        (unlinked(ordered="link", found=(OTHER,), intents=(LOST,)), Adopt(OTHER, own=False)),
        (unlinked(ordered="unlink"), Unlink("unlinked by a person", tombstone=False)),
    ],
)
def test_a_row_without_a_record(facts: Facts, action: object) -> None:
    """What becomes of a customer that the provider does not know, or that our lost create made."""
    assert plan(facts) == action or (action is None and isinstance(plan(facts), Park))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"found": (MINE,)}, "found"),
        ({"found": (MINE,), "create_anyway": True}, "found"),
        ({"found": (MINE,), "claimed": {"r7"}}, "found"),
        ({"holder": "9"}, "key_taken"),
        ({"holder": "9", "create_anyway": True}, "key_taken"),
        ({"held": ("candidate", "a probable match waits")}, "candidate"),
        ({"intents": (LOST,), "found": (MINE, OTHER)}, "ambiguous"),
        ({"intents": (LOST,), "found": (MINE,), "claimed": {"r7"}}, "ambiguous"),
        ({"intents": (LOST,), "found": (OTHER,)}, "found"),
        ({"intents": (LOST._replace(stage=Stage.CONFIRM),), "found": (MINE,)}, "found"),
        ({"intents": (LOST,), "rules": LIVE._replace(repeatable=False)}, "unknown_create"),
        ({"buried": True}, "came_back"),
        ({"buried": True, "found": (MINE, OTHER)}, "came_back"),
        ({"left_out": True}, "came_back"),
        ({"left_out": True, "found": (MINE,)}, "found"),
        ({"ordered": "link"}, "ambiguous"),
        ({"ordered": "link", "found": (MINE,), "claimed": {"r7"}}, "ambiguous"),
        ({"ordered": "link", "found": (remote({}, "r7", archived=True),)}, "remote_archived"),
    ],
)
def test_a_doubt_is_parked_and_not_guessed(more: dict[str, Any], expected: str) -> None:
    """Nothing is created, linked or overwritten where two customers could meet in one record (7, 8, 24)."""
    assert kind(unlinked(**{**more, "claimed": frozenset(more.get("claimed", ()))})) == expected


@pytest.mark.parametrize("name", ["number", "email", "vat_number"])
def test_who_comes_back_is_known_by_what_identifies(name: str) -> None:
    """A row that came back is linked to its old record when number, e-mail or VAT number agree, else parked (10)."""
    same = unlinked(
        source={name: "x"}, buried=True, found=(remote({name: "x"}, "r7"),), under_tombstone=frozenset({"r7"})
    )

    assert plan(same) == Adopt(same.found[0], own=False)
    assert kind(same._replace(source={name: "y"})) == "came_back"
    assert kind(same._replace(source={name: None}, found=(remote({name: None}, "r7"),))) == "came_back"
    assert kind(same._replace(claimed=frozenset({"r7"}))) == "came_back"
    assert kind(same._replace(under_tombstone=frozenset())) == "came_back"


# -- gone ------------------------------------------------------------------------------------------------------------


def gone(departure: Departure = Departure.GONE, how: Removal = Removal.DELETE, **more: Any) -> Facts:
    """A linked pair whose row cannot be read."""
    facts = linked(None, ROW, BASE, LIVE._replace(on_delete=how))
    return facts._replace(departure=departure, **more)


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (gone(Departure.EMPTY), Wait("empty")),
        (gone(Departure.UNPROVEN), Wait("absent")),
        (gone(Departure.OUT_OF_SCOPE), Unlink("out of scope", tombstone=False, guarded=True)),
        (gone(how=Removal.KEEP), Unlink("deleted in the source", tombstone=True)),
        (gone(how=Removal.DELETE), Remove(remote(ROW), Removal.DELETE)),
        (gone(how=Removal.ARCHIVE), Remove(remote(ROW), Removal.ARCHIVE)),
        (gone(remote=None), Unlink("deleted in the source", tombstone=True)),
        (gone(remote=remote(ROW, archived=True)), Unlink("deleted in the source", tombstone=True)),
        (gone(ordered="keep"), Unlink("deleted in the source", tombstone=True)),
    ],
)
def test_a_row_that_is_gone(facts: Facts, action: object) -> None:
    """Only a proven deletion removes anything, and only where the settings say so (22, 25)."""
    assert plan(facts) == action


def test_no_delete_takes_the_record_of_a_living_customer() -> None:
    """A record whose key another live customer carries stays, whatever a person or the settings say (8)."""
    assert kind(gone(key_alive=True)) == "delete_conflict"
    assert kind(gone(key_alive=True, ordered="remove")) == "delete_conflict"


def test_delete_against_edit_waits_for_a_person() -> None:
    """Edited over there and deleted here is a question; our own late write is no edit (24)."""
    edited = remote({**ROW, "phone": "99"})
    ours = intent({"phone": ("1", "99")}, stage=Stage.CONFIRM)

    assert kind(gone(remote=edited)) == "delete_conflict"
    assert plan(gone(remote=edited, ordered="remove")) == Remove(edited, Removal.DELETE)
    assert plan(gone(remote=edited, intents=(ours,))) == Remove(edited, Removal.DELETE)


def test_what_a_lost_create_made_without_our_key_is_removed_on_a_persons_word_alone() -> None:
    """Where no look-up by our key can show it, a person is asked; on his word the record goes that holds what was sent
    and nothing else; one that somebody else is linked to stays, and one that holds another value is asked about."""
    sent = intent({"name": (None, "Muster"), "email": (None, "a@x.de"), "phone": (None, "1")}, Verb.CREATE)
    edited = remote({"name": "Muster", "email": "a@x.de", "phone": "99"}, "r7")
    facts = gone(link=link({}, external_id=None), remote=None, intents=(sent,), found=(MINE,))
    facts = facts._replace(rules=facts.rules._replace(repeatable=False))
    stays = Unlink("deleted in the source", tombstone=True)

    assert kind(facts) == kind(facts._replace(found=())) == "delete_conflict"
    assert plan(facts._replace(ordered="remove")) == Remove(MINE, Removal.DELETE)
    assert kind(facts._replace(ordered="remove", found=(edited,))) == "delete_conflict"
    assert plan(facts._replace(ordered="remove", claimed=frozenset({"r7"}))) == stays
    assert plan(facts._replace(rules=facts.rules._replace(on_delete=Removal.KEEP))) == stays


def test_a_relative_with_one_e_mail_address_is_not_what_a_lost_create_made() -> None:
    """A record without our key is taken for that of a lost create where fewer values contradict than agree."""
    sent = intent({"name": (None, "Muster"), "email": (None, "a@x.de"), "phone": (None, "1")}, Verb.CREATE)
    facts = gone(link=link({}, external_id=None), remote=None, intents=(sent,))

    assert made_by(facts, remote({"name": "Muster", "email": "a@x.de", "phone": "99"}))
    assert not made_by(facts, remote({"name": "Anders", "email": "a@x.de"}))
    assert not made_by(facts, remote({"city": "Bonn"}))


def test_a_customer_who_is_there_is_asked_about_before_a_record_is_a_newcomers() -> None:
    """One identifying value, as sent or in the provider's spelling, may be our lost create's; a city alone may not."""
    sent = intent({"name": (None, "Muster GmbH"), "email": (None, "a@x.de"), "city": (None, "Bonn")}, Verb.CREATE)
    facts = gone(link=link({}, external_id=None), remote=None, intents=(sent,))
    facts = facts._replace(source={"name": "Muster GmbH", "email": "a@x.de", "city": "Bonn"})

    assert may_be_made_by(facts, remote({"name": "MUSTER GMBH", "email": "b@x.de", "city": "Köln"}))
    assert not may_be_made_by(facts, remote({"name": "Anders", "email": "b@x.de", "city": "Bonn"}))


def test_a_lost_create_of_a_deleted_row_is_removed_if_it_is_ours() -> None:
    """What our lost create made goes the way of the row; what another customer is linked to stays (23), and where it is
    one of two records a person says which."""
    facts = gone(link=link({}, external_id=None), remote=None, intents=(LOST,), found=(MINE,))

    assert plan(facts) == Remove(MINE, Removal.DELETE)
    assert plan(facts._replace(claimed=frozenset({"r7"}))) == Unlink("deleted in the source", tombstone=True)
    assert isinstance(plan(facts._replace(found=(MINE, OTHER))), Park)
    assert isinstance(plan(facts._replace(found=(MINE, OTHER), ordered="keep")), Unlink)


# -- laws ------------------------------------------------------------------------------------------------------------


def test_every_combination_has_one_action_and_creates_only_unclaimed_keys() -> None:
    """The plan is total and deterministic; a create never happens beside a record or a holder of the same key."""
    options: dict[str, tuple[Any, ...]] = {
        "source": (ROW, None),
        "departure": (Departure.GONE, Departure.UNPROVEN, Departure.EMPTY),
        "rejection": (None, ("name", "x")),
        "link": (None, link({}, None), link(BASE)),
        "remote": (None, remote(ROW), remote(ROW, archived=True)),
        "found": ((), (MINE,), (MINE, OTHER)),
        "claimed": (frozenset(), frozenset({"r7"})),
        "holder": (None, "9"),
        "buried": (False, True),
        "intents": ((), (LOST,)),
        "create_anyway": (False, True),
        "ordered": ("", "link", "unlink"),
    }
    for values in itertools.product(*options.values()):
        facts = Facts(LIVE, digest, **dict(zip(options, values, strict=True)))

        action = plan(facts)

        assert plan(facts) == action
        if isinstance(action, Create):
            assert not facts.found
            assert facts.holder is None
            assert facts.link is None or facts.link.external_id is None
        if isinstance(action, Adopt):
            assert action.remote.external_id not in facts.claimed
        if isinstance(action, Remove):
            assert facts.source is None
            assert facts.departure is Departure.GONE
            assert action.remote.external_id not in facts.claimed


def test_the_new_base_is_what_each_side_holds() -> None:
    """After agreement the base has the source's spelling and the provider's own; a hidden one stays unknown."""
    facts = linked({"name": "Muster", "street": "Weg 1"}, {}, {})

    base = renewed(facts, {"name": "MUSTER"}, frozenset({"name", "street", "fax"}), provisional=True)

    assert base == {
        "name": agreed("Muster", "MUSTER", name="name", provisional=True),
        "street": hidden("Weg 1", "street")._replace(provisional=True),
    }


def test_a_lost_create_that_remembers_spellings_knows_its_record_without_the_row() -> None:
    """Where the row is gone, a record in the provider's own spelling is known by what the create remembers; without
    that, one whose name and e-mail were both re-spelled is nobody's."""
    row = {"name": "Muster & Söhne", "email": "Post@Muster.de", "phone": "12"}
    spelled = remote({"name": "MUSTER & SÖ", "email": "post@muster.de", "phone": "12"})
    plain = intent({name: (None, value) for name, value in row.items()}, Verb.CREATE)
    fields = {
        name: sent._replace(spelled=tuple(digest(name, form) for form in spellings(row[name])))
        for name, sent in plain.fields.items()
    }
    facts = gone(link=link({}, external_id=None), remote=None, intents=(plain,))
    known = facts._replace(intents=(plain._replace(fields=fields),))

    assert not made_by(facts, spelled)
    assert made_by(known, spelled)
    assert holds_what_was_sent(known, spelled)
    assert not holds_what_was_sent(known, spelled._replace(values={**spelled.values, "name": "MUSTERMANN"}))
