"""From the change log to due pairs: marks are durable in the state first, then the log's rows are acknowledged.

A row of the log is a mark and never an event: repeated or reordered rows do no harm. Each row is deleted by its own
number. The fence tells a restored or cloned database from an interrupted acknowledge.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from syncd.core.model import FieldBase, Intent, Link, Pair, State
from syncd.detect.ownership import reasons, rekeys, replaced
from syncd.detect.resync import begin_anew
from syncd.errors import LeaseLost, SafetyStop
from syncd.log import emit
from syncd.runtime.installation import Installation
from syncd.runtime.leadership import CAPTURE, forfeit, hold
from syncd.source import changelog, snapshot, timestamps
from syncd.source.changelog import Batch, Entry
from syncd.source.pointing import customer_marks
from syncd.store import journal, mapping, progress, tombstones, work
from syncd.store.database import Transaction
from syncd.store.leases import Lease
from syncd.store.providers import vanished

BATCH = 1000
EXPECTED = "fence.expected_acks"
REKEYED = "capture.rekeyed"
OWNER = "fence.owner"
LONG_AGO = "1970-01-01T00:00:00+00:00"
OUR_INSERT = re.compile(r"^syncd:(?P<provider>[^:]+):insert:(?P<intent>\d+)$")


class Captured(NamedTuple):
    """How many log rows were read, and how many customers they name."""

    rows: int = 0
    customers: int = 0


def capture(site: Installation) -> Captured:
    """Consume the change log until it is empty. While another process captures, only watch the fence.

    Raises `SafetyStop` when the fence shows a restore or a clone, `LeaseLost` when another process took over.
    """
    held = hold(site, CAPTURE)
    if held is None:
        watch_fence(site)
        return Captured()
    try:
        match site.source.config.change_log:
            case "triggers":
                return _consume(site, held.lease)
            case "snapshot":
                return _follow(site, "snapshot", held.lease)
            case _:
                return _follow(site, "updated_at", held.lease)
    except LeaseLost:
        forfeit(site, CAPTURE)
        raise


def _consume(site: Installation, lease: Lease) -> Captured:
    owner = identity(site)
    rows, keys = 0, set[str]()
    while not site.stop.is_set():
        batch = changelog.read(site.source, BATCH)
        if not batch.entries and not batch.owner:
            changelog.claim(site.source, owner)
            batch = changelog.read(site.source, BATCH)
        check_fence(site, batch, owner)
        if not batch.entries:
            break
        marks = customer_marks(site.source, batch.entries)
        with site.state.fenced(lease) as tx:
            keys |= _mark(tx, site, marks, _moved_before(tx, batch))
            progress.set_meta(tx, EXPECTED, promise(batch))
            moves = [_name_of(entry) for entry in marks if rekeys(entry)]
            progress.set_meta(tx, REKEYED, " ".join([str(batch.acks), *moves]) if moves else "")
        changelog.acknowledge(site.source, batch, owner)
        rows += len(batch.entries)
        if len(batch.entries) < BATCH:
            break
    if rows:
        emit("capture.acknowledged", rows=rows, changes=len(keys))
    return Captured(rows, len(keys))


def identity(site: Installation) -> str:
    """The name of this installation in the source's fence, made once for a state."""
    with site.state.read() as tx:
        owner = progress.meta(tx, OWNER)
    if owner:
        return owner
    owner = site.run_id()
    with site.state.begin() as tx:
        known = progress.meta(tx, OWNER)
        if not known:
            progress.set_meta(tx, OWNER, owner)
    return known or owner


def check_fence(site: Installation, batch: Batch, owner: str) -> None:
    """Compare what source and state remember of the last acknowledge. An interrupted acknowledge is normal; any other
    difference is a restore, and raises `SafetyStop`."""
    with site.state.read() as tx:
        expected = progress.meta(tx, EXPECTED)
    trouble = fence_trouble(batch, owner, expected)
    if trouble:
        raise SafetyStop(trouble, remedy="syncd recover")
    if not batch.owner:
        changelog.claim(site.source, owner)


