"""From the change log to due pairs: marks are durable in the state first, then the log's rows are acknowledged.

A row of the log is a mark and never an event: repeated or reordered rows do no harm. Each row is deleted by its own
number.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from syncd.detect import fence
from syncd.detect.marks import Marks, read, store
from syncd.detect.ownership import rekeys
from syncd.errors import LeaseLost
from syncd.log import emit
from syncd.runtime.installation import Installation
from syncd.runtime.leadership import CAPTURE, forfeit, hold
from syncd.source import changelog, snapshot, timestamps
from syncd.source.changelog import Batch, Entry
from syncd.source.pointing import customer_marks
from syncd.source.snapshot import Changes
from syncd.store import progress, work
from syncd.store.database import Transaction
from syncd.store.leases import Lease

REKEYED = "capture.rekeyed"
ALL = 1_000_000_000


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
        fence.watch_fence(site)
        return Captured()
    try:
        return _consume(site, held.lease) if _has_triggers(site) else _follow(site, held.lease)
    except LeaseLost:
        forfeit(site, CAPTURE)
        raise


def unread(site: Installation) -> Marks:
    """What the next capture would find, for `syncd plan`: nothing is stored or acknowledged. Raises `SafetyStop` where
    a run would."""
    if _has_triggers(site):
        batch = changelog.read(site.source, ALL)
        fence.require_whole(site, batch)
        entries, restart = batch.entries, False
    else:
        changes = _changes(site)
        entries, restart = changes.entries, bool(changes.restart)
    marks = customer_marks(site.source, entries)
    with site.state.read() as tx:
        return read(tx, site, marks, count().__next__, restart=restart)


def _has_triggers(site: Installation) -> bool:
    return site.source.config.change_log == "triggers"


def _consume(site: Installation, lease: Lease) -> Captured:
    owner = fence.identity(site)
    rows, keys = 0, set[str]()
    while not site.stop.is_set():
        batch = changelog.read(site.source, fence.BATCH)
        if not batch.entries and not batch.owner:
            changelog.claim(site.source, owner)
            batch = changelog.read(site.source, fence.BATCH)
        fence.check_fence(site, batch, owner)
        if not batch.entries:
            break
        marks = customer_marks(site.source, batch.entries)
        with site.state.fenced(lease) as tx:
            keys |= _mark(tx, site, marks, _moved_before(tx, batch))
            progress.set_meta(tx, fence.EXPECTED, fence.promise(batch))
            moves = [_name_of(entry) for entry in marks if rekeys(entry)]
            progress.set_meta(tx, REKEYED, " ".join([str(batch.acks), *moves]) if moves else "")
        changelog.acknowledge(site.source, batch, owner)
        rows += len(batch.entries)
        if len(batch.entries) < fence.BATCH:
            break
    if rows:
        emit("capture.acknowledged", rows=rows, changes=len(keys))
    return Captured(rows, len(keys))


def _follow(site: Installation, lease: Lease) -> Captured:
    """The modes `snapshot` and `updated_at`: read from a cursor, make the marks and move the cursor in one transaction
    of the state."""
    changes = _changes(site)
    marks = customer_marks(site.source, changes.entries)
    with site.state.fenced(lease) as tx:
        keys = _mark(tx, site, marks, restart=bool(changes.restart))
        progress.set_cursor(tx, _cursor(site), changes.cursor)
    return Captured(len(changes.entries), len(keys))


def _changes(site: Installation) -> Changes:
    with site.state.read() as tx:
        cursor = progress.cursor(tx, _cursor(site))
    by_rows = site.source.config.change_log == "snapshot"
    return snapshot.read(site.source, cursor) if by_rows else timestamps.read(site.source, cursor)


def _cursor(site: Installation) -> str:
    return f"capture.{site.source.config.change_log}"


def _mark(
    tx: Transaction,
    site: Installation,
    entries: Sequence[Entry],
    moved_before: frozenset[str] = frozenset(),
    *,
    restart: bool = False,
) -> frozenset[str]:
    def followed(entry: Entry) -> bool:
        return _name_of(entry) in moved_before

    marks = read(tx, site, entries, lambda: work.next_generation(tx), followed, restart=restart)
    store(tx, site, marks)
    return marks.customers


def _name_of(entry: Entry) -> str:
    return f"{entry.seq}:{fence.checksum(entry)}"


def _moved_before(tx: Transaction, batch: Batch) -> frozenset[str]:
    """Changed keys of this batch that were followed before a crash kept the batch from being acknowledged. A mark may
    be repeated, but a swap of keys that is followed twice gives each customer the other's record."""
    acks, *moves = (progress.meta(tx, REKEYED) or "-").split()
    return frozenset(moves) if acks == str(batch.acks) else frozenset()
