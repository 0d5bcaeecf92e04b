"""`syncd link` and `syncd unlink`: a person says which record is a customer's, or that no record is."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli.options import acted, config_option, logging_for
from syncd.cli.output import echo


@click.command()
@click.argument("provider")
@click.argument("key")
@click.argument("external_id")
@config_option
def link(provider: str, key: str, external_id: str, config: Path | None) -> None:
    """Link customer KEY to the record EXTERNAL_ID of PROVIDER.

    Checked at once: both exist, and neither is linked. The next run (a daemon: within seconds) links them and compares
    the fields: equal ones settle, empty sides are filled, different ones follow the provider's conflict policy.
    """
    from syncd.bootstrap import installation
    from syncd.cli.naming import meant, whom
    from syncd.core.model import Pair
    from syncd.errors import UsageError
    from syncd.operate.reading import chosen, patiently
    from syncd.operate.review import certain, order_link
    from syncd.source import customers
    from syncd.status.remedies import quoted

    with installation(logging_for(config), exclusive=False) as site:
        route = chosen(site, [provider])[0]
        key = meant(key, site.state, site.source)
        row = customers.read(site.source, [key]).get(key)
        if row is None:
            raise UsageError(f"the source has no customer {key}.", remedy=f"syncd explain {quoted(key)}")
        remote = patiently(route, lambda: route.adapter.fetch(external_id))
        if remote is None or remote.archived:
            state = "is archived" if remote is not None else "does not exist"
            raise UsageError(f"{external_id} {state} at {provider}.", remedy=f"syncd match {provider}")
        certain(site.state, site.source, row.key)
        order_link(site.state, Pair(provider, row.key), remote.external_id, site.clock.now())
    acted("link", provider=provider, customer_key=key, external_id=external_id)
    echo(f"{whom(key)} is {external_id} at {provider}: linked by the next run.")


@click.command()
@click.argument("provider")
@click.argument("key")
@config_option
def unlink(provider: str, key: str, config: Path | None) -> None:
    """Forget which record customer KEY is at PROVIDER.

    The next run drops the link. Nothing is deleted on either side, and nothing is created or linked again before
    `syncd link`.
    """
    from syncd.bootstrap import installation
    from syncd.cli.naming import meant, whom
    from syncd.core.model import Pair
    from syncd.operate.reading import chosen
    from syncd.operate.review import certain, order_unlink
    from syncd.status.remedies import quoted

    with installation(logging_for(config), exclusive=False) as site:
        chosen(site, [provider])
        key = meant(key, site.state)
        certain(site.state, site.source, key)
        external_id = order_unlink(site.state, Pair(provider, key), site.clock.now())
    acted("unlink", provider=provider, customer_key=key, external_id=external_id)
    echo(f"{whom(key)} and {external_id} at {provider}: unlinked by the next run, and left alone from then on.")
    echo(f"undo:  syncd link {provider} {quoted(whom(key))} {external_id}")
