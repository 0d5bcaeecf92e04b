"""What only Azotte has: its traps, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from syncd.core.erasure import erased
from syncd.core.model import Remote, Removal, Values
from syncd.errors import NotFound, OutcomeUnknown, Rejected, Taken, Temporary, Throttled, Unauthorized
from syncd.providers import azotte_snapshot as snapshot
from syncd.providers import azotte_wire as wire
from syncd.providers.adapter import Settings
from syncd.providers.azotte import Azotte, build, mixed_up
from syncd.providers.azotte_options import Options
from syncd.providers.http import OPEN_GATE
from syncd.sandbox import azotte as sandbox
from syncd.sandbox.faults import Fault
from syncd.sandbox.kit import Server, Twin, serve
from tests.contract.behind import closed_behind

STORE = f"{sandbox.BASE}/customer/store"
UPDATE = f"{sandbox.BASE}/customer/update"
INFO = f"{sandbox.BASE}/customer/info"
TEMPLATE = {"companyName": "{company}", "taxNumber": "{vat_id}"}

ROW: Values = {
    "name": "Bäckerei Müller & Söhne GmbH",
    "first_name": "Jürgen",
    "last_name": "van 't Hoff-Weiß",
    "email": "jürgen@bäckerei-müller.example",
    "phone": "(0 89) 12 34 56 78",
    "street": "Straße des 17. Juni 135",
    "street2": "Hinterhaus",
    "postal_code": "80331",
    "city": "München",
    "country": "de",
    "vat_number": "DE136695976",
    "language": "de-AT",
    "active": True,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve([sandbox.create_app(sandbox.create_twin())]) as running:
        yield running


@pytest.fixture
def twin(server: Server) -> Twin:
    twin = server.twins["azotte"]
    twin.reset()
    return twin


@pytest.fixture
def adapter(server: Server, twin: Twin) -> Iterator[Azotte]:
    made = make(server)
    yield made
    made.close()


def options(**more: Any) -> Options:
    plain = {"api_key": sandbox.API_KEY, "tenant": sandbox.TENANT, "default_country": "DE", "default_language": "de"}
    return Options.model_validate(plain | more)


def make(server: Server, **more: Any) -> Azotte:
    return closed_behind(build(Settings("azotte", server.url("azotte"), options(**more), timeout=5.0), OPEN_GATE))


def created(adapter: Azotte, key: str = "K-1", **changes: Any) -> Remote:
    return adapter.create(key, adapter.project({**ROW, **changes}))


def sent(twin: Twin, route: str) -> dict[str, Any]:
    body = json.loads(twin.requests(route=route)[-1].body)
    assert isinstance(body, dict)
    return body


# ------------------------------------------------------------------------------------------------- projection


def test_projection_takes_the_forms_that_azotte_demands(adapter: Azotte) -> None:
    """Phone as E.164, street lines joined, country upper, language's first part; company data only with a template."""
    assert adapter.project(ROW) == {
        "first_name": "Jürgen",
        "last_name": "van 't Hoff-Weiß",
        "email": "jürgen@bäckerei-müller.example",
        "phone": "+498912345678",
        "street": "Straße des 17. Juni 135, Hinterhaus",
        "postal_code": "80331",
        "city": "München",
        "country": "DE",
        "language": "de",
        "active": True,
    }


def test_projection_knows_only_what_the_source_knows(adapter: Azotte) -> None:
    """A field that the source does not map is not invented, not even where a default would do."""
    assert adapter.project({"email": " a@b.example "}) == {"email": "a@b.example"}


def test_a_phone_that_is_none_is_left_out(adapter: Azotte) -> None:
    """What is no valid number is not sent, an empty one is known to be empty."""
    assert "phone" not in adapter.project({"phone": "nach 17 Uhr klingeln"})
    assert adapter.project({"phone": None}) == {"phone": None}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"email": "no at sign"}, "email"),
        ({"email": "two@at@signs.example"}, "email"),
        ({"country": "Deutschland"}, "country"),
        ({"language": "nds"}, "language"),
    ],
)
def test_rules_reject_by_field(adapter: Azotte, row: Values, field: str) -> None:
    """What Azotte would refuse is refused before it leaves, with the field and without the value."""
    with pytest.raises(Rejected) as refused:
        adapter.project(row)

    assert refused.value.field == field
    assert str(row[field]) not in str(refused.value)


