"""Marked values and secrets through every fault of the wire: they stand in no log, page, state, metrics or answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from syncd.bootstrap import installation, known
from syncd.daemon import metrics
from syncd.operate.status import survey
from syncd.sandbox.faults import KINDS, Fault
from syncd.sandbox.five import NAMES, SECRETS
from syncd.settings import load
from tests.system.landscape import Landscape, landscape

VALUES = {
    "name": "Zzcanary Näme",
    "first_name": "Zzcanaryfirst",
    "last_name": "Zzcanarylast",
    "email": "zzcanary.mail@example.com",
    "phone": "+49 1525 0007311",
    "street": "Zzcanaryweg 71",
    "city": "Zzcanaryhausen",
}
REFUSALS = (400, 401, 403, 404, 409, 422, 429, 500, 503)
RUNS = 4
ECHO = " ".join(VALUES.values())  # a provider that repeats in its complaint what it was sent


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """One marked customer at all five; the log at debug level in a file, the page and the metrics beside it."""
    with landscape(tmp_path, 1, NAMES) as land:
        land.change('settle = "1s"', 'settle = "200ms"')
        land.change('timeout = "3s"', 'timeout = "1s"')
        with land.config.open("a", encoding="utf-8") as more:
            more.write(f'\n[log]\nlevel = "debug"\nfile = "{tmp_path}/log.jsonl"\n')
            more.write(f'[metrics]\ntextfile = "{tmp_path}/syncd.prom"\n')
        columns = ", ".join(f"{name} = ?" for name in VALUES)
        land.sql(f"UPDATE customers SET {columns}", *VALUES.values())
        yield land


def spelled(marker: str) -> set[bytes]:
    """A marker in every form in which it may have got somewhere."""
    raw = marker.encode()
    escaped = {quote(marker), quote_plus(marker), json.dumps(marker)[1:-1], raw.hex()}
    return {raw, base64.b64encode(raw).rstrip(b"=")[:-1], *(form.encode() for form in escaped)}


def faulty(number: int, place: int) -> list[Fault]:
    """What goes wrong at one provider in one run: over all runs each kind and each refusal, here or there."""
    kinds = sorted(KINDS - {"stale"})
    kind = kinds[(number * len(NAMES) + place) % len(kinds)]
    status = REFUSALS[(number * len(NAMES) + place) % len(REFUSALS)]
    return [
        Fault("body", method="GET", times=1, skip=2, body=json.dumps({"error": ECHO}), status=status),
        Fault(kind, times=1, skip=1, body=ECHO, seconds=0.05),
    ]


def test_no_fault_of_the_wire_lets_a_value_out(land: Landscape) -> None:
    """Each answer repeats the customer in its complaint. Afterwards everything that was written or said is searched."""
    said = [land.said("run-once", "--wait", "1s")]
    for number in range(RUNS):
        for place, name in enumerate(NAMES):
            land.server.twins[name].faults.add(*faulty(number, place))
        land.sql("UPDATE customers SET street = ?, city = ?", f"Zzcanaryweg 7{number}", f"Zzcanaryhausen {number}")
        said.append(land.said("run-once", "--wait", "0"))
        for name in NAMES:
            land.server.twins[name].faults.clear()
        land.recalled("UPDATE provider_state SET breaker = ''")  # as if its pause were over
    questions = (("status", "--json"), ("explain", "1", "--json"), ("plan",), ("review",))
    said += [land.said(*words) for words in questions]
    settings = load(land.config)
    with installation(settings) as site:
        metrics.write(
            settings.metrics.textfile, survey(site.state, site.source, known(settings), settings.guards, site.clock)
        )
    land.said("status-page", str(land.directory / "log.jsonl"), "-o", str(land.directory / "page.html"))

    ours = ("shop.db", "syncd.toml")
    kept = [path for path in land.directory.iterdir() if path.is_file() and not path.name.startswith(ours)]
    texts = {path.name: path.read_bytes() for path in kept}
    assert {"log.jsonl", "page.html", "state.db", "syncd.prom"} <= texts.keys()
    assert b"syncd_customers" in texts["syncd.prom"]
    assert b"pair.created" in texts["log.jsonl"]
    assert b'"ambiguous"' in texts["log.jsonl"]
    texts |= {f"answer {place}": (answer.out + answer.err).encode() for place, answer in enumerate(said)}
    markers = {*VALUES.values(), "zzcanary", "Zzcanary", *SECRETS.values()}
    forms = {form: marker for marker in markers for form in spelled(marker)}
    assert {(place, forms[form]) for place, text in texts.items() for form in forms if form in text} == set()
