"""Looks for every configured name in the database, when a source is opened; all problems are told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from syncd.core.selection import CUSTOMER, Condition
from syncd.errors import Problem, SettingsError
from syncd.source import reflection
from syncd.source.columns import ColumnKind, MappedColumn, kind_of
from syncd.source.conditions import as_clause
from syncd.source.joins import Frame, find_joins, joined_fields
from syncd.source.shape import Dialect, Joined, Pointer, Source, SourceConfig, Watched
from syncd.source.writable import ONE_WAY, unwritable_columns

Clauses = tuple[tuple[sa.ColumnElement[bool], ...], frozenset[str]]


def described(config: SourceConfig, engine: sa.Engine) -> Source:
    """The source of these settings, with its tables and columns. Raises SettingsError with all problems."""
    inspector = sa.inspect(engine)
    dialect: Dialect = engine.dialect.name  # type: ignore[assignment]
    found = reflection.find_table(inspector, config.table, "source.table")
    if isinstance(found, Problem):
        raise SettingsError([found])
    wrong_key = reflection.key_problem(found, config.key, "source.key")
    if wrong_key:
        raise SettingsError([wrong_key])
    problems = _mode_problems(config, dialect, is_view=found.is_view)
    kind = reflection.key_kind(found.columns[config.key], dialect)
    if kind is None:
        problems.append(
            Problem(
                "source.key", f'"{config.key}" is neither a whole number, nor a UUID, nor text.', reflection.OTHER_KEY
            )
        )
    own, beside = _split(config, found)
    table, fields, wrong_fields = reflection.build(found, config.key, own, dialect, config.values)
    frame = Frame(config, dialect, found, table)
    find_joins(frame, inspector)
    fields = _in_order(config, fields | joined_fields(frame, beside))
    watched, wrong_tables = _watched(config, inspector, found, frame)
    stamp = _stamp(config, found, table, dialect)
    scope, scope_joins = _clauses(frame, config.where, "source.where")
    gone = _gone(frame)
    only = {name: _clauses(frame, said, f"providers.{name}.only") for name, said in config.only.items()}
    ids = {name: column for name in config.id_columns if (column := _id_column(frame, name)) is not None}
    problems += wrong_fields + wrong_tables + ([stamp] if isinstance(stamp, Problem) else []) + frame.problems
    if problems or kind is None or isinstance(stamp, Problem):
        raise SettingsError(problems)
    log, fence = _log_tables(dialect, found.schema)
    return Source(
        config=config,
        engine=engine,
        dialect=dialect,
        table=table,
        is_view=found.is_view,
        key_kind=kind,
        key_default=found.columns[config.key].default is not None,
        fields=_written(engine, found, fields) if found.is_view and config.write else fields,
        watched=watched,
        log=log,
        fence=fence,
        updated_at=stamp,
        joins=tuple(frame.joined.values()),
        scope=(*scope, *([] if gone is None else [sa.not_(gone)])),
        scope_joins=scope_joins,
        gone=gone,
        new_row=_new_row(config, found, fields),
        only=only,
        id_columns=ids,
    )


def _split(config: SourceConfig, found: reflection.FoundTable) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The fields in the customer table with their columns, and those in joined tables as (join, column)."""
    own: dict[str, str] = {}
    beside: dict[str, tuple[str, str]] = {}
    names = {join.name for join in config.joins}
    for field, reference in config.fields.items():
        name, dot, column = reference.partition(".")
        if reference in found.columns or not dot or not (names or column):
            own[field] = reference
        elif name == CUSTOMER and name not in names:
            own[field] = column
        else:
            beside[field] = (name, column)
    return own, beside


def _in_order(config: SourceConfig, fields: Mapping[str, MappedColumn]) -> dict[str, MappedColumn]:
    return {name: fields[name] for name in config.fields if name in fields}


