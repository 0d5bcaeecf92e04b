"""`syncd mark`: a webhook receiver says which records changed."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli.options import acted, config_option, json_option, logging_for, print_json, provider_named
from syncd.cli.output import echo


@click.command()
@click.argument("provider")
@click.argument("external_ids", nargs=-1, required=True, metavar="EXTERNAL_ID...")
@config_option
@json_option
def mark(provider: str, external_ids: tuple[str, ...], config: Path | None, *, as_json: bool) -> None:
    """Have these records of PROVIDER looked at now: what a webhook receiver calls.

    The notice itself is not believed: both sides are read. Records that no customer is linked to wait for the
    provider's next scan.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.clock import SystemClock
    from syncd.operate.mark import mark as note
    from syncd.store.server_clock import clock_of

    settings = logging_for(config)
    name = provider_named(settings, provider)
    state = open_settings_state(settings, create=False)
    try:
        marked = note(state, name, external_ids, clock_of(state, SystemClock()).now())
    finally:
        state.close()
    acted("mark", provider=name, count=len(marked.due))
    if as_json:
        print_json({"schema": 1, "provider": name, "due": len(marked.due), "unknown": list(marked.unknown)})
        return
    echo(f"{name}: {len(marked.due)} due now" + (", unless the daemon runs: syncd run-once" if marked.due else ""))
    if marked.unknown:
        listed = ", ".join(marked.unknown[:5]) + (", ..." if len(marked.unknown) > 5 else "")
        scans = next(each.provider.capabilities for each in settings.providers if each.name == name).lists
        waits = "wait for the next scan" if scans else "cannot be found by a scan: link them, syncd link"
        echo(f"{len(marked.unknown)} linked to nobody ({listed}): they {waits}")
