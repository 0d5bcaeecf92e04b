"""Exit codes, the same in every command: README lists them, `status` computes them, `cli.exits` leaves with them."""

from __future__ import annotations

from collections.abc import Iterable

OK, INTERNAL, USAGE, DIFFERENT, RETRY, PERSON, SAFETY, UNREACHABLE, HELD = range(9)
WORST_FIRST = (SAFETY, USAGE, HELD, INTERNAL, UNREACHABLE, PERSON, RETRY, DIFFERENT, OK)


def worst(codes: Iterable[int]) -> int:
    """The worst of these exit codes, in README's order; OK for none."""
    return min(codes, key=WORST_FIRST.index, default=OK)
