"""aiotic: purchase-order processing; customers are its master data.

The number we choose is the address of a customer, so a PUT may be repeated freely and nothing has to be searched.
Three traps: a PUT replaces the whole record (what is left out is wiped), its answer repeats what was sent, and a
customer called `list` could be written but never read, because `/customer/list` is the listing. There is no way to
see when a record changed. Facts: https://docs.aiotic.ai/api-reference and the vendor's `aiotic-sdk` 0.1.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from syncd.core.model import Cursor, Page, Remote, Removal, Value, Values
from syncd.core.normalise import text
from syncd.errors import NotFound, Rejected, Taken, Unauthorized
from syncd.providers.adapter import Capabilities, Identity, Provider, Settings
from syncd.providers.http import Answer, Gate, Http
from syncd.providers.strict import is_shown, sendable

WIRE: Mapping[str, str] = {
    "name": "name",
    "contact_person": "contact_person",
    "email": "email",
    "phone": "phone_number",
    "street": "address",
    "postal_code": "postal_code",
    "city": "city",
    "vat_number": "vat_number",
    "register_number": "coc_number",
    "website": "home_page",
}
"""Canonical field to aiotic's: all ten that a PUT may carry. `similarity`, `id` and the like are never sent."""

CAPABILITIES = Capabilities(
    id_name="number",
    identity=Identity.OUR_KEY,
    fields=frozenset(WIRE),
    composed=frozenset({"name", "contact_person", "street"}),
    lists=True,
    lists_whole=True,
    replaces=True,
    echoes=True,
    looks_first=True,
    delete=True,
    rate=10.0,
    concurrency=4,
)

PAGE_SIZE = 500
_CUSTOMER = "/customer/{number}"
_LIST = "/customer/list"
_NAMES = frozenset({"first_name", "last_name"})
_NO_SEGMENT = re.compile(r"[\x00-\x1f\x7f/\\]")
_ERROR_TYPE = re.compile(r"[a-z_]{1,40}\Z")


class Options(BaseModel):
    """Keys of `[providers.aiotic]` that only this adapter knows. The sync key of a tenant is enough."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    api_key: SecretStr


def to_wire(values: Values) -> dict[str, Value]:
    """Exactly the given canonical fields under aiotic's names; an empty one is an explicit null."""
    return {WIRE[field]: value for field, value in values.items()}


def from_wire(record: Mapping[str, Any]) -> Values:
    """The canonical fields that a record shows; a member that is neither text nor null leaves its field unknown."""
    return {field: text(record[name]) for field, name in WIRE.items() if is_shown(record, name)}


def whole_record(current: Remote, values: Values) -> dict[str, Value]:
    """The body of a PUT, which replaces: `values` over the record as aiotic spells it.

    A member that is not shown, or not as text, is filled with the value that was agreed. Raises `Rejected` where a
    member is no text and nothing was agreed: the PUT would wipe it.
    """
    body = to_wire(values)
    for field, name in WIRE.items():
        if field in values:
            continue
        if is_shown(current.raw, name):
            body[name] = current.raw[name]
        elif current.values.get(field) is not None:
            body[name] = current.values[field]
        elif name in current.raw:
            raise Rejected(field, f"aiotic shows a {name} that is no text, and a PUT would wipe it; correct it there")
    return body


def number_fits(number: str) -> bool:
    """Whether a customer with this number can be written and read under `/customer/NUMBER`."""
    if number in {"", ".", "..", "list"} or _NO_SEGMENT.search(number):
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in number)


