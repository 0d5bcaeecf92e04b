"""The rights that the account of `[source] url` needs on the shop's tables: on the columns that syncd reads and writes,
and no others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa

from syncd.errors import Problem
from syncd.source.database import Source
from syncd.source.failures import FailureKind, classify
from syncd.source.naming import qualified, quoted
from syncd.source.shape import Joined


class Right(NamedTuple):
    """One verb on some columns of a table (quoted, as it stands in a statement)."""

    verb: str
    table: str
    columns: tuple[str, ...]

    def granted(self, account: str) -> str:
        """The statement for an administrator."""
        return f"GRANT {self.verb} ({', '.join(self.columns)}) ON {self.table} TO {account}"

    def tried(self) -> str:
        """A statement that needs this right and changes nothing: an EXPLAIN, or a SELECT that finds no row."""
        names = ", ".join(self.columns)
        if self.verb == "SELECT":
            return f"SELECT {names} FROM {self.table} WHERE 1 = 0"  # noqa: S608 - quoted names that reflection gave
        if self.verb == "UPDATE":
            same = ", ".join(f"{name} = {name}" for name in self.columns)
            return f"EXPLAIN UPDATE {self.table} SET {same} WHERE 1 = 0"  # noqa: S608
        values = ", ".join("NULL" for _ in self.columns)
        return f"EXPLAIN INSERT INTO {self.table} ({names}) VALUES ({values})"  # noqa: S608


def rights(source: Source, account: str) -> list[str]:
    """The GRANT statements for the shop's tables; those for change log and fence are in the DDL modules."""
    needed = [right.granted(account) for right in _needed(source)]
    return needed + [f"{right.granted(account)}  -- only with inbound_create = true" for right in _inserting(source)]


def denied(source: Source, *, inserts: bool) -> list[Problem]:
    """The rights that the settings need and the account lacks, each tried; with `inserts` also those for a provider's
    new customers (`inbound_create`). None for SQLite, which has no accounts."""
    if source.dialect == "sqlite":
        return []
    wanted = [*_needed(source), *(_inserting(source) if inserts else ())]
    return [_denial(right) for right in wanted if _is_denied(source, right)]


def _denial(right: Right) -> Problem:
    reason = f"the account may not {right.verb} ({', '.join(right.columns)}) on {right.table}."
    remedy = f"Grant it: {right.granted('...')}; all grants: syncd triggers install --print-sql"
    return Problem("source", reason, remedy)


def _is_denied(source: Source, right: Right) -> bool:
    with source.engine.connect() as conn:
        try:
            conn.execution_options(no_parameters=True).exec_driver_sql(right.tried())
        except sa.exc.SQLAlchemyError as error:
            return classify(error).kind is FailureKind.DENIED  # a row of NULLs may be refused for other reasons
        finally:
            conn.rollback()
    return False


def _needed(source: Source) -> Iterator[Right]:
    table, own = qualified(source, source.table), source.key.name
    fields = [mapped.column.name for mapped in source.fields.values() if not mapped.join]
    beside = [column.name for column in source.table.c if column.name not in {own, *fields}]
    yield Right("SELECT", table, _listed(source, [own, *fields, *beside]))
    if source.is_view:
        for each in source.watched:
            if each.keyed:
                yield Right("SELECT", qualified(source, each.table), _listed(source, [each.key.name]))
    writable = [name for name in [*_written(source), *(c.name for c in source.id_columns.values())] if name != own]
    if writable and (source.config.write or source.id_columns):
        yield Right("UPDATE", table, _listed(source, writable))
    for joined in source.joins:
        yield from _beside(source, joined)


def _written(source: Source) -> list[str]:
    mine = (each for each in source.fields.values() if not each.join and not each.fixed and not each.is_key)
    return [mapped.column.name for mapped in mine] if source.config.write else []


def _inserting(source: Source) -> Iterator[Right]:
    if _written(source):
        fields = [mapped.column.name for mapped in source.fields.values() if not mapped.join]
        columns = _listed(source, [source.key.name, *fields, *source.new_row])
        yield Right("INSERT", qualified(source, source.table), columns)


def _beside(source: Source, joined: Joined) -> Iterator[Right]:
    """The rights on a joined table."""
    said = {each.name: each for each in source.config.joins}
    own = said[joined.name]
    followed = [
        ref.partition(".")[2] for each in said.values() for ref in each.on.values() if ref.startswith(f"{own.name}.")
    ]
    mapped = [each for each in source.fields.values() if each.join == joined.name]
    read = [*joined.identity, *own.on, *own.where, *followed, *(each.column.name for each in mapped)]
    table = qualified(source, joined.raw)
    yield Right("SELECT", table, _listed(source, read))
    written = [each.column.name for each in mapped if not each.fixed]
    if source.config.write and written:
        yield Right("UPDATE", table, _listed(source, written))


def _listed(source: Source, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(quoted(source, name) for name in dict.fromkeys(names))
