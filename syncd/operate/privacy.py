"""`syncd doctor --gdpr`: which provider gets which fields, what is stored where and for how long.

The answers come from the settings alone: no database is opened and no provider is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from syncd.core.model import Direction
from syncd.settings.model import ProviderSettings, Settings
from syncd.store.events import KEPT_A_PAIR, KEPT_RUNS
from syncd.store.progress import BUDGET_DAYS

Directions = Callable[[ProviderSettings, set[str]], Mapping[str, Direction]]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One provider: its address, the fields sent to it (`sent`) and taken from it (`taken`), and what happens to its
    record when the customer is deleted in the source."""

    provider: str
    server: str
    sent: tuple[str, ...]
    taken: tuple[str, ...]
    on_delete: str


@dataclass(frozen=True, slots=True)
class Store:
    """A place where data about people is stored: where, which data, and for how long."""

    what: str
    where: str
    holds: str
    kept: str


def recipients(settings: Settings, directions: Directions) -> list[Recipient]:
    """Each provider and the fields it gets. A composed field is named as the provider's adapter names it."""
    found = []
    for wanted in settings.providers:
        can, mapped = wanted.provider.capabilities.fields, set(settings.source.fields)
        allowed = directions(wanted, mapped | set(can))
        both = {name: way for name, way in allowed.items() if name in can}
        sent = tuple(sorted(name for name, way in both.items() if way in {Direction.BOTH, Direction.PUSH}))
        taken = tuple(sorted(n for n, way in both.items() if way in {Direction.BOTH, Direction.PULL} and n in mapped))
        extra = tuple(sorted(f"{field} as {member}" for member, field in wanted.extra.items()))
        server = urlsplit(wanted.url).hostname or wanted.url
        written = taken if settings.source.write else ()
        found.append(Recipient(wanted.name, server, sent + extra, written, wanted.on_delete.value))
    return found


def stores(settings: Settings) -> list[Store]:
    """All places where syncd stores data about people. No table holds a value: fields are keyed digests."""
    state = settings.state.url.rpartition("@")[2].rpartition("//")[2]
    log = settings.log.file or "standard error (the journal)"
    kept = [
        Store(
            "links",
            f"{state}: mapping",
            "customer key, ids over there, digests of fields",
            "until unlinked or forgotten",
        ),
        Store("due customers", f"{state}: work, intent", "customer key, field names, digests", "until done"),
        Store("questions", f"{state}: review", "customer key, field names, digests", "until forgotten"),
        Store("history", f"{state}: event", "customer key, field names", f"the last {KEPT_A_PAIR} of each pair"),
        Store("erased people", f"{state}: tombstone", "digests of key and id", "for good: they keep him away"),
        Store("runs", f"{state}: run", "counts, nobody", f"the last {KEPT_RUNS}"),
        Store("budgets", f"{state}: budget", "counts, nobody", f"{BUDGET_DAYS} days"),
        Store("change log", f"the source, beside {settings.source.table}", "customer key", "until the next poll"),
        Store("log", log, "customer key or its alias, field names", "as your log rotation says"),
    ]
    if settings.log.status_page:
        whom = "keys of those in trouble, or their aliases"
        kept.append(Store("status page", settings.log.status_page, whom, "until the next one"))
    return kept
