"""What only Invisible Collector has: its traps, one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from syncd.core.model import Remote, Removal, Values
from syncd.errors import NotFound, OutcomeUnknown, Rejected, Taken, Temporary, Unauthorized
from syncd.providers import invisible_collector_wire as wire
from syncd.providers.adapter import Settings
from syncd.providers.http import OPEN_GATE
from syncd.providers.invisible_collector import InvisibleCollector, build
from syncd.providers.invisible_collector_wire import Options
from syncd.sandbox import invisible_collector as sandbox
from syncd.sandbox.faults import Fault
from syncd.sandbox.kit import Server, Twin, serve
from tests.contract.behind import closed_behind

SUN: Values = {
    "name": "Padaria Sol, Lda.",
    "vat_number": "510205933",
    "street": "Rua Nova 12",
    "postal_code": "4000-001",
    "city": "Porto",
    "country": "PT",
    "email": "contas@sol.example",
    "phone": "+351 220 000 000",
    "mobile": "+351 910 000 000",
    "language": "pt",
}
MOON: Values = {"name": "Käserei Mönd GmbH & Co. KG", "vat_number": "DE136695976", "country": "DE", "language": "de"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve([sandbox.create_app(sandbox.create_twin())]) as running:
        yield running


@pytest.fixture
def twin(server: Server) -> Twin:
    twin = server.twins[sandbox.NAME]
    twin.reset()
    return twin


@pytest.fixture
def adapter(server: Server, twin: Twin) -> InvisibleCollector:
    return make(server)


def make(server: Server, path: str = "", **options: Any) -> InvisibleCollector:
    settings = Options.model_validate({"token": sandbox.TOKEN} | options)
    return closed_behind(build(Settings("ic", server.url(sandbox.NAME) + path, settings, timeout=5.0), OPEN_GATE))


def options(**given: Any) -> Options:
    return Options.model_validate({"token": "t"} | given)


def stored(twin: Twin, remote: Remote) -> dict[str, Any]:
    return twin.records[remote.external_id]


# -- language and locale


@pytest.mark.parametrize(
    ("language", "locale", "seen"),
    [
        ("en-GB", "en", "en"),
        ("fr", "fr-fr", "fr"),
        ("fr-BE", "fr-fr", "fr"),
        ("zh_Hant_TW", "zh-CN", "zh"),
        ("pt-BR", "pt", "pt"),
        ("DE-at", "de", "de"),
        ("nl", "es", "es"),
        (None, "es", "es"),
    ],
)
def test_a_language_comes_back_as_it_was_projected(
    adapter: InvisibleCollector, twin: Twin, server: Server, language: str | None, locale: str, seen: str
) -> None:
    """A language is projected to what its locale reads back as, so that en-GB never looks like an edit."""
    adapter = make(server, default_locale="es")
    projection = adapter.project({**SUN, "language": language})
    remote = adapter.create("K-1", projection)

    assert projection["language"] == seen
    assert stored(twin, remote)["locale"] == locale
    assert remote.values["language"] == seen


def test_a_locale_survives_an_update_of_something_else(adapter: InvisibleCollector, twin: Twin) -> None:
    """An omitted locale may fall back to Portuguese, so it is always sent."""
    twin.set(locale_missing="reset")
    remote = adapter.create("K-1", {**SUN, "language": "de"})

    changed = adapter.update(remote, {"phone": "+49 30 123456"})

    assert changed.values["language"] == "de"
    assert stored(twin, remote)["locale"] == "de"


@pytest.mark.parametrize("put_semantics", ["partial", "full"])
def test_what_was_agreed_fills_what_is_not_shown(adapter: InvisibleCollector, twin: Twin, put_semantics: str) -> None:
    """An answer without `locale` and `mobile` is no word about them: an update repeats what was agreed for both, and
    the default locale is for a debtor of whom nothing is known."""
    twin.set(shown="samples", put_semantics=put_semantics, locale_missing="reset")
    remote = adapter.create("K-1", {**SUN, "language": "fr"})
    assert not {"language", "mobile"} & remote.values.keys()

    agreed = {"language": "fr", "mobile": SUN["mobile"]}
    adapter.update(remote._replace(values={**agreed, **remote.values}), {"city": "Braga"})
    assert (stored(twin, remote)["locale"], stored(twin, remote)["mobile"]) == ("fr-fr", SUN["mobile"])

    adapter.update(remote, {"city": "Faro"})
    assert stored(twin, remote)["locale"] == "en"


def test_what_was_agreed_to_be_empty_empties_nothing(adapter: InvisibleCollector, twin: Twin) -> None:
    """A member that is not shown may have been filled over there: only a planned field is ever emptied."""
    twin.set(shown="samples", put_semantics="partial")
    remote = adapter.create("K-1", {**SUN, "mobile": None})
    twin.edit(remote.external_id, mobile="+351 911 222 333")
    adapter.update(remote._replace(values={"mobile": None, "language": "pt", **remote.values}), {"city": "Braga"})
    assert stored(twin, remote)["mobile"] == "+351 911 222 333"


def test_a_source_without_languages_writes_in_the_default_locale(server: Server, twin: Twin) -> None:
    """Without a mapped language the settings decide, never the provider's Portuguese."""
    adapter = make(server, default_locale="de")
    without = {field: value for field, value in SUN.items() if field != "language"}

    assert "language" not in adapter.project(without)
    assert stored(twin, adapter.create("K-1", adapter.project(without)))["locale"] == "de"


