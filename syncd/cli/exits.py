"""The end of a command: the only place where an error becomes a sentence for a person and an exit code (the codes are
in `status.codes`, README says what they mean)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import click

from syncd.cli.output import echo, json_text
from syncd.errors import (
    LeaseHeld,
    LeaseLost,
    ProviderError,
    SafetyStop,
    SettingsError,
    SetupNeeded,
    SourceUnreachable,
    StateUnreachable,
    Stopped,
    SyncdError,
    UsageError,
)
from syncd.status.codes import DIFFERENT, HELD, INTERNAL, OK, PERSON, RETRY, SAFETY, UNREACHABLE, USAGE, worst

__all__ = [
    "DIFFERENT", "HELD", "INTERNAL", "OK", "PERSON", "RETRY", "SAFETY", "UNREACHABLE", "USAGE",
    "Exit", "code_of", "leave", "say", "worst",
]  # fmt: skip

_CODES: tuple[tuple[type[SyncdError], int], ...] = (
    (SettingsError, USAGE),
    (UsageError, USAGE),
    (SetupNeeded, USAGE),
    (SafetyStop, SAFETY),
    (SourceUnreachable, UNREACHABLE),
    (StateUnreachable, UNREACHABLE),
    (LeaseHeld, HELD),
    (LeaseLost, HELD),
    (ProviderError, UNREACHABLE),
    (Stopped, OK),
)


class Exit(Exception):
    """Ends a command with this exit code; the command has printed its answer."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def code_of(error: SyncdError) -> int:
    """The exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), INTERNAL)


def leave(command: Callable[[], object]) -> int:
    """Run a command and answer its exit code. Errors of syncd and of click become sentences on stderr; any other
    exception passes through."""
    try:
        command()
    except Exit as ended:
        return ended.code
    except SyncdError as error:
        say(error)
        return code_of(error)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(file=said)
        echo(*said.getvalue().splitlines(), err=True)
        return error.exit_code
    except click.Abort:
        echo("aborted", err=True)
        return INTERNAL
    except BrokenPipeError:
        sys.stderr.close()
        return OK
    return OK


def say(error: SyncdError) -> None:
    """Print an error on stderr: what is wrong, where, and what to type next. With --json one JSON line follows."""
    if isinstance(error, SettingsError):
        for problem in error.problems:
            echo(str(problem), err=True)
        count = len(error.problems)
        echo(f"{count} problem{'s' if count != 1 else ''}. Nothing was changed.", err=True)
    else:
        echo(f"error: {error.message}", err=True)
        if error.remedy:
            echo(f"next:  {error.remedy}", err=True)
    if "--json" in sys.argv:
        line = {"event": "exit.error", "code": code_of(error), "message": error.message, "hint": error.remedy}
        echo(json_text(line), err=True)
