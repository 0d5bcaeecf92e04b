"""Azotte in the contract suite: its rows, its own checks, and the ways to break it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from syncd.core.model import Remote, Removal, Values
from syncd.errors import OutcomeUnknown, Rejected, Taken, Temporary
from syncd.providers import azotte, azotte_snapshot, azotte_wire
from syncd.providers.adapter import Settings
from syncd.providers.azotte_options import Options
from syncd.providers.http import OPEN_GATE, Answer
from syncd.sandbox import azotte as sandbox
from syncd.sandbox.kit import Fault, Twin
from syncd.testing.row import TIMEOUT, Breakage, Row, Toggles, World

CUSTOMER = f"{sandbox.BASE}/customer"
STORED = {
    "salutation": "salutation",
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "phone": "phoneNumber",
}
ADDRESS = {"street": "street", "postal_code": "postalCode", "city": "city", "country": "countryCode"}
FULL: Values = {
    "number": "K-10017",
    "name": "Bäckerei Müßig & Söhne GmbH",
    "salutation": "Herr",
    "first_name": "Jürgen",
    "last_name": "von der Öhe-'t Hooft",
    "contact_person": "Jürgen von der Öhe",
    "email": "J.Oehe+einkauf@Baeckerei-Muessig.example",
    "phone": "+49 (0) 30 / 901820-0",
    "mobile": "0171 1234567",
    "street": "Straße des 17. Juni 135 a",
    "street2": "2. Hof, Aufgang C",
    "postal_code": "01067",
    "city": "Frankfurt (Oder)",
    "state": "BB",
    "country": "de",
    "vat_number": "DE 136 695 976",
    "language": "de-AT",
    "active": True,
}


def build(url: str, timeout: float = TIMEOUT, **more: str) -> azotte.Azotte:
    plain = {"api_key": sandbox.API_KEY, "tenant": sandbox.TENANT, "default_country": "DE", "default_language": "de"}
    return azotte.build(Settings("azotte", url, Options.model_validate(plain | more), timeout), OPEN_GATE)


def stored(twin: Twin, external_id: str) -> Values:
    record = twin.records[external_id]
    address = record["primaryBillingAddress"] or {}
    values: dict[str, Any] = {field: record[name] for field, name in STORED.items()}
    values |= {field: address.get(name) for field, name in ADDRESS.items()}
    return values | {"language": record["claimedRegion"]["languageCode"], "active": record["status"] == "Active"}


def other(number: int) -> Values:
    return {
        "first_name": "Anneke",
        "last_name": f"van 't Hof {number}",
        "email": f"inkoop{number}@noordzee.example",
        "phone": f"+31 20 {1234567 + number % 1_000_000}",
        "street": "'s-Gravelandseweg 8-hs",
        "postal_code": "1976 AB",
        "city": "IJmuiden",
        "country": "NL",
        "language": "nl",
        "active": True,
    }


def plant(twin: Twin, external_id: str) -> None:
    twin.records[external_id] |= {"gender": "Female", "privacy": {"newsletter": False}}
    twin.records[external_id]["primaryBillingAddress"]["state"] = "BB"


def planted(twin: Twin, external_id: str) -> bool:
    record = twin.records[external_id]
    kept = (record["gender"], record["privacy"], record["primaryBillingAddress"].get("state"))
    return kept == ("Female", {"newsletter": False}, "BB")


def hidden(toggles: Toggles) -> frozenset[str]:
    """The documented snapshot shows the e-mail and nothing else."""
    return frozenset({*STORED, *ADDRESS} - {"email"}) if toggles.get("snapshot") == "minimal" else frozenset()


def variants() -> tuple[Toggles, ...]:
    """The switches ask a person; they have their own tests."""
    single: list[Toggles] = [{name: value} for name, values in sandbox.TOGGLES.items() for value in values[1:]]
    return ({}, *single, {name: values[-1] for name, values in sandbox.TOGGLES.items()})


def sent(world: World, action: str) -> dict[str, Any]:
    body = json.loads(world.twin.requests(route=f"{CUSTOMER}/{action}")[-1].body)
    assert isinstance(body, dict)
    return body


def only_documented_keys_leave(world: World) -> None:
    """No consents, no guessed company data, no second spelling of a key; region and identity always."""
    world.created()
    body = sent(world, "store")
    assert body["claimedRegion"] == {"countryCode": "DE", "languageCode": "de"}
    assert body["customer"].keys() == {
        "externalIdentifier", *STORED.values(), "primaryBillingAddress", "legalType", "status"
    }  # fmt: skip
    assert body["customer"]["legalType"] == "Individual"


def an_update_carries_the_urn_and_the_planned_field(world: World) -> None:
    """Partial: one planned field is one field, and the region is not claimed again."""
    remote = world.created()
    world.adapter.update(remote, {"email": "neu@noordzee.example"})
    assert sent(world, "update") == {"customer": {"customerUrn": remote.external_id, "email": "neu@noordzee.example"}}


def a_new_country_claims_its_region(world: World) -> None:
    """Country and language go into the claimed region, and only when one of them changes."""
    remote = world.created()
    agreed = Remote(remote.external_id, remote.key, {**world.projected(), **remote.values}, raw=remote.raw)
    world.adapter.update(agreed, {"country": "CH"})
    assert sent(world, "update")["claimedRegion"] == {"countryCode": "CH", "languageCode": "de"}
    world.adapter.update(agreed, {"city": "Passau"})
    assert "claimedRegion" not in sent(world, "update")
    assert world.stored(remote)["language"] == "de"


def an_address_is_complete_or_not_sent(world: World) -> None:
    """One part changes, all others stay, whether Azotte replaces or merges; hidden ones come from what was agreed."""
    remote = world.created()
    before = dict(world.stored(remote))
    if world.toggles.get("snapshot") == "minimal":
        with pytest.raises(Rejected):
            world.adapter.update(remote, {"city": "Passau"})
        remote = Remote(remote.external_id, remote.key, {**world.projected(), **remote.values}, raw=remote.raw)
    world.adapter.update(remote, {"city": "Passau"})
    assert dict(world.stored(remote)) == before | {"city": "Passau"}


def what_is_not_shown_is_unknown(world: World) -> None:
    """A key that the snapshot lacks has no value here; the write-only fields never have one."""
    remote = world.created()
    assert not remote.values.keys() & (hidden(world.toggles) | {"language", "active"})


def nothing_unclearable_is_sent(world: World) -> None:
    """Emptied fields do not leave by default, so they cannot loop; the answer shows what is kept."""
    remote = world.created()
    after = world.adapter.update(remote, {"email": None, "phone": None, "city": None})
    assert not world.adapter.capabilities.clears
    assert not world.twin.requests(route=f"{CUSTOMER}/update")
    assert after == remote


def unique_values_are_taken(world: World) -> None:
    """Key, e-mail and phone are unique per tenant; each collision names its field and writes nothing."""
    world.created()
    taken = {
        "number": (world.key, {}),
        "email": ("K-2", {"phone": "+31201234567"}),
        "phone": ("K-2", {"email": "frei@noordzee.example"}),
    }
    for field, (key, changes) in taken.items():
        with pytest.raises(Taken) as caught:
            world.adapter.create(key, {**world.projected(), **changes})
        assert caught.value.field == field
    second = world.adapter.create("K-3", world.adapter.project(other(3)))
    with pytest.raises(Taken):
        world.adapter.update(second, {"email": str(FULL["email"]).lower()})
    assert len(world.twin.records) == 2


def another_case_is_another_key(world: World) -> None:
    """Where the server ignores case, somebody else's record is not found as ours, and not overwritten."""
    world.adapter.create("k-10017", world.projected())
    assert list(world.adapter.find("K-10017", {})) == []
    if world.toggles.get("key_case") == "ignored":
        with pytest.raises(Taken):
            world.adapter.create("K-10017", world.adapter.project(other(1)))