@pytest.mark.parametrize("missing", ["country", "language"])
def test_a_region_needs_country_and_language(missing: str) -> None:
    """Without a value and without a default no region can be claimed; the setting that mends it is named."""
    with pytest.raises(Rejected, match=f"default_{missing}") as refused:
        wire.project({**ROW, missing: None}, options(**{f"default_{missing}": None}))

    assert refused.value.field == missing


def test_the_contact_person_is_split_only_where_there_are_no_names(adapter: Azotte) -> None:
    """The last blank divides; such names are composed and so never flow back."""
    assert adapter.project({"contact_person": "Anna Maria de Vries"}) == {
        "first_name": "Anna Maria de",
        "last_name": "Vries",
    }
    assert adapter.project({"contact_person": "Anna de Vries", "last_name": "Bakker"}) == {"last_name": "Bakker"}
    assert adapter.composed(frozenset({"contact_person"})) == {"first_name", "last_name"}
    assert adapter.composed(frozenset({"contact_person", "last_name", "street", "street2"})) == {"street"}


# -------------------------------------------------------------------------------------------- create and find


def test_create_sends_identity_region_and_nothing_more(adapter: Azotte, twin: Twin) -> None:
    """The documented keys only: no consents, no guessed company keys, `Individual` without a template."""
    remote = created(adapter)

    assert sent(twin, STORE) == {
        "customer": {
            "externalIdentifier": "K-1",
            "firstName": "Jürgen",
            "lastName": "van 't Hoff-Weiß",
            "email": "jürgen@bäckerei-müller.example",
            "phoneNumber": "+498912345678",
            "primaryBillingAddress": {
                "street": "Straße des 17. Juni 135, Hinterhaus",
                "postalCode": "80331",
                "city": "München",
                "countryCode": "DE",
            },
            "legalType": "Individual",
            "status": "Active",
        },
        "claimedRegion": {"countryCode": "DE", "languageCode": "de"},
    }
    assert (remote.external_id, remote.key, remote.archived) == ("cu.00.1", "K-1", False)
    assert {"language", "active", "name"}.isdisjoint(remote.values)


def test_the_tenants_api_key_and_name_go_along(adapter: Azotte, twin: Twin) -> None:
    """Both headers on every request, and no Content-Type where there is no body."""
    created(adapter)

    assert all(entry.headers["x-tn"] == sandbox.TENANT for entry in twin.log)
    assert twin.requests(route=INFO)[-1].headers["content-type"] == ""


def test_a_template_makes_companies_corporate(server: Server, twin: Twin) -> None:
    """A company is `Corporate` with the operator's keys; a private person of the same name stays `Individual`."""
    adapter = make(server, corporation_info_template=TEMPLATE)
    created(adapter)
    company = sent(twin, STORE)["customer"]
    created(adapter, "K-2", name="Jürgen van 't Hoff-Weiß", vat_number=None, email=None, phone=None)
    person = sent(twin, STORE)["customer"]

    assert company["legalType"] == "Corporate"
    assert company["corporationInfo"] == {"companyName": ROW["name"], "taxNumber": ROW["vat_number"]}
    assert person["legalType"] == "Individual"
    assert "corporationInfo" not in person
    created(adapter, "K-3", first_name=None, name="van 't Hoff-Weiß", vat_number=None, email=None, phone=None)
    assert sent(twin, STORE)["customer"]["legalType"] == "Individual"


def test_find_believes_only_our_exact_key(adapter: Azotte, twin: Twin) -> None:
    """A server that ignores case answers with somebody else's record: that is nobody of ours."""
    created(adapter, "k-1")
    twin.set(key_case="ignored")

    assert [remote.key for remote in adapter.find("k-1", {})] == ["k-1"]
    assert list(adapter.find("K-1", {})) == []


