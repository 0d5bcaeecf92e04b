"""Own fields of a shop (`x_…`) in native members of a provider: text in the source, of the member's kind there.

`extra` is the table of the settings, member (dotted path) to own field; `members` is what the adapter declares. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from syncd.core.model import Value, Values
from syncd.core.normalise import as_text, text
from syncd.errors import Rejected
from syncd.providers.adapter import ExtraMember

INT32 = 2**31 - 1
_WHOLE = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_WORDS = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}


def projected(values: Values, extra: Mapping[str, str], members: Mapping[str, ExtraMember]) -> Values:
    """The own fields that the source knows, as the provider would show them.

    Raises `Rejected` for what a member cannot hold. A number and a yes-or-no have no empty form and are left out then.
    """
    wanted: dict[str, Value] = {}
    for path, field in extra.items():
        if field not in values:
            continue
        value = _formed(field, text(as_text(values[field])), members[path])
        if value is not None or members[path].kind == "text":
            wanted[field] = value
    return wanted


def _formed(field: str, value: str | None, member: ExtraMember) -> str | None:
    if value is None:
        return None
    if member.kind == "number":
        if not _WHOLE.fullmatch(value) or abs(int(value)) > INT32:
            raise Rejected(field, "the provider keeps a whole number there; correct it in the source")
        return str(int(value))
    if member.kind == "bool":
        if value.lower() not in _WORDS:
            raise Rejected(field, "the provider keeps true or false there; correct it in the source")
        return _WORDS[value.lower()]
    if member.max_length is not None and len(value) > member.max_length:
        raise Rejected(field, f"the provider takes at most {member.max_length} characters there")
    return value


def written(values: Values, extra: Mapping[str, str], members: Mapping[str, ExtraMember]) -> dict[str, Any]:
    """Member to JSON value, None for an emptied text, for exactly the own fields among `values`."""
    body: dict[str, Any] = {}
    for path, field in extra.items():
        if field not in values:
            continue
        value, kind = text(as_text(values[field])), members[path].kind
        if kind == "text":
            body[path] = value
        elif value is not None:
            body[path] = int(value) if kind == "number" else value == "true"
    return body


def shown(record: Mapping[str, Any], extra: Mapping[str, str], members: Mapping[str, ExtraMember]) -> Values:
    """The own fields that a record shows; `record` has the members under their dotted paths. Odd ones are unknown."""
    values: dict[str, Value] = {}
    for path, field in extra.items():
        raw, kind = record.get(path, ...), members[path].kind
        if raw is None or (isinstance(raw, str) and kind == "text"):
            values[field] = text(raw)
        elif isinstance(raw, bool) and kind == "bool":
            values[field] = "true" if raw else "false"
        elif isinstance(raw, int) and not isinstance(raw, bool) and kind == "number":
            values[field] = str(raw)
    return values
