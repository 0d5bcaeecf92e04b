"""`syncd init`: looks at a database, proposes the column mapping, writes a commented `syncd.toml`."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.source.guess import Candidate

MODE = 0o640
SHOWN = 6
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
    from syncd.errors import UsageError
    from syncd.source.guess import candidates

    if output.exists():
        raise UsageError(f"{output} exists and is left as it is", remedy="syncd init --output other.toml")
    if url is None:
        if not sys.stdin.isatty():
            raise UsageError("name the database", remedy="syncd init --source postgresql://user@host/database")
        url = click.prompt("Database URL (without password)")
    plain, password = _credentials(url, reference)
    server, found = candidates(url, password, table)
    chosen = _chosen(found, table)
    _write(output, _text(plain, reference or (PASSWORD if password else ""), chosen, output))
    _say(server, chosen, output)


def _credentials(url: str, reference: str) -> tuple[str, str | None]:
    """The URL without a password, and the password: from the reference, or from the URL somebody typed it into."""
    from syncd.errors import Problem, SettingsError
    from syncd.settings.environment import Environment, variable
    from syncd.settings.secret import resolve
    from syncd.settings.values import Wrong

    match = re.fullmatch(r"([A-Za-z0-9_+]+://[^:/@]*):([^@]*)(@.*)", url, re.DOTALL)
    plain = match[1] + match[3] if match else url
    if not reference:
        return plain, match[2] if match else None
    try:
        return plain, resolve(reference, Environment().credentials_directory, variable)
    except Wrong as wrong:
        raise SettingsError([Problem("--password", wrong.reason, wrong.remedy)]) from None


def _chosen(found: list[Candidate], table: str) -> Candidate:
    """The table a person or the guess names; without a terminal nothing is asked."""
    from syncd.errors import UsageError

    if not found:
        what = f"{table} has no usable key or columns" if table else "no table looks like customers"
        raise UsageError(what, remedy="syncd init --source URL --table NAME")
    if len(found) == 1 or table:
        return found[0]
    for number, each in enumerate(found[:SHOWN], 1):
        echo(f"  {number}  {each.name:30} {each.rows:>9} rows   {', '.join(each.fields)}"[:100])
    if sys.stdin.isatty():
        return found[click.prompt("Which one", default=1, type=click.IntRange(1, min(len(found), SHOWN))) - 1]
    clearly = len(found[0].fields) >= 2 * len(found[1].fields) or len(found[0].fields) - len(found[1].fields) >= 3
    if not clearly:
        raise UsageError("several tables may hold customers", remedy=f"syncd init --source URL --table {found[0].name}")
    return found[0]


def _say(server: str, chosen: Candidate, output: Path) -> None:
    echo(f"{server}, {'view' if chosen.is_view else 'table'} {chosen.name}, {chosen.rows} rows, key {chosen.key}")
    for field, column in chosen.fields.items():
        note = "" if chosen.filled.get(field, 0) == chosen.rows else f"{chosen.filled.get(field, 0)} filled"
        echo(f"  {field:16} <- {column:24} {note}".rstrip())
    if "number" not in chosen.fields:
        echo("  no column looks like a customer number: the key will be used as such")
    echo(f"Wrote {output} (mode 0640) and nothing else.")
    echo("Next: check the mapping, fill in the providers you use, then  syncd doctor")


def _write(output: Path, text: str) -> None:
    """Created with its mode, and never over a file that appeared meanwhile."""
    from syncd.errors import UsageError

    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except OSError as error:
        raise UsageError(f"cannot write {output} ({type(error).__name__})", remedy="syncd init --output FILE") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    output.chmod(MODE)


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)


def _text(url: str, reference: str, chosen: Candidate, output: Path) -> str:
    from syncd.core.model import FIELDS

    password = f"password = {_quoted(reference)}" if reference else '# password = "credential:source-password"'
    mapped = [f"{name} = {_quoted(chosen.fields[name])}" for name in FIELDS if name in chosen.fields]
    others = [f'# {name} = ""' for name in FIELDS if name not in chosen.fields]
    watch = _WATCH if chosen.is_view else ""
    state = output.resolve().parent / "state.db"
    return _TEMPLATE.format(
        url=_quoted(url),
        password=password,
        table=_quoted(chosen.name),
        key=_quoted(chosen.key),
        watch=watch,
        fields="\n".join([*mapped, *others]),
        state=_quoted(f"sqlite:///{state}"),
        providers=_PROVIDERS,
    )


_WATCH = """# A view has no triggers of its own: name the tables under it, the customers' own table first.
[[source.watch]]
table = "customers"
key = "id"
"""

_TEMPLATE = """# syncd.toml, proposed by `syncd init`. `syncd doctor` names everything that is wrong with it.
# A secret never stands here; write "credential:NAME", "file:/PATH" or "env:NAME".

[source]
url = {url}
{password}
table = {table}
key = {key}
change_log = "triggers"    # triggers | snapshot (PostgreSQL, account may only read) | updated_at (not loss-free)
write = true               # false: what changes at a provider becomes a review item
{watch}
# canonical field = column; a field that is not listed is never read and never sent
[source.fields]
{fields}

[state]
url = {state}
# key = "credential:state-key"   # at least 32 characters; without it one is made beside the SQLite file

# [guards]                 # beyond these, operations wait for a person
# update = "50%/24h"
# delete = "2%/24h"
# blank = "1%/24h"
# overwrite = "5%/24h"
# create = "20%/24h"

{providers}"""

_PROVIDERS = """# The providers you use; earlier ones win when two change the same value.
# Nothing is created before `syncd match` and `syncd adopt`, unless create = "always".

# [providers.billbee]
# url = "https://api.billbee.io"
# api_key = "credential:billbee-api-key"
# user = "shop@example.com"
# password = "credential:billbee-password"
# languages = { de = 1, en = 2 }

# [providers.aiotic]
# url = "https://acme.aiotic.ai"
# api_key = "credential:aiotic"

# [providers.invisible_collector]
# url = "https://api.invisiblecollector.com"
# token = "credential:invisible-collector"
# default_locale = "en"
# default_country = "PT"

# [providers.azotte]
# url = "https://acme.azotte.com"
# api_key = "credential:azotte"
# tenant = "e2a1c7b2-0000-4000-8000-000000000000"
# default_country = "DE"
# default_language = "de"

# [providers.jtl]
# mode = "cloud"
# url = "https://api.jtl-cloud.com/erp"
# token_url = "https://auth.jtl-cloud.com/oauth2/token"
# client_id = "your-client-id"
# client_secret = "credential:jtl"
# tenant_id = "00000000-0000-4000-8000-000000000001"
# customer_group_id = 1
# internal_company_id = 1
# default_language = "DE"
# default_country = "DE"
"""
