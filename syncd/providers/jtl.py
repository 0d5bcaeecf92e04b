"""JTL-Wawi, the ERP of many German shops, through its REST API v1: in JTL's cloud or on the merchant's own machine.

A customer has an `Id` of JTL's and a `Number` of ours. Nothing enforces that a number is unique, so it is looked up and
compared exactly. PATCH is partial, also inside the billing address, and a null counts as not sent. Automatic workflows
(e-mails to customers!) are switched off on every write that knows the switch.
Facts: developer.jtl-software.com (create-customer v1.0, error handling, rate limiting) and the OpenAPI document 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncd.core.model import Cursor, Page, Remote, Removal, Values
from syncd.errors import NotFound, ProviderError, Rejected, Taken, Temporary, Unauthorized
from syncd.providers import jtl_access as access
from syncd.providers import jtl_answers as answers
from syncd.providers import jtl_lists as lists
from syncd.providers import jtl_projection as projection
from syncd.providers import jtl_wire as wire
from syncd.providers.adapter import Capabilities, Identity, Provider, Settings
from syncd.providers.http import Answer, Gate, Http
from syncd.providers.jtl_projection import Options
from syncd.providers.several import after_a_write

PAGE_SIZE = 100
MAX_ID = 2**31 - 1
FAR_FUTURE = "2999-01-01T00:00:00+00:00"
QUIET = {"disableAutomaticWorkflows": "true"}
CAPABILITIES = Capabilities(
    id_name="Id",
    identity=Identity.FINDABLE,
    fields=frozenset({*wire.TABLE, "price_group"}),
    composed=projection.COMPOSED,
    lists=True,
    lists_whole=True,
    changed_since=True,
    renumbers=True,
    archive=True,
    delete=True,
    rate=0.2,
    id_length=10,
    id_digits=True,
    extra=projection.EXTRA,
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
        self._path = f"{options.prefix}/customers"
        self._quiet = {} if options.workflows else QUIET
        self._filters: bool | None = None
        self._replaces_address = False

    @property
    def capabilities(self) -> Capabilities:
        """`active` only where the settings make IsLocked its word, `price_group` only where they map it; own fields as
        they say. On premise no limit is published."""
        unasked = set() if self._options.is_locked == "inactive" else {"active"}
        unasked |= set() if self._options.price_groups else {"price_group"}
        fields = CAPABILITIES.fields - unasked | set(self._options.extra.values())
        return CAPABILITIES._replace(fields=fields, rate=CAPABILITIES.rate if self._options.mode == "cloud" else 2.0)

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
        if self._is_absent(answer):
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
        answer = self._http.request("POST", self._path, params=self._quiet, body=body)
        if not answer.ok:
            raise self._taken(answer, key) or answers.refused(answer)
        remote = self._stored(answer, "", key)
        if remote.key != key:
            raise answer.unreadable("the answer carries another number")
        return remote

    def update(self, current: Remote, values: Values) -> Remote:
        body = projection.body_of(values, current.values, self._options)
        if not body:
            return projection.remote_of(current.raw, self._options)
        number = str(body.get("Number") or "")
        if number not in {"", current.key} and (taken := self._holder(number, current.external_id)):
            raise taken
        if self._replaces_address and wire.ADDRESS in body:
            body[wire.ADDRESS] = wire.whole_address(current.raw, body[wire.ADDRESS])
        remote = self._patch(current, body)
        address = body.get(wire.ADDRESS, {})
        if wire.wiped(current.raw, address, remote.raw):
            self._replaces_address = True
            with after_a_write("changed, but the address that this emptied could not be put back"):
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
        start, total, since = lists.position(cursor) or (
            1,
            0,
            lists.since(self._http, self._options.prefix) if self._knows_changed() else "",
        )
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
        if not (answer.ok or self._is_absent(answer)):
            raise answers.refused(answer)

    def probe(self) -> str:
        answer = lists.first(self._http, self._path)
        if answer.status in {404, 405}:
            other = "" if self._options.prefix else "/v1"
            if lists.first(self._http, f"{other}/customers").ok:
                reason = f"GET {self._path}: answered {answer.status}, but GET {other}/customers answers"
                raise Unauthorized(f'{reason}: set path_prefix = "{other}"', status=answer.status)
        return f"GET {self._path} shows {answers.listing(answers.accepted(answer)).total} customers"

    def close(self) -> None:
        self._http.close()

    # -- writing

    def _patch(self, current: Remote, body: Mapping[str, Any]) -> Remote:
        """PATCH and what is stored then. The page says 201; the guide says 200, contacts answer 204."""
        ids = {"id": current.external_id}
        answer = self._http.request("PATCH", f"{self._path}/{{id}}", ids=ids, params=self._quiet, body=body)
        if self._is_absent(answer):
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
        """`Taken` where a refusal is about the number and another customer has it. JTL documents no such answer."""
        if answer.status != 409 and not answers.complains_about("number", answer):
            return None
        return self._holder(key, own, answer.status)

    def _holder(self, number: str, own: str, status: int | None = None) -> Taken | None:
        """The refusal of a number that a customer other than `own` has, None where no other has it.

        JTL documents numbers as unique and some versions take one twice, so JTL is asked before a number is changed as
        well.
        """
        others = [remote.external_id for remote in self.find(number, {}) if remote.external_id != own]
        if not others:
            return None
        only = others[0] if len(others) == 1 else None
        return Taken("number", "another customer of JTL-Wawi has it", external_id=only, status=status)

    # -- reading

    def _is_absent(self, answer: Answer) -> bool:
        """Whether a 404 is about the customer. One in JTL's shape with an unknown code may as well be about the path or
        the mandant, and then the list does not answer either."""
        if answers.proves_absence(answer):
            return True
        if not answers.may_prove_absence(answer):
            return False
        answers.listing(answers.accepted(lists.first(self._http, self._path)))
        return True

    def _remote(self, answer: Answer, record: object) -> Remote:
        try:
            return projection.remote_of(record, self._options)
        except wire.Malformed as error:
            raise answer.unreadable(str(error)) from None

    def _pages(
        self, filters: Mapping[str, str], number: int = 1, total: int = 0
    ) -> Iterator[tuple[Answer, answers.Listing, int]]:
        return lists.pages(self._http, self._path, {**filters, "pageSize": self._page_size}, number, total)

    def _knows_changed(self) -> bool:
        """Whether the server honours `lastChangeFrom`, asked once with a day on which nothing has changed yet.

        Versions before 1.2 ignore it without a word and show all customers.
        """
        if self._filters is None:
            params = {"lastChangeFrom": FAR_FUTURE, "pageNumber": "1", "pageSize": "1"}
            answer = self._http.request("GET", self._path, params=params)
            self._filters = answer.status != 400 and answers.listing(answers.accepted(answer)).total == 0
        return self._filters


# -- the registration -------------------------------------------------------------------------------------------------


def build(settings: Settings, gate: Gate) -> Jtl:
    """An adapter for one mandant. Plain http is allowed on premise, where JTL's own server speaks nothing else."""
    options: Options = settings.options
    onprem = options.mode == "onprem"
    http = Http(
        url=settings.url,
        timeout=settings.timeout,
        gate=gate,
        credentials=access.key(options) if onprem else access.oauth(settings.url, options),
        headers=access.headers(options),
        allow_http=onprem,
        way=replace(settings.way, private=onprem or settings.way.private),
    )
    return Jtl(http, options)


PROVIDER = Provider(
    name="jtl",
    options=Options,
    build=build,
    capabilities=CAPABILITIES,
    secrets=frozenset({"client_secret", "api_key"}),
)
