"""A write that takes several requests: once one of them was executed, no failure of a later one is "not executed"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncd.errors import LeaseLost, OutcomeUnknown, SyncdError


@contextmanager
def after_a_write(why: str, *, written: bool = True) -> Iterator[None]:
    """Inside the block, any error but `LeaseLost` becomes `OutcomeUnknown` where an earlier request of the same write
    was executed (`written`): the next look completes the write. Example: 429 for the second of two requests."""
    try:
        yield
    except LeaseLost:
        raise
    except SyncdError as error:
        if not written:
            raise
        raise OutcomeUnknown(why) from error
