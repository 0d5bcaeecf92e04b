"""`syncd demo`: a shop, five sandboxes, and a walk in which every sentence printed was checked first.

Nothing leaves this machine, nothing needs an account, nothing stays running. The walk is also the smoke test of an
installation: exit 0 means that every step held.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from syncd.cli.exits import INTERNAL, Exit
from syncd.cli.output import document, echo
from syncd.extras import install

if TYPE_CHECKING:
    from syncd.engine.run import Result
    from syncd.sandbox.server import Server

CUSTOMERS = 200
PROVIDERS = 5
RECORDS = "sandboxes.json"
COMMON = 'create = "always"\nrate = "off"\nsettle = "1s"\ntimeout = "3s"\nbackoff = "200ms"\nconflict = "{conflict}"\n'


@dataclass
class Walk:
    """The demo's working directory, its shop and its sandboxes; `number` counts the steps shown."""

    directory: Path
    server: Server
    log: TextIO
    number: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def five(self) -> list[str]:
        """The providers that the story is told of; an installed one may not hold what it changes."""
        return list(self.server.twins)[:PROVIDERS]

    @property
    def config(self) -> Path:
        return self.directory / "syncd.toml"

    def step(self, what: str, result: str = "", *, held: bool = True) -> None:
        """Say what was done and seen; a step that did not hold ends the demo."""
        self.number += 1
        seconds = time.monotonic() - self.started
        self.started = time.monotonic()
        mark = "ok" if held else "FAILED"
        echo(f"{self.number:2}  {what:<52} {result:<28} {seconds:5.1f} s  {mark}")
        if not held:
            echo(f"This should not happen. The working directory stays: {self.directory}", err=True)
            raise Exit(INTERNAL)

    def run(self, *, scan: bool = False, wait: float = 10.0) -> Result:
        """One `run-once` in this process."""
        from syncd.bootstrap import guards, installation, known
        from syncd.engine.run import Options, run_cycle
        from syncd.operate.status import survey, tell
        from syncd.settings import load

        settings = load(self.config)
        with installation(settings) as site:
            result = run_cycle(site, Options(mode="run-once", scan=scan, wait=wait, exclusive=True))
            tell(survey(site.state, site.source, known(settings), guards(settings), site.clock))
        return result

    def writes(self) -> dict[str, int]:
        """Changing requests so far, by provider of the five."""
        return {name: self.server.twins[name].writes() for name in self.five}

    def remotes(self) -> list[int]:
        """Customers at each provider."""
        return [len(twin.records) for twin in self.server.twins.values()]


@click.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave the working directory here.")
@click.option("--customers", type=click.IntRange(20, 5000), default=CUSTOMERS, show_default=True)
def demo(keep: Path | None, customers: int) -> None:
    """A shop, five sandboxes and a walk through everything. Needs no settings.

    Sandboxes that installed packages bring take part: they get every customer once.
    """
    try:
        from syncd.sandbox.five import keep_records
    except ModuleNotFoundError:
        from syncd.errors import UsageError

        raise UsageError("the demo needs the sandboxes", remedy=install("sandbox")) from None
    with _directory(keep) as directory, (directory / "demo.log").open("w") as log, _sandboxes(keep) as server:
        echo("syncd demo: everything on this machine, nothing leaves it.", "")
        walk = Walk(directory, server, log)
        for part in (_first_sync, _out, _back, _both, _trouble, _plug):
            part(walk, customers)
        _closing(walk)
        if keep is not None:
            keep_records(server, directory / RECORDS)
            port = min(server.ports.values())
            echo("", f"Look around:  cd {directory} && syncd sandbox --port {port} --records {RECORDS} &")
            echo("              syncd status, explain 1001, plan; edit shop.db, then syncd run-once")
            echo(f"Status page:  {directory / 'status.html'}")
    echo("", "Your own data:  syncd init")


@contextmanager
def _sandboxes(keep: Path | None) -> Iterator[Server]:
    """Five sandboxes; on ports in a row where somebody is to start them again."""
    from syncd.cli.sandbox import PORT

    with ExitStack() as stack:
        yield _started(stack, range(PORT, PORT + 100, 10) if keep is not None else [0])


