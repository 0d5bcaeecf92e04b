"""Invisible Collector: debt collection. Our customers are its debtors, and it writes to them.

The server chooses the id (`gid`); our key is `externalId`, which is unique there and can be read by. Both live in one
path namespace, so every answer is checked for the id and key that were asked. Reading one customer is versioned
(`/v1/customers/…`, the only answer with `mobile`), everything else is not. There is no listing, no way to delete, no
timestamp and no idempotency key: a register is repeated only after a look-up.
Facts: https://portal.invisiblecollector.com/docs/developers/api/ and the official Ruby, .NET, Java and Go clients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncd.core.model import Cursor, Page, Remote, Removal, Values
from syncd.core.normalise import equal
from syncd.errors import NotFound, ProviderError, Rejected, Taken, Temporary
from syncd.providers import invisible_collector_wire as wire
from syncd.providers.adapter import Capabilities, Identity, Provider, Settings
from syncd.providers.http import Answer, Gate, Http
from syncd.providers.invisible_collector_wire import Options

Record = Mapping[str, Any]

CAPABILITIES = Capabilities(
    id_name="gid",
    identity=Identity.FINDABLE,
    fields=frozenset(wire.WIRE),
    composed=frozenset({"name", "street", "vat_number", "language"}),
    replaces=True,
    rate=5.0,
    id_length=36,
    id_digits=False,
    concurrency=2,
)


class InvisibleCollector:
    """One company's debtors; see `ProviderAdapter` for what each function promises."""

    capabilities = CAPABILITIES

    def __init__(self, http: Http, options: Options) -> None:
        self._http = http
        self._options = options

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        return wire.composed(known, self._options)

    def project(self, values: Values) -> Values:
        return wire.project(values, self._options)

    def key_fits(self, key: str) -> bool:
        return bool(key) and key.isprintable() and key == key.strip()

    def fetch(self, external_id: str) -> Remote | None:
        record = _read(self._http, external_id)
        if record is None:
            return None
        if record["gid"] != external_id:
            raise Rejected("", "Invisible Collector shows another customer under this gid; check the link")
        return wire.remote_of(record)

    def find(self, key: str, values: Values) -> Sequence[Remote]:  # noqa: ARG002 - the contract's signature
        return [wire.remote_of(record) for record in _by_key(self._http, key)]

    def create(self, key: str, values: Values) -> Remote:
        if not self.key_fits(key):
            raise Rejected("number", "an externalId is printable text without blanks around it")
        body = wire.new_record(key, values, self._options)
        answer = self._http.request("POST", "/customers", body=body)
        return _written(self._http, answer, body)

    def update(self, current: Remote, values: Values) -> Remote:
        body = wire.whole_record(current, values, self._options)
        answer = self._http.request("PUT", "/customers/{gid}", ids={"gid": current.external_id}, body=body)
        return _written(self._http, answer, body, gid=current.external_id)

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:  # noqa: ARG002 - the contract's signature
        raise Rejected("", "Invisible Collector has no listing")

    def remove(self, current: Remote, how: Removal) -> None:  # noqa: ARG002 - the contract's signature
        raise Rejected("", f"Invisible Collector has no way to {how}; use on_delete = keep")

    def probe(self) -> str:
        _check_company(self._http)
        return "GET /companies names the company of this token"

    def close(self) -> None:
        self._http.close()


def build(settings: Settings, gate: Gate) -> InvisibleCollector:
    """An adapter for one token, which belongs to exactly one company."""
    options: Options = settings.options
    credentials = {"authorization": f"Bearer {options.token.get_secret_value()}"}
    http = Http(url=settings.url, timeout=settings.timeout, gate=gate, credentials=credentials, way=settings.way)
    return InvisibleCollector(http, options)


PROVIDER = Provider(
    name="invisible_collector",
    options=Options,
    build=build,
    capabilities=CAPABILITIES,
    secrets=frozenset({"token"}),
)


def _read(http: Http, address: str) -> Record | None:
    """The customer at a gid or externalId; None only for the API's own word that there is none."""
    answer = http.request("GET", "/v1/customers/{id}", ids={"id": address})
    if _is_absent(http, answer):
        return None
    if not answer.ok:
        raise Temporary(f"{answer.what}: answered {answer.status}", status=answer.status)
    return _checked(answer, answer.data)


def _by_key(http: Http, key: str) -> list[Record]:
    """Records with our key: by path first, which is documented; by search when the path finds no record, or one whose
    gid happens to be our key."""
    record = _read(http, key) if _addressable(key) else None
    if record is not None and record.get("externalId") == key:
        return [record]
    hits = [hit["gid"] for hit in _search(http, {"externalId": key}) if hit.get("externalId") == key]
    return [_hit(http, gid, key) for gid in hits]


def _hit(http: Http, gid: str, key: str) -> Record:
    """The whole record of a search hit, which shows less than a reading."""
    record = _read(http, gid)
    if record is None or record["gid"] != gid or record.get("externalId") != key:
        raise Temporary("Invisible Collector's search and reading disagree about a customer")
    return record


def _search(http: Http, filters: Mapping[str, str]) -> list[Record]:
    """Customers that match all `filters` exactly; no answer but a list counts."""
    answer = http.request("GET", "/customers/find", params=filters)
    if not answer.ok:
        raise Temporary(f"{answer.what}: answered {answer.status}", status=answer.status)
    if not _is_json(answer) or not isinstance(answer.data, list):
        raise answer.unreadable("the answer is no list")
    return [_checked(answer, record) for record in answer.data]


