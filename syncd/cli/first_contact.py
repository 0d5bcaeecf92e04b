"""`syncd match` and `syncd adopt`: a provider that already has customers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.exits import PERSON, UNREACHABLE, USAGE, Exit
from syncd.cli.options import acted, config_option, confirmed, json_option, logging_for, print_json, settings_for
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.errors import SyncdError
    from syncd.operate.match import Accepted, Report
    from syncd.reconcile import Route
    from syncd.runtime.installation import Installation

PROGRESS = 10.0  # seconds between two lines where nobody looks at a terminal
_MEANINGS = {
    "sure": "same number or VAT id, only once on both sides, and the rest speaks for it",
    "probable": "one candidate, by number or VAT id with a doubt, by e-mail, or by name and address",
    "ambiguous": "several candidates, or the number is on another customer's record",
    "only_here": "will be created at the provider once the report is accepted",
    "only_there": "left alone",
    "duplicate_there": "customers that the provider has more than once",
}


@click.command()
@click.argument("provider", required=False)
@click.option("--all", "every", is_flag=True, help="Every provider; --out is then a directory.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the report here (CSV, no values).")
@config_option
@json_option
def match(provider: str | None, out: Path | None, config: Path | None, *, every: bool, as_json: bool) -> None:
    """Compare PROVIDER's existing customers with the source. Links, creates and writes nothing.

    A provider that cannot list is asked for each customer number in turn; an interrupted report (--out FILE) goes on
    where it stopped. In the file a line's kind may be changed: `sure` links the customer, `probable` and `ambiguous`
    ask, other kinds leave it alone.
    """
    from syncd.bootstrap import installation

    _one_or_all(provider, every=every)
    troubles: dict[str, SyncdError] = {}
    with installation(settings_for(config), exclusive=False, read_only=True) as site:
        reports = list(_surveys(site, provider, lambda route: _fresh(site, route, _place(out, route, every)), troubles))
    if as_json:
        _print_json([_shape(report) for report in reports], every=every)
    else:
        for report in reports:
            _print(report)
        if out is not None:
            echo(f"Report: {out} (ids and reasons, no values). Nothing was linked.")
        echo(f"next:  syncd adopt {_typed(provider)}{f' {out}' if out is not None else ''}")
    _leave(troubles)


@click.command()
@click.argument("provider", required=False)
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--all", "every", is_flag=True, help="Every provider; FILE is then the directory with the reports.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@config_option
@json_option
def adopt(
    provider: str | None, file: Path | None, config: Path | None, *, every: bool, yes: bool, as_json: bool
) -> None:
    """Accept a match report: link what is sure, ask about what is not, and allow PROVIDER's new customers.

    With FILE exactly what it says, else a fresh comparison. The next run links and compares: empty sides are filled,
    different values follow the provider's conflict policy, and customers that only the source has are created.
    """
    from syncd.bootstrap import installation
    from syncd.cli.match_file import read
    from syncd.operate.match import accept

    if every and provider is not None and file is None:
        file, provider = _directory(provider), None
    _one_or_all(provider, every=every)
    troubles: dict[str, SyncdError] = {}
    with installation(logging_for(config), exclusive=False) as site:

        def report_of(route: Route) -> Report:
            path = _place(file, route, every)
            return read(site, path, route) if path is not None else _fresh(site, route, None)

        reports = list(_surveys(site, provider, report_of, troubles))
        for report in reports if not as_json else ():
            _print(report)
        if reports and not confirmed("Accept this report?" if not every else "Accept these reports?", yes=yes):
            echo("Nothing was accepted.", f"next:  syncd adopt {_typed(provider)} --yes", err=True)
            raise Exit(PERSON)
        routes = {route.provider: route for route in site.routes}
        done = [(report, accept(site, routes[report.provider], report.lines)) for report in reports]
    for report, accepted in done:
        acted("adopt", provider=report.provider, linked=accepted.linked, review=accepted.asked)
    if as_json:
        _print_json([_shape(report) | {"accepted": _counted(accepted)} for report, accepted in done], every=every)
    else:
        _say_accepted(done)
    _leave(troubles)


def _one_or_all(provider: str | None, *, every: bool) -> None:
    if (provider is None) is not every:
        raise click.UsageError("name one provider, or say --all")


def _directory(text: str) -> Path:
    if not Path(text).is_dir():
        raise click.UsageError(f"--all takes no provider; {text} is no directory with reports")
    return Path(text)


def _typed(provider: str | None) -> str:
    return provider if provider is not None else "--all"


def _place(path: Path | None, route: Route, every: bool) -> Path | None:  # noqa: FBT001 - as the option says
    """The file of one provider's report: the one that was named, or with --all one in the directory that was named.
    Raises `UsageError` for a directory that cannot be made."""
    from syncd.errors import UsageError

    if path is None or not every:
        return path
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="name a directory") from None
    return path / f"{route.provider}.csv"


def _surveys(
    site: Installation, provider: str | None, report_of: Callable[[Route], Report], troubles: dict[str, SyncdError]
) -> Iterator[Report]:
    """The reports one by one. With --all, a provider that cannot be read, or that has no usable report, goes into
    `troubles`, and the others go on."""
    from syncd.errors import ProviderError, UsageError
    from syncd.lanes import LanePaused
    from syncd.operate.reading import chosen

    for route in chosen(site, [provider] if provider is not None else []):
        try:
            yield report_of(route)
        except (ProviderError, LanePaused, UsageError) as error:
            if provider is not None:
                raise
            troubles[route.provider] = error


def _leave(troubles: Mapping[str, SyncdError]) -> None:
    """Name the providers that were left out; the exit code is 2 for a report that cannot be used, 7 for a provider that
    cannot be read."""
    from syncd.errors import UsageError

    for name, error in troubles.items():
        echo(f"{name} could not be read: {error.message}", err=True)
        if error.remedy:
            echo(f"next:  {error.remedy}", err=True)
    if troubles:
        raise Exit(USAGE if any(isinstance(error, UsageError) for error in troubles.values()) else UNREACHABLE)


def _fresh(site: Installation, route: Route, out: Path | None) -> Report:
    """A report made now, and written to `out` where that is named."""
    from syncd.cli.match_file import kept
    from syncd.operate.match import Notes, survey

    notes = Notes(step=steps(route.provider))
    return survey(site, route, notes) if out is None else kept(site, route, out, notes)


def steps(provider: str) -> Callable[[int], None]:
    """A function that tells progress on stderr: on a terminal at every call, elsewhere a line every `PROGRESS`
    seconds."""
    from syncd.clock import SystemClock

    clock = SystemClock()
    said = clock.monotonic()

    def step(done: int) -> None:
        nonlocal said
        if sys.stderr.isatty():
            echo(f"{provider}: {done} read", err=True, over=True)
        elif clock.monotonic() - said >= PROGRESS:
            said = clock.monotonic()
            echo(f"{provider}: {done} read", err=True)

    return step


# -- what is said --------------------------------------------------------------------------------------------------


def _shape(report: Report) -> dict[str, Any]:
    return {
        "schema": 1,
        "provider": report.provider,
        "counts": report.counts,
        "numbers_apart": report.numbers_apart,
    }


def _print_json(shapes: Sequence[dict[str, Any]], *, every: bool) -> None:
    print_json({"schema": 1, "providers": shapes} if every else shapes[0])


def _counted(done: Accepted) -> dict[str, int]:
    return {"linked": done.linked, "review": done.asked, "released": done.freed, "skipped": done.skipped}


def _say_accepted(done: Sequence[tuple[Report, Accepted]]) -> None:
    for report, accepted in done:
        which = f"{report.provider}: " if len(done) > 1 else ""
        echo(
            f"{which}Accepted: {accepted.linked} to be linked, {accepted.asked} for review, {accepted.skipped} skipped."
        )
        echo(f"The next run creates at {report.provider} the customers that only the source has.")
    asked = any(accepted.asked for _, accepted in done)
    if asked:
        echo("next:  syncd review")
    echo("next:  syncd plan" if not asked else "then:  syncd plan")


def _print(report: Report) -> None:
    echo(f"{report.provider}:")
    for kind, number in report.counts.items():
        if kind in {"only_there", "duplicate_there"} and not report.complete:
            echo(f"{'?':>7}  {kind:<16} the provider cannot list its customers")
        else:
            echo(f"{number:>7}  {kind:<16} {_MEANINGS[kind]}")
    fills = sum(1 for line in report.lines if line.kind == "sure" and line.fills)
    differs = sum(1 for line in report.lines if line.kind == "sure" and line.differs)
    if fills or differs:
        echo(f"Of the sure ones {fills} have fields to be filled, {differs} have fields that differ.")
    if report.numbers_apart:
        echo("! Most customers with one number are two different customers: the numbers of the two sides come from")
        echo("  different ranges. No customer is linked by number.")
