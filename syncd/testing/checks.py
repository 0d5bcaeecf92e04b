"""The checks of the contract, as plain functions: the suite runs them against every adapter, sound or broken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

import pytest

from syncd.core.model import Removal, Values
from syncd.core.normalise import equal
from syncd.errors import Rejected
from syncd.sandbox.kit import Fault
from syncd.testing.failures import FAILURES, SLOW_FAILURES
from syncd.testing.row import World

Check = Callable[[World], None]


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


def nobody_is_found(world: World) -> None:
    """A key and an id that nobody has give nothing; a neighbour's key is not ours."""
    world.created()
    assert list(world.adapter.find(world.key + "9", world.projected())) == []
    assert world.adapter.fetch(world.row.unknown_id) is None


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
    """What a person changed over there just before stays, where syncd did not plan that field."""
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
        world.twin.records.clear()
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
    assert listed.values == {name: fetched.values[name] for name in listed.values}
    if world.adapter.capabilities.lists_whole:
        assert (listed.values, listed.external_ids) == (fetched.values, fetched.external_ids)


def awkward_keys(world: World) -> None:
    """A key works to the letter, or is refused before anything leaves."""
    for key in world.row.awkward:
        world.twin.records.clear()
        world.twin.log.clear()
        if not world.adapter.key_fits(key):
            with pytest.raises(Rejected):
                world.created_as(key)
            assert not world.twin.requests(), key
            continue
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


def projection_is_pure(world: World) -> None:
    """The same row gives the same projection, with fields of this provider only, and never invents what is unknown."""
    known = world.adapter.capabilities.fields
    for values in world.row.samples.values():
        before = dict(values)
        projected = world.adapter.project(values)
        assert dict(projected) == dict(world.adapter.project(values))
        assert dict(values) == before
        assert projected.keys() <= known
        composed = world.adapter.composed(frozenset(values))
        assert composed <= known
        assert projected.keys() <= values.keys() | composed


def hostile_text(world: World) -> None:
    """NUL and half a surrogate pair are refused for the customer, not sent, and the field is named."""
    name = next(name for name, value in world.row.changes.items() if isinstance(value, str))
    remote = world.created()
    writes = world.twin.writes()
    for text in ("a\0b", "a\ud800b"):
        with pytest.raises(Rejected) as caught:
            world.adapter.update(remote, world.adapter.project({**world.row.samples[world.key], name: text}))
        assert caught.value.field == name
    assert world.twin.writes() == writes


AWKWARD: tuple[Values, ...] = (
    {
        "name": '\'s-Gravenhaagse IJsfabriek "De Zoete Inval" & Zn. <B.V.>',
        "first_name": "Zoë-Ærø",
        "last_name": "van der Meer-'t Hooft",
        "contact_person": "Mw. A. van der Meer-'t Hooft",
        "street": "Hafenweg 12 a-c",
        "postal_code": "01067",
        "city": "Frankfurt (Oder)",
        "phone": "030 / 901820-0",
        "email": "o'brien+einkauf@bäckerei-müßig.example",
    },
    {
        "name": "Ω; DROP TABLE customers; -- 100 % 🥐\\n",
        "first_name": None,
        "last_name": "O'Brien Müßig",
        "street": "Postfach 10 12 34",
        "city": "'s-Hertogenbosch",
        "postal_code": "5211 AP",
        "mobile": "06-12 34 56 78",
    },
    {"street": "Straße des 17. Juni 135/3. OG", "city": "Łódź", "state": "Noord-Holland", "phone": "+31 (0)20-1234567"},
    {"street": "12 bis, Rue de la Paix", "street2": "c/o Ó Súilleabháin", "city": "L'Haÿ-les-Roses", "phone": None},
)


def awkward_values_come_back(world: World) -> None:
    """Apostrophes, umlauts, house numbers with letters, PO boxes and numbers in brackets mean afterwards what they
    meant before, and a field that was planned together with others does not disturb them."""
    remote = world.created()
    agreed = dict(world.projected())
    hidden = world.row.hidden(world.toggles) | world.adapter.capabilities.writeonly
    country = world.row.samples[world.key].get("country")
    assert country is None or isinstance(country, str)
    for values in AWKWARD:
        whole = world.adapter.project({**world.row.samples[world.key], **values})
        planned = {name: whole[name] for name in whole.keys() & values.keys() if whole[name] or name != "phone"}
        current = world.adapter.fetch(remote.external_id)
        assert current is not None
        world.adapter.update(replace(current, values={**agreed, **current.values}), planned)
        agreed |= planned
        after = world.adapter.fetch(remote.external_id)
        assert after is not None
        for name, value in planned.items():
            if value is not None and name not in hidden:
                assert equal(name, after.values[name], value, country), name
                assert equal(name, world.stored(remote)[name], value, country), name


def an_odd_member_is_one_unknown_field(world: World) -> None:
    """A member of a form that nobody documented leaves its own field unknown: all others are read, the field is not
    taken for empty, and an update of another one does not lose what is stored there."""
    remote = world.created()
    stored = dict(world.stored(remote))
    place, field, patch = world.row.fetch, *world.row.odd
    world.twin.faults.add(Fault("merge", method=place[0], route=place[1], patch=patch))
    current = world.adapter.fetch(remote.external_id)
    assert world.twin.faults.hit
    assert current is not None
    hidden = world.row.hidden(world.toggles) | world.adapter.capabilities.writeonly
    assert field not in current.values
    assert current.values.keys() >= world.projected().keys() - hidden - {field}
    assert current.key == world.key

    other = next(name for name in world.row.changes if name != field)
    world.adapter.update(world.agreed(current), {other: world.row.changes[other]})
    assert dict(world.stored(remote)) == stored | {other: world.row.changes[other]}


def seen_by_hand(world: World) -> None:
    """A probe answers in a sentence."""
    assert world.adapter.probe()


CHECKS: tuple[Check, ...] = (
    sample_round_trip,
    nobody_is_found,
    update_changes_planned_fields_only,
    update_answers_what_is_stored,
    update_is_idempotent,
    update_starts_from_the_given_record,
    clearing,
    an_existing_key_is_never_overwritten,
    scan_is_complete,
    scan_shows_what_fetch_shows,
    awkward_keys,
    credentials_travel_in_headers_only,
    removal,
    archived_over_there,
    projection_is_pure,
    hostile_text,
    awkward_values_come_back,
    an_odd_member_is_one_unknown_field,
    seen_by_hand,
    *FAILURES,
    *SLOW_FAILURES,
)
