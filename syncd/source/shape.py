"""The source as a value: its settings, tables, mapped columns, filters and watched tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from syncd.core.model import Value
from syncd.core.selection import Condition, Deleted, Join, Watch
from syncd.source import reflection
from syncd.source.columns import MappedColumn
from syncd.source.keys import KeyKind
from syncd.tls import DEFAULT, Tls

Dialect = Literal["sqlite", "postgresql", "mysql"]


class IdForm(NamedTuple):
    """The form of a provider's external ids: their greatest `length` (0: unknown), whether they are `digits` alone
    (None: unknown), and whether they are `ours`, customer numbers or keys of this source."""

    length: int = 0
    digits: bool | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """The settings of a source. Timeouts are in seconds; for MariaDB they are rounded to whole ones.

    `only` and `id_columns` are keys of `[providers.NAME]`, by the provider's name; `id_forms` are the forms of its
    external ids.
    """

    url: str
    table: str
    key: str
    fields: Mapping[str, str]
    password: str | None = field(default=None, repr=False)
    tls: Tls = DEFAULT
    change_log: Literal["triggers", "updated_at", "snapshot"] = "triggers"
    updated_at: str = ""
    write: bool = True
    watch: tuple[Watch, ...] = ()
    lock_timeout: float = 5.0
    statement_timeout: float = 30.0
    joins: tuple[Join, ...] = ()
    where: Mapping[str, Condition] = field(default_factory=dict)
    deleted: Deleted | None = None
    values: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    defaults: Mapping[str, Value] = field(default_factory=dict)
    only: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)
    id_columns: Mapping[str, str] = field(default_factory=dict)
    id_forms: Mapping[str, IdForm] = field(default_factory=dict)


class Pointer(NamedTuple):
    """A column of a joined table that leads to customers: its value is logged under the join's name, and capture turns
    it into the customers that point at it."""

    join: str
    column: str


class Watched(NamedTuple):
    """A table with triggers. `own`: it is `source.table`. `rekeys`: a changed key is the customer's new key.

    A joined table that is watched for its pointers alone holds no customer's key (`keyed` is false): `key` must not be
    used then.
    """

    table: sa.Table
    own: bool
    rekeys: bool
    keyed: bool = True
    pointers: tuple[Pointer, ...] = ()

    @property
    def key(self) -> sa.Column[Any]:
        """The column that holds the customer's key."""
        return self.table.c[reflection.KEY]


class Joined(NamedTuple):
    """A joined table.

    raw           the table itself, for locks and writes; its columns are keyed by their names
    alias         the table in a query; two joins may share one table
    parent        the join that leads to it, "" for the customer table
    pointed       the parent's column that points here; `pointed_kind` is the kind of its values
    column        the column of this table that `pointed` is compared with
    condition     the whole ON clause
    identity      the columns that identify a row; empty where there are none, and then no row is written
    """

    name: str
    raw: sa.Table
    alias: sa.FromClause
    parent: str
    pointed: sa.ColumnElement[Any]
    pointed_kind: KeyKind
    column: str
    condition: sa.ColumnElement[bool]
    identity: tuple[str, ...]
    write: bool


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source. The tables `log` and `fence` exist only once the triggers are installed.

    scope       the conditions of a customer's row, for one provider with its `only`; `scope_joins` the joins they need
    gone        the condition of a row that counts as deleted; None where there is none
    only        each provider's own conditions, with the joins that they need
    id_columns  the column for each provider's external ids
    id_column   of these, that of the provider that this value is for (`for_provider`)
    statements  statements that were built before: to build one costs more than to run it
    """

    config: SourceConfig
    engine: sa.Engine
    dialect: Dialect
    table: sa.Table
    is_view: bool
    key_kind: KeyKind
    key_default: bool
    fields: Mapping[str, MappedColumn]
    watched: tuple[Watched, ...]
    log: sa.Table
    fence: sa.Table
    updated_at: sa.Column[Any] | None = None
    joins: tuple[Joined, ...] = ()
    scope: tuple[sa.ColumnElement[bool], ...] = ()
    scope_joins: frozenset[str] = frozenset()
    gone: sa.ColumnElement[bool] | None = None
    new_row: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, tuple[tuple[sa.ColumnElement[bool], ...], frozenset[str]]] = field(default_factory=dict)
    id_columns: Mapping[str, sa.Column[Any]] = field(default_factory=dict)
    id_column: sa.Column[Any] | None = None
    statements: dict[str, sa.Select[Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def key(self) -> sa.Column[Any]:
        """The key column of `source.table`."""
        return self.table.c[reflection.KEY]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def unfiltered(source: Source) -> Source:
    """The source without its filters: every row of the table or view is a customer."""
    return replace(source, scope=(), scope_joins=frozenset())


def for_provider(source: Source, provider: str) -> Source:
    """The source for one provider: with the customers that `only` gives it, and the column of its external ids."""
    conditions, joins = source.only.get(provider, ((), frozenset()))
    return replace(
        source,
        scope=(*source.scope, *conditions),
        scope_joins=source.scope_joins | joins,
        id_column=source.id_columns.get(provider),
    )
