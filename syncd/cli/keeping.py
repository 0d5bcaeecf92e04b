"""`syncd db copy`, `backup` and `rekey`: the state in another database, in a file, or under another key."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.options import acted, config_option, json_option, logging_for, print_json
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.settings import Settings
    from syncd.store.database import State


@click.command("copy")
@click.option("--to", "url", required=True, metavar="URL", help="sqlite:////PATH or postgresql://USER@HOST/DATABASE.")
@click.option("--password", "reference", default="", help='A reference as in the settings: "file:/PATH", "env:NAME".')
@config_option
@json_option
def copy(url: str, reference: str, config: Path | None, *, as_json: bool) -> None:
    """Carry the whole state into another, empty database, SQLite or PostgreSQL, and compare the two.

    All or nothing; the old state is not changed. Stop every daemon first. Afterwards [state] names the new place, under
    the same state key.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.operate.copy_state import copy_state
    from syncd.store.keys import check_key

    settings = logging_for(config)
    with closing(open_settings_state(settings, create=False)) as state:
        with state.read() as tx:
            check_key(tx, state.key, state.older, remember=False)
        with closing(_target(settings, state, url, reference)) as target:
            rows = copy_state(state, target, url)
    acted("db.copy", count=sum(rows.values()))
    if as_json:
        print_json({"schema": 1, "rows": rows})
        return
    echo(f"{sum(rows.values())} rows copied and compared, {rows['mapping']} links among them.")
    echo(f'next:  in {settings.path}, under [state]:  url = "{url}"')
    if settings.state.key is None:
        echo(f'       and the key of this state, which has to stay:  key = "file:{state.path}.key"')
    echo("       then syncd doctor. Keep the old state until it says ok, and never run both.")


def _target(settings: Settings, state: State, url: str, reference: str) -> State:
    from syncd.errors import Problem, SettingsError
    from syncd.settings.environment import Environment, variable
    from syncd.settings.secret import resolve
    from syncd.settings.urls import check_database
    from syncd.settings.values import Wrong
    from syncd.store.database import check_schema, open_state, revision, upgrade

    place = "--to"
    try:
        check_database(url, state=True)
        place = "--password"
        password = resolve(reference, Environment().credentials_directory, variable) if reference else None
    except Wrong as wrong:
        raise SettingsError([Problem(place, wrong.reason, wrong.remedy)]) from None
    target = open_state(url, password, state.key, check=False, tls=settings.state.tls)
    try:
        upgrade(target) if revision(target) is None else check_schema(target)
    except BaseException:
        target.close()
        raise
    return target


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@json_option
def backup(file: Path, config: Path | None, *, as_json: bool) -> None:
    """Keep the state in FILE, whole and consistent, also while the daemon runs.

    For a state on SQLite, of a former version too; for PostgreSQL it names the command. Keep the state key apart from
    it: each is useless without the other.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.operate.copy_state import back_up

    settings = logging_for(config)
    with closing(open_settings_state(settings, create=False, check=False)) as state:
        back_up(state, file.absolute())
    size = file.stat().st_size
    acted("db.backup", count=size)
    if as_json:
        print_json({"schema": 1, "file": str(file.absolute()), "bytes": size})
        return
    echo(f"{file}: {size} bytes, checked.")
    if settings.state.key is None:
        echo(f"The state key is not in it: keep {state.path}.key at another place.")
    echo("After a restore: syncd recover")


@click.command("rekey")
@click.option("--key", "reference", default="", metavar="REF", help='The new key, as in the settings: "file:/PATH" ...')
@config_option
@json_option
def rekey(reference: str, config: Path | None, *, as_json: bool) -> None:
    """Give the state another key: when somebody may have seen the old one.

    Stop every daemon first. Both sides of every link are read, so this takes as long as a look at every customer. All
    or nothing. Erased and removed customers stay known under the old key, which is kept for tombstones alone.
    """
    from syncd.bootstrap import installation
    from syncd.cli.first_contact import steps
    from syncd.operate.rekey import rekey as change
    from syncd.store.key_files import new_key_beside, settle_key_files

    settings = logging_for(config)
    with installation(settings, exclusive=False) as site:
        path = site.state.path

        def make() -> bytes:
            if reference or settings.state.key is not None or path is None:
                return _new_key(settings, reference)
            return new_key_beside(path)

        if reference or settings.state.key is not None or path is None:
            make()  # a key that cannot be used is an error before any record is read
        done = change(site, make, steps("db rekey"))
        if path is not None:
            settle_key_files(path)
    acted("db.rekey", count=done.links)
    if as_json:
        print_json({"schema": 1, "links": done.links, "edited": done.edited})
        return
    echo(f"{done.links} links are kept under the new key.")
    if done.edited:
        echo(f"{done.edited} values were being edited on one side: the next run moves them as usual.")
    if reference:
        echo(f'next:  in {settings.path}, under [state]:  key = "{reference}"')
        echo("       and the old key in older_keys = [...], as long as syncd asks for it")
    else:
        echo(f"The old key is kept in {path}.key.older, only to recognise erased and removed customers.")


def _new_key(settings: Settings, reference: str) -> bytes:
    from syncd.errors import Problem, SettingsError, UsageError
    from syncd.settings.environment import Environment, variable
    from syncd.settings.secret import resolve
    from syncd.settings.values import Wrong

    if not reference:
        raise UsageError("name the new key", remedy='syncd db rekey --key "file:/PATH" (openssl rand -hex 32)')
    try:
        key = resolve(reference, Environment().credentials_directory, variable)
    except Wrong as wrong:
        raise SettingsError([Problem("--key", wrong.reason, wrong.remedy)]) from None
    if len(key) < 32:
        raise SettingsError([Problem("--key", "must be at least 32 characters long.", "openssl rand -hex 32")])
    if settings.state.key == key.encode("ascii"):
        raise UsageError("that is the key of now", remedy="openssl rand -hex 32")
    return key.encode("ascii")