def test_locale_is_push_only(adapter: InvisibleCollector) -> None:
    """What is put together here is never read back into the source."""
    assert adapter.composed(frozenset(SUN)) == {"language"}
    assert adapter.composed(frozenset({"first_name", "last_name", "street", "street2"})) == {
        "language",
        "name",
        "street",
    }


# -- PUT: whole records, nulls


@pytest.mark.parametrize("put_semantics", ["partial", "full"])
@pytest.mark.parametrize("empty_members", ["absent", "null"])
def test_an_update_changes_only_what_it_was_given(
    adapter: InvisibleCollector, twin: Twin, put_semantics: str, empty_members: str
) -> None:
    """Whether PUT replaces or merges: all other members, contacts and attributes stay."""
    twin.set(put_semantics=put_semantics, empty_members=empty_members)
    remote = adapter.create("K-1", SUN)
    twin.edit(remote.external_id, contacts=[{"id": "1", "name": "Ana"}], attributes={"branch": "7"})
    before = dict(stored(twin, remote))

    changed = adapter.update(current(adapter, remote), {"city": "Vila Nova de Gaia"})

    assert stored(twin, remote) == {**before, "city": "Vila Nova de Gaia"}
    assert changed.values == {**SUN, "city": "Vila Nova de Gaia"}


@pytest.mark.parametrize("put_semantics", ["partial", "full"])
@pytest.mark.parametrize(("null_semantics", "left"), [("clear", None), ("ignore", "contas@sol.example")])
def test_a_cleared_field_is_told_as_it_is_stored(
    adapter: InvisibleCollector, twin: Twin, put_semantics: str, null_semantics: str, left: str | None
) -> None:
    """A null is sent, and the answer says whether it cleared anything: the stored value, or nothing known."""
    twin.set(put_semantics=put_semantics, null_semantics=null_semantics)
    remote = adapter.create("K-1", SUN)

    changed = adapter.update(remote, {"email": None})

    assert json.loads(twin.requests("PUT")[-1].body)["email"] is None
    assert changed.values.get("email") == left
    assert stored(twin, remote).get("email") == left


def test_mandatory_members_are_never_emptied(server: Server, twin: Twin) -> None:
    """A VAT number that is gone in the source stays there, because a null would be refused for ever."""
    adapter = make(server, require_vat=False)
    remote = adapter.create("K-1", SUN)

    changed = adapter.update(remote, adapter.project({**SUN, "vat_number": None}))

    assert changed.values["vat_number"] == "510205933"
    assert adapter.update(changed, {"vat_number": None}).values == changed.values


def test_nulls_and_absent_members_are_unknown(adapter: InvisibleCollector, twin: Twin) -> None:
    """A null in an answer says nothing; an empty text says empty."""
    assert wire.from_wire({"email": None, "phone": "", "city": " Köln "}) == {"phone": None, "city": "Köln"}


def test_a_put_goes_to_the_gid_with_the_same_external_id(adapter: InvisibleCollector, twin: Twin) -> None:
    """The path takes the gid alone, and no PUT changes or drops the externalId."""
    twin.set(put_by_key="no", put_semantics="full")
    remote = adapter.create("K-1", SUN)
    changed = adapter.update(remote, {"city": "Braga"})

    assert (changed.external_id, changed.key) == (remote.external_id, "K-1")