def test_find_quotes_awkward_keys(adapter: Azotte) -> None:
    """A key with every separator of a query string is still one key."""
    key = "Zürich & Söhne/№ 1?urn=cu.00.1#+%20"
    created(adapter, key)

    assert [remote.key for remote in adapter.find(key, {})] == [key]


def test_an_answer_without_a_key_proves_nothing(adapter: Azotte, twin: Twin) -> None:
    """A find whose answer does not show the key is an error, not an absence."""
    created(adapter)
    twin.faults.add(
        Fault("body", route=INFO, body='{"result":{"customerUrn":"cu.00.1"},"status":{"messageCode":"SUCCESS"}}')
    )

    with pytest.raises(Temporary):
        adapter.find("K-1", {})


def test_an_erased_record_without_a_key_is_not_ours(adapter: Azotte, twin: Twin) -> None:
    """Where an erasure takes our key away, the record is neither found nor in the way of reading."""
    created(adapter)
    result = '{"customerUrn":"cu.00.1","externalIdentifier":null}'
    twin.faults.add(Fault("body", route=INFO, body=f'{{"result":{result},"status":{{"messageCode":"SUCCESS"}}}}'))

    assert list(adapter.find("K-1", {})) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "number"),
        ({"key": "K-2"}, "email"),
        ({"key": "K-2", "email": "JÜRGEN@bäckerei-müller.example"}, "email"),
        ({"key": "K-2", "email": None}, "phone"),
    ],
)
@pytest.mark.parametrize("envelope", sandbox.TOGGLES["envelope"])
def test_what_is_unique_per_tenant_is_taken(
    adapter: Azotte, twin: Twin, envelope: str, changes: dict[str, Any], field: str
) -> None:
    """Key, e-mail and phone collide by field, whatever the HTTP status; nothing is written or overwritten."""
    created(adapter)
    twin.set(envelope=envelope)

    with pytest.raises(Taken) as taken:
        created(adapter, **{"key": "K-1", **changes})

    assert taken.value.field == field
    assert len(twin.records) == 1


def test_a_taken_email_may_be_left_out(server: Server, twin: Twin) -> None:
    """`omit_taken` sends a customer without what somebody else has, on create and on update, and never the key."""
    adapter = make(server, omit_taken=True)
    created(adapter)
    second = created(adapter, "K-2")
    with pytest.raises(Taken):
        created(adapter, "K-2")
    third = created(adapter, "K-3", email="drei@example.org", phone=None)
    after = adapter.update(third, {"email": ROW["email"], "city": "Wien"})

    assert (second.values["email"], second.values["phone"]) == (None, None)
    assert (after.values["email"], after.values["city"]) == ("drei@example.org", "Wien")
    with pytest.raises(Taken):
        adapter.update(after, {"email": ROW["email"]})


def test_other_tenants_are_invisible(server: Server, adapter: Azotte) -> None:
    """A urn of another tenant does not exist here, and its e-mail addresses do not collide."""
    other = make(server, api_key=sandbox.OTHER_KEY, tenant=sandbox.OTHER_TENANT)
    theirs = created(other)

    assert adapter.fetch(theirs.external_id) is None
    assert created(adapter).external_id != theirs.external_id
    other.close()


# --------------------------------------------------------------------------------------------------- updates


def test_the_region_is_claimed_again_only_when_it_changes(adapter: Azotte, twin: Twin) -> None:
    """It drives tax and currency: a new street does not touch it, a new country does."""
    remote = created(adapter)
    remote = adapter.update(remote, {"street": "Kanaaldijk 8", "country": "DE"})
    assert "claimedRegion" not in sent(twin, UPDATE)

    agreed = remote._replace(values={**remote.values, "language": "nl"})
    adapter.update(agreed, {"country": "NL"})
    assert sent(twin, UPDATE)["claimedRegion"] == {"countryCode": "NL", "languageCode": "nl"}


