"""`syncd review`: everything that waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.exits import PERSON, Exit
from syncd.cli.options import config_option, json_option, print_json, settings_for, table

if TYPE_CHECKING:
    from syncd.store.review import Review


@click.group(invoke_without_command=True)
@click.pass_context
def review(context: click.Context) -> None:
    """Everything that waits for a person: list, show, resolve."""
    if context.invoked_subcommand is None:
        context.invoke(listed)


@review.command("list")
@click.option("--provider", help="Only this provider.")
@config_option
@json_option
def listed(config: Path | None = None, provider: str | None = None, *, as_json: bool = False) -> None:
    """Show all open items: which customer, which provider, which fields, since when. Exit 5 while there are any."""
    from syncd.bootstrap import open_settings_state
    from syncd.store import review as store

    state = open_settings_state(settings_for(config))
    try:
        with state.read() as tx:
            items = store.reviews(tx, provider=provider)
    finally:
        state.close()
    if as_json:
        print_json({"schema": 1, "items": [_shape(item) for item in items]})
    elif items:
        _print(items)
    else:
        click.echo("Nothing waits for a person.")
    if items:
        raise Exit(PERSON)


def _shape(item: Review) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "provider": item.provider,
        "customer_key": item.customer_key,
        "fields": sorted(item.fields),
        "reason": item.reason,
        "opened_at": item.opened_at.isoformat(),
        "count": item.count,
        "decision": item.decision,
    }


def _print(items: Sequence[Review]) -> None:
    rows = [
        (
            item.id,
            item.kind,
            item.provider,
            item.customer_key or f"({item.count})",
            f"decided: {item.decision}" if item.decision else item.reason,
            f"{item.opened_at:%Y-%m-%d %H:%M}",
        )
        for item in items
    ]
    table(("ID", "KIND", "PROVIDER", "CUSTOMER", "WHY", "SINCE (UTC)"), rows, right=("ID",))
    open_ones = [item for item in items if not item.decision]
    if open_ones:
        click.echo(f"\nnext:  syncd review show {open_ones[0].id}")


@review.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--take", type=click.Choice(["source", "provider"]), help="This side's value wins.")
@click.option("--ignore", is_flag=True, help="Leave it as it is until something changes.")
@config_option
def resolve(number: int, config: Path | None, take: str | None, *, ignore: bool) -> None:
    """Decide one item. The decision counts for exactly what `show` displays; newer values ask again."""
    from syncd.bootstrap import open_settings_state
    from syncd.clock import SystemClock
    from syncd.cycle.decisions import decide, item

    chosen = [word for word in (f"take:{take}" if take else "", "ignore" if ignore else "") if word]
    if len(chosen) != 1:
        raise click.UsageError("say exactly one of --take source, --take provider, --ignore")
    state = open_settings_state(settings_for(config))
    try:
        found = item(state, number)
        decide(state, found, chosen[0], SystemClock().now())
    finally:
        state.close()
    click.echo(f"#{number} resolved: {chosen[0].replace(':', ' ')}. {found.provider} {found.customer_key} is due now.")
