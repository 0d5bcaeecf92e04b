"""The fence: source and state each remember the last acknowledge of the change log. It tells a restored or cloned
database from an interrupted acknowledge."""

from __future__ import annotations

import math
import zlib

from syncd.errors import SafetyStop
from syncd.runtime.installation import Installation
from syncd.source import changelog
from syncd.source.changelog import Batch, Entry
from syncd.store import progress

BATCH = 1000
"""Rows of the change log that are read, marked and acknowledged at once."""
EXPECTED = "fence.expected_acks"
OWNER = "fence.owner"


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
    """As `require_whole`; a source without an owner becomes ours."""
    require_whole(site, batch)
    if not batch.owner:
        changelog.claim(site.source, owner)


def require_whole(site: Installation, batch: Batch) -> None:
    """Compare what source and state remember of the last acknowledge. An interrupted acknowledge is normal; any other
    difference is a restore, and raises `SafetyStop`."""
    with site.state.read() as tx:
        owner, expected = progress.meta(tx, OWNER), progress.meta(tx, EXPECTED)
    trouble = fence_trouble(batch, owner, expected)
    if trouble:
        raise SafetyStop(trouble, remedy="syncd recover")


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
    return f"{batch.acks + 1} {first.seq} {checksum(first)} {last.seq} {checksum(last)}"


def checksum(entry: Entry) -> int:
    """Tells rows of the same number apart: a source that was restored gives the numbers again, to other customers."""
    return zlib.crc32(entry.key.encode("utf-8", "replace"))


def promised(expected: str) -> int:
    """The count of acknowledges as the state remembers it."""
    return int(expected.split(maxsplit=1)[0]) if expected else 0


def _rows_are_there(batch: Batch, expected: str) -> bool:
    """Whether the log still holds the rows of the last acknowledge: then the acknowledge was interrupted. A source that
    was restored to an earlier moment has none of these rows, or gave their numbers to other customers. Rows that
    committed late may stand before them, so a full batch need not reach them."""
    words = [int(word) for word in expected.split()[1:]]
    there = {entry.seq: checksum(entry) for entry in batch.entries}
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