def test_a_language_alone_claims_the_region(adapter: Azotte, twin: Twin) -> None:
    """The language lives nowhere but in the claimed region, which needs the country too."""
    adapter.update(created(adapter), {"language": "nl"})

    assert sent(twin, UPDATE) == {
        "customer": {"customerUrn": "cu.00.1"},
        "claimedRegion": {"countryCode": "DE", "languageCode": "nl"},
    }


def test_an_address_goes_out_complete_with_what_we_do_not_know(adapter: Azotte, twin: Twin) -> None:
    """Replaced or merged is not documented, so a new city takes along the rest, an undocumented part included."""
    remote = created(adapter)
    twin.records["cu.00.1"]["primaryBillingAddress"]["state"] = "BY"
    current = adapter.fetch(remote.external_id)
    assert current is not None
    adapter.update(current, {"city": "Passau"})

    assert twin.records["cu.00.1"]["primaryBillingAddress"] == {
        "street": "Straße des 17. Juni 135, Hinterhaus",
        "postalCode": "80331",
        "city": "Passau",
        "countryCode": "DE",
        "state": "BY",
    }


def test_a_hidden_address_is_never_sent_in_part(adapter: Azotte, twin: Twin) -> None:
    """With a minimal snapshot a lone street could wipe the city: refused, unless what was agreed completes it."""
    twin.set(snapshot="minimal")
    remote = created(adapter)

    with pytest.raises(Rejected, match="address_mode") as refused:
        adapter.update(remote, {"street": "Neue Gasse 1"})
    assert refused.value.field == "street"
    assert not twin.requests(route=UPDATE)

    agreed = {"postal_code": "80331", "city": "München", "country": "DE"}
    adapter.update(remote._replace(values={**remote.values, **agreed}), {"street": "Neue Gasse 1"})
    assert twin.records["cu.00.1"]["primaryBillingAddress"] == {
        "street": "Neue Gasse 1", "postalCode": "80331", "city": "München", "countryCode": "DE",
    }  # fmt: skip


def test_a_confirmed_merge_needs_no_complete_address(server: Server, twin: Twin) -> None:
    """`address_mode = "merge"` sends the planned part alone."""
    twin.set(snapshot="minimal", address="merge")
    adapter = make(server, address_mode="merge")
    adapter.update(created(adapter), {"street": "Neue Gasse 1"})

    assert sent(twin, UPDATE)["customer"]["primaryBillingAddress"] == {"street": "Neue Gasse 1"}
    assert twin.records["cu.00.1"]["primaryBillingAddress"]["city"] == "München"


def test_what_the_snapshot_lacks_is_unknown(adapter: Azotte, twin: Twin) -> None:
    """The documented snapshot shows the e-mail only: nothing else is empty because of that."""
    twin.set(snapshot="minimal")

    assert created(adapter).values == {"email": ROW["email"]}


@pytest.mark.parametrize("shown", sandbox.TOGGLES["snapshot"])
def test_an_unclearable_field_is_not_sent_and_shown_as_it_is(adapter: Azotte, twin: Twin, shown: str) -> None:
    """By default nothing is cleared: no request leaves, and the answer is what Azotte holds, so nothing loops."""
    twin.set(snapshot=shown)
    remote = created(adapter)
    after = adapter.update(remote, {"email": None, "phone": None, "street": None})

    assert not adapter.capabilities.clears
    assert not twin.requests(route=UPDATE)
    assert after == remote
    assert after.values["email"] == ROW["email"]


@pytest.mark.parametrize(
    ("mode", "toggles", "phone", "street"),
    [
        ("null", {"null": "clear"}, None, None),
        ("null", {"null": "ignore"}, "+498912345678", None),
        ("empty", {}, None, None),
    ],
)
def test_clearing_reports_what_is_stored(
    server: Server, twin: Twin, mode: str, toggles: dict[str, str], phone: str | None, street: str | None
) -> None:
    """An operator's `clear_mode` is tried; what Azotte makes of it is what comes back."""
    adapter = make(server, clear_mode=mode)
    twin.set(**toggles)
    after = adapter.update(created(adapter), {"phone": None, "street": None})

    assert adapter.capabilities.clears
    assert (after.values["phone"], after.values.get("street")) == (phone, street)
    assert after.values["city"] == "München"


