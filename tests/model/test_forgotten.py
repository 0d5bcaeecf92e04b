"""Histories of people who are forgotten while a create of theirs is under way: what it makes brings nobody back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.core.model import Pair, Removal
from syncd.detect.capture import capture
from syncd.errors import UsageError
from syncd.store import journal, mapping, tombstones
from tests.model import product
from tests.model.hostile import Fault, Nature
from tests.model.test_sequences import LIST, SCAN, SEARCH, SETTLED, calm, kinds, run, world
from tests.model.test_successors import succeed
from tests.model.world import OVERNIGHT, Person, Profile, World

CARRYING = pytest.mark.parametrize(
    "nature",
    [Nature(), SEARCH, replace(SEARCH, renumbers=True), LIST, replace(LIST, renumbers=True)],
    ids=["our-key", "external-id", "number", "scan", "scan-number"],
)
LOSSES = pytest.mark.parametrize("how", ["late", "lost", "die"])


def creating(nature: Nature, how: str = "late", *, on_delete: Removal = Removal.KEEP) -> tuple[World, Person]:
    """Somebody whose create got no answer yet, in a world whose provider may bring customers."""
    made = world(Profile(nature, on_delete=on_delete, inbound=True), customers=2)
    made.providers[0].faults.append(Fault(how, "write", 30.0))
    person = made.insert(number="K17") if nature.narrow else made.insert()
    made.run(SCAN)
    with made.state.read() as tx:
        assert len(journal.unknown_creates(tx, "p0")) == 1
    return made, person


def forget(made: World, person: Person) -> object:
    told = product.forget(made.site, str(person.key))
    made.leave_alone("p0", str(person.key), "forgotten")
    return told


def nights(made: World, number: int = 3) -> None:
    for pause in (SETTLED, *[OVERNIGHT] * number):
        run(made, SCAN, pause=pause)
    made.discover()


def nobody_is_back(made: World) -> None:
    """Every row is one that the shop made itself."""
    assert made.second_rows == []
    assert all(person.tag.startswith("t") for person in made.living())
    assert made.sql("SELECT count(*) FROM customers")[0][0] == len(made.living())


@CARRYING
@LOSSES
@pytest.mark.parametrize("on_delete", [Removal.KEEP, Removal.DELETE])
@pytest.mark.parametrize("read", [False, True])
def test_a_record_that_comes_late_brings_no_forgotten_customer_back(
    nature: Nature, how: str, on_delete: Removal, *, read: bool
) -> None:
    """Deleted and forgotten before anybody knows what became of his create, the deletion read by a run or not."""
    made, person = creating(nature, how, on_delete=on_delete)
    made.delete(person)
    if read:
        made.run()
    forget(made, person)
    nights(made)
    nobody_is_back(made)
    assert kinds(made) == []
    calm(made)


@CARRYING
@LOSSES
@pytest.mark.parametrize("seen", [False, True])
def test_a_record_that_comes_late_brings_nobody_back_who_was_forgotten_first(
    nature: Nature, how: str, *, seen: bool
) -> None:
    """Forgotten first and deleted afterwards, before or after the record was listed."""
    made, person = creating(nature, how)
    forget(made, person)
    if seen:
        nights(made, 1)
    made.delete(person)
    nights(made)
    nobody_is_back(made)
    assert kinds(made) == []
    calm(made)


@CARRYING
def test_nobody_is_forgotten_under_a_key_that_is_somebody_elses_by_now(nature: Nature) -> None:
    """His row is somebody else's, before a run has read that and after it has: who is to be forgotten, the operator
    says once the first one's record is dealt with."""
    made, first = creating(nature)
    made.delete(first)
    made.happened.add("reinserted")
    second = made.insert(key=first.key)
    with pytest.raises(UsageError, match="changed hands"):
        forget(made, second)
    capture(made.site)
    with pytest.raises(UsageError, match="changed hands"):
        forget(made, second)
    nights(made)
    nobody_is_back(made)


def test_a_linked_customer_whose_key_changed_hands_is_not_forgotten_for_the_other() -> None:
    """The same of a customer who is linked; once the first one's link has ended, the key is the second one's."""
    made = world(Profile(SEARCH, inbound=True))
    second = succeed(made)
    for _ in range(2):
        with pytest.raises(UsageError, match="changed hands"):
            forget(made, second)
        capture(made.site)
    run(made)
    forget(made, second)
    made.delete(second)
    made.insert()
    nights(made)
    nobody_is_back(made)


