"""Which process works on what: lanes, capture and verify are each held by one process at a time, by a lease with an
epoch.

Leases are remembered between cycles in `Installation.held`, so that an idle poll writes nothing.
"""

from __future__ import annotations

from math import ceil

from syncd.errors import LeaseHeld
from syncd.runtime.installation import Held, Installation
from syncd.store import leases
from syncd.store.keys import check_key
from syncd.store.migrate import check_revision

CAPTURE, VERIFY = "capture", "verify"
MEMBER = "member:"


def lane_name(provider: str) -> str:
    """The name of a lane's lease; it never equals the names of the leases on capture and verify."""
    return f"lane:{provider}"


def hold(site: Installation, name: str, *, any_key: bool = False) -> Held | None:
    """Our lease: the remembered one while it is young, else taken or extended now; None while another process holds
    it. Raises `SafetyStop` or `SetupNeeded` where the state was given another key or revision since this process
    opened it; `any_key` is for `recover`, which binds the state to a key."""
    held = site.held.get(name)
    now = site.clock.monotonic()
    if held is not None and now - held.renewed < site.lease / 3:
        return held
    try:
        with site.state.begin() as tx:
            lease = leases.acquire(tx, name, site.holder, site.lease, site.lease_clock(), sole=site.sole)
            if not any_key:
                check_key(tx, site.state.key, site.state.older, remember=False)
            check_revision(site.state, tx)
    except LeaseHeld:
        site.held.pop(name, None)
        return None
    same = held is not None and held.lease.epoch == lease.epoch
    site.held[name] = held._replace(renewed=now) if held is not None and same else Held(lease, now)
    return site.held[name]


def fair_share(site: Installation) -> int:
    """How many lanes this process may hold, so that lanes spread over all daemons that share the state.

    Each daemon holds a lease of its own as a sign of life; once a dead daemon's lease has run out, the others share its
    lanes.
    """
    if site.sole:
        return len(site.routes)
    name = MEMBER + site.holder
    if name not in site.held:
        with site.state.begin() as tx:
            leases.delete_expired(tx, MEMBER, site.lease_clock())
    hold(site, name)
    with site.state.read() as tx:
        members = leases.living(tx, MEMBER, site.lease_clock())
    return ceil(len(site.routes) / max(members, 1))


def keep(site: Installation, name: str) -> bool:
    """Extend our lease; False when another process took over."""
    held, now = site.held.get(name), site.clock.monotonic()
    if held is None:
        return False
    with site.state.begin() as tx:
        renewed = leases.renew(tx, held.lease, site.lease, site.lease_clock())
    if renewed:
        site.held[name] = held._replace(renewed=now)
    else:
        forfeit(site, name)
    return renewed


def forfeit(site: Installation, name: str) -> None:
    """Another process took over: forget our lease, however young it is, so that the next look asks the state again."""
    site.held.pop(name, None)


def give_back(site: Installation, names: frozenset[str] | None = None) -> None:
    """Give leases back at once (all of them without `names`), for the next process or another machine."""
    mine = [name for name in site.held if names is None or name in names]
    if not mine:
        return
    with site.state.begin() as tx:
        for name in mine:
            leases.release(tx, site.held[name].lease)
    for name in mine:
        site.held.pop(name, None)
