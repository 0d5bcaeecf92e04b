"""What only Billbee has: its texts, its lists under change, and the rules of its stand-in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from syncd.core.model import Removal
from syncd.core.normalise import equal, text
from syncd.errors import LeaseLost, OutcomeUnknown, Rejected, Stopped, Temporary
from syncd.providers import billbee
from syncd.providers import billbee_reading as reading
from syncd.providers import billbee_wire as wire
from syncd.providers.adapter import Settings
from syncd.providers.billbee_text import join_street, joined, split_person, split_street
from syncd.providers.http import OPEN_GATE, Gate
from syncd.sandbox import billbee as sandbox
from syncd.sandbox.kit import Server, Twin, serve
from syncd.testing.row import StillClock
from tests.contract.behind import closed_behind

LOGIN = b64encode(f"{sandbox.USER}:{sandbox.PASSWORD}".encode()).decode()
HEADERS = {"X-Billbee-Api-Key": sandbox.API_KEY, "Authorization": f"Basic {LOGIN}", "Accept": "application/json"}
CUSTOMERS = "/api/v1/customers"


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def server(clock: StillClock) -> Iterator[Server]:
    with serve([sandbox.create_app(sandbox.create_twin(clock))]) as running:
        yield running


@pytest.fixture
def twin(server: Server) -> Twin:
    return server.twins[sandbox.NAME]


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    """Somebody who speaks to the stand-in directly."""
    with httpx.Client(base_url=server.url(sandbox.NAME), headers=HEADERS, trust_env=False) as client:
        yield client


def options(**given_: Any) -> billbee.Options:
    return billbee.Options.model_validate({"api_key": "k", "user": "u@x.example", "password": "p"} | given_)


def make(server: Server, gate: Gate = OPEN_GATE, *, page_size: int = 2) -> billbee.Billbee:
    made = billbee.build(
        Settings(
            "billbee",
            server.url(sandbox.NAME),
            options(api_key=sandbox.API_KEY, user=sandbox.USER, password=sandbox.PASSWORD),
            5.0,
        ),
        gate,
    )
    return closed_behind(billbee.Billbee(made._http, wire.Words(), page_size=page_size))


class Meddling:
    """A gate that lets something happen at Billbee right before the nth request to an endpoint."""

    def __init__(self, endpoint: str, acts: Mapping[int, Callable[[], object]]) -> None:
        self._endpoint = endpoint
        self._acts = acts
        self.seen = 0

    def admit(self, endpoint: str) -> None:
        if endpoint == self._endpoint:
            self.seen += 1
            self._acts.get(self.seen, lambda: None)()

    def observe(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        """Nothing to learn."""


def fill(api: httpx.Client, *numbers: int) -> list[str]:
    return [str(data(api.post(CUSTOMERS, json={"Name": f"K {n}", "Number": n}))["Id"]) for n in numbers]


def data(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["Data"]


# -- texts


@given(st.text("abcß 0123456789-/.,ÄII\n", max_size=40))
def test_a_street_line_survives_its_split(line: str) -> None:
    """Whatever a source calls a street, joining its parts gives it back in comparison form."""
    assert equal("street", join_street(*split_street(line)), text(line))


@given(st.text("abc von 'tÄ.", max_size=30))
def test_a_person_survives_the_split(person: str) -> None:
    """First and last name, joined, are the contact person again."""
    assert equal("contact_person", joined(*split_person(person)), text(person))


def test_a_long_street_is_split_in_no_time() -> None:
    """The pattern is linear enough for a field that holds a novel."""
    assert split_street("a 1" * 20_000 + " 5") == ("a 1" * 20_000, "5")


@pytest.mark.parametrize(
    ("person", "parts"),
    [
        ("Ines Oster", ("Ines", "Oster")),
        ("Oster", (None, "Oster")),
        ("Ines van der Oster", ("Ines", "van der Oster")),
        ("Dr. Hans Peter von Ahn", ("Dr. Hans Peter", "von Ahn")),
        (None, (None, None)),
    ],
)
def test_a_contact_person_becomes_two_names(person: str | None, parts: tuple[str | None, str | None]) -> None:
    """A last name begins at its particle, else it is the last word."""
    assert split_person(person) == parts


# -- projection and options


def test_a_language_needs_a_number_from_the_settings() -> None:
    """Billbee's numbers are published nowhere: what the settings do not map is not sent, nor read."""
    words = wire.Words({"de": 1, "en": 2, "de-AT": 1})
    project = {tag: wire.project({"language": tag}, words).get("language") for tag in ("de-CH", "DE_at", "en", "fr")}
    assert project == {"de-CH": "de", "DE_at": "de", "en": "en", "fr": None}
    assert wire.project({"language": "fr"}, words) == wire.project({"language": None}, words) == {}
    assert reading.from_wire({"LanguageId": 1}, {}, words)["language"] == "de"
    assert "language" not in reading.from_wire({"LanguageId": 9}, {}, words)


