"""`syncd links` and `syncd history KEY`: the external ids for the shop's own use, and one customer's past."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.options import config_option, json_option, print_json, settings_for, table
from syncd.cli.output import echo, json_text

if TYPE_CHECKING:
    from syncd.core.model import Link

HEADER = ("customer_key", "provider", "external_id", "external_ids", "state", "since")


@click.command()
@config_option
@click.option("--provider", "names", multiple=True, help="Only this provider; may be given several times.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
def links(config: Path | None, *, names: tuple[str, ...], form: str) -> None:
    """Every link, on stdout: customer key, provider, external id, all ids, state, since when. No values.

    Providers that are no longer in the settings are listed too, as long as the state knows them.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.errors import UsageError
    from syncd.operate.links import linked
    from syncd.store import progress

    settings = settings_for(config)
    state = open_settings_state(settings, create=False)
    try:
        with state.read() as tx:
            known = list(dict.fromkeys([*(each.name for each in settings.providers), *progress.provider_states(tx)]))
        strangers = [name for name in names if name not in known]
        if strangers:
            raise UsageError(f"no provider is called {strangers[0]}; known: {', '.join(known)}", remedy="syncd status")
        found = linked(state, [name for name in known if not names or name in names])
        _csv(found) if form == "csv" else _json(found)
    finally:
        state.close()


def _csv(found: Iterable[Link]) -> None:
    from syncd.cli.spreadsheet import cell

    writer = csv.writer(sys.stdout)
    writer.writerow(HEADER)
    for link in found:
        row = _row(link)
        ids = json.dumps(row["external_ids"], ensure_ascii=False, sort_keys=True)
        writer.writerow([cell(str(value or "")) for value in (row | {"external_ids": ids}).values()])
    sys.stdout.flush()


def _json(found: Iterable[Link]) -> None:
    """One JSON document, written link by link: the memory does not grow with the number of links."""
    echo('{"schema": 1, "links": [', nl=False)
    for number, link in enumerate(found):
        echo("," if number else "", json_text(_row(link)), nl=False)
    echo("", "]}")


def _row(link: Link) -> dict[str, Any]:
    from syncd.status.shape import iso

    return {
        "customer_key": link.pair.key,
        "provider": link.pair.provider,
        "external_id": link.external_id,
        "external_ids": dict(link.external_ids),
        "state": link.state.value,
        "since": iso(link.created_at),
    }


@click.command()
@click.argument("key")
@config_option
@json_option
def history(key: str, config: Path | None, *, as_json: bool) -> None:
    """What happened to customer KEY: when, what, who caused it, which fields, in which run. No values.

    Only the state is read: the last fifty events of each provider, and every question that a person was asked.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.cli.naming import about, meant, whom
    from syncd.cli.shown import clock
    from syncd.errors import UsageError
    from syncd.operate.history import history as past
    from syncd.status.remedies import quoted
    from syncd.status.shape import iso

    state = open_settings_state(settings_for(config), create=False)
    try:
        key = meant(key, state)
        steps = past(state, key)
    finally:
        state.close()
    if as_json:
        told = [
            {"at": iso(s.at), "provider": s.provider, "what": s.what, "who": s.who}
            | {"fields": list(s.fields), "detail": about(s.detail, key), "run": s.run}
            for s in steps
        ]
        print_json({"schema": 1, "customer_key": whom(key), "history": told})
        return
    if not steps:
        raise UsageError(f"nothing is on record for a customer {key}.", remedy=f"syncd explain {quoted(key)}")
    headers = ("WHEN", "PROVIDER", "WHAT", "WHO", "FIELDS", "RUN", "DETAIL")
    table(
        headers,
        ((clock(s.at), s.provider, s.what, s.who, ", ".join(s.fields), s.run, about(s.detail, key)) for s in steps),
    )
