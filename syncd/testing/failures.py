"""The checks of failures: the error for each, and that no answer is taken for another customer's or for a proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest

from syncd.core.model import Remote, Removal
from syncd.errors import OutcomeUnknown, ProviderError, Temporary, Throttled, Unauthorized
from syncd.providers.adapter import ProviderAdapter
from syncd.sandbox.kit import Fault
from syncd.testing.row import TIMEOUT, Request, World, tried


def wrong_credentials(world: World) -> None:
    """Refused credentials pause the lane, whatever was asked, and write nothing."""
    remote = world.created()
    writes = world.twin.writes()
    stranger = world.row.stranger(world.url)
    try:
        for name, act in _asked_of(stranger, world, remote).items():
            with tried(name), pytest.raises(Unauthorized):
                act()
    finally:
        stranger.close()
    assert world.twin.writes() == writes


def _asked_of(adapter: ProviderAdapter, world: World, remote: Remote) -> dict[str, Callable[[], object]]:
    """What every provider can be asked for, by name, through an adapter that is set up wrongly."""
    return {
        "fetch": lambda: adapter.fetch(remote.external_id),
        "find": lambda: adapter.find(world.key, world.projected()),
        "create": lambda: adapter.create("70999", world.other()),
        "update": lambda: adapter.update(remote, world.row.changes),
        "probe": adapter.probe,
    }


def forbidden(world: World) -> None:
    """402 and 403 are about syncd's credentials, not about the customer."""
    remote = world.created()
    for status in (402, 403):
        for (method, route), act in _acts(world, remote):
            world.twin.faults.add(Fault("status", method=method, route=route, status=status))
            with tried(f"{method} {route} answered {status}"), pytest.raises(Unauthorized):
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
            with tried(f"{method} {route} answered 429"), pytest.raises(Throttled) as caught:
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
        current = world.current(remote)
        _under(world, fault, world.row.update, partial(_changed, world, current), OutcomeUnknown)
        world.forget(keep=remote.external_id)
        create = partial(world.created_as, str(70_000 + number), number)
        _under(world, fault, world.row.create, create, OutcomeUnknown)


def _changed(world: World, current: Remote) -> Remote:
    return world.adapter.update(current, world.row.changes)


def failed_reading(world: World) -> None:
    """A reading that fails is temporary, and never "does not exist" or an empty answer."""
    remote = world.created()
    for fault in LOST_ANSWERS:
        if fault.kind in SLOW and world.toggles:
            continue
        for place, act in _readings(world, remote.external_id):
            if fault.body == "[]" and place in world.row.bare_lists:
                continue
            _under(world, fault, place, act, Temporary)


def failed_reading_after_a_write(world: World) -> None:
    """Where a write is followed by a reading of its own, a failure of that reading does not undo the write."""
    remote = world.created()
    acts: tuple[tuple[Request, Callable[[], object]], ...] = (
        (world.row.create, lambda: world.created_as("70001")),
        (world.row.update, lambda: _changed(world, world.current(remote))),
    )
    for write, act in acts:
        start = len(world.twin.log)
        act()
        done = [(entry.method, entry.route) for entry in world.twin.log[start:]]
        last = max(place for place, request in enumerate(done) if request == write)
        for place in range(last + 1, len(done)):
            world.forget(keep=remote.external_id)
            method, route = done[place]
            earlier = done[:place].count(done[place])
            world.twin.faults.add(Fault("status", method=method, route=route, skip=earlier, status=500))
            with tried(f"{method} {route} after {' '.join(write)} answered 500"), pytest.raises(OutcomeUnknown):
                act()


def not_sent(world: World) -> None:
    """A request to a port where no server listens is certainly not executed."""
    remote = world.created()
    adapter = world.row.build("http://127.0.0.1:9", TIMEOUT)
    try:
        acts: dict[str, Callable[[], object]] = {
            "fetch": lambda: adapter.fetch(remote.external_id),
            "create": lambda: adapter.create("70001", world.other()),
            "update": lambda: adapter.update(remote, world.row.changes),
        }
        for name, act in acts.items():
            with tried(name), pytest.raises(Temporary):
                act()
    finally:
        adapter.close()


def another_customers_answer(world: World) -> None:
    """An answer about another customer than the one asked for is never used."""
    remote = world.created()
    fault = Fault("merge", patch=world.row.foreign)
    _under(world, fault, world.row.fetch, lambda: world.adapter.fetch(remote.external_id), ProviderError)
    _under(world, fault, world.row.update, lambda: world.adapter.update(remote, world.row.changes), OutcomeUnknown)
    world.forget(keep=remote.external_id)


def a_wrong_url_is_about_us(world: World) -> None:
    """Under a path that is not the API's everything is a 404, which says nothing about any customer: nobody is absent,
    nobody is refused, and nothing counts as removed."""
    remote = world.created()
    lost = world.row.build(world.url + "/nowhere", TIMEOUT)
    acts = _asked_of(lost, world, remote)
    if lost.capabilities.lists:
        acts["scan"] = lambda: list(lost.scan(None))
    if lost.capabilities.delete:
        acts["delete"] = lambda: lost.remove(remote, Removal.DELETE)
    if lost.capabilities.archive:
        acts["archive"] = lambda: lost.remove(remote, Removal.ARCHIVE)
    try:
        for name, act in acts.items():
            with tried(name), pytest.raises((Temporary, Unauthorized)):
                act()
    finally:
        lost.close()


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
            with tried(f"{method} {route} answered {status} and quoted the customer"):
                _silent(act, words)
            world.twin.faults.clear()
        world.forget(keep=remote.external_id)


def _silent(act: Callable[[], object], words: tuple[str, ...]) -> None:
    try:
        act()
    except ProviderError as error:
        cause: BaseException | None = error
        while cause is not None:
            text = f"{cause} {cause!r} {cause.args}"
            assert not [word for word in words if word in text]
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


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


def _under(world: World, fault: Fault, place: Request, act: Callable[[], object], wanted: type[ProviderError]) -> None:
    """Run `act` while the next request to `place` meets the fault, which must be met and end as the `wanted` error."""
    world.twin.faults.clear()
    world.twin.faults.add(replace(fault, method=place[0], route=place[1]))
    with tried(f"{' '.join(place)} under the fault {_shown(fault)}"):
        try:
            with world.in_haste() if fault.kind in SLOW else nullcontext(), pytest.raises(wanted):
                act()
            assert world.twin.faults.hit, "no request met the fault"
        finally:
            world.twin.faults.clear()


def _shown(fault: Fault) -> str:
    told = [fault.kind, *([str(fault.status)] if fault.status else []), *([fault.body] if fault.body else [])]
    return " ".join(told)


FAILURES = (
    another_customers_answer,
    wrong_credentials,
    forbidden,
    throttled,
    failed_reading_after_a_write,
    not_sent,
    a_wrong_url_is_about_us,
    errors_hold_no_personal_data,
)
SLOW_FAILURES = (
    failed_reading,
    lost_answer_to_a_write,
)
