"""Billbee's row of the contract suite."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from syncd.core.model import Remote, Values
from syncd.errors import NotFound, OutcomeUnknown, Rejected, Taken, Temporary, Unauthorized
from syncd.providers import billbee, billbee_api, billbee_contacts, billbee_lists, billbee_text
from syncd.providers import billbee_reading as reading
from syncd.providers import billbee_wire as wire
from syncd.providers.adapter import ProviderAdapter, Settings
from syncd.providers.http import OPEN_GATE, Answer, Http
from syncd.sandbox import billbee as sandbox
from syncd.sandbox import billbee_rules as rules
from syncd.sandbox.kit import Fault, Twin
from syncd.testing.row import TIMEOUT, Breakage, Row, World

CUSTOMERS = "/api/v1/customers"
CUSTOMER = "/api/v1/customers/<int:number>"
ADDRESSES_OF = "/api/v1/customers/<int:number>/addresses"
ADDRESS = "/api/v1/customers/addresses/<int:number>"
LANGUAGES = {"de": 1, "en": 2, "nl": 3}
PRICE_GROUPS = {"retail": 4, "wholesale": 2**40}
PURPOSES = {"invoice_email": "DefaultCommercialMailAddress", "x_status": "DefaultStatusUpdatesMailAddress"}
PLAIN = {
    "email": "Email", "phone": "Tel1", "mobile": "Tel2", "vat_number": "VatId",
}  # fmt: skip
ON_ADDRESS = {
    "first_name": "FirstName", "last_name": "LastName", "name2": "Name2", "street2": "AddressAddition",
    "postal_code": "Zip", "city": "City", "state": "State", "country": "CountryCode", "fax": "Fax",
}  # fmt: skip

COMPANY: Values = {
    "number": "40017",
    "name": "Kranbau Østergård & Söhne GmbH",
    "name2": "Abt. Einkauf – Süd",
    "contact_person": "Inês van der Oster",
    "email": "Buchhaltung@kranbau-ost.example",
    "phone": "+49 30 1234560",
    "mobile": "0170 / 44 55 66-0",
    "fax": "+49 30 1234569",
    "street": "Straße des 17. Juni 135",
    "street2": "Hinterhof, 3. OG",
    "postal_code": "10623",
    "city": "Berlin",
    "state": "BE",
    "country": "DE",
    "vat_number": "DE811569869",
    "language": "de",
    "price_group": "wholesale",
    "invoice_email": "Rechnung@kranbau-ost.example",
    "x_status": "versand@kranbau-ost.example",
}
PERSON: Values = {
    "number": "7",
    "name": "Anneke van 't Hof",
    "first_name": "Anneke",
    "last_name": "van 't Hof",
    "email": "anneke@hof.example",
    "street": "Kerkstraat 5-II",
    "postal_code": "1017 GA",
    "city": "'s-Hertogenbosch",
    "country": "NL",
    "language": "nl",
}


def other(number: int) -> Values:
    return {
        "name": f"Ährenkranz Mühle {number} KG",
        "email": f"mühle{number}@aehrenkranz.example",
        "phone": f"+49 621 70{number:04}",
        "street": "Q7 24",
        "postal_code": "68161",
        "city": "Mannheim",
        "country": "DE",
    }


def build(url: str, timeout: float = TIMEOUT, *, key: str = sandbox.API_KEY) -> billbee.Billbee:
    options = billbee.Options(
        api_key=SecretStr(key), user=sandbox.USER, password=SecretStr(sandbox.PASSWORD), languages=LANGUAGES,
        price_groups=PRICE_GROUPS, extra={PURPOSES["x_status"]: "x_status"},
    )  # fmt: skip
    return billbee.build(Settings("billbee", url, options, timeout), OPEN_GATE)


def stored(twin: Twin, external_id: str) -> Values:
    record = twin.records[external_id]
    address = next(iter(record["Addresses"]), dict.fromkeys(rules.ADDRESS))
    tags = {identity: tag for tag, identity in LANGUAGES.items()}
    return {
        **{field: record[member] for field, member in PLAIN.items()},
        **{field: address[member] for field, member in ON_ADDRESS.items()},
        "number": str(record["Number"]),
        "name": address["Company"] or record["Name"],
        "language": tags.get(record["LanguageId"]),
        "price_group": {number: word for word, number in PRICE_GROUPS.items()}.get(record["PriceGroupId"]),
        **{field: _own(record, member) for field, member in PURPOSES.items()},
        "street": " ".join(filter(None, (address["Street"], address["Housenumber"]))) or None,
        "contact_person": " ".join(filter(None, (address["FirstName"], address["LastName"]))) or None,
    }


def _own(record: Mapping[str, Any], member: str) -> str | None:
    value = (record[member] or {}).get("Value")
    return None if value == record["Email"] else value


def small_pages(adapter: ProviderAdapter) -> ProviderAdapter:
    assert isinstance(adapter, billbee.Billbee)
    return billbee.Billbee(adapter._http, adapter._words, page_size=2)


def plant(twin: Twin, external_id: str) -> None:
    record = twin.records[external_id]
    record["DefaultFax"] = {"Id": 9, "TypeId": 3, "TypeName": "Other", "SubType": "x", "Value": "030 9"}
    record["MetaData"] = [*record["MetaData"], dict(record["DefaultFax"])]
    record["Addresses"][0] |= {"Email": "nur@schreiben.example"}


def planted(twin: Twin, external_id: str) -> bool:
    record = twin.records[external_id]
    entries = [entry["Value"] for entry in record["MetaData"] if entry["Id"] == 9]
    address = record["Addresses"][0]
    kept = (record["DefaultFax"]["Value"], entries, address["Email"])
    return kept == ("030 9", ["030 9"], "nur@schreiben.example")


def fetched(world: World, remote: Remote) -> Remote:
    current = world.adapter.fetch(remote.external_id)
    assert current is not None
    return current


def written(world: World, act: Callable[[], object]) -> list[str]:
    """The methods and routes that changed a record during `act`."""
    start = len(world.twin.log)
    act()
    return [f"{entry.method} {entry.route}" for entry in world.twin.log[start:] if entry.wrote]


def one_change_is_one_write(world: World) -> None:
    """A changed e-mail is one PUT of the customer, a changed street one PATCH of the address, no change nothing."""
    remote = world.created()
    adapter = world.adapter
    assert written(world, lambda: adapter.update(remote, {"email": "neu@kranbau.example"})) == [f"PUT {CUSTOMER}"]
    current = fetched(world, remote)
    assert written(world, lambda: adapter.update(current, {"street": "Hafenweg 12a"})) == [f"PATCH {ADDRESS}"]
    current = fetched(world, remote)
    same = {name: value for name, value in current.values.items() if name not in {"first_name", "last_name"}}
    assert written(world, lambda: adapter.update(current, same)) == []


def both_homes_of_a_contact_agree(world: World) -> None:
    """`Email` and `Tel1` never contradict `Default…` and `MetaData`, whether changed, filled or emptied."""
    remote = world.created()
    record = world.twin.records[remote.external_id]
    for values in (
        {"email": "a@b.example", "phone": "+49 30 1"},
        {"email": None, "mobile": None},
        {"email": "c@d.example", "mobile": "+49 170 2"},
    ):
        world.adapter.update(fetched(world, remote), values)
        if world.toggles.get("defaults") != "absent":
            assert rules.contradictions(record) == []
        for member in ("Email", "Tel1", "Tel2"):
            default = record[rules.CONTACTS[member][1][0]]
            assert default is None or default["Value"] == record[member]


def a_separate_commercial_mail_stays(world: World) -> None:
    """A `Default…` member with an entry of its own is somebody's choice, and no copy of the main address."""
    remote = world.created()
    record = world.twin.records[remote.external_id]
    own = {"Id": 5, "TypeId": 1, "TypeName": "EMail", "SubType": "", "Value": "werbung@kranbau.example"}
    record |= {"DefaultCommercialMailAddress": own, "MetaData": [*record["MetaData"], dict(own)]}
    world.adapter.update(fetched(world, remote), {"email": "neu@kranbau.example"})
    assert record["DefaultCommercialMailAddress"] == own
    assert own in record["MetaData"]