def absence_needs_the_envelope(world: World) -> None:
    """Only CUSTOMER_NOT_FOUND proves that somebody is not there; a bare 404 is about the path."""
    remote = world.created()
    for body in ("", '{"title": "Not Found", "status": 404}', "<html>"):
        for act in (lambda: world.adapter.fetch(remote.external_id), lambda: world.adapter.find(world.key, {})):
            world.twin.faults.add(Fault("status", route=f"{CUSTOMER}/info", status=404, body=body))
            with pytest.raises(Temporary):
                act()


def a_failing_envelope_is_no_success(world: World) -> None:
    """HTTP 200 with a failing messageCode, or without one, is a failure of unknown outcome."""
    remote = world.created()
    for status in ('{"messageCode": "SQL_DATABASE_FAILURE"}', '{"messageCode": null}', "null"):
        body = f'{{"result": {{"customerUrn": "{remote.external_id}"}}, "status": {status}}}'
        world.twin.faults.add(Fault("body", status=200, body=body))
        with pytest.raises(OutcomeUnknown):
            world.adapter.update(remote, {"email": "neu@noordzee.example"})


def an_erased_person_stays_erased(world: World) -> None:
    """After `delete` no value flows back and none flows there; only a word for deletion may erase."""
    remote = world.created()
    with pytest.raises(Rejected):
        world.adapter.remove(remote, Removal.ARCHIVE)
    world.adapter.remove(remote, Removal.DELETE)
    seen = world.adapter.fetch(remote.external_id)
    assert seen is not None
    assert (seen.archived, seen.values) == (True, {})
    updates = len(world.twin.requests(route=f"{CUSTOMER}/update"))
    with pytest.raises(Rejected):
        world.adapter.update(seen, {"email": "wieder@noordzee.example"})
    assert len(world.twin.requests(route=f"{CUSTOMER}/update")) == updates


