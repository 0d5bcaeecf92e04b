"""The columns of a link: its base is stored, for each field, as two digests, a letter for each flag, and the two
digests from before the last change, if there was one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from syncd.core.model import FieldBase, Link, Pair, State

_FLAGS = {  # in the order in which `_flags` asks
    "c": "provisional",
    "p": "pulled",
    "f": "frozen",
    "d": "disputed",
    "o": "overruled",
    "s": "shown",
}


def to_row(link: Link) -> dict[str, Any]:
    """The columns of a link."""
    return {
        "provider": link.pair.provider,
        "customer_key": link.pair.key,
        "provider_key": link.provider_key,
        "external_id": link.external_id,
        "external_ids": dict(link.external_ids),
        "base": {name: _entry(base) for name, base in link.base.items()},
        "state": link.state.value,
        "created_at": link.created_at,
        "synced_at": link.synced_at,
        "verified_at": link.verified_at,
        "version": link.version,
    }


def _entry(base: FieldBase) -> list[Any]:
    agreed = [base.source, base.provider, _flags(base)]
    return agreed if base.earlier is None else [*agreed, list(base.earlier)]


def _flags(base: FieldBase) -> str:
    marks = (base.provisional, base.pulled, base.frozen, base.disputed, base.overruled, base.shown)
    return "".join(itertools.compress(_FLAGS, marks)) if any(marks) else ""


def _base(source: str, provider: str | None, flags: str, earlier: Sequence[str | None] | None = None) -> FieldBase:
    if not flags and earlier is None:  # almost every field
        return FieldBase(source, provider)
    before = None if earlier is None else (str(earlier[0]), earlier[1])
    return FieldBase(source, provider, **{_FLAGS[letter]: True for letter in flags}, earlier=before)


def to_link(row: sa.Row[Any]) -> Link:
    """The link of a row."""
    return Link(
        pair=Pair(row.provider, row.customer_key),
        provider_key=row.provider_key,
        external_id=row.external_id,
        external_ids=row.external_ids,
        base={name: _base(*entry) for name, entry in row.base.items()},
        state=State(row.state),
        created_at=row.created_at,
        synced_at=row.synced_at,
        verified_at=row.verified_at,
        version=row.version,
    )
