"""A match report as a file (CSV: ids and reasons, no values), and the unfinished file of an interrupted one."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from syncd.cli.output import echo
from syncd.cli.spreadsheet import guarded, unguarded

if TYPE_CHECKING:
    from syncd.operate.match import Line, Notes, Report
    from syncd.reconcile import Route
    from syncd.runtime.installation import Installation

HEADER = ("provider", "kind", "customer_key", "external_ids", "reasons", "fills", "differs")
BETWEEN = " | "


def kept(site: Installation, route: Route, out: Path, notes: Notes) -> Report:
    """A report made now, written to `out` once it is whole. Each look-up is written to `out.part` at once, so that an
    interrupted report goes on where it stopped. Raises `UsageError` for a file that cannot be written."""
    from syncd.operate.match import survey

    part = out.with_name(out.name + ".part")
    if part.exists() and _is_outdated(site, part, route):
        part.unlink()
    notes.known = {line.key: line for line in lines_of(part, route.provider)} if _begun(part) else {}
    if notes.known:
        known = len(notes.known)
        echo(f"{route.provider}: goes on from {part}, which has {known} customer{'s' * (known != 1)}.", err=True)
    with _private(part, "a") as written:
        if not written.tell():
            csv.writer(written).writerow(HEADER)
        notes.line = lambda line: _write(written, route.provider, [line])
        report = survey(site, route, notes)
    with _private(out, "w") as whole:
        csv.writer(whole).writerow(HEADER)
        _write(whole, route.provider, report.lines)
    part.unlink()
    return report


def read(site: Installation, path: Path, route: Route) -> Report:
    """The report in a file. Raises `UsageError` for a file that is not there or is not a report about this route's
    provider, and for a report that is older than a loss of the provider's links: it names as new the customers that
    were created before the loss and after the report."""
    from syncd.errors import UsageError
    from syncd.operate.match import Report

    if not path.exists():
        raise UsageError(f"there is no report {path}", remedy=f"syncd match {route.provider} --out {path}")
    if _is_outdated(site, path, route):
        raise UsageError(
            f"{path} is older than the loss of the links of {route.provider}; nothing was accepted.",
            remedy=f"syncd match {route.provider} --out {path}",
        )
    return Report(route.provider, tuple(lines_of(path, route.provider)), route.adapter.capabilities.lists)


def lines_of(path: Path, provider: str) -> list[Line]:
    """The lines of a report. Raises `UsageError` for a file that is not a report about this provider."""
    from syncd.errors import UsageError
    from syncd.operate.match import KINDS, Line

    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    if not rows or tuple(rows[0]) != HEADER:
        raise UsageError(f"{path} is not a match report.", remedy=f"syncd match {provider} --out {path}")
    lines = []
    for number, cells in enumerate(rows[1:], 2):
        row = [unguarded(cell) for cell in cells]
        if len(row) != len(HEADER) or row[0] != provider or row[1] not in KINDS:
            reason = f"{path}, line {number}: not a line of a match report about {provider}."
            raise UsageError(reason, remedy=f"syncd match {provider} --out {path}")
        ids, reasons, fills, differs = (tuple(cell.split(BETWEEN)) if cell else () for cell in row[3:])
        lines.append(Line(row[1], row[2], ids, reasons, fills, differs))
    return lines


def _is_outdated(site: Installation, path: Path, route: Route) -> bool:
    from syncd.store.providers import is_outdated

    with site.state.read() as tx:
        return is_outdated(tx, route.provider, path.stat().st_mtime)


def _begun(part: Path) -> bool:
    return part.exists() and part.stat().st_size > 0


def _private(path: Path, mode: str) -> TextIO:
    """A file that others cannot read. Raises `UsageError` where it cannot be written."""
    from syncd.errors import UsageError

    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if mode == "w" else os.O_APPEND)
    try:
        descriptor = os.open(path, flags, 0o640)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", remedy="name another file") from None
    return io.TextIOWrapper(open(descriptor, f"{mode}b"), encoding="utf-8", newline="")


def _write(file: TextIO, provider: str, lines: Iterable[Line]) -> None:
    writer = csv.writer(file)
    for line in lines:
        lists = (BETWEEN.join(each) for each in (line.external_ids, line.reasons, line.fills, line.differs))
        writer.writerow([guarded(cell) for cell in (provider, line.kind, line.key, *lists)])
    file.flush()