def test_an_empty_text_that_is_refused_is_rejected(server: Server, twin: Twin) -> None:
    """`clear_mode = "empty"` against an Azotte that refuses it parks the customer instead of repeating."""
    adapter = make(server, clear_mode="empty")
    twin.set(empty="refuse")
    remote = created(adapter)

    with pytest.raises(Rejected):
        adapter.update(remote, {"phone": None})


def test_status_is_sent_on_create_only(adapter: Azotte, twin: Twin) -> None:
    """Without the operator's word for "inactive", `active` neither goes out later nor comes back."""
    remote = created(adapter)
    twin.log.clear()
    adapter.update(remote, {"active": True})

    assert not twin.requests(route=UPDATE)
    assert adapter.project({"active": False}) == {}
    assert "active" not in remote.values


def test_a_configured_status_travels_both_ways(server: Server, twin: Twin) -> None:
    """With `inactive_status` both words are sent and read; a third one is unknown, not "inactive"."""
    adapter = make(server, inactive_status="Passive")
    remote = adapter.update(created(adapter), {"active": False})
    assert twin.records["cu.00.1"]["status"] == "Passive"
    assert remote.values["active"] is False

    assert adapter.update(remote, {"active": True}).values["active"] is True
    twin.edit("cu.00.1", status="UnderReview")
    seen = adapter.fetch("cu.00.1")
    assert seen is not None
    assert "active" not in seen.values


def test_company_data_changes_as_one_object(server: Server, twin: Twin) -> None:
    """A new VAT id takes the company name along; where that is not known, nothing is sent."""
    adapter = make(server, corporation_info_template=TEMPLATE)
    remote = created(adapter)
    with pytest.raises(Rejected, match="name"):
        adapter.update(remote, {"vat_number": "DE811569869"})

    agreed = remote._replace(values={**remote.values, "name": ROW["name"]})
    adapter.update(agreed, {"vat_number": "DE811569869"})
    assert twin.records["cu.00.1"]["corporationInfo"] == {"companyName": ROW["name"], "taxNumber": "DE811569869"}


def test_an_update_never_creates(adapter: Azotte, twin: Twin) -> None:
    """A urn that Azotte does not know is NotFound, never a new customer."""
    remote = created(adapter)
    twin.drop(remote.external_id)

    with pytest.raises(NotFound):
        adapter.update(remote, {"email": "neu@example.org"})
    assert not twin.records


# --------------------------------------------------------------------------------------------- anonymisation


@pytest.mark.parametrize("kind", sandbox.TOGGLES["anonymised"])
@pytest.mark.parametrize("shown", sandbox.TOGGLES["snapshot"])
def test_an_anonymised_record_gives_no_values(adapter: Azotte, twin: Twin, kind: str, shown: str) -> None:
    """However Azotte erases, nothing of it can reach the source, and repeating the erasure is success."""
    twin.set(anonymised=kind, snapshot=shown)
    remote = created(adapter)
    adapter.remove(remote, Removal.DELETE)
    adapter.remove(remote, Removal.DELETE)
    seen = adapter.fetch(remote.external_id)

    assert sent(twin, f"{sandbox.BASE}/customer/delete") == {"customerUuid": remote.external_id}
    assert seen is not None
    assert seen.values == {}
    assert seen.archived is (kind != "blank" or shown == "full")


@pytest.mark.parametrize("words", ["words", "some"])
def test_an_erasure_in_words_shows_what_a_person_is_asked_about(adapter: Azotte, twin: Twin, words: str) -> None:
    """Words that might be a name are shown as they are; by them the reader of the record knows that nobody is left."""
    twin.set(erased_as=words)
    remote = created(adapter)
    adapter.remove(remote, Removal.DELETE)
    seen = adapter.fetch(remote.external_id)
    assert seen is not None
    assert erased(seen.values)
    assert (seen.values["city"] is None) is (words == "words")