class Aiotic:
    """One tenant's customers; see `ProviderAdapter` for what each function promises."""

    capabilities = CAPABILITIES

    def __init__(self, http: Http, *, page_size: int = PAGE_SIZE) -> None:
        self._http = http
        self._page_size = page_size

    def project(self, values: Values) -> Values:
        """Plain fields as they are; `name`, `contact_person` and `street` composed where the source has only parts."""
        projected = {field: values[field] for field in WIRE if field in values}
        person = _joined(values, ("first_name", "last_name"), " ")
        if _NAMES & values.keys():
            projected["name"] = values.get("name") or person
            projected.setdefault("contact_person", person)
        if "street" in values:
            projected["street"] = _joined(values, ("street", "street2"), ", ")
        return sendable(projected)

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        fields = {"name", "contact_person"} - known if known & _NAMES else set()
        return frozenset(fields | ({"street"} if known >= {"street", "street2"} else set()))

    def key_fits(self, key: str) -> bool:
        return number_fits(key)

    def fetch(self, external_id: str) -> Remote | None:
        answer = self._get(external_id)
        return None if answer is None else _remote(answer, external_id)

    def find(self, key: str, values: Values) -> Sequence[Remote]:  # noqa: ARG002 - our key is the address
        found = self.fetch(key)
        return () if found is None else (found,)

    def create(self, key: str, values: Values) -> Remote:
        """Looks first: a PUT would overwrite a customer of the same number that is not ours."""
        if self._get(key) is not None:
            raise Taken("number", "aiotic already has a customer with this number", external_id=key)
        return self._put(key, to_wire(dict.fromkeys(WIRE) | dict(values)))

    def update(self, current: Remote, values: Values) -> Remote:
        """All ten fields, because a PUT replaces: `values` over the record as aiotic spells it."""
        if current.archived:
            raise Rejected("", "archived at aiotic; a PUT might bring it back")
        return self._put(current.external_id, whole_record(current, values))

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        """Pages by number. The order is not documented, and a change between two pages shifts the rest: what was
        seen in this scan is left out, and neither `total` nor a short page alone ends it."""
        page = int(cursor.position) if cursor and cursor.position else 1
        seen: set[str] = set()
        while True:
            answer = self._list(page, self._page_size)
            remotes = [_listed(answer, item) for item in _items(answer)]
            fresh = {remote.external_id: remote for remote in remotes if remote.external_id not in seen}
            seen |= fresh.keys()
            last = not remotes or _is_last(answer, page, shown=len(seen), new=len(fresh))
            page += 1
            yield Page(tuple(fresh.values()), None if last else Cursor(str(page)), _whole(answer, "total"))
            if last:
                return

    def remove(self, current: Remote, how: Removal) -> None:
        if how is not Removal.DELETE:
            raise Rejected("", "aiotic can delete a customer, not archive it")
        answer = self._http.request("DELETE", _CUSTOMER, ids={"number": _fitting(current.external_id)})
        if not answer.ok and not self._is_absent(answer):
            raise _refused(answer)

    def probe(self) -> str:
        total = _whole(self._list(1, 1), "total")
        return "aiotic answers" if total is None else f"aiotic answers and has {total} customers"

    def close(self) -> None:
        self._http.close()

    def _get(self, number: str, *, reading: bool = True) -> Answer | None:
        """The answer that holds the record; None where aiotic says that there is none."""
        answer = self._http.request("GET", _CUSTOMER, ids={"number": _fitting(number)}, reading=reading)
        if answer.ok:
            return answer
        if self._is_absent(answer):
            return None
        raise _refused(answer)

    def _put(self, number: str, body: Mapping[str, Value]) -> Remote:
        answer = self._http.request("PUT", _CUSTOMER, ids={"number": _fitting(number)}, body=body)
        if not answer.ok:
            raise _refused(answer)
        if answer.data is not None:
            return _remote(answer, number)
        stored = self._get(number, reading=False)
        if stored is None:
            raise answer.unreadable("the record is not there after the write")
        return _remote(stored, number)

    def _is_absent(self, answer: Answer) -> bool:
        """Whether a 404 is about the customer. Where it may as well be about the path, the listing must answer: with a
        wrong `url` every customer would look deleted."""
        if answer.status not in {404, 410}:
            return False
        detail = answer.data.get("detail") if isinstance(answer.data, dict) else None
        if not isinstance(detail, str) or detail == "Not Found":
            self._list(1, 1)
        return True

    def _list(self, page: int, size: int) -> Answer:
        answer = self._http.request("GET", _LIST, params={"page": str(page), "size": str(size)})
        if answer.status in {404, 405, 410}:
            raise Unauthorized(f"{answer.what}: there is no aiotic at this url", status=answer.status)
        if not answer.ok:
            raise _refused(answer)
        _items(answer)
        return answer


def _joined(values: Values, fields: Sequence[str], glue: str) -> str | None:
    parts = [value for field in fields if isinstance(value := values.get(field), str) and value]
    return glue.join(parts) or None


def _fitting(number: str) -> str:
    if not number_fits(number):
        raise Rejected("number", "cannot be a customer number at aiotic (empty, `list`, slash or control character)")
    return number


def _remote(answer: Answer, number: str) -> Remote:
    """The record in an answer; any other customer's is refused."""
    remote = _listed(answer, answer.record())
    if remote.external_id != number:
        raise answer.unreadable("the answer is another customer's record")
    return remote


def _listed(answer: Answer, record: Any) -> Remote:
    number = record.get("number") if isinstance(record, dict) else None
    if not isinstance(number, str) or not number:
        raise answer.unreadable("a record without a number")
    uuid = record.get("id")
    return Remote(
        external_id=number,
        key=number,
        values=from_wire(record),
        external_ids={"number": number} | ({"id": uuid} if isinstance(uuid, str) else {}),
        archived=record.get("archived_at") is not None or record.get("superseded_by") is not None,
        provisional=not answer.reading,
        raw=record,
    )


def _items(answer: Answer) -> list[Any]:
    items = answer.record().get("items")
    if not isinstance(items, list):
        raise answer.unreadable("a listing without items")
    return items


def _whole(answer: Answer, name: str) -> int | None:
    value = answer.record().get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_last(answer: Answer, page: int, *, shown: int, new: int) -> bool:
    """Whether a page with items is the last: not full and all shown, or without news where all should have been."""
    size, total = _whole(answer, "limit") or 0, _whole(answer, "total") or 0
    if len(_items(answer)) < size and shown >= total:
        return True
    return not new and page * size >= total


def _refused(answer: Answer) -> Rejected | NotFound:
    """The error for a 4xx about this customer alone, without aiotic's own text, which may quote the input."""
    if answer.status in {404, 410}:
        return NotFound(f"{answer.what}: answered {answer.status}", status=answer.status)
    detail = answer.data.get("detail") if isinstance(answer.data, dict) else None
    first = detail[0] if isinstance(detail, list) and detail and isinstance(detail[0], dict) else {}
    place = first.get("loc")
    name = place[-1] if isinstance(place, list) and place else ""
    field = next((field for field, wire in WIRE.items() if wire == name), "")
    kind = first.get("type")
    reason = kind if isinstance(kind, str) and _ERROR_TYPE.match(kind) else "not accepted"
    return Rejected(field, f"aiotic answered {answer.status} ({reason})", status=answer.status)


def build(settings: Settings, gate: Gate) -> Aiotic:
    """An adapter for one configured instance."""
    options: Options = settings.options
    credentials = {"X-API-Key": options.api_key.get_secret_value()}
    return Aiotic(
        Http(url=settings.url, timeout=settings.timeout, gate=gate, credentials=credentials, way=settings.way)
    )


PROVIDER = Provider("aiotic", Options, build, CAPABILITIES, secrets=frozenset({"api_key"}))
