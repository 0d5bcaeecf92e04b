"""The answers of JTL-Wawi's stand-in: the customers of a query, pages, one customer and an error, as the toggles spell
them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from flask import request

from syncd.sandbox import jtl_rules as rules
from syncd.sandbox.index import texts
from syncd.sandbox.kit import Record, Refusal, Twin

_SEARCHED = ("Company", "FirstName", "LastName", "City", "EmailAddress")


def selected(twin: Twin) -> list[Record]:
    """The customers that fit the query. Filters that a version does not know are overlooked without a word."""
    number, word = request.args.get("number"), request.args.get("searchKeyWord", "").lower()
    found, how = _changed(twin), twin.toggle("number_filter") if number else "ignored"
    if how == "exact":
        found = with_number(twin, str(number)) if found is None else [r for r in found if r["Number"] == number]
    found = twin.by(_id).rows if found is None else sorted(found, key=lambda record: int(record["Id"]))
    if how == "contains":
        found = [r for r in found if str(number).lower() in r["Number"].lower()]
    if word:
        found = [r for r in found if word in _text(r).lower()]
    return found if twin.toggle("order") == "oldest" else found[::-1]


def with_number(twin: Twin, number: str) -> list[Record]:
    """The customers with exactly this number."""
    return twin.by(texts("Number")).at(number)


def _changed(twin: Twin) -> list[Record] | None:
    """The customers that were changed in the time that the query names; None where it names none, or the version does
    not know that filter."""
    least, most = (_moment(twin, name) for name in ("lastChangeFrom", "lastChangeTo"))
    return twin.by(_last_change).between(least, most) if least or most else None


def _id(record: Record) -> Iterator[tuple[int, Record]]:
    yield int(record["Id"]), record


def _last_change(record: Record) -> Iterator[tuple[datetime, Record]]:
    yield datetime.fromisoformat(record["LastChange"]), record


def _moment(twin: Twin, name: str) -> datetime | None:
    text = request.args.get(name)
    if not text or twin.toggle("version") == "1.0":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, error(twin, "VALIDATION_ERROR", "Wrong type.", {name: "Wrong type."})) from None


def _text(record: Record) -> str:
    return " ".join([record["Number"], *(str(record["BillingAddress"].get(name) or "") for name in _SEARCHED)])


def page_of(twin: Twin, found: list[Record]) -> Record:
    """The page that the query asks for, of the records found."""
    try:
        number, size = int(request.args.get("pageNumber", 1)), int(request.args.get("pageSize", 100))
    except ValueError:
        raise Refusal(400, error(twin, "VALIDATION_ERROR", "Wrong type.", {"pageNumber": "Wrong type."})) from None
    size = min(size, int(twin.toggle("page_size")))
    pages = max(-(-len(found) // size), 1)
    following = min(number + 1, pages) if number < pages or twin.toggle("last_page") == "repeats" else None
    before = max(number - 1, 1) if number > 1 or twin.toggle("last_page") == "repeats" else None
    items = [view(twin, record) for record in found[(number - 1) * size :][:size]]
    promised = {"TotalItems": len(found), "PageNumber": number, "PageSize": size, "Items": items}
    if twin.toggle("envelope") == "promised":
        return promised
    return promised | {
        "TotalPages": pages, "HasPreviousPage": number > 1, "HasNextPage": number < pages,
        "NextPageNumber": following, "PreviousPageNumber": before,
    }  # fmt: skip


def view(twin: Twin, record: Record) -> Record:
    """A customer as this version and installation shows one."""
    shown = {name: value for name, value in record.items() if name != "LastChange" or twin.toggle("version") != "1.0"}
    if shown["Birthday"] and twin.toggle("birthday") == "utc":
        shown["Birthday"] = rules.in_utc(shown["Birthday"])
    if shown["Birthday"] is None and twin.toggle("no_birthday") == "year-one":
        shown["Birthday"] = "0001-01-01T00:00:00.0000000+00:00"
    if shown["LanguageIso"] and twin.toggle("language_case") == "lower":
        shown["LanguageIso"] = shown["LanguageIso"].lower()
    return _without_nulls(shown) if twin.toggle("unset") == "absent" else shown


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return value


def spelled(twin: Twin, value: Any) -> Any:
    """An answer in the spelling of the toggle."""
    if twin.toggle("spelling") == "pascal":
        return value
    if isinstance(value, list):
        return [spelled(twin, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name[:1].lower() + name[1:]: spelled(twin, item) for name, item in value.items()}


def error(twin: Twin, code: str | None, sentence: str, wrong: Mapping[str, str] | None = None) -> Record:
    """The body of a refusal; `wrong` are members and what is wrong with them."""
    where = twin.toggle("complaints")
    if wrong and where == "aspnet":
        return {"title": sentence, "status": 400, "errors": {name: [why] for name, why in wrong.items()}}
    body: Record = {"ErrorCode": code, "ValidationErrors": {}, "ErrorMessage": sentence, "Stacktrace": None}
    body |= {} if twin.toggle("version") == "1.0" and not wrong else {"Errors": {}}
    body[where if where != "aspnet" else "ValidationErrors"] = dict(wrong or {})
    told = spelled(twin, body)
    assert isinstance(told, dict)  # noqa: S101 - for the type checker
    return told
