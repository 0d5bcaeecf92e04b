"""`syncd plan`: what a run would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.exits import DIFFERENT, UNREACHABLE, Exit
from syncd.cli.naming import about, whom
from syncd.cli.options import config_option, json_option, print_json, settings_for, table
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.operate.planned import Operation, Plan
    from syncd.settings import Settings

SHOWN = 40
_VERBS = ("create", "adopt", "update", "pull", "insert", "archive", "delete", "unlink")


@click.command()
@click.option("--provider", "providers", multiple=True, help="Only this provider (may be repeated).")
@click.option("--scan", is_flag=True, help="List the providers' customers even where that is not due yet.")
@click.option("--values", is_flag=True, help="Show old and new values: personal data.")
@click.option("--exit-code", "by_code", is_flag=True, help="Exit 3 when a run would change anything.")
@config_option
@json_option
def plan(
    config: Path | None,
    providers: tuple[str, ...],
    *,
    scan: bool = False,
    values: bool = False,
    by_code: bool = False,
    as_json: bool = False,
) -> None:
    """What a run would do, field by field. Writes nothing: not at a provider, not in the source, not in the state."""
    differs = show(settings_for(config), providers, scan=scan, values=values, as_json=as_json)
    if differs and by_code:
        raise Exit(DIFFERENT)


def show(
    settings: Settings,
    providers: Iterable[str] = (),
    *,
    scan: bool = False,
    values: bool = False,
    as_json: bool = False,
) -> bool:
    """Print the plan, also for `run-once --dry-run`. Answers whether a run would change anything. Ends the command with
    exit code 7 where a provider could not be read."""
    from syncd.bootstrap import installation
    from syncd.operate import dry_run
    from syncd.operate.reading import chosen
    from syncd.source.writable import one_way
    from syncd.store.review import reviews

    with installation(settings, exclusive=False, read_only=True) as site:
        routes = chosen(site, providers)
        found = dry_run.plan(site, routes, scan=scan)
        kept = sorted(one_way(site.source)) if settings.source.write else []
        with site.state.read() as tx:
            asked = [item for route in routes for item in reviews(tx, provider=route.provider) if not item.decision]
    if as_json:
        print_json(_shape(found, values=values))
    else:
        _print(found, values=values)
        if kept:
            echo(f'! one way: "{site.source.table.name}" cannot be written at {", ".join(kept)}; see syncd doctor')
        if asked:
            echo(f"! {len(asked)} open review item{'s' if len(asked) > 1 else ''}: these wait for a person")
            echo("    syncd review")
    if found.troubles:
        raise Exit(UNREACHABLE)
    return bool(found.operations)


def _shape(found: Plan, *, values: bool) -> dict[str, Any]:
    return {
        "schema": 1,
        "operations": [_operation(operation, values=values) for operation in found.operations],
        "counts": dict(_counts(found.operations)),
        "providers": {
            name: dict(_counts(op for op in found.operations if op.provider == name))
            for name in sorted({op.provider for op in found.operations})
        },
        "waiting": [
            {
                "provider": item.provider,
                "customer_key": whom(item.key, asked=values),
                "kind": item.kind,
                "reason": about(item.reason, item.key, asked=values),
                "fields": list(item.fields),
            }
            for item in found.waiting
        ],
        "guards": [
            {"provider": provider, "verb": verb, "staged": number}
            for (provider, verb), number in found.staged().items()
        ],
        "unreadable": found.troubles,
        "paused": found.paused,
    }


def _operation(operation: Operation, *, values: bool) -> dict[str, Any]:
    fields = {name: {"from": old, "to": new} if values else {} for name, (old, new) in sorted(operation.fields.items())}
    return {
        "provider": operation.provider,
        "customer_key": whom(operation.key, asked=values),
        "verb": operation.verb,
        "fields": fields,
    }


def _counts(operations: Iterable[Operation]) -> Counter[str]:
    return Counter(operation.verb for operation in operations)


def _print(found: Plan, *, values: bool) -> None:
    names = list(dict.fromkeys(operation.provider for operation in found.operations))
    verbs = [verb for verb in _VERBS if any(operation.verb == verb for operation in found.operations)]
    if names:
        rows = []
        for name in names:
            counts = _counts(operation for operation in found.operations if operation.provider == name)
            rows.append((name, *(counts[verb] for verb in verbs)))
        table(("PROVIDER", *(verb.upper() for verb in verbs)), rows, right=[verb.upper() for verb in verbs])
        echo()
        for operation in found.operations[:SHOWN]:
            customer = whom(operation.key, asked=values)
            echo(f"{operation.provider}  {customer}  {operation.verb}  {_fields(operation, values=values)}")
        if len(found.operations) > SHOWN:
            echo(f"... and {len(found.operations) - SHOWN} more (all of them with --json)")
    else:
        echo("A run would change nothing.")
    _print_waiting(found)


def _fields(operation: Operation, *, values: bool) -> str:
    if not values:
        return ", ".join(sorted(operation.fields))
    return ", ".join(f"{name}: {_text(old)} -> {_text(new)}" for name, (old, new) in sorted(operation.fields.items()))


def _text(value: object) -> str:
    return "(empty)" if value is None else str(value)


def _print_waiting(found: Plan) -> None:
    waiting = Counter((item.provider, item.kind) for item in found.waiting)
    remedies = {
        "review": "syncd review",
        "adopt": "syncd match {0}",
        "staged": "syncd review",
        "rejected": "syncd status",
    }
    if waiting:
        echo()
    for (provider, kind), number in sorted(waiting.items()):
        remedy = remedies.get(kind, "")
        line = f"{provider}: {number} {'wait for' if kind != 'rejected' else ''} {kind}".replace("  ", " ")
        echo(f"{line:<60}{remedy.format(provider)}".rstrip())
    for (provider, verb), number in sorted(found.staged().items()):
        echo(f"! the {verb} guard of {provider} would hold back {number}")
    for provider, why in sorted({**found.paused, **found.troubles}.items()):
        echo(f"! {provider} is not in this plan: {why}")