def test_price_groups_are_the_settings_own() -> None:
    """A word without a number in the settings is not sent, a number without a word is unknown; without a table the
    field is not Billbee's at all."""
    words = wire.Words(price_groups={"retail": 4, "wholesale": 2**40})
    assert wire.project({"price_group": "wholesale"}, words) == {"price_group": "wholesale"}
    assert wire.project({"price_group": "staff"}, words) == wire.project({"price_group": None}, words) == {}
    assert wire.new_customer("1", {"price_group": "wholesale"}, words)["PriceGroupId"] == 2**40
    assert reading.from_wire({"PriceGroupId": 4}, {}, words)["price_group"] == "retail"
    assert "price_group" not in reading.from_wire({"PriceGroupId": 9}, {}, words)
    assert "price_group" in words.fields
    assert "price_group" not in wire.Words().fields


def test_the_main_address_is_no_invoice_address_of_its_own() -> None:
    """Both sides say "none" of an address that only repeats the main one; an odd entry says nothing."""
    words = wire.Words(extra={"DefaultStatusUpdatesMailAddress": "x_status"})
    row = {"email": "a@X.example", "invoice_email": "a@x.example", "x_status": "s@x.example"}
    projection = wire.project(row, words)
    assert (projection["invoice_email"], projection["x_status"]) == (None, "s@x.example")
    shown = {"Email": "a@x.example", "DefaultCommercialMailAddress": {"Value": "a@X.example"}}
    assert reading.from_wire(shown, {}, words)["invoice_email"] is None
    odds: tuple[Any, ...] = ("a@x.example", {"Value": 5}, {}, [])
    for odd in odds:
        assert "invoice_email" not in reading.from_wire({**shown, "DefaultCommercialMailAddress": odd}, {}, words)


def test_what_billbee_has_no_field_for_is_left_out() -> None:
    """Tax number, register number, website, birthday and the active flag stay in the source."""
    row = dict.fromkeys(("tax_number", "register_number", "website", "birth_date", "active"), None)
    assert wire.project(row, wire.Words()) == {}


def test_a_contact_person_gives_way_to_a_known_person() -> None:
    """First and last name of the source fill the address; its contact person has no second place there."""
    row = {"name": "X AG", "first_name": "Ines", "last_name": "Oster", "contact_person": "Ute Ahn"}
    assert wire.project(row, wire.Words()) == {"name": "X AG", "first_name": "Ines", "last_name": "Oster"}


@pytest.mark.parametrize(
    ("row", "field"), [({"country": "DEU"}, "country"), ({"city": "a\0b"}, "city"), ({"name": "\ud800"}, "name")]
)
def test_what_cannot_be_held_is_refused(row: dict[str, str], field: str) -> None:
    """A refusal names the field and holds no value."""
    with pytest.raises(Rejected) as caught:
        wire.project(row, wire.Words())

    assert caught.value.field == field
    assert row[field] not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": "Schlüssel"},
        {"api_key": "a b"},
        {"user": "a:b"},
        {"user": ""},
        {"password": ""},
        {"languages": {"de": "1"}},
        {"languages": {"de": 0}},
        {"languages": {"de": 2**31}},
        {"price_groups": {"retail": "4"}},
        {"price_groups": {"retail": 2**63}},
        {"token": "x"},
    ],
)
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    """What a header cannot hold, a login with a colon, an id that is none: told before the first request."""
    with pytest.raises(ValidationError) as caught:
        options(**wrong)

    assert "Schlüssel" not in str(caught.value)


