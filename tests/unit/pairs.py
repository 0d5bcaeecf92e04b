"""Facts about one linked pair, built from plain values: what the core's tests start from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import EllipsisType
from typing import Any

from syncd.core.digest import digest as keyed
from syncd.core.facts import Facts, Rules
from syncd.core.model import FieldBase, Intent, Link, Pair, Remote, Sent, Stage, State, Value, Values, Verb

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PAIR = Pair("billbee", "17")
LIVE = Rules("billbee", adopted=True)


def digest(name: str, value: Value) -> str:
    """The digest of a value at this pair."""
    return keyed(b"k" * 32, "billbee", "17", name, value)


def agreed(source: Value, provider: Value | EllipsisType = ..., name: str = "email", **flags: Any) -> FieldBase:
    """The base of a field; the provider's spelling is the source's unless it is given."""
    there = source if isinstance(provider, EllipsisType) else provider
    return FieldBase(digest(name, source), digest(name, there), **flags)


def hidden(source: Value, name: str = "email") -> FieldBase:
    """The base of a field that the provider cannot show."""
    return FieldBase(digest(name, source), None)


def link(base: Mapping[str, FieldBase], external_id: str | None = "r1") -> Link:
    """A mapping row."""
    return Link(PAIR, "17", external_id, {}, base, State.LINKED)


def remote(values: Values, external_id: str = "r1", *, archived: bool = False) -> Remote:
    """A provider record."""
    return Remote(external_id, "17", values, archived=archived)


def intent(
    fields: Mapping[str, tuple[Value, Value]], verb: Verb = Verb.UPDATE, stage: Stage = Stage.OPEN, number: int = 1
) -> Intent:
    """A write of ours that is not confirmed: field -> (before, sent)."""
    sent = {name: Sent(digest(name, before), digest(name, after)) for name, (before, after) in fields.items()}
    return Intent(number, PAIR, verb, stage, sent, 1, NOW, NOW + timedelta(seconds=60))


def linked(
    source: Values | None, there: Values | None, base: Mapping[str, FieldBase], rules: Rules = LIVE, **more: Any
) -> Facts:
    """Facts of a linked pair; `there` None: the record is gone."""
    found = remote(there) if there is not None else None
    return Facts(rules, digest, source=source, remote=found, link=link(base), **more)
