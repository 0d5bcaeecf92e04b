"""The steps of the demo's story: a run of syncd, an edit in the shop or at a stand-in, a command; and the counts that
prove them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from syncd.cli.exits import INTERNAL, Exit
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.engine.run import Result
    from syncd.sandbox.server import Server

PROVIDERS = 5
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
        """The names of the built-in providers: the story edits fields that a sandbox of another package may not
        have."""
        return list(self.server.twins)[:PROVIDERS]

    @property
    def config(self) -> Path:
        return self.directory / "syncd.toml"

    def step(self, what: str, result: str = "", *, held: bool = True) -> None:
        """Print a step with its result and its seconds; a step that did not hold ends the demo."""
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
        from syncd.bootstrap import installation, known
        from syncd.engine.run import Options, run_cycle
        from syncd.operate.status import survey, tell
        from syncd.settings import load

        settings = load(self.config)
        with installation(settings) as site:
            result = run_cycle(site, Options(mode="run-once", scan=scan, wait=wait, exclusive=True))
            tell(survey(site.state, site.source, known(settings), settings.guards, site.clock))
        return result

    def writes(self) -> dict[str, int]:
        """Changing requests so far, by provider of the five."""
        return {name: self.server.twins[name].writes() for name in self.five}

    def remotes(self) -> list[int]:
        """How many records each provider holds."""
        return [len(twin.records) for twin in self.server.twins.values()]


def write_settings(walk: Walk) -> None:
    """The settings file over the shop, the state and all sandboxes."""
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


def sql(walk: Walk, statement: str) -> None:
    """Run a statement as the shop's own application does."""
    with closing(sqlite3.connect(walk.directory / "shop.db")) as shop, shop:
        shop.execute(statement)


def row(walk: Walk, key: int, column: str) -> Any:
    """One column of a customer in the shop."""
    with closing(sqlite3.connect(walk.directory / "shop.db")) as shop:
        return shop.execute(f"SELECT {column} FROM customers WHERE id = ?", (key,)).fetchone()[0]  # noqa: S608


def find(walk: Walk, provider: str, number: str) -> dict[str, Any]:
    """The record with this number at JTL or Billbee."""
    records = walk.server.twins[provider].records.values()
    return next(dict(record) for record in records if str(record.get("Number")) == number)


def edit(walk: Walk, provider: str, number: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record with this number as a person does in the provider's own user interface."""
    twin = walk.server.twins[provider]
    for external_id, record in list(twin.records.items()):
        if str(record.get("Number")) == number:
            edited = {name: dict(value) if isinstance(value, dict) else value for name, value in record.items()}
            change(edited)
            twin.edit(external_id, **edited)


def delta_of(walk: Walk, run: Callable[[], object]) -> list[int]:
    """How many changing requests a run sent, for each of the five providers in their order."""
    before = walk.writes()
    run()
    return [after - before[name] for name, after in walk.writes().items()]


def command(walk: Walk, *words: str) -> tuple[int, str]:
    """Run a syncd command as a person types it; its exit code and what it printed."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "syncd", *words, "--config", str(walk.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stdout or done.stderr).rstrip()


def reviews(walk: Walk) -> list[dict[str, Any]]:
    """The open review items."""
    _, said = command(walk, "review", "list", "--json")
    items: list[dict[str, Any]] = json.loads(said)["items"]
    return items


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
