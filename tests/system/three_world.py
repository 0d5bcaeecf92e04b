"""What `three` plays on: three daemons, each behind a network of its own, on one shop and one state in PostgreSQL."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.databases import server
from tests.system.relay import Relay, relay
from tests.system.running import Running, running, until
from tests.system.test_daemons_together import NAMES, Shared, shared

AHEAD = 60  # seconds
_MAIN = "import sys; from syncd.cli import main; main()"
_AHEAD = (
    "import datetime; from syncd import clock; real = clock.SystemClock.now\n"
    f"clock.SystemClock.now = lambda self: real(self) + datetime.timedelta(seconds={AHEAD})\n{_MAIN}"
)
HASTE = '[schedule]\npoll = "500ms"\nscan = "2s"\nreread = "20s"\n'
OPEN_GUARDS = '[guards]\nupdate = "off"\ndelete = "off"\nblank = "off"\noverwrite = "off"\ncreate = "off"\n'
AUDIT = """
CREATE TABLE audit (n serial PRIMARY KEY, email text, city text, street text);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO audit (email, city, street) VALUES (NEW.email, NEW.city, NEW.street); RETURN NEW; END';
CREATE TRIGGER audited AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION audited();
"""


@dataclass(frozen=True)
class Typed:
    """An edit at a provider: what, and how many requests had come by then."""

    field: str
    key: int
    serial: int
    place: int


@dataclass
class Three:
    """The daemons, each behind a network of its own, and what people typed."""

    site: Shared
    chance: random.Random
    configs: list[Path]
    relays: list[list[Relay]]
    customers: int
    daemons: list[Running] = field(default_factory=list)
    starts: list[ExitStack] = field(default_factory=list)
    newest: dict[tuple[str, int], int] = field(default_factory=dict)
    typed: dict[str, list[Typed]] = field(default_factory=lambda: {name: [] for name in NAMES})
    edits: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    serial: int = 0

    def start(self, number: int) -> None:
        """A daemon begins; the third one's clock is ahead."""
        stack = ExitStack()
        command = (sys.executable, "-c", _AHEAD if number == 2 else _MAIN, "run")
        made = stack.enter_context(running(self.configs[number], self.site.directory, command=command))
        self.daemons[number:] = [made, *self.daemons[number + 1 :]]
        self.starts[number:] = [stack, *self.starts[number + 1 :]]

    def end(self, number: int) -> None:
        """It is gone, however it was."""
        self.failed += [str(event) for event in self.daemons[number].events("job.failed")]
        self.starts[number].close()


@contextmanager
def three(directory: Path, seed: int, customers: int) -> Iterator[Three]:
    """Three daemons that have brought every customer to both providers."""
    with shared(directory, customers) as site, ExitStack() as networks:
        site.run("UPDATE customers SET street = 'road-' || id || '-0', city = 'city-' || id || '-0'")
        for statement in AUDIT.strip().split(";\n"):
            site.run(statement)
        relays: list[list[Relay]] = []
        configs = []
        for number in range(3):
            text, mine = site.config.read_text(encoding="utf-8"), []
            for host, port in _addresses(site):
                through = networks.enter_context(relay(host, port))
                mine.append(through)
                text = text.replace(f"{host}:{port}", f"127.0.0.1:{through.port}")
            text = text.replace('[schedule]\npoll = "500ms"\n', HASTE) + OPEN_GUARDS
            configs.append(directory / f"syncd-{number}.toml")
            configs[-1].write_text(text, encoding="utf-8")
            relays.append(mine)
        made = Three(site, random.Random(seed), configs, relays, customers)
        try:
            for number in range(3):
                made.start(number)
            assert until(lambda: filled(made), 240.0), [each.log.read_text() for each in made.daemons]
            yield made
        finally:
            for stack in made.starts:
                stack.close()


def _addresses(site: Shared) -> list[tuple[str, int]]:
    where = server("postgresql")
    assert where is not None
    return [(where.host or "127.0.0.1", where.port or 5432), *(("127.0.0.1", site.server.ports[n]) for n in NAMES)]


def number_of(name: str, record: dict[str, object]) -> str:
    """Our number on a record."""
    return str(record.get("Number" if name == "jtl" else "number"))


def filled(run: Three) -> bool:
    """Whether everybody is at both providers."""
    return all(len(run.site.server.twins[name].records) >= run.customers for name in NAMES)
