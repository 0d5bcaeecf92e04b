"""Doubtful values (a VAT id whose check digit is wrong): which customers have them, and which provider refuses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.core.model import Customer
    from syncd.settings import Settings
    from syncd.source.database import Source

LOOKED_AT = 1000  # customers, from the first on: enough to see a pattern, few enough for any table


def doubtful(settings: Settings, source: Source) -> Iterator[tuple[str, str]]:
    """One note for each field with doubtful values: how many customers have one, the first three by name, and which
    providers refuse them. A doubt is a warning, no error. An adapter tells without a request what it refuses."""
    from syncd.cli.naming import whom
    from syncd.core.doubts import doubts
    from syncd.source import customers
    from syncd.status.remedies import quoted

    page = list(customers.page(source, None, LOOKED_AT))
    found: dict[str, list[Customer]] = {}
    for customer in page:
        for field in doubts(customer.values):
            found.setdefault(field, []).append(customer)
    of = f"the first {LOOKED_AT}" if len(page) == LOOKED_AT else f"{len(page)}"
    for field, some in found.items():
        named = ", ".join(whom(customer.key) for customer in some[:3])
        what = f"{field} looks wrong in {len(some)} of {of}: {named}{', …' if len(some) > 3 else ''}"
        fate = _fate(refusals(settings, field, some))
        yield what, f"See why: syncd explain {quoted(whom(some[0].key))}. {fate}"


def refusals(settings: Settings, field: str, some: list[Customer]) -> dict[str, int]:
    """How many of these customers each provider refuses because of this field, before anything is sent."""
    from syncd.bootstrap import adapter_of
    from syncd.core.model import Direction
    from syncd.errors import Rejected

    counts: dict[str, int] = {}
    for wanted in settings.providers:
        if Direction.OFF in {wanted.direction, wanted.fields.get(field)} or wanted.direction is Direction.PULL:
            continue
        with adapter_of(settings, wanted) as adapter:
            for customer in some:
                try:
                    adapter.project(customer.values)
                except Rejected as refused:
                    counts[wanted.name] = counts.get(wanted.name, 0) + (refused.field == field)
    return {name: number for name, number in counts.items() if number}


def _fate(counts: Mapping[str, int]) -> str:
    if not counts:
        return "They are sent to every provider; if a provider refuses them, `syncd status` says so."
    return "Refused before sending by " + ", ".join(f"{name} ({number})" for name, number in counts.items()) + "."
