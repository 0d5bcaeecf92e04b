"""What is kept of a listing of any length: the external ids of its records, and our keys on them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from syncd.core.model import Remote
from syncd.core.packed import Packed


@dataclass(frozen=True, slots=True)
class Keys:
    """External ids by our key, of records that carry one. A lane holds this for a whole cycle, and its threads add the
    records that they create. `began`: when the listing began; it proves nothing about a create of ours that settled
    later."""

    began: datetime | None = None
    packed: Packed = field(default_factory=Packed)
    lock: Lock = field(default_factory=Lock)

    def add(self, remotes: Iterable[Remote]) -> None:
        """Add records; records without a key of ours are left out."""
        with self.lock:
            for remote in remotes:
                if remote.key is not None:
                    self.packed.add(remote.key, json.dumps(remote.external_id).encode())

    def ids(self, our_key: str) -> tuple[str, ...]:
        """The external ids of the records that carry this key, in the order of the listing."""
        return tuple(json.loads(external_id) for external_id in self.packed.of(our_key))


def by_key(remotes: Iterable[Remote], began: datetime | None = None) -> Keys:
    """The keys of a listing."""
    keys = Keys(began)
    keys.add(remotes)
    return keys


@dataclass(frozen=True, slots=True)
class Shown:
    """The external ids that the pages of a listing have shown so far. `double`: records in use whose key another record
    carries too."""

    seen: Packed = field(default_factory=Packed)
    archived: Packed = field(default_factory=Packed)
    carriers: Keys = field(default_factory=Keys)
    double: set[str] = field(default_factory=set)

    def __contains__(self, external_id: object) -> bool:
        return external_id in self.seen

    def in_use(self, external_id: str) -> bool:
        """Whether this record was shown, and is not archived."""
        return external_id in self.seen and external_id not in self.archived

    def fresh(self, remotes: Iterable[Remote]) -> list[Remote]:
        """Add a page. Answers its records that no page showed before."""
        return [remote for remote in remotes if self._take(remote)]

    def _take(self, remote: Remote) -> bool:
        if remote.external_id in self.seen:
            return False
        self.seen.add(remote.external_id)
        if remote.archived:
            self.archived.add(remote.external_id)
        if remote.key is not None and not remote.archived:
            if first := self.carriers.ids(remote.key):
                self.double.update(first, [remote.external_id])
            else:
                self.carriers.add([remote])
        return True