def _written(
    engine: sa.Engine, found: reflection.FoundTable, fields: Mapping[str, MappedColumn]
) -> dict[str, MappedColumn]:
    """The fields of a view; those whose column the database does not let be written have the reason in `fixed`."""
    names = [mapped.column.name for mapped in fields.values() if not mapped.join]
    refused = unwritable_columns(engine, found, names)
    return {
        name: mapped._replace(fixed=mapped.fixed or ONE_WAY)
        if not mapped.join and mapped.column.name in refused
        else mapped
        for name, mapped in fields.items()
    }


def _clauses(frame: Frame, said: Mapping[str, Condition], place: str) -> Clauses:
    """The clauses of conditions by column, and the joins that they need."""
    clauses, joins = list[sa.ColumnElement[bool]](), set[str]()
    for reference, condition in said.items():
        at = f"{place}.{reference}"
        found = frame.find(reference, at)
        if found is None:
            continue
        column, about, join = found
        made = as_clause(column, about.type, condition, frame.dialect, at)
        if isinstance(made, Problem):
            frame.problems.append(made)
        else:
            clauses.append(made)
            joins |= {join} - {""}
    return tuple(clauses), frozenset(joins)


def _gone(frame: Frame) -> sa.ColumnElement[bool] | None:
    """The clause of `[source.deleted]`: which rows count as deleted; None where there is none."""
    said = frame.config.deleted
    if said is None:
        return None
    if said.column not in frame.customers.columns:
        near = reflection.nearest(said.column, frame.customers.columns)
        reason = f'"{frame.customers.name}" has no column "{said.column}".'
        frame.problems.append(Problem("source.deleted.column", reason, near))
        return None
    column = reflection.column_of(frame.table, frame.customers, said.column)
    about = frame.customers.columns[said.column]
    made = as_clause(column, about.type, Condition(said.values), frame.dialect, "source.deleted.values")
    if isinstance(made, Problem):
        frame.problems.append(made)
        return None
    return made


def _id_column(frame: Frame, provider: str) -> sa.Column[Any] | None:
    """The column of the customer table that gets this provider's external ids."""
    name, place = frame.config.id_columns[provider], f"providers.{provider}.id_column"
    found, about = frame.customers, frame.customers.columns.get(name)
    if about is None:
        near = reflection.nearest(name, found.columns)
        frame.problems.append(Problem(place, f'"{found.name}" has no column "{name}".', near))
        return None
    if kind_of(about.type, sqlite=frame.dialect == "sqlite") not in {
        ColumnKind.TEXT,
        ColumnKind.INTEGER,
        ColumnKind.UUID,
    }:
        frame.problems.append(Problem(place, f'column "{name}" cannot hold an id.', "Use a text column."))
    elif about.computed:
        frame.problems.append(Problem(place, f'the database computes column "{name}".', "Name another one."))
    elif found.is_view:
        reason = f'"{found.name}" is a view, and ids are written into the table itself.'
        frame.problems.append(Problem(place, reason, "Use the table as [source] table, or `syncd links --format csv`."))
    else:
        return reflection.column_of(frame.table, found, name)
    return None


def _new_row(config: SourceConfig, found: reflection.FoundTable, fields: Mapping[str, MappedColumn]) -> dict[str, str]:
    """The values that `[source.where]` asks of a new row, by column, for columns that no field fills."""
    taken = {mapped.column.name for mapped in fields.values() if not mapped.join}
    return {
        name: condition.values[0]
        for name, condition in config.where.items()
        if name in found.columns and name not in taken and condition.values and not condition.negated
    }


def _mode_problems(config: SourceConfig, dialect: Dialect, *, is_view: bool) -> list[Problem]:
    problems = []
    if config.change_log == "snapshot":
        if dialect != "postgresql":
            reason = "only PostgreSQL has a loss-free way to read a change log without writing."
            problems.append(Problem("source.change_log", reason, 'Use "triggers" or "updated_at".'))
        if config.write:
            reason = 'change_log = "snapshot" is for an account that may only read.'
            problems.append(Problem("source.write", reason, "Set write = false."))
    if config.change_log != "updated_at" and is_view and not config.watch:
        reason = "a view has no triggers: name the tables under it."
        problems.append(Problem("source.watch", reason, "Add [[source.watch]] with table and key."))
    return problems