def test_a_salutation_and_an_own_field_go_both_ways(server: Server, twin: Twin) -> None:
    """`salutation` is a field; `gender`, whose words are Azotte's, may carry an own field."""
    adapter = make(server, extra={"gender": "x_gender"})
    assert "x_gender" in adapter.capabilities.fields
    remote = adapter.create("K-9", adapter.project({**ROW, "salutation": "Frau", "x_gender": "Female"}))
    stored = twin.records[remote.external_id]
    assert (stored["salutation"], stored["gender"]) == ("Frau", "Female")
    assert (remote.values["salutation"], remote.values["x_gender"]) == ("Frau", "Female")
    assert adapter.update(remote, {"x_gender": "Male"}).values["x_gender"] == "Male"


def test_a_taken_email_names_the_setting_that_would_help(adapter: Azotte) -> None:
    """Shared addresses are common among companies: `omit_taken` is named where it would help, and only there."""
    created(adapter)
    with pytest.raises(Taken, match="omit_taken = true"):
        created(adapter, "K-9")
    with pytest.raises(Taken) as caught:
        created(adapter)
    assert "omit_taken" not in caught.value.reason


def test_nothing_is_written_to_an_anonymised_record(adapter: Azotte, twin: Twin) -> None:
    """A person's data must not come back to a record that was erased."""
    remote = created(adapter)
    adapter.remove(remote, Removal.DELETE)
    seen = adapter.fetch(remote.external_id)
    assert seen is not None
    twin.log.clear()

    with pytest.raises(Rejected, match="anonymised"):
        adapter.update(seen, {"email": "wieder@example.org"})
    assert not twin.log


@pytest.mark.parametrize(
    "marks",
    [
        {"status": "Anonymised"},
        {"isDeleted": True},
        {"anonymizedAt": "2026-01-01"},
        {"externalIdentifier": None},
        {"email": "4f1c9b7a-9b7a-4f1c-8f4e-6f7c5a2b9d01", "firstName": "XXXX"},
    ],
)
def test_every_sign_of_an_erasure_counts(marks: dict[str, Any]) -> None:
    """A status, a flag, a key taken away, or masks where a person was."""
    record = {"customerUrn": "cu.1", "externalIdentifier": "K-1", "status": "Active", "email": "a@b.example"}
    assert not snapshot.anonymised(record)

    seen = snapshot.from_wire(record | marks, options())
    assert seen.archived
    assert seen.values == {}


@pytest.mark.parametrize(
    "person",
    [
        {"firstName": "Xx", "lastName": "Bakker"},
        {"email": "deleted@firma.example", "firstName": "Anna"},
        {"phoneNumber": "+498912345678"},
        {"email": "anonymous@firma.example"},
    ],
)
def test_odd_people_are_no_erasure(person: dict[str, Any]) -> None:
    """One strange value beside a real one is a person, not a mask."""
    assert not snapshot.anonymised({"customerUrn": "cu.1", "externalIdentifier": "K-1", "status": "Active"} | person)


def test_removal_needs_the_word_delete(adapter: Azotte, twin: Twin) -> None:
    """Azotte has no archive: nothing is anonymised by any other word; gone already is success."""
    remote = created(adapter)
    for how in (Removal.ARCHIVE, Removal.KEEP):
        with pytest.raises(Rejected):
            adapter.remove(remote, how)
    assert twin.writes() == 1

    twin.drop(remote.external_id)
    adapter.remove(remote, Removal.DELETE)


# ------------------------------------------------------------------------------------------------- envelopes


def enveloped(code: str) -> str:
    return json.dumps({"result": None, "status": {"messageCode": code}})