def one_purpose_has_its_own_address(world: World) -> None:
    """An invoice address that repeats the main one is none: it follows it, by whichever entry; one that differs is
    written into an entry of its own, in both homes, and taken away again."""
    remote = world.adapter.create("12", {"name": "Nur Name GmbH", "email": "a@x.example"})
    record = world.twin.records[remote.external_id]
    assert remote.values["invoice_email"] is None

    after = world.adapter.update(fetched(world, remote), {"invoice_email": "r@x.example"})
    assert (after.values["email"], after.values["invoice_email"]) == ("a@x.example", "r@x.example")
    assert record["DefaultCommercialMailAddress"]["Value"] == "r@x.example"
    after = world.adapter.update(fetched(world, remote), {"email": "b@x.example", "invoice_email": "s@x.example"})
    assert (after.values["email"], after.values["invoice_email"]) == ("b@x.example", "s@x.example")
    assert "r@x.example" not in [entry["Value"] for entry in record["MetaData"]]
    assert not rules.contradictions(record) or world.twin.toggle("defaults") == "absent"

    after = world.adapter.update(fetched(world, remote), {"invoice_email": None})
    assert (after.values["email"], after.values["invoice_email"]) == ("b@x.example", None)
    assert "s@x.example" not in [entry["Value"] for entry in record["MetaData"]]
    own = {"Id": 5, "TypeId": 1, "TypeName": "EMail", "SubType": "", "Value": "B@X.example"}
    record |= {"DefaultCommercialMailAddress": own, "MetaData": [*record["MetaData"], dict(own)]}
    after = world.adapter.update(fetched(world, remote), {"email": "c@x.example"})
    assert (after.values["email"], after.values["invoice_email"]) == ("c@x.example", None)


