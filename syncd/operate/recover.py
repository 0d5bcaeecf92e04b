"""`syncd recover`: find out what differs after a restore, a clone, a lost state or a lost key, and go on without
damage.

A restored source may have lost customers: their records stay at the provider, unlinked and under a tombstone. A
restored state may have lost links: nothing is created before a match report is accepted again. Then every row and link
is looked at once more, behind the guards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from syncd.core.model import Link, Pair, Verb
from syncd.detect.fence import EXPECTED, OWNER, fence_trouble, identity, promised
from syncd.detect.resync import look_at_everything
from syncd.detect.unseen import KEY_COLUMN, key_column, mark_successors, require_same_key, unrecognised
from syncd.detect.walks import linked
from syncd.engine.worker import release_lanes
from syncd.errors import LeaseHeld, SafetyStop, UsageError
from syncd.reconcile import Route
from syncd.reconcile.route import hidden_key
from syncd.runtime.installation import Installation
from syncd.runtime.leadership import CAPTURE, VERIFY, hold, lane_name
from syncd.source import changelog, customers
from syncd.store import journal, mapping, progress, review, tombstones, work
from syncd.store.database import Transaction
from syncd.store.keys import key_is_known, replace_key
from syncd.store.providers import ask_for_report, vanished

ROWS = 200
RESTORED = "absent after a restore"


class Loss(StrEnum):
    """Which side was restored or replaced, by what the fence shows."""

    NONE = "none"
    OWNER = "owner"  # another state consumed this log: a new or cloned state, or a restored source
    RESET = "reset"  # the fence in the source is new while the state is not
    SOURCE = "source-older"
    STATE = "state-older"
    KEY = "key"  # the customers' key is another column than before


DOUBTED = frozenset({Loss.STATE, Loss.OWNER, Loss.KEY})  # new creates wait for a match report
MEANINGS = {
    Loss.NONE: "source and state belong together.",
    Loss.OWNER: "the change log was consumed by another state: this state is new or a copy, or the source is.",
    Loss.RESET: "the source's change log is new while the state is not: the source was replaced or set up again.",
    Loss.SOURCE: "the source went back to an earlier day.",
    Loss.STATE: "the state went back to an earlier day.",
    Loss.KEY: "[source] key is another column than before: the state knows no customer by it.",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What differs. `acks` is the number of acknowledgements by the source, `expected` the number by the state.

    `linked` and `absent` count, by provider, the linked customers, and the linked customers without a row.
    """

    loss: Loss
    key_lost: bool
    acks: int
    expected: int
    linked: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)

    @property
    def in_order(self) -> bool:
        return self.loss is Loss.NONE and not self.key_lost


def diagnose(site: Installation) -> Findings:
    """Compare both sides. Changes nothing."""
    with site.state.read() as tx:
        owner, raw = progress.meta(tx, OWNER), progress.meta(tx, EXPECTED)
        key_lost = not key_is_known(tx, site.state.key, site.state.older)
    loss, acks, expected = Loss.NONE, 0, promised(raw)
    if site.source.config.change_log == "triggers":
        batch = changelog.read(site.source)
        acks = batch.acks
        if fence_trouble(batch, owner, raw):
            loss = _which(batch.owner, owner, acks, expected)
    try:
        require_same_key(site)
    except SafetyStop:
        loss = Loss.KEY
    findings = Findings(loss, key_lost, acks, expected)
    if findings.in_order:
        return findings
    for route in site.routes:
        links = list(linked(site, route.provider))
        findings.linked[route.provider] = len(links)
        findings.absent[route.provider] = sum(len(gone) for gone in _absent(site, links))
    return findings


def _which(theirs: str, ours: str, acks: int, expected: int) -> Loss:
    if theirs and theirs != ours:
        return Loss.OWNER
    if not theirs:
        return Loss.RESET
    return Loss.SOURCE if acks < expected else Loss.STATE


