"""What only JTL-Wawi has: its traps, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from syncd.core.model import Cursor, Remote, Removal, Values
from syncd.errors import (
    NotFound,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    SettingsError,
    Stale,
    Taken,
    Temporary,
    Throttled,
    Unauthorized,
)
from syncd.providers import jtl_projection as projection
from syncd.providers import jtl_wire as wire
from syncd.providers.adapter import Settings
from syncd.providers.http import OPEN_GATE, Gate
from syncd.providers.jtl import Jtl, build
from syncd.providers.jtl_projection import Options
from syncd.sandbox import jtl as sandbox
from syncd.sandbox import jtl_door as door
from syncd.sandbox import jtl_rules as rules
from syncd.sandbox.faults import Fault
from syncd.sandbox.kit import Server, Twin, serve
from syncd.testing.row import StillClock
from tests.contract.behind import closed_behind

CUSTOMERS = "/erp/customers"
CUSTOMER = "/erp/customers/<customer_id>"
CRANE: Values = {
    "number": "K-40017",
    "name": "Kranbau Oster & Söhne GmbH",
    "first_name": "Ines",
    "last_name": "Oster",
    "email": "buchhaltung@kranbau-oster.example",
    "phone": "+49 30 1234560",
    "street": "Hafenweg 12a",
    "postal_code": "10317",
    "city": "Berlin",
    "country": "DE",
    "vat_number": "DE811569869",
    "language": "de",
    "birth_date": date(1985, 1, 1),
}
HOF: Values = {
    "number": "007",
    "name": "Saskia van 't Hof",
    "first_name": "Saskia",
    "last_name": "van 't Hof",
    "city": "'s-Hertogenbosch",
    "country": "NL",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve([sandbox.create_app(sandbox.create_twin(StillClock()))]) as running:
        yield running


@pytest.fixture
def twin(server: Server) -> Twin:
    twin = server.twins[sandbox.NAME]
    twin.reset()
    return twin


@pytest.fixture
def adapter(server: Server, twin: Twin) -> Jtl:
    return make(server)


def given(**more: Any) -> dict[str, Any]:
    """Settings of the cloud mode."""
    return {
        "client_id": door.CLIENT_ID,
        "client_secret": door.CLIENT_SECRET,
        "tenant_id": door.TENANT,
        "customer_group_id": 1,
        "internal_company_id": 2,
        "default_country": "DE",
        "default_language": "DE",
    } | more


def onprem(**more: Any) -> dict[str, Any]:
    """Settings of the server on the merchant's own machine."""
    return {"mode": "onprem", "api_key": door.API_KEY, "customer_group_id": 1, "internal_company_id": 1} | more


def make(
    server: Server,
    path: str = door.CLOUD,
    options: dict[str, Any] | None = None,
    gate: Gate = OPEN_GATE,
    **more: Any,
) -> Jtl:
    base = server.url(sandbox.NAME)
    told = options or given(token_url=base + door.TOKEN_ROUTE, **more)
    return closed_behind(build(Settings("jtl", base + path, Options.model_validate(told), timeout=2.0), gate))


def options(**more: Any) -> Options:
    return Options.model_validate(given(**more))


def created(adapter: Jtl, values: Values = CRANE) -> Remote:
    return adapter.create(str(values["number"]), adapter.project(values))


def last(twin: Twin, method: str) -> Any:
    """The body of the last such request."""
    return json.loads(twin.requests(method)[-1].body)


def plain(twin: Twin, number: int) -> None:
    """Some more customers, put there by hand."""
    for place in range(number):
        body = {"BillingAddress": {"City": "Köln", "CountryIso": "DE"}, "LanguageIso": "DE"}
        record = rules.created(body, f"N-{place}", twin.now(), twin.next_id)
        twin.records[str(record["Id"])] = record


# -- settings


