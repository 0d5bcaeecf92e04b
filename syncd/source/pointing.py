"""Finds the customers of a joined row that changed.

For a joined row, the log holds the value that leads to it (its `address_id`), not customers. A trigger that looked for
customers itself would miss one whom another open transaction has just pointed at this row, and that change would never
be seen. So capture looks for the customers after the commit, by the values from before and after the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from syncd.source.changelog import Entry
from syncd.source.database import Source, reading
from syncd.source.joins import rows_from
from syncd.source.keys import bound, spelled
from syncd.source.naming import POINTED
from syncd.source.shape import Joined

IDS = "syncd:ids:"
"""Origin of syncd's writes into a column for external ids, which change no field of a customer."""
CHUNK = 200


def customer_marks(source: Source, entries: Sequence[Entry]) -> list[Entry]:
    """The marks, with those of customers in place of a joined row's, and without those of syncd's own writes of
    external ids. The mark of a join that the settings no longer have may concern any customer: it becomes a mark for
    all rows."""
    marks: list[Entry] = []
    led: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if entry.op == POINTED:
            led.setdefault(entry.was or "", {})[entry.key] = entry
        elif not (entry.op == "U" and entry.origin.startswith(IDS) and not entry.was):
            marks.append(entry)
    known = {joined.name: joined for joined in source.joins}
    for name, values in led.items():
        last = next(reversed(values.values()))
        if name in known:
            keys = pointing(source, known[name], values)
            marks += [last._replace(key=key, op="U", was=None, table=False) for key in keys]
        else:
            marks.append(last._replace(key="", op="T", was=None, table=False))
    return marks


def pointing(source: Source, joined: Joined, values: Iterable[str]) -> list[str]:
    """The keys of rows that any of these values of the join leads to. Filters are not applied: a customer that they
    excluded may be included since this change."""
    wanted = [value for text in values if (value := bound(joined.pointed_kind, text)) is not None]
    rows = rows_from(source, [joined.parent] if joined.parent else [])
    query = sa.select(source.key).select_from(rows).where(source.key.is_not(None)).distinct()
    found: dict[str, None] = {}
    with reading(source) as conn:
        for start in range(0, len(wanted), CHUNK):
            chunk = query.where(joined.pointed.in_(wanted[start : start + CHUNK]))
            found |= dict.fromkeys(spelled(source.key_kind, row[0]) for row in conn.execute(chunk))
    return list(found)
