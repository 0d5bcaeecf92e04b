"""Finds the tables of `[[source.join]]` in the database, and builds the FROM clause of queries for customers.

A join gives at most one row for each customer; `soundness.double_rows` finds joins that give more. The joins are outer
ones: a customer without a joined row stays a customer, with empty fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import sqlalchemy as sa

from syncd.core.selection import CUSTOMER, Join
from syncd.errors import Problem
from syncd.source import reflection
from syncd.source.columns import MappedColumn
from syncd.source.conditions import as_clause
from syncd.source.keys import KeyKind
from syncd.source.reflection import FoundTable
from syncd.source.shape import Joined, Source, SourceConfig

NOT_WRITTEN = "[[source.join]] says write = false"


@dataclass
class Frame:
    """The customer table, with the joins found so far and the problems met so far."""

    config: SourceConfig
    dialect: str
    customers: FoundTable
    table: sa.Table
    joined: dict[str, Joined] = field(default_factory=dict)
    found: dict[str, FoundTable] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def find(self, reference: str, place: str) -> tuple[sa.ColumnElement[Any], reflection.FoundColumn, str] | None:
        """The column that `COLUMN`, `customer.COLUMN` or `JOIN.COLUMN` names, its reflection, and its join. For one
        that does not exist None, and a problem is added."""
        name, _, column = reference.rpartition(".")
        if reference in self.customers.columns:
            name, column = CUSTOMER, reference
        table = self.found.get(name) if name not in {"", CUSTOMER} else self.customers
        if table is None:
            self.problems.append(Problem(place, f'there is no join "{name}".', reflection.nearest(name, self.found)))
            return None
        if column not in table.columns:
            near = reflection.nearest(column, table.columns)
            self.problems.append(Problem(place, f'"{table.name}" has no column "{column}".', near))
            return None
        if table is self.customers:
            return reflection.column_of(self.table, table, column), table.columns[column], ""
        return self.joined[name].alias.c[column], table.columns[column], name


def find_joins(frame: Frame, inspector: sa.Inspector) -> None:
    """Find every configured join, in the order of the file, and add it to the frame."""
    for number, join in enumerate(frame.config.joins):
        place = f"source.join[{number}]"
        found = reflection.find_table(inspector, join.table, f"{place}.table")
        if isinstance(found, Problem):
            frame.problems.append(found)
        elif found.is_view and frame.config.change_log != "updated_at":
            reason = f'"{found.name}" is a view; triggers need a table.'
            frame.problems.append(Problem(f"{place}.table", reason, "Join the tables under it, one by one."))
        else:
            one = _joined(frame, join, found, place)
            if one is not None:
                frame.joined[join.name], frame.found[join.name] = one, found


def _joined(frame: Frame, join: Join, found: FoundTable, place: str) -> Joined | None:
    before = len(frame.problems)
    plain = frame.dialect == "sqlite"
    raw = sa.Table(
        found.name,
        sa.MetaData(),
        *(sa.Column(c.name, sa.types.NullType() if plain else c.type, quote=True) for c in found.columns.values()),
        schema=found.schema,
        quote=True,
        quote_schema=True,
    )
    alias = raw.alias(f"syncd_{join.name}")
    parts: list[sa.ColumnElement[bool]] = []
    leads: list[tuple[str, sa.ColumnElement[Any], KeyKind, str]] = []
    for own, other in join.on.items():
        at = f"{place}.on.{own}"
        if own not in found.columns:
            near = reflection.nearest(own, found.columns)
            frame.problems.append(Problem(at, f'"{found.name}" has no column "{own}".', near))
            continue
        target = frame.find(other, at)
        if target is None:
            continue
        kind = _compared(frame, found.columns[own], target[1], at)
        parts.append(alias.c[own] == target[0])
        if kind is not None:
            leads.append((target[2], target[0], kind, own))
    parts += _where(frame, join, found, alias, place)
    if len(frame.problems) > before:
        return None
    parent, pointed, kind, column = leads[0]
    identity = found.primary or (min(found.unique),) if found.primary or found.unique else ()
    return Joined(join.name, raw, alias, parent, pointed, kind, column, sa.and_(*parts), tuple(identity), join.write)


def _compared(frame: Frame, own: reflection.FoundColumn, other: reflection.FoundColumn, place: str) -> KeyKind | None:
    """The kind of keys in two columns that a join compares. Where their kinds differ, a problem is added."""
    one, two = (reflection.key_kind(column, frame.dialect) for column in (own, other))
    texts = {KeyKind.TEXT, KeyKind.PADDED}
    if one is None or two is None or (frame.dialect != "sqlite" and one is not two and not {one, two} <= texts):
        reason = f'"{own.name}" and "{other.name}" are of different types, or of one that cannot be joined by.'
        frame.problems.append(Problem(place, reason, "Join by whole numbers, UUIDs or text, both of the same kind."))
        return None
    return two


def _where(
    frame: Frame, join: Join, found: FoundTable, alias: sa.FromClause, place: str
) -> list[sa.ColumnElement[bool]]:
    parts = []
    for name, condition in join.where.items():
        at = f"{place}.where.{name}"
        column = found.columns.get(name)
        if column is None:
            near = reflection.nearest(name, found.columns)
            frame.problems.append(Problem(at, f'"{found.name}" has no column "{name}".', near))
            continue
        made = as_clause(alias.c[name], column.type, condition, frame.dialect, at)
        if isinstance(made, Problem):
            frame.problems.append(made)
        else:
            parts.append(made)
    return parts


def joined_fields(frame: Frame, fields: Mapping[str, tuple[str, str]]) -> dict[str, MappedColumn]:
    """The mapped columns of joined tables: field -> (join, column)."""
    mapped = {}
    taken: dict[tuple[str, str], str] = {}
    for name, (join, column) in fields.items():
        place = f"source.fields.{name}"
        if join not in frame.found:
            if join not in {each.name for each in frame.config.joins}:
                near = reflection.nearest(join, frame.found)
                frame.problems.append(Problem(place, f'there is no join "{join}".', near))
            continue
        if (join, column) in taken:
            reason = f'column "{join}.{column}" is already mapped to {taken[join, column]}.'
            frame.problems.append(Problem(place, reason, "Map it to one field."))
            continue
        taken[join, column] = name
        one = reflection.mapped_column(frame.found[join], name, column, frame.dialect, frame.config.values)
        if isinstance(one, Problem):
            frame.problems.append(one)
        else:
            mapped[name] = _of_the_join(frame, join, one)
    return mapped


def _of_the_join(frame: Frame, name: str, mapped: MappedColumn) -> MappedColumn:
    joined, column = frame.joined[name], mapped.column.name
    others = {ref for join in frame.config.joins for ref in join.on.values()}
    fixed = mapped.fixed
    if not joined.write:
        fixed = NOT_WRITTEN
    elif not joined.identity:
        fixed = f'the table of "{name}" has no primary key'
    elif column in joined.identity or f"{name}.{column}" in others or _hangs_on(frame, name, column):
        fixed = "the joins hang on this column"
    return mapped._replace(column=cast("sa.Column[Any]", joined.alias.c[column]), join=name, fixed=fixed)


def _hangs_on(frame: Frame, name: str, column: str) -> bool:
    join = next(each for each in frame.config.joins if each.name == name)
    return column in join.on or column in join.where or column in frame.found[name].unique


# --- in queries ------------------------------------------------------------------------------------------------------


def lineage(source: Source, name: str) -> list[str]:
    """The joins from the customer table to this one, this one last."""
    known = {joined.name: joined for joined in source.joins}
    path = [name]
    while known[path[0]].parent:
        path.insert(0, known[path[0]].parent)
    return path


def rows_from(source: Source, names: Iterable[str] | None = None) -> sa.FromClause:
    """The customer table with its joins; with `names`, only with these joins and those that lead to them."""
    wanted = None if names is None else {each for name in names for each in lineage(source, name)}
    clause: sa.FromClause = source.table
    for joined in source.joins:
        if wanted is None or joined.name in wanted:
            clause = clause.outerjoin(joined.alias, joined.condition)
    return clause
