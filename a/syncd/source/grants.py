"""What the account under `[source] url` needs on the tables of the shop: columns it reads and writes, and no more."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.source.database import Source
from syncd.source.naming import qualified, quoted
from syncd.source.shape import Joined


def rights(source: Source, account: str) -> list[str]:
    """GRANT statements, without the log's own; a comment where one is needed only sometimes."""
    table, own = qualified(source, source.table), source.key.name
    fields = [mapped.column.name for mapped in source.fields.values() if not mapped.join]
    beside = [column.name for column in source.table.c if column.name not in {own, *fields}]
    needed = [f"GRANT SELECT ({_listed(source, [own, *fields, *beside])}) ON {table} TO {account}"]
    if source.is_view:
        needed += [
            f"GRANT SELECT ({quoted(source, each.key.name)}) ON {qualified(source, each.table)} TO {account}"
            for each in source.watched
            if each.keyed
        ]
    ids = [column.name for column in source.id_columns.values()]
    written = [
        mapped.column.name
        for mapped in source.fields.values()
        if not mapped.join and not mapped.fixed and not mapped.is_key
    ]
    writable = [name for name in [*written, *ids] if name != own]
    if source.config.write and writable:
        needed.append(f"GRANT UPDATE ({_listed(source, writable)}) ON {table} TO {account}")
        inserted = [own, *fields, *source.new_row]
        needed.append(
            f"GRANT INSERT ({_listed(source, inserted)}) ON {table} TO {account}  -- only with inbound_create = true"
        )
    return needed + [grant for joined in source.joins for grant in _beside(source, joined, account)]


def _beside(source: Source, joined: Joined, account: str) -> list[str]:
    """The same for a joined table."""
    said = {each.name: each for each in source.config.joins}
    own = said[joined.name]
    followed = [
        ref.partition(".")[2] for each in said.values() for ref in each.on.values() if ref.startswith(f"{own.name}.")
    ]
    mapped = [each for each in source.fields.values() if each.join == joined.name]
    read = [*joined.identity, *own.on, *own.where, *followed, *(each.column.name for each in mapped)]
    table = qualified(source, joined.raw)
    grants = [f"GRANT SELECT ({_listed(source, read)}) ON {table} TO {account}"]
    written = [each.column.name for each in mapped if not each.fixed]
    if source.config.write and written:
        grants.append(f"GRANT UPDATE ({_listed(source, written)}) ON {table} TO {account}")
    return grants


def _listed(source: Source, names: Iterable[str]) -> str:
    return ", ".join(quoted(source, name) for name in dict.fromkeys(names))
