"""Billbee: order processing for shops. Our customers are its customers, each with an invoice address.

The server chooses the id; our key is `Number`, an int32 that is not unique there. There is no key for a repeated POST,
no way to look a number up but the whole list (the search is a Lucene index that lags, so its silence proves nothing,
and it is not used here), no timestamp, no version and no deletion. An archived record shows anonymised values and
refuses every write.

What it costs in calls, of which 100 000 a month are free: a fetch 2; an update 2 for each half that changes (one
changed e-mail is one PUT and one reading); a scan or a `find` one for each 250 customers, a scan one more for each 250
addresses. The account's list of addresses is read once in front of a scan because asking customer by customer would
cost 250 times as much; it is held in memory, invoice addresses only, packed.

Facts: the OpenAPI files of Billbee and its official C# and PHP clients. Either host, api.billbee.io or app.billbee.io,
may stand in `url`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictInt, field_validator

from syncd.core.model import Cursor, Page, Remote, Removal, Values
from syncd.core.normalise import degraded, equal
from syncd.errors import LeaseLost, OutcomeUnknown, Rejected, SyncdError, Taken
from syncd.providers import billbee_api as api
from syncd.providers import billbee_lists as lists
from syncd.providers import billbee_reading as reading
from syncd.providers import billbee_wire as wire
from syncd.providers.adapter import Capabilities, Identity, Provider, Settings
from syncd.providers.billbee_api import Row
from syncd.providers.http import Answer, Gate, Http
from syncd.providers.several import after_a_write

_ID = re.compile(r"[1-9][0-9]{0,18}")
_POSITION = re.compile(r"([1-9][0-9]*):([0-9]+)")


class Options(BaseModel):
    """The keys of `[providers.…]` that only this adapter knows.

    `password` is the API password of the account (Settings, API), not the one for the log-in; `user` its main user.
    `languages` maps language tags, `price_groups` the source's words, to Billbee's numbers, which are published
    nowhere: what is not in them is neither sent nor read. `extra` takes own fields to the members of
    `CAPABILITIES.extra`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    api_key: SecretStr = Field(min_length=1)
    user: str = Field(pattern=r"^[^:\x00-\x1f]+$")
    password: SecretStr = Field(min_length=1)
    languages: dict[str, Annotated[StrictInt, Field(ge=1, le=wire.INT32)]] = {}
    price_groups: dict[str, Annotated[StrictInt, Field(ge=1, le=wire.INT64)]] = {}
    extra: dict[str, str] = {}

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("an API key is printable ASCII without blanks")
        return value


CAPABILITIES = Capabilities(
    id_name="Id",
    identity=Identity.SCAN,
    fields=wire.FIELDS,
    composed=frozenset({"name"}),
    writeonly=wire.WRITE_ONLY,
    lists=True,
    lists_whole=True,
    replaces=True,
    renumbers=True,
    rate=2.0,
    per_endpoint=True,
    rate_in_sum=10.0,
    concurrency=2,
    monthly=100_000,
    id_length=19,
    id_digits=True,
    extra=wire.EXTRA,
)


class Billbee:
    """One account's customers; see `ProviderAdapter` for what each function promises."""

    def __init__(self, http: Http, words: wire.Words, *, page_size: int = lists.PAGE_SIZE) -> None:
        self._http = http
        self._lists = lists.Lists(http, page_size)
        self._words = words

    @property
    def capabilities(self) -> Capabilities:
        """`price_group` only where the settings map it, own fields as they say."""
        return CAPABILITIES._replace(fields=self._words.fields)

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        return wire.composed(known)

    def project(self, values: Values) -> Values:
        return wire.project(values, self._words)

    def key_fits(self, key: str) -> bool:
        return wire.key_fits(key)

    def fetch(self, external_id: str) -> Remote | None:
        if not _ID.fullmatch(external_id):
            raise Rejected("", "this is no id of Billbee; check the link")
        return self._read(external_id)

    def find(self, key: str, values: Values) -> Sequence[Remote]:  # noqa: ARG002 - the contract's signature
        if not wire.key_fits(key):
            return []
        rows = lists.carrying(self._lists, int(key))
        return [reading.remote_of(row, _addresses_of(self._lists, str(row["Id"])), self._words) for row in rows]

    def create(self, key: str, values: Values) -> Remote:
        body = wire.new_customer(key, values, self._words)
        answer = self._http.request("POST", api.CUSTOMERS, body=body)
        told = api.record(answer)
        try:
            stored = self._read(str(told["Id"]))
        except LeaseLost:
            raise
        except SyncdError as error:
            if wire.key_fits(key):
                raise OutcomeUnknown("created, but reading it back failed") from error
            # No look-up would ever find this one again, so its id must not be lost with a failed reading.
            found = reading.Found({**reading.NO_ADDRESS, **body["Address"]} if "Address" in body else None)
            sent = {**dict.fromkeys(wire.CUSTOMER.values()), **body, **told}
            stored = reading.remote_of(sent, found, self._words, provisional=True)
        if stored is None or not _is_ours(stored, key, values):
            raise answer.unreadable("the answer is about another customer")
        return stored

    def update(self, current: Remote, values: Values) -> Remote:
        if current.archived:
            raise Rejected("", "the customer is archived at Billbee, which refuses changes; restore it there")
        change = wire.change(current, values, self._words)
        number = (change.customer or {}).get("Number")
        if number is not None and str(number) != current.key:
            self._refuse_taken(number, current.external_id)
        if change == wire.Change(None, None, None):
            return current
        customer, found = current.raw["customer"], current.raw["found"]
        if change.customer is not None:
            _put(self._http, current.external_id, change.customer)
        with after_a_write("the customer was changed, its address perhaps not", written=change.customer is not None):
            address_id = _write_address(self._http, current, change)
        with after_a_write("changed, but reading it back failed"):
            if change.customer is not None:
                customer = api.record(_get(self._http, current.external_id), current.external_id)
            if address_id:
                found = reading.Found(_address(self._http, address_id))
        return reading.remote_of(customer, found, self._words)

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        addresses = lists.invoice_addresses(self._lists)
        match = _POSITION.fullmatch(cursor.position) if cursor is not None else None
        start, total = (int(match[1]), int(match[2])) if match else (1, 0)
        for part in lists.customers(self._lists, start, total):
            remotes = tuple(
                reading.remote_of(row, reading.invoice_address(addresses.of(row["Id"])), self._words)
                for row in part.rows
            )
            following = None if part.last else Cursor(f"{part.page + 1}:{part.total}")
            yield Page(remotes, following, total=part.total)

    def remove(self, current: Remote, how: Removal) -> None:  # noqa: ARG002 - the contract's signature
        raise Rejected("", f"Billbee has no way to {how} a customer; use on_delete = keep")

    def probe(self) -> str:
        return f"GET {api.CUSTOMERS} lists {lists.count(self._http)} customers"

    def close(self) -> None:
        self._http.close()

    def _read(self, external_id: str) -> Remote | None:
        customer = _customer(self._http, external_id)
        if customer is None:
            return None
        return reading.remote_of(customer, _addresses_of(self._lists, external_id), self._words)

    def _refuse_taken(self, number: int, external_id: str) -> None:
        """Billbee takes a number twice; a second customer with our key could never be told from the first."""
        holders = [row for row in lists.carrying(self._lists, number) if str(row["Id"]) != external_id]
        if holders:
            reason = "another customer at Billbee already has this number"
            raise Taken("number", reason, external_id=str(holders[0]["Id"]))


