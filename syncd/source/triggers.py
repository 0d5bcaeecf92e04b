"""Installs, checks and removes change log, fence and triggers. Their DDL is in one module for each dialect.

The triggers log the key of every insert, update and delete, but for a NULL key. They run with the rights of their
owner: the application's own write never fails because it has no right on the log.
"""

from __future__ import annotations

from types import ModuleType

import sqlalchemy as sa

from syncd.errors import Problem, SetupNeeded, UsageError
from syncd.source import ddl_mariadb, ddl_postgresql, ddl_sqlite, seal
from syncd.source.database import Source, in_transaction, reading
from syncd.source.failures import INSTALL, translated
from syncd.source.reflection import column_names


def statements(source: Source) -> list[str]:
    """The statements of `install` for the database's own client, the grants as comments. Each item ends with its own
    delimiter: joined with newlines they are a script."""
    ddl = _ddl(source)
    script = [f"{statement};" for statement in ddl.base(source)]
    texts = ddl.triggers(source)
    script += [f"{statement};" for statement in ddl.drop_triggers(source, list(texts))]
    delimited = "DELIMITER //\n{} //\nDELIMITER ;" if source.dialect == "mysql" else "{};"
    script += [delimited.format(text) for text in texts.values()]
    script += [f"{statement};" for statement in (ddl.everything(source), *ddl.finish(source))]
    grants = [f"-- {grant}" if "--" in grant else f"-- {grant};" for grant in ddl.grants(source)]
    return [*script, *(["-- for the account that syncd uses:", *grants] if grants else [])]


def install(source: Source) -> None:
    """Create tables and triggers that are missing or altered. Those in order are not touched, so that a second install
    takes no lock.

    Where triggers were missing beside a log, or the log beside its fence (a removal was killed in between), changes may
    have left no mark: then a mark for all rows is written, before the triggers and after them, so that a crash between
    the two loses nothing.
    Raises UsageError where the settings ask for no triggers, SourceUnreachable where the account may not.
    """
    if source.config.change_log == "updated_at":
        raise UsageError('change_log = "updated_at" uses no triggers.', remedy="syncd run-once")
    ddl = _ddl(source)
    with reading(source) as conn:
        there, wanted = ddl.installed(conn, source), ddl.expected(source)
        logged, fenced = (sa.inspect(conn).has_table(t.name, schema=t.schema) for t in (source.log, source.fence))
    stale = [name for name in wanted if there.get(name) != wanted[name]]
    unmarked = (stale and logged) or (fenced and not logged)
    texts, again = ddl.triggers(source), [ddl.everything(source)] if unmarked else []
    made = [*ddl.drop_triggers(source, stale), *(texts[name] for name in stale)]
    _execute(source, [*ddl.base(source), *again, *made, *again, *ddl.finish(source)])


def remove(source: Source) -> None:
    """Drop triggers, change log and fence."""
    _execute(source, _ddl(source).drops(source))


def removal(source: Source) -> list[str]:
    """The statements of `remove`, for the database's own client; without delimiters."""
    return list(_ddl(source).drops(source))


def require(source: Source) -> None:
    """Raise SetupNeeded where changes would be lost, so that no run begins before that is mended."""
    _refuse(check(source) or vitality(source))


def require_visible(source: Source) -> None:
    """The same by reading alone, for commands that touch nothing: triggers that this account cannot see are not
    tried."""
    _refuse(check(source))


def _refuse(found: list[Problem]) -> None:
    if found:
        raise SetupNeeded(
            "; ".join(f"{each.place}: {each.reason.rstrip('.')}" for each in found), remedy="syncd triggers install"
        )


def check(source: Source) -> list[Problem]:
    """The problems that lose changes: log, fence or triggers that are missing, disabled or altered, and missing
    rights."""
    if source.config.change_log == "updated_at":
        return []
    ddl = _ddl(source)
    with reading(source) as conn:
        found = (
            _missing_tables(conn, source)
            or list(ddl.problems(conn, source))
            or _other_version(conn, source)
            or _missing_fence(conn, source)
        )
        there, wanted, former = ddl.installed(conn, source), ddl.expected(source), ddl.former(source)
        unseen = ddl.unseen(conn, source) if any(not there.get(name) for name in wanted) else {}
        found += seal.broken(conn, source, unseen) if unseen else []
    for name, text in wanted.items():
        if name in unseen and (name in there or not any(other in there for other in unseen)):
            continue  # MariaDB names the triggers of a table that may be described, or none at all
        if name not in there:
            found.append(Problem("triggers", f"{name}: the trigger is missing.", INSTALL))
        elif there[name] not in {text, former.get(name)}:
            found.append(Problem("triggers", f"{name}: the trigger is disabled or altered.", INSTALL))
    return found


def vitality(source: Source) -> list[Problem]:
    """The problems of triggers that this account cannot see, found by a write that is rolled back; it locks one row for
    a moment."""
    if source.config.change_log != "triggers":
        return []
    with reading(source) as conn:
        unseen = _ddl(source).unseen(conn, source)
    return seal.dead(source) if unseen else []


def advice(source: Source) -> list[Problem]:
    """Notes about changes that this way of capture sees late or never."""
    if source.config.change_log == "updated_at":
        reason = 'change_log = "updated_at" is not loss-free: deletions, late commits and skipped stamps are seen late.'
        return [Problem("source.change_log", reason, 'The verify sweep bounds how late. "triggers" loses nothing.')]
    with reading(source) as conn:
        return list(_ddl(source).advice(conn, source))


def _ddl(source: Source) -> ModuleType:
    return {"sqlite": ddl_sqlite, "postgresql": ddl_postgresql, "mysql": ddl_mariadb}[source.dialect]


def _execute(source: Source, script: list[str]) -> None:
    def work(conn: sa.Connection) -> None:
        for statement in script:
            conn.execution_options(no_parameters=True).exec_driver_sql(statement)

    with translated():
        in_transaction(source, work)


def _missing_tables(conn: sa.Connection, source: Source) -> list[Problem]:
    inspector = sa.inspect(conn)
    return [
        Problem("triggers", f'the table "{table.name}" is missing.', INSTALL)
        for table in _tables(source)
        if not inspector.has_table(table.name, schema=table.schema)
    ]


def _tables(source: Source) -> list[sa.Table]:
    return [source.log, source.fence] if source.config.change_log == "triggers" else [source.log]


def _other_version(conn: sa.Connection, source: Source) -> list[Problem]:
    found = []
    for table in _tables(source):
        there = column_names(sa.inspect(conn), table)
        lacking = [column.name for column in table.c if column.name not in there]
        if lacking:
            reason = f'the table "{table.name}" lacks {", ".join(lacking)}: another version made it.'
            found.append(Problem("triggers", reason, "Run `syncd triggers remove`, then `syncd triggers install`."))
    return found


def _missing_fence(conn: sa.Connection, source: Source) -> list[Problem]:
    if source.config.change_log != "triggers" or conn.execute(sa.select(source.fence.c.id)).first() is not None:
        return []
    return [Problem("triggers", "the fence has lost its row.", INSTALL)]
