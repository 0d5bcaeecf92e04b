"""Joins, filters, value maps, defaults, what providers take of them: each mistake is named with place and remedy."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from syncd.core.selection import Condition, Deleted
from syncd.errors import SettingsError
from syncd.providers.adapter import Capabilities, ExtraMember, Identity, Provider
from syncd.settings import Settings, load


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    extra: dict[str, str] = Field(default_factory=dict)


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _no_adapter(settings: Any, http: Any) -> Any:
    raise NotImplementedError


FIELDS = frozenset({"name", "email", "country"})
MEMBERS = {"AccountsReceivableNumber": ExtraMember("text", 20), "Internal.Note": ExtraMember()}
REGISTRY = {
    "shop": Provider("shop", _Options, _no_adapter, Capabilities("Id", Identity.FINDABLE, FIELDS, extra=MEMBERS)),
    "ledger": Provider("ledger", _Plain, _no_adapter, Capabilities("gid", Identity.OUR_KEY, FIELDS)),
}
BEFORE = """[source]
url = "postgresql+psycopg://syncd@db.example/crm"
table = "crm.customers"
key = "id"
"""
MAPPED = """[source.fields]
name = "company"
email = "mail"
country = "country.code"
active = "on_list"
birth_date = "born"
"""
SHOP = """[providers.shop]
url="https://s.example"
"""
LEDGER = """[providers.ledger]
url = "https://ledger.example"
"""


def read(tmp_path: Path, text: str) -> Settings:
    """These settings, as the rest of syncd sees them."""
    file = tmp_path / "syncd.toml"
    file.write_text(text)
    return load(file, registry=REGISTRY)


def wrong(tmp_path: Path, text: str) -> dict[str, str]:
    """place -> sentence of everything that is wrong with them."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    return {problem.place.split(" ", 1)[-1]: f"{problem.reason} {problem.remedy}" for problem in caught.value.problems}


def test_what_a_shop_says_about_its_tables(tmp_path: Path) -> None:
    """Every notation arrives as a value; the customer table has one name, whatever the file calls it."""
    selection = """
[[source.join]]
name = "address"
table = "address"
on = { address_id = "crm.customers.address_id", shop_id = "customers.shop_id" }
where = { type = "billing", gone = "null", kind = [1, 2], state = { not = ["x", "null"] }, since = "not null" }
[[source.join]]
name = "country"
table = "country"
on = { id = "address.country_id" }
write = false
[source.where]
parent_id = "null"
[source.deleted]
column = "deleted"
values = [1, true]
[source.values.country]
DE = ["Germany", "Deutschland"]
AT = "Austria"
[source.defaults]
country = "DE"
active = true
birth_date = 1970-01-01
"""
    only = 'only = { dunning = [1] }\nid_column = "shop_id"\n'
    settings = read(tmp_path, BEFORE + selection + MAPPED + SHOP + only)
    address, country = settings.source.joins

    assert address.on == {"address_id": "customer.address_id", "shop_id": "customer.shop_id"}
    assert address.where == {
        "type": Condition(("billing",)),
        "gone": Condition(null=True),
        "kind": Condition(("1", "2")),
        "state": Condition(("x",), null=True, negated=True),
        "since": Condition(null=True, negated=True),
    }
    assert (address.write, country.write, country.on) == (True, False, {"id": "address.country_id"})
    assert settings.source.where == {"parent_id": Condition(null=True)}
    assert settings.source.deleted == Deleted("deleted", ("1", "true"))
    assert settings.source.values == {"country": {"DE": ("Germany", "Deutschland"), "AT": ("Austria",)}}
    assert settings.source.defaults == {"country": "DE", "active": True, "birth_date": date(1970, 1, 1)}
    assert settings.providers[0].only == {"dunning": Condition(("1",))}
    assert settings.providers[0].id_column == "shop_id"


def test_joins_that_lead_nowhere(tmp_path: Path) -> None:
    """A join hangs on the customer table or on an earlier join, under a name of its own."""
    joins = """
[[source.join]]
name = "city"
table = "city"
on = { id = "adress.city_id", x = "y" }
[[source.join]]
name = "address"
table = "address"
on = { id = "customer.address_id" }
[[source.join]]
name = "address"
table = "address"
on = {}
[[source.join]]
name = "customers"
table = "people"
on = { id = "customer.id" }
[[source.join]]
name = "a b"
table = "people"
on = { id = "custmer.id" }
"""
    found = wrong(tmp_path, BEFORE + joins + MAPPED + SHOP)
    assert "must" in found["source.join[2].on"]

    found = wrong(tmp_path, BEFORE + joins.replace("on = {}", 'on = { id = "customer.id" }') + MAPPED + SHOP)
    assert "neither the customer table nor an earlier join" in found["source.join[0].on.id"]
    assert 'Write "customer.COLUMN"' in found["source.join[0].on.x"]
    assert "Choose another name" in found["source.join[2].name"]
    assert "Choose another name" in found["source.join[3].name"]
    assert "is not a name" in found["source.join[4].name"]
    assert "Did you mean customer?" in found["source.join[4].on.id"]


