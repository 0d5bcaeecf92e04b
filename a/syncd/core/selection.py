"""Which rows are customers, and which rows beside them belong to them: what `[source]` says, as plain values.

Nothing here was compared with a database yet; names become columns in `syncd.source` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CUSTOMER = "customer"  # how a join names the customer table, whatever that table is called


@dataclass(frozen=True, slots=True)
class Condition:
    """What one column must hold: one of `values`, or NULL where `null`; `negated`, none of these.

    A row whose column is NULL passes a negation that does not name "null": `{ not = ["closed"] }` keeps it.
    """

    values: tuple[str, ...] = ()
    null: bool = False
    negated: bool = False


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
    """Rows that stand in the table and count as deleted: those whose `column` holds one of `values`."""

    column: str
    values: tuple[str, ...]
