"""`syncd run-once`, `syncd sync` and `syncd run`: the same cycle for a timer, for one customer, and for ever."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.exits import OK, PERSON, RETRY, SAFETY, UNREACHABLE, Exit, worst
from syncd.cli.options import (
    Duration,
    config_option,
    json_option,
    print_json,
    provider_named,
    settings_for,
    stopping,
)

if TYPE_CHECKING:
    from syncd.cycle import Installation, Options, Result
    from syncd.settings import Settings
    from syncd.status.report import Problem, Report

DONE: Mapping[str, str] = {
    "created": "created",
    "adopted": "linked",
    "updated": "updated",
    "pulled": "pulled",
    "settled": "settled",
    "removed": "removed",
    "unlinked": "unlinked",
}
ENDED: Mapping[str, int] = {
    "staged": SAFETY,
    "deferred": UNREACHABLE,
    "paused": PERSON,
    "review": PERSON,
    "rejected": PERSON,
    "dead": PERSON,
    "waiting": PERSON,
    "retry": RETRY,
    "ambiguous": RETRY,
    "again": RETRY,
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

    Exit code: 0 done, 4 some customers are due later, 5 something waits for a person, 6 a guard tripped, 7 a provider
    is unreachable or refuses us, 8 a daemon is at work on the same state.
    """
    from syncd.cycle import Options

    settings = _logging(config)
    chosen = frozenset(provider_named(settings, name) for name in names)
    if dry_run:
        from syncd.cli import planning

        planning.preview(settings, chosen, scan=scan, as_json=as_json)
        return
    options = Options(mode="run-once", scan=scan, limit=limit, wait=wait, providers=chosen, exclusive=True)
    result, report = _run(settings, options)
    _answer(result, report, chosen, as_json=as_json)


def _logging(config: Path | None) -> Settings:
    """A person at a terminal reads the closing lines, a journal reads events; a log file gets them always."""
    from syncd.log import setup

    person = sys.stderr.isatty()
    settings = settings_for(config, quiet=person)
    if person and settings.log.file:
        setup(level=settings.log.level, format="json", file=settings.log.file, stream=_Nowhere())
    return settings


class _Nowhere(io.StringIO):
    """A stream for a log that goes to its file alone."""

    def write(self, text: str) -> int:
        return len(text)


def _run(settings: Settings, options: Options) -> tuple[Result, Report]:
    from dataclasses import replace

    from syncd.bootstrap import guards, installation, known
    from syncd.cycle import run_cycle
    from syncd.cycle.overview import survey, tell
    from syncd.source import triggers

    with stopping() as stop, installation(settings, stop=stop) as site:
        triggers.require(site.source)
        with _progress(site, options) as watching:
            result = run_cycle(site, replace(options, **watching))
        report = survey(site.state, site.source, known(settings), guards(settings), site.clock.now())
    tell(report)
    return result, report


@contextmanager
def _progress(site: Installation, options: Options) -> Iterator[dict[str, Any]]:
    """A bar on a terminal; nothing that moves anywhere else."""
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


def _answer(result: Result, report: Report, chosen: frozenset[str], *, as_json: bool) -> None:
    from syncd.cli import shown
    from syncd.status.report import problem_json

    lines = [line for line in report.providers if not chosen or line.name in chosen]
    problems = [p for p in report.problems if not chosen or p.provider in chosen or not p.provider]
    late = [RETRY] if any(line.due + line.retry + line.ambiguous for line in lines) else []
    code = worst([*(p.code for p in problems), *late, *([SAFETY] if result.total("staged") else [])])
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
        click.echo(text)
    if result.total("staged"):
        click.echo(f"! a guard tripped in this run: {result.total('staged')} operations are held back")
    click.echo(closing_line(result, problems, sum(line.due for line in lines)))
    raise Exit(code)


def closing_line(result: Result, problems: list[Problem], due: int) -> str:
    """`2 created, 5 updated, 1 pulled, 3 wait for review`, or that there was nothing to do."""
    from syncd.cli.shown import duration, joined

    parts = [f"{number} {word}" for kind, word in DONE.items() if (number := result.total(kind))]
    parts.append(f"{due} still due" if due else "")
    pairs = [problem for problem in problems if problem.customer_key]
    for kinds, word in (
        (("retry", "ambiguous"), "tried again later"),
        (("rejected",), "rejected"),
        (("dead",), "dead"),
    ):
        number = sum(problem.kind in kinds for problem in pairs)
        parts.append(f"{number} {word}" if number else "")
    reviews = [p for p in problems if p.code == PERSON and p.command.startswith("syncd review show")]
    parts.append(f"{len(reviews)} wait for review" if reviews else "")
    return (joined(parts) or "nothing to do") + f" ({duration(result.seconds)})"


