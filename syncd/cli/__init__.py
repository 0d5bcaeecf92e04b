"""The commands. Only this package prints and exits; every command is a function in a module named for its topic.

A command's module is imported when the command is called, so that `syncd --help` imports click alone.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import click

from syncd import __version__
from syncd.cli.exits import leave

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "adopt": "syncd.cli.first_contact:adopt",
        "db": "syncd.cli.setup:db",
        "demo": "syncd.cli.demo:demo",
        "doctor": "syncd.cli.doctor:doctor",
        "explain": "syncd.cli.explain:explain",
        "forget": "syncd.cli.recovery:forget",
        "history": "syncd.cli.history:history",
        "init": "syncd.cli.init:init",
        "link": "syncd.cli.links:link",
        "links": "syncd.cli.history:links",
        "mark": "syncd.cli.notice:mark",
        "match": "syncd.cli.first_contact:match",
        "pause": "syncd.cli.operator:pause",
        "plan": "syncd.cli.planning:plan",
        "provider": "syncd.cli.provider:provider",
        "recover": "syncd.cli.recovery:recover",
        "resume": "syncd.cli.operator:resume",
        "retry": "syncd.cli.operator:retry",
        "review": "syncd.cli.reviews:review",
        "run": "syncd.cli.run:run",
        "run-once": "syncd.cli.run:run_once",
        "sandbox": "syncd.cli.sandbox:sandbox",
        "status": "syncd.cli.status:status",
        "status-page": "syncd.cli.page:status_page",
        "sync": "syncd.cli.sync:sync",
        "triggers": "syncd.cli.setup:triggers",
        "unlink": "syncd.cli.links:unlink",
        "verify": "syncd.cli.verify:verify",
    }
)


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks so
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click asks so
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        with _all_kept():
            command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command without importing any of them."""
        from syncd.cli.summaries import SUMMARIES

        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in self.list_commands(ctx)])


@contextmanager
def _all_kept() -> Iterator[None]:
    """Garbage collection is off during an import: what an import makes is kept, and a search for garbage among it costs
    a fourteenth of a run without work."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="syncd")
def syncd() -> None:
    """Keep the customers of one SQL database and of several business systems in agreement, in both directions."""


def main(arguments: list[str] | None = None) -> None:
    """The console script: run a command and leave with the exit code that README documents."""
    sys.exit(leave(lambda: syncd.main(args=arguments, prog_name="syncd", standalone_mode=False)))
