"""Checks of readings: by our key, by an id, in a listing; and of the places where a request may carry secrets."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from syncd.errors import Rejected
from syncd.testing.row import World, tried


def nobody_is_found(world: World) -> None:
    """A key and an id that nobody has give nothing; a neighbour's key is not ours."""
    world.created()
    assert list(world.adapter.find(world.key + "9", world.projected())) == []
    assert world.adapter.fetch(world.row.unknown_id) is None


def scan_is_complete(world: World) -> None:
    """A scan shows every record once, page by page, resumes from its cursor, and ends."""
    if world.row.small_pages is None or world.row.scan is None:
        with pytest.raises(Rejected):
            list(world.adapter.scan(None))
        assert not world.adapter.capabilities.lists
        return
    assert world.adapter.capabilities.lists
    ids = {world.created_as(str(70_000 + n), n).external_id for n in range(7)}
    paged = world.row.small_pages(world.adapter)
    pages = list(paged.scan(None))
    seen = [remote.external_id for page in pages for remote in page.remotes]
    assert sorted(seen) == sorted(ids)
    assert len(pages) > 1
    assert pages[-1].cursor is None

    cursor = pages[0].cursor
    assert cursor is not None
    rest = {remote.external_id for page in paged.scan(cursor) for remote in page.remotes}
    assert rest | {remote.external_id for remote in pages[0].remotes} == ids


def scan_shows_what_fetch_shows(world: World) -> None:
    """A record in a listing reads like the record itself."""
    if world.row.scan is None:
        return
    remote = world.created()
    (listed,) = [remote for page in world.adapter.scan(None) for remote in page.remotes]
    fetched = world.adapter.fetch(remote.external_id)
    assert fetched is not None
    assert (listed.external_id, listed.key, listed.archived) == (fetched.external_id, fetched.key, fetched.archived)
    assert listed.version in (None, fetched.version)
    assert listed.values == {name: fetched.values[name] for name in listed.values}
    if world.adapter.capabilities.lists_whole:
        assert (listed.values, listed.external_ids) == (fetched.values, fetched.external_ids)


def awkward_keys(world: World) -> None:
    """A key works to the letter, or is refused before anything leaves."""
    for key in world.row.awkward:
        world.forget()
        world.twin.log.clear()
        if not world.adapter.key_fits(key):
            with tried(f"a create for the key {key!r}"), pytest.raises(Rejected):
                world.created_as(key)
            assert not world.twin.requests(), key
            continue
        with tried(f"a create for the key {key!r}"):
            created = world.created_as(key)
        found = world.adapter.find(key, world.other())
        assert [remote.external_id for remote in found] == [created.external_id], key
        assert created.key == key
        assert len(world.twin.records) == 1, key


def credentials_travel_in_headers_only(world: World) -> None:
    """No secret is part of an address or a body, and no customer of an address beyond our key."""
    remote = world.created()
    world.adapter.update(remote, world.row.changes)
    world.adapter.find(world.key, world.projected())
    assert world.twin.log
    for entry in world.twin.log:
        for secret in world.row.secrets:
            assert secret not in entry.path + entry.query
            assert quote(secret) not in entry.path + entry.query
            assert secret.encode() not in entry.body or "token" in entry.path


def seen_by_hand(world: World) -> None:
    """A probe answers in a sentence."""
    assert world.adapter.probe()
