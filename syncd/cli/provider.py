"""`syncd provider`: a provider gets another name, or goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from syncd.cli.exits import USAGE, Exit
from syncd.cli.options import acted, config_option, confirmed, json_option, logging_for, print_json
from syncd.cli.output import echo

_WORDS: Mapping[str, str] = {
    "linked": "links",
    "work": "due customers",
    "intent": "writes under way",
    "review": "questions",
    "tombstone": "tombstones",
}


@click.group()
def provider() -> None:
    """Rename a provider in the state, or remove what the state has of one."""


@provider.command("rename")
@click.argument("old")
@click.argument("new")
@config_option
@json_option
def rename(old: str, new: str, config: Path | None, *, as_json: bool) -> None:
    """Give everything that the state has of provider OLD to NEW.

    For a table [providers.OLD] that is called [providers.NEW] now. Links, what was agreed, questions, tombstones,
    counts and positions follow; nothing is sent because of it. Stop every daemon first.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.operate.rename_provider import rename as move

    settings = logging_for(config)
    configured = [each.name for each in settings.providers]
    state = open_settings_state(settings, create=False)
    try:
        moved = move(state, old, new, configured)
    finally:
        state.close()
    acted("provider.rename", provider=new, count=moved.get("linked", 0))
    if as_json:
        print_json({"schema": 1, "old": old, "new": new, "moved": moved})
        return
    echo(f"{old} is {new} now: {_told(moved)}.")
    if new not in configured:
        adapter = next((each.adapter for each in settings.providers if each.name == old), old)
        called = f'call [providers.{old}] [providers.{new}] and write adapter = "{adapter}" there'
        echo(f"next:  in {settings.path}, {called}; then start syncd again")
    echo(f"undo:  syncd provider rename {new} {old}")


@provider.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@config_option
@json_option
def remove(name: str, config: Path | None, *, yes: bool, as_json: bool) -> None:
    """Forget provider NAME, which the settings do not have any more. Its records stay as they are at the provider.

    Links, what was agreed, questions and history go for good; `syncd links --provider NAME` lists them before. Stop
    every daemon first.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.operate.rename_provider import remove as forget

    settings = logging_for(config)
    if not confirmed(f"Forget everything that the state has of {name} for good?", yes=yes):
        echo("Nothing was removed.", f"next:  syncd provider remove {name} --yes", err=True)
        raise Exit(USAGE)
    state = open_settings_state(settings, create=False)
    try:
        gone = forget(state, name, [each.name for each in settings.providers])
    finally:
        state.close()
    acted("provider.remove", provider=name, count=gone.get("linked", 0))
    if as_json:
        print_json({"schema": 1, "provider": name, "removed": gone})
        return
    echo(f"{name} is forgotten: {_told(gone)}. Its records stay as they are at the provider.")


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[name]} {word}" for name, word in _WORDS.items() if counts.get(name)) or "no links"