def test_a_record_without_our_key_stays_without(adapter: InvisibleCollector, twin: Twin) -> None:
    """A customer linked by hand may carry no externalId; updating it invents none."""
    remote = adapter.create("K-1", SUN)
    twin.records[remote.external_id].pop("externalId")

    changed = adapter.update(current(adapter, remote), {"city": "Braga"})

    assert changed.key is None
    assert "externalId" not in stored(twin, remote)


def test_a_country_of_three_letters_is_kept_but_not_read(adapter: InvisibleCollector, twin: Twin) -> None:
    """ISO alpha-3, which some of its clients let pass, is no canonical country; an update does not touch it."""
    twin.set(country="alpha-3")
    remote = adapter.create("K-1", SUN)
    twin.edit(remote.external_id, country="PRT")

    changed = adapter.update(current(adapter, remote), {"city": "Braga"})

    assert "country" not in changed.values
    assert stored(twin, remote)["country"] == "PRT"


# -- mobile


def test_mobile_is_read_back_where_only_a_reading_shows_it(adapter: InvisibleCollector, twin: Twin) -> None:
    """The answer of a write has no mobile: the record as stored comes from /v1."""
    assert adapter.create("K-1", SUN).values["mobile"] == "+351 910 000 000"


def test_a_mobile_that_is_dropped_is_not_claimed(adapter: InvisibleCollector, twin: Twin) -> None:
    """Where mobile is not writable, nothing is known of it, and nothing is claimed."""
    twin.set(mobile="ignored")

    assert "mobile" not in adapter.create("K-1", SUN).values


def test_send_mobile_off_sends_none(server: Server, twin: Twin) -> None:
    """An account that refuses `mobile` gets none, neither ours nor the stored one."""
    adapter = make(server, send_mobile=False)
    remote = adapter.create("K-1", adapter.project(SUN))
    twin.edit(remote.external_id, mobile="1")
    adapter.update(current(adapter, remote), {"city": "Braga"})

    assert all("mobile" not in entry.keys for entry in twin.requests() if entry.body)


# -- identity


def test_a_key_that_is_somebodys_gid_finds_nobody_else(adapter: InvisibleCollector, twin: Twin) -> None:
    """externalId and gid share the path: an answer for our key must carry our key."""
    remote = adapter.create("K-1", SUN)

    assert adapter.find(remote.external_id, {}) == []


def test_a_gid_that_is_somebodys_key_shows_nobody_else(adapter: InvisibleCollector, twin: Twin) -> None:
    """When the record is gone and another one's externalId looks like its gid, that one is not taken for it."""
    gone = adapter.create("K-1", SUN).external_id
    twin.drop(gone)
    adapter.create(gone, {**SUN, "vat_number": "500100144"})

    with pytest.raises(Rejected):
        adapter.fetch(gone)


@pytest.mark.parametrize("key", ["K 10/17", "Ü-17 & Söhne", "50%", "find", "..", "a+b", "1;2"])
def test_awkward_keys_are_found(adapter: InvisibleCollector, twin: Twin, key: str) -> None:
    """A key that does not survive as a path segment is searched for instead."""
    made = adapter.create(key, SUN)

    assert [(found.external_id, found.values) for found in adapter.find(key, {})] == [(made.external_id, SUN)]
    assert adapter.find(key + "x", {}) == []


@pytest.mark.parametrize("key", ["", " 17", "17\n", "1\x007"])
def test_a_key_that_cannot_be_carried_is_refused(adapter: InvisibleCollector, twin: Twin, key: str) -> None:
    """Blanks around a key and control characters would not come back; nothing is sent."""
    assert not adapter.key_fits(key)
    with pytest.raises(Rejected):
        adapter.create(key, SUN)
    assert twin.log == []


def test_only_the_apis_own_word_proves_absence(server: Server, adapter: InvisibleCollector, twin: Twin) -> None:
    """ "Customer not found" is proof; the server's 404 for a path that it does not serve is not."""
    remote = adapter.create("K-1", SUN)
    elsewhere = make(server, path="/v2")

    assert adapter.fetch("061d2f00-0000-4000-8000-00000000dead") is None
    for call in (elsewhere.fetch, lambda key: elsewhere.find(key, {})):
        with pytest.raises(Temporary):
            call("K-1")
    with pytest.raises(Temporary):
        elsewhere.update(remote, {"city": "Braga"})
    with pytest.raises(Temporary):
        elsewhere.create("K-2", MOON)