@pytest.mark.parametrize(
    ("status", "code", "reading", "writing"),
    [
        (200, "SQL_DATABASE_FAILURE", Temporary, OutcomeUnknown),
        (200, "INTERNAL_SERVER_ERROR", Temporary, OutcomeUnknown),
        (500, "SQL_DATABASE_FAILURE", Temporary, OutcomeUnknown),
        (200, "SOMETHING_NEW", Rejected, Rejected),
        (400, "SOMETHING_NEW", Rejected, Rejected),
        (400, "INVALID_REQUEST", Rejected, Rejected),
        (200, "UNAUTHORIZED", Unauthorized, Unauthorized),
        (200, "TOO_MANY_REQUESTS", Throttled, Throttled),
        (200, "", Temporary, OutcomeUnknown),
        (404, "", Temporary, Temporary),
    ],
)
def test_the_envelope_decides(
    adapter: Azotte, twin: Twin, status: int, code: str, reading: type[Exception], writing: type[Exception]
) -> None:
    """messageCode first, HTTP status second; a 2xx without the word SUCCESS is never a success."""
    remote = created(adapter)
    fault = Fault("body", status=status, body=enveloped(code) if code else '{"result":{}}')
    calls: list[tuple[Callable[[], object], type[Exception]]] = [
        (lambda: adapter.fetch(remote.external_id), reading),
        (lambda: adapter.find("K-1", {}), reading),
        (lambda: adapter.update(remote, {"email": "neu@example.org"}), writing),
        (lambda: adapter.remove(remote, Removal.DELETE), writing),
    ]
    for call, expected in calls:
        twin.faults.add(fault)
        with pytest.raises(expected):
            call()


def test_a_success_without_the_record_is_unknown(adapter: Azotte, twin: Twin) -> None:
    """SUCCESS without a customerUrn, or with another customer's, does not say what was written."""
    for result in (
        "null",
        "{}",
        '{"customerUrn":""}',
        '{"customerUrn":7}',
        '{"customerUrn":"cu.9","externalIdentifier":"X"}',
    ):
        body = f'{{"result":{result},"status":{{"messageCode":"SUCCESS"}}}}'
        twin.faults.add(Fault("body", route=STORE, body=body))
        with pytest.raises(OutcomeUnknown):
            created(adapter, f"K-{result}", email=None, phone=None)


def test_a_wrong_path_is_no_absence(server: Server, adapter: Azotte) -> None:
    """`/api/c2a` without v1 answers 404 without an envelope: that proves nothing about a customer."""
    remote = created(adapter)
    astray = make(server, base_path="/api/c2a")

    for call in (lambda: astray.fetch(remote.external_id), lambda: astray.find("K-1", {})):
        with pytest.raises(Temporary, match="base_path"):
            call()
    astray.close()


@pytest.mark.parametrize("wrong", [{"api_key": "sk_live_noordzee"}, {"tenant": sandbox.OTHER_TENANT}])
def test_a_401_without_a_body_pauses_the_lane(server: Server, twin: Twin, wrong: dict[str, str]) -> None:
    """A refused key or tenant concerns every customer."""
    adapter = make(server, **wrong)
    for call in (adapter.probe, lambda: adapter.fetch("cu.00.1"), lambda: created(adapter)):
        with pytest.raises(Unauthorized):
            call()


@pytest.mark.parametrize(("standard", "wait"), [(False, 7.0), (True, 9.0)])
def test_a_429_is_heeded_in_both_forms(adapter: Azotte, twin: Twin, standard: bool, wait: float) -> None:
    """`Retry-After` first, Azotte's own header where that is missing."""
    twin.faults.add(sandbox.throttled(standard_header=standard))

    with pytest.raises(Throttled) as throttled:
        adapter.fetch("cu.00.1")
    assert throttled.value.retry_after == wait


