"""JTL-Wawi's answers: pages of a list, refusals, and the proof that a customer does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.errors import ProviderError, Rejected, Stale, Temporary, Unauthorized
from syncd.providers.http import Answer
from syncd.providers.jtl_wire import TABLE, Malformed, integer, member, members

SETTINGS: Mapping[str, str] = {
    "customergroupid": "customer_group_id",
    "internalcompanyid": "internal_company_id",
    "customercategoryid": "customer_category_id",
}
_CODE = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a paged list. `more` never comes from NextPageNumber: on the last page that repeats the last page."""

    items: tuple[Mapping[str, Any], ...]
    number: int
    size: int
    total: int
    more: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The body of a 4xx without its values: the documented code, and the members that it complains about."""

    code: str
    members: tuple[str, ...]

    @property
    def not_found(self) -> bool:
        """Whether this is the API's own not-found answer, and not a proxy's or a wrong path's."""
        return self.code.replace("_", "").lower() == "notfound"


def proves_absence(answer: Answer) -> bool:
    """Only JTL-Wawi's own NOT_FOUND. A wrong mandant, a wrong path and a gateway say 404, too."""
    return answer.status == 404 and refusal(answer.data).not_found


def may_prove_absence(answer: Answer) -> bool:
    """A 404 in the shape of an ErrorResponse, whatever it says: absence, if the list answers beside it."""
    shape = ("ErrorCode", "ErrorMessage", "ValidationErrors")
    return answer.status == 404 and isinstance(answer.data, Mapping) and bool(members(answer.data, shape))


def accepted(answer: Answer) -> Answer:
    """The answer where it is a 2xx; raises the error of any other."""
    if not answer.ok:
        raise refused(answer)
    return answer


def listing(answer: Answer) -> Listing:
    """The page in an answer."""
    try:
        return _envelope(answer.data)
    except Malformed as error:
        raise answer.unreadable(str(error)) from None


def refused(answer: Answer) -> ProviderError:
    """The error for a 4xx. JTL's own sentences may hold values: only its members, codes and statuses are repeated."""
    said = refusal(answer.data)
    if answer.status == 412:
        return Unauthorized("a required header is missing or wrong: tenant_id, app_id, app_version", status=412)
    if answer.status in {404, 405} and not said.code:
        return Unauthorized(f"no such path (status {answer.status}): check url and path_prefix", status=answer.status)
    if answer.status == 409 and answer.what.startswith(("PATCH", "DELETE")):
        return Stale(f"{answer.what}: answered 409, the customer changed meanwhile", status=409)
    if answer.status == 409 or answer.reading:
        return Temporary(f"{answer.what}: answered {answer.status}", status=answer.status)
    complaints = list(named(said.members))
    field = next((name for name, _ in complaints if name), "")
    about = ", ".join(sorted({place for _, place in complaints})) or "the customer"
    status = f"{answer.status} {said.code}".strip()
    return Rejected(field, f"JTL-Wawi refuses {about} ({status})", status=answer.status)


def complains_about(field: str, answer: Answer) -> bool:
    """Whether a refusal names this canonical field."""
    return field in {name for name, _ in named(refusal(answer.data).members)}


def _envelope(data: object) -> Listing:
    """A page of `GET /customers`; anything else than the documented envelope is `Malformed`, never an empty page.

    Only TotalItems, PageNumber, PageSize and Items are promised. Where HasNextPage and TotalPages are there as well,
    they must agree.
    """
    items = member(data, "Items")
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise Malformed("a list of customers has no Items")
    number, size, total = (integer(data, name) for name in ("PageNumber", "PageSize", "TotalItems"))
    flag, pages = member(data, "HasNextPage"), member(data, "TotalPages")
    told = [flag] if flag is not None else []
    told += [number < integer(data, "TotalPages")] if pages is not None else []
    more = bool(told[0]) if told else number * size < total
    if size < 1 or not all(claim is more for claim in told):
        raise Malformed("a list of customers contradicts itself about its pages")
    return Listing(tuple(items), number, size, total, more)


def refusal(data: object) -> Refusal:
    """An ErrorResponse of either generation, or ASP.NET's with `errors`; a foreign body gives one without a code."""
    code = member(data, "ErrorCode")
    complaints = [member(data, name) for name in ("ValidationErrors", "Errors")]
    names = tuple(sorted({str(name) for part in complaints if isinstance(part, Mapping) for name in part}))
    return Refusal(code if isinstance(code, str) and _CODE.fullmatch(code) else "", names)


def named(members: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Which canonical field ("" for none) and which documented member or setting each complaint is about.

    How nested members are spelled is documented nowhere. Names that are not ours are left out: they are free text.
    """
    fields = {path[-1].lower(): name for name, path in TABLE.items()}
    for complaint in members:
        last = complaint.rpartition(".")[2].lower()
        if last in fields:
            yield fields[last], ".".join(TABLE[fields[last]])
        elif last in SETTINGS:
            yield "", f"the setting {SETTINGS[last]}"
