"""Checks of the version that a record shows and that a write carries: what it tells, and what it prevents."""

from __future__ import annotations

import pytest

from syncd.core.model import Remote
from syncd.errors import Stale
from syncd.testing.row import World


def a_version_tells_every_change(world: World) -> None:
    """A version that is shown stays while nothing changes, and is another one after each change, in every answer."""
    made = world.created()
    before = _read(world, made)
    assert _read(world, made).version == before.version
    assert made.version in (None, before.version)
    if before.version is None:
        return
    seen: set[str | None] = {before.version}
    for name, value in world.row.changes.items():
        answered = world.adapter.update(world.agreed(before), {name: value})
        before = _read(world, made)
        assert before.version not in seen, f"{name} changed beside the version"
        assert answered.version in (None, before.version), name
        seen.add(before.version)


def a_second_write_over_one_reading_is_stale(world: World) -> None:
    """Where writes carry the version that was read, the second one over one reading is `Stale` and writes nothing."""
    if not world.adapter.capabilities.conditional:
        return
    first, second = list(world.row.changes)[:2]
    read = world.agreed(world.created())
    world.adapter.update(read, {first: world.row.changes[first]})
    stored = dict(world.stored(read))
    with pytest.raises(Stale):
        world.adapter.update(read, {second: world.row.changes[second]})
    assert dict(world.stored(read)) == stored


def _read(world: World, remote: Remote) -> Remote:
    read = world.adapter.fetch(remote.external_id)
    assert read is not None
    return read