def test_the_password_may_hold_anything(server: Server) -> None:
    """Colons and umlauts of a password survive the Basic header; the sandbox's own has both."""
    assert ":" in sandbox.PASSWORD
    assert "0 customers" in make(server).probe()


def test_nothing_can_be_removed(server: Server) -> None:
    """There is no deletion over there, and `ArchivedAt` is never written."""
    adapter = make(server)
    remote = adapter.create("1", {"name": "X"})
    with pytest.raises(Rejected):
        adapter.remove(remote, Removal.ARCHIVE)


# -- lists that change while they are read


def test_a_growing_list_needs_two_passes_that_agree(server: Server, api: httpx.Client) -> None:
    """A shop gets customers all the time: additions do not keep a look-up from an answer."""
    fill(api, 1, 2, 3)
    gate = Meddling("GET /api/v1/customers", {n: lambda n=n: fill(api, 100 + n) for n in (2, 4, 6)})  # type: ignore[misc]

    assert make(server, gate).find("77", {}) == []
    assert gate.seen >= 5


def test_a_steady_list_is_read_once(server: Server, api: httpx.Client) -> None:
    """Without changes one pass decides: a call for each page."""
    fill(api, 1, 2, 3)
    gate = Meddling("GET /api/v1/customers", {})

    assert [found.key for found in make(server, gate).find("3", {})] == ["3"]
    assert gate.seen == 2


def test_a_merge_during_a_look_up_hides_nobody(server: Server, api: httpx.Client, twin: Twin) -> None:
    """The first customer disappears after the first page was read, and ours slips onto it: read again."""
    first, *_ = fill(api, 1, 2, 3, 4)
    gate = Meddling("GET /api/v1/customers", {2: lambda: twin.drop(first)})

    assert [found.key for found in make(server, gate).find("3", {})] == ["3"]


def test_a_list_that_never_holds_still_is_no_answer(server: Server, api: httpx.Client, twin: Twin) -> None:
    """A shrinking list proves no absence, however often it is read."""
    fill(api, *range(1, 30))
    shrinking = {number: lambda: twin.drop(min(twin.records)) for number in range(1, 30)}

    with pytest.raises(Temporary):
        make(server, Meddling("GET /api/v1/customers", shrinking)).find("77", {})
    with pytest.raises(Temporary):
        list(make(server, Meddling("GET /api/v1/customers", shrinking)).scan(None))


