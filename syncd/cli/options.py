"""Options that many commands share, and how their answers are printed."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from syncd.cli.output import echo, json_text, visible
from syncd.log import emit, setup
from syncd.settings import Settings, load

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """`--config FILE`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Settings file (default: $SYNCD_CONFIG, ./syncd.toml, /etc/syncd/syncd.toml).",
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON with a schema version.")(command)


def settings_for(config: Path | None, *, quiet: bool = True) -> Settings:
    """Load the settings and set up the log. `quiet`: warnings only, on stderr alone, for a command that answers a
    person."""
    settings = load(config)
    level = "warning" if quiet else settings.log.level
    setup(level=level, format=settings.log.format, file=settings.log.file if not quiet else "")
    return settings


def logging_for(config: Path | None) -> Settings:
    """Load the settings and set up the log for a command that changes something: a person at a terminal reads
    sentences, any other stderr gets the events, and the log file gets them always."""
    person = sys.stderr.isatty()
    settings = settings_for(config, quiet=person)
    if person and settings.log.file:
        setup(level=settings.log.level, format="json", file=settings.log.file, stream=_Nowhere())
    return settings


class _Nowhere(io.StringIO):
    """A stream for a log that goes to its file alone."""

    def write(self, text: str) -> int:
        return len(text)


def acted(action: str, **fields: Any) -> None:
    """Log a person's act as `operator.acted`; `fields` are keys of `log.KEYS`."""
    told("operator.acted", action=action, **fields)


def told(event: str, **fields: Any) -> None:
    """Log an event at the end of the command: where stderr is no terminal, its line stands after the sentences."""
    context = click.get_current_context(silent=True)
    if context is None:
        emit(event, **fields)
    else:
        context.find_root().call_on_close(lambda: emit(event, **fields))


def print_json(answer: object) -> None:
    """One JSON document on stdout."""
    echo(json_text(answer))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A plain table on stdout: no lines, a bold head on a terminal that wants it (`NO_COLOR`)."""
    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stdout, highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)
    shown = Table(box=None, pad_edge=False, header_style="" if console.no_color else "bold")
    for header in headers:
        shown.add_column(visible(header), justify="right" if header in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(visible(str(cell)) for cell in row))
    console.print(shown)


class Duration(click.ParamType[float]):
    """`30s`, `10m`, `24h` as in the settings, or 0."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from syncd.settings.values import Wrong, duration

        if isinstance(value, float) or value == "0":
            return float(value)
        try:
            return duration(value)
        except Wrong as wrong:
            self.fail(f"{wrong.reason} {wrong.remedy}", param, ctx)


def provider_named(settings: Settings, name: str) -> str:
    """The name, where a provider is configured under it; else raises a `UsageError` that names the nearest one."""
    from syncd.errors import UsageError
    from syncd.settings.values import did_you_mean

    names = [provider.name for provider in settings.providers]
    if name in names:
        return name
    near = did_you_mean(name, names) or f"Configured: {', '.join(names) or 'none'}."
    raise UsageError(f"no provider is called {name}. {near}", remedy="syncd status")


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """A threading event that SIGTERM and Ctrl-C set, so that a run ends in order; a second signal ends at once."""
    stop = threading.Event()
    signals = (signal.SIGTERM, signal.SIGINT)

    def asked(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, asked) for number in signals}
    try:
        yield stop
    finally:
        for number in signals:
            signal.signal(number, before[signal.Signals(number)])


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether a person agrees: by `--yes`, or at a terminal; nothing waits for input without one."""
    if yes:
        return True
    return sys.stdin.isatty() and sys.stdout.isatty() and click.confirm(visible(question))
