"""External ids in a column of the customer table, for the shop's own use.

Our write carries an origin of its own, by which capture knows that nothing about the customer changed: no echo. An id
that does not fit its column is not cut off and not written; `doctor` says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from syncd.source.columns import Kind, kind_of
from syncd.source.database import Source, in_transaction, reading
from syncd.source.failures import Kind as Failed
from syncd.source.failures import classify, explained
from syncd.source.keyed import is_key
from syncd.source.keys import bound, spelled
from syncd.source.pointing import CHUNK, IDS


def record(source: Source, provider: str, wanted: Mapping[str, str | None]) -> list[str]:
    """Write these ids (None: empty the column), by the customer's key, where the column holds something else.

    Answers the keys whose id could not be written: too long for the column, or the row is locked or refused.
    """
    missed: list[str] = []
    keys = list(wanted)
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        for key, held in held_ids(source, chunk).items():
            if held != wanted[key] and not _write(source, provider, key, wanted[key]):
                missed.append(key)
    return missed


def held_ids(source: Source, keys: list[str]) -> dict[str, str | None]:
    """What the column holds for rows with these keys, whether or not a provider's filter excludes them."""
    column = source.id_column
    values = [value for key in keys if (value := bound(source.key_kind, key)) is not None]
    if column is None or not values:
        return {}
    query = sa.select(source.key, sa.type_coerce(column, sa.types.NullType())).where(source.key.in_(values))
    with reading(source) as conn:
        rows = conn.execute(query).all()
    found = {spelled(source.key_kind, key): None if held in {None, ""} else str(held) for key, held in rows}
    return {key: found[key] for key in keys if key in found}


def fits(source: Source, external_id: str) -> bool:
    """Whether the column can hold this id as it is."""
    return _stored(source, external_id) is not None


def _stored(source: Source, external_id: str) -> Any | None:
    column = source.id_column
    if column is None:
        return None
    longest = getattr(column.type, "length", None)
    if kind_of(column.type, sqlite=source.dialect == "sqlite") is not Kind.INTEGER:
        return external_id if longest is None or len(external_id) <= longest else None
    return int(external_id) if external_id.isascii() and external_id.isdigit() else None


def _write(source: Source, provider: str, key: str, external_id: str | None) -> bool:
    column, value = source.id_column, None if external_id is None else _stored(source, external_id)
    if column is None or (external_id is not None and value is None):
        return False
    statement = source.table.update().where(is_key(source, bound(source.key_kind, key))).values({column.key: value})
    try:
        return in_transaction(source, lambda conn: conn.execute(statement).rowcount == 1, origin=f"{IDS}{provider}")
    except exc.SQLAlchemyError as error:
        failure = classify(error)
        if failure.kind in {Failed.BUSY, Failed.REFUSED}:
            return False
        raise explained(failure) from None