def test_conditions_that_say_nothing(tmp_path: Path) -> None:
    """A condition is one of five notations."""
    where = """
[source.where]
a = []
b = { nut = [1] }
c = 1.5
d = ""
e = { not = [] }
[source.deleted]
column = "gone"
values = []
"""
    found = wrong(tmp_path, BEFORE + where + MAPPED + SHOP)

    places = {*(f"source.where.{name}" for name in "abcde"), "source.deleted.values"}
    assert found.keys() == places
    assert "{ not = [..] }" in found["source.where.b"]


def test_value_maps_that_contradict_themselves(tmp_path: Path) -> None:
    """One value of a column has one meaning, and the field has a column."""
    values = """
[source.values.country]
DE = ["Germany", "D"]
DK = ["D"]
[source.values.langauge]
de = "1"
[source.values.active]
yes = "1"
[source.values.birth_date]
x = "1"
[source.defaults]
country = 49
active = "yes"
birth_date = "1.1.1970"
fax = "1"
"""
    found = wrong(tmp_path, BEFORE + values + MAPPED + SHOP)

    assert '"D" stands for DE already.' in found["source.values.country.DK"]
    assert "no column is mapped" in found["source.values.langauge"]
    assert "true or false" in found["source.values.active.yes"]
    assert "source.values.birth_date" in found
    assert {"source.defaults.country", "source.defaults.active", "source.defaults.birth_date"} <= found.keys()
    assert "Map fax to a column" in found["source.defaults.fax"]


def test_an_own_field_that_no_provider_takes(tmp_path: Path) -> None:
    """It would be read and never sent; the sentence shows the line that is missing."""
    own = 'x_debtor = "debtor_no"\n'
    found = wrong(tmp_path, BEFORE + MAPPED + own + SHOP)
    assert 'AccountsReceivableNumber = "x_debtor" under [providers.shop.extra]' in found["source.fields.x_debtor"]
    found = wrong(tmp_path, BEFORE + MAPPED + own + LEDGER)
    assert "none of these providers has members" in found["source.fields.x_debtor"]


def test_own_fields_reach_the_adapter(tmp_path: Path) -> None:
    """By dotted path, whether the path stands in quotes or not."""
    own = 'x_debtor = "debtor_no"\nx_note = "note"\n'
    extra = '[providers.shop.extra]\nAccountsReceivableNumber = "x_debtor"\nInternal.Note = "x_note"\n'
    settings = read(tmp_path, BEFORE + MAPPED + own + SHOP + extra)

    wanted = {"AccountsReceivableNumber": "x_debtor", "Internal.Note": "x_note"}
    assert settings.providers[0].extra == settings.providers[0].options.extra == wanted


def test_members_that_cannot_be_extra(tmp_path: Path) -> None:
    """An unknown member is a problem that lists the known ones; a provider without any says so."""
    own = 'x_debtor = "debtor_no"\n'
    extra = """[providers.shop.extra]
AccountsReceivable = "x_debtor"
"Internal.Note" = "x_deptor"
[providers.ledger]
url = "https://ledger.example"
[providers.ledger.extra]
Anything = "x_debtor"
"""
    found = wrong(tmp_path, BEFORE + MAPPED + own + SHOP + extra)

    known = "Possible here: AccountsReceivableNumber, Internal.Note."
    assert found["providers.shop.extra.AccountsReceivable"].endswith(f"Did you mean AccountsReceivableNumber? {known}")
    assert "Did you mean x_debtor?" in found['providers.shop.extra."Internal.Note"']
    assert "ledger has no members" in found["providers.ledger.extra.Anything"]


def test_an_id_column_is_a_column_of_its_own(tmp_path: Path) -> None:
    """Neither the key, nor a mapped column, nor another provider's; and the source must be written."""
    ledger = LEDGER + 'id_column = "shop_id"\n'
    shop = SHOP + 'id_column = "shop_id"\n'
    assert (
        "holds the external id of shop"
        in wrong(tmp_path, BEFORE + MAPPED + shop + ledger)["providers.ledger.id_column"]
    )
    for name, sentence in {"mail": "holds email already", "id": "is the key"}.items():
        found = wrong(tmp_path, BEFORE + MAPPED + SHOP + f'id_column = "{name}"\n')
        assert sentence in found["providers.shop.id_column"]
    found = wrong(tmp_path, BEFORE + "write = false\n" + MAPPED + shop)
    assert "needs [source] write = true" in found["providers.shop.id_column"]


def test_what_changes_the_mapping_changes_its_digest(tmp_path: Path) -> None:
    """A field whose join changed loses its base; a file without any of this has the digests it always had."""
    join = '[[source.join]]\nname = "country"\ntable = "country"\non = { id = "customer.country_id" }\n'
    one = read(tmp_path, BEFORE + join + MAPPED + SHOP).providers[0]
    other = read(tmp_path, BEFORE + join.replace("country_id", "land_id") + MAPPED + SHOP).providers[0]
    only = read(tmp_path, BEFORE + join + MAPPED + SHOP + 'only = { a = "1" }\n').providers[0]

    assert one.field_hashes["name"] == other.field_hashes["name"]
    assert one.field_hashes["country"] != other.field_hashes["country"]
    assert len({one.config_hash, other.config_hash, only.config_hash}) == 3
