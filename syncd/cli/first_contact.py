"""`syncd match` and `syncd adopt`: a provider that already has customers."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from syncd.cli.exits import PERSON, Exit
from syncd.cli.options import acted, config_option, confirmed, json_option, logging_for, print_json, settings_for

if TYPE_CHECKING:
    from syncd.engine.run import Installation
    from syncd.operate.match import Line, Report
    from syncd.reconcile import Route

HEADER = ("provider", "kind", "customer_key", "external_ids", "reasons", "fills", "differs")
BETWEEN = " | "
_MEANINGS = {
    "sure": "same number or VAT id, on both sides only once",
    "probable": "one candidate, by e-mail or name and address",
    "ambiguous": "several candidates, or a number on somebody else",
    "only_here": "will be created there once the report is accepted",
    "only_there": "left alone",
    "duplicate_there": "customers that the provider has more than once",
}


@click.command()
@click.argument("provider")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here (CSV, no values).")
@config_option
@json_option
def match(provider: str, out: Path | None, config: Path | None, *, as_json: bool) -> None:
    """Compare PROVIDER's existing customers with the source. Links, creates and writes nothing.

    A provider that cannot list is asked for each customer number in turn; an interrupted report (--out FILE) goes on
    where it stopped. In the file a line's kind may be changed: `sure` links it, everything else asks or leaves alone.
    """
    from syncd.bootstrap import installation
    from syncd.operate.reading import chosen

    with installation(settings_for(config), exclusive=False, read_only=True) as site:
        report = _survey(site, chosen(site, [provider])[0], out)
    if as_json:
        print_json({"schema": 1, "provider": provider, "counts": report.counts})
        return
    _print(report)
    if out is not None:
        click.echo(f"Report: {out} (ids and reasons, no values). Nothing was linked.")
    click.echo(f"next:  syncd adopt {provider}{f' {out}' if out is not None else ''}")


@click.command()
@click.argument("provider")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--yes", is_flag=True, help="Do it without asking.")
@config_option
@json_option
def adopt(provider: str, file: Path | None, config: Path | None, *, yes: bool, as_json: bool) -> None:
    """Accept a match report: link what is sure, ask about what is not, and allow PROVIDER's new customers.

    With FILE exactly what it says, else a fresh comparison. The next run links and compares: empty sides are filled,
    different values follow the provider's conflict policy, and who is only here is created.
    """
    from syncd.bootstrap import installation
    from syncd.operate.match import accept
    from syncd.operate.reading import chosen

    with installation(logging_for(config), exclusive=False) as site:
        route = chosen(site, [provider])[0]
        report = _read(file, provider) if file is not None else _survey(site, route, None)
        if not as_json:
            _print(report)
        if not confirmed("Accept this report?", yes=yes):
            click.echo(f"Nothing was accepted.\nnext:  syncd adopt {provider} --yes", err=True)
            raise Exit(PERSON)
        done = accept(site, route, report.lines)
    acted("adopt", provider=provider, linked=done.linked, review=done.asked)
    answer = {"linked": done.linked, "review": done.asked, "released": done.freed, "skipped": done.skipped}
    if as_json:
        print_json({"schema": 1, "provider": provider, "counts": report.counts, "accepted": answer})
        return
    click.echo(f"Accepted: {done.linked} to be linked, {done.asked} for review, {done.skipped} skipped.")
    click.echo(f"The next run creates at {provider} who is only here.")
    if done.asked:
        click.echo("next:  syncd review")
    click.echo("next:  syncd plan" if not done.asked else "then:  syncd plan")


def _print(report: Report) -> None:
    click.echo(f"{report.provider}:")
    for kind, number in report.counts.items():
        if kind in {"only_there", "duplicate_there"} and not report.complete:
            click.echo(f"{'?':>7}  {kind:<16} the provider cannot list its customers")
        else:
            click.echo(f"{number:>7}  {kind:<16} {_MEANINGS[kind]}")
    fills = sum(1 for line in report.lines if line.kind == "sure" and line.fills)
    differs = sum(1 for line in report.lines if line.kind == "sure" and line.differs)
    if fills or differs:
        click.echo(f"Of the sure ones {fills} have fields to be filled, {differs} have fields that differ.")


# -- the report as a file ------------------------------------------------------------------------------------------


def _survey(site: Installation, route: Route, out: Path | None) -> Report:
    from syncd.operate.match import Notes, survey

    if out is None:
        return survey(site, route, Notes(step=_step))
    part = out.with_name(out.name + ".part")
    known = {line.key: line for line in _lines(part, route.provider)} if part.exists() else {}
    with _private(part, "a") as kept:
        if not kept.tell():
            csv.writer(kept).writerow(HEADER)
        report = survey(site, route, Notes(_step, lambda line: _write(kept, route.provider, [line]), known))
    with _private(out, "w") as written:
        csv.writer(written).writerow(HEADER)
        _write(written, route.provider, report.lines)
    part.unlink()
    return report


def _private(path: Path, mode: str) -> TextIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if mode == "w" else os.O_APPEND)
    return io.TextIOWrapper(open(os.open(path, flags, 0o640), f"{mode}b"), encoding="utf-8", newline="")


def _step(done: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done} read", nl=False, err=True)


def _write(file: TextIO, provider: str, lines: Iterable[Line]) -> None:
    writer = csv.writer(file)
    for line in lines:
        lists = (BETWEEN.join(each) for each in (line.external_ids, line.reasons, line.fills, line.differs))
        writer.writerow((provider, line.kind, line.key, *lists))
    file.flush()


def _read(path: Path, provider: str) -> Report:
    from syncd.operate.match import Report

    return Report(provider, tuple(_lines(path, provider)), complete=True)


def _lines(path: Path, provider: str) -> list[Line]:
    """Raises `UsageError` for a file that is not a report about this provider."""
    from syncd.errors import UsageError
    from syncd.operate.match import KINDS, Line

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or tuple(rows[0]) != HEADER:
        raise UsageError(f"{path} is not a match report.", remedy=f"syncd match {provider} --out {path}")
    lines = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(HEADER) or row[0] != provider or row[1] not in KINDS:
            raise UsageError(f"{path}, line {number}: not a line of a match report about {provider}.")
        ids, reasons, fills, differs = (tuple(cell.split(BETWEEN)) if cell else () for cell in row[3:])
        lines.append(Line(row[1], row[2], ids, reasons, fills, differs))
    return lines
