"""The rules of a lane as a run completes them: what the settings say, what a person approved, which fields were mapped
since; and what changed settings change in the state."""

from __future__ import annotations

import json

from syncd.core.facts import Rules
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.store import journal, leases, mapping, progress
from syncd.store.agenda import has_backfill
from syncd.store.database import Transaction


def rules_now(tx: Transaction, site: Installation, route: Route) -> Rules:
    """The rules of the settings, completed by what the state knows: whether customers may be created, and which fields
    are mapped anew. A run, a plan and `explain` decide by these alone."""
    fresh = fresh_fields(tx, site, route.provider)
    again = repassed(tx, site, route.provider)
    return route.rules._replace(adopted=ready_to_create(tx, route), fresh=fresh, repassed=again)


def repassed(tx: Transaction, site: Installation, provider: str) -> bool:
    """Whether the settings changed, or have just changed, after the whole first pass was worked off."""
    if progress.meta(tx, f"repassed:{provider}"):
        return True
    over = progress.provider_state(tx, provider).backfilled and not has_backfill(tx, provider)
    return over and changed_settings(tx, site, provider) is not None


def ready_to_create(tx: Transaction, route: Route) -> bool:
    """Whether new customers may be created there: a person accepted a match report, or `create = "always"` as long as
    the state remembers what was created before (after a loss, `recover` asks for a match report again)."""
    if progress.meta(tx, f"adopted:{route.provider}"):
        return True
    return route.rules.adopted and not progress.meta(tx, f"rematch:{route.provider}")


def apply_changed_settings(site: Installation, provider: str, lease: leases.Lease) -> None:
    """Another column mapping drops that field's base, other rules make every pair due; both are planned and guarded."""
    with site.state.read() as tx:
        changed = changed_settings(tx, site, provider)
    if changed is None:
        return
    after = ""
    while changed:
        with site.state.fenced(lease) as tx:
            links = mapping.page(tx, provider, after, 200)
            for link in links:
                base = {field: entry for field, entry in link.base.items() if field not in changed}
                if len(base) < len(link.base):
                    mapping.save(tx, link._replace(base=base, version=None))
        if not links:
            break
        after = links[-1].pair.key
    with site.state.fenced(lease) as tx:
        journal.forget_fields(tx, provider, changed)
        progress.set_meta(tx, f"fresh:{provider}", json.dumps(sorted(fresh_fields(tx, site, provider))))
        wanted = json.dumps(dict(site.field_hashes.get(provider, {})), sort_keys=True)
        progress.set_meta(tx, f"fields:{provider}", wanted)
        config = site.config_hashes.get(provider, "")
        progress.set_meta(tx, f"repassed:{provider}", "1" if repassed(tx, site, provider) else "")
        progress.save_provider_state(tx, provider, config_hash=config, backfilled=False)
        progress.set_cursor(tx, f"backfill:{provider}", "")
        progress.set_cursor(tx, f"left:{provider}", "")


def changed_settings(tx: Transaction, site: Installation, provider: str) -> frozenset[str] | None:
    """Fields that are mapped to another column than before, or no longer; None when no setting of the provider has
    changed."""
    wanted = site.field_hashes.get(provider, {})
    before: dict[str, str] = json.loads(progress.meta(tx, f"fields:{provider}") or "{}")
    kept = progress.provider_state(tx, provider)
    if before == dict(wanted) and kept.config_hash == site.config_hashes.get(provider, ""):
        return None
    return frozenset(field for field, digest in before.items() if wanted.get(field) != digest)


def fresh_fields(tx: Transaction, site: Installation, provider: str) -> frozenset[str]:
    """Fields that were mapped, or mapped to another column, since the first pass: nothing was agreed for them yet."""
    wanted = site.field_hashes.get(provider, {})
    before: dict[str, str] = json.loads(progress.meta(tx, f"fields:{provider}") or "{}")
    known: list[str] = json.loads(progress.meta(tx, f"fresh:{provider}") or "[]")
    new = [name for name, digest in wanted.items() if before.get(name) != digest] if before else []
    return frozenset((*known, *new))