def a_shared_entry_is_split(world: World) -> None:
    """Two phones that show one entry are two phones: changing the first leaves the second."""
    remote = world.created()
    record = world.twin.records[remote.external_id]
    entry = {"Id": 5, "TypeId": 2, "TypeName": "Phone", "SubType": "", "Value": "+49 30 5"}
    record |= {"Tel1": "+49 30 5", "Tel2": "+49 30 5", "DefaultPhone1": entry, "DefaultPhone2": dict(entry)}
    record["MetaData"] = [*record["MetaData"], dict(entry)]
    world.adapter.update(fetched(world, remote), {"phone": "+49 30 6"})
    assert (record["Tel1"], record["Tel2"]) == ("+49 30 6", "+49 30 5")
    assert (record["DefaultPhone1"]["Value"], record["DefaultPhone2"]["Value"]) == ("+49 30 6", "+49 30 5")


STREETS: Mapping[str, tuple[str, str | None]] = {
    "Straße des 17. Juni 135": ("Straße des 17. Juni", "135"),
    "Straße des 17. Juni": ("Straße des 17. Juni", None),
    "Hafenweg 12a": ("Hafenweg", "12a"),
    "Hafenweg 12 a": ("Hafenweg", "12 a"),
    "Kerkstraat 5-II": ("Kerkstraat", "5-II"),
    "Mannheim, Q7 24": ("Mannheim, Q7", "24"),
    "12 Rue de la Paix": ("12 Rue de la Paix", None),
    "Am Markt 1 - 3": ("Am Markt", "1 - 3"),
    "Postfach 10 20 30": ("Postfach 10 20", "30"),
    "221B": ("221B", None),
}


def street_lines_come_back(world: World) -> None:
    """A street is split where that can be undone, and reads back as it was sent."""
    remote = world.created()
    for line, (street, number) in STREETS.items():
        after = world.adapter.update(fetched(world, remote), {"street": line})
        address = world.twin.records[remote.external_id]["Addresses"][0]
        assert (address["Street"], address["Housenumber"]) == (street, number)
        assert after.values["street"] == line


def a_key_that_does_not_fit_is_left_out(world: World) -> None:
    """`K-40017` has no place in an int32: such a customer gets Billbee's own number, and a look-up asks nobody."""
    for number, key in enumerate(("K-40017", "017", "0", "2147483648", "1 7", "１７", "-1", "+1", "")):
        assert not world.adapter.key_fits(key)
        remote = world.created_as(key, number)
        assert "Number" not in json.loads(world.twin.requests("POST")[-1].body)
        assert remote.key == world.stored(remote)["number"] != key
        sent = len(world.twin.log)
        assert list(world.adapter.find(key, world.other(number))) == []
        assert len(world.twin.log) == sent
    assert world.adapter.project({"number": "K-40017", "language": "fr"}) == {}


def the_id_of_an_unfindable_customer_is_kept(world: World) -> None:
    """Where our key does not fit, the id in the answer is all there is: a failing reading must not lose it."""
    world.twin.faults.add(Fault("status", method="GET", status=500))
    remote = world.created_as("K-1")
    assert remote.provisional
    assert world.stored(remote)["name"] == remote.values["name"] == world.other()["name"]
    assert dict(remote.values).items() >= dict(world.other()).items()