def _started(stack: ExitStack, ports: Iterable[int]) -> Server:
    from syncd.errors import UsageError
    from syncd.sandbox.five import serve_all

    for port in ports:
        with suppress(OSError):
            return stack.enter_context(serve_all(port))
    raise UsageError("no five ports in a row are free", remedy="syncd demo, without --keep")


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            from syncd.errors import UsageError

            raise UsageError(f"{keep} is not empty", remedy="name a new directory")
        yield keep.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="syncd-demo-"))
    yield made
    shutil.rmtree(made)  # not after a failed step: what that left behind is worth a look


def _first_sync(walk: Walk, customers: int) -> None:
    from syncd.bootstrap import open_settings_source
    from syncd.log import setup
    from syncd.sandbox.shop import make_shop
    from syncd.settings import load
    from syncd.source import triggers

    make_shop(walk.directory / "shop.db", customers)
    _write_settings(walk)
    settings = load(walk.config)
    setup(level="info", format="json", stream=walk.log)
    source = open_settings_source(settings)
    try:
        triggers.install(source)
    finally:
        source.close()
    more = "".join(f", {name}" for name in list(walk.server.twins)[PROVIDERS:])
    walk.step(f"A shop with {customers} customers, five sandboxes{more}")
    result = walk.run()
    expected = [customers] * len(walk.server.twins)
    walk.step("First sync", f"{result.total('created')} created", held=walk.remotes() == expected)
    before = walk.writes()
    walk.run()
    walk.step("Second sync", "no write request", held=walk.writes() == before)


def _out(walk: Walk, _customers: int) -> None:
    _sql(walk, "UPDATE customers SET email = 'neu@example.com' WHERE id = 7")
    delta = _delta(walk, walk.run)
    walk.step("An e-mail changed in the shop", "one write at each provider", held=delta == [1] * PROVIDERS)
    for _ in range(10):
        _sql(walk, "UPDATE customers SET email = 'x' || email WHERE id = 9")
    delta = _delta(walk, walk.run)
    walk.step(
        "An e-mail changed ten times between two runs", "one write at each provider", held=delta == [1] * PROVIDERS
    )


def _back(walk: Walk, _customers: int) -> None:
    _edit(walk, "billbee", "1012", lambda record: record.update(Email="billbee@example.com"))
    delta = _delta(walk, lambda: walk.run(scan=True))
    reached = _row(walk, 12, "email") == "billbee@example.com"
    others = {name: number for name, number in zip(walk.five, delta, strict=True) if name != "billbee"}
    silent = delta[walk.five.index("billbee")] == 0
    held = reached and silent and set(others.values()) == {1}
    walk.step("An e-mail changed at Billbee", "in shop and other four", held=held)
    delta = _delta(walk, lambda: walk.run(scan=True))
    walk.step("One more sync", "silence", held=delta == [0] * PROVIDERS)


def _both(walk: Walk, _customers: int) -> None:
    _sql(walk, "UPDATE customers SET phone = '+49 40 555123' WHERE id = 13")
    _edit(walk, "jtl", "1013", lambda record: record["BillingAddress"].update(City="Lübeck"))
    walk.run(scan=True)
    remote = _find(walk, "jtl", "1013")["BillingAddress"]
    both = _row(walk, 13, "city") == "Lübeck" and remote["PhoneNumber"] == "+49 40 555123"
    walk.step("Phone in the shop and city at JTL, same customer", "both kept, everywhere", held=both)
    _sql(walk, "UPDATE customers SET city = 'Bremen' WHERE id = 15")
    _edit(walk, "jtl", "1015", lambda record: record["BillingAddress"].update(City="Kiel"))
    walk.run(scan=True)
    kept = _row(walk, 15, "city") == "Bremen" and _find(walk, "jtl", "1015")["BillingAddress"]["City"] == "Kiel"
    waiting = _reviews(walk)
    walk.step("The same city changed on both sides", "nobody overwritten: review", held=kept and len(waiting) == 1)
    code, _said = _command(walk, "review", "resolve", str(waiting[0]["id"]), "--take", "source")
    walk.run(scan=True)
    solved = _find(walk, "jtl", "1015")["BillingAddress"]["City"] == "Bremen" and not _reviews(walk)
    walk.step(f"syncd review resolve {waiting[0]['id']} --take source", "Bremen everywhere", held=code == 0 and solved)


