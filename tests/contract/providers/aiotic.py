"""aiotic in the contract suite: its rows, its own checks, and the ways to break it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from syncd.core.model import Removal, Values
from syncd.errors import ProviderError, Rejected, Taken, Temporary
from syncd.providers import aiotic
from syncd.providers.adapter import ProviderAdapter, Settings
from syncd.providers.http import OPEN_GATE, Answer
from syncd.sandbox import aiotic as sandbox
from syncd.sandbox.kit import Fault, Record, Twin
from syncd.testing.row import TIMEOUT, Breakage, Row, World

CUSTOMER = "/customer/<number>"
STORED = {
    "name": "name",
    "contact_person": "contact_person",
    "email": "email",
    "phone": "phone_number",
    "street": "address",
    "postal_code": "postal_code",
    "city": "city",
    "vat_number": "vat_number",
    "register_number": "coc_number",
    "website": "home_page",
}
FULL: Values = {
    "number": "K-10017",
    "name": "Bäckerei Müßig & Söhne GmbH",
    "first_name": "Jürgen",
    "last_name": "von der Öhe",
    "contact_person": "Jürgen von der Öhe",
    "email": "J.Oehe+einkauf@Baeckerei-Muessig.example",
    "phone": "+49 (0) 30 / 901820-0",
    "street": "Straße des 17. Juni 135 a",
    "postal_code": "01067",
    "city": "Frankfurt (Oder)",
    "country": "DE",
    "vat_number": "DE 136 695 976",
    "register_number": "HRB 00123",
    "website": "https://baeckerei-müßig.example/über-uns?a=1&b=2",
    "active": True,
}


PERSON: Values = {
    "first_name": "Mila",
    "last_name": "Ó Súilleabháin-Groß",
    "email": None,
    "street": "Dam 1",
    "street2": "bus 4",
}


def build(url: str, timeout: float = TIMEOUT, *, key: str = sandbox.SYNC_KEY) -> aiotic.Aiotic:
    options = aiotic.Options(api_key=SecretStr(key))
    return aiotic.build(Settings("aiotic", url, options, timeout), OPEN_GATE)


def stored(twin: Twin, external_id: str) -> Values:
    record = twin.records[external_id]
    assert record.keys() >= set(STORED.values())
    return {field: record[name] for field, name in STORED.items()}


def other(number: int) -> Values:
    return {
        "name": f"Noordzee Techniek {number} B.V.",
        "email": f"inkoop{number}@noordzee.example",
        "phone": "+31 255 000111",
        "street": "'s-Gravelandseweg 8-hs",
        "postal_code": "1976 AB",
        "city": "IJmuiden",
        "vat_number": "NL800000001B01",
        "register_number": "00345678",
        "website": None,
    }


def small_pages(adapter: ProviderAdapter) -> ProviderAdapter:
    assert isinstance(adapter, aiotic.Aiotic)
    return aiotic.Aiotic(adapter._http, page_size=2)


def plant(twin: Twin, external_id: str) -> None:
    twin.records[external_id]["credit_note"] = {"limit": 500}


def planted(twin: Twin, external_id: str) -> bool:
    return bool(twin.records[external_id]["credit_note"] == {"limit": 500})


def composes_names(world: World) -> None:
    """Without a contact column the person is the contact, without a company the person is the name."""
    person: Values = {"first_name": "Anneke", "last_name": "van 't Hof"}
    project = world.adapter.project
    assert project(person) == {"name": "Anneke van 't Hof", "contact_person": "Anneke van 't Hof"}
    assert project({**person, "name": "Hof B.V.", "contact_person": None}) == {
        "name": "Hof B.V.",
        "contact_person": None,
    }
    assert project({"first_name": None, "last_name": "Hof"})["name"] == "Hof"
    assert project({"street": "Kade 8", "street2": "3e verdieping"}) == {"street": "Kade 8, 3e verdieping"}
    assert project({"street": "Kade 8", "street2": None}) == {"street": "Kade 8"}
    assert project({"country": "NL", "mobile": "06"}) == {}


def composed_fields_follow_the_columns(world: World) -> None:
    """A field is composed, and so never read back, exactly where the source has only its parts."""
    composed = world.adapter.composed
    assert composed(frozenset({"name", "contact_person", "first_name"})) == frozenset()
    assert composed(frozenset({"name", "last_name"})) == {"contact_person"}
    assert composed(frozenset({"first_name", "last_name"})) == {"name", "contact_person"}
    assert composed(frozenset({"name", "street", "street2"})) == {"street"}
    assert composed(frozenset({"name", "street"})) == frozenset()


def every_put_carries_all_ten(world: World) -> None:
    """What a PUT leaves out would be wiped, so each carries all ten fields, and nothing else."""
    remote = world.adapter.create("K-1", world.adapter.project({"name": "Only a name"}))
    world.adapter.update(remote, {"city": "Delft"})
    puts = world.twin.requests("PUT")
    assert [set(entry.keys) for entry in puts[1:]] == [set(STORED.values())] or world.toggles.get("answer") == "empty"
    assert set(puts[0].keys) == set(STORED.values())


def update_keeps_the_spelling_of_others(world: World) -> None:
    """A field that is not planned is sent as aiotic spells it, blanks and all."""
    remote = world.created()
    world.twin.edit(remote.external_id, city="  Den Haag ")
    current = world.adapter.fetch(remote.external_id)
    assert current is not None
    assert current.values["city"] == "Den Haag"
    world.adapter.update(current, {"name": "Neu"})
    assert world.twin.records[remote.external_id]["city"] == "  Den Haag "


def a_write_is_provisional(world: World) -> None:
    """A PUT answers with what it was sent, so a later reading has to confirm it; a reading is certain."""
    remote = world.created()
    fetched = world.adapter.fetch(remote.external_id)
    assert remote.provisional
    assert fetched is not None
    assert not fetched.provisional


def reserved_number(world: World) -> None:
    """A customer called `list` could be written and never read again."""
    for number in ("list", "a/b", "a\\b", ".", ".."):
        assert not world.adapter.key_fits(number)
        with pytest.raises(Rejected):
            world.adapter.fetch(number)
    assert not world.twin.requests()


def another_spelling_is_not_ours(world: World) -> None:
    """Where numbers ignore case, a neighbour's record is neither found as ours nor overwritten nor called absent."""
    world.adapter.create("K-7", world.other())
    before = dict(world.twin.records["K-7"])
    if world.toggles.get("numbers") != "caseless":
        assert world.adapter.find("k-7", {}) == ()
        return
    with pytest.raises(Temporary):
        world.adapter.find("k-7", {})
    with pytest.raises(Taken):
        world.adapter.create("k-7", world.other(2))
    assert world.twin.records["K-7"] == before