@pytest.mark.parametrize("parked", [False, True])
def test_a_record_without_our_key_is_known_before_its_customer_is_forgotten(*, parked: bool) -> None:
    """Nothing of a record that can carry no key of ours could be known again: forgetting waits until the row is deleted
    and a run has found the record."""
    made, person = creating(Nature(identity=LIST.identity, narrow=True), "lost")
    made.happened.add("narrow")
    if parked:
        run(made, SCAN, pause=SETTLED)
        assert kinds(made) == ["unknown_create"]
    with pytest.raises(UsageError, match="nothing was erased"):
        forget(made, person)
    made.delete(person)
    with pytest.raises(UsageError, match="nothing was erased"):
        forget(made, person)
    run(made, SCAN, pause=SETTLED)
    forget(made, person)
    nights(made)
    nobody_is_back(made)
    assert kinds(made) == []


def test_what_may_come_late_is_told() -> None:
    """The answer names the provider and the number under which a record of his may appear, and what stays in the state
    are digests."""
    made, person = creating(SEARCH)
    made.delete(person)
    told = product.forget(made.site, str(person.key))
    assert (told.linked, told.coming) == ({}, {"p0": person.number})
    with made.state.read() as tx:
        assert mapping.read(tx, Pair("p0", str(person.key))) is None
        assert tombstones.buried(tx, made.state.tombstone_keys, "p0", our_key=person.number)
        rows = tx.exec_driver_sql("SELECT external_digest, key_digest, how FROM tombstone").fetchall()
    assert not [row for row in rows if person.number in str(row) or row[2] != "forgotten"]


@pytest.mark.parametrize("nature", [LIST, replace(LIST, narrow=True)], ids=["carried", "narrow"])
def test_a_forgotten_customers_number_gets_no_second_record(nature: Nature) -> None:
    """The record of somebody who was forgotten stays until a person deletes it there. A row under another key with his
    number is asked about, also where the provider cannot carry the number."""
    made = world(Profile(nature))
    person = made.insert(number="K17")
    run(made, pause=SETTLED)
    made.delete(person)
    forget(made, person)
    nights(made)
    made.insert(key=77, number="K17", tag=person.tag)
    nights(made)
    assert len(made.providers[0].records) == 2
    assert kinds(made) == (["came_back"] if nature.narrow else ["found"])


@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST, replace(LIST, narrow=True)])
def test_who_is_not_in_a_restored_source_gets_no_second_record(nature: Nature) -> None:
    """The source was restored to a moment before a customer was entered: `recover` ends his link and keeps his record.
    Entered again under another key, he is asked about, also where the provider cannot carry his number."""
    made = world(Profile(nature))
    person = made.insert(number="K17")
    run(made, pause=SETTLED)
    made.delete(person)
    made.sql("DELETE FROM syncd_change_log")
    made.sql(f"UPDATE {made.source.fence.name} SET acks = acks - 2")
    product.recover(made.site, product.diagnose(made.site))
    made.insert(key=77, number="K17", tag=person.tag)
    nights(made)
    assert len(made.providers[0].records) == 2
    assert kinds(made) == (["came_back"] if nature.narrow else ["found"])


@CARRYING
@LOSSES
def test_a_lost_create_is_not_removed_because_its_row_is_not_in_a_restored_source(nature: Nature, how: str) -> None:
    """The restore is no deletion, also where `on_delete` removes: what the create made stays, brings nobody back, and
    is not another customer's who gets the key."""
    made, person = creating(nature, how, on_delete=Removal.DELETE)
    made.delete(person)
    made.sql("DELETE FROM syncd_change_log")
    made.sql(f"UPDATE {made.source.fence.name} SET acks = acks - 2")
    product.recover(made.site, product.diagnose(made.site))
    made.happened.add("reinserted")
    made.insert(key=person.key)
    nights(made)
    assert made.providers[0].removed == []
    assert [record.of for record in made.providers[0].records.values()].count(person.tag) == 1
    assert kinds(made) == ["came_back"]
    nobody_is_back(made)