def recover(site: Installation, findings: Findings) -> None:
    """Go on with both sides as they are now, after a person confirmed it. May be repeated after a crash.

    Raises `LeaseHeld` while a daemon runs, `SafetyStop` where the source is empty although customers are linked, and
    `UsageError` while a provider of the state is missing in the settings: its links would not be looked at, and once it
    is back nothing would say so.
    """
    _complete(site)
    _alone(site)
    if any(findings.linked.values()) and customers.count(site.source) == 0:
        raise SafetyStop("the source is empty, but customers are linked.", remedy="check [source] url and table")
    if findings.key_lost:
        with site.state.begin() as tx:
            replace_key(tx, site.state.key)
    if findings.loss in {Loss.SOURCE, Loss.RESET, Loss.OWNER}:
        for route in site.routes:
            _let_go(site, route)
    if findings.loss is Loss.KEY:
        for route in site.routes:
            _unlink_unrecognised(site, route)
    with site.state.begin() as tx:
        if findings.loss in DOUBTED:
            _distrust(tx, site)
        look_at_everything(tx, site)
        for route in site.routes:
            for name in (f"scan:{route.provider}", f"scan:{route.provider}:at", f"reread:{route.provider}:at"):
                progress.set_cursor(tx, name, "")
    if findings.loss is not Loss.NONE and not findings.key_lost:  # without the key all look alike
        for route in site.routes:
            mark_successors(site, route)
    if site.source.config.change_log == "triggers":
        acks = changelog.seize(site.source, identity(site))
        with site.state.begin() as tx:
            progress.set_meta(tx, EXPECTED, str(acks))
    with site.state.begin() as tx:
        progress.set_meta(tx, KEY_COLUMN, key_column(site))
    release_lanes(site, site.routes)


def _complete(site: Installation) -> None:
    with site.state.read() as tx:
        away = vanished(tx, {route.provider for route in site.routes})
    for name in away:
        raise UsageError(
            f"{name} is in the state and not in the settings; nothing was changed. Put it back, or remove it for good.",
            remedy=f"syncd provider remove {name}",
        )


def _alone(site: Installation) -> None:
    names = [CAPTURE, VERIFY, *(lane_name(route.provider) for route in site.routes)]
    if any(hold(site, name, any_key=True) is None for name in names):
        release_lanes(site, site.routes)
        raise LeaseHeld("a daemon works on this state.", remedy="stop it, then syncd recover --yes")


def _absent(site: Installation, links: Sequence[Link]) -> Iterator[list[Link]]:
    for start in range(0, len(links), ROWS):
        chunk = links[start : start + ROWS]
        rows = customers.read(site.source, [link.pair.key for link in chunk])
        yield [
            link
            for link in chunk
            if link.pair.key not in rows and not customers.presence(site.source, link.pair.key).in_table
        ]


def _let_go(site: Installation, route: Route) -> None:
    """Unlink customers that the source does not have any more, under a tombstone; their records stay at the provider.

    Otherwise a new row under such a key would overwrite that customer's record, and the restore would count as a
    deletion.
    """
    links = [*linked(site, route.provider), *_coming(site, route)]
    for gone in _absent(site, links):
        with site.state.begin() as tx:
            for link in gone:
                grave = (link.pair.provider, link.external_id, link.pair.key, RESTORED)
                tombstones.bury(tx, site.state.tombstone_keys, *grave, site.clock.now())
                our_key = hidden_key(route, link) if link.external_id is not None else link.provider_key
                if our_key:
                    tombstones.bury_carriers(
                        tx, site.state.tombstone_keys, route.provider, our_key, RESTORED, site.clock.now()
                    )
                _drop(tx, link.pair, site)


def _unlink_unrecognised(site: Installation, route: Route) -> None:
    """Unlink customers that cannot be recognised for sure by the keys of another column. Their records stay as they
    are, for the next match report, and no customer counts as deleted."""
    for strangers in unrecognised(site, route):
        with site.state.begin() as tx:
            for link in strangers:
                _drop(tx, link.pair, site)


def _coming(site: Installation, route: Route) -> list[Link]:
    """Customers with a create of unknown outcome, whose record will carry our key."""
    with site.state.read() as tx:
        keys = [intent.pair.key for intent in journal.unknown_creates(tx, route.provider)]
        links = mapping.read_many(tx, route.provider, keys).values()
    made = [link for link in links if link.external_id is None and link.provider_key is not None]
    return [link for link in made if route.adapter.key_fits(link.provider_key or "")]


def _drop(tx: Transaction, pair: Pair, site: Installation) -> None:
    journal.close_all(tx, [pair])
    review.close_reviews(tx, pair.provider, pair.key, None, site.clock.now(), "recovered")
    mapping.unlink(tx, pair)
    work.drop(tx, pair)


def _distrust(tx: Transaction, site: Installation) -> None:
    """The state may have lost links: new creates wait for a match report, and old intents are closed, because the
    records may have changed since. Creates of unknown outcome stay open, and settle first."""
    for route in site.routes:
        progress.set_meta(tx, f"adopted:{route.provider}", "")
        ask_for_report(tx, route.provider)
        journal.close_provider_intents(tx, route.provider, [verb for verb in Verb if verb is not Verb.CREATE])
        journal.settle_anew(tx, route.provider, route.later(route.timeout + route.settle))