@pytest.mark.parametrize("message", ["customer", "plain"])
def test_any_404_of_the_documented_shape_is_absence(adapter: InvisibleCollector, twin: Twin, message: str) -> None:
    """In which words the API says that a customer is gone is written nowhere; its company must answer beside it."""
    twin.set(not_found=message)
    remote = adapter.create("K-1", SUN)
    twin.drop(remote.external_id)
    assert adapter.fetch(remote.external_id) is None
    assert adapter.find("K-1", {}) == []
    with pytest.raises(NotFound):
        adapter.update(remote, {"city": "Braga"})

    twin.set(not_found="plain")
    twin.faults.add(Fault("status", route="/companies", status=404, body='{"code": 404, "message": "No route"}'))
    with pytest.raises(Temporary):
        adapter.fetch(remote.external_id)


def test_a_404_that_is_a_page_is_no_absence(adapter: InvisibleCollector, twin: Twin) -> None:
    """A proxy's 404 page is an error, never an absence."""
    twin.faults.add(Fault("html", status=404, method="GET", times=2))

    with pytest.raises(Temporary):
        adapter.fetch("K-1")
    with pytest.raises(Temporary):
        adapter.find("K-1", {})


def test_an_update_of_a_gone_customer_is_not_found(adapter: InvisibleCollector, twin: Twin) -> None:
    """The API's own 404 on the gid is told as such, and nothing is created."""
    remote = adapter.create("K-1", SUN)
    twin.drop(remote.external_id)

    with pytest.raises(NotFound):
        adapter.update(remote, {"city": "Braga"})
    assert twin.records == {}


# -- registering


@pytest.mark.parametrize("holder_on_409", ["gid", "id", "omitted"])
def test_a_vat_number_in_use_names_its_holder(adapter: InvisibleCollector, twin: Twin, holder_on_409: str) -> None:
    """With or without a gid in the 409, the holder is found, and never overwritten."""
    twin.set(holder_on_409=holder_on_409)
    holder = adapter.create("K-1", SUN)
    before = dict(stored(twin, holder))

    with pytest.raises(Taken) as caught:
        adapter.create("K-2", {**SUN, "name": "Padaria Lua"})

    assert (caught.value.field, caught.value.external_id) == ("vat_number", holder.external_id)
    assert twin.records == {holder.external_id: before}


@pytest.mark.parametrize("holder_on_409", ["gid", "id", "omitted"])
def test_a_key_in_use_names_its_holder(adapter: InvisibleCollector, twin: Twin, holder_on_409: str) -> None:
    """The same externalId with another VAT number is a collision of keys."""
    twin.set(holder_on_409=holder_on_409)
    holder = adapter.create("K-1", SUN)

    with pytest.raises(Taken) as caught:
        adapter.create("K-1", MOON)

    assert (caught.value.field, caught.value.external_id) == ("number", holder.external_id)


@pytest.mark.parametrize("holder_on_409", ["gid", "id", "omitted"])
def test_a_changed_vat_number_may_be_taken_too(adapter: InvisibleCollector, twin: Twin, holder_on_409: str) -> None:
    """A PUT meets the same uniqueness; the customer itself is never its own rival."""
    twin.set(holder_on_409=holder_on_409)
    holder, remote = adapter.create("K-1", SUN), adapter.create("K-2", MOON)

    with pytest.raises(Taken) as caught:
        adapter.update(remote, {"vat_number": SUN["vat_number"]})

    assert (caught.value.field, caught.value.external_id) == ("vat_number", holder.external_id)


def test_a_conflict_whose_holder_cannot_be_read_stays_a_refusal(adapter: InvisibleCollector, twin: Twin) -> None:
    """The refused write is certainly not executed, so a failing look-up after it is only temporary."""
    adapter.create("K-1", SUN)
    twin.faults.add(Fault("status", method="GET"))

    with pytest.raises(Temporary):
        adapter.create("K-2", SUN)


def test_registering_the_same_twice_makes_one_customer(adapter: InvisibleCollector, twin: Twin) -> None:
    """The same data again answers with the customer that is there."""
    assert adapter.create("K-1", SUN).external_id == adapter.create("K-1", SUN).external_id
    assert len(twin.records) == 1


