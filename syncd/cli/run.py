"""`syncd run-once` (one cycle, for a timer) and `syncd run` (the daemon)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.exits import PERSON, RETRY, SAFETY, Exit, worst
from syncd.cli.options import (
    Duration,
    config_option,
    json_option,
    logging_for,
    print_json,
    provider_named,
    stopping,
)
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.engine.run import Installation, Options, Result
    from syncd.settings import Settings
    from syncd.status.facts import Problem, Report

DONE: Mapping[str, str] = {
    "created": "created",
    "adopted": "linked",
    "updated": "updated",
    "pulled": "pulled",
    "settled": "settled",
    "removed": "removed",
    "unlinked": "unlinked",
}


@click.command("run-once")
@config_option
@json_option
@click.option("--provider", "names", multiple=True, help="Only this provider; may be given several times.")
@click.option("--limit", type=click.IntRange(1), help="Look at no more customers than this at each provider.")
@click.option("--dry-run", is_flag=True, help="Show what a run would do, and write nothing anywhere.")
@click.option("--scan", is_flag=True, help="Look at the providers' side now, whenever the last scan was.")
@click.option("--wait", type=Duration(), default="30s", show_default=True, help="For retries and pauses that end soon.")
def run_once(  # noqa: PLR0913 - one argument an option
    config: Path | None,
    *,
    as_json: bool,
    names: tuple[str, ...],
    limit: int | None,
    dry_run: bool,
    scan: bool,
    wait: float,
) -> None:
    """One cycle to the end of the due work, and one closing line.

    Exit code: 0 done, 2 settings or triggers, 4 some customers are due later, 5 something waits for a person, 6 a guard
    tripped or a database was restored, 7 a database or a provider is unreachable or refuses us, 8 a daemon is at work
    on the same state.
    """
    from syncd.engine.run import Options

    settings = logging_for(config)
    chosen = frozenset(provider_named(settings, name) for name in names)
    if dry_run:
        from syncd.cli import planning

        planning.show(settings, chosen, scan=scan, as_json=as_json)
        return
    options = Options(mode="run-once", scan=scan, limit=limit, wait=wait, providers=chosen, exclusive=True)
    result, report, tripped = _run(settings, options)
    _answer(result, report, chosen, tripped, as_json=as_json)


def _run(settings: Settings, options: Options) -> tuple[Result, Report, int]:
    """Run one cycle. Answers its result, the status after it, and how many operations the guards began to hold back."""
    from dataclasses import replace
    from functools import partial

    from syncd.bootstrap import installation, known
    from syncd.daemon import alerts
    from syncd.daemon.courier import Courier
    from syncd.detect.unseen import require_triggers
    from syncd.engine.run import run_cycle
    from syncd.operate.status import survey, tell

    with stopping() as stop, installation(settings, stop=stop) as site:
        require_triggers(site)
        monitor = Courier("monitor", partial(alerts.send, sockets=settings.network.sockets))
        monitor.hand(alerts.started(settings.alerts.ping_url))
        before = _staged(site)
        with _progress(site, options) as watching:
            result = run_cycle(site, replace(options, **watching))
        report = survey(site.state, site.source, known(settings), settings.guards, site.clock)
        more = [number - before.get(guard, 0) for guard, number in _staged(site).items()]
    tell(report)
    monitor.hand(alerts.reported(settings.alerts.ping_url, report))
    monitor.close(2 * alerts.TIMEOUT)
    return result, report, sum(max(number, 0) for number in more)


def _staged(site: Installation) -> dict[tuple[str, str], int]:
    """How many operations each guard of each provider holds back."""
    from syncd.core.guards import STAGED
    from syncd.reconcile.held import INSERT
    from syncd.store import overview, review

    with site.state.read() as tx:
        rows = overview.waiting(tx, site.clock.now())
        inserts = {(item.provider, INSERT): item.count for item in review.reviews(tx, key="") if item.kind == INSERT}
    staged = {row for row in rows if row.error_class.startswith(STAGED)}
    return inserts | {(row.provider, row.error_class): row.now + row.later for row in staged}


@contextmanager
def _progress(site: Installation, options: Options) -> Iterator[dict[str, Any]]:
    """The options of a run that move a progress bar; none where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield {}
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("looking", total=None)

        def step(_name: str) -> None:
            done = bar.tasks[0].completed
            bar.update(task, description="working", total=done + _due(site, options.providers))

        yield {"watch": step, "done": lambda pairs: bar.update(task, advance=pairs)}


def _due(site: Installation, providers: frozenset[str]) -> int:
    from syncd.store import work

    with site.state.read() as tx:
        counts = work.counts(tx, site.clock.now())
    return sum(due.due for name, due in counts.items() if not providers or name in providers)


def _answer(result: Result, report: Report, chosen: frozenset[str], tripped: int, *, as_json: bool) -> None:
    from syncd.cli import shown
    from syncd.cli.naming import shown_report
    from syncd.status.shape import problem_json

    lines = [line for line in report.providers if not chosen or line.name in chosen]
    problems = [p for p in shown_report(report).problems if not chosen or p.provider in chosen or not p.provider]
    late = [RETRY] if any(line.due + line.retry + line.ambiguous for line in lines) else []
    code = worst([*(p.code for p in problems), *late, *([SAFETY] if tripped else [])])
    if as_json:
        print_json(
            {
                "schema": 1,
                "run_id": result.run_id,
                "exit_code": code,
                "captured": result.captured,
                "duration_s": round(result.seconds, 3),
                "counts": result.counts,
                "problems": [problem_json(problem) for problem in problems],
            }
        )
        raise Exit(code)
    for text in shown.problem_lines(problems):
        echo(text)
    if tripped:
        echo(f"! a guard tripped in this run: {tripped} operations are held back")
    echo(closing_line(result, problems, sum(line.due for line in lines)))
    raise Exit(code)


def closing_line(result: Result, problems: list[Problem], due: int) -> str:
    """The counts of a run in one line: `2 created, 5 updated, 3 wait for review (4 s)`, or `nothing to do (0 s)`."""
    from syncd.cli.shown import duration, joined

    parts = [f"{number} {word}" for kind, word in DONE.items() if (number := result.total(kind))]
    parts.append(f"{due} still due" if due else "")
    reviews = [p for p in problems if p.code == PERSON and p.command.startswith("syncd review show")]
    pairs = [problem for problem in problems if problem.customer_key and problem not in reviews]
    for kinds, word in (
        (("retry", "ambiguous"), "tried again later"),
        (("rejected",), "rejected"),
        (("dead",), "dead"),
    ):
        number = sum(problem.kind in kinds for problem in pairs)
        parts.append(f"{number} {word}" if number else "")
    parts.append(f"{len(reviews)} wait for review" if reviews else "")
    return (joined(parts) or "nothing to do") + f" ({duration(result.seconds)})"


@click.command()
@config_option
def run(config: Path | None) -> None:
    """The daemon: capture, scan and work off, until SIGTERM. SIGHUP reads the settings again."""
    from syncd.bootstrap import installation
    from syncd.daemon.serving import serve
    from syncd.settings import find

    serve(find(config), installation)
