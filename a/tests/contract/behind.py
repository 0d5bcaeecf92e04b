"""Adapters that a test makes by the dozen, to be closed behind it: they keep connections."""

from __future__ import annotations

from typing import TypeVar

from syncd.providers.adapter import ProviderAdapter

A = TypeVar("A", bound=ProviderAdapter)
_OPEN: list[ProviderAdapter] = []


def closed_behind(adapter: A) -> A:
    """The adapter itself; `close_all` closes it after the test."""
    _OPEN.append(adapter)
    return adapter


def close_all() -> None:
    """Close what was made so far."""
    while _OPEN:
        _OPEN.pop().close()