def test_a_scan_reads_the_addresses_once(server: Server, api: httpx.Client) -> None:
    """One list of addresses in front of all pages, not a call for each customer."""
    fill(api, *range(1, 8))
    calls: list[str] = []

    class Counting:
        def admit(self, endpoint: str) -> None:
            calls.append(endpoint)

        def observe(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
            """Nothing to learn."""

    assert sum(len(page.remotes) for page in make(server, Counting(), page_size=250).scan(None)) == 7
    assert calls == ["GET /api/v1/customer-addresses", "GET /api/v1/customers"]


# -- an update that ends in the middle


@pytest.mark.parametrize(("stop", "seen"), [(Stopped, OutcomeUnknown), (LeaseLost, LeaseLost)])
def test_asked_to_end_between_the_halves(
    server: Server, api: httpx.Client, stop: type[Exception], seen: type[Exception]
) -> None:
    """Between customer and address an update is unknown, not unsent; only a lost lease ends everything at once."""
    before = make(server).create("5", {"name": "X", "city": "Ulm"})

    def end() -> None:
        raise stop("end")

    adapter = make(server, Meddling("PATCH /api/v1/customers/addresses/{id}", {1: end}))
    with pytest.raises(seen):
        adapter.update(before, {"email": "a@b.example", "city": "Bonn"})
    with pytest.raises(stop):
        make(server, Meddling("PATCH /api/v1/customers/addresses/{id}", {1: end})).update(before, {"city": "Bonn"})


# -- the stand-in's own rules


@pytest.mark.parametrize("left_out", ["X-Billbee-Api-Key", "Authorization"])
def test_both_credentials_are_needed(api: httpx.Client, left_out: str) -> None:
    """Key and login together, on every call."""
    del api.headers[left_out]
    answer = api.get(CUSTOMERS)

    assert (answer.status_code, answer.json()["Message"][:13]) == (401, "Authorization")


@pytest.mark.parametrize(("method", "path", "status"), [
    ("DELETE", f"{CUSTOMERS}/1", 405), ("PATCH", f"{CUSTOMERS}/1", 405), ("GET", "/api/v1/nothing", 404),
    ("GET", "/customers", 404), ("POST", "/api/v1/batch", 404),
])  # fmt: skip
def test_what_does_not_exist(api: httpx.Client, method: str, path: str, status: int) -> None:
    """No deletion, no PATCH of a customer, no other path."""
    assert api.request(method, path).status_code == status


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"Number": 2**31}, "model.Number"),
        ({"Number": "K-1"}, "model.Number"),
        ({"Number": None}, "model.Number"),
        ({"Email": 5}, "model.Email"),
        ({"ArchivedAt": "gestern"}, "model.ArchivedAt"),
        ({"MetaData": [{"Id": None, "TypeId": 1}]}, "model.MetaData[0].Id"),
        ({"MetaData": {}}, "model.MetaData"),
        ({"Address": {"City": "Ulm"}}, "model.Address.AddressType"),
        ({"Address": {"AddressType": 3}}, "model.Address.AddressType"),
    ],
)
def test_models_are_checked(api: httpx.Client, body: dict[str, Any], place: str) -> None:
    """Types, ranges and nulls are refused in ASP.NET's shape, with the place."""
    answer = api.post(CUSTOMERS, json=body)

    assert (answer.status_code, list(answer.json()["ModelState"])) == (400, [place])


