"""syncd against a bare httpx loop: the very requests that syncd sent, sent again by one client, in the same run.

A round is: so many customers change who were not touched lately, syncd works it off, then the loop sends that round's
requests again at the same concurrency to the same server, which leaves the provider as it was. The first round is not
measured. Ratios are bare / syncd, so 1.0 means that deciding, remembering and logging cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import sqlalchemy as sa

from syncd.engine.run import Installation, Options, run_cycle
from syncd.sandbox.kit import Server
from syncd.store.schema import intent
from tests.benchmarks.far import far_five, far_many, received, slow
from tests.benchmarks.site import Wanted, at

CONCURRENCY = 4
Calls = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Beat:
    """Medians for one customer at one provider, in milliseconds, and the ratios bare / syncd."""

    name: str
    goal: float
    cpu: float
    bare_cpu: float
    wall: float
    bare_wall: float
    requests: float

    @property
    def by_cpu(self) -> float:
        return self.bare_cpu / self.cpu

    @property
    def by_wall(self) -> float:
        return self.bare_wall / self.wall


@dataclass(frozen=True)
class Race:
    """One comparison: the work, the providers, so many customers and rounds, the source, and what an answer takes."""

    name: str
    goal: float = 0.8
    verb: str = "update"
    providers: tuple[str, ...] = ("aiotic",)
    customers: int = 300
    rounds: int = 6
    source: str = "sqlite"
    answer: float = 0.0
    many: int = 0


def race(directory: Path, wanted: Race) -> Beat:
    """The medians of some rounds."""
    directory.mkdir(parents=True)
    with ExitStack() as stack:
        server = stack.enter_context(far_many(wanted.many) if wanted.many else far_five())
        rows = wanted.customers * (1 if wanted.verb == "create" else wanted.rounds + 1)
        settings = Wanted(wanted.providers, rows, source=wanted.source, concurrency=CONCURRENCY, settle="1s")
        site, change = stack.enter_context(at(directory, server, settings))
        if wanted.verb == "create":
            return _creates(site, server, wanted, change)
        _loaded(site)
        for name in wanted.providers:
            slow(server, name, wanted.answer)
        return _updates(site, server, wanted, change)


def _loaded(site: Installation) -> None:
    """A first load that is over: every customer is there, and the reading that confirms it has been."""
    run_cycle(site, Options(mode="once"))
    with site.state.read() as tx:
        waiting = [row.settle_until for row in tx.execute(sa.select(intent.c.settle_until))]
    while waiting and site.clock.now() < max(waiting):
        site.clock.sleep(0.1)
    run_cycle(site, Options(mode="once"))


def _updates(site: Installation, server: Server, wanted: Race, change: Callable[[str], None]) -> Beat:
    ours, bare = [], []
    calls: Calls = {}
    for turn in range(wanted.rounds + 1):
        for name in wanted.providers:
            received(server, name)
        some = f"WHERE id % {wanted.rounds + 1} = {turn}"
        change(f"UPDATE customers SET street = 'Kade {turn}', city = 'Oord {turn}' {some}")
        spent = _spent(lambda: run_cycle(site, Options(mode="poll", look=False)))
        calls = {name: received(server, name) for name in wanted.providers}
        if turn:
            ours.append(spent)
            bare.append(_replayed(server, calls))
    return _beat(wanted, ours, bare, calls)


def _creates(site: Installation, server: Server, wanted: Race, change: Callable[[str], None]) -> Beat:
    """New customers in parts, each of which the loop sends again: a PUT under our own number makes or keeps."""
    ours, bare = [], []
    calls: Calls = {}
    run_cycle(site, Options(mode="once"))
    names = "name, first_name, last_name, email, street, city, country, language"
    for turn in range(1, wanted.rounds + 1):
        for name in wanted.providers:
            received(server, name)
        change(
            f"INSERT INTO customers (id, number, {names}) "
            f"SELECT id + {turn * 1_000_000}, 'n{turn}-' || id, {names} FROM customers WHERE id < 1000000"
        )
        ours.append(_spent(lambda: run_cycle(site, Options(mode="poll", look=False))))
        calls = {name: received(server, name) for name in wanted.providers}
        bare.append(_replayed(server, calls))
    return _beat(wanted, ours, bare, calls)


def _beat(wanted: Race, ours: Sequence[tuple[float, float]], bare: Sequence[tuple[float, float]], calls: Calls) -> Beat:
    pairs = wanted.customers * len(wanted.providers) / 1000
    figures = (median(each[at] for each in runs) / pairs for at in (0, 1) for runs in (ours, bare))
    cpu, bare_cpu, wall, bare_wall = figures
    requests = sum(map(len, calls.values())) / pairs / 1000
    return Beat(wanted.name, wanted.goal, cpu, bare_cpu, wall, bare_wall, requests)


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of this process and on the wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def _replayed(server: Server, calls: Calls) -> tuple[float, float]:
    """What the same requests cost a client that does nothing else: the providers beside each other, as ours are."""

    def one(client: httpx.Client, call: Mapping[str, Any]) -> None:
        body = call["body"].encode() if call["body"] else None
        asked = partial(client.request, call["method"], call["url"], content=body, headers=call["headers"])
        try:
            answer = asked()
        except httpx.TransportError:  # a kept connection that the server gave up
            answer = asked()
        if answer.content:
            answer.json()

    def every(name: str) -> None:
        with (
            httpx.Client(base_url=server.url(name), trust_env=False) as client,
            ThreadPoolExecutor(CONCURRENCY) as pool,
        ):
            list(pool.map(lambda call: one(client, call), calls[name]))

    def work() -> None:
        with ThreadPoolExecutor(len(calls)) as pool:
            list(pool.map(every, calls))

    return _spent(work)
