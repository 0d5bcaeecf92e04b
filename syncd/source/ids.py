"""External ids in a column of the customer table, for the shop's own use.

Such a write has an origin of its own (`pointing.IDS`), by which capture knows that no field of the customer changed. An
id that does not fit its column is not written, and never cut off; `doctor` says which length is needed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from syncd.errors import Problem
from syncd.source.columns import ColumnKind, kind_of
from syncd.source.database import Source, in_transaction, reading
from syncd.source.failures import FailureKind, classify, explained
from syncd.source.joins import rows_from
from syncd.source.keyed import is_key
from syncd.source.keys import bound, spelled
from syncd.source.pointing import CHUNK, IDS
from syncd.source.shape import IdForm

_DIGITS = {
    "TINYINT": 2,
    "SMALLINT": 4,
    "MEDIUMINT": 6,
    "INTEGER": 10,
    "BIGINT": 19,
}  # digits that fit


def write_ids(source: Source, provider: str, wanted: Mapping[str, str | None]) -> list[str]:
    """Write these external ids into the rows, by the customer's key (None empties the column). A row that holds its id
    already is left alone.

    Answers the keys whose id was not written: it is too long for the column, or the row is locked, or the database
    refuses the write.
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
    """The ids in the column for rows with these keys, also for rows that a filter excludes."""
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
    kind, longest = kind_of(column.type, sqlite=source.dialect == "sqlite"), _room(source, column)
    if longest is not None and len(external_id) > longest:
        return None
    if kind is ColumnKind.UUID:
        return _uuid(external_id)
    if kind is not ColumnKind.INTEGER:
        return external_id
    return int(external_id) if external_id.isascii() and external_id.isdigit() else None


def _uuid(external_id: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(external_id)
    except ValueError:
        return None


def _room(source: Source, column: sa.Column[Any]) -> int | None:
    """The number of characters or digits of an id that the column holds; None where it has no limit."""
    if kind_of(column.type, sqlite=source.dialect == "sqlite") is ColumnKind.INTEGER:
        return _DIGITS["BIGINT"] if source.dialect == "sqlite" else _DIGITS.get(str(column.type.__visit_name__).upper())
    longest: int | None = getattr(column.type, "length", None)
    return longest


def narrow_ids(source: Source) -> list[Problem]:
    """Columns for external ids that are too narrow for some ids of their provider: told before the first id is
    written."""
    found = []
    for provider, column in source.id_columns.items():
        form = source.config.id_forms.get(provider, IdForm())
        reason, needed = _lacks(source, column, _ours(source) if form.ours else form, provider)
        if reason:
            remedy = (
                f"Make it VARCHAR({needed}) or wider, then: syncd doctor. Until then, what does not fit is left out."
            )
            found.append(Problem(f"providers.{provider}.id_column", reason, remedy))
    return found


def _lacks(source: Source, column: sa.Column[Any], form: IdForm, provider: str) -> tuple[str, int]:
    """Why this column is too narrow for ids of this form ("" where it is not), and the length that serves."""
    kind, room, needed = kind_of(column.type, sqlite=source.dialect == "sqlite"), _room(source, column), form.length
    what = f"an id of {provider} may have {needed}"
    if kind is ColumnKind.INTEGER and form.digits is False:
        return f'column "{column.name}" holds numbers; {what} characters that are no digits.', max(needed, 1)
    if kind is ColumnKind.UUID and (form.digits or form.ours):
        return f'column "{column.name}" holds UUIDs; {what} characters and is none.', max(needed, 1)
    if room is not None and room < needed:
        return f'column "{column.name}" holds {room} character{"" if room == 1 else "s"}; {what}.', needed
    return "", needed


def _ours(source: Source) -> IdForm:
    """The form of ids that are this source's own customer numbers, or its keys where no number is mapped."""
    mapped = source.fields.get("number")
    text = sa.Text if source.dialect != "mysql" else sa.CHAR
    number = sa.null() if mapped is None else sa.func.nullif(sa.func.trim(sa.cast(mapped.column, text)), "")
    own = sa.func.coalesce(number, sa.cast(source.key, text))
    joins = source.scope_joins | ({mapped.join} if mapped is not None and mapped.join else frozenset())
    rows = rows_from(source, joins)
    with reading(source) as conn:
        lengths = sa.select(sa.func.max(sa.func.char_length(own))).select_from(rows).where(*source.scope)
        others = sa.select(own).select_from(rows).where(*source.scope, own.regexp_match("[^0-9]")).limit(1)
        longest, other = conn.execute(lengths).scalar(), conn.execute(others).first()
    return IdForm(int(longest or 0), digits=other is None, ours=True)


def _write(source: Source, provider: str, key: str, external_id: str | None) -> bool:
    column, value = source.id_column, None if external_id is None else _stored(source, external_id)
    if column is None or (external_id is not None and value is None):
        return False
    statement = source.table.update().where(is_key(source, bound(source.key_kind, key))).values({column.key: value})
    try:
        return in_transaction(source, lambda conn: conn.execute(statement).rowcount == 1, origin=f"{IDS}{provider}")
    except exc.SQLAlchemyError as error:
        failure = classify(error)
        if failure.kind in {FailureKind.BUSY, FailureKind.REFUSED}:
            return False
        raise explained(failure) from None