def archived_is_left_alone(world: World) -> None:
    """An archived customer is not overwritten: a PUT might bring it back."""
    remote = world.created()
    for mark in ({"archived_at": "2026-01-01T00:00:00Z"}, {"superseded_by": "K-2"}):
        world.twin.records[remote.external_id] |= {"archived_at": None, "superseded_by": None, **mark}
        current = world.adapter.fetch(remote.external_id)
        assert current is not None
        assert current.archived
        with pytest.raises(Rejected):
            world.adapter.update(current, {"city": "Delft"})


def unreadable_listing(world: World) -> None:
    """A listing with a record that has no number, or with no items, is an error and never a shorter listing."""
    world.created()
    for body in ('{"items": [{"name": "x"}], "total": 1}', '{"total": 0}', '{"items": null}', '{"items": [7]}'):
        world.twin.faults.add(Fault("body", route="/customer/list", body=body))
        with pytest.raises(Temporary):
            list(world.adapter.scan(None))


def refused_delete(world: World) -> None:
    """A 409 on a delete is a refusal of this customer."""
    remote = world.created()
    world.twin.faults.add(Fault("status", method="DELETE", status=409, body='{"detail": "in use"}'))
    with pytest.raises(Rejected):
        world.adapter.remove(remote, Removal.DELETE)


def refusal_names_our_field(world: World) -> None:
    """A 422 names the canonical field and the kind of error, not the value."""
    body = '{"detail": [{"type": "string_too_long", "loc": ["body", "coc_number"], "msg": "x", "input": "HRB 00123"}]}'
    world.twin.faults.add(Fault("status", method="PUT", status=422, body=body))
    with pytest.raises(Rejected) as caught:
        world.created()
    assert caught.value.field == "register_number"
    assert "string_too_long" in str(caught.value)


def _wire(**changes: str | None) -> Callable[[pytest.MonkeyPatch], None]:
    def apply(patch: pytest.MonkeyPatch) -> None:
        table = {field: name for field, name in {**aiotic.WIRE, **changes}.items() if name is not None}
        patch.setattr(aiotic, "WIRE", table)

    return apply


def _set(name: str, value: object, owner: object = aiotic) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(owner, name, value)


def _only_changes(self: aiotic.Aiotic, current: Any, values: Values) -> Any:
    return self._put(current.external_id, aiotic.to_wire(values))


def _with_raw(self: aiotic.Aiotic, current: Any, values: Values) -> Any:
    return self._put(current.external_id, {**current.raw, **aiotic.to_wire(values)})


