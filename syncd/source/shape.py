"""The values that an opened source is made of: columns of fields, which rows are customers, which tables are
watched."""

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
    """What external ids of a provider look like: their greatest `length` (0: nobody says so), whether they are `digits`
    alone (None: nobody says so), and whether they are `ours`, customer numbers or keys of this very source."""

    length: int = 0
    digits: bool | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What `[source]` says. Timeouts are in seconds; MariaDB rounds them up to whole ones.

    `only` and `id_columns` are what `[providers.NAME]` says about the source, by the instance's name; `id_forms` what
    external ids of that provider look like.
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

    A joined table that is watched only for its pointers has no key of its own; then `key` must not be asked for.
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
    """A joined table as queries see it.

    raw        the table itself, for locking and writing; its columns are keyed by their names
    alias      the same in a query; two joins may share one table
    parent     the earlier join it hangs on, "" for the customer table
    pointed    the parent's column that points here, and how its values are spelled
    column     the column of this table that it is compared with
    condition  the whole ON clause
    identity   columns that alone identify one of its rows; empty where there are none, and then nothing is written
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
    """An opened source. `log` and `fence` are described here but exist only once the triggers are installed.

    scope       what a row must meet to be a customer, `only` of a provider included; `scope_joins` the joins it needs
    gone        what makes a row count as deleted; None where nothing does
    only        each provider's own part of the scope, with the joins that it needs
    id_columns  where each provider's external ids go
    id_column   the one of the provider that this view of the source is for
    statements  what was asked before, kept because building a statement costs more than running it
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
        """Give all connections back."""
        self.engine.dispose()


def unfiltered(source: Source) -> Source:
    """The source with every row of its table or view, whatever `[source.where]`, `[source.deleted]` and `only` say."""
    return replace(source, scope=(), scope_joins=frozenset())


def for_provider(source: Source, provider: str) -> Source:
    """The source as one provider sees it: only the customers it gets, and the column that holds its external ids."""
    conditions, joins = source.only.get(provider, ((), frozenset()))
    return replace(
        source,
        scope=(*source.scope, *conditions),
        scope_joins=source.scope_joins | joins,
        id_column=source.id_columns.get(provider),
    )
