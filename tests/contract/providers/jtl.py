"""JTL-Wawi's row of the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from syncd.core.model import Remote, Value, Values
from syncd.errors import Rejected
from syncd.providers import jtl as adapter_module
from syncd.providers import jtl_access as access
from syncd.providers import jtl_answers as answers
from syncd.providers import jtl_projection as projection
from syncd.providers import jtl_wire as wire
from syncd.providers.adapter import ProviderAdapter, Settings
from syncd.providers.http import OPEN_GATE, Answer
from syncd.providers.jtl import Jtl, build
from syncd.providers.jtl_projection import Options
from syncd.sandbox import jtl as sandbox
from syncd.sandbox import jtl_door as door
from syncd.sandbox.kit import Fault, Twin
from syncd.testing.row import TIMEOUT, Breakage, Row, Toggles, World

LIST = "/erp/customers"
ONE = "/erp/customers/<customer_id>"
ADDRESS = {
    "name2": "Company2",
    "salutation": "FormOfAddress",
    "title": "Title",
    "first_name": "FirstName",
    "last_name": "LastName",
    "email": "EmailAddress",
    "phone": "PhoneNumber",
    "mobile": "MobilePhoneNumber",
    "fax": "Fax",
    "street": "Street",
    "street2": "Address2",
    "postal_code": "PostalCode",
    "city": "City",
    "state": "State",
    "country": "CountryIso",
    "vat_number": "VatID",
}
TOP = {
    "number": "Number",
    "tax_number": "TaxIdentificationNumber",
    "register_number": "CommercialRegisterNumber",
    "website": "Website",
}


def _build(url: str, timeout: float = TIMEOUT, *, secret: str = door.CLIENT_SECRET) -> Jtl:
    options = Options(
        token_url=url + door.TOKEN_ROUTE,
        scope="openid",
        client_id=door.CLIENT_ID,
        client_secret=SecretStr(secret),
        tenant_id=UUID(door.TENANT),
        customer_group_id=1,
        internal_company_id=1,
        default_country="DE",
        default_language="de",
        is_locked="archived",
    )
    return build(Settings("jtl", url + door.CLOUD, options, timeout=timeout), OPEN_GATE)


def _stored(twin: Twin, external_id: str) -> Values:
    record = twin.records[external_id]
    address = record["BillingAddress"]
    values: dict[str, Value] = {field: address[member] or None for field, member in ADDRESS.items()}
    values |= {field: record[member] or None for field, member in TOP.items()}
    person = f"{address['FirstName'] or ''} {address['LastName'] or ''}".strip()
    return values | {
        "name": address["Company"] or person or None,
        "language": record["LanguageIso"].lower(),
        "birth_date": date.fromisoformat(record["Birthday"][:10]) if record["Birthday"] else None,
    }


def _plant(twin: Twin, external_id: str) -> None:
    record = twin.records[external_id]
    record |= {"InitialContact": "Messe", "AccountsReceivableNumber": 10017, "IsLocked": True}
    record["Shipmentaddress"] = {"Id": 77, "City": "Zürich", "CountryIso": "CH"}


def _planted(twin: Twin, external_id: str) -> bool:
    record = twin.records[external_id]
    return bool(
        (record["InitialContact"], record["AccountsReceivableNumber"]) == ("Messe", 10017)
        and record["IsLocked"]
        and record["Shipmentaddress"]["City"] == "Zürich"
    )


def _small_pages(adapter: ProviderAdapter) -> ProviderAdapter:
    assert isinstance(adapter, Jtl)
    return Jtl(adapter._http, adapter._options, page_size=2)


def _other(number: int) -> Values:
    return {
        "name": f"Noordzee Techniek {number} B.V.",
        "first_name": "Bauke",
        "last_name": "de Vries",
        "email": f"inkoop{number}@noordzee.example",
        "phone": "+31 255 000111",
        "mobile": "06-12 34 56 78",
        "fax": "+31 255 000112",
        "street": "'s-Gravelandseweg 8-hs",
        "street2": "3. Stock",
        "postal_code": "1976 AB",
        "city": "IJmuiden",
        "state": "Noord-Holland",
        "country": "NL",
        "vat_number": "NL004495445B01",
        "tax_number": "30/123/45678",
        "register_number": "KvK 34102955",
        "language": "nl",
        "website": "https://noordzee.example",
        "birth_date": date(1971, 2, 28),
    }


def _variants() -> tuple[Toggles, ...]:
    """Each value alone, and all last ones together but for the address: an adapter that has learned that addresses are
    replaced sends other requests than before, which the checks that count requests cannot know.

    The switches make every customer fail and have their own tests.
    """
    single: list[Toggles] = [{name: value} for name, values in sandbox.TOGGLES.items() for value in values[1:]]
    last = {name: values[-1] for name, values in sandbox.TOGGLES.items()}
    return ({}, *single, last | {"address_patch": "merge"})


# -- checks of this provider alone


def no_workflow_starts(world: World) -> None:
    """No write starts the merchant's workflows, which may send e-mails."""
    world.adapter.update(world.created(), world.row.changes)
    assert sandbox.workflows(world.twin) == 0


