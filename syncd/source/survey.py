"""Reads the facts for `syncd init`: names, keys and references of all tables, and some rows of the likely ones.

The numbers of tables, of rows and of different values are bounded. Reads only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from syncd.errors import Problem
from syncd.source import reflection
from syncd.source.columns import ColumnKind, UnreadableError, kind_of, spelling_of
from syncd.source.nations import plain
from syncd.source.writable import unwritable_columns

TABLES = 3000  # tables that are read at most
SAMPLE = 1000  # rows that are read of one table
COUNTED = 1_000_000  # rows of one table that are counted at most
DIFFERENT = 200  # different values of one column that are kept
OURS = ("syncd_", "sqlite_")


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column. `filled` counts the sampled rows with a value, `values` how often each value came; `repeats`: the
    whole table has a value in several rows."""

    name: str
    kind: ColumnKind | None
    filled: int = 0
    values: Mapping[str, int] = field(default_factory=dict)
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table or view. `references`: column -> (table, column) by foreign key. `under`: the tables that a view's text
    names. `sampled` is the number of rows that were read; `fixed` columns cannot be written."""

    name: str
    is_view: bool
    columns: Mapping[str, ColumnFacts]
    primary: tuple[str, ...]
    unique: frozenset[str]
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    under: tuple[str, ...] = ()
    rows: int = 0
    sampled: int = 0
    fixed: frozenset[str] = frozenset()

    def named(self, word: str) -> str:
        """The column with this name, in the form in which words are compared; '' for none."""
        return next((name for name in self.columns if plain(name) == word), "")

    @property
    def bare(self) -> str:
        """The table's name without its schema, in the form in which words are compared."""
        return plain(self.name.rpartition(".")[2])


def table_names(inspector: sa.Inspector) -> list[str]:
    """The names of tables and views, as `source.table` names them, without those of syncd."""
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    if inspector.dialect.name == "postgresql":
        default = inspector.default_schema_name
        others = [n for n in inspector.get_schema_names() if n not in {default, "information_schema", "syncd"}]
        names += [f"{schema}.{name}" for schema in others for name in inspector.get_table_names(schema)]
    return [name for name in names if not name.startswith(OURS)][:TABLES]


def structure(inspector: sa.Inspector, name: str) -> TableFacts | Problem:
    """The facts of one table from its structure: names, types and keys."""
    found = reflection.find_table(inspector, name, "--table")
    if isinstance(found, Problem):
        return found
    lite = inspector.dialect.name == "sqlite"
    columns = {c.name: ColumnFacts(c.name, kind_of(c.type, sqlite=lite)) for c in found.columns.values()}
    firm = frozenset(n for n in found.unique if n in found.primary or not found.columns[n].nullable)
    return TableFacts(name, found.is_view, columns, found.primary, firm)


def surroundings(inspector: sa.Inspector, table: TableFacts, names: Collection[str]) -> TableFacts:
    """The facts with the table's foreign keys, or with the tables that the view's text names."""
    schema, _, bare = table.name.rpartition(".")
    where = schema or None
    if table.is_view:
        words = set(re.findall(r"\w+", inspector.get_view_definition(bare, where) or ""))
        return replace(table, under=tuple(n for n in names if n != table.name and n.rpartition(".")[2] in words))
    references = {}
    for key in inspector.get_foreign_keys(bare, where):
        if len(key["constrained_columns"]) == 1 and key["referred_columns"]:
            near = key["referred_schema"] or schema
            far = f"{near}.{key['referred_table']}"
            target = far if far in names else key["referred_table"]
            references[key["constrained_columns"][0]] = (target, key["referred_columns"][0])
    return replace(table, references=references)


def sampled(engine: sa.Engine, table: TableFacts, wanted: Collection[str], choices: Collection[str]) -> TableFacts:
    """The facts with the values of some rows in the `wanted` columns, and with all different values of `choices`."""
    columns = [name for name in wanted if table.columns[name].kind is not None]
    with engine.connect() as conn:
        seen = _rows(conn, table, columns)
        facts = dict(table.columns)
        for number, name in enumerate(columns):
            facts[name] = _column(facts[name], [row[number] for row in seen])
        for name in choices:
            facts[name] = replace(facts[name], values=_different(conn, table, name) or facts[name].values)
        rows = _count(conn, table) if len(seen) == SAMPLE else len(seen)
    return replace(table, columns=facts, rows=rows, sampled=len(seen))


def repeating(engine: sa.Engine, table: TableFacts, name: str, alive: str = "") -> TableFacts:
    """The facts with whether a column holds one value in several rows, rows that count as deleted left out (`alive`:
    the deletion flag)."""
    source = _bare(table, [name, *([alive] if alive else [])])
    column = source.c[name]
    query = sa.select(column).where(column.is_not(None)).group_by(column).having(sa.func.count() > 1).limit(1)
    if alive:
        query = query.where(sa.cast(source.c[alive], sa.CHAR if engine.dialect.name == "mysql" else sa.Text) == "0")
    with engine.connect() as conn:
        found = _ask(conn, query)
    repeats = found is None or bool(found)
    return replace(table, columns={**table.columns, name: replace(table.columns[name], repeats=repeats)})


def written(engine: sa.Engine, table: TableFacts, names: Collection[str]) -> TableFacts:
    """The facts with the columns that the database does not let be written."""
    found = reflection.find_table(sa.inspect(engine), table.name, "--table")
    if isinstance(found, Problem):
        return table
    return replace(table, fixed=unwritable_columns(engine, found, list(names)))


def _ask(conn: sa.Connection, query: sa.Select[Any]) -> list[Any] | None:
    """The rows of a query; None where the account may not read them, or the query takes too long."""
    try:
        return list(conn.execute(query).all())
    except exc.DBAPIError:
        conn.rollback()
        return None


def _bare(table: TableFacts, names: Collection[str]) -> sa.Table:
    schema, _, bare = table.name.rpartition(".")
    columns = (sa.Column(name, sa.types.NullType(), quote=True) for name in dict.fromkeys(names))
    return sa.Table(bare, sa.MetaData(), *columns, schema=schema or None, quote=True, quote_schema=True)


def _rows(conn: sa.Connection, table: TableFacts, names: list[str]) -> list[Any]:
    source = _bare(table, names)
    return _ask(conn, sa.select(*(source.c[name] for name in names)).limit(SAMPLE)) or [] if names else []


def _count(conn: sa.Connection, table: TableFacts) -> int:
    name = next(iter(table.columns))
    some = sa.select(_bare(table, [name]).c[name]).limit(COUNTED).subquery()
    found = _ask(conn, sa.select(sa.func.count()).select_from(some))
    return int(found[0][0]) if found else SAMPLE


def _different(conn: sa.Connection, table: TableFacts, name: str) -> dict[str, int]:
    column = _bare(table, [name]).c[name]
    query = sa.select(column, sa.func.count()).group_by(column).order_by(sa.func.count().desc()).limit(DIFFERENT)
    found = _ask(conn, query) or []
    return {word: int(count) for raw, count in found if (word := _word(raw))}


def _column(facts: ColumnFacts, raws: list[Any]) -> ColumnFacts:
    words = [word for raw in raws if (word := _word(raw))]
    return replace(facts, filled=len(words), values=dict(Counter(words).most_common(SAMPLE)))


def _word(raw: Any) -> str:
    """A value as the spelling in a value map; '' for none."""
    try:
        return spelling_of(raw) or ""
    except UnreadableError:
        return str(raw)