def test_a_throttle_told_in_the_envelope_is_heeded_for_as_long_as_it_says(adapter: Azotte, twin: Twin) -> None:
    """Business failures may come with HTTP 200; the header beside the envelope counts."""
    headers = {"X-RateLimit-Retry-After": "11"}
    told = json.dumps({"status": {"messageCode": "TOO_MANY_REQUESTS"}})
    twin.faults.add(Fault("status", status=200, headers=headers, body=told))

    with pytest.raises(Throttled) as throttled:
        adapter.fetch("cu.00.1")
    assert throttled.value.retry_after == 11.0


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"error": {"message": "jürgen@example.org", "details": {"field": "customer.phoneNumber"}}}, "phone"),
        ({"errors": {"jürgen@example.org": [], "Customer.PrimaryBillingAddress.City": ["jürgen"]}}, "city"),
        ({"status": {"messageCode": "INVALID_REQUEST", "errors": {"claimedRegion.languageCode": []}}}, "language"),
        ({"errors": ["jürgen"], "error": {"details": {"field": 7}}}, ""),
        ({"errors": {"jürgen": []}, "error": {"details": "jürgen"}}, ""),
    ],
)
def test_refusals_name_fields_never_values(adapter: Azotte, twin: Twin, said: dict[str, Any], field: str) -> None:
    """Azotte's own sentences may quote a customer: only names and codes are repeated, in whatever shape they come."""
    body = {"status": {"messageCode": "INVALID_REQUEST", "message": "jürgen@example.org is bad"}} | said
    twin.faults.add(Fault("body", route=STORE, status=400, body=json.dumps(body)))

    with pytest.raises(Rejected) as refused:
        created(adapter)
    assert refused.value.field == field
    assert "jürgen" not in str(refused.value)


def test_a_create_that_cannot_be_read_back_is_unknown(adapter: Azotte, twin: Twin) -> None:
    """The record was stored, but nobody saw how: look it up later, by our key, and do not store it again."""
    twin.faults.add(Fault("status", route=INFO, status=429))

    with pytest.raises(OutcomeUnknown):
        created(adapter)
    assert [remote.external_id for remote in adapter.find("K-1", {})] == ["cu.00.1"]


# ------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"default_country": "Germany"},
        {"default_language": "german"},
        {"corporation_info_template": {"companyName": "ACME"}},
        {"corporation_info_template": {"companyName": "{company.__class__}"}},
        {"corporation_info_template": {"companyName": "{company!r}"}},
        {"corporation_info_template": {"companyName": "{company"}},
        {"inactive_status": "active"},
        {"base_path": "api/v1"},
        {"tenant": ""},
        {"tennant": "x"},
    ],
)
def test_settings_refuse_what_cannot_be_meant(wrong: dict[str, Any]) -> None:
    """A template without a known placeholder, a path that is none, an unknown key: errors at start."""
    with pytest.raises(ValidationError):
        options(**wrong)


@pytest.mark.parametrize(
    ("url", "key", "hint"),
    [
        ("https://acme.azotte.com", "sk_dev_acme", "sandbox"),
        ("https://acme.sandbox.azotte.com", "sk_live_acme", "live"),
        ("https://acme.azotte.com", "sk_live_acme", ""),
        ("https://acme.sandbox.azotte.com", "sk_dev_acme", ""),
        ("http://127.0.0.1:8000", "sk_dev_acme", ""),
    ],
)
def test_a_key_of_the_other_environment_is_named(url: str, key: str, hint: str) -> None:
    """Keys belong to one environment; their prefix is only seen in samples, so it is said and not refused."""
    said = mixed_up(options(api_key=key), url)

    assert hint in said
    assert bool(said) is bool(hint)
    assert key not in said


def test_the_probe_asks_something_harmless(adapter: Azotte, twin: Twin) -> None:
    """`validate` needs key and tenant and changes nothing."""
    assert adapter.probe() == f"POST {sandbox.BASE}/customer/validate answers for this tenant"
    assert twin.writes() == 0


def test_the_sandbox_gets_the_slower_rate() -> None:
    """100 requests a minute on sandbox keys, 1 000 on live ones."""
    rates = []
    for url in ("https://acme.sandbox.azotte.com", "https://acme.azotte.com"):
        made = build(Settings("azotte", url, options(), timeout=5.0), OPEN_GATE)
        rates.append(made.capabilities.rate)
        made.close()

    assert rates == [1.0, 5.0]