def a_customer_without_a_person_is_no_erasure(world: World) -> None:
    """A company whose name cannot be sent has no personal data at Azotte, and is alive all the same."""
    remote = world.adapter.create("K-5", world.adapter.project({"name": "Nur ein Name GmbH", "email": None}))
    assert not remote.archived
    assert world.adapter.update(remote, {"email": "da@noordzee.example"}).values["email"] == "da@noordzee.example"


Apply = Callable[[pytest.MonkeyPatch], None]


def _set(name: str, value: object, owner: object = azotte_wire) -> Apply:
    return lambda patch: patch.setattr(owner, name, value)


def _trusting_http(answer: Answer) -> str:
    status = (answer.data or {}).get("status") or {}
    return azotte.SUCCESS if answer.ok else str(status.get("messageCode", ""))


def _bare_404(answer: Answer) -> str:
    return azotte.NOT_FOUND if answer.status == 404 else _code(answer)


def _find_anybody(self: azotte.Azotte, key: str, values: Values) -> Any:
    remote = self._info("exId", key)
    return () if remote is None else (remote,)


def _fetch_unchecked(self: azotte.Azotte, external_id: str) -> Any:
    return self._info("urn", external_id)


def _answer_as_stored(self: azotte.Azotte, result: Remote, key: str | None, answer: Answer) -> Remote:
    return result


def _renamed(action: str, **names: str) -> Apply:
    """The adapter with other keys in one body."""
    original = azotte.Azotte._call

    def call(self: azotte.Azotte, method: str, act: str, **more: Any) -> Answer:
        for part in ("params", "body"):
            if act == action and more.get(part):
                more[part] = {names.get(name, name): value for name, value in more[part].items()}
        return original(self, method, act, **more)

    return _set("_call", call, azotte.Azotte)


