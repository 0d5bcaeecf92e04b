"""Invisible Collector's row of the contract suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from syncd.core.model import Value, Values
from syncd.errors import ProviderError, Rejected, Taken, Temporary
from syncd.providers import invisible_collector as adapter_module
from syncd.providers import invisible_collector_wire as wire
from syncd.providers.adapter import Settings
from syncd.providers.http import OPEN_GATE, Answer, Http
from syncd.providers.invisible_collector import InvisibleCollector, build
from syncd.providers.invisible_collector_wire import Options
from syncd.sandbox import invisible_collector as sandbox
from syncd.sandbox.kit import Fault, Twin
from syncd.testing.row import TIMEOUT, Breakage, Row, Toggles, World

MEMBERS = {
    "name": "name",
    "vat_number": "vatNumber",
    "street": "address",
    "postal_code": "zipCode",
    "city": "city",
    "country": "country",
    "email": "email",
    "phone": "phone",
    "mobile": "mobile",
}
LANGUAGES = {"pt": "pt", "es": "es", "en": "en", "fr-fr": "fr", "de": "de", "zh-CN": "zh"}


def _build(url: str, timeout: float = TIMEOUT, *, token: str = sandbox.TOKEN) -> InvisibleCollector:
    options = Options.model_validate({"token": token, "default_locale": "en"})
    return build(Settings("ic", url, options, timeout=timeout), OPEN_GATE)


def _stored(twin: Twin, gid: str) -> Values:
    record = twin.records[gid]
    values: dict[str, Value] = {field: record.get(member) for field, member in MEMBERS.items()}
    return values | {"language": LANGUAGES[record["locale"]]}


def _plant(twin: Twin, gid: str) -> None:
    twin.edit(gid, contacts=[{"id": "1", "name": "Jörg Weiß"}], attributes={"filiaal": "Den Haag"})


def _planted(twin: Twin, gid: str) -> bool:
    record = twin.records[gid]
    return bool(record["contacts"] and record["attributes"] and record.get("externalId"))


def _other(number: int) -> Values:
    return {
        "name": f"Noordzee Techniek {number} B.V.",
        "vat_number": f"NL{number:09}B01",
        "street": "'s-Gravelandseweg 8-hs",
        "postal_code": "1976 AB",
        "city": "IJmuiden",
        "country": "NL",
        "email": f"inkoop{number}@noordzee.example",
        "phone": "+31 255 000111",
        "mobile": "06-12 34 56 78",
        "language": "en-GB",
    }


def _variants() -> tuple[Toggles, ...]:
    """All values but `mobile=ignored`, under which a value that was sent is not stored: its own tests show that."""
    choices = {name: values for name, values in sandbox.TOGGLES.items() if name != "mobile"}
    single: list[Toggles] = [{name: value} for name, values in choices.items() for value in values[1:]]
    return ({}, *single, {name: values[-1] for name, values in choices.items()})


def conflict_names_its_holder(world: World) -> None:
    """With a gid, an id or nothing in the 409: the holder is told, by what it holds, and left as it was."""
    holder = world.created()
    before = dict(world.twin.records[holder.external_id])
    vat_number = {"vat_number": holder.values["vat_number"]}
    second = world.created_as("K-2")
    acts: tuple[tuple[str, Callable[[], object]], ...] = (
        ("vat_number", lambda: world.adapter.create("K-3", {**world.other(3), **vat_number})),
        ("vat_number", lambda: world.adapter.update(second, vat_number)),
        ("number", lambda: world.adapter.create(world.key, world.other(4))),
    )
    for field, act in acts:
        with pytest.raises(Taken) as caught:
            act()
        assert (caught.value.field, caught.value.external_id) == (field, holder.external_id)
    assert world.twin.records[holder.external_id] == before
    assert len(world.twin.records) == 2


def lookalikes_are_nobody(world: World) -> None:
    """gid and externalId share one path: what answers under the other name is not the customer that was asked for."""
    gone = world.created()
    assert list(world.adapter.find(gone.external_id, {})) == []
    world.twin.drop(gone.external_id)
    world.created_as(gone.external_id)
    with pytest.raises(Rejected):
        world.adapter.fetch(gone.external_id)


def search_hits_are_compared(world: World) -> None:
    """A search that answers more than was asked gives only our key, and one that is no API's answer gives nothing."""
    remote = world.created()
    stranger = json.dumps([{"gid": remote.external_id, "externalId": world.key}])
    world.twin.faults.add(Fault("body", route="/customers/find", body=stranger))
    assert list(world.adapter.find("K/9", {})) == []
    plain = {"Content-Type": "text/plain"}
    world.twin.faults.add(Fault("status", route="/customers/find", status=200, headers=plain, body="[]"))
    with pytest.raises(Temporary):
        world.adapter.find("K/9", {})


