"""`syncd provider rename` and `remove`: a provider got another name in the settings, or left them."""

from __future__ import annotations

from collections.abc import Collection

from syncd.errors import UsageError
from syncd.runtime.alone import alone
from syncd.store import providers
from syncd.store.database import State


def rename(state: State, old: str, new: str, configured: Collection[str]) -> dict[str, int]:
    """Give all rows of `old` to `new`; answers how many moved, by table. The settings have the new name already, or
    will have it before the next start.

    Rows without a link that a run has stored under the new name are deleted first. Raises `UsageError`, and changes
    nothing, where a name is wrong or both names have links.
    """
    if old == new:
        raise UsageError("both names are the same.", remedy="syncd status  # the names of all providers")
    if old in configured and new in configured:
        raise UsageError(
            f"the settings have both {old} and {new}: these are two providers.",
            remedy=f"take [providers.{old}] out of syncd.toml, then syncd provider rename {old} {new}",
        )
    with alone(state, f"syncd provider rename {old} {new}") as tx:
        moving, standing = providers.counts(tx, old), providers.counts(tx, new)
        if not moving:
            known = ", ".join(providers.linked(tx)) or "nothing"
            raise UsageError(f"the state knows no provider {old}; it knows {known}.", remedy="syncd doctor")
        if standing.get("linked") or standing.get("intent"):
            raise UsageError(
                f"{new} has {standing.get('linked', 0)} links of its own in the state: nothing was changed.",
                remedy=f"syncd links --provider {new}; if they may go: syncd provider remove {new}",
            )
        if moving.get("insert"):
            raise UsageError(
                f"{moving['insert']} new source rows from {old} are under way; they carry its name.",
                remedy=f"call it {old} in syncd.toml once more, syncd run-once, then rename it",
            )
        providers.remove(tx, new)
        providers.rename(tx, old, new)
    return moving


def remove(state: State, name: str, configured: Collection[str]) -> dict[str, int]:
    """Delete the rows of a provider that left the settings; answers how many, by table. The provider's records stay.

    Raises `UsageError` for a provider that the settings still have, or that the state does not know.
    """
    if name in configured:
        raise UsageError(
            f"the settings still have {name}: the next run would begin with it anew.",
            remedy=f"take [providers.{name}] out of syncd.toml, then syncd provider remove {name}",
        )
    with alone(state, f"syncd provider remove {name}") as tx:
        going = providers.counts(tx, name)
        if not going:
            known = ", ".join(providers.linked(tx)) or "nothing"
            raise UsageError(f"the state knows no provider {name}; it knows {known}.", remedy="syncd doctor")
        providers.remove(tx, name)
    return going
