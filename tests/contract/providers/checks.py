"""The checks of the contract, as plain functions: the suite runs them against every adapter, sound or broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import pytest

from syncd.core.model import Remote, Removal, Values
from syncd.errors import OutcomeUnknown, ProviderError, Rejected, Temporary, Throttled, Unauthorized
from syncd.sandbox.kit import Fault
from tests.contract.providers.row import Request, World

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
        world.adapter.update(current, {name: value})
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
    world.adapter.update(remote, values)
    once = dict(world.stored(remote))
    current = world.adapter.fetch(remote.external_id)
    assert current is not None
    world.adapter.update(current, values)
    assert dict(world.stored(remote)) == once
    assert len(world.twin.records) == 1


def update_starts_from_the_given_record(world: World) -> None:
    """What a person changed over there just before stays, where syncd did not plan that field."""
    first, second = list(world.row.changes)[:2]
    remote = world.created()
    current = world.adapter.fetch(remote.external_id)
    assert current is not None
    edited = world.adapter.update(current, {first: world.row.changes[first]})
    world.adapter.update(edited, {second: world.row.changes[second]})
    stored = world.stored(remote)
    assert (stored[first], stored[second]) == (world.row.changes[first], world.row.changes[second])


def clearing(world: World) -> None:
    """An emptied field is empty afterwards; where the provider cannot do it, the answer says what is kept."""
    hidden = world.row.hidden(world.toggles) | world.adapter.capabilities.writeonly
    for name in sorted(world.row.clearable):
        world.twin.records.clear()
        remote = world.created()
        after = world.adapter.update(remote, {name: None})
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


def wrong_credentials(world: World) -> None:
    """Refused credentials pause the lane, whatever was asked, and write nothing."""
    remote = world.created()
    writes = world.twin.writes()
    stranger = world.row.stranger(world.url)
    try:
        for act in (
            lambda: stranger.fetch(remote.external_id),
            lambda: stranger.find(world.key, world.projected()),
            lambda: stranger.create("70999", world.other()),
            lambda: stranger.update(remote, world.row.changes),
            stranger.probe,
        ):
            with pytest.raises(Unauthorized):
                act()
    finally:
        stranger.close()
    assert world.twin.writes() == writes


def forbidden(world: World) -> None:
    """402 and 403 are about us, not about the customer."""
    remote = world.created()
    for status in (402, 403):
        for (method, route), act in _acts(world, remote):
            world.twin.faults.add(Fault("status", method=method, route=route, status=status))
            with pytest.raises(Unauthorized):
                act()


RETRY_AFTER = {
    "7": 7.0,
    "0": 1.0,
    "-5": 1.0,
    "1000000000": 3600.0,
    "Sun, 01 Mar 2026 12:01:30 GMT": 90.0,
    "Sun, 01 Mar 2020 12:00:00 GMT": 1.0,
    "soon": None,
    "": None,
}


def throttled(world: World) -> None:
    """429 in every form becomes the seconds to wait, and nothing was written."""
    remote = world.created()
    writes = world.twin.writes()
    for text, seconds in RETRY_AFTER.items():
        for (method, route), act in _acts(world, remote):
            headers = {"Date": "Sun, 01 Mar 2026 12:00:00 GMT"} | ({"Retry-After": text} if text else {})
            world.twin.faults.add(Fault("status", method=method, route=route, status=429, headers=headers))
            with pytest.raises(Throttled) as caught:
                act()
            assert caught.value.retry_after == seconds, text
    assert world.twin.writes() == writes


LOST_ANSWERS = (
    Fault("status", status=500, body='{"detail": "boom"}'),
    Fault("status", status=503),
    Fault("status-after", status=502, body="<html>"),
    Fault("status-after", status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
    Fault("html"),
    Fault("html", status=200),
    Fault("truncated"),
    Fault("cut"),
    Fault("gzip"),
    Fault("reset"),
    Fault("reset-after"),
    Fault("reset-body"),
    Fault("hang-after"),
    Fault("trickle", seconds=0.2),
    Fault("body", status=200, body='{"a": 1, "a": 2}'),
    Fault("body", status=200, body='{"a": NaN}'),
    Fault("body", status=200, body='{"a": "\\ud800"}'),
    Fault("body", status=200, body="[]"),
    Fault("body", status=200, body="{}"),
    Fault("body", status=200, body='"text"'),
)
SLOW = frozenset({"hang-after", "trickle"})
NEEDS_A_BODY = frozenset({"truncated", "cut", "gzip", "reset-body", "trickle"})


def lost_answer_to_a_write(world: World) -> None:
    """Whatever keeps the answer of a write from us, the outcome is unknown; never success, never a plain failure."""
    remote = world.created()
    for number, fault in enumerate(LOST_ANSWERS):
        if fault.kind in SLOW and world.toggles:
            continue  # they cost a timeout each, and toggles do not touch them
        needs_a_body = fault.kind in NEEDS_A_BODY or (fault.kind == "html" and fault.status is None)
        if needs_a_body and world.row.empty_answers(world.toggles):
            continue  # nothing there to spoil
        with pytest.raises(OutcomeUnknown):
            _under(world, fault, world.row.update, lambda: world.adapter.update(remote, world.row.changes))
        _forget(world, keep=remote.external_id)
        with pytest.raises(OutcomeUnknown):
            _under(world, fault, world.row.create, partial(world.created_as, str(70_000 + number), number))


def failed_reading(world: World) -> None:
    """A reading that fails is temporary, and never "does not exist" or an empty answer."""
    remote = world.created()
    for fault in LOST_ANSWERS:
        if fault.kind in SLOW and world.toggles:
            continue
        for place, act in _readings(world, remote.external_id):
            if fault.body == "[]" and place in world.row.bare_lists:
                continue
            with pytest.raises(Temporary):
                _under(world, fault, place, act)


def failed_reading_after_a_write(world: World) -> None:
    """Where a write is followed by a reading of its own, a failure of that reading does not undo the write."""
    remote = world.created()
    acts: tuple[tuple[Request, Callable[[], object]], ...] = (
        (world.row.create, lambda: world.created_as("70001")),
        (world.row.update, lambda: world.adapter.update(remote, world.row.changes)),
    )
    for write, act in acts:
        start = len(world.twin.log)
        act()
        done = [(entry.method, entry.route) for entry in world.twin.log[start:]]
        last = max(place for place, request in enumerate(done) if request == write)
        for place in range(last + 1, len(done)):
            _forget(world, keep=remote.external_id)
            method, route = done[place]
            earlier = done[:place].count(done[place])
            world.twin.faults.add(Fault("status", method=method, route=route, skip=earlier, status=500))
            with pytest.raises(OutcomeUnknown):
                act()


def not_sent(world: World) -> None:
    """Nobody listens: certainly not executed."""
    remote = world.created()
    adapter = world.row.build("http://127.0.0.1:9")
    try:
        acts: tuple[Callable[[], object], ...] = (
            lambda: adapter.fetch(remote.external_id),
            lambda: adapter.create("70001", world.other()),
            lambda: adapter.update(remote, world.row.changes),
        )
        for act in acts:
            with pytest.raises(Temporary):
                act()
    finally:
        adapter.close()


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


def another_customers_answer(world: World) -> None:
    """An answer that speaks of another customer is never taken for ours."""
    remote = world.created()
    fault = Fault("merge", patch=world.row.foreign)
    with pytest.raises(ProviderError):
        _under(world, fault, world.row.fetch, lambda: world.adapter.fetch(remote.external_id))
    with pytest.raises(OutcomeUnknown):
        _under(world, fault, world.row.update, lambda: world.adapter.update(remote, world.row.changes))
    _forget(world, keep=remote.external_id)


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


def errors_hold_no_personal_data(world: World) -> None:
    """Neither an error's text nor its causes quote the customer or a secret."""
    remote = world.created()
    values = (*world.projected().values(), *world.other().values(), *world.row.changes.values())
    words = (*(value for value in values if isinstance(value, str) and len(value) > 5), *world.row.secrets)
    said = " ".join(words)
    echo = {"detail": [{"type": said, "loc": ["body", said], "msg": said}], "message": said, "Message": said}
    for status in (400, 404, 409, 412, 422, 500):
        for (method, route), act in _acts(world, remote):
            body = json.dumps(echo)
            world.twin.faults.add(Fault("status", method=method, route=route, status=status, body=body))
            _silent(act, words)
            world.twin.faults.clear()
        _forget(world, keep=remote.external_id)