def half_an_update_is_unknown(world: World) -> None:
    """The customer was answered, the address refused: unknown, and the next look completes it."""
    remote = world.created()
    values = {"email": "neu@kranbau.example", "street": "Kaistr. 3"}
    for fault in (
        Fault("status", method="PATCH", status=503),
        Fault("status", method="PATCH", status=429),
        Fault("status", method="PATCH", status=401),
        Fault("status", method="PATCH", status=400, body='{"Message": "x", "ModelState": {"model.Street": ["x"]}}'),
        Fault("reset", method="PATCH"),
    ):
        world.twin.records.clear()
        remote = world.created()
        world.twin.faults.add(fault)
        with pytest.raises(OutcomeUnknown):
            world.adapter.update(remote, values)
        current = fetched(world, remote)
        assert (current.values["email"], current.values["street"]) == (values["email"], COMPANY["street"])
        assert written(world, lambda now=current: world.adapter.update(now, values)) == [f"PATCH {ADDRESS}"]  # type: ignore[misc]
        assert dict(world.stored(remote)).items() >= values.items()


def archived_values_never_flow(world: World) -> None:
    """An archived or anonymised customer shows nothing but that it is archived, and takes no write; restored, all."""
    remote = world.created()
    record = world.twin.records[remote.external_id]
    before = fetched(world, remote).values
    for leave in (sandbox.archive, sandbox.anonymise):
        leave(world.twin, record)
        current = fetched(world, remote)
        (listed,) = [one for page in world.adapter.scan(None) for one in page.remotes]
        (found,) = world.adapter.find(world.key, {})
        for one in (current, listed, found):
            assert (one.archived, dict(one.values), one.key) == (True, {}, world.key)
        with pytest.raises(Rejected):
            world.adapter.update(current, {"email": "neu@kranbau.example"})
        with pytest.raises(Rejected):
            world.adapter.update(remote, {"email": "neu@kranbau.example"})
        if leave is sandbox.archive:
            sandbox.restore(world.twin, record)
            restored = fetched(world, remote)
            assert (restored.archived, restored.values) == (False, before)


def an_archived_address_is_unknown(world: World) -> None:
    """Where only the invoice address is archived, its fields and the company's name are unknown, not empty."""
    remote = world.created()
    address = world.twin.records[remote.external_id]["Addresses"][0]
    address |= {"ArchivedAt": "2026-02-01T00:00:00", "Street": "XXX", "Company": "XXX"}
    current = fetched(world, remote)
    contacts = {"email", "phone", "mobile", "invoice_email", "x_status"}
    assert set(current.values) == contacts | {"vat_number", "number", "language", "price_group"}
    start = len(world.twin.log)
    with pytest.raises(Rejected) as caught:
        world.adapter.update(current, {"email": "neu@kranbau.example", "street": "Kai 1"})
    assert caught.value.field == "street"
    assert len(world.twin.log) == start
    assert world.adapter.update(current, {"email": "neu@kranbau.example"}).values["email"] == "neu@kranbau.example"


def a_customer_without_an_address_gets_one(world: World) -> None:
    """An address is made when there is something to keep on it: by the owner's path, without ids."""
    remote = world.adapter.create("12", {"name": "Nur Name GmbH"})
    assert world.twin.records[remote.external_id]["Addresses"] == []
    assert (remote.values["street"], remote.values["name"]) == (None, "Nur Name GmbH")

    after = world.adapter.update(remote, {"name": "Neuer Name GmbH"})
    assert world.twin.records[remote.external_id]["Addresses"] == []
    after = world.adapter.update(after, {"city": "Köln"})
    assert (after.values["city"], after.values["name"]) == ("Köln", "Neuer Name GmbH")
    sent = json.loads(world.twin.requests("POST", ADDRESSES_OF)[-1].body)
    assert sent == {"AddressType": 1, "Company": "Neuer Name GmbH", "City": "Köln"}
    assert after.external_ids["AddressId"] == str(world.twin.records[remote.external_id]["Addresses"][0]["Id"])


def only_the_first_live_invoice_address_counts(world: World) -> None:
    """Shipping addresses and archived ones are not the customer's address."""
    remote = world.created()
    record = world.twin.records[remote.external_id]
    mine = record["Addresses"][0]
    record["Addresses"] = [
        {**mine, "Id": mine["Id"] - 10, "AddressType": 2, "City": "Lager"},
        {**mine, "Id": mine["Id"] - 8, "ArchivedAt": "2026-01-01", "City": "Archiv"},
        {**mine, "Id": mine["Id"] + 8, "City": "Zweite"},
        mine,
    ]
    (listed,) = [one for page in world.adapter.scan(None) for one in page.remotes]
    assert fetched(world, remote).values["city"] == listed.values["city"] == "Berlin"
    world.adapter.update(fetched(world, remote), {"city": "Potsdam"})
    assert [address["City"] for address in record["Addresses"]] == ["Lager", "Archiv", "Zweite", "Potsdam"]