def watch_fence(site: Installation) -> None:
    """While another process captures: raise `SafetyStop` when the fence shows that source or state were restored.

    The other process goes on acknowledging, so any count that was right during this check is accepted.
    """
    if site.source.config.change_log != "triggers":
        return
    owner, before = identity(site), _expected(site)
    batch = changelog.read(site.source, 1)
    after = _expected(site)
    if batch.owner == owner and before - 1 <= batch.acks <= after:
        return
    trouble = fence_trouble(batch, owner, str(after) if after else "")
    if trouble:
        raise SafetyStop(trouble, remedy="syncd recover")


def _expected(site: Installation) -> int:
    with site.state.read() as tx:
        return promised(progress.meta(tx, EXPECTED))


def promise(batch: Batch) -> str:
    """What the state remembers of an acknowledge that is about to be made: the count of acknowledges after it, and the
    numbers of the first and the last row to delete, each with a checksum of its key."""
    if not batch.entries:
        return str(batch.acks)
    first, last = batch.entries[0], batch.entries[-1]
    return f"{batch.acks + 1} {first.seq} {_mark_of(first)} {last.seq} {_mark_of(last)}"


def _mark_of(entry: Entry) -> int:
    return zlib.crc32(entry.key.encode("utf-8", "replace"))


def promised(expected: str) -> int:
    """The count of acknowledges as the state remembers it."""
    return int(expected.split(maxsplit=1)[0]) if expected else 0


def _rows_are_there(batch: Batch, expected: str) -> bool:
    """Whether the log still holds the rows of the last acknowledge: then the acknowledge was interrupted. A source that
    was restored to an earlier moment has none of these rows, or gave their numbers to other customers. Rows that
    committed late may stand before them, so a full batch need not reach them."""
    words = [int(word) for word in expected.split()[1:]]
    there = {entry.seq: _mark_of(entry) for entry in batch.entries}
    end = max(there) if len(there) >= BATCH else math.inf
    return all(there.get(seq) == mark or seq > end for seq, mark in zip(words[::2], words[1::2], strict=True))


def fence_trouble(batch: Batch, owner: str, expected: str) -> str:
    """The sign of a restore, a clone or a replaced state in the fence; "" when the fence is as the state remembers it.

    `owner` and `expected` are what the state remembers of the fence, "" where it remembers nothing yet.
    """
    if batch.owner and batch.owner != owner:
        return "the source's change log belongs to another installation, or this state is new or a copy"
    if not batch.owner:
        return "the source's fence was reset while the state was not" if expected and batch.acks == 0 else ""
    count = promised(expected)
    interrupted = batch.acks == count - 1 and _rows_are_there(batch, expected)
    return "" if batch.acks == count or interrupted else "the source or the state was restored from a copy"


def _follow(site: Installation, mode: str, lease: Lease) -> Captured:
    """The modes `snapshot` and `updated_at`: read from a cursor, make the marks and move the cursor in one transaction
    of the state."""
    name = f"capture.{mode}"
    with site.state.read() as tx:
        cursor = progress.cursor(tx, name)
    changes = snapshot.read(site.source, cursor) if mode == "snapshot" else timestamps.read(site.source, cursor)
    marks = customer_marks(site.source, changes.entries)
    with site.state.fenced(lease) as tx:
        keys = _mark(tx, site, marks)
        progress.set_cursor(tx, name, changes.cursor)
        if changes.restart:
            look_at_everything(tx, site)
    return Captured(len(changes.entries), len(keys))


def _name_of(entry: Entry) -> str:
    return f"{entry.seq}:{_mark_of(entry)}"


def _moved_before(tx: Transaction, batch: Batch) -> frozenset[str]:
    """Changed keys of this batch that were followed before a crash kept the batch from being acknowledged. A mark may
    be repeated, but a swap of keys that is followed twice gives each customer the other's record."""
    acks, *moves = (progress.meta(tx, REKEYED) or "-").split()
    return frozenset(moves) if acks == str(batch.acks) else frozenset()


