"""Log, fence and triggers for PostgreSQL 14 and later, in a schema `syncd` of their own.

SECURITY DEFINER with a pinned search_path: otherwise the application's own writes would need rights on the log.
ENABLE ALWAYS: otherwise logical replication and restores are not seen. A statement trigger sees TRUNCATE, which row
triggers do not. `xid` is what an account that may only read needs (`snapshot`).
"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa

from syncd.errors import Problem
from syncd.source.database import Source, Watched
from syncd.source.grants import rights
from syncd.source.naming import POINTED, qualified, quoted, short, squeezed
from syncd.source.shape import Pointer

CHANNEL = "syncd_change"  # what triggers notify and the daemon listens to

_BASE = [
    "CREATE SCHEMA IF NOT EXISTS syncd",
    """CREATE TABLE IF NOT EXISTS syncd.change_log (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  customer_key text NOT NULL,
  op text NOT NULL,
  was text,
  origin text,
  own boolean NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)""",
    """CREATE TABLE IF NOT EXISTS syncd.fence (
  id smallint PRIMARY KEY CHECK (id = 1),
  acks bigint NOT NULL DEFAULT 0,
  owner text NOT NULL DEFAULT ''
)""",
    "INSERT INTO syncd.fence (id) VALUES (1) ON CONFLICT DO NOTHING",
]
_LOG = "INSERT INTO syncd.change_log (customer_key, op, was, origin, own)"
_ROW, _TRUNCATE = "syncd_row", "syncd_truncate"
_ROW_TYPE, _TRUNCATE_TYPE = 1 + 4 + 8 + 16, 32  # pg_trigger.tgtype: row, insert, delete, update · truncate


def base(source: Source) -> list[str]:
    """The statements for schema, log and fence; safe to repeat. A log that syncd never deletes from (`snapshot`) gets
    an index on xid."""
    if source.config.change_log == "snapshot":
        return [*_BASE, "CREATE INDEX IF NOT EXISTS change_log_xid ON syncd.change_log (xid)"]
    return list(_BASE)


# The application's write must never fail because of the bell: a transaction that notified cannot be prepared (two-phase
# commit), and a full queue fails the commit (PostgreSQL 15 manual, NOTIFY).
_RING = f"""
  IF current_setting('max_prepared_transactions') = '0' AND pg_notification_queue_usage() < 0.5 THEN
    PERFORM pg_notify('{CHANNEL}', '');
  END IF;"""


def triggers(source: Source) -> dict[str, str]:
    """Function and triggers of every watched table, under the table's name."""
    return {qualified(source, watched.table): _statements(source, watched) for watched in source.watched}


def _statements(source: Source, watched: Watched) -> str:
    table, function = qualified(source, watched.table), _function(source, watched)
    return f"""CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $syncd${_body(source, watched)}$syncd$;
REVOKE ALL ON FUNCTION {function}() FROM PUBLIC;
DROP TRIGGER IF EXISTS {_ROW} ON {table};
CREATE TRIGGER {_ROW} AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();
DROP TRIGGER IF EXISTS {_TRUNCATE} ON {table};
CREATE TRIGGER {_TRUNCATE} AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {_ROW}, ENABLE ALWAYS TRIGGER {_TRUNCATE}"""


def _function(source: Source, watched: Watched) -> str:
    return f"syncd.{quoted(source, _function_name(watched))}"


def _function_name(watched: Watched) -> str:
    digest = hashlib.blake2b(f"{watched.table.schema}.{watched.table.name}".encode(), digest_size=4).hexdigest()
    return f"log_{short(watched.table.name)}_{digest}"


