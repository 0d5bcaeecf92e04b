"""A lane's rules: the settings, completed by what the state knows (a match report that a person accepted, newly mapped
fields); and what a change of the settings changes in the state."""

from __future__ import annotations

import json

from syncd.core.facts import Rules
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.store import journal, leases, mapping, progress
from syncd.store.agenda import has_backfill
from syncd.store.database import Transaction


def rules_now(tx: Transaction, site: Installation, route: Route) -> Rules:
    """The rules of the settings, completed from the state: whether customers may be created, and which fields are newly
    mapped. A run, a plan and `explain` decide by these rules alone."""
    fresh = fresh_fields(tx, site, route.provider)
    again = repassed(tx, site, route.provider)
    return route.rules._replace(adopted=ready_to_create(tx, route), fresh=fresh, repassed=again)


def repassed(tx: Transaction, site: Installation, provider: str) -> bool:
    """Whether the settings changed after the first pass was worked off: guards then count the creates of the new
    pass."""
    if progress.meta(tx, f"repassed:{provider}"):
        return True
    over = progress.provider_state(tx, provider).backfilled and not has_backfill(tx, provider)
    return over and changed_settings(tx, site, provider) is not None


def ready_to_create(tx: Transaction, route: Route) -> bool:
    """Whether customers may be created there: a person accepted a match report, or the settings say `create =
    "always"`. The latter does not hold after a loss of the state: `recover` then asks for a match report."""
    if progress.meta(tx, f"adopted:{route.provider}"):
        return True
    return route.rules.adopted and not progress.meta(tx, f"rematch:{route.provider}")


def apply_changed_settings(site: Installation, provider: str, lease: leases.Lease) -> None:
    """Drop the base of each field that is mapped to another column, and begin a new first pass for any changed setting:
    every pair becomes due, and what follows passes the guards."""
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
    """Fields that are mapped to another column than before, or to none any more; None where no setting of the provider
    changed."""
    wanted = site.field_hashes.get(provider, {})
    before: dict[str, str] = json.loads(progress.meta(tx, f"fields:{provider}") or "{}")
    kept = progress.provider_state(tx, provider)
    if before == dict(wanted) and kept.config_hash == site.config_hashes.get(provider, ""):
        return None
    return frozenset(field for field, digest in before.items() if wanted.get(field) != digest)


def fresh_fields(tx: Transaction, site: Installation, provider: str) -> frozenset[str]:
    """Fields that were mapped, or mapped to another column, after the first pass: they have no base yet."""
    wanted = site.field_hashes.get(provider, {})
    before: dict[str, str] = json.loads(progress.meta(tx, f"fields:{provider}") or "{}")
    known: list[str] = json.loads(progress.meta(tx, f"fresh:{provider}") or "[]")
    new = [name for name, digest in wanted.items() if before.get(name) != digest] if before else []
    return frozenset((*known, *new))