def a_person_is_no_company(world: World) -> None:
    """`Company` and type 1 belong to companies; a name that is only the person's own, titles apart, is none."""
    project, create = world.adapter.project, world.adapter.create
    person = create("1", project({"name": "Dr. Ines Oster", "first_name": "Ines", "last_name": "Oster"}))
    firm = create("2", project({"name": "Oster Kranbau", "first_name": "Ines", "last_name": "Oster"}))
    assert project({"first_name": "Ines", "last_name": "Oster"})["name"] == "Ines Oster"
    for remote, kind, company in ((person, 0, None), (firm, 1, "Oster Kranbau")):
        record = world.twin.records[remote.external_id]
        assert (record["Type"], record["Addresses"][0]["Company"]) == (kind, company)
    after = world.adapter.update(person, {"name": "Oster Consulting"})
    record = world.twin.records[person.external_id]
    assert (record["Name"], record["Type"]) == ("Oster Consulting", 1)
    assert record["Addresses"][0]["Company"] == after.values["name"] == "Oster Consulting"
    assert (after.values["first_name"], after.values["last_name"]) == ("Ines", "Oster")


def composed_name_follows_the_columns(world: World) -> None:
    """`Name` is push-only exactly where the source has no name of its own."""
    assert world.adapter.composed(frozenset({"first_name", "last_name"})) == {"name"}
    assert world.adapter.composed(frozenset({"name", "first_name"})) == frozenset()


def a_number_can_change_if_it_is_free(world: World) -> None:
    """A renumbering is an ordinary change; a number that another customer carries is refused before any write."""
    remote, neighbour = world.created(), world.created_as("40018")
    writes = world.twin.writes()
    with pytest.raises(Taken) as caught:
        world.adapter.update(remote, {"number": "40018", "city": "Bonn"})
    assert (caught.value.field, caught.value.external_id) == ("number", neighbour.external_id)
    with pytest.raises(Rejected):
        world.adapter.update(remote, {"number": "K-1"})
    assert world.twin.writes() == writes
    after = world.adapter.update(remote, {"number": "40019"})
    assert (after.key, after.external_id, after.values["number"]) == ("40019", remote.external_id, "40019")


def duplicates_are_all_found(world: World) -> None:
    """Billbee takes a number twice; whoever looks must see both, however many pages lie between."""
    first = world.created()
    for number in range(3):
        world.created_as(str(50_000 + number), number)
    second = world.created_as(world.key)
    assert {remote.external_id for remote in world.adapter.find(world.key, {})} == {
        first.external_id, second.external_id,
    }  # fmt: skip
    assert not world.twin.requests("POST", "/api/v1/search")


def a_joined_customer_is_gone(world: World) -> None:
    """After a merge over there the losing id does not exist, and the winner has its addresses."""
    winner, loser = world.created(), world.created_as("40018")
    sandbox.merge(world.twin, winner.external_id, loser.external_id)
    assert world.adapter.fetch(loser.external_id) is None
    with pytest.raises(NotFound):
        world.adapter.update(loser, {"email": "neu@kranbau.example"})
    assert fetched(world, winner).values["city"] == "Berlin"


def the_apis_own_path_is_taken(world: World) -> None:
    """Who copies the address with `/api/v1` from Billbee's pages is understood."""
    remote = world.created()
    near = build(world.url + "/api/v1/")
    try:
        assert near.fetch(remote.external_id) is not None
    finally:
        near.close()


def a_404_is_believed_beside_a_healthy_list(world: World) -> None:
    """A 404 on an id is an absence only while the list answers under the same path and credentials."""
    world.created()
    for fault in (Fault("status", route=CUSTOMERS, status=503), Fault("html", route=CUSTOMERS, status=404)):
        world.twin.faults.add(fault)
        with pytest.raises(Temporary):
            world.adapter.fetch(world.row.unknown_id)
    world.twin.faults.add(Fault("html", route=CUSTOMER, status=404))
    with pytest.raises(Temporary):
        world.adapter.fetch(world.row.unknown_id)


