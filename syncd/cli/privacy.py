"""`syncd doctor --gdpr`: who gets which fields, and what is stored where and for how long."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from syncd.cli.options import print_json, table
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.settings import Settings


def say(settings: Settings, *, as_json: bool) -> None:
    """Print what syncd can tell, from the settings alone, for a record of processing activities (GDPR, article 30)."""
    from syncd.bootstrap import directions
    from syncd.operate.privacy import recipients, stores

    who, kept = recipients(settings, directions), stores(settings)
    if as_json:
        print_json({"schema": 1, "recipients": [asdict(r) for r in who], "stores": [asdict(s) for s in kept]})
        return
    for each in who:
        echo(f"{each.provider} at {each.server}")
        echo(f"    gets:  {', '.join(each.sent) or 'nothing'}")
        echo(f"    gives: {', '.join(each.taken) or 'nothing'}")
        echo(f"    a customer deleted in the source: {each.on_delete}")
    echo()
    table(("STORED", "WHERE", "HOLDS", "FOR HOW LONG"), ((s.what, s.where, s.holds, s.kept) for s in kept))
    echo("", "No value of a customer is stored. The rest, for the data protection officer: deploy/PRIVACY.md")
