"""`syncd sync KEY`: one customer at every provider, now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.exits import OK, PERSON, RETRY, SAFETY, UNREACHABLE, Exit, worst
from syncd.cli.options import Duration, config_option, json_option, logging_for, print_json, provider_named, stopping
from syncd.cli.output import echo
from syncd.cli.run import DONE

if TYPE_CHECKING:
    from syncd.engine.run import Installation, Result
    from syncd.settings import Settings

ENDED: Mapping[str, int] = {
    "staged": SAFETY,
    "deferred": UNREACHABLE,
    "paused": PERSON,
    "review": PERSON,
    "rejected": PERSON,
    "dead": PERSON,
    "waiting": PERSON,
    "retry": RETRY,
    "ambiguous": RETRY,
    "again": RETRY,
}


@click.command()
@config_option
@json_option
@click.argument("key")
@click.option("--provider", "names", multiple=True, help="Only this provider; may be given several times.")
@click.option("--wait", type=Duration(), default="30s", show_default=True, help="For retries and pauses that end soon.")
def sync(config: Path | None, *, as_json: bool, key: str, names: tuple[str, ...], wait: float) -> None:
    """Bring one customer into agreement now. KEY is its key in the source, or its customer number.

    Beside a running daemon the customer is made due, and the daemon works on it within seconds.
    """
    from syncd.bootstrap import installation
    from syncd.detect.unseen import require_triggers
    from syncd.errors import LeaseHeld
    from syncd.operate.sync_one import sync_customer

    settings = logging_for(config)
    chosen = frozenset(provider_named(settings, name) for name in names)
    try:
        with stopping() as stop, installation(settings, stop=stop) as site:
            require_triggers(site)
            customer = resolved(site, key)
            result = sync_customer(site, customer, chosen, wait)
            states = _left(site, customer, chosen)
    except LeaseHeld:
        _left_to_daemon(settings, key, chosen, as_json=as_json)
        return
    _tell_sync(customer, result, states, as_json=as_json)


def resolved(site: Installation, key: str) -> str:
    """The key of the customer that KEY names, as the source spells it: a row with this key, else one with this customer
    number. Raises `UsageError` for neither."""
    from syncd.cli.naming import meant
    from syncd.errors import UsageError
    from syncd.operate.explain import find_customer

    found = find_customer(site, meant(key, site.state, site.source))
    if found is None:
        raise UsageError(f"neither the source nor the state knows a customer {key}", remedy="syncd status")
    return found


def _left(site: Installation, key: str, chosen: frozenset[str]) -> dict[str, tuple[str, str]]:
    """For each provider, a word of `ENDED` for what is left to do after the look ("" for nothing), and the reason."""
    from syncd.core.model import State
    from syncd.operate.status import condition_of
    from syncd.store import mapping, progress, work

    shown = {State.REJECTED: "rejected", State.DEAD: "dead", State.REVIEW: "review", State.AMBIGUOUS: "ambiguous"}
    left: dict[str, tuple[str, str]] = {}
    with site.state.read() as tx:
        for link in mapping.of_customer(tx, key):
            left[link.pair.provider] = (shown.get(link.state, ""), "")
        for item in work.of_customer(tx, key):
            kept = progress.provider_state(tx, item.pair.provider)
            left[item.pair.provider] = _still_due(item.error_class, condition_of(kept, site.clock.now())), item.error
    return {name: why for name, why in left.items() if not chosen or name in chosen}


def _still_due(error_class: str, condition: tuple[str, str, object]) -> str:
    """The word of `ENDED` for a pair that is due or waits for its time."""
    from syncd.status.report import is_failure

    if error_class.startswith("staged:"):
        return "staged"
    if error_class == "adopt":
        return "waiting"
    if condition[0] == "paused":
        return "paused"
    if error_class == "OutcomeUnknown":
        return "ambiguous"
    if is_failure(error_class):
        return "retry"
    return "again" if error_class else "deferred"


def _tell_sync(key: str, result: Result, states: Mapping[str, tuple[str, str]], *, as_json: bool) -> None:
    from syncd.cli.naming import about, whom
    from syncd.status.remedies import quoted

    did = {
        name: "+".join(kind for kind in counts if kind in DONE or kind == "excluded")
        for name, counts in result.counts.items()
    }
    code = worst(ENDED.get(word, OK) for word, _ in states.values())
    rows = {name: did.get(name) or "unchanged" for name in {*did, *states}}
    if as_json:
        answer = [{"provider": n, "did": rows[n], "left": states.get(n, ("", ""))[0]} for n in sorted(rows)]
        print_json({"schema": 1, "customer_key": whom(key), "exit_code": code, "providers": answer})
        raise Exit(code)
    for name in sorted(rows):
        word, why = states.get(name, ("", ""))
        echo(f"{name:20} {word or rows[name]}" + (f": {about(why, key)}" if why and why != word else ""))
    if code:
        echo(f"next:  syncd explain {quoted(whom(key))}")
    raise Exit(code)


def _left_to_daemon(settings: Settings, key: str, chosen: frozenset[str], *, as_json: bool) -> None:
    from syncd.bootstrap import installation
    from syncd.cli.naming import whom
    from syncd.operate.sync_one import mark_customer
    from syncd.status.remedies import quoted

    with installation(settings, exclusive=False) as site:
        customer = resolved(site, key)
        number = mark_customer(site, customer, chosen)
    if as_json:
        print_json({"schema": 1, "customer_key": whom(customer), "exit_code": OK, "marked": number})
        return
    echo(f"customer {whom(customer)} is due at {number} providers; the running daemon does it within seconds")
    echo(f"next:  syncd explain {quoted(whom(customer))}")
