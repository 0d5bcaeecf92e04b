"""Checks of writes: a create, an update, a removal, and the record that the provider holds afterwards."""

from __future__ import annotations

from contextlib import suppress

import pytest

from syncd.core.model import Removal, Values
from syncd.errors import Rejected
from syncd.testing.row import World


def sample_round_trip(world: World) -> None:
    """What was created is stored, found by our key and fetched by its id, field by field."""
    for key in world.row.samples:
        projected = world.projected(key)
        created = world.adapter.create(key, projected)
        assert dict(world.stored(created)).items() >= dict(projected).items(), key

        fetched = world.adapter.fetch(created.external_id)
        assert fetched is not None
        found = world.adapter.find(key, projected)
        for remote in (created, fetched, *found):
            assert (remote.external_id, remote.key) == (created.external_id, key)
            _shows(world, remote.values, projected)
        assert len(found) == 1
    assert len(world.twin.records) == len(world.row.samples)


def _shows(world: World, values: Values, projected: Values) -> None:
    hidden = world.row.hidden(world.toggles) | world.adapter.capabilities.writeonly
    shown = {name: value for name, value in projected.items() if name not in hidden}
    assert {name: values.get(name, "not shown") for name in shown} == shown
    assert values.keys() <= world.adapter.capabilities.fields


def update_changes_planned_fields_only(world: World) -> None:
    """An update of one field leaves all others, and everything that syncd does not know, as they were."""
    remote = world.created()
    world.row.plant(world.twin, remote.external_id)
    for name, value in world.row.changes.items():
        before = dict(world.stored(remote))
        current = world.adapter.fetch(remote.external_id)
        assert current is not None
        world.adapter.update(world.agreed(current), {name: value})
        assert dict(world.stored(remote)) == before | {name: value}, name
        assert world.row.planted(world.twin, remote.external_id), name
    assert len(world.twin.records) == 1


def update_answers_what_is_stored(world: World) -> None:
    """The answer of an update is the record as the provider now holds it."""
    remote = world.created()
    values = dict(world.row.changes)
    after = world.adapter.update(remote, values)
    assert after.external_id == remote.external_id
    _shows(world, after.values, values)


def update_is_idempotent(world: World) -> None:
    """The same update twice is the same record, and still one."""
    remote = world.created()
    values = dict(world.row.changes)
    world.adapter.update(world.agreed(remote), values)
    once = dict(world.stored(remote))
    current = world.adapter.fetch(remote.external_id)
    assert current is not None
    world.adapter.update(world.agreed(current), values)
    assert dict(world.stored(remote)) == once
    assert len(world.twin.records) == 1


def update_starts_from_the_given_record(world: World) -> None:
    """An edit that a person made at the provider just before stays, in every field that syncd did not plan."""
    first, second = list(world.row.changes)[:2]
    remote = world.created()
    current = world.adapter.fetch(remote.external_id)
    assert current is not None
    edited = world.adapter.update(world.agreed(current), {first: world.row.changes[first]})
    world.adapter.update(world.agreed(edited), {second: world.row.changes[second]})
    stored = world.stored(remote)
    assert (stored[first], stored[second]) == (world.row.changes[first], world.row.changes[second])


def clearing(world: World) -> None:
    """An emptied field is empty afterwards; where the provider cannot do it, the answer says what is kept."""
    hidden = world.row.hidden(world.toggles) | world.adapter.capabilities.writeonly
    for name in sorted(world.row.clearable):
        world.forget()
        remote = world.created()
        after = world.adapter.update(world.agreed(remote), {name: None})
        stored = world.stored(remote)
        if world.row.clears(world.toggles):
            assert stored[name] is None, name
        if name not in hidden:
            assert after.values.get(name, stored[name]) == stored[name], name


def an_existing_key_is_never_overwritten(world: World) -> None:
    """A create for a key that exists leaves that record alone."""
    remote = world.created()
    before = dict(world.stored(remote))
    values = dict(world.projected()) | dict(world.row.changes)
    with suppress(Rejected):
        world.adapter.create(world.key, values)
    assert dict(world.stored(remote)) == before


def removal(world: World) -> None:
    """Archive and delete do what the capabilities promise, twice as well as once; the rest is refused unsent."""
    able = {Removal.ARCHIVE: world.adapter.capabilities.archive, Removal.DELETE: world.adapter.capabilities.delete}
    for how, can in able.items():
        world.forget()
        remote = world.created()
        sent = len(world.twin.log)
        if not can:
            with pytest.raises(Rejected):
                world.adapter.remove(remote, how)
            assert len(world.twin.log) == sent
            continue
        world.adapter.remove(remote, how)
        world.adapter.remove(world.current(remote), how)
        after = world.adapter.fetch(remote.external_id)
        assert after is None or after.archived


def archived_over_there(world: World) -> None:
    """A record that a person archived says so, and an update does not bring it back."""
    if world.twin.archive is None:
        return
    remote = world.created()
    world.twin.archive(world.twin, world.twin.records[remote.external_id])
    current = world.adapter.fetch(remote.external_id)
    assert current is None or current.archived
