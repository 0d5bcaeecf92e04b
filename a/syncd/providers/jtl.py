"""JTL-Wawi, the ERP of many German shops, through its REST API v1: in JTL's cloud or on the merchant's own machine.

A customer has an `Id` of JTL's and a `Number` of ours. Nothing enforces that a number is unique, so it is looked up and
compared exactly. PATCH is partial, also inside the billing address, and a null counts as not sent. Automatic workflows
(e-mails to customers!) are switched off on every write that knows the switch.
Facts: developer.jtl-software.com (create-customer v1.0, error handling, rate limiting) and the OpenAPI document 1.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from syncd.core.model import Cursor, Page, Remote, Removal, Values
from syncd.errors import NotFound, ProviderError, Rejected, Taken, Temporary
from syncd.providers import jtl_answers as answers
from syncd.providers import jtl_projection as projection
from syncd.providers import jtl_wire as wire
from syncd.providers.adapter import Capabilities, Identity, Provider, Settings
from syncd.providers.http import Answer, Gate, Http
from syncd.providers.jtl_projection import Options
from syncd.providers.oauth import ClientCredentials

PAGE_SIZE = 100
MAX_PAGES = 100_000
MAX_ID = 2**31 - 1
OVERLAP = timedelta(hours=3)
FAR_FUTURE = "2999-01-01T00:00:00+00:00"
QUIET = {"disableAutomaticWorkflows": "true"}
CAPABILITIES = Capabilities(
    id_name="Id",
    identity=Identity.FINDABLE,
    fields=frozenset(wire.TABLE),
    composed=projection.COMPOSED,
    lists=True,
    lists_whole=True,
    changed_since=True,
    renumbers=True,
    archive=True,
    delete=True,
    rate=0.2,
)
_ID = re.compile(r"[1-9][0-9]{0,9}")


class Jtl:
    """One mandant's customers; see `ProviderAdapter` for what each function promises.

    Two things are learned from the server and kept for the life of the object: whether it knows `lastChangeFrom`, and
    whether it replaces an address instead of merging into it.
    """

    def __init__(self, http: Http, options: Options, *, page_size: int = PAGE_SIZE) -> None:
        self._http = http
        self._page_size = str(page_size)
        self._options = options
        self._path = f"{options.path_prefix}/customers"
        self._filters: bool | None = None
        self._replaces_address = False

    @property
    def capabilities(self) -> Capabilities:
        """`active` only where the settings make IsLocked its word. On premise no limit is published."""
        fields = CAPABILITIES.fields - (set() if self._options.is_locked == "inactive" else {"active"})
        return replace(CAPABILITIES, fields=fields, rate=CAPABILITIES.rate if self._options.mode == "cloud" else 2.0)

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        return projection.composed(known)

    def project(self, values: Values) -> Values:
        return projection.project(values, self._options)

    def key_fits(self, key: str) -> bool:
        """A number that JTL-Wawi cuts off would never be found again; its real length is published nowhere."""
        return 0 < len(key) <= self._options.number_length and key.isprintable() and key == key.strip()

    def fetch(self, external_id: str) -> Remote | None:
        if not (_ID.fullmatch(external_id) and int(external_id) <= MAX_ID):
            raise Rejected("", "this is no customer id of the JTL-Wawi REST API v1")
        answer = self._http.request("GET", f"{self._path}/{{id}}", ids={"id": external_id})
        if answers.proves_absence(answer):
            return None
        if answer.status == 404:
            raise Temporary(f"{answer.what}: answered 404, but not as JTL-Wawi does", status=404)
        remote = self._remote(answers.accepted(answer), answer.data)
        if remote.external_id != external_id:
            raise answer.unreadable("another customer answered")
        return remote

    def find(self, key: str, values: Values) -> Sequence[Remote]:  # noqa: ARG002 - the contract's signature
        """JTL's filter may mean "contains", and numbers are not unique: all pages are read and compared here."""
        found: dict[str, Remote] = {}
        for answer, page, _ in self._pages({"number": key}):
            for item in page.items:
                if wire.member(item, "Number") == key:
                    remote = self._remote(answer, item)
                    found[remote.external_id] = remote
        return tuple(found.values())

    def create(self, key: str, values: Values) -> Remote:
        if not self.key_fits(key):
            raise Rejected("number", "a number is printable text, not longer than number_length in the settings")
        body = projection.new_record(key, values, self._options)
        answer = self._http.request("POST", self._path, params=QUIET, body=body)
        if not answer.ok:
            raise self._taken(answer, key) or answers.refused(answer)
        remote = self._stored(answer, "", key)
        if remote.key != key:
            raise answer.unreadable("the answer carries another number")
        return remote

    def update(self, current: Remote, values: Values) -> Remote:
        body = wire.to_wire(wire.with_company(values, current.values), self._options.languages)
        if not body:
            return wire.from_wire(current.raw, self._options.languages, is_locked=self._options.is_locked)
        if self._replaces_address and wire.ADDRESS in body:
            body[wire.ADDRESS] = wire.whole_address(current.raw, body[wire.ADDRESS])
        remote = self._patch(current, body)
        address = body.get(wire.ADDRESS, {})
        if wire.wiped(current.raw, address, remote.raw):
            self._replaces_address = True
            remote = self._patch(current, {wire.ADDRESS: wire.whole_address(current.raw, address)})
        return remote

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        """All customers, or those changed since `cursor.since` where the server has that filter.

        `Page.since` comes from the server's own clock at the beginning, less an overlap: JTL does not say in which
        zone it keeps LastChange, and a customer seen twice costs nothing. It is empty where the server has no such
        filter, so that every scan there is a complete one. Pages are counted, not keyed: when customers
        were deleted meanwhile the scan steps back, so that none slips through.
        """
        cursor = cursor or Cursor()
        start, total, since = _position(cursor) or (1, 0, self._since() if self._knows_changed() else "")
        changed = {"lastChangeFrom": cursor.since} if cursor.since and self._knows_changed() else {}
        for answer, page, following in self._pages(changed, start, total):
            remotes = tuple(self._remote(answer, item) for item in page.items)
            after = Cursor(f"{following}|{page.total}|{since}", cursor.since) if following else None
            yield Page(remotes, after, page.total, since)

    def remove(self, current: Remote, how: Removal) -> None:
        """Archive locks the customer for the online shops: JTL-Wawi knows no other way to put one aside."""
        if how is Removal.KEEP:
            raise Rejected("", "keeping a customer needs no request")
        if how is Removal.ARCHIVE:
            self._lock(current)
            return
        answer = self._http.request("DELETE", f"{self._path}/{{id}}", ids={"id": current.external_id})
        if not (answer.ok or answers.proves_absence(answer)):
            raise answers.refused(answer)

    def probe(self) -> str:
        params = {"pageNumber": "1", "pageSize": "1"}
        page = answers.listing(answers.accepted(self._http.request("GET", self._path, params=params)))
        return f"GET {self._path} shows {page.total} customers"

    def close(self) -> None:
        self._http.close()

    # -- writing

    def _patch(self, current: Remote, body: Mapping[str, Any]) -> Remote:
        """PATCH and what is stored then. The page says 201; the guide says 200, contacts answer 204."""
        ids = {"id": current.external_id}
        answer = self._http.request("PATCH", f"{self._path}/{{id}}", ids=ids, params=QUIET, body=body)
        if answers.proves_absence(answer):
            raise NotFound("JTL-Wawi knows no customer with this id", status=404)
        number = body.get("Number")
        if not answer.ok:
            raise (self._taken(answer, number, current.external_id) if number else None) or answers.refused(answer)
        remote = self._stored(answer, current.external_id, "")
        if remote.external_id != current.external_id or (number and remote.key not in {number, current.key}):
            raise answer.unreadable("another customer answered")
        return remote

    def _lock(self, current: Remote) -> None:
        try:
            remote = self._patch(current, {wire.LOCKED: True})
        except NotFound:
            return
        if not wire.locked(remote.raw):
            raise Rejected("", "JTL-Wawi accepted IsLocked and shows a customer that is not locked")

    def _stored(self, answer: Answer, external_id: str, key: str) -> Remote:
        """The customer that a write answered with, read at once where the answer is empty or holds only an Id.

        A failure of that reading leaves the write unknown: it has happened.
        """
        if wire.is_whole(answer.data):
            return self._remote(answer, answer.data)
        told = wire.member(answer.data, "Id")
        if answer.data is not None and not isinstance(told, int):
            raise answer.unreadable("the answer is no customer")
        external_id = external_id or str(told or "")
        try:
            found = [self.fetch(external_id)] if external_id else list(self.find(key, {}))
        except ProviderError:
            raise answer.unreadable("accepted, and then it could not be read") from None
        if len(found) != 1 or found[0] is None:
            raise answer.unreadable(f"accepted, and then there were {len(found)} customers")
        return found[0]

    def _taken(self, answer: Answer, key: str, own: str = "") -> Taken | None:
        """`Taken` where a refusal is about the number and somebody else has it. JTL documents no such answer."""
        if answer.status != 409 and not answers.complains_about("number", answer):
            return None
        others = [remote.external_id for remote in self.find(key, {}) if remote.external_id != own]
        if not others:
            return None
        only = others[0] if len(others) == 1 else None
        return Taken("number", "another customer of JTL-Wawi has it", external_id=only, status=answer.status)

    # -- reading

    def _remote(self, answer: Answer, record: object) -> Remote:
        try:
            return wire.from_wire(record, self._options.languages, is_locked=self._options.is_locked)
        except wire.Malformed as error:
            raise answer.unreadable(str(error)) from None

    def _pages(
        self, filters: Mapping[str, str], number: int = 1, total: int = 0
    ) -> Iterator[tuple[Answer, answers.Listing, int]]:
        """A paged list to its end, each page with the number of the next, 0 after the last.

        `total` is what the page before `number` said. Whatever does not add up raises: half a list must never pass for
        a whole one. The end is told by the documented flags alone: on its last page JTL names that page as the next.
        Customers added meanwhile move others back and so hide nobody who was there before.
        """
        seen: set[object] = set()
        least = None if number == 1 else 0
        for _ in range(MAX_PAGES):
            params = {**filters, "pageNumber": str(number), "pageSize": self._page_size}
            answer = answers.accepted(self._http.request("GET", self._path, params=params))
            page = answers.listing(answer)
            seen.update(wire.member(item, "Id") for item in page.items)
            if page.number != number or (page.more and not page.items):
                raise answer.unreadable("the pages of the list do not add up")
            missed = max(total - page.total, 0)
            following = max(number - math.ceil(missed / page.size), 1) if missed else (number + 1) * page.more
            least = page.total if least is None else min(least, page.total)
            if not following and len(seen) < least:
                raise answer.unreadable("the list is shorter than it says")
            yield answer, page, following
            if not following:
                return
            number, total = following, page.total
        raise Temporary(f"GET {self._path}: the list does not end")

    def _knows_changed(self) -> bool:
        """Whether the server honours `lastChangeFrom`, asked once with a day on which nothing has changed yet.

        Versions before 1.2 ignore it without a word and show everybody.
        """
        if self._filters is None:
            params = {"lastChangeFrom": FAR_FUTURE, "pageNumber": "1", "pageSize": "1"}
            answer = self._http.request("GET", self._path, params=params)
            self._filters = answer.status != 400 and answers.listing(answers.accepted(answer)).total == 0
        return self._filters

    def _since(self) -> str:
        """The server's clock, less the overlap; "" where it has none to show."""
        answer = self._http.request("GET", f"{self._options.path_prefix}/info")
        stamp = wire.member(answer.data, "Timestamp") if answer.ok else None
        try:
            return (datetime.fromisoformat(stamp) - OVERLAP).isoformat() if isinstance(stamp, str) else ""
        except (ValueError, OverflowError):
            return ""


