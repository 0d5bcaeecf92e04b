"""Log, fence and triggers for SQLite.

AUTOINCREMENT, because without it the numbers of acknowledged rows are used again. There are no session variables: the
writer's name stands in the fence while our own transaction is open, and only one transaction writes at a time.
"""

from __future__ import annotations

import sqlalchemy as sa

from syncd.errors import Problem
from syncd.source.database import Source, Watched
from syncd.source.failures import INSTALL
from syncd.source.naming import POINTED, quoted, squeezed, trigger_name

_LOG = """CREATE TABLE IF NOT EXISTS syncd_change_log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  customer_key TEXT NOT NULL,
  op TEXT NOT NULL,
  was TEXT,
  origin TEXT,
  own INTEGER NOT NULL,
  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
)"""
_FENCE = """CREATE TABLE IF NOT EXISTS syncd_fence (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  acks INTEGER NOT NULL DEFAULT 0,
  owner TEXT NOT NULL DEFAULT '',
  origin TEXT
)"""
_FIRST = "INSERT OR IGNORE INTO syncd_fence (id) VALUES (1)"


def base(_source: Source) -> list[str]:
    """The statements for log and fence; safe to repeat."""
    return [_LOG, _FENCE, _FIRST]


def triggers(source: Source) -> dict[str, str]:
    """Every trigger by name."""
    return {
        name: f"CREATE TRIGGER {quoted(source, name)} AFTER {event} ON {table}\nBEGIN\n{body}\nEND"
        for watched in source.watched
        for table in [quoted(source, watched.table.name)]
        for event in ("INSERT", "UPDATE", "DELETE")
        for name, body in [(trigger_name(watched.table.name, event), _body(source, watched, event))]
    }


def _body(source: Source, watched: Watched, event: str) -> str:
    marks = _customer_marks(source, watched, event) if watched.keyed else []
    for pointer in watched.pointers:
        new, old, changed = _spelled(source, pointer.column)
        join = f"'{pointer.join}'"
        if event != "DELETE":
            marks.append(_mark(watched, new, POINTED, was=join))
        if event != "INSERT":
            marks.append(_mark(watched, old, POINTED, was=join, when=f" AND {changed}" if event == "UPDATE" else ""))
    return "\n".join(marks)


def _customer_marks(source: Source, watched: Watched, event: str) -> list[str]:
    new, old, changed = _spelled(source, watched.key.name)
    if event == "INSERT":
        return [_mark(watched, new, "I")]
    if event == "DELETE":
        return [_mark(watched, old, "D")]
    if watched.rekeys:
        return [_mark(watched, new, "U", was=f"CASE WHEN {changed} THEN {old} END")]
    return [_mark(watched, new, "U"), _mark(watched, old, "U", when=f" AND {changed}")]


def _spelled(source: Source, name: str) -> tuple[str, str, str]:
    """A column after and before the write, and whether the two differ."""
    column = quoted(source, name)
    new, old = f"CAST(NEW.{column} AS TEXT)", f"CAST(OLD.{column} AS TEXT)"
    return new, old, f"{old} COLLATE BINARY IS NOT {new} COLLATE BINARY"


def _mark(watched: Watched, key: str, op: str, *, was: str = "NULL", when: str = "") -> str:
    origin = "(SELECT origin FROM syncd_fence WHERE id = 1)"
    return (
        f"  INSERT INTO syncd_change_log (customer_key, op, was, origin, own)\n"
        f"  SELECT {key}, '{op}', {was}, {origin}, {int(watched.own)} WHERE {key} IS NOT NULL{when};"
    )


def everything(_source: Source) -> str:
    """The statement for a mark of all rows: which of them changed while a trigger was missing is unknown."""
    return "INSERT INTO syncd_change_log (customer_key, op, own) VALUES ('', 'T', 1)"


def drop_triggers(source: Source, names: list[str]) -> list[str]:
    """Drop triggers by name; a missing one is no error."""
    return [f"DROP TRIGGER IF EXISTS {quoted(source, name)}" for name in names]


def drops(source: Source) -> list[str]:
    """The statements that drop everything `install` made."""
    names = list(triggers(source))
    return [*drop_triggers(source, names), "DROP TABLE IF EXISTS syncd_change_log", "DROP TABLE IF EXISTS syncd_fence"]


def grants(_source: Source) -> list[str]:
    """SQLite has no accounts."""
    return []


def installed(conn: sa.Connection, _source: Source) -> dict[str, str]:
    """The triggers of syncd that exist, with their text."""
    rows = conn.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'syncd%'"))
    return {str(name): squeezed(str(text)) for name, text in rows}


def former(_source: Source) -> dict[str, str]:
    """Triggers of version 1.0 that are still right: none, they were the same."""
    return {}


def expected(source: Source) -> dict[str, str]:
    """What `installed` answers where all triggers are in order."""
    return {name: squeezed(text) for name, text in triggers(source).items()}


def problems(conn: sa.Connection, _source: Source) -> list[Problem]:
    """Problems of SQLite alone: a log whose numbers would be used again."""
    text = conn.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = 'syncd_change_log'")).scalar()
    if text is not None and "AUTOINCREMENT" not in str(text).upper():
        return [Problem("triggers", "the change log was made without AUTOINCREMENT; changes would be lost.", INSTALL)]
    return []


def finish(_source: Source) -> list[str]:
    """No statements: every account sees the triggers."""
    return []


def unseen(_conn: sa.Connection, _source: Source) -> dict[str, str]:
    """No triggers: every account sees them all."""
    return {}


def advice(conn: sa.Connection, source: Source) -> list[Problem]:
    """A note about the changes that triggers of SQLite do not see."""
    del conn
    names = ", ".join(f'"{watched.table.name}"' for watched in source.watched)
    return [
        Problem(
            "triggers",
            f"a row of {names} that REPLACE evicts fires no trigger unless the application sets recursive_triggers.",
            "Use INSERT ... ON CONFLICT DO UPDATE, or PRAGMA recursive_triggers = ON; the verify sweep finds the rest.",
        )
    ]