class _Stored(NamedTuple):
    """`ownership.Names` over the state, in one open transaction."""

    tx: Transaction
    providers: Sequence[str]
    tombstone_keys: tombstones.Keys

    def is_taken(self, key: str) -> bool:
        return mapping.is_taken(self.tx, key)

    def has_left(self, key: str) -> bool:
        return any(item.reason == "deleted" for item in work.of_customer(self.tx, key))

    def to_former_key(self, key: str) -> str | None:
        first = mapping.to_former_key(self.tx, key)
        if first is not None:
            emit("pair.rekeyed", customer_key=first, was=key)
        return first

    def move(self, old: str, new: str) -> None:
        mapping.move_key(self.tx, old, new)
        for provider in self.providers:
            tombstones.follow(self.tx, self.tombstone_keys, provider, old, new)
        emit("pair.rekeyed", customer_key=new, was=old)


def _mark(
    tx: Transaction, site: Installation, entries: Sequence[Entry], moved_before: frozenset[str] = frozenset()
) -> set[str]:
    ours: set[Pair] = set()  # rows that we inserted: no new customers for the provider of their record

    def marked(entry: Entry) -> None:
        if entry.op == "T":
            look_at_everything(tx, site)
            return
        if entry.table and entry.op in {"I", "D"}:
            ours.difference_update(site.pairs(entry.key))
        ours.update(_link_own_insert(tx, site, entry))

    away = vanished(tx, {route.provider for route in site.routes})
    stored = _Stored(tx, [*away, *(route.provider for route in site.routes)], site.state.tombstone_keys)
    changed = reasons(entries, stored, marked, followed=lambda entry: _name_of(entry) in moved_before)
    now = site.clock.now()
    for reason in ("changed", "inserted", "deleted"):
        keys = [key for key, why in changed.items() if why == reason]
        pairs = [pair for key in keys for pair in site.pairs(key)] + _of_the_vanished(tx, away, keys)
        work.mark(tx, [pair for pair in pairs if pair not in ours], reason, now)
    work.mark(tx, ours, "changed", now)
    ordered = [due.pair for key in replaced(entries) for due in work.of_customer(tx, key) if due.reason == "adopted"]
    work.mark(tx, ordered, "deleted", now)
    return set(changed)


def _of_the_vanished(tx: Transaction, away: Collection[str], keys: Sequence[str]) -> list[Pair]:
    """The pairs of these keys at providers that left the settings: when such a provider is back, only the marks tell
    whose a key is."""
    links = mapping.of_customers(tx, keys).values() if away else ()
    return [link.pair for found in links for link in found if link.pair.provider in away]


def own_insert(tx: Transaction, entry: Entry) -> tuple[Pair, Intent | None] | None:
    """The pair of a row that our inbound create inserted, at the provider of the record, and the intent of the insert
    while it is open. None for any other row."""
    ours = OUR_INSERT.match(entry.origin or "")
    if ours is None or entry.op != "I":
        return None
    number = int(ours["intent"])
    intent = next((each for each in journal.insert_intents(tx, ours["provider"]) if each.id == number), None)
    return Pair(ours["provider"], entry.key), intent


def _link_own_insert(tx: Transaction, site: Installation, entry: Entry) -> set[Pair]:
    """Link a row that we inserted to its remote, so that no look creates a second record. Answers the pair."""
    found = own_insert(tx, entry)
    if found is None:
        return set()
    pair, intent = found
    if intent is not None:
        if not mapping.by_external_id(tx, pair.provider, [intent.note]):
            now = site.clock.now()
            base = {name: FieldBase(each.sent, each.sent, pulled=True) for name, each in intent.fields.items()}
            mapping.save(tx, Link(pair, None, intent.note, {}, base, State.LINKED, now))
            work.mark(tx, [pair], "adopted", now)
        journal.close_intent(tx, intent.id)
    return {pair}


def look_at_everything(tx: Transaction, site: Installation) -> None:
    """Begin a new pass over every source row and every link: after a TRUNCATE, a reset or a recovery. A provider that
    is missing in the settings has a pass of its own once it is back."""
    names = {route.provider for route in site.routes}
    for name in sorted({*names, *vanished(tx, names)}):
        progress.save_provider_state(tx, name, backfilled=False)
        progress.set_cursor(tx, f"backfill:{name}", "")
        progress.set_cursor(tx, f"left:{name}", "")
    begin_anew(tx, [route.provider for route in site.routes])
    progress.set_cursor(tx, "verify:at", LONG_AGO)  # an empty one would mean a new state, and wait for a whole period
