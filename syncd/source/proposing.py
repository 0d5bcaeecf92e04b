"""The proposal of `syncd init` for a database: reads structure and some rows, and asks `guess` and `relating`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from syncd.core.selection import CUSTOMER, Condition, Deleted, Join
from syncd.errors import Problem, SettingsError
from syncd.source import relating, survey
from syncd.source.connection import connect, source_url
from syncd.source.failures import translated
from syncd.source.guess import CHOICES, Fit, alternatives, key_of, likely, match_facts, named_as, value_map
from syncd.source.nations import plain
from syncd.source.relating import LinkedTable
from syncd.source.survey import ColumnFacts, TableFacts
from syncd.source.words import DELETED, DELETED_AT, DERIVED, FILTERS, HELD, ROLES, SHOPS

LOOKED_AT = 6  # tables whose rows are read


@dataclass(frozen=True, slots=True)
class Proposal:
    """A table that may hold customers, and the settings proposed for it.

    `fields` maps a field to `COLUMN` or `JOIN.COLUMN`; `doubts` has the columns that were left out, with the reason, by
    field. `doubtful` joins give several rows for a customer; `choices` are filters that only a person can decide.
    `seen` has the facts about each mapped column, `sampled` the number of rows read for it. A table without `key`
    cannot be used: `trouble` says why.
    """

    name: str
    key: str
    is_view: bool
    rows: int
    fields: Mapping[str, str]
    doubts: Mapping[str, Fit]
    seen: Mapping[str, ColumnFacts]
    sampled: Mapping[str, int]
    joins: tuple[Join, ...] = ()
    doubtful: frozenset[str] = frozenset()
    where: Mapping[str, Condition] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deleted: Deleted | None = None
    values: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    watch: tuple[tuple[str, str], ...] = ()
    write: bool = True
    notes: tuple[str, ...] = ()
    trouble: str = ""
    score: int = 0


def candidates(url: str, password: str | None, table: str = "") -> tuple[str, list[Proposal]]:
    """The server in a word, and the tables that look like customers, the likeliest first; or only `table`.

    Raises SourceUnreachable, SettingsError.
    """
    engine = connect(source_url(url, password), 5.0, 30.0)
    try:
        with translated():
            return engine.dialect.name, list(_proposals(engine, table))
    finally:
        engine.dispose()


def _proposals(engine: sa.Engine, asked: str) -> Iterable[Proposal]:
    inspector = sa.inspect(engine)
    names = survey.table_names(inspector)
    tables: dict[str, TableFacts] = {}
    for name in dict.fromkeys([*names, *([asked] if asked else [])]):
        about = survey.structure(inspector, name)
        if not isinstance(about, Problem):
            tables[name] = about
        elif name == asked:
            raise SettingsError([about])
    places = tuple(place for _, words in ROLES.values() for place in words)
    wanted = [asked] if asked else likely(tables, LOOKED_AT)
    for name, one in list(tables.items()):
        if name in wanted or one.bare.endswith(places):
            tables[name] = survey.surroundings(inspector, one, names)
    found = [_proposal(engine, tables, name) for name in wanted]
    return sorted(found, key=lambda each: (each.score, each.rows), reverse=True)


def _proposal(engine: sa.Engine, tables: dict[str, TableFacts], name: str) -> Proposal:
    """The proposal for one table, from its rows and those of tables beside it; `tables` keeps the facts that were
    read."""
    about = _looked_at(engine, tables, name, ())
    key, trouble = key_of(about)
    found = relating.linked_tables(tables, name, key) if key else []
    for link in found:
        _looked_at(engine, tables, link.table, HELD.get(link.role, ()))
    _counted(engine, tables, name, found)
    about = tables[name]
    pointing = {key, *about.references, *(link.pointer for link in found if link.parent == CUSTOMER)}
    own = match_facts(about, [column for column in about.columns if column not in pointing])
    beside = relating.related(tables, name, found, own)
    if about.is_view and key:
        own_columns = [fit.column for fit in own.values() if not fit.doubt]
        about = survey.written(engine, about, own_columns)
    return _assembled(tables, about, (key, trouble), own, beside)


def _looked_at(engine: sa.Engine, tables: dict[str, TableFacts], name: str, held: tuple[str, ...]) -> TableFacts:
    table = tables[name]
    if table.sampled:
        return table
    named = alternatives(table.columns)
    choices = {column for f in CHOICES for column in named[f]} | {c for word in held if (c := table.named(word))}
    others = (*DELETED, *DELETED_AT, *SHOPS, *(column for _, column, _ in FILTERS))
    wanted = {c for columns in named.values() for c in columns} | choices | {c for w in others if (c := table.named(w))}
    if table.is_view:
        wanted |= {column for column in table.columns if "id" in plain(column)}
    usable = [column for column in table.columns if column in wanted and table.columns[column].kind is not None]
    tables[name] = survey.sampled(engine, table, usable or list(table.columns)[:1], [c for c in usable if c in choices])
    return tables[name]


def _counted(engine: sa.Engine, tables: dict[str, TableFacts], name: str, found: list[LinkedTable]) -> None:
    """The tables beside the customers', with whether several customers share one of their rows, or one has several."""
    for link in found:
        if link.role not in relating.OWN_ROW:
            continue
        if link.parent == CUSTOMER and not link.back:
            tables[name] = survey.repeating(engine, tables[name], link.pointer)
        elif link.back:
            alive = next(iter(link.where), "")
            tables[link.table] = survey.repeating(engine, tables[link.table], link.column, alive)


