"""`syncd review`: everything that waits for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.exits import PERSON, Exit
from syncd.cli.naming import about, whom
from syncd.cli.options import config_option, json_option, print_json, settings_for, table
from syncd.cli.output import echo
from syncd.cli.resolving import resolve

if TYPE_CHECKING:
    from syncd.core.model import Values
    from syncd.operate.review_view import Shown
    from syncd.store.database import Transaction
    from syncd.store.review import Review


NAMED_AT_MOST = 12  # customers in one line


@click.group(invoke_without_command=True)
@click.option("--provider", help="Only this provider.")
@config_option
@json_option
@click.pass_context
def review(context: click.Context, config: Path | None, provider: str | None, *, as_json: bool) -> None:
    """Everything that waits for a person: list, show, resolve."""
    if context.invoked_subcommand is None:
        context.invoke(listed, config=config, provider=provider, as_json=as_json)


# -- list ----------------------------------------------------------------------------------------------------------


@review.command("list")
@click.option("--provider", help="Only this provider.")
@config_option
@json_option
def listed(config: Path | None = None, provider: str | None = None, *, as_json: bool = False) -> None:
    """Which customer, which provider, which fields, since when. Exit 5 while anything waits.

    What is decided and only waits for the next run is not listed any more.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.store import review as store

    state = open_settings_state(settings_for(config))
    try:
        with state.read() as tx:
            items = [item for item in store.reviews(tx, provider=provider) if not item.decision]
            failed = list(_failed(tx, provider)) if not items else []
    finally:
        state.close()
    if as_json:
        print_json({"schema": 1, "items": [_shape(item) for item in items]})
    elif items:
        _print(items)
    else:
        echo("Nothing waits for a person's answer." if failed else "Nothing waits for a person.")
        for line in failed:
            echo(line)
    if items:
        raise Exit(PERSON)


def _failed(tx: Transaction, provider: str | None) -> Iterator[str]:
    """Lines about rejected and dead pairs: they are no questions, and wait for other data or for a retry."""
    from syncd.core.model import State
    from syncd.status.remedies import PAIRS
    from syncd.store import mapping

    for name, counts in sorted(mapping.counts(tx).items()):
        for state in (State.REJECTED, State.DEAD) if provider in {None, name} else ():
            if number := counts.get(state, 0):
                links = mapping.page(tx, name, "", NAMED_AT_MOST, states=(state,))
                keys = ", ".join(whom(link.pair.key) for link in links) + (", ..." if number > len(links) else "")
                yield f"! {name}: {number} {state.value} ({keys}). {PAIRS[state.value].sentence}"
                yield f"    {PAIRS[state.value].typed(provider=name, key=whom(links[0].pair.key))}"


def _shape(item: Review) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "provider": item.provider,
        "customer_key": whom(item.customer_key),
        "fields": sorted(item.fields) if item.customer_key else [],
        "reason": about(item.reason, item.customer_key),
        "opened_at": item.opened_at.isoformat(),
        "count": item.count,
    }


def _why(item: Review) -> str:
    from syncd.status.remedies import review as remedy_of
    from syncd.status.remedies import says_nothing

    plain = f"{', '.join(sorted(item.fields))}: " if item.fields else ""
    nothing = says_nothing(item.kind, item.fields, item.reason)
    return f"{plain}{remedy_of(item.kind).sentence}" if nothing else item.reason


def _print(items: Sequence[Review]) -> None:
    from syncd.cli.shown import clock

    rows = [
        (
            item.id,
            item.kind,
            item.provider,
            whom(item.customer_key) or f"({item.count})",
            about(_why(item), item.customer_key),
            clock(item.opened_at),
        )
        for item in items
    ]
    table(("ID", "KIND", "PROVIDER", "CUSTOMER", "WHY", "SINCE"), rows, right=("ID",))
    echo("", f"next:  {_next(items[0])}")


def _next(item: Review) -> str:
    return f"syncd match {item.provider}" if item.kind == "adopt" else f"syncd review show {item.id}"


# -- show ----------------------------------------------------------------------------------------------------------


@review.command()
@click.argument("number", metavar="ID", type=int)
@config_option
@json_option
def show(number: int, config: Path | None, *, as_json: bool) -> None:
    """One item with the values of both sides, read right now: personal data. --json leaves the values out."""
    from syncd.bootstrap import installation
    from syncd.cli.shown import clock
    from syncd.operate.review import item, typed
    from syncd.operate.review_view import shown

    with installation(settings_for(config), exclusive=False) as site:
        found = item(site.state, number)
        answer = shown(site, found)
        rules = [route.rules for route in site.routes if route.provider == found.provider]
        writable = all(each.writable and not (found.fields and set(found.fields) <= each.one_way) for each in rules)
    words = typed(found.kind, writable=writable)
    if as_json:
        print_json({"schema": 1, "item": _shape(found), "decisions": words})
        return
    who = f"customer {whom(found.customer_key)}" if found.customer_key else f"{found.count} customers"
    echo(f"#{found.id} {found.kind}  {found.provider}  {who}")
    echo(f"{about(_why(found), found.customer_key).rstrip('.')}, since {clock(found.opened_at)}")
    if answer.trouble:
        echo(f"{found.provider} could not be read: {answer.trouble}", err=True)
    _print_sides(found, answer)
    for name, why in answer.unfit.items():
        echo(f"  {name}: {why}")
    for key, what in answer.pairs:
        echo(f"  {whom(key) + '  ' if key else ''}{what}".rstrip())
    if found.decision:
        echo("", f"Decided: {found.decision}; it is carried out by the next run.")
    for word in words:
        echo(f"next:  syncd review resolve {found.id} {word}")


def _print_sides(found: Review, answer: Shown) -> None:
    sides: Mapping[str, Values] = {
        "SOURCE": answer.source,
        **{f"{found.provider} {external_id}": values for external_id, values in answer.remotes.items()},
    }
    names = sorted(found.fields) or sorted({name for side in sides.values() for name in side})
    rows = [(name, *(_text(side, name) for side in sides.values())) for name in names]
    if rows:
        echo()
        table(("FIELD", *sides), rows)
        echo()


def _text(side: Values, name: str) -> str:
    if name not in side:
        return "(unknown)"
    value = side[name]
    return "(empty)" if value is None else str(value)


review.add_command(resolve)
