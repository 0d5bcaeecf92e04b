"""What must be true after `three`: nothing lost, doubled, overwritten or asked, and what happened where it is not."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field

import sqlalchemy as sa

from syncd.sandbox.twin import Entry
from tests.system.test_daemons_together import LEASE, NAMES
from tests.system.three_world import Three, number_of

LONGEST = LEASE  # seconds that a process may be stopped between its reading and its write and still own its lane
MARK = re.compile(r"(mail|city|road)-(\d+)-(\d+)")
OF = {"jtl": "city", "aiotic": "road"}  # what is typed there
COLUMN = {"mail": "email", "city": "city", "road": "street"}


def _shown(name: str, record: dict[str, object]) -> dict[str, object]:
    if name == "aiotic":
        return {"email": record.get("email"), "city": record.get("city"), "street": record.get("address")}
    address = record["BillingAddress"]
    assert isinstance(address, dict)
    return {"email": address.get("EmailAddress"), "city": address.get("City"), "street": address.get("Street")}


def apart(run: Three) -> list[str]:
    """Customers who are missing at a provider, or differ from the shop there, but for those a person is asked about."""
    rows, wrong, waiting = _rows(run), [], asked(run)
    for name in NAMES:
        twin = run.site.server.twins[name]
        with twin.lock:
            there = {number_of(name, record): _shown(name, record) for record in twin.records.values()}
        for key, row in rows.items():
            if there.get(str(1000 + key)) != row and (name, key) not in waiting:
                wrong.append(f"{name} {key}: {there.get(str(1000 + key))} instead of {row}")
    return wrong


def lost(run: Three, excused: dict[tuple[str, int, int], int]) -> list[str]:
    """Values in the shop that are not the last ones typed. `excused`: what was typed inside a window, and what stands
    since."""
    rows, wrong = _rows(run), []
    waiting = {(OF[name], key) for name, key in asked(run)}
    for (what, key), typed in run.newest.items():
        serial = typed
        while (what, key, serial) in excused:
            serial = excused[what, key, serial]
        held, wanted = rows[key][COLUMN[what]], f"{what}-{key}-{serial}"
        if (what, key) not in waiting and held.removesuffix("@example.com") != wanted:
            wrong.append(f"shop {key}: {held} instead of {wanted}")
    return wrong


def _rows(run: Three) -> dict[int, dict[str, str]]:
    with run.site.shop.connect() as conn:
        found = conn.execute(sa.text("SELECT id, email, city, street FROM customers")).mappings().all()
    return {row["id"]: {name: str(row[name]) for name in COLUMN.values()} for row in found}


def doubled(run: Three) -> list[str]:
    """Numbers that more than one record carries."""
    found = []
    for name in NAMES:
        counts = Counter(number_of(name, record) for record in run.site.server.twins[name].records.values())
        found += [f"{name}: {count} records of {number}" for number, count in counts.items() if count > 1]
    return found


@dataclass
class Judged:
    """Older values that stood over newer ones; `windows`: seconds between a reading and the write that followed in
    which somebody typed at the provider, and what stands there since (`excused`)."""

    wrong: list[str] = field(default_factory=list)
    windows: list[float] = field(default_factory=list)
    excused: dict[tuple[str, int, int], int] = field(default_factory=dict)


def judged(run: Three) -> Judged:
    """Every value that ever stood on either side, in its order."""
    made = Judged()
    newest: dict[tuple[str, int], int] = {}
    with run.site.shop.connect() as conn:
        history = conn.execute(sa.text("SELECT email, city, street FROM audit ORDER BY n")).all()
    for text in (" ".join(map(str, row)) for row in history):
        for what, key, serial, known in _older(text, newest):
            made.wrong.append(f"shop: {what}-{key}-{serial} over {known}")
    for name in NAMES:
        _at_provider(run, name, made)
    return made


def _at_provider(run: Three, name: str, made: Judged) -> None:
    log, typed = list(run.site.server.twins[name].log), list(run.typed[name])
    newest: dict[tuple[str, int], int] = {}
    for place, entry in enumerate(log):
        while typed and typed[0].place <= place:
            each = typed.pop(0)
            newest[each.field, each.key] = each.serial
        if not entry.wrote:
            continue
        for what, key, serial, known in _older(entry.body.decode(), newest):
            window = _window(run, name, log, place, known)
            if window is None or window > LONGEST:
                made.wrong.append(f"{name}: {what}-{key}-{serial} over {known} in {entry.method}, window {window}")
            else:
                made.windows.append(window)
                made.excused[what, key, known] = serial
            newest[what, key] = serial


def _older(text: str, newest: dict[tuple[str, int], int]) -> list[tuple[str, int, int, int]]:
    """What of these values is older than what stood there; the others stand there from now on."""
    found = []
    for what, key, serial in ((what, int(key), int(serial)) for what, key, serial in MARK.findall(text)):
        known = newest.get((what, key), 0)
        if serial < known:
            found.append((what, key, serial, known))
        newest[what, key] = max(known, serial)
    return found


def _window(run: Three, name: str, log: list[Entry], place: int, serial: int) -> float | None:
    """Seconds since the reading that this write was decided on, where the edit was typed after it."""
    entry = log[place]
    typed = next((each.place for each in run.typed[name] if each.serial == serial), -1)
    read = max((n for n in range(place) if log[n].method == "GET" and log[n].path == entry.path), default=-1)
    return (entry.at - log[read].at).total_seconds() if 0 <= read < typed else None


def asked(run: Three) -> dict[tuple[str, int], str]:
    """The kind of every open question. A second edit of one field, typed while a write of ours with an older value of
    it is unconfirmed, may be what the provider made of that write: a person is asked (README), and nothing is lost."""
    with run.site.state.connect() as conn:
        rows = conn.execute(sa.text("SELECT provider, customer_key, kind FROM review WHERE closed_at IS NULL")).all()
    return {(row.provider, int(row.customer_key)): row.kind for row in rows}


def echo(run: Three, seconds: float) -> int:
    """Writes while nothing changes."""
    before = sum(run.site.writes().values())
    time.sleep(seconds)
    return sum(run.site.writes().values()) - before


def told(run: Three, provider: str, key: int) -> list[str]:
    """What the state knows of a pair: where it stands, what is due and under way, and what happened to it."""
    tables = {
        "mapping": "state, base",
        "work": "reason, due_at, attempts, error_class, error",
        "intent": "verb, stage, at, settle_until, fields",
        "review": "kind, fields, reason, opened_at",
        "event": "at, event, fields, detail",
    }
    lines = []
    with run.site.state.connect() as conn:
        for table, columns in tables.items():
            query = f"SELECT {columns} FROM {table} WHERE provider = :provider AND customer_key = :key"
            rows = conn.execute(sa.text(query), {"provider": provider, "key": str(key)}).all()
            lines += [f"    {table}: {tuple(map(str, row))}" for row in rows[-25:]]
    return lines