def a_neighbours_number_is_not_ours(world: World) -> None:
    """Whatever JTL's filter returns, only our exact number is ours."""
    for key in ("K-400171", "XK-40017", "k-40017"):
        world.adapter.create(key, world.projected())
    assert list(world.adapter.find("K-40017", {})) == []


def a_foreign_404_is_no_absence(world: World) -> None:
    """A gateway's 404 is not JTL's."""
    remote = world.created()
    world.twin.faults.add(Fault("status", route=ONE, status=404, body='{"title": "Not Found", "status": 404}'))
    with pytest.raises(Exception, match="404"):
        world.adapter.fetch(remote.external_id)


def refusals_hold_no_values(world: World) -> None:
    """JTL's sentences quote what was sent."""
    remote = world.created()
    with pytest.raises(Rejected) as caught:
        world.adapter.update(remote, {"country": "GEHEIM"})
    assert caught.value.field == "country"
    assert "GEHEIM" not in str(caught.value)


def a_private_person_has_no_company(world: World) -> None:
    """The full name of a person does not become a company."""
    remote = world.created("007")
    assert not world.twin.records[remote.external_id]["BillingAddress"]["Company"]


# -- breakages: each a plausible mistake


def _swap(module: object, name: str, wrong: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Replace `module.name` by what `wrong` makes of it."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, name, wrong(getattr(module, name)))

    return apply


def _misspelt(table: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    return {**table, "vat_number": ("BillingAddress", "VatId")}


def _first_hit(right: object) -> object:
    def find(self: Jtl, key: str, values: Values) -> Sequence[Remote]:
        answer, page, _ = next(self._pages({"number": key}))
        return [self._remote(answer, item) for item in page.items[:1]]

    return find


def _nulls(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda name, value, languages: None if value is None else right(name, value, languages)


def _without(member: str) -> Callable[[Any], Callable[..., dict[str, Any]]]:
    def wrong(right: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        return lambda *args: {name: value for name, value in right(*args).items() if name != member}

    return wrong


def _one_page(right: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: replace(right(answer), more=False)


def _whole_record(right: object) -> object:
    """PATCH with everything that was read: what a person changed meanwhile is undone."""

    def update(self: Jtl, current: Remote, values: Values) -> Remote:
        return self._patch(current, wire.to_wire({**current.values, **values}, {}) | {"IsLocked": False})

    return update


def _id_unchecked(right: object) -> object:
    def fetch(self: Jtl, external_id: str) -> Remote | None:
        answer = self._http.request("GET", f"{self._path}/{{id}}", ids={"id": external_id})
        return None if answers.proves_absence(answer) else self._remote(answers.accepted(answer), answer.data)

    return fetch


def _believing(right: object) -> object:
    """The answer of a write is taken for the customer, whoever it speaks of."""

    def patch(self: Jtl, current: Remote, body: Mapping[str, Any]) -> Remote:
        ids = {"id": current.external_id}
        answer = self._http.request("PATCH", f"{self._path}/{{id}}", ids=ids, params={}, body=body)
        return self._stored(answer, current.external_id, "")

    return patch


def _no_reading_again(right: object) -> object:
    return lambda self, answer, external_id, key: self._remote(answer, answer.data)


def _failing_reading_is_temporary(right: object) -> object:
    def stored(self: Jtl, answer: Answer, external_id: str, key: str) -> Remote:
        if wire.is_whole(answer.data):
            return self._remote(answer, answer.data)
        found = self.fetch(external_id or str(wire.integer(answer.data, "Id")))
        assert found is not None
        return found

    return stored


def _case_matters(right: object) -> object:
    def member(data: Any, path: tuple[str, ...]) -> tuple[bool, Any]:
        for step in path:
            if not isinstance(data, Mapping) or step not in data:
                return False, None
            data = data[step]
        return True, data

    return member


def _number_as_int(right: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    return lambda key, *rest: right(key, *rest) | {"Number": key.lstrip("0")}


def _day_only(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda name, value, languages: f"{value}T" if isinstance(value, date) else right(name, value, languages)


def _quoted(right: object) -> object:
    return lambda answer: Rejected("country", str(answer.data))


BREAKAGES = (
    Breakage("VatId is spelled as people would", _swap(wire, "TABLE", _misspelt)),
    Breakage("the first hit of a number is ours", _swap(Jtl, "find", _first_hit), {"number_filter": "contains"}),
    Breakage("null is sent to clear", _swap(wire, "_written", _nulls)),
    Breakage("no api-version", _swap(access, "headers", _without("api-version"))),
    Breakage("no tenant", _swap(access, "headers", _without("X-Tenant-ID"))),
    Breakage("no app id", _swap(access, "headers", _without("X-AppID"))),
    Breakage("only the first page is read", _swap(answers, "listing", _one_page), {"page_size": "3"}),
    Breakage("a PATCH holds everything", _swap(Jtl, "update", _whole_record)),
    Breakage(
        "a wiped address stays wiped", _swap(wire, "wiped", lambda _: lambda *_: False), {"address_patch": "replace"}
    ),
    Breakage(
        "every 404 is an absence", _swap(answers, "proves_absence", lambda _: lambda answer: answer.status == 404)
    ),
    Breakage("a reading may show anybody", _swap(Jtl, "fetch", _id_unchecked)),
    Breakage("a write may answer with anybody", _swap(Jtl, "_patch", _believing)),
    Breakage("workflows start", _swap(adapter_module, "QUIET", lambda _: {})),
    Breakage("a language comes back as JTL spells it", _swap(wire, "language_tag", lambda _: lambda iso, _: iso)),
    Breakage(
        "an Id alone is taken for the customer", _swap(Jtl, "_stored", _no_reading_again), {"create_answer": "id"}
    ),
    Breakage(
        "a failing read-back is temporary",
        _swap(Jtl, "_stored", _failing_reading_is_temporary),
        {"patch_answer": "204"},
    ),
    Breakage("the case of members matters", _swap(wire, "_member", _case_matters), {"spelling": "camel"}),
    Breakage("numbers lose their zeros", _swap(projection, "new_record", _number_as_int)),
    Breakage("a date is sent as one page prints it", _swap(wire, "_written", _day_only)),
    Breakage("the full name becomes a company", _swap(wire, "with_company", lambda _: lambda values, _: values)),
    Breakage("a lock is overlooked", _swap(wire, "locked", lambda _: lambda _: False)),
    Breakage("errors quote JTL", _swap(answers, "refused", _quoted)),
)

ROW = Row(
    name="jtl",
    create_twin=sandbox.create_twin,
    create_app=sandbox.create_app,
    build=_build,
    stranger=lambda url: _build(url, secret="wrong"),
    stored=_stored,
    samples={
        "K-40017": {
            "number": "K-40017",
            "name": "Kranbau Oster & Söhne GmbH „Zur Weiche“",
            "name2": "z. Hd. Frau Groß",
            "salutation": "Frau",
            "title": "Dr.",
            "first_name": "Änne",
            "last_name": "Groß-Öztürk",
            "email": "buchhaltung+möbel@kranbau-oster.example",
            "phone": "+49 (0)30 / 123-4560",
            "mobile": "0170 1234560",
            "fax": "030 1234561",
            "street": "Straße des 17. Juni 100/2",
            "street2": "Hinterhaus, 3. OG",
            "postal_code": "01067",
            "city": "Dresden",
            "state": "Sachsen",
            "country": "de",
            "vat_number": "DE 811 569 869",
            "tax_number": "30/123/45678",
            "register_number": "HRB 98765 B",
            "language": "de-CH",
            "website": "https://kranbau-oster.example/über-uns",
            "birth_date": date(1985, 1, 1),
            "active": True,
        },
        "007": {
            "number": "007",
            "name": "Saskia van 't Hof",
            "first_name": "Saskia",
            "last_name": "van 't Hof",
            "email": None,
            "street": "Lange Vijverberg 4-hs",
            "postal_code": "2513 AC",
            "city": "'s-Gravenhage",
            "country": "NL",
            "language": "nl_NL",
            "birth_date": None,
        },
        "B.V. 17/ß": {
            "number": "B.V. 17/ß",
            "name": '\'s-Gravenhaagse IJsfabriek "De Zoete Inval" B.V.',
            "contact_person": "Jan-Willem van den Óever",
            "city": "Sint Jansklooster",
            "country": None,
            "language": None,
        },
    },
    other=_other,
    changes={
        "city": "Bad Gögging",
        "phone": "+49 9445 000",
        "name": "Kranbau Öster AG",
        "name2": "Einkauf",
        "salutation": "Herr",
        "title": "Prof. Dr.",
        "first_name": "Jürgen",
        "last_name": "O'Neill",
        "email": "rechnung@oester.example",
        "street": "Kaistr. 3",
        "postal_code": "00001",
        "country": "AT",
        "vat_number": "ATU12345675",
        "tax_number": "99/999/9999",
        "register_number": "FN 1234a",
        "website": "https://oester.example",
        "language": "en",
        "birth_date": date(2000, 2, 29),
        "number": "K-40018",
    },
    create=("POST", LIST),
    update=("PATCH", ONE),
    fetch=("GET", ONE),
    find=("GET", LIST),
    scan=("GET", LIST),
    remove=("DELETE", ONE),
    unknown_id="2147483646",
    plant=_plant,
    planted=_planted,
    odd=("register_number", {"CommercialRegisterNumber": 98765, "commercialRegisterNumber": 98765}),
    foreign={"Id": 999999, "id": 999999},
    secrets=(door.CLIENT_SECRET,),
    clearable=frozenset(
        {"email", "phone", "mobile", "fax", "street", "street2", "postal_code", "state", "vat_number", "tax_number"}
        | {"register_number", "website", "first_name", "last_name"}
    ),
    hidden=lambda toggles: frozenset({"email", "birth_date"}) if toggles.get("unset") == "absent" else frozenset(),
    empty_answers=lambda toggles: toggles.get("patch_answer") == "204",
    awkward=("K 10/17", "Ü-17 & Söhne", "50%", "a+b=c&d", "a?b#c", "..", "0", " 17", "17\n", "", "1" * 31, "İ-1"),
    variants=_variants(),
    small_pages=_small_pages,
    checks=(
        no_workflow_starts,
        a_neighbours_number_is_not_ours,
        a_foreign_404_is_no_absence,
        refusals_hold_no_values,
        a_private_person_has_no_company,
    ),
    breakages=BREAKAGES,
)