def _ok_is_enough(self: aiotic.Aiotic, number: str) -> Answer | None:
    answer = self._http.request("GET", "/customer/{number}", ids={"number": number})
    return answer if answer.ok else None


def _swallow(self: aiotic.Aiotic, key: str, values: Values) -> Any:
    try:
        found = self.fetch(key)
    except ProviderError:
        found = None
    return () if found is None else (found,)


def _without_nulls(values: Values) -> dict[str, Any]:
    return {aiotic.WIRE[field]: value for field, value in values.items() if value is not None}


def _any_record(answer: Answer, number: str) -> Any:
    return aiotic._listed(answer, answer.record())


def _total_ends(answer: Answer, page: int, *, shown: int, new: int) -> bool:
    return page * 2 >= 7


def _echoed(self: aiotic.Aiotic, number: str, body: Mapping[str, Any]) -> Any:
    answer = self._http.request("PUT", "/customer/{number}", ids={"number": number}, body=body, reading=True)
    return aiotic._remote(answer, number)


def _quoted_error(answer: Answer) -> Rejected:
    return Rejected("", str(answer.data))


def _numbered(values: Values) -> dict[str, Any]:
    return {aiotic.WIRE[field]: value for field, value in values.items()} | {"number": "x"}


def _plain_record(record: Record) -> Values:
    return {field: record.get(name) or None for field, name in aiotic.WIRE.items()}


ROW = Row(
    name="aiotic",
    create_twin=sandbox.create_twin,
    create_app=sandbox.create_app,
    build=build,
    stranger=lambda url: build(url, key="wrong-key"),
    stored=stored,
    samples={
        "K-10017": FULL,
        "4711": {**other(1), "website": "https://noordzee.example/"},
        "ÅÖ 12": PERSON,
    },
    other=other,
    changes={
        "city": "'s-Hertogenbosch",
        "email": "neu@baeckerei-muessig.example",
        "register_number": "00000001",
        "contact_person": "Zoë Ærøskøbing 🥐",
        "phone": None,
    },
    create=("PUT", CUSTOMER),
    update=("PUT", CUSTOMER),
    fetch=("GET", CUSTOMER),
    find=("GET", CUSTOMER),
    scan=("GET", "/customer/list"),
    remove=("DELETE", CUSTOMER),
    clearable=frozenset(STORED),
    awkward=(
        "C#1", "A B", "50%", "a+b", "Ærø", "a?b=c", "%2F", "a;b", "a&b", "..a", "x" * 300, "search", "List",
        "", ".", "..", "list", "A/B", "a\\b", "a\nb", "a\0b", "\ud800",
    ),
    unknown_id="K-99999",
    plant=plant,
    planted=planted,
    odd=("email", {"email": ["a@b.example"]}),
    foreign={"number": "K-66666"},
    secrets=(sandbox.SYNC_KEY,),
    small_pages=small_pages,
    empty_answers=lambda toggles: toggles.get("answer") == "empty",
    checks=(
        composes_names,
        composed_fields_follow_the_columns,
        every_put_carries_all_ten,
        update_keeps_the_spelling_of_others,
        a_write_is_provisional,
        reserved_number,
        another_spelling_is_not_ours,
        archived_is_left_alone,
        unreadable_listing,
        refused_delete,
        refusal_names_our_field,
    ),
    breakages=(
        Breakage("city-and-postal-code-swapped", _wire(city="postal_code", postal_code="city")),
        Breakage("phone-under-its-canonical-name", _wire(phone="phone")),
        Breakage("website-forgotten", _wire(website=None)),
        Breakage("only-changed-fields-are-sent", _set("update", _only_changes, aiotic.Aiotic)),
        Breakage("read-only-fields-are-sent-back", _set("update", _with_raw, aiotic.Aiotic)),
        Breakage("nulls-are-left-out", _set("to_wire", _without_nulls), {"semantics": "merge"}),
        Breakage("number-in-the-body", _set("to_wire", _numbered)),
        Breakage("any-error-is-an-absence", _set("_get", _ok_is_enough, aiotic.Aiotic)),
        Breakage("a-failed-look-up-is-an-empty-one", _set("find", _swallow, aiotic.Aiotic)),
        Breakage("a-foreign-record-is-believed", _set("_remote", _any_record)),
        Breakage("a-lost-put-is-called-harmless", _set("_put", _echoed, aiotic.Aiotic)),
        Breakage("the-total-ends-a-scan", _set("_is_last", _total_ends), {"paging": "shifting"}),
        Breakage("list-is-a-number-like-any-other", _set("number_fits", lambda number: True)),
        Breakage("errors-quote-the-answer", _set("_refused", _quoted_error)),
        Breakage("blanks-are-kept", _set("from_wire", _plain_record)),
    ),
)  # fmt: skip