def _checked(answer: Answer, record: Any) -> Record:
    if not _is_json(answer) or not isinstance(record, dict) or _text(record, "gid") is None:
        raise answer.unreadable("the answer is no customer with a gid")
    return record


def _written(http: Http, answer: Answer, sent: Record, gid: str | None = None) -> Remote:
    """The record as stored after a POST (no `gid`) or a PUT; `Taken`, `Rejected`, `NotFound` where it was refused.

    An answer that does not show everything that was sent (`mobile` and cleared members never appear) is read back.
    """
    if answer.status == 409:
        raise _taken(http, answer, sent, gid)
    if _is_absent(http, answer):
        raise NotFound(f"{answer.what}: answered 404", status=404)
    if not answer.ok:
        raise _refused(answer)
    if answer.data is None:
        return _read_back(http, answer, sent, gid)
    record = _checked(answer, answer.data)
    if (gid and record["gid"] != gid) or ("externalId" in record and not _same_key(record, sent)):
        raise answer.unreadable("the answer is about another customer")
    if answer.status != 202 and all(_text(record, member) for member in sent):
        return wire.remote_of(record)
    return _read_back(http, answer, sent, record["gid"])


def _read_back(http: Http, answer: Answer, sent: Record, gid: str | None) -> Remote:
    try:
        found = [_read(http, gid)] if gid else _by_key(http, sent["externalId"])
    except ProviderError as error:
        raise answer.unreadable("accepted, but reading it back failed") from error
    record = found[0] if len(found) == 1 else None
    if record is None or (gid and record["gid"] != gid) or not _same_key(record, sent):
        raise answer.unreadable("accepted, but reading it back shows another customer or none")
    return wire.remote_of(record, provisional=answer.status == 202)


def _taken(http: Http, answer: Answer, sent: Record, gid: str | None) -> ProviderError:
    """Which record holds the value that was refused: the 409 may name its gid, else our key and VAT number are searched
    for."""
    told = _text(answer.data, "gid") or _text(answer.data, "id")
    others = _holders(http, sent, told, gid)
    holder = others[0] if len(others) == 1 else {}
    what = "externalId or VAT number"
    field = ""
    if holder and sent.get("externalId") and _same_key(holder, sent):
        field, what = "number", "externalId"
    elif holder and equal("vat_number", _text(holder, "vatNumber"), _text(sent, "vatNumber")):
        field, what = "vat_number", "VAT number"
    other = _text(holder, "gid") or (told if told != gid else None)
    reason = f"another customer at Invisible Collector already has this {what}"
    return Taken(field, f"{reason}: {other}" if other else reason, external_id=other, status=409)


def _holders(http: Http, sent: Record, told: str | None, gid: str | None) -> list[Record]:
    """The customers other than `gid` that have our key or VAT number; the one that was `told` where there is one."""
    if told:
        return [record for record in [_read(http, told)] if record is not None and record["gid"] != gid]
    for field, parameter, member in (("number", "externalId", "externalId"), ("vat_number", "vat", "vatNumber")):
        wanted = _text(sent, member)
        hits = _search(http, {parameter: wanted}) if wanted else []
        others = [hit for hit in hits if hit["gid"] != gid and equal(field, _text(hit, member), wanted)]
        if others:
            return others
    return []


def _refused(answer: Answer) -> ProviderError:
    said = f"{answer.what}: answered {answer.status}"
    if answer.status in {404, 405}:
        return Temporary(f"{said}, which is no answer of this API; check the url", status=answer.status)
    if answer.status == 422:
        reason = (
            "Invisible Collector's sanity checks refuse this customer and name no field; look at VAT number and country"
        )
        return Rejected("", reason, status=422)
    return Rejected("", f"Invisible Collector answered {answer.status}", status=answer.status)


def _is_absent(http: Http, answer: Answer) -> bool:
    """Whether a 404 is about the customer. Its sentence is not documented, and a path that the server does not serve
    gets a 404 of the same shape; but then the token's company does not answer either."""
    if not _proves_absence(answer):
        return False
    if "customer" not in (_text(answer.data, "message") or "").lower():
        _check_company(http)
    return True


def _proves_absence(answer: Answer) -> bool:
    """Whether this 404 has the documented shape, a code and a message."""
    data = answer.data
    if answer.status != 404 or not _is_json(answer) or not isinstance(data, dict):
        return False
    return str(data.get("code")) == "404" and _text(data, "message") is not None


def _check_company(http: Http) -> None:
    """Raises `Temporary` where the token's company does not answer under this url."""
    answer = http.request("GET", "/companies")
    if not _is_json(answer) or not _text(answer.data, "gid"):
        raise Temporary(f"GET /companies answered {answer.status} without a company", status=answer.status)


def _is_json(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _same_key(record: Record, sent: Record) -> bool:
    return _text(record, "externalId") == _text(sent, "externalId")


def _text(record: Any, member: str) -> str | None:
    """A member that is a text with something in it."""
    value = record.get(member) if isinstance(record, dict) else None
    return value if isinstance(value, str) and value else None


def _addressable(key: str) -> bool:
    """Whether our key survives as one path segment: many servers refuse or split %2F, and `find` may be the search."""
    return key not in {".", "..", "find"} and not set(key) & set("/\\%;")
