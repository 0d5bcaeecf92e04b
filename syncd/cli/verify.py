"""`syncd verify`: compares both sides, reads only, and lists the differences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.exits import DIFFERENT, UNREACHABLE, Exit, worst
from syncd.cli.naming import about, whom
from syncd.cli.options import config_option, json_option, print_json, settings_for, table
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.operate.verify import Audit

SHOWN = 40


class Share(click.ParamType[float]):
    """`5%` or `0.05`."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
        except ValueError:
            share = -1.0
        if not 0.0 < share <= 1.0:
            self.fail(f"{text} is not a share; write 5%", param, ctx)
        return share


@click.command()
@click.option("--provider", "providers", multiple=True, help="Only this provider (may be repeated).")
@click.option("--sample", type=Share(), default="100%", show_default=True, help="Only a random share of the customers.")
@config_option
@json_option
def verify(config: Path | None, providers: tuple[str, ...], sample: float, *, as_json: bool) -> None:
    """Compare both sides and report what differs; exit 3 when anything does. Writes nothing."""
    from syncd.bootstrap import installation
    from syncd.errors import ProviderError
    from syncd.lanes import LanePaused
    from syncd.operate.reading import chosen
    from syncd.operate.verify import Audit, audit

    result, troubles = Audit(), dict[str, str]()
    with installation(settings_for(config), exclusive=False, read_only=True) as site:
        for route in chosen(site, providers):
            try:
                audit(site, route, sample, result)
            except (ProviderError, LanePaused) as error:
                troubles[route.provider] = error.message
    if as_json:
        _print_json(result, troubles)
    else:
        _print(result, troubles)
    code = worst([DIFFERENT if result.differences else 0, UNREACHABLE if troubles else 0])
    if code:
        raise Exit(code)


def _print_json(result: Audit, troubles: dict[str, str]) -> None:
    differences = [
        {
            "provider": each.provider,
            "customer_key": whom(each.key),
            "kind": each.kind,
            "fields": list(each.fields),
            "detail": about(each.detail, each.key),
        }
        for each in result.differences
    ]
    print_json(
        {
            "schema": 1,
            "checked": result.checked,
            "differences": differences,
            "differences_total": len(differences),
            "unreadable": troubles,
        }
    )


def _print(result: Audit, troubles: dict[str, str]) -> None:
    counts = Counter(each.provider for each in result.differences)
    rows = [(provider, number, counts[provider]) for provider, number in result.checked.items()]
    if rows:
        table(("PROVIDER", "CHECKED", "DIFFER"), rows, right=("CHECKED", "DIFFER"))
    for each in result.differences[:SHOWN]:
        what = ", ".join(each.fields) or about(each.detail, each.key)
        echo(f"{each.provider}  {whom(each.key) or '-'}  {each.kind}  {what}".rstrip())
    if len(result.differences) > SHOWN:
        echo(f"... and {len(result.differences) - SHOWN} more (all of them with --json)")
    for provider, why in troubles.items():
        echo(f"{provider} could not be read: {why}", err=True)
    if result.differences:
        echo("next:  syncd plan")
    elif not troubles:
        echo("Both sides agree.")
