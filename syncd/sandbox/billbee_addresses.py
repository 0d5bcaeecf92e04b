"""The address routes of Billbee's stand-in: a PUT empties what it does not name, a PATCH does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Flask

from syncd.sandbox import billbee_rules as rules
from syncd.sandbox import kit
from syncd.sandbox.billbee_rules import BASE, FIRST_ADDRESS, bind, bound, envelope, failure
from syncd.sandbox.kit import Answer, Record, Refusal, Twin


def add_addresses(made: Flask, twin: Twin) -> None:
    """Add the routes of both address collections to the app."""

    @made.get(f"{BASE}/customers/<int:number>/addresses")
    def of_customer(number: int) -> Answer:
        return rules.paged(twin, rules.existing(twin, number)["Addresses"], _address)

    @made.post(f"{BASE}/customers/<int:number>/addresses")
    def add(number: int) -> Answer:
        return _added(twin, number, kit.json_body())

    @made.get(f"{BASE}/customer-addresses")
    def all_addresses() -> Answer:
        return rules.paged(twin, twin.by(by_id).rows, _address)

    @made.post(f"{BASE}/customer-addresses")
    def add_anywhere() -> Answer:
        body = kit.json_body()
        owner = bind(rules.ADDRESS, body).get("CustomerId")
        return _added(twin, owner if isinstance(owner, int) else 0, body)

    def one(number: int) -> Answer:
        return envelope(_address(_existing_address(twin, number)))

    def replace(number: int) -> Answer:
        body = kit.json_body()
        return _changed(twin, number, {**dict.fromkeys(rules.ADDRESS), **bound_address(body)})

    for path in (f"{BASE}/customers/addresses/<int:number>", f"{BASE}/customer-addresses/<int:number>"):
        made.add_url_rule(path, f"one {path}", one, methods=["GET"])
        made.add_url_rule(path, f"replace {path}", replace, methods=["PUT"])

    @made.patch(f"{BASE}/customers/addresses/<int:number>")
    def patch(number: int) -> Answer:
        return _changed(twin, number, bind(rules.ADDRESS, kit.json_body()))


def bound_address(body: Any, place: str = "model") -> Record:
    """An address of a body with its type, which no default stands in for."""
    if not isinstance(body, dict):
        raise Refusal(400, bound(place, "Cannot deserialize the current JSON value into an object."))
    given = bind(rules.ADDRESS, body, place)
    if "AddressType" not in given:
        raise Refusal(400, bound(f"{place}.AddressType", "Required."))
    return given


def new_address(twin: Twin, owner: int, given: Record) -> Record:
    """A stored address with an id of its own; an id that was sent is overlooked."""
    address = dict.fromkeys(rules.ADDRESS) | rules.own(given)
    return address | {"Id": FIRST_ADDRESS + 2 * twin.next_id(), "CustomerId": owner}


def _added(twin: Twin, owner: int, body: Record) -> Answer:
    given, record = bound_address(body), rules.existing(twin, owner)
    if given.get("Id") is not None:
        raise Refusal(400, failure(11, "Id darf nicht gesetzt sein."))
    rules.refuse_archived(record)
    address = new_address(twin, owner, given)
    record["Addresses"].append(address)
    twin.touch(str(owner))
    return envelope(_address(address))


def _changed(twin: Twin, number: int, given: Record) -> Answer:
    address = _existing_address(twin, number)
    rules.refuse_archived(address)
    address |= {name: value for name, value in rules.own(given).items() if name != "CustomerId"}
    twin.touch(str(address["CustomerId"]))
    return rules.written(twin, _address(address), {**given, "Id": number})


def _existing_address(twin: Twin, number: int) -> Record:
    found = twin.by(by_id).at(number)
    if not found:
        raise rules.no_such(twin)
    return found[0]


def by_id(record: Record) -> Iterator[tuple[int, Record]]:
    """Every address of a customer, by its own id."""
    for address in record["Addresses"]:
        yield int(address["Id"]), address


def _address(address: Record) -> Record:
    return {**address, **dict.fromkeys(rules.WRITE_ONLY)}
