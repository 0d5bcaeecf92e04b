"""Acme's row of the contract suite: its samples, its odd keys, and the ways to break its adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr
from syncd_acme import adapter, sandbox

from syncd.core.model import Remote, Values
from syncd.errors import Rejected
from syncd.providers.adapter import ProviderAdapter, Settings
from syncd.providers.http import OPEN_GATE, Answer
from syncd.sandbox.kit import Twin
from syncd.testing import TIMEOUT, Breakage, Row, World

CONTACTS, CONTACT = "/contacts", "/contacts/<external_id>"
LISTED = adapter.listed
STORED = {"name": "name", "email": "mail", "phone": "phone", "city": "town"}


def build(url: str, timeout: float = TIMEOUT, *, token: str = sandbox.TOKEN) -> adapter.Acme:
    options = adapter.Options(token=SecretStr(token))
    return adapter.build(Settings("acme", url, options, timeout), OPEN_GATE)


def stored(twin: Twin, external_id: str) -> Values:
    return {field: twin.records[external_id][name] for field, name in STORED.items()}


def other(number: int) -> Values:
    return {"name": f"Noordzee {number} B.V.", "email": f"inkoop{number}@noordzee.example", "city": "IJmuiden"}


def small_pages(made: ProviderAdapter) -> ProviderAdapter:
    assert isinstance(made, adapter.Acme)
    return adapter.Acme(made.http, page_size=2)


def plant(twin: Twin, external_id: str) -> None:
    twin.records[external_id]["discount"] = 5


def planted(twin: Twin, external_id: str) -> bool:
    return bool(twin.records[external_id].get("discount") == 5)


def a_longer_number_is_not_ours(world: World) -> None:
    """A check of this provider alone: whatever Acme's search shows beside it, only the exact number is ours."""
    ours = world.created_as("47", 1)
    world.created_as("471", 2)
    assert [found.external_id for found in world.adapter.find("47", {})] == [ours.external_id]


def broken(name: str, wrong: object) -> Callable[[pytest.MonkeyPatch], None]:
    """Replace one name of the adapter's module."""
    return lambda patch: patch.setattr(adapter, name, wrong)


def only_changes(current: Remote, values: Values) -> dict[str, object]:
    return {**adapter.to_wire(values), "number": current.key, "version": current.raw["version"]}


def without_version(current: Remote, values: Values) -> dict[str, object]:
    return {**current.raw, **adapter.to_wire(values), "version": 1}


def any_record(answer: Answer, external_id: str) -> Remote:
    return adapter.shown(answer, answer.data)._replace(external_id=external_id)


def unchanging(*record: Any, **named: Any) -> Remote:
    return Remote(*record, **{**named, "version": "1"})


def numbered(answer: Answer) -> list[Remote]:
    return [remote._replace(version=str(place)) for place, remote in enumerate(LISTED(answer), 900)]


def refusal(said: str, *, status: int) -> Rejected:
    return Rejected("", said, status=status)


ROW = Row(
    name="acme",
    create_twin=sandbox.create_twin,
    create_app=sandbox.create_app,
    build=build,
    stranger=lambda url: build(url, token="wrong-token"),
    stored=stored,
    samples={
        "K-10017": {
            "number": "K-10017",
            "name": "Bäckerei Müßig & Söhne GmbH",
            "email": "einkauf@baeckerei-muessig.example",
            "phone": "+49 (0) 30 / 901820-0",
            "city": "Frankfurt (Oder)",
        },
        "4711": {"name": "Zoë O'Brien", "email": None, "phone": None, "city": "'s-Hertogenbosch"},
        "ÅÖ 12": {"name": "Ærø Færgeri", "city": "Łódź"},
    },
    other=other,
    changes={"city": "Passau", "email": "neu@baeckerei-muessig.example", "phone": None},
    create=("POST", CONTACTS),
    update=("PUT", CONTACT),
    fetch=("GET", CONTACT),
    find=("GET", CONTACTS),
    scan=("GET", CONTACTS),
    remove=("DELETE", CONTACT),
    clearable=frozenset(STORED),
    awkward=("A B", "50%", "a+b", "a&b=c", "Ærø", "", "a\nb", "a\0b", "\ud800", "x" * 41),
    unknown_id="c99999",
    plant=plant,
    planted=planted,
    odd=("email", {"mail": ["a@b.example"]}),
    foreign={"id": "c66666", "number": "K-66666"},
    secrets=(sandbox.TOKEN,),
    small_pages=small_pages,
    checks=(a_longer_number_is_not_ours,),
    breakages=(
        Breakage("only-changed-fields-are-sent", broken("whole_record", only_changes)),
        Breakage("the-first-version-for-ever", broken("whole_record", without_version)),
        Breakage("one-version-for-all-times", broken("Remote", unchanging)),
        Breakage("a-listing-has-versions-of-its-own", broken("listed", numbered)),
        Breakage("a-conflict-is-a-refusal", broken("Stale", refusal)),
        Breakage("any-404-is-an-absence", broken("is_absent", lambda answer: answer.status == 404)),
        Breakage("a-foreign-record-is-believed", broken("remote", any_record)),
        Breakage("every-hit-is-ours", broken("same_key", lambda found, key: True), {"search": "prefix"}),
        Breakage("a-field-forgotten", broken("WIRE", {name: STORED[name] for name in ("name", "phone", "city")})),
    ),
)
