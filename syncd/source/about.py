"""Facts about the source's server, for `syncd doctor`; reads only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from syncd.source.connection import mode_in_force
from syncd.source.database import Source, reading

_VERSIONS = {
    "sqlite": "SELECT sqlite_version()",
    "postgresql": "SELECT current_setting('server_version')",
    "mysql": "SELECT version()",
}
_CLOCKS = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT unix_timestamp(now(6))",
}
_CHARSETS = {
    "postgresql": "SELECT current_setting('server_encoding')",
    "mysql": "SELECT @@character_set_database",
}
_TRANSPORTS = {
    "postgresql": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'SSL_VERSION'",
}


@dataclass(frozen=True, slots=True)
class About:
    """The server and its version, the database's character set ("" for SQLite, which has one), and the server's clock
    in UTC (None for SQLite, which has this machine's)."""

    server: str
    charset: str
    clock: datetime | None


def transport(source: Source) -> tuple[str, str]:
    """The mode in force (`syncd.tls`), and the version of TLS that a connection speaks, "" for none."""
    query = _TRANSPORTS.get(source.dialect)
    if query is None:
        return "local", ""
    with reading(source) as conn:
        row = conn.execute(sa.text(query)).one_or_none()
    return mode_in_force(source.engine.url, source.config.tls), str(row[0] or "") if row is not None else ""


def about(source: Source) -> About:
    """Ask the server for its version, character set and clock."""
    with reading(source) as conn:
        version = str(conn.execute(sa.text(_VERSIONS[source.dialect])).scalar_one())
        charset = conn.execute(sa.text(_CHARSETS[source.dialect])).scalar_one() if source.dialect in _CHARSETS else ""
        clock = conn.execute(sa.text(_CLOCKS[source.dialect])).scalar_one() if source.dialect in _CLOCKS else None
    name = {
        "sqlite": "SQLite",
        "postgresql": "PostgreSQL",
        "mysql": "MariaDB" if "maria" in version.lower() else "MySQL",
    }
    moment = None if clock is None else datetime.fromtimestamp(float(clock), UTC)
    number = re.match(r"[0-9.]*", version)
    return About(f"{name[source.dialect]} {number[0] if number else ''}", str(charset), moment)
