"""Histories of a source or a state that went back to an earlier day, or of changes that no trigger saw."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.core.model import Removal
from syncd.detect.unseen import require_triggers
from syncd.errors import SetupNeeded
from syncd.operate.review import decide
from syncd.source import triggers
from syncd.store import journal
from tests.model import product
from tests.model.hostile import Nature
from tests.model.test_forgotten import nights
from tests.model.test_sequences import NATURES, SETTLED, kinds, run, world
from tests.model.world import Person, Profile, Setting, World, _raw

REMOVALS = pytest.mark.parametrize("on_delete", [Removal.KEEP, Removal.DELETE])


def going_back(engine: object) -> Callable[[], None]:
    """Take a backup of a database; the answer restores it."""
    image = _raw(engine).serialize()

    def restore() -> None:
        _raw(engine).rollback()
        _raw(engine).deserialize(image)

    return restore


def recover(made: World) -> None:
    """Restart, and recover as the operator does; nothing goes wrong afterwards for some nights."""
    made.restart()
    product.recover(made.site, product.diagnose(made.site))
    nights(made)


def given_away(made: World) -> tuple[Person, Person]:
    """The first customer is deleted, and another one gets his key."""
    first = made.people[0]
    made.delete(first)
    run(made, pause=SETTLED)
    made.happened.add("reinserted")
    second = made.insert(key=first.key)
    return first, second


def everybodys_own(made: World) -> None:
    """No record has a value of somebody else's, and no row."""
    assert made.second_rows == []
    for record in made.providers[0].records.values():
        assert str(record.values["name"]).startswith(f"n{record.of}v")
    for person in made.living():
        row = made.row(person)
        assert row is not None
        assert str(row["name"]).startswith(f"n{person.tag}v")


@NATURES
@REMOVALS
def test_a_key_that_was_given_away_after_the_states_backup(nature: Nature, on_delete: Removal) -> None:
    """The restored state knows the key's first owner: his record gets nothing of the second one."""
    made = world(Profile(nature, on_delete=on_delete), customers=2)
    restore = going_back(made.state.writer)
    given_away(made)
    run(made, pause=SETTLED)
    restore()
    recover(made)
    everybodys_own(made)
    assert kinds(made) == ["came_back"]


@NATURES
@REMOVALS
def test_a_key_that_was_given_away_after_the_sources_backup(nature: Nature, on_delete: Removal) -> None:
    """The restored source has the key's first owner again, and the state knows the second one: his record gets nothing
    of the first, and is not removed unasked."""
    made = world(Profile(nature, on_delete=on_delete), customers=2)
    restore = going_back(made.source.engine)
    first, second = given_away(made)
    run(made, pause=SETTLED)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    decide(made.state, item, "create", made.clock.now())
    run(made, pause=SETTLED)
    restore()
    first.alive, second.alive = True, False
    recover(made)
    everybodys_own(made)
    assert second.tag in {record.of for record in made.providers[0].records.values()}
    assert kinds(made) == ([] if on_delete is Removal.KEEP else ["delete_conflict"])


@NATURES
@pytest.mark.parametrize("seen", [False, True])
def test_a_key_that_was_given_away_while_there_were_no_triggers(nature: Nature, *, seen: bool) -> None:
    """The triggers were taken away and installed again, or dropped one by one, and syncd noticed it (`seen`)."""
    made = world(Profile(nature), customers=2)
    if seen:
        name = made.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'customers'")
        for (each,) in name:
            made.sql(f"DROP TRIGGER {each}")
        with pytest.raises(SetupNeeded):
            require_triggers(made.site)
    else:
        triggers.remove(made.source)
    first = made.people[0]
    made.delete(first)
    made.insert(key=first.key)
    triggers.install(made.source)
    if seen:
        require_triggers(made.site)
        nights(made)
    else:
        recover(made)
    everybodys_own(made)
    assert kinds(made) == ["came_back"]


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("numbered", [False, True])
def test_a_new_address_alone_makes_nobody_another(*, numbered: bool, lost: bool) -> None:
    """An e-mail address was edited before `recover`, which also a person may order who has lost nothing: whoever keeps
    his names is the same customer, and nobody is asked."""
    made = World(Setting((Profile(Nature(), on_delete=Removal.DELETE),), 2, numbered=numbered))
    run(made, pause=SETTLED)
    person = made.people[0]
    made.write(person, "email", made.value(person.tag, "email"))
    if lost:
        made.sql(f"UPDATE {made.source.fence.name} SET acks = acks - 2")
    recover(made)
    assert kinds(made) == []
    everybodys_own(made)
