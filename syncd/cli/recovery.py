"""`syncd recover` and `syncd forget`: after a restore, and when a person is to be erased."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.exits import SAFETY, USAGE, Exit
from syncd.cli.options import acted, config_option, confirmed, json_option, logging_for, print_json
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.operate.recover import Findings


@click.command()
@click.option("--yes", is_flag=True, help="Go on with source and state as they are now.")
@config_option
@json_option
def recover(config: Path | None, *, yes: bool, as_json: bool) -> None:
    """Say what a restore, a clone or a lost state left behind; with --yes, go on.

    Stop every daemon first. Nothing is sent by this command: afterwards everything is due, planned and guarded, and
    `syncd plan` shows it. Where the state may have forgotten links, a match report decides again who is who; customers
    that a restored source has lost keep their records at the providers, unlinked.
    """
    from syncd.bootstrap import installation
    from syncd.operate.recover import diagnose
    from syncd.operate.recover import recover as go_on

    with installation(logging_for(config), exclusive=yes, any_key=True) as site:
        found = diagnose(site)
        if not found.in_order and confirmed(_question(found, as_json=as_json), yes=yes):
            go_on(site, found)
            acted("recover", kind=found.loss.value)
            yes = True
    if as_json:
        print_json(_shape(found, recovered=yes and not found.in_order))
    elif found.in_order:
        echo("Nothing to recover: source and state belong together.")
    if found.in_order:
        return
    if not yes:
        echo("Nothing was changed.", "next:  syncd recover --yes", err=True)
        raise Exit(SAFETY)
    _say_next(found, as_json=as_json)


def _question(found: Findings, *, as_json: bool) -> str:
    from syncd.operate.recover import MEANINGS

    if not as_json:
        echo(f"acknowledged: {found.acks} in the source, {found.expected} in the state")
        if found.key_lost:
            echo("The state was written under another key: every base and every tombstone is unreadable.")
        echo(MEANINGS[found.loss][0].upper() + MEANINGS[found.loss][1:])
        for provider, number in found.linked.items():
            absent = found.absent[provider]
            echo(f"{provider}: {number} linked customers, {absent} of them not in the source")
        if found.loss.value == "owner":
            echo("If another syncd still reads this change log, stop it for good: each would see half of it.")
    return "Go on with source and state as they are?"


def _shape(found: Findings, *, recovered: bool) -> dict[str, object]:
    return {
        "schema": 1,
        "loss": found.loss.value,
        "key_lost": found.key_lost,
        "acks": {"source": found.acks, "state": found.expected},
        "linked": found.linked,
        "absent": found.absent,
        "recovered": recovered,
    }


def _say_next(found: Findings, *, as_json: bool) -> None:
    from syncd.operate.recover import DOUBTED

    if as_json:
        return
    echo("Recovered. Everything will be looked at once more.")
    if found.loss in DOUBTED:
        for provider in found.linked:
            echo(f"next:  syncd match {provider}")
    echo("next:  syncd plan")


@click.command()
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@config_option
@json_option
def forget(key: str, config: Path | None, *, yes: bool, as_json: bool) -> None:
    """Erase customer KEY from the state: links, work, reviews and history. Tombstones keep the person from coming back.

    Delete the row in the source first. What the providers hold is named, not touched.
    """
    from syncd.bootstrap import installation
    from syncd.cli.naming import meant, whom
    from syncd.operate.erase import forget as erase
    from syncd.status.remedies import quoted

    if not confirmed(f"Erase customer {key} from the state for good?", yes=yes):
        echo("Nothing was erased.", f"next:  syncd forget {quoted(key)} --yes", err=True)
        raise Exit(USAGE)
    with installation(logging_for(config), exclusive=False) as site:
        gone = erase(site, meant(key, site.state, site.source))
        key = whom(gone.key)
    acted("forget", customer_key=key)
    if as_json:
        more = {"still_at": gone.linked, "may_come": gone.coming, "in_source": gone.in_source}
        print_json({"schema": 1, "customer_key": key, **more})
        return
    echo(f"Customer {key} is erased from the state.")
    for provider, external_id in gone.linked.items():
        echo(f"{provider} still holds {external_id}: delete it there.")
    for provider, our_key in gone.coming.items():
        echo(f"{provider} may still store a record {our_key}, by a create without an answer: delete it there, too.")
    if gone.in_source:
        echo(f"The source still has customer {key}: delete the row, or its next change asks for a review.")