def _silent(act: Callable[[], object], words: tuple[str, ...]) -> None:
    try:
        act()
    except ProviderError as error:
        cause: BaseException | None = error
        while cause is not None:
            text = f"{cause} {cause!r} {cause.args}"
            assert not [word for word in words if word in text]
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def removal(world: World) -> None:
    """Archive and delete do what the capabilities promise, twice as well as once; the rest is refused unsent."""
    able = {Removal.ARCHIVE: world.adapter.capabilities.archive, Removal.DELETE: world.adapter.capabilities.delete}
    for how, can in able.items():
        _forget(world, keep="")
        remote = world.created()
        sent = len(world.twin.log)
        if not can:
            with pytest.raises(Rejected):
                world.adapter.remove(remote, how)
            assert len(world.twin.log) == sent
            continue
        world.adapter.remove(remote, how)
        world.adapter.remove(remote, how)
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
    """NUL and half a surrogate pair are refused for the customer, not sent."""
    name = next(name for name, value in world.row.changes.items() if isinstance(value, str))
    remote = world.created()
    writes = world.twin.writes()
    for text in ("a\0b", "a\ud800b"):
        with pytest.raises(Rejected):
            world.adapter.update(remote, world.adapter.project({**world.row.samples[world.key], name: text}))
    assert world.twin.writes() == writes


