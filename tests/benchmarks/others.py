"""What a user might take instead, at the same sandbox: a loop with `requests`, and `drt-core`.

Both send what they are told and remember nothing: no look before a write, no record of what was agreed, no way back
into the shop, no guard, no answer to a lost answer. drt sends every row to one fixed address, so it creates, or updates
one record, but cannot address a customer by its number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests
import sqlalchemy as sa

from syncd.sandbox import aiotic
from syncd.sandbox.kit import Server
from tests.benchmarks.far import far_five
from tests.benchmarks.growth import spent
from tests.benchmarks.site import fill

DRT = "DRT"  # the environment's word for where the program `drt` is; it is no dependency of ours
COUNT, ROUNDS = 300, 3
KEY = {"X-API-Key": aiotic.SYNC_KEY}


@dataclass(frozen=True)
class Other:
    what: str
    result: str


def requests_loop(directory: Path) -> Iterator[Other]:
    """GET and PUT for each customer, one after the other, in one session."""
    directory.mkdir(parents=True)
    with far_five() as server:
        costs = [_looped(server) for _ in range(ROUNDS + 1)][1:]
    yield Other("a plain `requests` loop, GET and PUT a customer", f"{median(costs):.1f} ms CPU; remembers nothing")


def _looped(server: Server) -> float:
    began = time.process_time()
    with requests.Session() as session:
        session.trust_env = False
        for number in range(COUNT):
            url = f"{server.url('aiotic')}/customer/r{number}"
            session.get(url, headers=KEY, timeout=30)
            session.put(url, headers=KEY, json={"name": f"Firm {number}", "city": "Oord"}, timeout=30).json()
    return (time.process_time() - began) / COUNT * 1000


def drt(directory: Path) -> Iterator[Other]:
    """One PUT a row to one address: CPU of the whole command with so many rows, less that with one."""
    what = "drt-core, one PUT a row to a fixed address"
    program = os.environ.get(DRT)
    if not program:
        yield Other(what, f"not measured: set {DRT} to where `drt` is (pip install drt-core in a venv of its own)")
        return
    with far_five() as server:
        many, one = (_synced(directory / str(rows), server, program, rows) for rows in (COUNT, 1))
    each = (many - one) / (COUNT - 1) * 1000
    yield Other(what, f"{each:.1f} ms CPU; every row at every run, cannot address a customer by number")


def _synced(place: Path, server: Server, program: str, rows: int) -> float:
    (place / "syncs").mkdir(parents=True)
    (place / ".drt").mkdir()
    engine = sa.create_engine(f"sqlite:///{place}/shop.db")
    fill(engine, rows)
    engine.dispose()
    (place / ".drt" / "profiles.yml").write_text(f"bench:\n  type: sqlite\n  database: {place}/shop.db\n", "utf-8")
    (place / "drt_project.yml").write_text('name: bench\nversion: "0.1"\nprofile: bench\n', encoding="utf-8")
    (place / "syncs" / "customers.yml").write_text(
        f"""name: customers
model: "SELECT name, city, email FROM customers"
destination:
  type: rest_api
  url: "{server.url("aiotic")}/customer/drt"
  method: PUT
  headers: {{X-API-Key: "{aiotic.SYNC_KEY}", Content-Type: application/json}}
  body_template: '{{"name": {{{{ row.name | tojson }}}}, "city": {{{{ row.city | tojson }}}}}}'
sync:
  mode: full
  rate_limit: {{requests_per_second: 100000}}
""",
        encoding="utf-8",
    )
    command = ["env", f"HOME={place}", "sh", "-c", f'cd "{place}" && exec "{program}" run']
    return median(spent(command)[0] for _ in range(ROUNDS))