def test_a_body_is_json(api: httpx.Client) -> None:
    """Another content type, or what is no JSON, is refused."""
    assert api.post(CUSTOMERS, content="{}", headers={"Content-Type": "text/plain"}).status_code == 415
    answer = api.post(CUSTOMERS, content="{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, "ModelState" in answer.json()) == (400, True)


def test_without_a_wish_for_json_there_is_xml(api: httpx.Client) -> None:
    """An Accept that lacks JSON is answered in XML."""
    answer = api.get(CUSTOMERS, headers={"Accept": "text/html"})

    assert answer.headers["Content-Type"].startswith("application/xml")


def test_a_post_is_not_idempotent(api: httpx.Client, twin: Twin) -> None:
    """The same number twice is two customers; without one, the next is given; a client's id is overlooked."""
    fill(api, 7, 7)
    made = data(api.post(CUSTOMERS, json={"Name": "X", "Id": 5, "TypeName": "x", "Unknown": 1}))

    assert len(twin.records) == 3
    assert (made["Number"], made["Id"] == 5) == (8, False)
    assert sandbox.unknown_members(twin) == {"Unknown"}


def test_addresses_follow_their_rules(api: httpx.Client, twin: Twin) -> None:
    """No id on an addition, a PUT empties, a PATCH does not, an owner never changes, contacts never come back."""
    (owner,) = fill(api, 7)
    path = f"{CUSTOMERS}/{owner}/addresses"
    assert api.post(path, json={"AddressType": 1, "Id": 3}).json()["ErrorCode"] == 11
    made = data(api.post(path, json={"AddressType": 1, "City": "Ulm", "Zip": "89073", "Fax": "1", "CustomerId": 4}))
    one = f"/api/v1/customers/addresses/{made['Id']}"

    assert (made["CustomerId"], made["Fax"], twin.records[owner]["Addresses"][0]["Fax"]) == (int(owner), None, "1")
    assert data(api.patch(one, json={"City": "Bonn", "CustomerId": 4}))["Zip"] == "89073"
    assert data(api.put(one, json={"AddressType": 2, "City": "Bonn"}))["Zip"] is None
    assert twin.records[owner]["Addresses"][0]["CustomerId"] == int(owner)
    assert data(api.post("/api/v1/customer-addresses", json={"AddressType": 2, "CustomerId": int(owner)}))["Id"]
    assert len(data(api.get("/api/v1/customer-addresses"))) == len(data(api.get(path))) == 2


def test_a_put_is_about_its_path(api: httpx.Client) -> None:
    """The id in the body is that of the path, and what is left out is emptied."""
    (one,) = fill(api, 7)

    assert api.put(f"{CUSTOMERS}/{one}", json={"Id": 5}).status_code == 400
    assert data(api.put(f"{CUSTOMERS}/{one}", json={"Id": int(one), "ArchivedAt": "2026-01-01"}))["Name"] is None
    assert data(api.get(f"{CUSTOMERS}/{one}"))["ArchivedAt"] is None


def test_pages_are_clamped(api: httpx.Client) -> None:
    """Pages begin at 1, hold at most 250, and say what they hold; beyond the end there is nothing."""
    fill(api, *range(1, 54))

    def paging(query: str) -> tuple[list[int], int]:
        answer = api.get(f"{CUSTOMERS}{query}").json()
        return list(answer["Paging"].values()), len(answer["Data"])

    assert paging("") == ([1, 2, 53, 50], 50)
    assert paging("?page=2") == ([2, 2, 53, 50], 3)
    assert paging("?page=3&pageSize=100000") == ([3, 1, 53, 250], 0)
    assert paging("?page=0&pageSize=0") == ([1, 53, 53, 1], 1)


@pytest.mark.parametrize(("toggle", "told"), [("absent", None), ("seconds", "1")])
def test_two_requests_a_second(api: httpx.Client, twin: Twin, clock: StillClock, toggle: str, told: str | None) -> None:
    """The third request to one endpoint within a second is refused, other endpoints and later ones are not."""
    twin.set(throttle="on", retry_after=toggle)
    answers = [api.get(CUSTOMERS) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers.get("Retry-After") == told
    assert api.get("/api/v1/apiusage").status_code == 200
    clock.sleep(1.1)
    assert api.get(CUSTOMERS).status_code == 200


def test_ten_requests_a_second_in_all(api: httpx.Client, twin: Twin) -> None:
    """Key and user together have ten a second, over all endpoints."""
    twin.set(throttle="on")
    paths = [f"{CUSTOMERS}/1", f"{CUSTOMERS}/1/addresses", CUSTOMERS, "/api/v1/apiusage", "/api/v1/customer-addresses"]
    codes = [api.get(path).status_code for path in [*paths, *paths, f"{CUSTOMERS}/1/orders"]]

    assert codes[-1] == 429
    assert 429 not in codes[:-1]


def test_the_search_lags(api: httpx.Client, clock: StillClock) -> None:
    """A new customer is found after a while, its number as text, its addresses as one line, its e-mail not at all."""
    data(api.post(CUSTOMERS, json={
        "Name": "X", "Number": 7, "Address": {"AddressType": 1, "Street": "Kai", "Housenumber": "1", "City": "Ulm"},
    }))  # fmt: skip

    def hits() -> list[dict[str, Any]]:
        found = data(api.post("/api/v1/search", json={"Type": ["customer"], "Term": "7"}))["Customers"]
        return [{name: value for name, value in hit.items() if name != "Id"} for hit in found]

    assert hits() == []
    clock.sleep(3)
    assert hits() == [{"Name": "X", "Addresses": "Kai 1,  Ulm", "Number": "7"}]


def test_calls_of_the_month_are_counted(api: httpx.Client, clock: StillClock) -> None:
    """100 000 calls a month are free; the counter begins anew with a month."""
    fill(api, 1, 2)
    assert data(api.get("/api/v1/apiusage")) == {"Month": "202603", "Calls": 2}
    clock.sleep(32 * 86_400)
    assert data(api.get("/api/v1/apiusage")) == {"Month": "202604", "Calls": 0}


def test_secrets_do_not_show() -> None:
    """Neither key nor password is in the settings' text."""
    made = options(api_key="geheim-1", password=SecretStr("geheim-2"))

    assert "geheim" not in f"{made!r}{made}"
