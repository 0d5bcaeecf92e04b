"""Which records of a listing carry which of our keys, in little memory.

A first load holds this from its first customer to its last. As a dictionary of texts every customer leaves three
small objects among all that comes and goes, so that the memory around them is never given back: 750 bytes a customer
were measured. Here each leaves one line in one of a thousand buffers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from syncd.core.model import Remote

Keys = tuple[bytearray, ...]
BUFFERS = 1024


def by_key(remotes: Iterable[Remote]) -> Keys:
    """External ids by our key, of records that carry one."""
    keys = tuple(bytearray(b"\n") for _ in range(BUFFERS))
    for remote in remotes:
        add(keys, remote)
    return keys


def add(keys: Keys, remote: Remote) -> None:
    """One more record, if it carries a key."""
    if remote.key is not None:
        buffer, begin = _place(keys, remote.key)
        buffer += begin + json.dumps(remote.external_id).encode() + b"\n"


def ids(keys: Keys, our_key: str) -> tuple[str, ...]:
    """The external ids of the records that carry this key, in the order of the listing."""
    buffer, begin = _place(keys, our_key)
    found, at = [], buffer.find(b"\n" + begin)
    while at >= 0:
        end = buffer.index(b"\n", at + 1)
        found.append(json.loads(buffer[at + 1 + len(begin) : end]))
        at = buffer.find(b"\n" + begin, end)
    return tuple(found)


def _place(keys: Keys, our_key: str) -> tuple[bytearray, bytes]:
    """Where a key's lines are, and how each begins; JSON holds no line end."""
    return keys[hash(our_key) % len(keys)], json.dumps(our_key).encode() + b" "