@pytest.mark.parametrize("kind", ["reset-after", "status-after", "cut", "html", "truncated"])
def test_a_lost_answer_of_a_registration_is_unknown_and_findable(
    adapter: InvisibleCollector, twin: Twin, kind: str
) -> None:
    """After the connection broke the customer exists, and is found by our key."""
    twin.faults.add(Fault(kind, method="POST"))

    with pytest.raises(OutcomeUnknown):
        adapter.create("K-1", SUN)
    assert [found.external_id for found in adapter.find("K-1", SUN)] == list(twin.records)


def test_a_write_that_cannot_be_read_back_is_unknown(adapter: InvisibleCollector, twin: Twin) -> None:
    """Executed, but nobody knows what was stored: never "certainly not executed"."""
    twin.faults.add(Fault("status", method="GET", status=429))

    with pytest.raises(OutcomeUnknown):
        adapter.create("K-1", SUN)


@pytest.mark.parametrize("patch", [{"gid": "061d2f00-0000-4000-8000-00000000beef"}, {"externalId": "K-9"}])
def test_an_answer_about_somebody_else_is_unknown(
    adapter: InvisibleCollector, twin: Twin, patch: dict[str, str]
) -> None:
    """The answer of a write must carry the id and the key that were asked."""
    remote = adapter.create("K-1", SUN)
    twin.faults.add(Fault("merge", method="PUT", patch=patch))

    with pytest.raises(OutcomeUnknown):
        adapter.update(remote, {"city": "Braga"})


def test_an_answer_without_an_id_is_looked_up(adapter: InvisibleCollector, twin: Twin) -> None:
    """A 2xx without a record is followed by a reading by our key."""
    twin.faults.add(Fault("status-after", method="POST", status=204))

    assert adapter.create("K-1", SUN).external_id in twin.records


def test_accepted_is_provisional(adapter: InvisibleCollector, twin: Twin) -> None:
    """A 202 has executed, but what it stores is confirmed later."""
    remote = adapter.create("K-1", SUN)
    twin.faults.add(Fault("status-after", method="PUT", status=202))

    assert adapter.update(remote, {"city": "Braga"}).provisional


def test_json_under_another_content_type_is_no_answer(adapter: InvisibleCollector, twin: Twin) -> None:
    """Anything but application/json comes from something in between, even with a 200."""
    remote = adapter.create("K-1", SUN)
    told = json.dumps({"gid": remote.external_id, "externalId": "K-1"})
    twin.faults.add(Fault("status", method="GET", status=200, headers={"Content-Type": "text/plain"}, body=told))

    with pytest.raises(Temporary):
        adapter.fetch(remote.external_id)


def test_an_empty_list_under_another_content_type_is_no_absence(adapter: InvisibleCollector, twin: Twin) -> None:
    """ "Nobody has this key" decides about a registration, so it must be the API's own word."""
    plain = {"Content-Type": "text/plain"}
    twin.faults.add(Fault("status", route="/customers/find", status=200, headers=plain, body="[]"))

    with pytest.raises(Temporary):
        adapter.find("K-1", SUN)


# -- rules of the provider


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"name": None}, "name"),
        ({"country": None}, "country"),
        ({"country": "PRT"}, "country"),
        ({"vat_number": None}, "vat_number"),
        ({"email": "contas.sol.example"}, "email"),
    ],
)
def test_what_its_checks_refuse_is_refused_here(row: Values, field: str) -> None:
    """A 422 names no field, so the documented rules are checked before, with the field named."""
    with pytest.raises(Rejected) as caught:
        wire.project({**SUN, **row}, options())

    assert caught.value.field == field
    assert not any(str(value) in str(caught.value) for value in row.values() if value)


def test_defaults_mend_what_the_settings_can_mend() -> None:
    """default_country and require_vat are what the refusals name."""
    row = {**SUN, "country": None, "vat_number": None}

    assert wire.project(row, options(default_country="ES", require_vat=False)) == {
        **SUN,
        "country": "ES",
        "vat_number": None,
    }


def test_a_refusal_of_the_server_names_no_value(adapter: InvisibleCollector, twin: Twin) -> None:
    """A 422 becomes a refusal with a sentence of our own, never with the provider's text."""
    twin.set(vat_check="nif")

    with pytest.raises(Rejected) as caught:
        adapter.create("K-1", {**SUN, "vat_number": "PT543219876"})

    assert caught.value.status == 422
    assert "543219876" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "country", "given", "sent"),
    [
        ("keep", "PT", "PT 510205933", "PT 510205933"),
        ("add", "PT", "510205933", "PT510205933"),
        ("add", "PT", "pt510205933", "pt510205933"),
        ("add", "GR", "094259216", "EL094259216"),
        ("strip", "PT", "PT 510205933", "510205933"),
        ("strip", "NL", "PT510205933", "PT510205933"),
    ],
)
def test_vat_prefix_is_a_setting(mode: str, country: str, given: str, sent: str) -> None:
    """Nothing public says whether the country's letters belong to it: by default the source's spelling goes out."""
    projection = wire.project({**SUN, "country": country, "vat_number": given}, options(vat_prefix=mode))

    assert projection["vat_number"] == sent
    assert ("vat_number" in wire.composed(frozenset(SUN), options(vat_prefix=mode))) == (mode != "keep")


