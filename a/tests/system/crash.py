"""Kill syncd again and again, at named points and at random moments, and look whether anything was lost or doubled.

    python -m tests.system.crash --kills 2000 [--seed N] [--state postgresql] [--naive]

One seed is one series. A series ends with zero duplicates, zero lost and zero stuck customers and no echo, or with the
seed that shows otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from syncd.bootstrap import open_settings_source
from syncd.sandbox.faults import Fault
from syncd.sandbox.five import provider_settings, serve_five, write_secrets
from syncd.sandbox.kit import Server
from syncd.sandbox.shop import FIELDS, make_shop
from syncd.settings import load
from syncd.source import triggers
from tests.databases import database
from tests.system.crashing import POINTS

CUSTOMERS = 20
SETTLE = 0.4
COMMON = f'create = "always"\nrate = "off"\nsettle = "{SETTLE}s"\ntimeout = "1s"\nbackoff = "100ms"\nconcurrency = 2\n'
COMMON = COMMON.replace(f"{SETTLE}s", "400ms")
HASTE = '[log]\nlevel = "debug"\nfile = "{log}"\n[schedule]\npoll = "300ms"\nscan = "1s"\n'
OPEN_GUARDS = '[guards]\nupdate = "off"\ndelete = "off"\nblank = "off"\noverwrite = "off"\ncreate = "off"\n'
COMMANDS = ("run-once", "run")
LOST = ("reset-after", "cut", "html", "truncated", "hang-after", "status-after")


@dataclass
class Series:
    """A shop, five sandboxes, a template process, and what happened so far."""

    directory: Path
    server: Server
    config: Path
    chance: random.Random
    forks: subprocess.Popen[str]
    protocol: str = ""
    shared: sa.Engine | None = None
    kills: int = 0
    runs: int = 0
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    newest: int = CUSTOMERS

    def cycle(
        self, command: str = "run-once", *, point: str = "", nth: int = 1, seconds: str = "", wait: float = 3.0
    ) -> str:
        """One `run-once`, or a daemon for `wait` seconds, in a fork; `killed` or how it ended."""
        assert self.forks.stdin is not None
        assert self.forks.stdout is not None
        self.forks.stdin.write(f"{command}|{self.config}|{point}|{nth}|{seconds}|{wait}|{self.protocol}\n")
        self.forks.stdin.flush()
        said = self.forks.stdout.readline().strip()
        self.runs += 1
        if said == "killed":
            self.kills += 1
            self.points[command, point or "at random"] += 1
            self.outlive()
        return said

    def outlive(self) -> None:
        """Let the dead process's leases run out, as waiting for `lease` would (SQLite's file lock is free at once)."""
        if self.shared is not None:
            with self.shared.begin() as conn:
                conn.execute(sa.text("UPDATE lease SET until = 0"))

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.directory / "shop.db", timeout=20)) as shop, shop:
            shop.execute(statement, values)

    def rows(self) -> dict[str, dict[str, Any]]:
        with closing(sqlite3.connect(self.directory / "shop.db")) as shop:
            shop.row_factory = sqlite3.Row
            return {row["number"]: dict(row) for row in shop.execute("SELECT * FROM customers")}


@contextmanager
def series(seed: int, state: str = "sqlite", protocol: str = "") -> Iterator[Series]:
    """A fresh installation that has never run."""
    with tempfile.TemporaryDirectory(prefix="syncd-crash-") as made, database(state, Path(made)) as url:
        directory = Path(made)
        with serve_five() as server:
            make_shop(directory / "shop.db", CUSTOMERS)
            write_secrets(directory / "secrets")
            config = directory / "syncd.toml"
            config.write_text(_settings(directory, server, url, state), encoding="utf-8")
            _prepare(config, state)
            forks = subprocess.Popen(
                [sys.executable, "-m", "tests.system.crashing"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
            )
            shared = sa.create_engine(url) if state == "postgresql" else None
            try:
                yield Series(directory, server, config, random.Random(seed), forks, protocol, shared)
            finally:
                if shared is not None:
                    shared.dispose()
                assert forks.stdin is not None
                assert forks.stdout is not None
                forks.stdin.close()
                forks.wait(timeout=30)
                forks.stdout.close()


def _settings(directory: Path, server: Server, state_url: str, state: str) -> str:
    fields = "\n".join(f'{name} = "{column}"' for name, column in FIELDS.items())
    url = state_url if state == "postgresql" else f"sqlite:///{directory / 'state.db'}"
    key = f'key = "file:{directory / "secrets" / "state"}"\n'
    secret = directory / "secrets" / "state"
    secret.touch(mode=0o600)
    secret.write_text("k" * 40)
    return (
        f'lease = "12s"\n{HASTE.format(log=directory / "syncd.log")}'
        f'[source]\nurl = "sqlite:///{directory / "shop.db"}"\ntable = "customers"\nkey = "id"\n'
        f'[source.fields]\n{fields}\n[state]\nurl = "{url}"\n{key}{OPEN_GUARDS}'
        + provider_settings(server, directory / "secrets", COMMON)
    )


def _prepare(config: Path, state: str) -> None:
    settings = load(config)
    source = open_settings_source(settings)
    triggers.install(source)
    source.close()
    if state == "postgresql":
        from syncd.bootstrap import open_settings_state
        from syncd.store.database import upgrade

        opened = open_settings_state(settings, check=False)
        upgrade(opened)
        opened.close()


# -- what happens between two kills --------------------------------------------------------------------------------


def disturb(run: Series) -> None:
    """People edit on both sides, and answers get lost."""
    chance = run.chance
    for _ in range(chance.randint(1, 3)):
        choice = chance.random()
        if choice < 0.35:
            run.newest += 1
            number = 1000 + run.newest
            run.sql(
                "INSERT INTO customers (number, name, email, city, country, vat_number, language)"
                " VALUES (?, ?, ?, 'Halle', 'DE', ?, 'de')",
                str(number),
                f"Neu {number}",
                f"neu{number}@example.com",
                f"DE{811000000 + number}",
            )
        elif choice < 0.75:
            number = 1000 + chance.randint(1, run.newest)
            run.sql(
                "UPDATE customers SET email = ? WHERE number = ?",
                f"k{number}x{chance.getrandbits(40)}@example.com",
                str(number),
            )
        else:
            _edit_there(run)
    if chance.random() < 0.5:
        twin = run.server.twins[chance.choice(list(run.server.twins))]
        method = chance.choice(["POST", "PUT", "PATCH"])
        twin.faults.add(Fault(chance.choice(LOST), method=method, seconds=2.0, status=502))


def _edit_there(run: Series) -> None:
    """A person changes the city of a customer at JTL."""
    twin = run.server.twins["jtl"]
    with twin.lock:
        ids = list(twin.records)
        if not ids:
            return
        chosen = run.chance.choice(ids)
        address = dict(twin.records[chosen]["BillingAddress"], City=f"Stadt {run.chance.getrandbits(24):x}")
        twin.edit(chosen, BillingAddress=address)


def calm(run: Series) -> None:
    """No more faults; run until nothing is due, over every settle time."""
    for twin in run.server.twins.values():
        twin.settle()
        twin.faults.clear()
    for _ in range(8):
        before = writes(run)
        said = run.cycle(wait=4.0)
        if said != "ended 0":
            time.sleep(0.3)
            continue
        time.sleep(SETTLE + 0.1)
        if writes(run) == before:
            return


def writes(run: Series) -> int:
    """Requests that changed a customer at any provider."""
    return sum(twin.writes() for twin in run.server.twins.values())


# -- what must be true in the end ----------------------------------------------------------------------------------


def numbers(run: Series, provider: str) -> list[str]:
    """Our number on every record over there."""
    member = {"aiotic": "number", "invisible_collector": "externalId", "azotte": "externalIdentifier"}
    name = member.get(provider, "Number")
    with run.server.twins[provider].lock:
        return [str(record.get(name)) for record in run.server.twins[provider].records.values()]


def duplicates(run: Series) -> int:
    """Records beyond the first for one customer, over all providers."""
    return sum(sum(count - 1 for count in Counter(numbers(run, name)).values()) for name in run.server.twins)


def lost(run: Series) -> list[str]:
    """Customers missing somewhere, or whose e-mail or city there is not the shop's."""
    rows = run.rows()
    problems = []
    for name, twin in run.server.twins.items():
        there = dict(zip(numbers(run, name), list(twin.records.values()), strict=True))
        problems += [f"{number} missing at {name}" for number in rows if number not in there]
        for number, row in rows.items():
            flat = _flat(there.get(number, {}))
            if flat and row["email"] not in flat:
                problems.append(f"{number}: e-mail differs at {name}")
    return problems


