"""A snapshot of Azotte as canonical values. Pure functions.

The pages name four keys of a snapshot and promise "identity, addresses" without their keys; they are taken to be those
of a write, wherever they appear. They do not say how an anonymised customer looks, so every sign of it is believed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from syncd.core.model import Remote, Value
from syncd.core.normalise import text
from syncd.providers import own_fields
from syncd.providers.azotte_options import ACTIVE, Options
from syncd.providers.azotte_wire import ADDRESS, EXTRA, PERSON
from syncd.providers.strict import is_shown

PERSONAL = ("first_name", "last_name", "email", "phone", "street", "postal_code", "city")
_ERASED = re.compile(r"anonymi[sz](?:ed|iert)|deleted|erased|redacted|forgotten|gdpr", re.IGNORECASE)
_MASK = re.compile(r"[\s*#•._xX-]{3,}|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MARKERS = frozenset({"anonymized", "anonymised", "isanonymized", "isanonymised", "isdeleted", "deleted"})
_MARKER_TIMES = frozenset({"anonymizedat", "anonymisedat", "deletedat", "erasedat"})


def from_wire(snapshot: Mapping[str, Any], options: Options) -> Remote:
    """A record in canonical fields. A key that the snapshot lacks is unknown, never empty; so is one that is no text.

    Raises `ValueError` (without values) where the record is not one. An anonymised record has no values at all, so
    that nothing of it can reach the source.
    """
    urn, key = snapshot.get("customerUrn"), snapshot.get("externalIdentifier")
    if not isinstance(urn, str) or not urn or not (key is None or isinstance(key, str)):
        raise ValueError("customerUrn")
    values = _values(snapshot, options)
    gone = anonymised(snapshot)
    return Remote(
        external_id=urn,
        key=key or None,
        values={} if gone else values,
        external_ids={"customerUrn": urn, **({"externalIdentifier": key} if key else {})},
        archived=gone,
        raw=snapshot,
    )


def _values(snapshot: Mapping[str, Any], options: Options) -> dict[str, Value]:
    values = {**_read(PERSON, snapshot), **own_fields.shown(snapshot, options.extra, EXTRA)}
    if "primaryBillingAddress" in snapshot:
        address = snapshot["primaryBillingAddress"]
        if address is None:
            values.update(dict.fromkeys(ADDRESS))
        elif isinstance(address, Mapping):
            values.update(_read(ADDRESS, address))
    if isinstance(country := values.get("country"), str):
        values["country"] = country.upper()
    if not any(values.get(name) for name in PERSONAL):
        # Blanked by an erasure or never filled: what is empty here is no edit.
        values = {name: value for name, value in values.items() if value is not None}
    # Without the operator's word for "inactive" we never send it, so reading "Active" would undo the source's "no".
    if options.inactive_status and snapshot.get("status") in {ACTIVE, options.inactive_status}:
        values["active"] = snapshot["status"] == ACTIVE
    return values


def _read(parts: Mapping[str, str], held: Mapping[str, Any]) -> dict[str, Value]:
    return {name: text(held[wire]) for name, wire in parts.items() if is_shown(held, wire)}


def anonymised(snapshot: Mapping[str, Any]) -> bool:
    """Whether the record of a person was erased at Azotte. How that looks is not documented, so every sign counts:

    a status or flag that says so, an external identifier that was taken away, masks in place of all personal data, or
    nothing at all where everything would be shown. An empty e-mail in a small snapshot is no sign: many have none.
    """
    if snapshot.get("externalIdentifier", "shown") in {None, ""} or _ERASED.search(str(snapshot.get("status") or "")):
        return True
    if any(
        (name.casefold() in _MARKERS and value is True) or (name.casefold() in _MARKER_TIMES and value)
        for name, value in snapshot.items()
    ):
        return True
    address = snapshot.get("primaryBillingAddress")
    shown = {**snapshot, **(address if isinstance(address, Mapping) else {})}
    held = [shown.get({**PERSON, **ADDRESS}[name]) for name in PERSONAL]
    filled = [value for value in held if isinstance(value, str) and value.strip()]
    if not filled:
        return not address and {*PERSON.values(), "primaryBillingAddress"} <= snapshot.keys()
    return all(_MASK.fullmatch(value.strip()) or _ERASED.search(value) for value in filled)
