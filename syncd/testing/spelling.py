"""Checks of values: what a projection may change, and that a value comes back as it was sent."""

from __future__ import annotations

import pytest

from syncd.core.model import FIELDS, Values, is_own
from syncd.core.normalise import equal
from syncd.errors import Rejected
from syncd.sandbox.kit import Fault
from syncd.testing.row import World


def projection_is_pure(world: World) -> None:
    """The same row gives the same projection, with fields of this provider only, and never invents what is unknown."""
    known = world.adapter.capabilities.fields
    assert {name for name in known if name not in FIELDS and not is_own(name)} == set(), "no canonical fields"
    for values in world.row.samples.values():
        before = dict(values)
        projected = world.adapter.project(values)
        assert dict(projected) == dict(world.adapter.project(values))
        assert dict(values) == before
        assert projected.keys() <= known
        composed = world.adapter.composed(frozenset(values))
        assert composed <= known
        assert projected.keys() <= values.keys() | composed


def hostile_text(world: World) -> None:
    """NUL and half a surrogate pair are refused for the customer, not sent, and the field is named."""
    name = next(name for name, value in world.row.changes.items() if isinstance(value, str))
    remote = world.created()
    writes = world.twin.writes()
    for text in ("a\0b", "a\ud800b"):
        with pytest.raises(Rejected) as caught:
            world.adapter.update(remote, world.adapter.project({**world.row.samples[world.key], name: text}))
        assert caught.value.field == name
    assert world.twin.writes() == writes


AWKWARD: tuple[Values, ...] = (
    {
        "name": '\'s-Gravenhaagse IJsfabriek "De Zoete Inval" & Zn. <B.V.>',
        "first_name": "Zoë-Ærø",
        "last_name": "van der Meer-'t Hooft",
        "contact_person": "Mw. A. van der Meer-'t Hooft",
        "street": "Hafenweg 12 a-c",
        "postal_code": "01067",
        "city": "Frankfurt (Oder)",
        "phone": "030 / 901820-0",
        "email": "o'brien+einkauf@bäckerei-müßig.example",
    },
    {
        "name": "Ω; DROP TABLE customers; -- 100 % 🥐\\n",
        "first_name": None,
        "last_name": "O'Brien Müßig",
        "street": "Postfach 10 12 34",
        "city": "'s-Hertogenbosch",
        "postal_code": "5211 AP",
        "mobile": "06-12 34 56 78",
    },
    {"street": "Straße des 17. Juni 135/3. OG", "city": "Łódź", "state": "Noord-Holland", "phone": "+31 (0)20-1234567"},
    {"street": "12 bis, Rue de la Paix", "street2": "c/o Ó Súilleabháin", "city": "L'Haÿ-les-Roses", "phone": None},
)


def awkward_values_come_back(world: World) -> None:
    """Apostrophes, umlauts, house numbers with letters, PO boxes and numbers in brackets mean afterwards what they
    meant before, and a field that was planned together with others does not disturb them."""
    remote = world.created()
    agreed = dict(world.projected())
    hidden = world.row.hidden(world.toggles) | world.adapter.capabilities.writeonly
    country = world.row.samples[world.key].get("country")
    assert country is None or isinstance(country, str)
    for values in AWKWARD:
        whole = world.adapter.project({**world.row.samples[world.key], **values})
        planned = {name: whole[name] for name in whole.keys() & values.keys() if whole[name] or name != "phone"}
        current = world.adapter.fetch(remote.external_id)
        assert current is not None
        world.adapter.update(current._replace(values={**agreed, **current.values}), planned)
        agreed |= planned
        after = world.adapter.fetch(remote.external_id)
        assert after is not None
        for name, value in planned.items():
            if value is not None and name not in hidden:
                assert equal(name, after.values[name], value, country), name
                assert equal(name, world.stored(remote)[name], value, country), name


def an_odd_member_is_one_unknown_field(world: World) -> None:
    """A member of a form that nobody documented leaves its own field unknown: all others are read, the field is not
    taken for empty, and an update of another one does not lose what is stored there."""
    remote = world.created()
    stored = dict(world.stored(remote))
    place, field, patch = world.row.fetch, *world.row.odd
    world.twin.faults.add(Fault("merge", method=place[0], route=place[1], patch=patch))
    current = world.adapter.fetch(remote.external_id)
    assert world.twin.faults.hit
    assert current is not None
    hidden = world.row.hidden(world.toggles) | world.adapter.capabilities.writeonly
    assert field not in current.values
    assert current.values.keys() >= world.projected().keys() - hidden - {field}
    assert current.key == world.key

    other = next(name for name in world.row.changes if name != field)
    world.adapter.update(world.agreed(current), {other: world.row.changes[other]})
    assert dict(world.stored(remote)) == stored | {other: world.row.changes[other]}