def _stamp(
    config: SourceConfig, found: reflection.FoundTable, table: sa.Table, dialect: Dialect
) -> sa.Column[Any] | Problem | None:
    if config.change_log != "updated_at":
        return None
    place = "source.updated_at"
    column = found.columns.get(config.updated_at)
    if column is None:
        reason = f'"{found.name}" has no column "{config.updated_at}".'
        return Problem(place, reason, reflection.nearest(config.updated_at, found.columns))
    if not isinstance(column.type, sa.DateTime | sa.String if dialect == "sqlite" else sa.DateTime):
        return Problem(place, f'column "{column.name}" is not a timestamp.', "Name a column of timestamps.")
    stamp = sa.Column(column.name, sa.Text() if dialect == "sqlite" else column.type, key="syncd_stamp", quote=True)
    table.append_column(stamp)
    return stamp


def _watched(
    config: SourceConfig, inspector: sa.Inspector, found: reflection.FoundTable, frame: Frame
) -> tuple[tuple[Watched, ...], list[Problem]]:
    watched: list[Watched] = []
    problems: list[Problem] = []
    for number, watch in enumerate(config.watch):
        place = "source.watch" if len(config.watch) == 1 else f"source.watch[{number}]"
        under = reflection.find_table(inspector, watch.table, f"{place}.table")
        if isinstance(under, Problem):
            problems.append(under)
        elif under.is_view:
            problems.append(
                Problem(
                    f"{place}.table", f'"{under.name}" is a view; triggers need a table.', "Name the table under it."
                )
            )
        elif watch.key not in under.columns:
            near = reflection.nearest(watch.key, under.columns)
            problems.append(Problem(f"{place}.key", f'"{under.name}" has no column "{watch.key}".', near))
        else:
            own = (under.schema, under.name) == (found.schema, found.name)
            rekeys = own or (found.is_view and number == 0 and watch.key in under.unique)
            watched.append(Watched(reflection.bare(under, watch.key), own, rekeys))
    if not found.is_view and not any(each.own for each in watched):
        watched.insert(0, Watched(reflection.bare(found, config.key), own=True, rekeys=True))
    for joined in frame.joined.values() if config.change_log != "updated_at" else ():
        _watch_join(watched, joined)
    return tuple(watched), problems


def _watch_join(watched: list[Watched], joined: Joined) -> None:
    """Watch a joined table for its pointer; a table that is watched already gets the pointer besides."""
    pointer, place = Pointer(joined.name, joined.column), (joined.raw.schema, joined.raw.name)
    for number, each in enumerate(watched):
        if (each.table.schema, each.table.name) == place:
            watched[number] = each._replace(pointers=(*each.pointers, pointer))
            return
    watched.append(Watched(joined.raw, own=False, rekeys=False, keyed=False, pointers=(pointer,)))


def _log_tables(dialect: Dialect, schema: str | None) -> tuple[sa.Table, sa.Table]:
    """The tables of log and fence: in PostgreSQL in the schema `syncd`, elsewhere in the schema of the source's table
    with `syncd_` before their names."""
    prefix, where = ("", "syncd") if dialect == "postgresql" else ("syncd_", None if dialect == "sqlite" else schema)
    log = sa.Table(
        f"{prefix}change_log",
        sa.MetaData(),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("customer_key", sa.Text),
        sa.Column("op", sa.Text),
        sa.Column("was", sa.Text),
        sa.Column("origin", sa.Text),
        sa.Column("own", sa.Boolean),
        sa.Column("at", sa.Text if dialect == "sqlite" else sa.DateTime),
        *([sa.Column("xid", sa.Text)] if dialect == "postgresql" else []),
        schema=where,
    )
    fence = sa.Table(
        f"{prefix}fence",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("acks", sa.BigInteger),
        sa.Column("owner", sa.Text),
        *([sa.Column("origin", sa.Text)] if dialect == "sqlite" else []),
        schema=where,
    )
    return log, fence
