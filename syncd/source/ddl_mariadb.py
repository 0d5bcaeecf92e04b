"""Log, fence and triggers for MariaDB 10.11; the same for MySQL 8, where CREATE OR REPLACE TRIGGER is missing.

The bodies use INSERT ... VALUES: INSERT ... SELECT would hold InnoDB's AUTO-INC lock until the application's statement
ends. The log's key is TEXT in a binary collation, so that no key is ever too long and none is folded into another.
Triggers run with the rights of the account that created them; the application needs none on the log.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from syncd.errors import Problem
from syncd.source import seal
from syncd.source.database import Source, Watched
from syncd.source.grants import rights
from syncd.source.naming import POINTED, qualified, quoted, squeezed, trigger_name

_EVENTS = ("INSERT", "UPDATE", "DELETE")
UNREAD = ""


def base(source: Source) -> list[str]:
    """The statements for log and fence; safe to repeat."""
    log, fence = qualified(source, source.log), qualified(source, source.fence)
    binary = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    return [
        f"""CREATE TABLE IF NOT EXISTS {log} (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_key TEXT {binary} NOT NULL,
  op CHAR(1) {binary} NOT NULL,
  was TEXT {binary},
  origin TEXT {binary},
  own TINYINT(1) NOT NULL,
  at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE = InnoDB""",
        f"""CREATE TABLE IF NOT EXISTS {fence} (
  id TINYINT NOT NULL PRIMARY KEY,
  acks BIGINT NOT NULL DEFAULT 0,
  owner VARCHAR(255) {binary} NOT NULL DEFAULT ''
) ENGINE = InnoDB""",
        f"INSERT IGNORE INTO {fence} (id) VALUES (1)",  # noqa: S608 - a quoted name that reflection gave
    ]


def triggers(source: Source) -> dict[str, str]:
    """Every trigger by its qualified name."""
    replace = " OR REPLACE" if getattr(source.engine.dialect, "is_mariadb", False) else ""
    return {
        name: f"CREATE{replace} TRIGGER {name} AFTER {event} ON {qualified(source, watched.table)} FOR EACH ROW\n{body}"
        for watched in source.watched
        for event in _EVENTS
        for name, body in [(_name(source, watched, event), _body(source, watched, event))]
    }


def _name(source: Source, watched: Watched, event: str) -> str:
    name = quoted(source, trigger_name(watched.table.name, event))
    return f"{quoted(source, watched.table.schema)}.{name}" if watched.table.schema else name


def _body(source: Source, watched: Watched, event: str) -> str:
    marks = _customer_marks(source, watched, event) if watched.keyed else []
    for pointer in watched.pointers:
        new, old, changed = _spelled(source, pointer.column)
        join = f"'{pointer.join}'"
        if event != "DELETE":
            marks.append(_mark(source, watched, new, POINTED, was=join))
        if event != "INSERT":
            when = f" AND {changed}" if event == "UPDATE" else ""
            marks.append(_mark(source, watched, old, POINTED, was=join, when=when))
    return "BEGIN\n" + "\n".join(marks) + "\nEND"


def _customer_marks(source: Source, watched: Watched, event: str) -> list[str]:
    new, old, changed = _spelled(source, watched.key.name)
    if event == "INSERT":
        return [_mark(source, watched, new, "I")]
    if event == "DELETE":
        return [_mark(source, watched, old, "D")]
    if watched.rekeys:
        return [_mark(source, watched, new, "U", was=f"IF({changed}, CAST({old} AS CHAR), NULL)")]
    return [_mark(source, watched, new, "U"), _mark(source, watched, old, "U", when=f" AND {changed}")]


def _spelled(source: Source, name: str) -> tuple[str, str, str]:
    """A column after and before the write, and whether the two differ: compared as bytes, since a key that changes
    only its case or padding is a changed key."""
    column = quoted(source, name)
    new, old = f"NEW.{column}", f"OLD.{column}"
    return new, old, f"NOT (CAST({old} AS BINARY) <=> CAST({new} AS BINARY))"


def _mark(source: Source, watched: Watched, key: str, op: str, *, was: str = "NULL", when: str = "") -> str:
    return f"""  IF {key} IS NOT NULL{when} THEN
    INSERT INTO {qualified(source, source.log)} (customer_key, op, was, origin, own)
    VALUES (CAST({key} AS CHAR), '{op}', {was}, @syncd_origin, {int(watched.own)});
  END IF;"""  # noqa: S608 - quoted names that reflection gave


def everything(source: Source) -> str:
    """The statement for a mark of all rows: which of them changed while a trigger was missing is unknown."""
    log = qualified(source, source.log)
    return f"INSERT INTO {log} (customer_key, op, own) VALUES ('', 'T', 1)"  # noqa: S608 - a name that reflection gave


def drop_triggers(source: Source, names: list[str]) -> list[str]:
    """The statements that drop these triggers before they are made anew, for MySQL; MariaDB replaces a trigger without
    a gap."""
    if getattr(source.engine.dialect, "is_mariadb", False):
        return []
    return [f"DROP TRIGGER IF EXISTS {name}" for name in names]


def drops(source: Source) -> list[str]:
    """The statements that drop everything `install` made."""
    return [
        *(f"DROP TRIGGER IF EXISTS {name}" for name in triggers(source)),
        f"DROP TABLE IF EXISTS {qualified(source, source.log)}",
        f"DROP TABLE IF EXISTS {qualified(source, source.fence)}",
        f"DROP TABLE IF EXISTS {seal.table(source)}",
    ]


def grants(source: Source) -> list[str]:
    """What the account of `[source] url` needs, and nothing more: not TRIGGER, which would let it change them."""
    account = f"'{source.engine.url.username or 'syncd'}'@'%'"
    return [
        f"GRANT SELECT, DELETE ON {qualified(source, source.log)} TO {account}",
        f"GRANT SELECT, UPDATE ON {qualified(source, source.fence)} TO {account}",
        f"GRANT SELECT ON {seal.table(source)} TO {account}",
        *(f"GRANT SHOW VIEW ON {table} TO {account}" for table in _described(source)),
        *rights(source, account),
    ]


def _described(source: Source) -> list[str]:
    """Tables whose description has to be seen: a right on some of the columns does not show it (SHOW CREATE TABLE)."""
    tables = [source.table, *(watched.table for watched in source.watched), *(joined.raw for joined in source.joins)]
    return list(dict.fromkeys(qualified(source, table) for table in tables))


_INSTALLED = """
SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_MANIPULATION, ACTION_TIMING, EVENT_OBJECT_TABLE, ACTION_STATEMENT
  FROM information_schema.TRIGGERS
 WHERE EVENT_OBJECT_SCHEMA = :schema AND EVENT_OBJECT_TABLE = :table"""


def installed(conn: sa.Connection, source: Source) -> dict[str, str]:
    """The triggers that exist, as text; `UNREAD` for one whose body the account may not see."""
    found: dict[str, str] = {}
    for watched in source.watched:
        where = {"schema": watched.table.schema, "table": watched.table.name}
        for schema, name, event, timing, table, body in conn.execute(sa.text(_INSTALLED), where):
            full = f"{quoted(source, schema)}.{quoted(source, name)}"
            found[full] = f"{timing} {event} {table} {squeezed(body)}" if body is not None else UNREAD
    return found


def former(_source: Source) -> dict[str, str]:
    """Triggers of version 1.0 that are still right: none, they were the same."""
    return {}


def expected(source: Source) -> dict[str, str]:
    """What `installed` answers where all triggers are in order."""
    return {
        _name(source, watched, event): f"AFTER {event} {watched.table.name} {squeezed(_body(source, watched, event))}"
        for watched in source.watched
        for event in _EVENTS
    }


def problems(_conn: sa.Connection, _source: Source) -> list[Problem]:
    """No problems of MariaDB alone."""
    return []


def finish(source: Source) -> list[str]:
    """The statements after the triggers: their seal."""
    return seal.statements(source, expected(source))


def unseen(conn: sa.Connection, source: Source) -> dict[str, str]:
    """The triggers that must exist on tables whose triggers this account cannot see."""
    blind = [watched for watched in source.watched if seal.is_blind(conn, watched)]
    return expected(replace(source, watched=tuple(blind))) if blind else {}


_CASCADES = """
SELECT CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS
 WHERE CONSTRAINT_SCHEMA = :schema AND TABLE_NAME = :table
   AND NOT (UPDATE_RULE IN ('RESTRICT', 'NO ACTION') AND DELETE_RULE IN ('RESTRICT', 'NO ACTION'))"""


def advice(conn: sa.Connection, source: Source) -> list[Problem]:
    """Notes about foreign keys that change or delete rows: InnoDB fires no triggers for these rows."""
    found = []
    for watched in source.watched:
        where = {"schema": watched.table.schema, "table": watched.table.name}
        for name, on_update, on_delete in conn.execute(sa.text(_CASCADES), where):
            reason = (
                f'foreign key "{name}" changes "{watched.table.name}" by itself (ON UPDATE {on_update}, '
                f"ON DELETE {on_delete}) and fires no trigger: such changes are seen by the verify sweep only."
            )
            found.append(Problem("triggers", reason, "Let the application delete and update the rows itself."))
    return found
