"""The status page: one HTML file without scripts and without resources from other places; every text is escaped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from syncd.status.facts import Report
from syncd.status.fold import Folded
from syncd.status.sheet import SYMBOLS, sheet

TEMPLATE = "page.html.j2"
STATES: Mapping[str, str] = {
    "ok": "answers",
    "throttled": "slowed down",
    "paused": "paused by a person",
    "blocked": "refuses our credentials",
    "down": "does not answer",
    "frozen": "stopped for safety",
}


def render(folded: Folded, report: Report, now: datetime) -> str:
    """The page as HTML. `report` is what `present.present` made of the same log."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"clock": _clock(now), "age": _age(now), "span": span, "stamp": _stamp, "utc": _utc}
    environment.filters |= {"state": lambda word: STATES.get(word, word)}
    environment.globals |= {"zone": now.astimezone().tzname() or "UTC"}
    text = resources.files("syncd.status").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text).render(page=sheet(folded, report, now), symbols=SYMBOLS)


def publish(path: Path, text: str) -> None:
    """Put a page in its place in one step: a reader gets the old page or the new one, never a part. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)  # for a web server, and there is nothing secret in it
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _clock(now: datetime) -> Callable[[datetime], str]:
    """A filter: the time of day in this machine's zone, with the date where that is not today's."""
    today = now.astimezone().date()

    def clock(moment: datetime) -> str:
        local = moment.astimezone()
        return local.strftime("%H:%M:%S" if local.date() == today else "%d %b %H:%M")

    return clock


def _age(now: datetime) -> Callable[[datetime], str]:
    """A filter: how long ago a moment was, in one unit."""

    def age(moment: datetime) -> str:
        return f"{span(max((now - moment).total_seconds() // 1, 0.0))} ago"

    return age


def span(seconds: float) -> str:
    """A length of time in the largest unit of which it has two at least."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 9.95 and seconds % 1 else f"{seconds:.0f} s"


def _utc(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S UTC")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