def _get(http: Http, external_id: str) -> Answer:
    return http.request("GET", api.CUSTOMER, ids={"id": external_id})


def _customer(http: Http, external_id: str) -> Row | None:
    """The customer with this id. None needs proof: a 404 on the id while the list, under the same path and with the
    same credentials, answers."""
    answer = _get(http, external_id)
    if not api.says_missing(answer):
        return api.record(answer, external_id)
    lists.count(http)
    return None


def _address(http: Http, address_id: str) -> Row:
    return api.record(http.request("GET", api.ADDRESS, ids={"id": address_id}), address_id)


def _addresses_of(paged: lists.Lists, external_id: str) -> reading.Found:
    parts = lists.pages(paged, api.ADDRESSES_OF, external_id=external_id)
    return reading.invoice_address([row for part in parts for row in part.rows])


def _put(http: Http, external_id: str, body: Row) -> None:
    answer = http.request("PUT", api.CUSTOMER, ids={"id": external_id}, body=body)
    if api.says_missing(answer):
        raise api.gone(answer)
    api.accepted(answer, body)


def _write_address(http: Http, current: Remote, change: wire.Change) -> str:
    """PATCH, because a PUT empties what it does not name; the id of the address, '' when there was nothing to do."""
    if change.address is not None:
        answer = http.request("POST", api.ADDRESSES_OF, ids={"id": current.external_id}, body=change.address)
        return str(api.record(answer)["Id"])
    if change.members is None:
        return ""
    address = current.raw["found"].address
    address_id = str(address["Id"])
    answer = http.request("PATCH", api.ADDRESS, ids={"id": address_id}, body=change.members)
    api.accepted(answer, {"Id": address["Id"]})
    return address_id


def _is_ours(stored: Remote, key: str, values: Values) -> bool:
    """Whether a record is the one we just created: by our key, else by name and e-mail as sent. The latter also where
    our key was not kept, since another create would only make a second customer."""
    if wire.key_fits(key) and stored.key == key:
        return True
    sent = {name: values[name] for name in ("name", "email") if values.get(name) is not None}
    there = stored.values
    return bool(sent) and all(
        equal(name, value, there.get(name)) or degraded(value, there.get(name)) for name, value in sent.items()
    )


def build(settings: Settings, gate: Gate) -> Billbee:
    """An adapter for one configured instance; a `url` with the API's own path is taken too."""
    options: Options = settings.options
    login = f"{options.user}:{options.password.get_secret_value()}".encode()
    http = Http(
        url=settings.url.rstrip("/").removesuffix("/api/v1"),
        timeout=settings.timeout,
        gate=gate,
        credentials={
            "X-Billbee-Api-Key": options.api_key.get_secret_value(),
            "Authorization": f"Basic {b64encode(login).decode('ascii')}",
        },
        way=settings.way,
    )
    return Billbee(http, wire.Words(options.languages, options.price_groups, options.extra))


PROVIDER = Provider(
    name="billbee",
    options=Options,
    build=build,
    capabilities=CAPABILITIES,
    secrets=frozenset({"api_key", "password"}),
)