def seen_by_hand(world: World) -> None:
    """A probe answers in a sentence."""
    assert world.adapter.probe()


def _acts(world: World, remote: Remote) -> list[tuple[Request, Callable[[], object]]]:
    """One act for each kind of request, with the request that decides it."""
    return [
        *_readings(world, remote.external_id),
        (world.row.create, lambda: world.created_as("70777")),
        (world.row.update, lambda: world.adapter.update(remote, world.row.changes)),
    ]


def _readings(world: World, external_id: str) -> list[tuple[Request, Callable[[], object]]]:
    readings: list[tuple[Request, Callable[[], object]]] = [
        (world.row.fetch, lambda: world.adapter.fetch(external_id)),
        (world.row.find, lambda: world.adapter.find(world.key, world.projected())),
    ]
    if world.row.scan is not None:
        readings.append((world.row.scan, lambda: list(world.adapter.scan(None))))
    return readings


def _under(world: World, fault: Fault, place: Request, act: Callable[[], object]) -> None:
    """Run `act` while the next request to `place` meets the fault; the fault must have been met."""
    world.twin.faults.clear()
    world.twin.faults.add(replace(fault, method=place[0], route=place[1]))
    try:
        act()
    finally:
        met = len(world.twin.faults.hit)
        world.twin.faults.clear()
    assert met, f"{fault.kind} was never met"


def _forget(world: World, keep: str) -> None:
    for external_id in [known for known in world.twin.records if known != keep]:
        del world.twin.records[external_id]


CHECKS: tuple[Check, ...] = (
    sample_round_trip,
    nobody_is_found,
    update_changes_planned_fields_only,
    update_answers_what_is_stored,
    update_is_idempotent,
    update_starts_from_the_given_record,
    clearing,
    an_existing_key_is_never_overwritten,
    another_customers_answer,
    wrong_credentials,
    forbidden,
    throttled,
    failed_reading_after_a_write,
    not_sent,
    scan_is_complete,
    scan_shows_what_fetch_shows,
    awkward_keys,
    credentials_travel_in_headers_only,
    errors_hold_no_personal_data,
    removal,
    archived_over_there,
    projection_is_pure,
    hostile_text,
    seen_by_hand,
    failed_reading,
    lost_answer_to_a_write,
)
