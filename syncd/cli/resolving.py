"""`syncd review resolve`: what a person decides about one item, or about all items of a kind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.exits import PERSON, Exit
from syncd.cli.naming import whom
from syncd.cli.options import config_option, confirmed, logging_for, provider_named, told
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.settings import Settings

NAMED = "\0"  # `--link` without a value: each item's own record


@click.command()
@click.argument("number", metavar="[ID]", type=int, required=False)
@click.option("--kind", help="Without ID: all open items of this kind, as they are at this moment ...")
@click.option("--provider", help="... at this provider.")
@click.option("--take", type=click.Choice(["source", "provider"]), help="This side wins; see above for deletions.")
@click.option(
    "--link",
    "external_id",
    metavar="[EXTERNAL_ID]",
    is_flag=False,
    flag_value=NAMED,
    help="The customer is this record of the provider; of many items the one that each names.",
)
@click.option("--create", is_flag=True, help="Create a new record all the same.")
@click.option("--ignore", is_flag=True, help="Leave the customer as it is there until something changes.")
@click.option("--release", is_flag=True, help="Let pass what a guard holds back, as this ID showed it.")
@click.option("--yes", is_flag=True, help="Of many items: do it without asking.")
@config_option
def resolve(  # noqa: PLR0913 - one argument an option
    number: int | None,
    config: Path | None,
    *,
    kind: str | None,
    provider: str | None,
    take: str | None,
    external_id: str | None,
    yes: bool,
    **flags: bool,
) -> None:
    """Decide one item, or with --kind and --provider all of a kind; the next run (a daemon: within seconds) acts on it.

    \b
    A decision about fields counts for exactly the values that `show` displays; newer ones ask again.
    remote_gone       --create makes a new record, --link EXTERNAL_ID takes another one, --ignore leaves the pair alone
    delete_conflict   --take source removes the record, --take provider keeps it there and forgets the link
    candidate, found, ambiguous, came_back, unknown_create, taken
                      --link EXTERNAL_ID, or where it makes sense --create; --ignore keeps the customer out of there
    guard_...         --release lets the operations pass that this ID showed, each planned anew; when more are held back
                      the item goes on under a new ID, and the old one still stands for what it showed
    not_inserted, twice  --ignore: leave these records as they are
    """
    from syncd.operate.review import LINK_WORD

    words = [f"take:{take}" if take else "", f"{LINK_WORD}:{external_id}" if external_id else ""]
    chosen = [word for word in (*words, *(name for name, on in flags.items() if on)) if word]
    if len(chosen) != 1:
        raise click.UsageError("say exactly one of --take, --link, --create, --ignore, --release")
    if number is not None and kind is None and provider is None:
        if external_id == NAMED:
            raise click.UsageError("name the record: --link EXTERNAL_ID")
        _resolve_one(logging_for(config), number, chosen[0])
    elif number is None and kind is not None and provider is not None:
        if external_id not in {None, NAMED}:
            raise click.UsageError("--link takes no EXTERNAL_ID here: each item is linked to the record that it names")
        word = LINK_WORD if external_id else chosen[0]
        _resolve_many(logging_for(config), (provider, kind), word, yes=yes)
    else:
        raise click.UsageError("name one item by its ID, or many by --kind and --provider")


def _resolve_one(settings: Settings, number: int, decision: str) -> None:
    from syncd.bootstrap import open_settings_state
    from syncd.clock import SystemClock
    from syncd.operate.review import AT_ONCE, decide, item

    state = open_settings_state(settings)
    try:
        found = item(state, number)
        due = decide(state, found, decision, SystemClock().now(), writable=_writable(settings, decision, found.fields))
    finally:
        state.close()
    told(
        "review.decided",
        provider=found.provider,
        customer_key=found.customer_key or None,
        review_id=number,
        kind=found.kind,
        decision=_logged(decision),
    )
    said = decision.replace(":", " ")
    if said == "release":
        echo(f"#{number} resolved: {due} staged operations of {found.provider} may go. They are due now.")
    elif found.kind in AT_ONCE:
        echo(f"#{number} resolved: {said}.")
    else:
        echo(f"#{number} resolved: {said}. {found.provider} {whom(found.customer_key)} is due now.")


def _resolve_many(settings: Settings, which: tuple[str, str], decision: str, *, yes: bool) -> None:
    """Resolve all open items of a kind, exactly those that are counted when the person is asked."""
    from syncd.bootstrap import open_settings_state
    from syncd.clock import SystemClock
    from syncd.operate.review import check, decide_all, waiting

    provider, kind = provider_named(settings, which[0]), which[1]
    state = open_settings_state(settings)
    try:
        shown = waiting(state, provider, kind)
        if not shown:
            echo(f"No open item of {provider} is of the kind {kind}.", "next:  syncd review list")
            return
        asked = {name for each in shown for name in each.fields}
        check(shown[0], decision, writable=_writable(settings, decision, asked))
        operations = sum(item.count for item in shown)
        many = f"{len(shown)} {kind}" if operations == len(shown) else f"{len(shown)} {kind} ({operations} operations)"
        said = decision.replace(":", " ")
        echo(f"{many} of {provider}: {said}")
        if not confirmed(f"Resolve {'it' if len(shown) == 1 else 'them all'}?", yes=yes):
            echo("Nothing was decided. Without a terminal it needs --yes.", err=True)
            raise Exit(PERSON)
        done = decide_all(state, shown, decision, SystemClock().now())
    finally:
        state.close()
    told("review.decided", provider=provider, kind=kind, decision=_logged(decision), count=done.items)
    echo(f"{done.items} resolved: {said}. {done.due} customers are due now.")
    if done.skipped:
        echo(f"{done.skipped} stay: changed meanwhile, or not one free record to link.", "next:  syncd review list")


def _logged(decision: str) -> str:
    word, _, name = decision.partition(":")
    return f"take-{name}" if word == "take" else word


def _writable(settings: Settings, decision: str, fields: Iterable[str]) -> bool:
    """Whether the source takes a provider's value of at least one of these fields. The source is opened only for the
    decision `take:provider`; where it does not answer, the next look decides."""
    from syncd.bootstrap import open_settings_source
    from syncd.errors import SourceUnreachable
    from syncd.source.writable import one_way

    if decision != "take:provider" or not settings.source.write:
        return settings.source.write
    try:
        source = open_settings_source(settings)
    except SourceUnreachable:
        return True
    try:
        return not set(fields) <= one_way(source)
    except SourceUnreachable:
        return True
    finally:
        source.close()
