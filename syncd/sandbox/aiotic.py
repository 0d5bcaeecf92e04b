"""A strict aiotic: FastAPI-style errors, full replacement by PUT, and everything the vendor's own mock does.

Stricter than the mock in one point: unknown and read-only fields in a body are refused, because that is how a leaked
canonical field shows. Toggles, the first value being the mock's:

    semantics   replace | merge              what a PUT does to fields that were left out
    success     202 | 200 | 201              the status of a PUT
    answer      record | empty               whether a PUT answers with the record
    missing     detailed | plain             the text of a 404: about the customer, or FastAPI's own
    extras      known | unknown              whether records show fields nobody documented
    paging      stable | shifting | endless  shifting: each page repeats one of the last; endless: the last page repeats
    numbers     exact | caseless             whether `k-1` addresses `K-1`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Flask, request

from syncd.clock import Clock, SystemClock
from syncd.sandbox import kit
from syncd.sandbox.kit import Answer, Record, Refusal, Twin

INTEGRATION_KEY = "aiotic-integration-key"
SYNC_KEY = "aiotic-sync-key"
TOGGLES: Mapping[str, tuple[str, ...]] = {
    "semantics": ("replace", "merge"),
    "success": ("202", "200", "201"),
    "answer": ("record", "empty"),
    "missing": ("detailed", "plain"),
    "extras": ("known", "unknown"),
    "paging": ("stable", "shifting", "endless"),
    "numbers": ("exact", "caseless"),
}
FIELDS = (
    "name", "postal_code", "city", "address", "contact_person", "phone_number", "vat_number", "email", "coc_number",
    "home_page",
)  # fmt: skip
_OPEN = frozenset({"/healthcheck", "/system-status"})
_MASTER_DATA = re.compile(r"/(customer|product|customer-product)/")


def create_twin(clock: Clock | None = None) -> Twin:
    """A tenant without customers."""
    return Twin("aiotic", TOGGLES, clock=clock or SystemClock(), archive=_archive)


def create_app(twin: Twin) -> Flask:
    """The API over `twin`."""
    made = kit.app(twin, authorised=_authorised, refused=_refused)
    _add_health(made, twin)
    _add_reading(made, twin)
    _add_writing(made, twin)
    return made


def _archive(twin: Twin, record: Record) -> None:
    record["archived_at"] = twin.now().isoformat()


def _authorised() -> bool:
    key = request.headers.get("X-API-Key", "")
    if request.path in _OPEN or key == INTEGRATION_KEY:
        return True
    return key == SYNC_KEY and bool(_MASTER_DATA.match(request.path))


def _refused(status: int, sentence: str) -> Answer:
    text = "Invalid or missing API key" if status == 401 else sentence
    if status in {400, 415}:
        return _invalid("json_invalid", "body"), 422
    return {"detail": text}, status


def _invalid(kind: str, *place: str) -> Record:
    return {"detail": [{"type": kind, "loc": list(place), "msg": kind.replace("_", " ")}]}


def _add_health(made: Flask, twin: Twin) -> None:
    @made.get("/healthcheck")
    def healthcheck() -> Answer:
        return {"status": "ok"}

    @made.get("/system-status")
    def system_status() -> Answer:
        return {"status": "operational", "message": None, "updated_at": twin.now().isoformat()}


def _add_reading(made: Flask, twin: Twin) -> None:
    @made.get("/customer/list")
    def listing() -> Answer:
        page, size = _whole("page", 1, 1, 10**9), _whole("size", 100, 1, 1000)
        records = list(twin.records.values())
        start = _start(twin, page, size, len(records))
        items = [_shown(twin, record) for record in records[start : start + size]]
        return {"items": items, "total": len(records), "limit": size, "offset": (page - 1) * size}

    @made.get("/customer/search/<query>")
    def search(query: str) -> Answer:
        top = _whole("top_k", 10, 1, 1000)
        hits = [record for record in twin.records.values() if query.lower() in str(record.values()).lower()]
        items = [{**_shown(twin, record), "similarity": 0.5} for record in hits[:top]]
        return {"items": items, "total": len(twin.records), "limit": top}

    @made.get("/customer/<number>")
    def read(number: str) -> Answer:
        return _shown(twin, twin.records[_existing(twin, number, f"Customer with unique number '{number}' not found")])


def _add_writing(made: Flask, twin: Twin) -> None:
    @made.put("/customer/<number>")
    def write(number: str) -> Answer:
        body = kit.json_body(unsupported=422, malformed=422)
        _check(body)
        known = _known(twin, number)
        old = twin.records.get(known or number, {})
        kept = old if twin.toggle("semantics") == "merge" else {n: v for n, v in old.items() if n not in FIELDS}
        empty = dict.fromkeys(FIELDS) | {"archived_at": None, "superseded_by": None}
        uuid = body.get("id") or old.get("id") or str(UUID(int=twin.next_id()))
        twin.put(known or number, {**empty, **kept, **body, "number": known or number, "id": uuid})
        shown = _shown(twin, twin.records[known or number])
        return ("" if twin.toggle("answer") == "empty" else shown), int(twin.toggle("success"))

    @made.delete("/customer/<number>")
    def delete(number: str) -> Answer:
        twin.drop(_existing(twin, number, f"Customer with number '{number}' not found"))
        return "", 204


def _check(body: Record) -> None:
    for name, value in body.items():
        if name not in {*FIELDS, "id"}:
            raise Refusal(422, _invalid("extra_forbidden", "body", name))
        if value is not None and not isinstance(value, str):
            raise Refusal(422, _invalid("string_type", "body", name))
    try:
        UUID(body.get("id") or "00000000-0000-0000-0000-000000000000")
    except ValueError:
        raise Refusal(422, _invalid("uuid_parsing", "body", "id")) from None


def _shown(twin: Twin, record: Record) -> Record:
    """A record as an answer shows it; `loyalty_tier` stands for a member that a newer server may add."""
    extra: dict[str, Any] = {"loyalty_tier": {"name": "gold"}} if twin.toggle("extras") == "unknown" else {}
    return {**record, "similarity": None, **extra}


def _known(twin: Twin, number: str) -> str | None:
    if twin.toggle("numbers") == "exact" or number in twin.records:
        return number if number in twin.records else None
    return next((known for known in twin.records if known.lower() == number.lower()), None)


def _existing(twin: Twin, number: str, sentence: str) -> str:
    known = _known(twin, number)
    if known is None:
        raise Refusal(404, {"detail": "Not Found" if twin.toggle("missing") == "plain" else sentence})
    return known


def _whole(name: str, default: int, least: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise Refusal(422, _invalid("int_parsing", "query", name))
    return int(text)


def _start(twin: Twin, page: int, size: int, total: int) -> int:
    start = (page - 1) * size
    if twin.toggle("paging") == "shifting":
        return max(start - (page - 1), 0)
    if twin.toggle("paging") == "endless":
        return min(start, max(total - size, 0))
    return start
