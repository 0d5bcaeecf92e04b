"""`syncd init`: looks at a database, proposes the column mapping, writes a commented `syncd.toml`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.source.proposing import Proposal

MODE = 0o640
SHOWN = 6
CLEARLY = 4  # points by which the first table's score must exceed the next one's, where nobody can be asked
PASSWORD = "env:SYNCD_SOURCE_PASSWORD"  # noqa: S105 - a reference, which is what the file is to hold


@click.command()
@click.option(
    "--source", "url", metavar="URL", help="The database: postgresql://user@host/database, sqlite:////path ..."
)
@click.option("--password", "reference", metavar="REF", default="", help="env:NAME, file:/PATH or credential:NAME.")
@click.option("--table", default="", help="The table or view that holds the customers; default: the likeliest.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("syncd.toml"), show_default=True
)
def init(url: str | None, reference: str, table: str, output: Path) -> None:
    """Look at a database, propose the column mapping, and write a commented syncd.toml. Changes nothing else.

    The password is a reference, so that it never stands in the file or in the shell's history.
    """
    from syncd.cli.proposal import settings_text
    from syncd.errors import UsageError
    from syncd.source.proposing import candidates

    if output.exists():
        raise UsageError(f"{output} exists and is left as it is", remedy="syncd init --output other.toml")
    if url is None:
        if not sys.stdin.isatty():
            raise UsageError("name the database", remedy="syncd init --source postgresql://user@host/database")
        url = click.prompt("Database URL (without password)")
    plain, password = _credentials(url, reference)
    server, found = candidates(plain, password, table)
    chosen = _chosen(found, table)
    _write(output, settings_text(plain, reference or (PASSWORD if password else ""), chosen, output))
    _say(server, chosen, output)


def _credentials(url: str, reference: str) -> tuple[str, str | None]:
    """The URL without a password, and the password: from the reference, or from the URL somebody typed it into."""
    from syncd.errors import Problem, SettingsError
    from syncd.settings.environment import Environment, variable
    from syncd.settings.secret import resolve
    from syncd.settings.urls import check_database
    from syncd.settings.values import Wrong
    from syncd.source.connection import without_password

    plain, typed = without_password(url)
    try:
        check_database(plain)
    except Wrong as wrong:
        raise SettingsError([Problem("--source", wrong.reason, wrong.remedy)]) from None
    if not reference:
        return plain, typed
    try:
        return plain, resolve(reference, Environment().credentials_directory, variable)
    except Wrong as wrong:
        raise SettingsError([Problem("--password", wrong.reason, wrong.remedy)]) from None


def _chosen(found: list[Proposal], table: str) -> Proposal:
    """The table to propose: the one that was named, the only likely one, or on a terminal the one a person picks.
    Raises `UsageError` where there is none, or where several are likely and nobody can be asked."""
    from syncd.errors import UsageError

    able = [each for each in found if each.key and each.fields]
    if not able or (found and found[0].trouble):
        first = "make one of them, then: " if found and found[0].trouble else ""
        raise UsageError(_why_none(found, table), remedy=f"{first}syncd init --source URL --table NAME")
    if len(able) == 1 or table:
        return able[0]
    for number, each in enumerate(able[:SHOWN], 1):
        echo(f"  {number}  {each.name:30} {each.rows:>9} rows   {', '.join(each.fields)}"[:100])
    if sys.stdin.isatty():
        return able[click.prompt("Which one", default=1, type=click.IntRange(1, min(len(able), SHOWN))) - 1]
    if able[0].score - able[1].score < CLEARLY:
        raise UsageError("several tables may hold customers", remedy=f"syncd init --source URL --table {able[0].name}")
    return able[0]


def _why_none(found: list[Proposal], table: str) -> str:
    """Why no table can be proposed, and what would serve instead."""
    if found and found[0].trouble:
        return (
            f"{found[0].trouble}; syncd needs one column that names a customer. A generated column with a unique index "
            "serves, or a view with one key column made of them"
        )
    return f"{table} has no column that looks like a customer's" if table else "no table looks like customers"


def _say(server: str, chosen: Proposal, output: Path) -> None:
    from syncd.cli.proposal import seen

    echo(f"{server}, {'view' if chosen.is_view else 'table'} {chosen.name}, {chosen.rows} rows, key {chosen.key}")
    for line in seen(chosen, examples=sys.stdout.isatty()):
        echo(line)
    for field, fit in chosen.doubts.items():
        echo(f"  {field:16} is left out: {fit.column} {fit.doubt}")
    for join in chosen.joins:
        doubt = "  (several rows for some customers: left out)" if join.name in chosen.doubtful else ""
        echo(f"  join {join.name}: {join.table}{doubt}")
    for column in chosen.where:
        echo(f"  only rows that [source.where] {column} names are customers")
    if chosen.deleted is not None:
        echo(f"  a row counts as deleted by {chosen.deleted.column}")
    for note in chosen.notes:
        echo(f"  {note}")
    if "number" not in chosen.fields:
        echo("  no column looks like a customer number: the key will be used as such")
    echo(f"Wrote {output} (mode 0640) and nothing else.")
    echo("Next: check the mapping, fill in the providers you use, then  syncd doctor")


def _write(output: Path, text: str) -> None:
    """Create the file with its mode; a file that appeared meanwhile is not written over."""
    from syncd.errors import UsageError

    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except OSError as error:
        raise UsageError(f"cannot write {output} ({type(error).__name__})", remedy="syncd init --output FILE") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    output.chmod(MODE)