def _assembled(
    tables: Mapping[str, TableFacts],
    about: TableFacts,
    key: tuple[str, str],
    own: Mapping[str, Fit],
    beside: relating.Related,
) -> Proposal:
    fields, doubts, facts, looked = dict[str, str](), dict[str, Fit](), dict[str, ColumnFacts](), dict[str, int]()
    by_name = {join.name: tables[join.table] for join in beside.joins}
    for name in dict.fromkeys([*own, *beside.fields]):
        join, fit = beside.fields.get(name) or ("", own[name])
        table = by_name[join] if join else about
        reference = f"{join}.{fit.column}" if join else fit.column
        if join in beside.doubtful:
            doubts[name] = Fit(reference, f'needs the join "{join}"')
        elif fit.doubt:
            doubts[name] = Fit(reference, fit.doubt)
        else:
            fields[name], facts[name], looked[name] = reference, table.columns[fit.column], table.sampled
    values = {name: found for name, column in facts.items() if (found := value_map(name, column))}
    notes = [note for word, note in DERIVED if about.bare.endswith(word)]
    if about.is_view and fields and {own[n].column for n in fields if "." not in fields[n]} <= about.fixed:
        notes.append(f'one way: the database lets nobody write the view "{about.name}"')
    watch = _watch(tables, about, key[0])
    if about.is_view and not watch:
        notes.append("name the tables under the view in [[source.watch]]: none has its key as a column of its own")
    return Proposal(
        about.name, key[0], about.is_view, about.rows, fields, doubts, facts, looked,
        joins=beside.joins, doubtful=beside.doubtful, where=_where(about), choices=_choices(about),
        deleted=_deleted(about), values=values, watch=watch, notes=tuple(notes), trouble=key[1],
        write=not any(about.bare.endswith(word) for word, _ in DERIVED) and not any("one way:" in n for n in notes),
        score=named_as(about, len(fields)) + (0 if about.rows else -3),
    )  # fmt: skip


def _where(about: TableFacts) -> dict[str, Condition]:
    found = {}
    for table, word, values in FILTERS:
        column = about.named(word)
        if about.bare.endswith(table) and column:
            found[column] = Condition(null=True) if values == ("null",) else Condition(values)
    stamp = next((column for word in DELETED_AT if (column := about.named(word))), "")
    return found | ({stamp: Condition(null=True)} if stamp else {})


def _choices(about: TableFacts) -> dict[str, tuple[str, ...]]:
    """The columns that tell shops apart (`store_id`) and hold several values, with these values."""
    named = [column for word in SHOPS if (column := about.named(word))]
    return {c: tuple(about.columns[c].values)[:SHOWN] for c in named if len(about.columns[c].values) > 1}


SHOWN = 5  # shops in a line


def _deleted(about: TableFacts) -> Deleted | None:
    column = next((column for word in DELETED if (column := about.named(word))), "")
    return Deleted(column, ("1",)) if column and about.columns[column].kind is not None else None


def _watch(tables: Mapping[str, TableFacts], about: TableFacts, key: str) -> tuple[tuple[str, str], ...]:
    """The tables under a view that hold its key, the customers' own first."""
    holding = [tables[name] for name in about.under if name in tables and not tables[name].is_view]
    holding = [table for table in holding if key and key in table.columns]
    holding.sort(key=lambda table: key not in table.unique)
    return tuple((table.name, key) for table in holding) if holding and key in holding[0].unique else ()