def every_put_is_whole(world: World) -> None:
    """Each PUT carries every member that is known, the same externalId, and no null where one is never taken."""
    remote = world.created()
    world.adapter.update(world.agreed(remote), {"email": None, "vat_number": None})
    (put,) = world.twin.requests("PUT")
    body = json.loads(put.body)
    assert body.keys() == {*MEMBERS.values(), "locale", "externalId"}
    assert body["externalId"] == world.key
    assert {member for member, value in body.items() if value is None} == {"email"}


def a_locale_that_is_there_stays(world: World) -> None:
    """In which language a debtor is written to changes only when it is planned, in whatever spelling it is kept."""
    if world.toggles.get("shown") == "samples":
        return
    remote = world.created()
    for kept, language in (("it", None), ("fr-FR", "fr")):
        world.twin.edit(remote.external_id, locale=kept)
        current = world.adapter.fetch(remote.external_id)
        assert current is not None
        assert current.values.get("language") == language
        world.adapter.update(current, {"city": f"Vila {kept}"})
        assert world.twin.records[remote.external_id]["locale"] == kept


# -- breakages: each replaces one function of the adapter by a plausible wrong one


def _swap(module: object, name: str, wrong: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Replace `module.name` by what `wrong` makes of it."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, name, wrong(getattr(module, name)))

    return apply


def _delta_only(right: Callable[..., dict[str, str | None]]) -> Callable[..., dict[str, str | None]]:
    return lambda current, values, options: right(
        current._replace(raw={"country": current.raw["country"]}, values={}), values, options
    )


def _nothing_agreed(right: Callable[..., dict[str, str | None]]) -> Callable[..., dict[str, str | None]]:
    return lambda current, values, options: right(current._replace(values={}), values, options)


def _without(member: str) -> Callable[[Any], Callable[..., dict[str, str | None]]]:
    def wrong(right: Callable[..., dict[str, str | None]]) -> Callable[..., dict[str, str | None]]:
        def body(*args: Any) -> dict[str, str | None]:
            return {name: value for name, value in right(*args).items() if name != member}

        return body

    return wrong


def _with_gid(right: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    return lambda current, *rest: right(current, *rest) | {"gid": current.external_id}


def _with_contacts(right: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    return lambda current, *rest: right(current, *rest) | {"contacts": current.raw.get("contacts", [])}


def _raw_locale(right: Callable[[Values], Mapping[str, Any]]) -> Callable[[Values], Mapping[str, Any]]:
    return lambda values: dict(right(values)) | ({"locale": values["language"]} if "language" in values else {})


def _locale_as_language(right: Callable[[Mapping[str, Any]], Values]) -> Callable[[Mapping[str, Any]], Values]:
    return lambda record: dict(right(record)) | ({"language": record["locale"]} if record.get("locale") else {})


def _first_holder(http: Http, answer: Answer, sent: Mapping[str, Any], gid: str | None) -> ProviderError:
    """A conflict is taken for a success of somebody else: the holder is overwritten."""
    holder = adapter_module._by_key(http, sent["externalId"])[0]["gid"]
    http.request("PUT", "/customers/{gid}", ids={"gid": holder}, body=dict(sent))
    return Rejected("", "overwritten")


def _believing(http: Http, answer: Answer, sent: Mapping[str, Any], gid: str | None = None) -> Any:
    """Any 2xx is a success, and what was sent is what is stored."""
    if not answer.ok:
        raise adapter_module._refused(answer)
    record = answer.data if isinstance(answer.data, dict) else {}
    return wire.remote_of({**sent, "gid": record.get("gid") or gid or "?"})


def _unchecked_read_back(http: Http, answer: Answer, sent: Mapping[str, Any], gid: str | None) -> Any:
    return wire.remote_of(adapter_module._read(http, gid or sent["externalId"]) or {"gid": gid})


def _any_customer(answer: Answer, record: Any) -> Any:
    return record if isinstance(record, dict) else {"gid": "?"}


def _quoted_errors(right: Callable[[Answer], ProviderError]) -> Callable[[Answer], ProviderError]:
    return lambda answer: Rejected("", str(answer.data))


def _any_404(answer: Answer) -> bool:
    return answer.status in {404, 410, 500} or not isinstance(answer.data, dict)


def _search_by_member(right: Callable[..., Any]) -> Callable[..., Any]:
    names = {"vat": "vatNumber", "externalId": "externalId"}
    return lambda http, filters: right(http, {names[name]: value for name, value in filters.items()})


def _trusting_find(http: Http, key: str) -> Any:
    record = adapter_module._read(http, key) if key.isalnum() or "-" in key else None
    return [record] if record else adapter_module._search(http, {"externalId": key})


def _nulls_everywhere(right: Callable[[Values], Mapping[str, Any]]) -> Callable[[Values], Mapping[str, Any]]:
    return lambda values: {**{wire.WIRE[field]: None for field in values if values[field] is None}, **right(values)}


def _any_type(answer: Answer) -> bool:
    return True


BREAKAGES = (
    Breakage("nulls are sent for mandatory members", _swap(wire, "to_wire", _nulls_everywhere)),
    Breakage(
        "search filters by vatNumber", _swap(adapter_module, "_search", _search_by_member), {"holder_on_409": "omitted"}
    ),
    Breakage("who answers for our key is ours", _swap(adapter_module, "_by_key", lambda _: _trusting_find)),
    Breakage("any content type is an answer", _swap(adapter_module, "_is_json", lambda _: _any_type)),
    Breakage("PUT sends the changed members only", _swap(wire, "whole_record", _delta_only), {"put_semantics": "full"}),
    Breakage("PUT forgets what is not shown", _swap(wire, "whole_record", _nothing_agreed), {"shown": "samples"}),
    Breakage("PUT leaves the locale out", _swap(wire, "whole_record", _without("locale")), {"locale_missing": "reset"}),
    Breakage("PUT leaves the country out", _swap(wire, "whole_record", _without("country"))),
    Breakage(
        "PUT drops the externalId", _swap(wire, "whole_record", _without("externalId")), {"put_semantics": "full"}
    ),
    Breakage("PUT sends the gid along", _swap(wire, "whole_record", _with_gid)),
    Breakage("PUT sends the contacts along", _swap(wire, "whole_record", _with_contacts)),
    Breakage("POST leaves the externalId out", _swap(wire, "new_record", _without("externalId"))),
    Breakage("POST leaves the VAT number out", _swap(wire, "new_record", _without("vatNumber"))),
    Breakage("the language goes out as it is", _swap(wire, "to_wire", _raw_locale)),
    Breakage("the locale comes back as it is", _swap(wire, "from_wire", _locale_as_language)),
    Breakage("a conflict overwrites the holder", _swap(adapter_module, "_taken", lambda _: _first_holder)),
    Breakage("what was sent is taken for what is stored", _swap(adapter_module, "_written", lambda _: _believing)),
    Breakage("a failing read-back is temporary", _swap(adapter_module, "_read_back", lambda _: _unchecked_read_back)),
    Breakage("an answer needs no gid", _swap(adapter_module, "_checked", lambda _: _any_customer)),
    Breakage("any failure is an absence", _swap(adapter_module, "_proves_absence", lambda _: _any_404)),
    Breakage("errors quote the provider", _swap(adapter_module, "_refused", _quoted_errors)),
    Breakage("every key is put into the path", _swap(adapter_module, "_addressable", lambda _: lambda key: True)),
)

ROW = Row(
    name="invisible_collector",
    create_twin=sandbox.create_twin,
    create_app=sandbox.create_app,
    build=_build,
    stranger=lambda url: _build(url, token="0" * 64),
    stored=_stored,
    samples={
        "K-10017": {
            "name": "Padaria Sol & Söhne, Lda.",
            "vat_number": "510205933",
            "street": "Rua Nova de São João 12, 3.º Esq.",
            "postal_code": "4000-001",
            "city": "Porto",
            "country": "PT",
            "email": "contas+möbel@sol.example",
            "phone": "+351 220 000 000",
            "mobile": "(+351) 910-000-000",
            "language": "pt-BR",
        },
        "DE 40/17": {
            "name": "Käserei Größenwahn GmbH & Co. KG „Zum Löwen“",
            "vat_number": "DE 136 695 976",
            "street": "Straße des 17. Juni 100/2",
            "postal_code": "01067",
            "city": "Dresden",
            "country": "de",
            "phone": "0351 / 4 98-0",
            "language": "de-CH",
        },
        "klant-’s-Gravenhage": {
            "name": '\'s-Gravenhaagse IJsfabriek "De Zoete Inval" B.V.',
            "vat_number": "NL004495445B01",
            "street": "Lange Vijverberg 4-hs",
            "postal_code": "2513 AC",
            "city": "'s-Gravenhage",
            "country": "NL",
            "email": "boekhouding@ijsfabriek.example",
            "phone": "070-1234567",
            "language": "nl-NL",
        },
    },
    other=_other,
    changes={
        "city": "Vila Nova de Gaia",
        "phone": "+351 229 999 999",
        "name": "Padaria Lua & Töchter, Lda.",
        "email": "faturas@lua.example",
        "street": "Avenida da República 1",
        "postal_code": "4430-999",
        "mobile": "+351 911 111 111",
        "language": "fr",
    },
    create=("POST", "/customers"),
    update=("PUT", "/customers/<address>"),
    fetch=("GET", "/v1/customers/<address>"),
    find=("GET", "/v1/customers/<address>"),
    unknown_id="061d2f00-0000-4000-8000-00000000dead",
    plant=_plant,
    planted=_planted,
    odd=("email", {"email": {"main": "a@b.example"}}),
    foreign={"gid": "061d2f00-0000-4000-8000-00000000beef"},
    secrets=(sandbox.TOKEN,),
    clearable=frozenset({"email", "phone", "mobile", "street", "postal_code", "city"}),
    hidden=lambda toggles: frozenset({"language", "mobile"} if toggles.get("shown") == "samples" else ()),
    clears=lambda toggles: toggles.get("null_semantics") != "ignore",
    awkward=(
        "K 10/17",
        "Ü-17 & Söhne",
        "50%",
        "find",
        ".",
        "..",
        "a+b",
        "1;2",
        "a?b#c",
        "../companies",
        " 17",
        "17\n",
        "",
    ),
    variants=_variants(),
    checks=(
        conflict_names_its_holder,
        lookalikes_are_nobody,
        search_hits_are_compared,
        every_put_is_whole,
        a_locale_that_is_there_stays,
    ),
    breakages=BREAKAGES,
)
