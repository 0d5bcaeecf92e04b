"""Problems of joins, value maps and columns that only the rows show, for `syncd doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from syncd.errors import Problem
from syncd.source.columns import MappedColumn, UnreadableError
from syncd.source.database import Source, reading
from syncd.source.joins import lineage, rows_from
from syncd.source.keys import spelled
from syncd.source.rows import as_given
from syncd.source.translation import meaning
from syncd.source.writable import one_way

SHOWN = 3  # customers that a problem names
DIFFERENT = 1000  # values of one column that are read, the most frequent ones first


def double_rows(source: Source) -> list[Problem]:
    """Joins that give a customer more than one row. In a chain of joins, only the first such one is told."""
    found: list[Problem] = []
    told: set[str] = set()
    for number, joined in enumerate(source.joins):
        if told & set(lineage(source, joined.name)):
            continue
        rows = rows_from(source, [joined.name])
        query = sa.select(source.key).select_from(rows).where(source.key.is_not(None))
        query = query.group_by(source.key).having(sa.func.count() > 1)
        with reading(source) as conn:
            count = conn.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
            keys = [spelled(source.key_kind, row[0]) for row in conn.execute(query.limit(SHOWN))] if count else []
        if keys:
            told.add(joined.name)
            reason = (
                f'the join "{joined.name}" gives more than one row for {_customers(count, keys)}; they are not sent.'
            )
            remedy = f'Narrow it with where under source.join[{number}], or by another column in "on".'
            found.append(Problem(f"source.join[{number}]", reason, remedy))
    return found


def unmapped(source: Source) -> list[Problem]:
    """How many customers have a value that no entry of the field's value map names. No value is shown: it may be
    personal data."""
    found = []
    for name, mapped in source.fields.items():
        if mapped.spellings is None:
            continue
        values = list(_unknown(source, mapped))
        if values:
            count, keys = sum(number for number, _ in values), [key for _, key in values][:SHOWN]
            reason = f"{name} holds values that no entry of [source.values.{name}] names: {_customers(count, keys)}."
            remedy = f"Add them to [source.values.{name}]; until then they are neither sent nor overwritten."
            found.append(Problem(f"source.values.{name}", reason, remedy))
    return found


def _unknown(source: Source, mapped: MappedColumn) -> Iterator[tuple[int, str]]:
    """How many customers have such values, and the key of one."""
    joins = source.scope_joins | ({mapped.join} if mapped.join else frozenset())
    column: sa.ColumnElement[Any] = mapped.column
    query = sa.select(as_given(source, column), sa.func.count(), sa.func.min(source.key))
    query = query.select_from(rows_from(source, joins)).where(*source.scope, column.is_not(None)).group_by(column)
    with reading(source) as conn:
        rows = conn.execute(query.order_by(sa.func.count().desc()).limit(DIFFERENT)).all()
    for raw, count, key in rows:
        try:
            known = meaning(mapped, raw)[1]
        except UnreadableError:
            continue  # told where customers are looked at one by one
        if not known:
            yield int(count), spelled(source.key_kind, key)


def one_way_fields(source: Source) -> list[Problem]:
    """Fields whose column the database does not let be written."""
    names = sorted(one_way(source)) if source.config.write else []
    if not names:
        return []
    reason = f'one way: "{source.table.name}" cannot be written at {", ".join(names)}.'
    remedy = "They go to the providers; what changes there becomes a question. An INSTEAD OF trigger makes it two ways."
    return [Problem("source.table", reason, remedy)]


def _customers(count: int, keys: list[str]) -> str:
    some = ", ".join(keys) + (", …" if count > len(keys) else "")
    return f"{count} customer{'' if count == 1 else 's'} ({some})"