def _customer(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Apply:
    """The adapter with something else as `customer` of a store."""
    original = azotte_wire.create_body

    def body(key: str, values: Values, options: Options) -> dict[str, Any]:
        made = original(key, values, options)
        return made | {"customer": change(made["customer"])}

    return _set("create_body", body)


def _update(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Apply:
    """The adapter with something else as body of an update."""
    original = azotte_wire.update_body

    def body(current: Remote, values: Values, options: Options) -> dict[str, Any] | None:
        made = original(current, values, options)
        return made and change(made)

    return _set("update_body", body)


def _part_of_an_address(current: Remote, planned: Values, options: Options) -> dict[str, Any]:
    return {name: planned[field] for field, name in azotte_wire.ADDRESS.items() if field in planned}


def _missing_is_empty(parts: Mapping[str, str], held: Mapping[str, Any]) -> dict[str, Any]:
    return {field: held.get(name) for field, name in parts.items()}


def _always_claimed(body: dict[str, Any]) -> dict[str, Any]:
    return {"claimedRegion": {"countryCode": "DE", "languageCode": "de"}, **body}


def _without(held: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in held.items() if key != name}


_code = azotte._code
_SWAPPED = {"city": "street", "street": "city"}


ROW = Row(
    name="azotte",
    create_twin=sandbox.create_twin,
    create_app=sandbox.create_app,
    build=build,
    stranger=lambda url: build(url, api_key=sandbox.OTHER_KEY),
    stored=stored,
    samples={
        "K-10017": FULL,
        "4711": {**other(1), "country": None, "language": None},
        "ÅÖ 12": {
            "contact_person": "Mila de Ó Súilleabháin-Groß", "email": "mila@ó.example", "phone": None,
            "street": "Dam 1", "street2": None, "postal_code": None, "city": "’s-Gravenhage",
            "country": "BE", "language": "nl_BE",
        },
        "leer": {"name": "Nur ein Name GmbH", "country": "AT", "active": False},
    },
    other=other,
    changes={
        "email": "neu@baeckerei-muessig.example",
        "phone": "+49301234567",
        "last_name": "Ærøskøbing-Łukasz 🥐",
        "first_name": "Zoë",
    },
    create=("POST", f"{CUSTOMER}/store"),
    update=("POST", f"{CUSTOMER}/update"),
    fetch=("GET", f"{CUSTOMER}/info"),
    find=("GET", f"{CUSTOMER}/info"),
    remove=("POST", f"{CUSTOMER}/delete"),
    clearable=frozenset({"first_name", "last_name", "email", "phone"}),
    clears=lambda _: False,
    hidden=hidden,
    variants=variants(),
    awkward=(
        "C#1", "A B", "50%", "a+b", "Ærø", "a?b=c", "a=b&urn=cu.00.1", "%2F", "a;b", "a&b", "..", ".", "A/B", "a\\b",
        "x" * 300, "", " ", " A", "A ", "a\nb", "a\0b", "\ud800", "🥐",
    ),
    unknown_id="cu.00.999",
    plant=plant,
    planted=planted,
    odd=("phone", {"result": {"phoneNumber": 493090}}),
    foreign={"result": {"customerUrn": "cu.00.666", "externalIdentifier": "K-66666"}},
    secrets=(sandbox.API_KEY,),
    checks=(
        only_documented_keys_leave,
        an_update_carries_the_urn_and_the_planned_field,
        a_new_country_claims_its_region,
        an_address_is_complete_or_not_sent,
        what_is_not_shown_is_unknown,
        nothing_unclearable_is_sent,
        unique_values_are_taken,
        another_case_is_another_key,
        absence_needs_the_envelope,
        a_failing_envelope_is_no_success,
        an_erased_person_stays_erased,
        a_customer_without_a_person_is_no_erasure,
    ),
    breakages=(
        Breakage("the-http-status-decides", _set("_code", _trusting_http, azotte), {"envelope": "always200"}),
        Breakage("a-bare-404-is-an-absence", _set("_code", _bare_404, azotte)),
        Breakage("any-found-record-is-ours", _set("find", _find_anybody, azotte.Azotte), {"key_case": "ignored"}),
        Breakage("a-foreign-record-is-believed", _set("fetch", _fetch_unchecked, azotte.Azotte)),
        Breakage("the-answer-of-a-write-is-the-record", _set("_as_stored", _answer_as_stored, azotte.Azotte)),
        Breakage("delete-by-customerUrn", _renamed("delete", customerUuid="customerUrn")),
        Breakage("info-by-externalIdentifier", _renamed("info", exId="externalIdentifier")),
        Breakage("validate-by-exId", _renamed("validate", externalId="exId")),
        Breakage("no-claimed-region", _renamed("store", claimedRegion="region")),
        Breakage("store-by-externalId", _customer(lambda c: _without(c, "externalIdentifier") | {"externalId": "K"})),
        Breakage("nulls-in-a-store", _customer(lambda c: {"email": None, **c})),
        Breakage("consents-are-sent", _customer(lambda c: c | {"privacy": {}})),
        Breakage("corporate-without-its-info", _customer(lambda c: c | {"legalType": "Corporate"})),
        Breakage("the-region-goes-with-every-update", _update(_always_claimed)),
        Breakage("no-urn-in-an-update", _update(lambda b: b | {"customer": _without(b["customer"], "customerUrn")})),
        Breakage("the-state-is-sent-as-region", _set("ADDRESS", azotte_wire.ADDRESS | {"city": "region"})),
        Breakage("a-part-of-the-address", _set("_address", _part_of_an_address)),
        Breakage("phones-as-typed", _set("e164", lambda phone, _country: phone)),
        Breakage("missing-keys-are-empty", _set("_read", _missing_is_empty, azotte_snapshot), {"snapshot": "minimal"}),
        Breakage("masks-are-people", _set("anonymised", lambda _: False, azotte_snapshot)),
        Breakage("city-and-street-swapped", _set("ADDRESS", azotte_wire.ADDRESS | _SWAPPED)),
    ),
)  # fmt: skip