def an_envelope_decides_whatever_the_status(world: World) -> None:
    """A 200 may carry an error: codes are read, in the official meaning, and their text is not."""
    remote = world.created()
    cases = {1: Unauthorized, 16: Unauthorized, 17: Unauthorized, 8: OutcomeUnknown, 11: Rejected, 24: OutcomeUnknown}
    for code, kind in cases.items():
        body = json.dumps(rules.failure(code, "Kunde Østergård"))
        for status in (200, 400) if kind is not OutcomeUnknown else (200,):
            world.twin.faults.add(Fault("status", method="PUT", status=status, body=body))
            with pytest.raises(kind) as caught:
                world.adapter.update(remote, {"email": "neu@kranbau.example"})
            assert "Østergård" not in str(caught.value)
    for code, kind in {1: Unauthorized, 8: Temporary, 11: Temporary}.items():
        world.twin.faults.add(Fault("body", method="GET", body=json.dumps(rules.failure(code, "x"))))
        with pytest.raises(kind):
            world.adapter.fetch(remote.external_id)
    text = rules.envelope([]) | {"ErrorMessage": "Fehler", "Paging": {}}
    world.twin.faults.add(Fault("body", route=CUSTOMERS, body=json.dumps(text)))
    with pytest.raises(Temporary):
        world.adapter.find(world.key, {})


def a_model_error_names_our_field(world: World) -> None:
    """The keys of `ModelState` become canonical fields; its sentences quote values and stay out."""
    places = {
        "model.Number": "number", "model.DefaultMailAddress.Value": "email", "model.Address.Housenumber": "street",
        "model.MetaData[0].TypeId": "", "model.Company": "name",
    }  # fmt: skip
    for place, field in places.items():
        body = json.dumps(rules.bound(place, "Error converting value Østergård"))
        world.twin.faults.add(Fault("status", method="POST", status=400, body=body))
        with pytest.raises(Rejected) as caught:
            world.created()
        assert (caught.value.field, caught.value.status) == (field, 400)
        assert "Østergård" not in str(caught.value)


def a_number_that_is_not_kept_makes_one_customer(world: World) -> None:
    """Should Billbee give its own number, the new record is ours by what it holds: one customer, not one a try."""
    world.twin.set(number_on_create="ignored")
    remote = world.created()
    assert remote.key == world.stored(remote)["number"] != world.key
    assert len(world.twin.records) == 1


def somebody_elses_record_is_not_ours(world: World) -> None:
    """The answer of a create that leads to another customer is no success."""
    neighbour = world.created_as("40018", 3)
    world.twin.faults.add(Fault("merge", method="POST", patch={"Data": {"Id": int(neighbour.external_id)}}))
    with pytest.raises(OutcomeUnknown):
        world.created()


def a_list_that_shrinks_is_read_again(world: World) -> None:
    """While pages are read, a merge moves rows to pages already read: nobody may be missed by that."""
    for number in range(6):
        world.created_as(str(50_000 + number), number)
    ids = sorted(world.twin.records)
    paged = small_pages(world.adapter)
    pages = paged.scan(None)
    seen = {remote.external_id for remote in next(pages).remotes}
    world.twin.drop(next(one for one in ids if one in seen))
    rest = list(pages)
    seen |= {remote.external_id for page in rest for remote in page.remotes}
    assert rest[-1].cursor is None
    assert seen >= set(world.twin.records)

    cursor = next(paged.scan(None)).cursor
    world.twin.drop(min(world.twin.records))
    assert {one.external_id for page in paged.scan(cursor) for one in page.remotes} == set(world.twin.records)


def a_page_that_is_not_whole_is_an_error(world: World) -> None:
    """Fewer rows than promised, another page, rows without ids or with ids as floats: never a shorter list."""
    world.created()
    row = {"Id": 1, "Number": 3}
    paging = {"Page": 1, "TotalPages": 1, "TotalRows": 1, "PageSize": 250}
    for rows, more in (
        ([], {}), ([row, row], {}), ([{"Number": 3}], {}), ([{"Id": 1.0}], {}), ([{"Id": "1"}], {}),
        ([row], {"Page": 2}), ([row], {"TotalRows": 2}), ([row], {"TotalRows": None}), ([row], {"PageSize": 0}),
        (None, {}),
    ):  # fmt: skip
        body = json.dumps(rules.envelope(rows, Paging=paging | more))
        world.twin.faults.add(Fault("body", route=CUSTOMERS, body=body))
        with pytest.raises(Temporary):
            world.adapter.find(world.key, {})
        world.twin.faults.add(Fault("body", route=CUSTOMERS, body=body))
        with pytest.raises(Temporary):
            list(world.adapter.scan(None))
        world.twin.faults.clear()


