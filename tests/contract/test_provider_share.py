"""A provider's share of the state under another name, or gone: SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from syncd.core.model import FieldBase, Link, Pair, Verb
from syncd.core.model import State as Shown
from syncd.store import events, journal, leases, mapping, progress, providers, review, schema, tombstones, work
from syncd.store.database import State
from syncd.store.keys import digest_name, digest_names

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = b"a state key of at least 32 characters"
D = "0" * 32


def fill(state: State, name: str, key: str = "17") -> None:
    """Something of everything that a state can hold about a provider."""
    pair = Pair(name, key)
    with state.begin() as tx:
        mapping.save(tx, Link(pair, key, f"x-{key}", {}, {"city": FieldBase(D, D)}, Shown.LINKED, created_at=NOW))
        work.mark(tx, [pair], "changed", NOW)
        journal.open_intent(tx, pair, Verb.UPDATE, {}, 4, NOW, NOW)
        tombstones.bury(tx, KEY, name, "x-9", "9", "forgotten", NOW)
        tombstones.bury(tx, KEY, name, "x-8", "8", "removed", NOW)
        review.open_review(tx, name, key, "conflict", {}, "", NOW)
        progress.spend(tx, name, "update", 3, NOW)
        progress.set_cursor(tx, f"scan:{name}:at", "yesterday")
        progress.set_meta(tx, f"adopted:{name}", "1")
        lease = leases.acquire(tx, f"lane:{name}", "somebody", 90.0)
        leases.release(tx, lease)


def mentions(state: State, name: str) -> set[str]:
    """Tables with a row that names this provider."""
    found = set()
    with state.read() as tx:
        for table in schema.metadata.sorted_tables:
            for column in ("provider", "name"):
                if column in table.c:
                    texts = [str(text) for text in tx.execute(sa.select(table.c[column])).scalars()]
                    if any(name in text.split(":") for text in texts):
                        found.add(table.name)
    return found


def test_everything_follows_a_renamed_provider(state: State) -> None:
    """No table keeps the old name but for the one fact that keeps a newcomer under it apart."""
    fill(state, "billbee")
    had = mentions(state, "billbee")
    with state.begin() as tx:
        before = providers.counts(tx, "billbee")
        providers.rename(tx, "billbee", "billbee-at")

        assert providers.counts(tx, "billbee-at") == before
        assert progress.cursor(tx, "scan:billbee-at:at") == "yesterday"
        assert mapping.counts(tx)["billbee-at"][Shown.LINKED] == 1
    assert mentions(state, "billbee-at") == had
    assert mentions(state, "billbee") == {"meta"}


def test_tombstones_of_a_renamed_provider_still_tell(state: State) -> None:
    """Digests keep the old name inside, so nobody who was erased comes back under the new one."""
    fill(state, "billbee")
    with state.begin() as tx:
        providers.rename(tx, "billbee", "billbee-at")

        assert tombstones.buried(tx, KEY, "billbee-at", external_id="x-9")
        assert tombstones.buried(tx, KEY, "billbee-at", key="9")
        assert tombstones.buried_ids(tx, KEY, "billbee-at", ["x-8", "x-7"]) == {"x-8"}


def test_who_was_erased_under_the_new_name_before_the_rename_stays_erased(state: State) -> None:
    """The settings had the new name first, and a person was forgotten: the rename leaves his tombstone readable, there
    and back again."""
    fill(state, "billbee")
    with state.begin() as tx:
        tombstones.bury(tx, KEY, "main", None, "23", "forgotten", NOW)
        tombstones.bury_carriers(tx, KEY, "main", "K23", "forgotten", NOW)
        providers.remove(tx, "main")
        for old, new in (("billbee", "main"), ("main", "billbee"), ("billbee", "third")):
            providers.rename(tx, old, new)
            assert tombstones.buried(tx, KEY, new, key="23")
            assert tombstones.buried(tx, KEY, new, our_key="K23")
            assert set(tombstones.buried_keys(tx, KEY, new, ["23", "9", "24"])) == {"23", "9"}
            assert not tombstones.buried(tx, KEY, old, key="23")
        assert tombstones.exhume(tx, KEY, "third", key="23")
        assert not tombstones.buried(tx, KEY, "third", key="23")


def test_a_newcomer_under_a_free_name_meets_nothing_of_its_predecessor(state: State) -> None:
    """A second account that takes the old name has digests of its own, there and back again."""
    fill(state, "billbee")
    with state.begin() as tx:
        providers.rename(tx, "billbee", "billbee-at")
        assert not tombstones.buried(tx, KEY, "billbee", external_id="x-9")
        assert digest_names(tx)["billbee-at"] == "billbee"
        other = digest_name(tx, "billbee")
        providers.rename(tx, "billbee-at", "billbee")

        assert digest_name(tx, "billbee") == "billbee"
        assert len({other, digest_name(tx, "billbee-at"), "billbee", "billbee-at"}) == 4


def test_a_removed_provider_leaves_only_the_tombstones_of_the_erased(state: State) -> None:
    """Whoever was forgotten stays forgotten when a provider of that name comes back, and nothing is created there
    before a match report: its links were forgotten. Another's rows are not touched, and a provider that gets the free
    name by a rename brings links of its own."""
    fill(state, "billbee")
    fill(state, "aiotic")
    with state.begin() as tx:
        kept = providers.counts(tx, "aiotic")
        providers.remove(tx, "billbee")

        assert providers.counts(tx, "billbee") == {"tombstone": 1}
        assert providers.counts(tx, "aiotic") == kept
        assert tombstones.buried(tx, KEY, "billbee", external_id="x-9")
        assert events.events(tx, "17") == []
    assert mentions(state, "billbee") == {"tombstone", "meta"}
    with state.begin() as tx:
        providers.remove(tx, "billbee")
        assert providers.is_outdated(tx, "billbee", 0.0)
        providers.rename(tx, "aiotic", "billbee")
        assert not providers.is_outdated(tx, "billbee", 0.0)


def test_a_name_that_is_part_of_another_is_another(state: State) -> None:
    """`billbee` is neither `billbee-at` nor `not-billbee`, and the sweep's own positions are nobody's."""
    fill(state, "billbee-at")
    with state.begin() as tx:
        progress.set_cursor(tx, "verify:at", "then")
        kept = providers.counts(tx, "billbee-at")
        providers.remove(tx, "billbee")
        providers.remove(tx, "at")

        assert providers.counts(tx, "billbee-at") == kept
        assert progress.cursor(tx, "verify:at") == "then"
        assert progress.cursor(tx, "scan:billbee-at:at") == "yesterday"
