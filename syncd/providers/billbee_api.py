"""Billbee's paths, its envelope and its two shapes of an error.

Success is a 2xx *and* `ErrorCode` 0 *and* no `ErrorMessage`: the official client checks all three. Messages of the
provider are free text in two languages and may repeat values, so only codes, statuses and names of members are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.errors import NotFound, OutcomeUnknown, ProviderError, Rejected, Temporary, Unauthorized
from syncd.providers.billbee_wire import field_of
from syncd.providers.http import Answer

CUSTOMERS = "/api/v1/customers"
CUSTOMER = "/api/v1/customers/{id}"
ADDRESSES_OF = "/api/v1/customers/{id}/addresses"
ADDRESS = "/api/v1/customers/addresses/{id}"
ADDRESSES = "/api/v1/customer-addresses"
Row = Mapping[str, Any]

_CLOSED: Mapping[int, str] = {1: "the API is not activated", 16: "no paid account", 17: "the API is not booked"}
_EMAIL = frozenset({12, 13})
_PERMANENT = frozenset({2, 3, 4, 5, 6, 7, 9, 10, 11, 14, 15, 18, *_EMAIL})  # 8 and what has no published name are not


def data(answer: Answer) -> Any:
    """`Data` of a successful envelope, None where the answer has no body. Raises what the answer says otherwise."""
    if not answer.ok:
        raise _refused(answer)
    if answer.data is None:
        return None
    envelope = answer.record()
    code, message = envelope.get("ErrorCode"), envelope.get("ErrorMessage")
    if type(code) is not int:
        raise answer.unreadable("the answer is no envelope of Billbee")
    if code != 0 or message not in (None, ""):
        raise _failed(answer, code)
    return envelope.get("Data")


def record(answer: Answer, external_id: str | None = None) -> Row:
    """`Data` as one record, with the id that was asked for. Raises `unreadable` for anything else."""
    found = data(answer)
    if not is_row(found) or (external_id is not None and str(found["Id"]) != external_id):
        raise answer.unreadable("the answer is not the record that was asked for")
    return dict(found)


def accepted(answer: Answer, sent: Row) -> None:
    """Check the answer of a PUT or PATCH, whose record a reading shows anyway: it must not be about another one."""
    found = data(answer)
    if found is None:
        return
    told = found if isinstance(found, dict) else {}
    if any(told.get(name, sent.get(name)) != sent.get(name) for name in ("Id", "Number") if told.get(name)):
        raise answer.unreadable("the answer is about another record")


def says_missing(answer: Answer) -> bool:
    """Whether a 404 may be Billbee's word for an unknown id, which has no documented body. A web page is not, nor the
    framework's answer for a path that it does not serve (`MessageDetail`)."""
    plausible = answer.data is None or (isinstance(answer.data, dict) and "MessageDetail" not in answer.data)
    return answer.status in {404, 410} and not answer.text and plausible


def is_row(found: Any) -> bool:
    """A record with a whole number as its id; one that came as a float has lost digits beyond 2^53."""
    return isinstance(found, dict) and type(found.get("Id")) is int


def _failed(answer: Answer, code: int) -> ProviderError:
    """The error for an `ErrorCode`, with any HTTP status."""
    said = f"{answer.what}: answered {answer.status} with ErrorCode {code}"
    if code in _CLOSED:
        return Unauthorized(f"{said}: {_CLOSED[code]}", status=answer.status)
    if answer.reading:
        return Temporary(said, status=answer.status)
    if not answer.ok or code in _PERMANENT:
        reason = f"Billbee refused the customer (ErrorCode {code})"
        return Rejected("email" if code in _EMAIL else "", reason, status=answer.status)
    return OutcomeUnknown(said, status=answer.status)


def _refused(answer: Answer) -> ProviderError:
    """The error for a 4xx. Only an answer in one of the API's own shapes rejects the customer."""
    said = f"{answer.what}: answered {answer.status}"
    body = answer.data if isinstance(answer.data, dict) else {}
    code, states = body.get("ErrorCode"), body.get("ModelState")
    if type(code) is int and code != 0:
        return _failed(answer, code)
    if answer.reading or answer.status in {404, 405, 406, 410, 415} or not (states or body.get("Message")):
        return Temporary(f"{said}, which is no answer of this API to a customer; check the url", status=answer.status)
    fields = sorted(filter(None, map(field_of, states))) if isinstance(states, dict) else []
    reason = f"Billbee refused the value (status {answer.status})" if fields else f"Billbee answered {answer.status}"
    return Rejected(fields[0] if fields else "", reason, status=answer.status)


def gone(answer: Answer) -> NotFound:
    """The error for a write to an id that `says_missing`."""
    return NotFound(f"{answer.what}: answered {answer.status}", status=answer.status)