def ids_keep_every_digit(world: World) -> None:
    """Ids above 2^53 stay whole, as text."""
    remote = world.created()
    assert int(remote.external_id) > 2**53
    assert remote.external_id == next(iter(world.twin.records)) == remote.external_ids["Id"]


def only_known_members_are_sent(world: World) -> None:
    """Billbee overlooks what it does not know, so a leaked field would go unnoticed; what only it sets is not sent."""
    for number, key in enumerate(world.row.samples):
        remote = world.created(key)
        world.adapter.update(fetched(world, remote), {"email": f"neu{number}@kranbau.example", "city": "Wien"})
    assert sandbox.unknown_members(world.twin) == set()
    for entry in world.twin.requests("PUT"):
        assert not {"ArchivedAt", "RestoredAt", "MetaData.TypeName", "DefaultMailAddress.TypeName"} & set(entry.keys)
    for entry in world.twin.requests("PATCH"):
        assert set(entry.keys) == {"City"}


def _set(name: str, value: object, owner: object = billbee) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(owner, name, value)


def _changes_only(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"Id": stored["Id"], **changes}


def _plain_only(body: dict[str, Any], member: str, value: str | None) -> None:
    body[member] = value


def _into_the_shared_entry(body: dict[str, Any], member: str, value: str | None) -> None:
    body[member] = {**(body[member] or {}), "TypeId": 1, "SubType": "", "Value": value}


def _put_address(http: Http, current: Remote, change: wire.Change) -> str:
    address = current.raw["found"].address
    if change.members is None or address is None:
        return ""
    body = {"AddressType": 1, **change.members}
    http.request("PUT", "/api/v1/customers/addresses/{id}", ids={"id": str(address["Id"])}, body=body)
    return str(address["Id"])


@contextmanager
def _no_care(why: str, *, written: bool = True) -> Iterator[None]:
    yield


def _by_search(self: billbee.Billbee, key: str, values: Values) -> list[Remote]:
    answer = self._http.request("POST", "/api/v1/search", body={"Type": ["customer"], "Term": key}, reading=True)
    hits = answer.record()["Data"]["Customers"]
    return [hit for one in hits if one["Number"] == key and (hit := self._read(str(one["Id"])))]


def _careless(answer: Answer) -> Any:
    return answer.record().get("Data") if answer.ok else {}


def _floated(customer: Mapping[str, Any], found: reading.Found, words: wire.Words, **more: bool) -> Remote:
    return _REMOTE_OF({**customer, "Id": int(float(customer["Id"]))}, found, words, **more)


_REMOTE_OF = reading.remote_of


def _first_page(lists: billbee_lists.Lists, number: int) -> list[Mapping[str, Any]]:
    part = next(billbee_lists.pages(lists, billbee_api.CUSTOMERS))
    return [row for row in part.rows if row.get("Number") == number]


def _number_first(street: Any, number: Any) -> str | None:
    return billbee_text.joined(number, street)


def _always_split(street: str | None) -> tuple[str | None, str | None]:
    first, _, rest = (street or "").partition(" ")
    return (rest, first) if first.isdecimal() else billbee_text.split_street(street)


def _no_raise(self: billbee.Billbee, number: int, external_id: str) -> None:
    return None