@pytest.mark.parametrize(
    "more",
    [
        {"client_id": ""},
        {"client_secret": ""},
        {"tenant_id": None},
        {"tenant_id": "no uuid"},
        {"api_key": "x"},
        {"mode": "onprem"},
        {"path_prefix": "v1"},
        {"path_prefix": "/v1/"},
        {"default_country": "Germany"},
        {"customer_group_id": 0},
        {"customergroup": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(more: dict[str, Any]) -> None:
    """Each mode needs its own login and has no use for the other's."""
    with pytest.raises(ValidationError):
        options(**more)


def test_plain_http_is_for_the_merchants_own_network_only() -> None:
    """On premise JTL speaks http; a cloud token never travels over it."""
    build(
        Settings("jtl", "http://192.168.178.10:5883/api/Mandant_1", Options.model_validate(onprem())), OPEN_GATE
    ).close()
    with pytest.raises(SettingsError):
        build(Settings("jtl", "http://api.jtl-cloud.com/erp", options()), OPEN_GATE)


# -- login and headers


def test_one_token_serves_many_requests(adapter: Jtl, twin: Twin) -> None:
    """The token is kept as long as it is good, and every request carries the tenant, the app and the version."""
    created(adapter)
    adapter.probe()
    adapter.find("K-40017", {})

    assert len(twin.requests(route=door.TOKEN_ROUTE)) == 1
    for entry in twin.requests()[1:]:
        assert entry.headers["x-tenant-id"] == door.TENANT
        assert (entry.headers["x-appid"], entry.headers["x-appversion"]) == ("syncd/1.0.0", "1.0.0")
        assert entry.headers["api-version"] == "1.0"


def test_an_expired_token_is_renewed_once(adapter: Jtl, twin: Twin) -> None:
    """A 401 in the middle of a run costs one new token, not the customer."""
    adapter.probe()
    twin.faults.add(Fault("status", method="POST", route=CUSTOMERS, status=401))

    assert created(adapter).key == "K-40017"
    assert len(twin.requests(route=door.TOKEN_ROUTE)) == 2
    assert len(twin.records) == 1


def test_zitadel_wants_a_scope(server: Server, twin: Twin) -> None:
    """The newer login refuses a request without scope; the setting adds it."""
    twin.set(identity="zitadel")
    with pytest.raises(Unauthorized):
        make(server).probe()
    assert make(server, scope="openid").probe()


@pytest.mark.parametrize(("switch", "value"), [("licence", "missing"), ("scopes", "none")])
def test_licence_and_scopes_stop_the_lane(adapter: Jtl, twin: Twin, switch: str, value: str) -> None:
    """402 and 403 come without a body and are about us, never about a customer."""
    twin.set(**{switch: value})
    for act in (adapter.probe, lambda: adapter.fetch("1"), lambda: created(adapter)):
        with pytest.raises(Unauthorized):
            act()


@pytest.mark.parametrize("status", ["412", "401"])
def test_a_missing_tenant_is_a_mistake_in_the_settings(server: Server, twin: Twin, status: str) -> None:
    """A tenant that is not ours, or a header that is missing, is refused for every customer alike."""
    twin.set(missing_header=status)
    with pytest.raises(Unauthorized):
        make(server, tenant_id="00000000-0000-4000-8000-000000000000").probe()
    with pytest.raises(Unauthorized):
        make(server, app_version="2.0.0").probe()


def test_on_premise_takes_the_key_of_the_registration(server: Server, twin: Twin) -> None:
    """`Authorization: Wawi …`, without tenant and without any token request."""
    adapter = make(server, door.ONPREM, onprem(default_language="de"))
    remote = created(adapter)

    assert adapter.fetch(remote.external_id) == remote
    assert twin.log[0].headers["authorization"] == f"Wawi {door.API_KEY}"
    assert "x-tenant-id" not in twin.log[0].headers
    assert adapter.capabilities.rate > make(server).capabilities.rate


@pytest.mark.parametrize("path", ["/api/Eazybusiness", "/eazybusiness", "/api/eazybusiness/v9"])
def test_a_wrong_mandant_is_no_absence(server: Server, twin: Twin, path: str) -> None:
    """A path that does not exist says 404 about every customer; nobody may be taken for deleted."""
    adapter = make(server, path, onprem())
    for act in (lambda: adapter.fetch("1"), lambda: adapter.find("K-1", {}), adapter.probe, lambda: created(adapter)):
        with pytest.raises((Temporary, Unauthorized)):
            act()


@pytest.mark.parametrize(
    ("mode", "base", "documented", "other"),
    [("cloud", door.CLOUD, "", "/v1"), ("onprem", door.ONPREM, "/v1", "")],
)
def test_the_prefix_is_the_documented_one_of_the_mode(
    server: Server, twin: Twin, mode: str, base: str, documented: str, other: str
) -> None:
    """The cloud documents `/customers`, the server on premise `/v1/customers`; `path_prefix` says otherwise."""
    told = onprem(default_language="de") if mode == "onprem" else None
    adapter = make(server, base, told)
    assert adapter.fetch(created(adapter).external_id) is not None
    assert {e.path for e in twin.requests("POST")} - {door.TOKEN_ROUTE} == {f"{base}{documented}/customers"}

    twin.set(paths="other")
    with pytest.raises(Unauthorized, match=f'set path_prefix = "{other}"'):
        adapter.probe()
    more = {**(told or given(token_url=server.url(sandbox.NAME) + door.TOKEN_ROUTE)), "path_prefix": other}
    assert make(server, base, more).probe()


# -- absence


@pytest.mark.parametrize("shape", ["other", "sentence"])
def test_a_404_in_jtls_shape_is_absence_where_the_list_answers(adapter: Jtl, twin: Twin, shape: str) -> None:
    """Whatever code or sentence it holds: one customer is gone. Where the list does not answer it is an outage."""
    remote = created(adapter)
    twin.drop(remote.external_id)
    twin.set(not_found=shape)
    assert adapter.fetch(remote.external_id) is None
    with pytest.raises(NotFound):
        adapter.update(remote, {"city": "Bonn"})
    adapter.remove(remote, Removal.DELETE)

    twin.faults.add(Fault("status", method="GET", route=CUSTOMERS, status=404, times=0))
    with pytest.raises((Temporary, Unauthorized)):
        adapter.fetch(remote.external_id)


@pytest.mark.parametrize("body", ["", "<html>not found</html>", '{"title": "Not Found"}'])
def test_only_jtls_own_not_found_proves_absence(adapter: Jtl, twin: Twin, body: str) -> None:
    """A 404 of a proxy or a gateway says nothing about the customer, in reading as in writing."""
    remote = created(adapter)
    acts: dict[str, Callable[[], object]] = {
        "GET": lambda: adapter.fetch(remote.external_id),
        "PATCH": lambda: adapter.update(remote, {"city": "Bonn"}),
        "DELETE": lambda: adapter.remove(remote, Removal.DELETE),
    }
    for method, act in acts.items():
        twin.faults.add(Fault("status", method=method, route=CUSTOMER, status=404, body=body))
        with pytest.raises(ProviderError) as caught:
            act()
        assert not isinstance(caught.value, NotFound)


@pytest.mark.parametrize("spelling", ["pascal", "camel"])
def test_an_unknown_customer_is_absent(adapter: Jtl, twin: Twin, spelling: str) -> None:
    """NOT_FOUND in either spelling is the proof."""
    twin.set(spelling=spelling)
    remote = created(adapter)
    twin.records.clear()

    assert adapter.fetch(remote.external_id) is None
    with pytest.raises(NotFound):
        adapter.update(remote, {"city": "Bonn"})
    adapter.remove(remote, Removal.DELETE)
    adapter.remove(remote, Removal.ARCHIVE)


@pytest.mark.parametrize(
    "external_id", ["b45f6432-2462-4c6f-b00f-1d9d01000000", "K-1", "0", "-1", "٣", "", "2147483648"]
)
def test_an_id_of_another_generation_is_never_asked_for(adapter: Jtl, twin: Twin, external_id: str) -> None:
    """v1 counts, v2 has keys of its own for the same row: an id of the wrong kind proves nothing."""
    with pytest.raises(Rejected):
        adapter.fetch(external_id)
    assert not twin.requests()


# -- numbers


def test_a_number_is_compared_to_the_letter(adapter: Jtl, twin: Twin) -> None:
    """JTL's filter may mean "contains": K-1 is not K-10 and not k-1, and 007 is not 7."""
    twin.set(number_filter="contains")
    for number in ("K-10", "k-1", "AK-1", "007"):
        created(adapter, {**CRANE, "number": number})

    assert list(adapter.find("K-1", {})) == []
    assert list(adapter.find("7", {})) == []
    assert [remote.key for remote in adapter.find("007", {})] == ["007"]


def test_all_customers_of_one_number_are_shown(adapter: Jtl, twin: Twin) -> None:
    """Nothing forbids two customers with one number; they are found on all pages, and the caller decides."""
    twin.set(page_size="3", number_filter="ignored")
    one = created(adapter)
    plain(twin, 7)
    other = created(adapter)

    assert {remote.external_id for remote in adapter.find("K-40017", {})} == {one.external_id, other.external_id}


@pytest.mark.parametrize("unique", ["409", "400"])
def test_a_taken_number_names_its_holder(adapter: Jtl, twin: Twin, unique: str) -> None:
    """A refusal about the number is looked up, whatever its status; the holder is named, never overwritten."""
    holder = created(adapter)
    twin.set(unique_numbers=unique)
    with pytest.raises(Taken) as caught:
        created(adapter)
    assert (caught.value.field, caught.value.external_id) == ("number", holder.external_id)

    other = created(adapter, {**CRANE, "number": "K-2"})
    with pytest.raises(Taken) as caught:
        adapter.update(other, {"number": "K-40017"})
    assert caught.value.external_id == holder.external_id
    assert adapter.update(other, {"number": "K-3"}).key == "K-3"


def test_a_conflict_about_nobody_is_tried_again(adapter: Jtl, twin: Twin) -> None:
    """A create that nobody's number explains may have met somebody else's write; it was certainly not executed."""
    twin.faults.add(Fault("status", method="POST", route=CUSTOMERS, status=409))
    with pytest.raises(Temporary):
        created(adapter)


@pytest.mark.parametrize("key", ["", " K", "K ", "K\n1", "K" * 31])
def test_a_number_that_jtl_might_change_is_not_sent(adapter: Jtl, twin: Twin, key: str) -> None:
    """A trimmed or shortened number would never be found again, and each repeat would be one customer more."""
    assert not adapter.key_fits(key)
    with pytest.raises(Rejected) as caught:
        adapter.create(key, CRANE)
    assert caught.value.field == "number"
    assert not twin.requests()


def test_longer_numbers_are_a_setting(server: Server, twin: Twin) -> None:
    """JTL publishes no length; who knows better says so."""
    assert make(server, number_length=36).key_fits("9f0c1d3e-5a7b-4c2d-8e6f-0a1b2c3d4e5f")


def test_an_answer_with_another_number_is_not_ours(adapter: Jtl, twin: Twin) -> None:
    """A 201 that shows another number leaves the outcome unknown."""
    twin.faults.add(Fault("merge", method="POST", route=CUSTOMERS, patch={"Number": "K-4"}))
    with pytest.raises(OutcomeUnknown):
        created(adapter)


@pytest.mark.parametrize(("kind", "before"), [("status", 0), ("status-after", 1)])
def test_an_accepted_customer_that_is_not_the_only_one_is_unknown(
    adapter: Jtl, twin: Twin, kind: str, before: int
) -> None:
    """A 201 without a customer, and then nobody has the number, or two have: nobody knows which one it was."""
    for _ in range(before):
        created(adapter)
    twin.faults.add(Fault(kind, method="POST", route=CUSTOMERS, status=201))
    with pytest.raises(OutcomeUnknown):
        created(adapter)
    assert len(twin.records) == 2 * before


def test_a_number_is_never_emptied(adapter: Jtl, twin: Twin) -> None:
    """Every customer has one; a source that empties it changes nothing."""
    remote = created(adapter)
    assert "number" not in adapter.project({**CRANE, "number": None})
    assert adapter.update(remote, {"number": None, "city": "Bonn"}).key == "K-40017"


# -- writing


def test_a_create_holds_what_jtl_demands(adapter: Jtl, twin: Twin) -> None:
    """Group and company come from the settings; nothing is sent that we do not know."""
    created(adapter, HOF)
    assert last(twin, "POST") == {
        "Number": "007",
        "CustomerGroupId": 1,
        "InternalCompanyId": 2,
        "LanguageIso": "DE",
        "BillingAddress": {
            "FirstName": "Saskia",
            "LastName": "van 't Hof",
            "City": "'s-Hertogenbosch",
            "CountryIso": "NL",
        },
    }


def test_a_patch_holds_the_planned_members_only(adapter: Jtl, twin: Twin) -> None:
    """No ETag protects a PATCH, so it carries what is planned and nothing else."""
    remote = created(adapter)
    adapter.update(remote, {"street": "Kaistr. 3", "website": None, "birth_date": date(1990, 2, 28)})
    assert last(twin, "PATCH") == {
        "BillingAddress": {"Street": "Kaistr. 3"},
        "Website": "",
        "Birthday": "1990-02-28T00:00:00.0000000+00:00",
    }


def test_writes_never_start_workflows(adapter: Jtl, twin: Twin) -> None:
    """A workflow may send an e-mail to the customer."""
    remote = created(adapter)
    adapter.update(remote, {"city": "Bonn"})
    adapter.remove(remote, Removal.ARCHIVE)
    assert sandbox.workflows(twin) == 0
    assert twin.writes() == 3


@pytest.mark.parametrize("spelling", ["pascal", "camel"])
def test_a_server_that_replaces_addresses_is_found_out(adapter: Jtl, twin: Twin, spelling: str) -> None:
    """That PATCH merges inside an address is nowhere promised: what it wiped is put back, and not wiped again."""
    twin.set(address_patch="replace", spelling=spelling)
    remote = created(adapter)
    twin.records[remote.external_id]["BillingAddress"] |= {"Title": "Dr.", "FormOfAddress": "Frau"}
    current = adapter.fetch(remote.external_id)
    assert current is not None

    changed = adapter.update(current, {"street": "Kaistr. 3"})
    again = adapter.update(changed, {"city": "Bonn"})

    address = twin.records[remote.external_id]["BillingAddress"]
    assert again.values == {**current.values, "street": "Kaistr. 3", "city": "Bonn"}
    assert (address["Title"], address["FormOfAddress"]) == ("Dr.", "Frau")
    assert len(twin.requests("PATCH")) == 3


def test_a_wiped_address_that_is_not_put_back_is_an_unknown_outcome(adapter: Jtl, twin: Twin) -> None:
    """The first PATCH was executed, so a second one that is throttled is no "certainly not executed"."""
    twin.set(address_patch="replace")
    remote = created(adapter)
    twin.faults.add(Fault("status", method="PATCH", status=429, skip=1))
    with pytest.raises(OutcomeUnknown):
        adapter.update(remote, {"street": "Kaistr. 3"})


@pytest.mark.parametrize("nulls", ["ignored", "clears"])
def test_an_emptied_birthday_is_never_sent(adapter: Jtl, twin: Twin, nulls: str) -> None:
    """A date has no empty text and a null may be refused: the date stays, and the answer says so."""
    twin.set(null_patch=nulls)
    remote = created(adapter)
    assert adapter.update(remote, {"birth_date": None}).values["birth_date"] == date(1985, 1, 1)
    assert not twin.requests("PATCH")
    assert adapter.update(remote, {"birth_date": None, "city": "Bonn"}).values["city"] == "Bonn"
    assert last(twin, "PATCH") == {"BillingAddress": {"City": "Bonn"}}


@pytest.mark.parametrize("complaints", ["Errors", "aspnet"])
def test_a_refusal_names_the_field_wherever_it_stands(adapter: Jtl, twin: Twin, complaints: str) -> None:
    """Newer versions complain in `Errors`, and what ASP.NET refuses by itself stands in `errors`."""
    twin.set(complaints=complaints)
    remote = created(adapter)
    with pytest.raises(Rejected) as caught:
        adapter.update(remote, {"country": "GEHEIM"})
    assert caught.value.field == "country"
    assert "GEHEIM" not in caught.value.reason


def test_a_refusal_names_the_field_and_no_value(adapter: Jtl, twin: Twin) -> None:
    """JTL's own sentence quotes the value; ours names member, status and code."""
    remote = created(adapter)
    with pytest.raises(Rejected) as caught:
        adapter.update(remote, {"country": "GEHEIM"})
    assert caught.value.field == "country"
    assert caught.value.reason == "JTL-Wawi refuses BillingAddress.CountryIso (400 VALIDATION_ERROR)"


def test_a_refused_group_names_the_setting(server: Server, twin: Twin) -> None:
    """An unknown group is a mistake in the settings, not in the customer."""
    with pytest.raises(Rejected) as caught:
        created(make(server, customer_group_id=9))
    assert "customer_group_id" in caught.value.reason


def test_a_customer_in_use_is_not_deleted(adapter: Jtl, twin: Twin) -> None:
    """JTL keeps a customer who has orders; that is a refusal, not a failure."""
    remote = created(adapter)
    twin.set(in_use="yes")
    with pytest.raises(Rejected):
        adapter.remove(remote, Removal.DELETE)
    assert len(twin.records) == 1


def test_archiving_locks_and_changes_nothing_else(adapter: Jtl, twin: Twin) -> None:
    """IsLocked is all that an archived customer is."""
    remote = created(adapter)
    adapter.remove(remote, Removal.ARCHIVE)
    assert last(twin, "PATCH") == {"IsLocked": True}
    assert adapter.fetch(remote.external_id) is not None
    assert twin.records[remote.external_id]["IsLocked"] is True


# -- IsLocked


@pytest.mark.parametrize(("meaning", "archived"), [("ignored", False), ("inactive", False), ("archived", True)])
def test_a_lock_means_what_the_settings_say(server: Server, twin: Twin, meaning: str, archived: bool) -> None:
    """IsLocked blocks the online shops only: a locked customer is updated like any other, and stays locked."""
    adapter = make(server, is_locked=meaning)
    twin.records[created(adapter).external_id]["IsLocked"] = True
    (current,) = adapter.find("K-40017", {})
    assert current.archived is archived

    adapter.update(current, {"city": "Bonn"})
    assert twin.records[current.external_id]["IsLocked"] is True


def test_a_lock_is_left_alone_unless_asked_for(server: Server, twin: Twin) -> None:
    """IsLocked is the field `active` only where the settings say so."""
    plain_adapter, asked = make(server), make(server, is_locked="inactive")
    values: Values = {**CRANE, "active": False}
    assert "active" not in plain_adapter.capabilities.fields
    assert "active" not in plain_adapter.project(values)

    remote = created(asked, values)
    assert twin.records[remote.external_id]["IsLocked"] is True
    assert (remote.values["active"], remote.archived) == (False, False)
    assert asked.update(remote, {"active": True}).values["active"] is True


# -- projection


@pytest.mark.parametrize(
    ("field", "most"),
    [
        *(("name", 128), ("name2", 60), ("salutation", 30), ("title", 64), ("postal_code", 24), ("street", 255)),
        *(("phone", 30), ("mobile", 30), ("fax", 30), ("vat_number", 20), ("number", 30), ("city", 255)),
    ],
)
def test_published_lengths_are_refused_unsent(adapter: Jtl, twin: Twin, field: str, most: int) -> None:
    """What is longer than JTL publishes is refused with the field's name: older versions cut it off without a word."""
    assert adapter.project({**CRANE, field: "7" * most})[field] == "7" * most
    with pytest.raises(Rejected) as caught:
        adapter.project({**CRANE, field: "7" * (most + 1)})
    assert caught.value.field == field
    assert not twin.requests()


@pytest.mark.parametrize(("field", "most"), [("first_name", 126), ("last_name", 126), ("city", 64)])
def test_some_lengths_hold_for_a_create_only(adapter: Jtl, twin: Twin, field: str, most: int) -> None:
    """A name of 127 letters cannot be created, and is taken where the customer is there already."""
    with pytest.raises(Rejected) as caught:
        created(adapter, {**CRANE, field: "x" * (most + 1)})
    assert caught.value.field == field
    assert not twin.requests()
    remote = created(adapter, {**CRANE, field: "x" * most})
    assert adapter.update(remote, adapter.project({field: "x" * (most + 1)})).values[field] == "x" * (most + 1)


@pytest.mark.parametrize("country", ["Deutschland", "D", "DEU", "D1"])
def test_a_country_is_checked_unsent(adapter: Jtl, twin: Twin, country: str) -> None:
    """JTL would refuse it with a sentence of its own; plan shows it before."""
    with pytest.raises(Rejected) as caught:
        adapter.project({**CRANE, "country": country})
    assert caught.value.field == "country"


def test_a_number_that_somebody_has_is_not_sent(adapter: Jtl, twin: Twin) -> None:
    """Numbers are documented as unique, and some versions take one twice: the holder is named, nothing is written."""
    holder, remote = created(adapter), created(adapter, HOF)
    with pytest.raises(Taken) as caught:
        adapter.update(remote, {"number": "K-40017"})
    assert (caught.value.field, caught.value.external_id) == ("number", holder.external_id)
    assert not twin.requests("PATCH")


def test_a_conflict_about_this_record_is_nobodys_failure(adapter: Jtl, twin: Twin) -> None:
    """A 409 where nobody else has the number: the customer changed meanwhile and is read again."""
    remote = created(adapter)
    for method, act in (
        ("PATCH", lambda: adapter.update(remote, {"city": "Bonn"})),
        ("DELETE", lambda: adapter.remove(remote, Removal.DELETE)),
    ):
        twin.faults.add(Fault("status", method=method, route=CUSTOMER, status=409, body='{"ErrorCode": "CONFLICT"}'))
        with pytest.raises(Stale):
            act()


def test_workflows_can_be_left_on(server: Server, twin: Twin) -> None:
    """`workflows = true`: the merchant wants what JTL-Wawi does by itself."""
    adapter = make(server, workflows=True)
    adapter.update(created(adapter), {"city": "Bonn"})
    assert sandbox.workflows(twin) == 2


def test_price_groups_are_mapped_both_ways(server: Server, twin: Twin) -> None:
    """The source's word for a CustomerGroupId; a word or group that no entry names is neither sent nor pulled."""
    adapter = make(server, price_groups={"trade": 2, "retail": 1})
    assert "price_group" not in make(server).capabilities.fields
    assert adapter.project({**CRANE, "price_group": "vip"}).get("price_group") is None

    remote = created(adapter, {**CRANE, "price_group": "trade"})
    assert twin.records[remote.external_id]["CustomerGroupId"] == 2
    assert remote.values["price_group"] == "trade"
    assert adapter.update(remote, {"price_group": "retail"}).values["price_group"] == "retail"
    assert "price_group" not in make(server, price_groups={"vip": 7}).find("K-40017", {})[0].values


EXTRA = {
    "AccountsReceivableNumber": "x_debtor",
    "InitialContact": "x_contact",
    "IsCashRegisterBased": "x_pos",
}


def test_own_fields_go_both_ways(server: Server, twin: Twin) -> None:
    """A native member carries an own field as text: a number and a yes-or-no are written as what they are."""
    adapter = make(server, extra=EXTRA)
    assert adapter.capabilities.fields >= set(EXTRA.values())
    remote = created(adapter, {**CRANE, "x_debtor": "10017", "x_contact": "Messe", "x_pos": "1"})
    stored = twin.records[remote.external_id]
    assert {name: stored[name] for name in EXTRA} == {
        "AccountsReceivableNumber": 10017,
        "InitialContact": "Messe",
        "IsCashRegisterBased": True,
    }
    assert {name: remote.values[name] for name in EXTRA.values()} == {
        "x_debtor": "10017",
        "x_contact": "Messe",
        "x_pos": "true",
    }
    changed = adapter.update(remote, {"x_contact": None, "x_debtor": "10018"})
    assert (changed.values["x_contact"], changed.values["x_debtor"]) == (None, "10018")
    assert "x_debtor" not in adapter.project({**CRANE, "x_debtor": None})


@pytest.mark.parametrize(("field", "value"), [("x_debtor", "D-7"), ("x_debtor", str(2**31)), ("x_pos", "maybe")])
def test_an_own_field_that_does_not_fit_is_refused(server: Server, field: str, value: str) -> None:
    """A member that holds a number takes no words."""
    with pytest.raises(Rejected) as caught:
        make(server, extra=EXTRA).project({**CRANE, field: value})
    assert caught.value.field == field


def test_a_private_person_has_no_company(adapter: Jtl, twin: Twin) -> None:
    """A name that is the person's full name is no company, and reads back as the name."""
    remote = created(adapter, HOF)
    assert twin.records[remote.external_id]["BillingAddress"]["Company"] is None
    assert remote.values["name"] == "Saskia van 't Hof"

    firm = adapter.update(remote, {"name": "Hof Bloemen B.V."})
    assert twin.records[remote.external_id]["BillingAddress"]["Company"] == "Hof Bloemen B.V."
    person = adapter.update(firm, {"name": "Saskia Hof", "last_name": "Hof"})
    assert twin.records[remote.external_id]["BillingAddress"]["Company"] == ""
    assert person.values["name"] == "Saskia Hof"


def test_a_contact_person_fills_in_for_missing_names() -> None:
    """First and last name come from the contact person only where the source knows neither."""
    values: Values = {"name": "Hof Bloemen B.V.", "contact_person": "Saskia van 't Hof"}
    assert projection.project(values, options()) == {
        "name": "Hof Bloemen B.V.",
        "first_name": "Saskia",
        "last_name": "van 't Hof",
    }
    assert projection.composed(frozenset(values)) == {"first_name", "last_name"}
    assert projection.composed(frozenset({*values, "last_name"})) == frozenset()


@pytest.mark.parametrize(
    ("tag", "iso", "seen"),
    [
        ("de", "DE", "de"),
        ("de_AT", "AT", "de-AT"),
        ("en-GB", "UK", "en"),
        ("nl-NL", "NL", "nl"),
        ("EN", "UK", "en"),
        (None, "DE", "de"),
    ],
)
def test_a_language_comes_back_as_it_was_projected(
    server: Server, twin: Twin, tag: str | None, iso: str, seen: str
) -> None:
    """The language part in capitals, unless the settings have another word."""
    adapter = make(server, languages={"de-AT": "at", "en": "UK"})
    projected = adapter.project({**CRANE, "language": tag})
    remote = adapter.create("K-1", projected)
    assert projected["language"] == seen
    assert remote.values["language"] == seen
    assert twin.records[remote.external_id]["LanguageIso"] == iso


@pytest.mark.parametrize(
    ("field", "setting"), [("country", "default_country"), ("language", "default_language"), ("city", "city")]
)
def test_what_jtl_demands_is_refused_beforehand(server: Server, twin: Twin, field: str, setting: str) -> None:
    """A customer without country, language or city is refused with the setting that would help, and not sent."""
    adapter = make(server, default_country="", default_language="")
    with pytest.raises(Rejected) as caught:
        adapter.project({**CRANE, field: None})
    assert caught.value.field == field
    assert setting in caught.value.reason
    without = {name: value for name, value in CRANE.items() if name != field}
    assert field not in adapter.project(without)
    with pytest.raises(Rejected):
        adapter.create("K-1", adapter.project(without))
    assert not twin.requests()


# -- reading


def test_dates_are_read_without_moving_between_zones() -> None:
    """Only the date part counts; the year 1 is .NET's nothing; what cannot be read leaves this field unknown."""
    assert read(Birthday="1985-01-01T00:00:00.0000000+01:00").values["birth_date"] == date(1985, 1, 1)
    assert read(Birthday="0001-01-01T00:00:00").values["birth_date"] is None
    assert read(Birthday=None).values["birth_date"] is None
    assert "birth_date" not in read().values
    for wrong in ("1985-13-01T00:00:00", "yesterday", 19850101):
        assert read(Birthday=wrong, Website="https://a.example").values == {"website": "https://a.example"}


@pytest.mark.parametrize(
    ("told", "day"),
    [
        ("1984-12-31T23:00:00Z", date(1985, 1, 1)),
        ("1985-06-30T22:00:00.0000000+00:00", date(1985, 7, 1)),
        ("1985-01-01T00:00:00.0000000+00:00", date(1985, 1, 1)),
        ("1985-01-01T05:00:00Z", date(1985, 1, 1)),
        ("1985-01-01T23:00:00+01:00", date(1985, 1, 1)),
        ("9999-12-31T23:00:00Z", date(9999, 12, 31)),
    ],
)
def test_a_birthday_told_in_utc_is_not_a_day_early(told: str, day: date) -> None:
    """The midnight of the merchant's zone is some hours beside that of UTC: the nearest one is meant."""
    assert read(Birthday=told).values["birth_date"] == day


def test_an_absent_member_is_unknown() -> None:
    """JTL leaves out what is empty in some versions; unknown is not empty."""
    assert read().values == {}
    assert read(BillingAddress=None, Website="").values == {"website": None}


@pytest.mark.parametrize("wrong", [5123.0, "5123", True, None])
def test_an_id_that_is_no_integer_is_refused(wrong: object) -> None:
    """An id that was a float once may have lost digits."""
    with pytest.raises(wire.Malformed):
        read(Id=wrong)


def read(**members: object) -> Remote:
    return wire.from_wire({"Id": 1, **members}, {}, is_locked="ignored")


# -- listing


def test_the_filter_is_used_where_the_server_knows_it(adapter: Jtl, twin: Twin) -> None:
    """The next scan reads what changed since the server's own clock at the last one's beginning, with an overlap."""
    old, new = created(adapter), created(adapter, HOF)
    (page,) = adapter.scan(None)
    twin.records[old.external_id]["LastChange"] = "2020-01-01T00:00:00.0000000+00:00"
    assert page.since == "2026-03-01T09:00:00+00:00"

    (changed,) = adapter.scan(Cursor(since=page.since))
    assert [remote.external_id for remote in changed.remotes] == [new.external_id]


def test_a_server_that_overlooks_the_filter_is_read_whole(adapter: Jtl, twin: Twin) -> None:
    """Versions before 1.2 show everybody, which is found out once and then not taken for the changed ones."""
    twin.set(version="1.0")
    created(adapter)
    for _ in range(2):
        (page,) = adapter.scan(Cursor(since="2026-03-01T09:00:00+00:00"))
        assert len(page.remotes) == 1
        assert page.since == ""
    asked = [entry for entry in twin.requests("GET", CUSTOMERS) if "lastChangeFrom" in entry.query]
    assert len(asked) == 1


@pytest.mark.parametrize("body", ["{}", '{"Timestamp": "soon"}', '{"Timestamp": "0001-01-01T00:00:00"}'])
def test_without_the_servers_clock_everything_is_read(adapter: Jtl, twin: Twin, body: str) -> None:
    """Our own clock is never compared with theirs."""
    twin.faults.add(Fault("body", route="/erp/info", body=body))
    (page,) = adapter.scan(None)
    assert page.since == ""


def test_a_customer_deleted_meanwhile_hides_nobody(adapter: Jtl, twin: Twin) -> None:
    """Pages are counted: a deletion moves the rest one place up, and the scan steps back."""
    twin.set(page_size="3")
    plain(twin, 9)
    everybody = list(twin.records)
    pages = adapter.scan(None)
    seen = [remote.external_id for remote in next(pages).remotes]
    twin.drop(everybody[0])
    seen += [remote.external_id for page in pages for remote in page.remotes]
    assert set(seen) == set(everybody)


def test_a_customer_added_meanwhile_disturbs_nothing(adapter: Jtl, twin: Twin) -> None:
    """Where the newest come first, a new customer moves the others back; all who were there are seen."""
    twin.set(page_size="3", order="newest")
    plain(twin, 9)
    everybody = set(twin.records)
    pages = adapter.scan(None)
    seen = [remote.external_id for remote in next(pages).remotes]
    created(adapter)
    seen += [remote.external_id for page in pages for remote in page.remotes]
    assert set(seen) == everybody


def test_a_resumed_scan_knows_what_it_has_missed(adapter: Jtl, twin: Twin) -> None:
    """The cursor carries the number of customers, so that a deletion between two runs hides nobody either."""
    twin.set(page_size="3")
    plain(twin, 9)
    everybody = list(twin.records)
    first = next(adapter.scan(None))
    seen = [remote.external_id for remote in first.remotes]
    twin.drop(everybody[0])
    seen += [remote.external_id for page in adapter.scan(first.cursor) for remote in page.remotes]
    assert set(seen) == set(everybody)


@pytest.mark.parametrize(
    "patch",
    [
        {"PageNumber": 1},
        {"HasNextPage": False},
        {"HasNextPage": "yes"},
        {"TotalPages": 1},
        {"Items": None},
        {"Items": []},
        {"TotalItems": "9"},
    ],
)
def test_half_a_list_never_passes_for_a_whole_one(adapter: Jtl, twin: Twin, patch: dict[str, Any]) -> None:
    """Pages that repeat, end too early or contradict themselves are a failed reading."""
    twin.set(page_size="3")
    plain(twin, 9)
    twin.faults.add(Fault("merge", route=CUSTOMERS, skip=2, patch=patch))
    with pytest.raises(Temporary):
        list(adapter.scan(None))


def test_a_list_without_has_next_page_is_read_to_its_end(adapter: Jtl, twin: Twin) -> None:
    """Where a page tells only what is promised (TotalItems, PageNumber, PageSize, Items), the total tells the end; and
    a list that is shorter than that is no whole one."""
    twin.set(envelope="promised", page_size="3")
    plain(twin, 7)
    assert len([remote for page in adapter.scan(None) for remote in page.remotes]) == 7
    assert len(adapter.find("10003", {})) <= 1
    twin.faults.add(Fault("merge", route=CUSTOMERS, skip=2, patch={"Items": []}))
    with pytest.raises(Temporary):
        list(adapter.scan(None))


def test_a_list_that_is_shorter_than_it_says_is_refused(adapter: Jtl, twin: Twin) -> None:
    """Fewer customers than the total at the end of a list from its beginning: some slipped through."""
    plain(twin, 3)
    twin.faults.add(Fault("merge", route=CUSTOMERS, skip=1, patch={"TotalItems": 4}))
    with pytest.raises(Temporary):
        list(adapter.scan(None))


# -- the rate


class Listener:
    """A gate that keeps what it is told."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def admit(self, endpoint: str) -> None:
        """At once."""

    def observe(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        interval = headers["x-ratelimit-interval-length-seconds"]
        self.left.append(f"{status}: {headers['x-ratelimit-remaining']} left in {interval} s")


def test_the_cloud_tells_its_limit_with_every_answer(server: Server, twin: Twin) -> None:
    """The lane learns the pace from these headers; a 429 comes without Retry-After and was not executed."""
    twin.set(rate_limit="on")
    gate = Listener()
    adapter = make(server, gate=gate)
    for _ in range(10):
        adapter.probe()
    with pytest.raises(Throttled) as caught:
        created(adapter)
    adapter.close()

    assert caught.value.retry_after is None
    assert (gate.left[0], gate.left[9]) == ("200: 9 left in 45 s", "200: 0 left in 45 s")
    assert gate.left[10].startswith("429")
    assert not twin.records