def _body(source: Source, watched: Watched, *, notify: bool = True) -> str:
    """The function's text; without `notify` as version 1.0 installed it."""
    own = "true" if watched.own else "false"
    variables = "".join(f"\n  new_{n} text;\n  old_{n} text;" for n in range(len(watched.pointers)))
    keys = "\n  new_key text;\n  old_key text;" if watched.keyed else ""
    ring = _RING if notify else ""
    marks = _customer_marks(source, watched, own) if watched.keyed else ""
    marks += "".join(_pointed_marks(source, pointer, n, own) for n, pointer in enumerate(watched.pointers))
    return f"""
DECLARE
  origin text := nullif(current_setting('syncd.origin', true), '');{keys}{variables}
BEGIN{ring}
  IF TG_OP = 'TRUNCATE' THEN
    {_LOG} VALUES ('', 'T', NULL, origin, {own});
    RETURN NULL;
  END IF;{marks}
  RETURN NULL;
END
"""


def _customer_marks(source: Source, watched: Watched, own: str) -> str:
    key = quoted(source, watched.key.name)
    changed = "old_key IS DISTINCT FROM new_key"
    was = f"CASE WHEN {changed} THEN old_key END" if watched.rekeys else "NULL"
    both = (
        ""
        if watched.rekeys
        else f"""
    IF old_key IS NOT NULL AND {changed} THEN
      {_LOG} VALUES (old_key, 'U', NULL, origin, {own});
    END IF;"""
    )
    return f"""
  IF TG_OP <> 'DELETE' THEN new_key := CAST(NEW.{key} AS text); END IF;
  IF TG_OP <> 'INSERT' THEN old_key := CAST(OLD.{key} AS text); END IF;
  IF TG_OP = 'INSERT' AND new_key IS NOT NULL THEN
    {_LOG} VALUES (new_key, 'I', NULL, origin, {own});
  ELSIF TG_OP = 'DELETE' AND old_key IS NOT NULL THEN
    {_LOG} VALUES (old_key, 'D', NULL, origin, {own});
  ELSIF TG_OP = 'UPDATE' THEN
    IF new_key IS NOT NULL THEN
      {_LOG} VALUES (new_key, 'U', {was}, origin, {own});
    END IF;{both}
  END IF;"""


def _pointed_marks(source: Source, pointer: Pointer, number: int, own: str) -> str:
    """The marks of the value that leads to this row after the write, and of the former one where it differs."""
    column, new, old = quoted(source, pointer.column), f"new_{number}", f"old_{number}"
    return f"""
  IF TG_OP <> 'DELETE' THEN {new} := CAST(NEW.{column} AS text); END IF;
  IF TG_OP <> 'INSERT' THEN {old} := CAST(OLD.{column} AS text); END IF;
  IF {new} IS NOT NULL THEN
    {_LOG} VALUES ({new}, '{POINTED}', '{pointer.join}', origin, {own});
  END IF;
  IF {old} IS NOT NULL AND {old} IS DISTINCT FROM {new} THEN
    {_LOG} VALUES ({old}, '{POINTED}', '{pointer.join}', origin, {own});
  END IF;"""


def everything(_source: Source) -> str:
    """The statement for a mark of all rows: which of them changed while a trigger was missing is unknown."""
    return "INSERT INTO syncd.change_log (customer_key, op, own) VALUES ('', 'T', true)"


def drop_triggers(_source: Source, _names: list[str]) -> list[str]:
    """No statements: `triggers` replaces what exists."""
    return []


def drops(source: Source) -> list[str]:
    """The statements that drop everything `install` made. The schema stays where it holds other objects."""
    statements = []
    for watched in source.watched:
        table = qualified(source, watched.table)
        statements += [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name in (_ROW, _TRUNCATE)]
        statements.append(f"DROP FUNCTION IF EXISTS {_function(source, watched)}()")
    return [
        *statements,
        "DROP TABLE IF EXISTS syncd.change_log",
        "DROP TABLE IF EXISTS syncd.fence",
        "DROP SCHEMA IF EXISTS syncd RESTRICT",
    ]


def grants(source: Source) -> list[str]:
    """What the account of `[source] url` needs, and nothing more."""
    account = quoted(source, source.engine.url.username or "syncd")
    if source.config.change_log == "snapshot":
        needed = [f"GRANT USAGE ON SCHEMA syncd TO {account}", f"GRANT SELECT ON syncd.change_log TO {account}"]
    else:
        needed = [
            f"GRANT USAGE ON SCHEMA syncd TO {account}",
            f"GRANT SELECT, DELETE ON syncd.change_log TO {account}",
            f"GRANT SELECT, UPDATE ON syncd.fence TO {account}",
        ]
    return [*needed, *rights(source, account)]