def test_a_person_without_a_company_gets_a_full_name() -> None:
    """The only name it knows is one text; so is the address."""
    row: Values = {"first_name": "Ana", "last_name": "de Vries", "vat_number": "1", "country": "nl"}
    projection = wire.project({**row, "street": "Prinsengracht 1", "street2": "hs"}, options())

    assert projection == {
        "name": "Ana de Vries",
        "vat_number": "1",
        "country": "NL",
        "street": "Prinsengracht 1, hs",
    }


def test_there_is_no_listing_and_no_removal(adapter: InvisibleCollector, twin: Twin) -> None:
    """Neither is documented, so neither is tried."""
    remote = adapter.create("K-1", SUN)
    asked = len(twin.log)

    with pytest.raises(Rejected):
        list(adapter.scan(None))
    for how in (Removal.ARCHIVE, Removal.DELETE):
        with pytest.raises(Rejected):
            adapter.remove(remote, how)
    assert len(twin.log) == asked


def test_the_token_is_checked_by_the_company(server: Server, adapter: InvisibleCollector) -> None:
    """The probe reads the company of the token; a wrong token stops the lane."""
    assert "company" in adapter.probe()
    with pytest.raises(Unauthorized):
        make(server, token="0" * 64).probe()


def test_options_are_strict_and_hide_the_token() -> None:
    """Unknown keys, unknown locales and countries are mistakes; a language stands for its locale."""
    assert options(default_locale="fr").default_locale == "fr-fr"
    assert isinstance(options().token, SecretStr)
    for wrong in ({"tokens": "x"}, {"default_locale": "nl"}, {"default_country": "PRT"}, {"token": ""}):
        with pytest.raises(ValidationError) as caught:
            options(**wrong)
        assert "input_value" not in str(caught.value)


# -- the stand-in itself


def test_the_sandbox_refuses_what_is_not_documented(server: Server, adapter: InvisibleCollector, twin: Twin) -> None:
    """No listing, no deletion, no unfiltered search, no unknown member, no null in a mandatory one."""
    import httpx

    made = adapter.create("K-1", SUN).external_id
    with httpx.Client(
        base_url=server.url(sandbox.NAME), headers={"authorization": f"Bearer {sandbox.TOKEN}"}
    ) as client:
        assert client.get("/customers").status_code == 405
        assert client.delete(f"/customers/{made}").status_code == 405
        assert client.get("/customers/find", params={"vatNumber": "1"}).status_code == 422
        assert client.put(f"/customers/{made}", json={"name": "X"}).status_code == 422
        assert client.put(f"/customers/{made}", json={"country": "PT", "gid": made}).status_code == 422
        assert client.put(f"/customers/{made}", json={"country": "PT", "name": None}).status_code == 422
        assert client.put(f"/customers/{made}", content=b"{}").status_code == 400
        assert client.post(f"/customers/{made}/attributes", json={"a": ""}).status_code == 422
        assert client.post(f"/customers/{made}/attributes", json={"a": "1"}).json() == {"a": "1"}
        contacts = [{"name": "Ana", "email": "a@b.example"}]
        client.post(f"/v1/customers/{made}/contacts", json=contacts)
        shown = client.post(f"/v1/customers/{made}/contacts", json=[{"name": "Ana", "phone": "1"}]).json()
        assert [contact["name"] for contact in shown["contacts"]] == ["Ana"]
        assert client.delete(f"/customers/{made}/contacts/{shown['contacts'][0]['id']}").json()["phone"] == "1"
        assert client.get(f"/customers/{made}").json().keys() == {*sandbox.SHOWN, "gid"}


def current(adapter: InvisibleCollector, remote: Remote) -> Remote:
    """The record as a fresh reading shows it."""
    fresh = adapter.fetch(remote.external_id)
    assert fresh is not None
    return fresh