ROW = Row(
    name="billbee",
    create_twin=sandbox.create_twin,
    create_app=sandbox.create_app,
    build=build,
    stranger=lambda url: build(url, key="wrong-key"),
    stored=stored,
    samples={
        "40017": COMPANY,
        "7": PERSON,
        "2147483647": {**other(1), "number": "2147483647", "street": "12 Rue de l'Échiquier", "country": "FR"},
    },
    other=other,
    changes={
        "email": "neu@kranbau-ost.example",
        "street": "Kerkstraat 5-II",
        "name": "Kranbau Müller-Ångström AG",
        "phone": None,
        "vat_number": "ATU12345675",
        "language": "en",
        "price_group": "retail",
        "invoice_email": None,
        "x_status": "neuer-versand@kranbau-ost.example",
        "fax": "+49 30 777",
        "name2": "c/o Müßig",
        "street2": "Aufgang C 🚪",
    },
    create=("POST", CUSTOMERS),
    update=("PUT", CUSTOMER),
    fetch=("GET", CUSTOMER),
    find=("GET", CUSTOMERS),
    scan=("GET", CUSTOMERS),
    clearable=frozenset(COMPANY) - {"number", "language", "price_group"},
    awkward=("1", "2147483647", "10", "1000000"),
    unknown_id="30000000099999999",
    plant=plant,
    planted=planted,
    odd=("vat_number", {"Data": {"VatId": 811569869}}),
    foreign={"Data": {"Id": 30_000_000_077_777_777}},
    secrets=(
        sandbox.API_KEY, sandbox.PASSWORD, b64encode(f"{sandbox.USER}:{sandbox.PASSWORD}".encode()).decode(),
    ),
    variants=(
        {},
        *({name: value} for name, values in sandbox.TOGGLES.items() for value in values[1:]),
        {name: values[-1] for name, values in sandbox.TOGGLES.items()},
    ),
    small_pages=small_pages,
    checks=(
        one_change_is_one_write,
        both_homes_of_a_contact_agree,
        a_separate_commercial_mail_stays,
        one_purpose_has_its_own_address,
        a_shared_entry_is_split,
        street_lines_come_back,
        a_key_that_does_not_fit_is_left_out,
        the_id_of_an_unfindable_customer_is_kept,
        half_an_update_is_unknown,
        archived_values_never_flow,
        an_archived_address_is_unknown,
        a_customer_without_an_address_gets_one,
        only_the_first_live_invoice_address_counts,
        a_person_is_no_company,
        composed_name_follows_the_columns,
        a_number_can_change_if_it_is_free,
        duplicates_are_all_found,
        a_joined_customer_is_gone,
        the_apis_own_path_is_taken,
        a_404_is_believed_beside_a_healthy_list,
        an_envelope_decides_whatever_the_status,
        a_model_error_names_our_field,
        a_number_that_is_not_kept_makes_one_customer,
        somebody_elses_record_is_not_ours,
        a_list_that_shrinks_is_read_again,
        a_page_that_is_not_whole_is_an_error,
        ids_keep_every_digit,
        only_known_members_are_sent,
    ),
    breakages=(
        Breakage("city-and-postal-code-swapped",
                 _set("ADDRESS", {**wire.ADDRESS, "city": "Zip", "postal_code": "City"}, wire)),
        Breakage("a-put-carries-changes-only", _set("changed_customer", _changes_only, wire)),
        Breakage("nulls-in-numbers", _set("NUMBERS", frozenset(), billbee_contacts)),
        Breakage("the-archive-dates-are-sent-back", _set("SERVERS", frozenset(), billbee_contacts)),
        Breakage("only-the-plain-contact-changes", _set("_set_contact", _plain_only, billbee_contacts)),
        Breakage("a-purpose-shares-the-main-entry", _set("_set_purpose", _into_the_shared_entry, billbee_contacts)),
        Breakage("a-repeated-address-is-one-of-its-own", _set("_repeats", lambda *_: False, billbee_contacts)),
        Breakage("the-address-is-put", _set("_write_address", _put_address)),
        Breakage("every-404-is-an-absence", _set("says_missing", lambda answer: answer.status == 404, billbee_api)),
        Breakage("half-an-update-is-harmless", _set("after_a_write", _no_care)),
        Breakage("the-search-proves-absence", _set("find", _by_search, billbee.Billbee)),
        Breakage("the-envelope-is-not-read", _set("data", _careless, billbee_api)),
        Breakage("ids-become-floats", _set("remote_of", _floated, reading)),
        Breakage("only-the-first-page-counts", _set("carrying", _first_page, billbee_lists), {"page_limit": "2"}),
        Breakage("archived-values-flow", _set("is_archived", lambda record: False, reading)),
        Breakage("house-numbers-come-first", _set("join_street", _number_first, reading)),
        Breakage("leading-numbers-are-split-off", _set("split_street", _always_split, wire)),
        Breakage("a-short-page-is-taken", _set("last", property(lambda self: True), billbee_lists.Slice)),
        Breakage("every-created-record-is-ours", _set("_is_ours", lambda stored, key, values: True)),
        Breakage("a-taken-number-is-taken-again", _set("_refuse_taken", _no_raise, billbee.Billbee)),
        Breakage("the-address-is-forgotten-in-a-scan", _set("invoice_addresses", lambda lists: {}, billbee_lists)),
        Breakage("any-number-fits", _set("key_fits", str.isdecimal, wire)),
    ),
)  # fmt: skip
