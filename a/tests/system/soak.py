"""The daemon for an hour against the five sandboxes: `python -m tests.system.soak --minutes 60`.

One request in a hundred goes wrong, customers are edited on both sides all the time. It must lose no change, make no
second customer, keep its memory, and tell the truth on the status page at every look. Exit 0 means all of that held.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.sandbox.faults import Fault
from syncd.sandbox.twin import Twin
from tests.system.landscape import Landscape, landscape
from tests.system.running import Running, running, until

CUSTOMERS = 200
KINDS = ("status", "status-after", "reset", "reset-after", "truncated", "html", "cut")
HEAD = """[schedule]
poll = "1s"
scan = "10s"
reread = "30s"
[guards]
update = "off"
overwrite = "off"
"""
EDITABLE = ("aiotic", "jtl", "billbee")  # those that list: an edit there is seen within `scan`
LASTING = ("name", "rejected", "review", "dead", "excluded")


@dataclass
class Watch:
    """What was seen: resident memory in kB, false pages, edits made."""

    chance: random.Random
    customers: int
    memory: list[int] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    looks: int = 0
    edits: int = 0
    faults: int = 0
    due: dict[str, int] = field(default_factory=dict)


def edit_shop(land: Landscape, watch: Watch) -> None:
    """The application changes a customer with an even key."""
    key = 2 * watch.chance.randint(1, watch.customers // 2)
    watch.edits += 1
    land.sql(f"UPDATE customers SET email = 'shop{watch.edits}@example.com' WHERE id = {key}")


def edit_remote(land: Landscape, watch: Watch) -> None:
    """Somebody changes a customer with an odd key at a provider."""
    key, name = 2 * watch.chance.randint(1, watch.customers // 2) - 1, EDITABLE[watch.edits % len(EDITABLE)]
    # one provider a customer: two people who edit one field at once are a matter of policy, not of losses
    name = EDITABLE[key % len(EDITABLE)]
    twin, number = land.twin(name), str(land.row(key)["number"])
    found = next((i for i, record in list(twin.records.items()) if number_of(name, i, record) == number), None)
    if found is None:
        return
    watch.edits += 1
    email = f"remote{watch.edits}@example.com"
    if name == "jtl":
        address = dict(twin.records[found]["BillingAddress"])
        twin.edit(found, BillingAddress={**address, "EmailAddress": email})
    else:
        twin.edit(found, **{"email" if name == "aiotic" else "Email": email})


def number_of(name: str, external_id: str, record: dict[str, Any]) -> str:
    """Our key in a remote record."""
    return external_id if name == "aiotic" else str(record.get("Number"))


def spoil(land: Landscape, watch: Watch) -> None:
    """Let one request in a hundred go wrong, at each provider for itself: one that is left alone collects none."""
    for name in land.names:
        twin: Twin = land.twin(name)
        requests = len(twin.log)
        due = watch.due.setdefault(name, requests + 50)
        if requests >= due:
            watch.due[name] = requests + 100
            watch.faults += 1
            twin.faults.add(Fault(watch.chance.choice(KINDS)))


def look(land: Landscape, daemon: Running, watch: Watch) -> None:
    """Memory, and whether the page tells the truth right after a snapshot."""
    pages = Path(f"/proc/{daemon.process.pid}/statm").read_text(encoding="ascii").split()[1]
    watch.memory.append(int(pages) * 4)
    if "is syncd running" in (land.directory / "page.html").read_text(encoding="utf-8"):
        watch.lies.append("the page doubts a running daemon")
    compare(land, daemon, watch)


def compare(land: Landscape, daemon: Running, watch: Watch) -> None:
    """The page, made from the log alone, beside the state database. What moves within a second (due, retry) may differ,
    what stays may not."""
    page = json.loads(land.said("status-page", str(daemon.log), "--json").out)
    truth = json.loads(land.said("status", "--json").out)
    watch.looks += 1
    if page["source"]["capture"] != truth["source"]["capture"]:
        watch.lies.append(f"page {page['source']}, status {truth['source']}")
    for shown, real in zip(page["providers"], truth["providers"], strict=True):
        lasting = [name for name in LASTING if shown[name] != real[name]]
        moving = shown["ambiguous"] + real["ambiguous"]
        if lasting or abs(shown["linked"] - real["linked"]) > moving:
            watch.lies.append(f"{real['name']}: {lasting}: page {shown}, status {real}")


def agree(land: Landscape, customers: int) -> list[str]:
    """What differs between the shop and the providers; empty when nothing was lost or doubled."""
    wrong = [f"{name}: {count} remotes" for name, count in land.remotes().items() if count != customers]
    for key in range(1, customers + 1):
        row = land.row(key)
        for name in EDITABLE:
            email = email_of(land.twin(name), name, str(row["number"]))
            if email != row["email"]:
                wrong.append(f"{name} {key}: e-mail differs")
    return wrong


def email_of(twin: Twin, name: str, number: str) -> object:
    """The e-mail that a provider shows for a customer number."""
    record = next(r for i, r in list(twin.records.items()) if number_of(name, i, r) == number)
    if name == "jtl":
        return record["BillingAddress"].get("EmailAddress")
    return record.get("email" if name == "aiotic" else "Email")


def soak(directory: Path, seconds: float, seed: int, customers: int = CUSTOMERS) -> tuple[Watch, list[str], int]:
    """Run; what was watched, what differs at the end, and the daemon's exit code."""
    watch = Watch(random.Random(seed), customers)
    head = f'{HEAD}[log]\nstatus_page = "{directory}/page.html"\n'
    with landscape(directory, customers, head=head) as land, running(land.config, directory) as daemon:
        until(lambda: set(land.remotes().values()) == {customers} and daemon.events("status.snapshot"), 120.0)
        end, seen, looked = time.monotonic() + seconds, len(daemon.events("status.snapshot")), 0.0
        while time.monotonic() < end:
            edit_shop(land, watch)
            edit_remote(land, watch)
            spoil(land, watch)
            time.sleep(0.25)
            if time.monotonic() - looked > 5.0:  # the log is long
                looked = time.monotonic()
                if (told := len(daemon.events("status.snapshot"))) > seen:
                    seen = told
                    look(land, daemon, watch)
        for name in land.names:
            land.twin(name).faults.clear()
        until(lambda: not agree(land, customers), 240.0)
        wrong = agree(land, customers)
        daemon.send(signal.SIGTERM)
        code = daemon.process.wait(40)
        compare(land, daemon, watch)
        return watch, wrong, code


def flat(memory: list[int]) -> bool:
    """Whether the last quarter of the samples is no higher than the second one, by more than 16 MB."""
    quarter = max(len(memory) // 4, 1)
    return max(memory[-quarter:]) - max(memory[quarter : 2 * quarter] or memory) < 16_000


def main() -> int:
    """The command."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=60.0)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="syncd-soak-"))
    watch, wrong, code = soak(directory, given.minutes * 60.0, given.seed)
    memory = watch.memory[:: max(len(watch.memory) // 8, 1)]
    print(f"{watch.edits} edits, {watch.faults} faults, {watch.looks} looks, memory in kB {memory}")
    print(f"daemon left with {code}; {len(wrong)} differences {wrong[:5]}; page: {watch.lies or 'true at every look'}")
    if code or wrong or watch.lies or not flat(watch.memory):
        print(f"log and state stay in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
