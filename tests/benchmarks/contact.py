"""First contact: a provider that has every customer already, and a shop that was never linked to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from syncd.engine.run import Options, run_cycle
from syncd.sandbox.five import serve_five
from syncd.sandbox.kit import Server
from tests.benchmarks.growth import spent
from tests.benchmarks.site import Wanted, at

LISTED = ("aiotic", "jtl", "billbee")


@dataclass(frozen=True)
class Contact:
    """What it took: CPU seconds of the three commands, all requests, and those that read one record alone."""

    provider: str
    cpu: float
    requests: int
    single: int


def first_contact(directory: Path, count: int) -> Iterator[Contact]:
    """`match`, `adopt` and the first run, as commands, at each provider that lists."""
    for provider in LISTED:
        with serve_five() as server:
            server.twins[provider].indexed = True
            _fill(directory / f"{provider}-before", server, provider, count)
            place = directory / f"{provider}-anew"
            place.mkdir(parents=True)
            twin = server.twins[provider]
            twin.log.clear()
            with at(place, server, Wanted((provider,), count, create="after-match")):
                pass  # the shop with its triggers, and the settings; the commands open them anew
            cpu = sum(spent(command)[0] for command in _commands(place, provider))
            single = [entry for entry in twin.requests("GET") if "<" in entry.route.removeprefix("/erp/<tenant>")]
            yield Contact(provider, cpu, len(twin.requests()), len(single))


def _fill(place: Path, server: Server, provider: str, count: int) -> None:
    """The provider as an earlier installation left it."""
    place.mkdir(parents=True)
    with at(place, server, Wanted((provider,), count)) as (site, _):
        run_cycle(site, Options(mode="once"))


def _commands(place: Path, provider: str) -> Iterator[list[str]]:
    syncd, settings, report = [sys.executable, "-m", "syncd"], str(place / "syncd.toml"), str(place / "match.csv")
    yield [*syncd, "match", provider, "--out", report, "--config", settings]
    yield [*syncd, "adopt", provider, report, "--yes", "--config", settings]
    yield [*syncd, "run-once", "--config", settings]
