"""`syncd triggers` and `syncd db`: the change log in the source, and the schema of the state."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli.exits import USAGE, Exit
from syncd.cli.keeping import backup, copy, rekey
from syncd.cli.options import config_option, json_option, print_json, settings_for
from syncd.cli.output import document, echo


@click.group()
def triggers() -> None:
    """Install, check or remove the change log in the source."""


@triggers.command("install")
@config_option
@click.option("--print-sql", is_flag=True, help="Print the SQL for somebody who may run it, and change nothing.")
def install(config: Path | None, *, print_sql: bool) -> None:
    """Create change log, fence and triggers; those in order are not touched."""
    from syncd.bootstrap import open_settings_source
    from syncd.errors import UsageError
    from syncd.source import triggers as ddl

    source = open_settings_source(settings_for(config))
    try:
        if source.config.change_log == "updated_at":
            raise UsageError('change_log = "updated_at" uses no triggers', remedy="syncd run-once")
        if print_sql:
            document("\n".join(ddl.statements(source)) + "\n")
            return
        before = ddl.check(source)
        ddl.install(source)
        left = ddl.check(source)
    finally:
        source.close()
    _say_problems([str(problem) for problem in left])
    tables = ", ".join(watched.table.name for watched in source.watched)
    echo(f"triggers on {tables}: {'installed' if before else 'already installed'}")


@triggers.command("check")
@config_option
@json_option
def check(config: Path | None, *, as_json: bool) -> None:
    """Find triggers that are missing, disabled or altered, and say what this way of capture cannot see."""
    from syncd.bootstrap import open_settings_source
    from syncd.source import triggers as ddl

    source = open_settings_source(settings_for(config))
    try:
        found, advice = ddl.check(source) or ddl.vitality(source), ddl.advice(source)
    finally:
        source.close()
    if as_json:
        print_json({"schema": 1, "problems": [str(p) for p in found], "advice": [str(p) for p in advice]})
        raise Exit(USAGE if found else 0)
    for note in advice:
        echo(f"note: {note}")
    _say_problems([str(problem) for problem in found])
    echo("triggers: in order")


def _say_problems(problems: list[str]) -> None:
    if not problems:
        return
    for problem in problems:
        echo(problem, err=True)
    echo("next:  syncd triggers install", err=True)
    raise Exit(USAGE)


@triggers.command("remove")
@config_option
@click.option("--print-sql", is_flag=True, help="Print the SQL for somebody who may run it, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(config: Path | None, *, print_sql: bool, yes: bool) -> None:
    """Take triggers, log and fence out of the source again. Changes that wait in the log are lost."""
    import sys

    from syncd.bootstrap import open_settings_source
    from syncd.errors import UsageError
    from syncd.source import triggers as ddl

    source = open_settings_source(settings_for(config))
    try:
        if print_sql:
            document("".join(f"{statement};\n" for statement in ddl.removal(source)))
            return
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("this removes the change log", remedy="syncd triggers remove --yes")
            click.confirm("Remove the change log and everything that waits in it?", abort=True)
        ddl.remove(source)
    finally:
        source.close()
    echo("triggers, change log and fence removed")


@click.group()
def db() -> None:
    """Create or migrate the state database, show its revision, copy or back it up, change its key."""


db.add_command(copy)
db.add_command(backup)
db.add_command(rekey)


@db.command("upgrade")
@config_option
def upgrade(config: Path | None) -> None:
    """Bring the state to the revision of this syncd, all or nothing. Back it up and stop every daemon first."""
    from syncd.bootstrap import open_settings_state
    from syncd.runtime.alone import alone
    from syncd.store.database import revision
    from syncd.store.migrate import upgrade_in

    state = open_settings_state(settings_for(config), check=False)
    try:
        before = revision(state)
        with alone(state, "syncd db upgrade") as tx:
            upgrade_in(state, tx)
        after = revision(state)
    finally:
        state.close()
    echo(f"state at revision {after}" + (" already" if before == after else f" (was {before or 'empty'})"))


@db.command("info")
@config_option
@json_option
def info(config: Path | None, *, as_json: bool) -> None:
    """Where the state is, and its revision."""
    from syncd.bootstrap import open_settings_state
    from syncd.store.database import revision
    from syncd.store.schema import REVISIONS

    state = open_settings_state(settings_for(config), create=False, check=False)
    try:
        found = revision(state)
        where = str(state.path) if state.path is not None else "postgresql"
    finally:
        state.close()
    right = found == REVISIONS[-1]
    if as_json:
        print_json({"schema": 1, "state": where, "revision": found, "wanted": REVISIONS[-1], "ok": right})
    else:
        echo(f"{where}: revision {found or 'none'}, this syncd needs {REVISIONS[-1]}")
        if not right:
            echo("next:  syncd db upgrade", err=True)
    raise Exit(0 if right else USAGE)