def leaks(run: Series) -> set[str]:
    """Values of customers that stand in the log or in the state."""
    values = {text for row in run.rows().values() for text in row.values() if isinstance(text, str) and len(text) > 6}
    told = (run.directory / "syncd.log").read_text(encoding="utf-8")
    assert '"pair.created"' in told, "the log is not the log"
    kept = told + "\n".join(str(row) for row in _kept(run))
    return {value for value in values if value in kept}


def _kept(run: Series) -> Iterator[Any]:
    """Every row of every table of the state."""
    engine = run.shared or sa.create_engine(f"sqlite:///{run.directory / 'state.db'}")
    try:
        with engine.connect() as conn:
            for table in sa.inspect(conn).get_table_names():
                yield from conn.execute(sa.text(f'SELECT * FROM "{table}"'))
    finally:
        engine.dispose()


def _flat(record: Any) -> set[str]:
    if isinstance(record, dict):
        return {text for value in record.values() for text in _flat(value)}
    if isinstance(record, list | tuple):
        return {text for value in record for text in _flat(value)}
    return {record} if isinstance(record, str) else set()


def play(run: Series, kills: int) -> None:
    """Disturb and kill until so many kills happened, `run-once` and daemons by turns, then let it come to rest."""
    names = list(POINTS)
    while run.kills < kills and run.runs < kills * 3:
        disturb(run)
        command = COMMANDS[run.runs % 3 == 0]
        if run.chance.random() < 0.25:
            run.cycle(command, seconds=f"{run.chance.uniform(0.02, 0.6):.3f}", wait=1.0)
        else:
            run.cycle(command, point=names[run.runs % len(names)], nth=run.chance.randint(1, 3), wait=4.0)
    calm(run)


def cover(run: Series) -> None:
    """Kill either command at every point, at each until it was passed."""
    for command, point in itertools.product(COMMANDS, POINTS):
        for _ in range(12):
            if run.points[command, point]:
                break
            disturb(run)
            _edit_there(run)
            run.cycle(command, point=point, wait=4.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--naive", action="store_true")
    wanted = parser.parse_args()
    with series(wanted.seed, wanted.state, "naive" if wanted.naive else "") as run:
        started = time.monotonic()
        cover(run)
        play(run, wanted.kills)
        before = writes(run)
        run.cycle()
        echo = writes(run) - before
        problems = lost(run) + sorted(leaks(run))
        print(f"seed {wanted.seed}: {run.kills} kills in {run.runs} runs, {time.monotonic() - started:.0f} s")
        for (command, point), count in sorted(run.points.items()):
            print(f"  {count:4} {command}: {point}")
        print(f"duplicates {duplicates(run)}, lost {len(problems)}, echo {echo}")
        for problem in problems[:20]:
            print("  " + problem)
        sys.exit(1 if duplicates(run) or problems or echo else 0)


if __name__ == "__main__":
    main()