def _trouble(walk: Walk, _customers: int) -> None:
    from syncd.sandbox.faults import Fault

    twin = walk.server.twins["aiotic"]
    twin.faults.add(Fault("status", status=503, times=0))
    _sql(walk, "UPDATE customers SET name = 'Müller & Töchter' WHERE id = 20")
    delta = _delta(walk, lambda: walk.run(wait=0.0))
    index = walk.five.index("aiotic")
    walk.step("aiotic answers 503", "the other four go on", held=delta[index] == 0 and sum(delta) == 4)
    twin.faults.clear()
    delta = _delta(walk, lambda: walk.run(wait=30.0))
    walk.step("aiotic is back", "caught up by itself", held=delta[index] == 1)


def _plug(walk: Walk, customers: int) -> None:
    """SIGKILL a real `syncd run-once` while Billbee has created the customer and its answer is still on the way."""
    from syncd.sandbox.faults import Fault

    twin = walk.server.twins["billbee"]
    twin.faults.add(Fault("hang-after", method="POST", route="/api/v1/customers", seconds=20.0))
    _sql(
        walk,
        "INSERT INTO customers (number, name, email, city, country, vat_number)"
        " VALUES ('7777', 'Neu & Co', 'neu@co.example', 'Halle', 'DE', 'DE811999999')",
    )
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "syncd", "run-once", "--config", str(walk.config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        arrived = _until(lambda: len(twin.records) == customers + 1, 30.0)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        twin.faults.clear()
    walk.step("Pulled the plug in the middle of a create", "created, answer never read", held=arrived)
    walk.run(wait=30.0)
    once = walk.remotes() == [customers + 1] * len(walk.server.twins)
    walk.step("Started again", "linked, no duplicate", held=once)


def _closing(walk: Walk) -> None:
    echo()
    code, said = _command(walk, "status")
    document(f"{said}\n")
    _command(walk, "status-page", str(walk.directory / "demo.log"), "-o", str(walk.directory / "status.html"))
    if code != 0:
        raise Exit(INTERNAL)


# -- small things --------------------------------------------------------------------------------------------------


def _write_settings(walk: Walk) -> None:
    from syncd.sandbox.five import all_secrets, provider_settings, write_secrets
    from syncd.sandbox.shop import FIELDS

    secrets = walk.directory / "secrets"
    write_secrets(secrets, all_secrets())
    fields = "\n".join(f'{name} = "{column}"' for name, column in FIELDS.items())
    names = tuple(walk.server.twins)
    tables = "\n".join(
        provider_settings(
            walk.server, secrets, COMMON.format(conflict="review" if name == "jtl" else "source"), (name,)
        )
        for name in names
    )
    text = f"""lease = "30s"

[source]
url = "sqlite:///{walk.directory / "shop.db"}"
table = "customers"
key = "id"
[source.fields]
{fields}

[state]
url = "sqlite:///{walk.directory / "state.db"}"

{tables}"""
    walk.config.write_text(text, encoding="utf-8")


def _sql(walk: Walk, statement: str) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(walk.directory / "shop.db")) as shop, shop:
        shop.execute(statement)


def _row(walk: Walk, key: int, column: str) -> Any:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(walk.directory / "shop.db")) as shop:
        return shop.execute(f"SELECT {column} FROM customers WHERE id = ?", (key,)).fetchone()[0]  # noqa: S608


def _find(walk: Walk, provider: str, number: str) -> dict[str, Any]:
    records = walk.server.twins[provider].records.values()
    return next(dict(record) for record in records if str(record.get("Number")) == number)


def _edit(walk: Walk, provider: str, number: str, change: Callable[[dict[str, Any]], object]) -> None:
    """What a person does in the provider's own user interface."""
    twin = walk.server.twins[provider]
    for external_id, record in list(twin.records.items()):
        if str(record.get("Number")) == number:
            edited = {name: dict(value) if isinstance(value, dict) else value for name, value in record.items()}
            change(edited)
            twin.edit(external_id, **edited)


def _delta(walk: Walk, run: Callable[[], object]) -> list[int]:
    before = walk.writes()
    run()
    return [after - before[name] for name, after in walk.writes().items()]


def _command(walk: Walk, *words: str) -> tuple[int, str]:
    """A syncd command as a person would type it."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "syncd", *words, "--config", str(walk.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stdout or done.stderr).rstrip()


def _reviews(walk: Walk) -> list[dict[str, Any]]:
    import json

    _, said = _command(walk, "review", "list", "--json")
    items: list[dict[str, Any]] = json.loads(said)["items"]
    return items


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
