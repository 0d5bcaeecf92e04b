"""Write the man pages of every command: `python deploy/manpages.py DIRECTORY` (needs `pip install click-man`)."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click_man.core import write_man_pages

from syncd import __version__
from syncd.cli import syncd


def write(directory: Path) -> None:
    """One page a command and one for `syncd` itself. Commands are imported on demand, so they are asked for here."""
    directory.mkdir(parents=True, exist_ok=True)
    context = click.Context(syncd, info_name="syncd")
    names = syncd.list_commands(context)
    commands = {name: found for name in names if (found := syncd.get_command(context, name)) is not None}
    whole = click.Group("syncd", commands=commands, help=syncd.help, params=syncd.params)
    write_man_pages("syncd", whole, version=__version__, target_dir=str(directory))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