def _position(cursor: Cursor) -> tuple[int, int, str] | None:
    """Where a scan stopped: the next page, the total so far, and the `since` of its first page."""
    number, _, rest = cursor.position.partition("|")
    total, _, since = rest.partition("|")
    if not (number.isascii() and number.isdigit() and total.isascii() and total.isdigit() and int(number) > 0):
        return None
    return int(number), int(total), since


# -- the registration -------------------------------------------------------------------------------------------------


def build(settings: Settings, gate: Gate) -> Jtl:
    """An adapter for one mandant. Plain http is allowed on premise, where JTL's own server speaks nothing else."""
    options: Options = settings.options
    onprem = options.mode == "onprem"
    http = Http(
        url=settings.url,
        timeout=settings.timeout,
        gate=gate,
        credentials=_key(options) if onprem else _oauth(settings.url, options),
        headers=_headers(options),
        allow_http=onprem,
    )
    return Jtl(http, options)


def _headers(options: Options) -> dict[str, str]:
    """Sent with every request. Without `api-version` the newest one answers, in a format that nobody tested."""
    headers = {
        "X-AppID": options.app_id,
        "X-AppVersion": options.app_version,
        "api-version": options.api_version,
        "X-Tenant-ID": str(options.tenant_id) if options.mode == "cloud" else "",
        "X-RunAs": options.run_as,
    }
    return {name: value for name, value in headers.items() if value}


def _key(options: Options) -> Mapping[str, str]:
    return {"Authorization": f"Wawi {options.api_key.get_secret_value()}"}


def _oauth(url: str, options: Options) -> ClientCredentials:
    return ClientCredentials(
        url=url,
        token_url=options.token_url,
        client_id=options.client_id,
        client_secret=options.client_secret.get_secret_value(),
        scope=options.scope,
    )


PROVIDER = Provider(
    name="jtl",
    options=Options,
    build=build,
    capabilities=CAPABILITIES,
    secrets=frozenset({"client_secret", "api_key"}),
)
