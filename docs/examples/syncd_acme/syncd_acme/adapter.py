"""Acme CRM: the server chooses the id, our key is the contact's `number`, and every write carries the `version` that
was read, so that a second write over the same reading is refused (409) instead of overwriting somebody's edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from syncd.core.model import Cursor, Page, Remote, Removal, Value, Values
from syncd.core.normalise import text
from syncd.errors import NotFound, ProviderError, Rejected, Stale, Taken, Unauthorized
from syncd.providers.adapter import Capabilities, Identity, Provider, Settings
from syncd.providers.http import Answer, Gate, Http
from syncd.providers.strict import is_shown, sendable

WIRE: Mapping[str, str] = {"name": "name", "email": "mail", "phone": "phone", "city": "town"}
CAPABILITIES = Capabilities(
    id_name="id",
    identity=Identity.FINDABLE,
    fields=frozenset(WIRE),
    lists=True,
    lists_whole=True,
    replaces=True,
    conditional=True,
    delete=True,
    rate=5.0,
)
PAGE_SIZE = 100
_CONTACTS, _CONTACT = "/contacts", "/contacts/{id}"


class Options(BaseModel):
    """The keys of `[providers.…]` that only this adapter knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: SecretStr


class Acme:
    """One account's contacts; see `ProviderAdapter` for what each function promises."""

    capabilities = CAPABILITIES

    def __init__(self, http: Http, *, page_size: int = PAGE_SIZE) -> None:
        self.http = http
        self.page_size = page_size

    def project(self, values: Values) -> Values:
        return sendable({field: values[field] for field in WIRE if field in values})

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        return frozenset()

    def key_fits(self, key: str) -> bool:
        return 0 < len(key) <= 40 and key.isprintable()

    def fetch(self, external_id: str) -> Remote | None:
        answer = self.http.request("GET", _CONTACT, ids={"id": external_id})
        return None if is_absent(answer) else remote(accepted(answer), external_id)

    def find(self, key: str, values: Values) -> Sequence[Remote]:
        if not self.key_fits(key):
            return ()
        answer = accepted(self.http.request("GET", _CONTACTS, params={"number": key, "size": "100"}))
        return [found for found in listed(answer) if same_key(found, key)]

    def create(self, key: str, values: Values) -> Remote:
        if not self.key_fits(key):
            raise Rejected("number", "Acme takes numbers of 1 to 40 printable characters")
        answer = self.http.request("POST", _CONTACTS, body={**to_wire(values), "number": key})
        made = shown(accepted(answer), answer.data)
        if made.key != key:
            raise answer.unreadable("the answer is about another contact")
        return made

    def update(self, current: Remote, values: Values) -> Remote:
        body = whole_record(current, values)
        answer = self.http.request("PUT", _CONTACT, ids={"id": current.external_id}, body=body)
        return remote(accepted(answer), current.external_id)

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        page = int(cursor.position) if cursor is not None else 1
        while True:
            params = {"page": str(page), "size": str(self.page_size)}
            remotes = listed(accepted(self.http.request("GET", _CONTACTS, params=params)))
            page += 1
            last = len(remotes) < self.page_size
            yield Page(tuple(remotes), None if last else Cursor(str(page)))
            if last:
                return

    def remove(self, current: Remote, how: Removal) -> None:
        if how is not Removal.DELETE:
            raise Rejected("", "Acme can delete a contact, not archive it")
        params = {"version": str(current.raw["version"])}
        answer = self.http.request("DELETE", _CONTACT, ids={"id": current.external_id}, params=params)
        if not is_absent(answer):
            accepted(answer)

    def probe(self) -> str:
        listed(accepted(self.http.request("GET", _CONTACTS, params={"size": "1"})))
        return "Acme answers"

    def close(self) -> None:
        self.http.close()


# -- the wire, both ways


def to_wire(values: Values) -> dict[str, Value]:
    """Exactly these fields under Acme's names."""
    return {WIRE[field]: value for field, value in values.items()}


def whole_record(current: Remote, values: Values) -> dict[str, Any]:
    """The body of a PUT, which replaces: the record as it was read, version included, with `values` over it. What it
    does not show as text is filled with what was agreed."""
    agreed = {
        field: value
        for field, value in current.values.items()
        if field in WIRE and not is_shown(current.raw, WIRE[field])
    }
    return {**current.raw, **to_wire(agreed), **to_wire(values)}


def shown(answer: Answer, record: Any) -> Remote:
    """A record in an answer; anything that is none makes the answer unreadable."""
    data = record if isinstance(record, dict) else {}
    external_id, number, version = data.get("id"), data.get("number"), data.get("version")
    if not isinstance(external_id, str) or not isinstance(number, str) or not isinstance(version, int):
        raise answer.unreadable("no contact")
    values = {field: text(data[name]) for field, name in WIRE.items() if is_shown(data, name)}
    return Remote(external_id, number, values, {"id": external_id}, raw=data, version=str(version))


def remote(answer: Answer, external_id: str) -> Remote:
    """The record with this id; any other one is refused."""
    found = shown(answer, answer.data)
    if found.external_id != external_id:
        raise answer.unreadable("the answer is about another contact")
    return found


def listed(answer: Answer) -> list[Remote]:
    """The records of a page."""
    items = answer.record().get("items")
    if not isinstance(items, list):
        raise answer.unreadable("no items")
    return [shown(answer, item) for item in items]


def same_key(found: Remote, key: str) -> bool:
    """Whether a hit of Acme's search carries exactly our key: it searches by prefix in some versions."""
    return found.key == key


# -- what an answer means


def code(answer: Answer) -> str:
    """Acme's own word for an error, '' where a proxy or a wrong path answered."""
    said = answer.data.get("code") if isinstance(answer.data, dict) else None
    return said if isinstance(said, str) else ""


def is_absent(answer: Answer) -> bool:
    """Only Acme's own word proves that a contact does not exist: a wrong `url` answers 404 as well."""
    return answer.status == 404 and code(answer) == "no_such_contact"


def accepted(answer: Answer) -> Answer:
    """The answer, if it is a 2xx; else the error that says what follows. Acme's sentences may quote: they stay out."""
    if answer.ok:
        return answer
    raise refused(answer)


def refused(answer: Answer) -> ProviderError:
    """A refusal as an error of ours."""
    said = f"{answer.what}: answered {answer.status}"
    if is_absent(answer):
        return NotFound(said, status=answer.status)
    if answer.status in {404, 405}:
        return Unauthorized(f"{said}; check url", status=answer.status)
    if answer.status == 409 and code(answer) == "version":
        return Stale(said, status=409)
    if answer.status == 409 and code(answer) == "number_taken":
        return Taken("number", "Acme already has a contact with this number", status=409)
    return Rejected("", said, status=answer.status)


def build(settings: Settings, gate: Gate) -> Acme:
    """An adapter for one configured instance."""
    credentials = {"Authorization": f"Bearer {settings.options.token.get_secret_value()}"}
    http = Http(url=settings.url, timeout=settings.timeout, gate=gate, credentials=credentials, way=settings.way)
    return Acme(http)


PROVIDER = Provider("acme", Options, build, CAPABILITIES, secrets=frozenset({"token"}), api=1)
