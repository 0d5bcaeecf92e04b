"""The story of `syncd demo`, part by part: each step is checked before its sentence is printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from syncd.cli.demo_walk import PROVIDERS, Walk, command, delta_of, edit, find, reviews, row, sql, until, write_settings
from syncd.cli.exits import INTERNAL, Exit
from syncd.cli.output import document, echo


def first_sync(walk: Walk, customers: int) -> None:
    """Every customer gets to every provider, once."""
    from syncd.bootstrap import open_settings_source
    from syncd.log import setup
    from syncd.sandbox.shop import make_shop
    from syncd.settings import load
    from syncd.source import triggers

    make_shop(walk.directory / "shop.db", customers)
    write_settings(walk)
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


def out(walk: Walk, _customers: int) -> None:
    """Edits in the shop reach the five providers."""
    sql(walk, "UPDATE customers SET email = 'neu@example.com' WHERE id = 7")
    delta = delta_of(walk, walk.run)
    walk.step("An e-mail changed in the shop", "one write at each provider", held=delta == [1] * PROVIDERS)
    for _ in range(10):
        sql(walk, "UPDATE customers SET email = 'x' || email WHERE id = 9")
    delta = delta_of(walk, walk.run)
    walk.step(
        "An e-mail changed ten times between two runs", "one write at each provider", held=delta == [1] * PROVIDERS
    )


def back(walk: Walk, _customers: int) -> None:
    """An edit at one of the five providers reaches the shop and the other four."""
    edit(walk, "billbee", "1012", lambda record: record.update(Email="billbee@example.com"))
    delta = delta_of(walk, lambda: walk.run(scan=True))
    reached = row(walk, 12, "email") == "billbee@example.com"
    others = {name: number for name, number in zip(walk.five, delta, strict=True) if name != "billbee"}
    silent = delta[walk.five.index("billbee")] == 0
    held = reached and silent and set(others.values()) == {1}
    walk.step("An e-mail changed at Billbee", "in shop and other four", held=held)
    delta = delta_of(walk, lambda: walk.run(scan=True))
    walk.step("One more sync", "silence", held=delta == [0] * PROVIDERS)


def both(walk: Walk, _customers: int) -> None:
    """Edits of one customer on both sides, of different fields and of the same one."""
    sql(walk, "UPDATE customers SET phone = '+49 40 555123' WHERE id = 13")
    edit(walk, "jtl", "1013", lambda record: record["BillingAddress"].update(City="Lübeck"))
    walk.run(scan=True)
    remote = find(walk, "jtl", "1013")["BillingAddress"]
    both = row(walk, 13, "city") == "Lübeck" and remote["PhoneNumber"] == "+49 40 555123"
    walk.step("Phone in the shop and city at JTL, same customer", "both kept, everywhere", held=both)
    sql(walk, "UPDATE customers SET city = 'Bremen' WHERE id = 15")
    edit(walk, "jtl", "1015", lambda record: record["BillingAddress"].update(City="Kiel"))
    walk.run(scan=True)
    kept = row(walk, 15, "city") == "Bremen" and find(walk, "jtl", "1015")["BillingAddress"]["City"] == "Kiel"
    waiting = reviews(walk)
    walk.step("The same city changed on both sides", "nobody overwritten: review", held=kept and len(waiting) == 1)
    code, _said = command(walk, "review", "resolve", str(waiting[0]["id"]), "--take", "source")
    walk.run(scan=True)
    solved = find(walk, "jtl", "1015")["BillingAddress"]["City"] == "Bremen" and not reviews(walk)
    walk.step(f"syncd review resolve {waiting[0]['id']} --take source", "Bremen everywhere", held=code == 0 and solved)


def trouble(walk: Walk, _customers: int) -> None:
    """One of the five providers answers 503 for a while."""
    from syncd.sandbox.faults import Fault

    twin = walk.server.twins["aiotic"]
    twin.faults.add(Fault("status", status=503, times=0))
    sql(walk, "UPDATE customers SET name = 'Müller & Töchter' WHERE id = 20")
    delta = delta_of(walk, lambda: walk.run(wait=0.0))
    index = walk.five.index("aiotic")
    walk.step("aiotic answers 503", "the other four go on", held=delta[index] == 0 and sum(delta) == 4)
    twin.faults.clear()
    delta = delta_of(walk, lambda: walk.run(wait=30.0))
    walk.step("aiotic is back", "caught up by itself", held=delta[index] == 1)


def plug(walk: Walk, customers: int) -> None:
    """SIGKILL a real `syncd run-once` while Billbee has created the customer and its answer is still on the way."""
    from syncd.sandbox.faults import Fault

    twin = walk.server.twins["billbee"]
    twin.faults.add(Fault("hang-after", method="POST", route="/api/v1/customers", seconds=20.0))
    sql(
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
        arrived = until(lambda: len(twin.records) == customers + 1, 30.0)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        twin.faults.clear()
    walk.step("Pulled the plug in the middle of a create", "created, answer never read", held=arrived)
    walk.run(wait=30.0)
    once = walk.remotes() == [customers + 1] * len(walk.server.twins)
    walk.step("Started again", "linked, no duplicate", held=once)


def closing(walk: Walk) -> None:
    """Print the status, and make the status page of the demo's log. Ends the demo where the status is not "ok"."""
    echo()
    code, said = command(walk, "status")
    document(f"{said}\n")
    command(walk, "status-page", str(walk.directory / "demo.log"), "-o", str(walk.directory / "status.html"))
    if code != 0:
        raise Exit(INTERNAL)


PARTS = (first_sync, out, back, both, trouble, plug)
