"""A strict Acme CRM on loopback.

search      exact | prefix      whether a search by number shows longer numbers, too
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Flask, request

from syncd.clock import Clock, SystemClock
from syncd.sandbox import kit
from syncd.sandbox.kit import Answer, Record, Refusal, Sandbox, Twin

TOKEN = "acme-token-for-tests"
TOGGLES: Mapping[str, tuple[str, ...]] = {"search": ("exact", "prefix")}
FIELDS = ("name", "mail", "phone", "town")


def create_twin(clock: Clock | None = None) -> Twin:
    """An account without contacts."""
    return Twin("acme", TOGGLES, clock=clock or SystemClock())


def create_app(twin: Twin) -> Flask:
    """The API over `twin`."""
    made = kit.app(twin, authorised=_authorised, refused=_refused)

    @made.get("/contacts")
    def listing() -> Answer:
        page, size = (int(request.args.get(name, "1")) for name in ("page", "size"))
        number = request.args.get("number")
        found = [one for one in twin.records.values() if number is None or _hit(twin, one["number"], number)]
        return {"items": found[(page - 1) * size : page * size]}

    @made.get("/contacts/<external_id>")
    def read(external_id: str) -> Answer:
        return dict(_existing(twin, external_id))

    @made.post("/contacts")
    def create() -> Answer:
        body = _checked(kit.json_body())
        if any(one["number"] == body["number"] for one in twin.records.values()):
            raise Refusal(409, {"code": "number_taken"})
        external_id = f"c{twin.next_id()}"
        twin.put(external_id, {**dict.fromkeys(FIELDS), **body, "id": external_id, "version": 1})
        return dict(twin.records[external_id]), 201

    @made.put("/contacts/<external_id>")
    def write(external_id: str) -> Answer:
        stored, body = _existing(twin, external_id), _checked(kit.json_body())
        version = _same_version(stored, body.get("version"))
        twin.put(external_id, {**dict.fromkeys(FIELDS), **body, "id": external_id, "version": version + 1})
        return dict(twin.records[external_id])

    @made.delete("/contacts/<external_id>")
    def delete(external_id: str) -> Answer:
        _same_version(_existing(twin, external_id), int(request.args.get("version", "0")))
        twin.drop(external_id)
        return "", 204

    return made


def _authorised() -> bool:
    return request.headers.get("Authorization") == f"Bearer {TOKEN}"


def _refused(status: int, sentence: str) -> Answer:
    return {"message": sentence}, status


def _hit(twin: Twin, number: str, wanted: str) -> bool:
    return number.startswith(wanted) if twin.toggle("search") == "prefix" else number == wanted


def _existing(twin: Twin, external_id: str) -> Record:
    if external_id not in twin.records:
        raise Refusal(404, {"code": "no_such_contact"})
    return twin.records[external_id]


def _checked(body: Record) -> Record:
    for name in (*FIELDS, "number"):
        if body.get(name) is not None and not isinstance(body[name], str):
            raise Refusal(422, {"code": "type", "member": name})
    if not body.get("number"):
        raise Refusal(422, {"code": "missing", "member": "number"})
    return body


def _same_version(stored: Record, version: object) -> int:
    if version != stored["version"]:
        raise Refusal(409, {"code": "version"})
    return int(stored["version"])


def settings(url: str, secret: Callable[[str], str]) -> list[str]:
    """The lines of `[providers.acme]` that reach this sandbox."""
    return [f'url = "{url}"', f"token = {secret('acme')}"]


SANDBOX = Sandbox("acme", create_twin, create_app, settings, {"acme": TOKEN})
