"""What JTL-Wawi's stand-in answers: who fits a query, pages, one customer and an error, as the toggles spell them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import request

from syncd.sandbox import jtl_rules as rules
from syncd.sandbox.kit import Record, Refusal, Twin

_SEARCHED = ("Company", "FirstName", "LastName", "City", "EmailAddress")


def selected(twin: Twin) -> list[Record]:
    """Who fits the query. Filters that a version does not know are overlooked without a word."""
    found = sorted(twin.records.values(), key=lambda record: int(record["Id"]))
    if twin.toggle("order") == "newest":
        found.reverse()
    number, word = request.args.get("number"), request.args.get("searchKeyWord", "").lower()
    if number and twin.toggle("number_filter") != "ignored":
        exact = twin.toggle("number_filter") == "exact"
        found = [r for r in found if (r["Number"] == number if exact else number.lower() in r["Number"].lower())]
    if word:
        found = [r for r in found if word in _text(r).lower()]
    if twin.toggle("version") != "1.0":
        for name, fits in (("lastChangeFrom", datetime.__ge__), ("lastChangeTo", datetime.__le__)):
            if at := request.args.get(name):
                limit = _moment(twin, name, at)
                found = [r for r in found if fits(datetime.fromisoformat(r["LastChange"]), limit)]
    return found


def _moment(twin: Twin, name: str, text: str) -> datetime:
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