@click.command()
@config_option
@json_option
@click.argument("key")
@click.option("--provider", "names", multiple=True, help="Only this provider; may be given several times.")
@click.option("--wait", type=Duration(), default="30s", show_default=True, help="For retries and pauses that end soon.")
def sync(config: Path | None, *, as_json: bool, key: str, names: tuple[str, ...], wait: float) -> None:
    """Bring one customer into agreement now. KEY is its key in the source, or its customer number.

    Beside a running daemon it is made due; the daemon works on it within seconds.
    """
    from syncd.bootstrap import installation
    from syncd.cycle.single import sync_customer
    from syncd.errors import LeaseHeld
    from syncd.source import triggers

    settings = _logging(config)
    chosen = frozenset(provider_named(settings, name) for name in names)
    try:
        with stopping() as stop, installation(settings, stop=stop) as site:
            triggers.require(site.source)
            customer = resolved(site, key)
            result = sync_customer(site, customer, chosen, wait)
            states = _left(site, customer, chosen)
    except LeaseHeld:
        _left_to_daemon(settings, key, chosen, as_json=as_json)
        return
    _tell_sync(customer, result, states, as_json=as_json)


def resolved(site: Installation, key: str) -> str:
    """The customer's key as the source spells it; a customer number serves where no row has it as its key."""
    from syncd.cycle.look import find_customer
    from syncd.errors import UsageError

    found = find_customer(site, key)
    if found is None:
        raise UsageError(f"neither the source nor the state knows a customer {key}", remedy="syncd status")
    return found


def _left(site: Installation, key: str, chosen: frozenset[str]) -> dict[str, tuple[str, str]]:
    """What is left to do for each provider: a word of `ENDED` or "", and why."""
    from syncd.core.model import State
    from syncd.cycle.overview import condition_of
    from syncd.store import mapping, progress, work

    shown = {State.REJECTED: "rejected", State.DEAD: "dead", State.REVIEW: "review", State.AMBIGUOUS: "ambiguous"}
    left: dict[str, tuple[str, str]] = {}
    with site.state.read() as tx:
        for link in mapping.of_customer(tx, key):
            left[link.pair.provider] = (shown.get(link.state, ""), "")
        for item in work.of_customer(tx, key):
            kept = progress.provider_state(tx, item.pair.provider)
            left[item.pair.provider] = _still_due(item.error_class, condition_of(kept, site.clock.now())), item.error
    return {name: why for name, why in left.items() if not chosen or name in chosen}


def _still_due(error_class: str, condition: tuple[str, str, object]) -> str:
    """The word of `ENDED` for a pair that is due or waits for its time."""
    from syncd.status.report import is_failure

    if error_class.startswith("staged:"):
        return "staged"
    if error_class == "adopt":
        return "waiting"
    if condition[0] == "paused":
        return "paused"
    if error_class == "OutcomeUnknown":
        return "ambiguous"
    if is_failure(error_class):
        return "retry"
    return "again" if error_class else "deferred"


def _tell_sync(key: str, result: Result, states: Mapping[str, tuple[str, str]], *, as_json: bool) -> None:
    did = {
        name: "+".join(kind for kind in counts if kind in DONE or kind == "excluded")
        for name, counts in result.counts.items()
    }
    code = worst(ENDED.get(word, OK) for word, _ in states.values())
    rows = {name: did.get(name) or "unchanged" for name in {*did, *states}}
    if as_json:
        answer = [{"provider": n, "did": rows[n], "left": states.get(n, ("", ""))[0]} for n in sorted(rows)]
        print_json({"schema": 1, "customer_key": key, "exit_code": code, "providers": answer})
        raise Exit(code)
    for name in sorted(rows):
        word, why = states.get(name, ("", ""))
        click.echo(f"{name:20} {word or rows[name]}" + (f": {why}" if why and why != word else ""))
    if code:
        click.echo(f"next:  syncd explain {key}")
    raise Exit(code)


def _left_to_daemon(settings: Settings, key: str, chosen: frozenset[str], *, as_json: bool) -> None:
    from syncd.bootstrap import installation
    from syncd.cycle.single import mark_customer

    with installation(settings, exclusive=False) as site:
        customer = resolved(site, key)
        number = mark_customer(site, customer, chosen)
    if as_json:
        print_json({"schema": 1, "customer_key": customer, "exit_code": OK, "marked": number})
        return
    click.echo(f"customer {customer} is due at {number} providers; the running daemon does it within seconds")
    click.echo(f"next:  syncd explain {customer}")


@click.command()
@config_option
def run(config: Path | None) -> None:
    """The daemon: capture, scan and work off, until SIGTERM. SIGHUP reads the settings again."""
    from syncd.bootstrap import installation
    from syncd.daemon import serve
    from syncd.settings import find

    serve(find(config), installation)
