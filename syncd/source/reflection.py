"""Finds configured names among the tables and columns that exist.

A name from the settings is used only where reflection gives exactly this name; any other one is a problem with a "did
you mean". So text from the settings reaches a statement only as a quoted name that the database itself gave.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from syncd.errors import Problem
from syncd.source.columns import ColumnKind, MappedColumn, kind_of, kinds_for
from syncd.source.keys import KeyKind
from syncd.source.spellings import spellings

ValueMaps = Mapping[str, Mapping[str, tuple[str, ...]]]
OTHER_KEY = "Name a unique column: a generated one serves, or a view with one key column."
KEY = "syncd_key"  # how statements name the key column; a canonical field's column is named by its field


class FoundColumn(NamedTuple):
    """One reflected column."""

    name: str
    type: sa.types.TypeEngine[Any]
    nullable: bool
    default: str | None
    computed: bool


class FoundTable(NamedTuple):
    """One reflected table or view. Each column of `unique` identifies a row by itself."""

    schema: str | None
    name: str
    is_view: bool
    columns: Mapping[str, FoundColumn]
    primary: tuple[str, ...]
    unique: frozenset[str]


def nearest(name: str, names: Collection[str]) -> str:
    """A "did you mean" for a name that does not exist, or ''."""
    from difflib import get_close_matches

    close = get_close_matches(name.lower(), {each.lower() for each in names}, n=1, cutoff=0.6)
    return next((f'Did you mean "{each}"?' for each in sorted(names) if close and each.lower() == close[0]), "")


def find_table(inspector: sa.Inspector, text: str, place: str) -> FoundTable | Problem:
    """The table or view that `text` names, in the default schema or as schema.table; a problem where there is none."""
    schema, _, name = text.partition(".")
    known = _names(inspector, None)
    if text in known:
        return _reflect(inspector, inspector.default_schema_name, text, is_view=known[text])
    if not name:
        return Problem(place, f'there is no table or view "{text}".', nearest(text, known))
    schemas = ["main"] if inspector.dialect.name == "sqlite" else inspector.get_schema_names()
    if schema not in schemas:
        return Problem(place, f'there is no schema "{schema}".', nearest(schema, schemas))
    known = _names(inspector, schema)
    if name not in known:
        return Problem(place, f'there is no table or view "{name}" in "{schema}".', nearest(name, known))
    return _reflect(inspector, schema, name, is_view=known[name])


def _names(inspector: sa.Inspector, schema: str | None) -> dict[str, bool]:
    """Every table (False) and view (True) of a schema."""
    if schema is None and inspector.dialect.name == "mysql" and inspector.default_schema_name is None:
        return {}
    names = dict.fromkeys(inspector.get_table_names(schema), False)
    names.update(dict.fromkeys(inspector.get_view_names(schema), True))
    if inspector.dialect.name == "postgresql":
        names.update(dict.fromkeys(inspector.get_materialized_view_names(schema), True))
    return names


def _reflect(inspector: sa.Inspector, schema: str | None, name: str, *, is_view: bool) -> FoundTable:
    with warnings.catch_warnings():  # a column type SQLAlchemy does not know only matters when it is mapped
        warnings.simplefilter("ignore", exc.SAWarning)
        columns = {
            column["name"]: FoundColumn(
                name=str(column["name"]),
                type=column["type"],
                nullable=bool(column["nullable"]),
                default=column["default"],
                computed="computed" in column,
            )
            for column in inspector.get_columns(name, schema)
        }
        primary: tuple[str, ...] = ()
        unique: set[str] = set()
        if not is_view:
            primary = tuple(inspector.get_pk_constraint(name, schema)["constrained_columns"])
            groups: list[list[Any]] = [
                list(entry["column_names"]) for entry in inspector.get_unique_constraints(name, schema)
            ]
            groups += [
                list(index["column_names"])
                for index in inspector.get_indexes(name, schema)
                if index["unique"] and not _partial(index)
            ]
            unique = {group[0] for group in groups if len(group) == 1 and group[0] is not None}
    if len(primary) == 1:
        unique.add(primary[0])
    return FoundTable(schema, name, is_view, columns, primary, frozenset(unique))


def column_names(inspector: sa.Inspector, table: sa.Table) -> frozenset[str]:
    """The names of a table's columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exc.SAWarning)
        return frozenset(column["name"] for column in inspector.get_columns(table.name, table.schema))


def _partial(index: Any) -> bool:
    """Whether an index has a WHERE, and so identifies only some rows."""
    options = index.get("dialect_options", {})
    return any(name.endswith("_where") and value is not None for name, value in options.items())


