"""The settings of `[source]` as plain values: which rows are customers, and which joined rows belong to them.

Names are not compared with a database here; `syncd.source` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

CUSTOMER = "customer"  # the name of the customer table in joins


@dataclass(frozen=True, slots=True)
class Condition:
    """What one column must hold: one of `values`, or NULL where `null`; `negated`, none of these.

    A row whose column is NULL passes a negation that does not name "null": `{ not = ["closed"] }` keeps it.
    """

    values: tuple[str, ...] = ()
    null: bool = False
    negated: bool = False


class Watch(NamedTuple):
    """A table that gets triggers, and its column that holds the customer's key."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Join:
    """A table with at most one row for each customer.

    `on` maps a column of this table to `customer.COLUMN`, or to `NAME.COLUMN` of an earlier join. Without `write` its
    fields are push-only.
    """

    name: str
    table: str
    on: Mapping[str, str]
    where: Mapping[str, Condition] = field(default_factory=dict)
    write: bool = True


@dataclass(frozen=True, slots=True)
class Deleted:
    """The rows that count as deleted although the table has them: their `column` holds one of `values`."""

    column: str
    values: tuple[str, ...]
