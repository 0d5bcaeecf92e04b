"""Names of the triggers that syncd installs, and identifiers as text for DDL."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from syncd.source.database import Source

POINTED = "J"  # a mark's op: `customer_key` is the value that leads to a joined row, `was` the join's name

_LONGEST = 40  # characters of a table's name in a trigger's; PostgreSQL takes 63 bytes in all, MariaDB 64 characters


def quoted(source: Source, name: str) -> str:
    """An identifier, always quoted, for a statement without parameters (SQLAlchemy's own quoting doubles percents)."""
    mark = "`" if source.dialect == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def qualified(source: Source, table: sa.Table) -> str:
    """A table with its schema, quoted."""
    name = quoted(source, table.name)
    return f"{quoted(source, table.schema)}.{name}" if table.schema else name


def trigger_name(table: str, event: str) -> str:
    """`syncd_<table>_<event>`; a long or wide table name is shortened and told apart by a digest."""
    return f"syncd_{short(table)}_{event.lower()}"


def short(name: str) -> str:
    """The name itself where it fits, else its beginning and a digest."""
    if len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{name.encode()[:30].decode(errors='ignore')}_{digest}"


def squeezed(text: str) -> str:
    """A statement with one blank for each run of blanks: catalogues show blanks in their own way."""
    return " ".join(text.split())
