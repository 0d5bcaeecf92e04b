"""Histories in which the settings change between two runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.core.model import Direction, Removal
from syncd.detect.unseen import require_triggers
from syncd.errors import SetupNeeded, UsageError
from syncd.source import triggers
from syncd.store.providers import remove, rename
from tests.model import product
from tests.model.hostile import Nature
from tests.model.test_forgotten import nights, nobody_is_back
from tests.model.test_restored import everybodys_own, going_back
from tests.model.test_sequences import LIST, NATURES, SEARCH, SETTLED, calm, kinds, run, source, type_there, world
from tests.model.world import Profile, Setting, World


def take_out(made: World, name: str) -> None:
    """A process begins whose settings do not have this provider; `made.restart` begins one whose settings do."""
    made.restart()
    made.site = replace(made.site, routes=tuple(route for route in made.site.routes if route.provider != name))


@NATURES
@pytest.mark.parametrize("how", ["replaced", "deleted", "swapped", "changed"])
def test_a_provider_that_was_out_of_the_settings_gets_nobodys_values_for_another(nature: Nature, how: str) -> None:
    """While a provider is out of the settings a customer is deleted and his key given to another, or two customers get
    each other's keys. Once it is back, every record there is still its own customer's."""
    made = world(Profile(nature), Profile(SEARCH), customers=3)
    take_out(made, "p0")
    one, two = made.people[:2]
    made.happened |= {"reinserted", "rekeyed"}
    match how:
        case "replaced":
            made.delete(one)
            made.insert(key=one.key)
        case "deleted":
            made.delete(one)
        case "swapped":
            first, second = one.key, two.key
            made.rekey(one, made.new_key())
            made.rekey(two, first)
            made.rekey(one, second)
        case _:
            made.write(one, "city", made.value(one.tag, "city"))
    for _ in range(2):
        run(made, pause=SETTLED)
    made.restart()
    nights(made)
    calm(made)


def test_who_is_forgotten_while_a_provider_is_out_of_the_settings_does_not_come_back_with_it() -> None:
    """His record is there still, and that provider brings new customers."""
    made = world(Profile(SEARCH, inbound=True), Profile(SEARCH), customers=2)
    person = made.people[0]
    take_out(made, "p0")
    product.forget(made.site, str(person.key))
    made.delete(person)
    run(made)
    made.restart()
    nights(made)
    nobody_is_back(made)
    calm(made)


@pytest.mark.parametrize("nature", [SEARCH, replace(SEARCH, replaces=True)], ids=["versions", "none"])
def test_a_field_that_was_switched_off_costs_no_look_at_every_scan(nature: Nature) -> None:
    """Somebody edits it at the provider: a listing that shows nothing else anew makes nobody due. Once the field is on
    again, the edit is pulled."""
    made = world(Profile(nature))
    made.setting = replace(made.setting, profiles=(Profile(nature, directions=(("city", Direction.OFF),)),))
    made.restart()
    city = type_there(made, "city")
    readings = []
    for _ in range(3):
        before = len(made.effects.trace)
        run(made, pause=SETTLED)
        readings.append(made.effects.trace[before:].count("p0 GET, before"))
    assert readings == [1, 1, 1], "the listing, and nothing more"
    made.setting = replace(made.setting, profiles=(Profile(nature),))
    made.restart()
    run(made)
    assert source(made, "city") == city
    assert kinds(made) == []


@pytest.mark.parametrize("on_delete", [Removal.KEEP, Removal.DELETE])
def test_recover_waits_for_every_provider_that_the_state_knows(on_delete: Removal) -> None:
    """The source is restored while a provider is out of the settings: its customers who are not in the source any more
    would count as deleted once it is back. Nothing is changed before it is back, or removed from the state."""
    made = world(Profile(SEARCH, on_delete=on_delete), Profile(SEARCH), run=False)
    restore = going_back(made.source.engine)
    newcomer = made.insert()
    for _ in range(2):
        run(made, pause=SETTLED)
    restore()
    newcomer.alive = False
    made.sql(f"UPDATE {made.source.fence.name} SET acks = 0")
    take_out(made, "p0")
    found = product.diagnose(made.site)
    assert not found.in_order
    with pytest.raises(UsageError, match="p0"):
        product.recover(made.site, found)
    assert product.diagnose(made.site) == found
    made.restart()
    product.recover(made.site, product.diagnose(made.site))
    nights(made)
    assert {record.of for record in made.providers[0].records.values()} == {person.tag for person in made.people}
    assert kinds(made) == []


@NATURES
def test_a_key_given_away_without_triggers_is_noticed_at_a_provider_that_was_away(
    nature: Nature,
) -> None:
    """Triggers are missing for a while, and a customer's key is given to another one. They are mended while a provider
    is out of the settings: once it is back, the first one's record there gets nothing of the other's."""
    made = world(Profile(nature), Profile(SEARCH), customers=3)
    take_out(made, "p0")
    for (name,) in made.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'customers'"):
        made.sql(f"DROP TRIGGER {name}")
    with pytest.raises(SetupNeeded):
        require_triggers(made.site)
    first = made.people[0]
    made.delete(first)
    made.happened.add("reinserted")
    made.insert(key=first.key)
    triggers.install(made.source)
    require_triggers(made.site)
    nights(made)
    made.restart()
    require_triggers(made.site)
    nights(made)
    everybodys_own(made)
    with made.state.read() as tx:
        assert not product.progress.meta(tx, "capture.unseen")


def test_a_provider_that_comes_back_under_another_name_still_has_its_look() -> None:
    """What a provider missed while it was out of the settings is remembered under its new name."""
    made = world(Profile(SEARCH), Profile(SEARCH))
    take_out(made, "p0")
    ((name, *_), *_) = made.sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    made.sql(f"DROP TRIGGER {name}")
    with pytest.raises(SetupNeeded):
        require_triggers(made.site)
    triggers.install(made.source)
    require_triggers(made.site)
    with made.state.begin() as tx:
        rename(tx, "p0", "other")
    with made.state.read() as tx:
        assert [product.progress.meta(tx, f"unseen:{name}") for name in ("p0", "other")] == ["", "1"]


@pytest.mark.parametrize("narrow", [True, False])
def test_a_provider_that_was_removed_and_is_put_back_gets_no_second_records(*, narrow: bool) -> None:
    """`create = "always"` is for systems without customers: one that has records of ours whose links were forgotten
    waits for a match report, for where it cannot carry a number no look-up would find them."""
    made = World(Setting((Profile(replace(LIST, narrow=narrow)), Profile(SEARCH)), 2, lettered=True))
    run(made)
    before = list(made.providers[0].records)
    assert len(before) == 2
    take_out(made, "p0")
    with made.state.begin() as tx:
        remove(tx, "p0")
    run(made)
    made.restart()
    for _ in range(2):
        run(made, pause=SETTLED)
    assert list(made.providers[0].records) == before
    assert kinds(made) == ["adopt"]


def test_a_provider_that_was_renamed_in_the_state_alone_gets_no_second_records() -> None:
    """The settings still have the former name at the next start: a match report decides, as it would for a provider
    that was put back."""
    made = World(Setting((Profile(replace(LIST, narrow=True)), Profile(SEARCH)), 2, lettered=True))
    run(made)
    before = list(made.providers[0].records)
    assert len(before) == 2
    with made.state.begin() as tx:
        rename(tx, "p0", "other")
    made.restart()
    for _ in range(2):
        run(made, pause=SETTLED)
    assert list(made.providers[0].records) == before
    assert kinds(made) == ["adopt"]
