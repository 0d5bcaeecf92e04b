"""`syncd status-page`: the status as HTML, from log lines alone. Needs neither settings nor state."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from syncd.cli.exits import OK, Exit
from syncd.cli.options import Duration, json_option, print_json, stopping
from syncd.cli.output import document

if TYPE_CHECKING:
    from syncd.status.facts import Report
    from syncd.status.fold import Folded


@click.command("status-page")
@click.option("--config", expose_value=False, hidden=True, help="Accepted, and not read: only log lines are needed.")
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write here instead of stdout.")
@click.option("--watch", is_flag=True, help="Go on reading and keep the page fresh until interrupted.")
@click.option(
    "--silent-after", type=Duration(), default="100s", show_default=True, help="No event for this long: doubt."
)
@click.option("--exit-code", is_flag=True, help="Leave with the exit code that the status has.")
@json_option
def status_page(
    logs: tuple[Path, ...],
    *,
    output: Path | None,
    watch: bool,
    silent_after: float,
    exit_code: bool,
    as_json: bool,
) -> None:
    """A status page from log lines alone: from LOGS, or from stdin.

    Lines may be plain JSON, stand behind a prefix, or come from `journalctl -o json`; others are skipped. With --json
    the folded status is printed in the shape of `syncd status --json`, and a page is written only where -o says so.
    """
    from syncd.status.fold import Folded

    if watch:
        _watch(logs, output, timedelta(seconds=silent_after))
        raise Exit(OK)
    folded = Folded()
    with ExitStack() as opened:
        for stream in _streams(logs, opened):
            _fold(folded, _lines(stream))
    report = _written(folded, output, timedelta(seconds=silent_after), to_stdout=not as_json)
    if as_json:
        from syncd.status.shape import as_json as shape

        print_json(shape(report))
    raise Exit(report.exit_code if exit_code else OK)


def _streams(logs: tuple[Path, ...], opened: ExitStack) -> Iterator[BinaryIO]:
    """The logs, one after the other; stdin where none is named. Raises `UsageError` for a log that cannot be opened,
    and for stdin on a terminal."""
    from syncd.errors import UsageError

    for path in logs or (Path("-"),):
        if path != Path("-"):
            try:
                yield opened.enter_context(path.open("rb"))
            except OSError as error:
                remedy = "journalctl -u syncd -o cat | syncd status-page -o syncd.html"
                raise UsageError(f"{path}: {error.strerror}", remedy=remedy) from None
        elif sys.stdin.isatty():
            raise UsageError("no log to read", remedy="journalctl -u syncd -o cat | syncd status-page -o syncd.html")
        else:
            yield sys.stdin.buffer


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a log in bounded memory: a line longer than `LONGEST` comes in pieces, which are foreign lines."""
    from syncd.status.lines import LONGEST

    while line := stream.readline(LONGEST):
        yield line


def _fold(folded: Folded, lines: Iterator[bytes]) -> None:
    from syncd.clock import SystemClock
    from syncd.status.fold import take
    from syncd.status.lines import events

    now = SystemClock().now()
    for event in events(lines):
        take(folded, event, now)


def _written(folded: Folded, output: Path | None, silent_after: timedelta, *, to_stdout: bool) -> Report:
    from syncd.clock import SystemClock
    from syncd.errors import UsageError
    from syncd.status.page import publish, render
    from syncd.status.present import present

    now = SystemClock().now()
    report = present(folded, now, silent_after)
    if output is not None:
        try:
            publish(output, render(folded, report, now))
        except OSError as error:
            raise UsageError(f"{output}: {error.strerror}", remedy="syncd status-page -o FILE") from None
    elif to_stdout:
        document(render(folded, report, now))
    return report


def _watch(logs: tuple[Path, ...], output: Path | None, silent_after: timedelta) -> None:
    """Follow the logs until stdin ends or a signal comes. The page is written after news, and every `OLDEST` seconds
    without any: it then shows the silence."""
    from syncd.cli.follow import Tail
    from syncd.clock import SystemClock
    from syncd.errors import UsageError
    from syncd.status.fold import Folded

    if output is None:
        raise UsageError("--watch needs a file to keep fresh", remedy="syncd status-page --watch -o syncd.html LOG")
    clock, folded, written = SystemClock(), Folded(), float("-inf")
    with stopping() as stop, ExitStack() as opened:
        tails = [opened.enter_context(Tail(None if path == Path("-") else path)) for path in logs or (Path("-"),)]
        fresh = True
        while not stop.is_set():
            batches = [tail.read() for tail in tails]
            _fold(folded, (line for batch in batches for line in batch))
            fresh = fresh or any(batches)
            ended = not any(batches) and all(tail.ended for tail in tails)
            since = clock.monotonic() - written
            if ended or since > OLDEST or (fresh and since > NEWEST and not any(batches)):
                _written(folded, output, silent_after, to_stdout=False)
                written, fresh = clock.monotonic(), False
            if ended:
                return
            if not any(batches):
                clock.sleep(PAUSE)


PAUSE = 0.25  # seconds between two looks at the logs
NEWEST, OLDEST = 2.0, 20.0  # seconds between two pages: at least after news, at most without