_INSTALLED = """
SELECT t.tgname, t.tgenabled, t.tgtype, t.tgqual IS NULL AND t.tgattr = ''::int2vector AS whole,
       p.prosrc, p.prosecdef, p.proconfig, n.nspname || '.' || p.proname AS function
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE t.tgrelid = to_regclass(:table) AND NOT t.tgisinternal AND t.tgname IN ('syncd_row', 'syncd_truncate')"""


def installed(conn: sa.Connection, source: Source) -> dict[str, str]:
    """The state of both triggers of each table, as text; a table without triggers is missing."""
    found: dict[str, str] = {}
    for watched in source.watched:
        table = qualified(source, watched.table)
        rows = conn.execute(sa.text(_INSTALLED).bindparams(table=table)).all()
        facts = sorted(_fact(row) for row in rows)
        if facts:
            found[table] = " | ".join(facts)
    return found


def _fact(row: sa.Row[Any]) -> str:
    on = row.tgenabled.decode() if isinstance(row.tgenabled, bytes) else row.tgenabled
    pinned = row.proconfig == ["search_path=pg_catalog, pg_temp"]
    return f"{row.tgname} {on} {row.tgtype} {row.whole} {row.prosecdef} {pinned} {row.function} {squeezed(row.prosrc)}"


def expected(source: Source) -> dict[str, str]:
    """What `installed` answers where all triggers are in order."""
    return _shown(source, notify=True)


def _shown(source: Source, *, notify: bool) -> dict[str, str]:
    return {
        qualified(source, watched.table): " | ".join(
            f"{name} A {kind} True True True syncd.{_function_name(watched)} "
            + squeezed(_body(source, watched, notify=notify))
            for name, kind in ((_ROW, _ROW_TYPE), (_TRUNCATE, _TRUNCATE_TYPE))
        )
        for watched in source.watched
    }


def former(source: Source) -> dict[str, str]:
    """What `installed` answers for triggers of version 1.0, which log every change and ring no bell."""
    return _shown(source, notify=False)


_RIGHTS = """
SELECT has_table_privilege('syncd.change_log', 'SELECT') AND has_table_privilege('syncd.change_log', 'DELETE')
   AND has_table_privilege('syncd.fence', 'SELECT') AND has_table_privilege('syncd.fence', 'UPDATE')"""
_MAY_READ = "SELECT has_table_privilege('syncd.change_log', 'SELECT')"
_MAY_ENTER = "SELECT has_schema_privilege('syncd', 'USAGE')"  # asked first: without it the others are errors


def problems(conn: sa.Connection, source: Source) -> list[Problem]:
    """Problems of PostgreSQL alone: rights on log and fence that the account lacks. The tables must exist."""
    snapshot = source.config.change_log == "snapshot"
    may_enter = conn.execute(sa.text(_MAY_ENTER)).scalar()
    if may_enter and conn.execute(sa.text(_MAY_READ if snapshot else _RIGHTS)).scalar():
        return []
    remedy = "`syncd triggers install --print-sql` shows the grants."
    return [Problem("triggers", "the account may not consume the change log.", remedy)]


def finish(_source: Source) -> list[str]:
    """No statements: every account sees the triggers."""
    return []


def unseen(_conn: sa.Connection, _source: Source) -> dict[str, str]:
    """No triggers: every account sees them all."""
    return {}


def advice(conn: sa.Connection, _source: Source) -> list[Problem]:
    """A note about prepared transactions that nobody ends: their changes stay invisible."""
    old = conn.execute(
        sa.text("SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '10 minutes'")
    ).scalar_one()
    if not old:
        return []
    return [
        Problem("source", f"{old} prepared transactions are older than 10 minutes; their changes stay invisible.",
                "Look at pg_prepared_xacts."),
    ]  # fmt: skip