def key_problem(found: FoundTable, key: str, place: str) -> Problem | None:
    """Why this column cannot be the customers' key; None where it can."""
    if key not in found.columns:
        return Problem(place, f'"{found.name}" has no column "{key}".', nearest(key, found.columns))
    if found.is_view or key in found.unique:
        return None
    if len(found.primary) > 1:
        reason = f'"{found.name}" has a primary key of {len(found.primary)} columns; a customer needs a key of one.'
        return Problem(place, reason, OTHER_KEY)
    return Problem(place, f'"{key}" is neither the primary key of "{found.name}" nor unique.', OTHER_KEY)


def key_kind(column: FoundColumn, dialect: str) -> KeyKind | None:
    """The kind of keys in a column; None for a type that cannot be a key."""
    if dialect == "sqlite":
        if isinstance(column.type, sa.Integer):
            return KeyKind.INTEGER
        return KeyKind.TEXT if isinstance(column.type, sa.String | sa.Numeric) else None
    kind = kind_of(column.type, sqlite=False)
    if kind is ColumnKind.INTEGER or (kind is ColumnKind.DECIMAL and getattr(column.type, "scale", None) == 0):
        return KeyKind.INTEGER
    if kind is ColumnKind.UUID:
        return KeyKind.UUID
    if kind is not ColumnKind.TEXT or isinstance(column.type, sa.Enum):
        return None
    return KeyKind.PADDED if dialect == "postgresql" and isinstance(column.type, sa.CHAR) else KeyKind.TEXT


def build(
    found: FoundTable, key: str, fields: Mapping[str, str], dialect: str, values: ValueMaps
) -> tuple[sa.Table, dict[str, MappedColumn], list[Problem]]:
    """The table with its key and mapped columns, every name quoted; the mapped columns by field; and the mapping's
    problems."""
    table = bare(found, key)
    mapped: dict[str, MappedColumn] = {}
    problems: list[Problem] = []
    taken: dict[str, str] = {}
    for field, name in fields.items():
        if name in taken:
            problems.append(
                Problem(
                    f"source.fields.{field}",
                    f'column "{name}" is already mapped to {taken[name]}.',
                    "Map it to one field.",
                )
            )
            continue
        taken[name] = field
        one = mapped_column(found, field, name, dialect, values)
        if isinstance(one, Problem):
            problems.append(one)
        elif name == key:
            fixed = "the key column is never written"
            mapped[field] = one._replace(column=table.c[KEY], is_key=True, fixed=fixed)
        else:
            table.append_column(one.column)
            mapped[field] = one
    return table, mapped, problems


def mapped_column(found: FoundTable, field: str, name: str, dialect: str, values: ValueMaps) -> MappedColumn | Problem:
    """The column `name` as the column of this field, or its problem; `values` are the value maps by field."""
    place, plain = f"source.fields.{field}", dialect == "sqlite"
    column = found.columns.get(name)
    if column is None:
        return Problem(place, f'"{found.name}" has no column "{name}".', nearest(name, found.columns))
    kind = kind_of(column.type, sqlite=plain)
    if kind is None or kind not in kinds_for(field, spelled=field in values):
        return Problem(
            place,
            f'column "{name}" is of type {_type_name(column)}, which cannot hold {field}.',
            "Map another column, or none.",
        )
    known = (
        spellings(field, values[field], flags=kind in {ColumnKind.BOOLEAN, ColumnKind.BIT}) if field in values else None
    )
    return MappedColumn(
        field=field,
        column=sa.Column(column.name, sa.types.NullType() if plain else column.type, key=field, quote=True),
        kind=kind,
        nullable=column.nullable,
        clears_to="" if not column.nullable and kind is ColumnKind.TEXT and _is_empty_default(column.default) else None,
        plain=plain,
        fixed="the database computes this column" if column.computed else "",
        spellings=known,
    )


def column_of(table: sa.Table, found: FoundTable, name: str) -> sa.Column[Any]:
    """A column of the customer table that need not be mapped: a filter's, a join's, one for external ids."""
    for column in table.c:
        if column.name == name:
            return column
    column = sa.Column(name, found.columns[name].type, key=f"column:{name}", quote=True)
    table.append_column(column)
    return column


def bare(found: FoundTable, key: str) -> sa.Table:
    """The table with the key column alone."""
    return sa.Table(
        found.name,
        sa.MetaData(),
        sa.Column(found.columns[key].name, found.columns[key].type, key=KEY, quote=True),
        schema=found.schema,
        quote=True,
        quote_schema=True,
    )


def _is_empty_default(default: str | None) -> bool:
    """Whether a column's default is the empty text, in any of the databases' spellings."""
    return default is not None and (default == "" or default.partition("::")[0].strip() in {"''", '""'})


def _type_name(column: FoundColumn) -> str:
    return type(column.type).__name__.lower() if not isinstance(column.type, sa.types.NullType) else "unknown to syncd"
