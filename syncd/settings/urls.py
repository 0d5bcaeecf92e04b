"""Checks of URLs in a settings file. No message repeats the URL: it may hold a password."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from syncd.providers.way import is_address
from syncd.settings.values import Wrong, did_you_mean
from syncd.tls import local

# As SQLAlchemy reads it: a password may hold a slash, and ends at the last @ before the host
_DATABASE = re.compile(r"([A-Za-z0-9_+]+)://(?:([^:/]*)(:[^@]*)?@)?(.*)", re.DOTALL)
_PASSWORD = re.compile(r"pass(?:word|wd|phrase|file)?|pwd", re.IGNORECASE)
_TLS = re.compile(r"(?:ssl|tls|gss)|require_?auth|requiressl|channel_binding|verify", re.IGNORECASE)
_SOURCES = ("sqlite", "postgresql", "mysql", "mariadb")
_STATES = ("sqlite", "postgresql")
_FORM = 'Write "dialect+driver://user@host/database" or "sqlite:////path".'
_NUMBER = re.compile(r"\d{1,9}")
_ANY = re.compile(r"[^\x00-\x1f\x7f]+")
_POSTGRESQL = {
    **dict.fromkeys(("host", "options", "application_name", "target_session_attrs"), _ANY),
    **dict.fromkeys(("port", "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval"), _NUMBER),
    **dict.fromkeys(("keepalives_count", "tcp_user_timeout"), _NUMBER),
}
_MYSQL = {"unix_socket": _ANY, "charset": re.compile("utf8mb4")}
_OPTIONS = {
    "sqlite": {"mode": re.compile("ro|rw"), "uri": re.compile("true"), "cache": re.compile("private|shared")},
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}
"""The options that may stand behind the ? of a database URL, with the form of their values. Others are refused: a
driver may obey them (libpq takes `passfile`, PyMySQL `read_default_file`)."""


def check_database(url: str, *, state: bool = False) -> None:
    """Check a SQLAlchemy URL: a database that syncd speaks to, no password, known options. Raises `Wrong`."""
    match = _DATABASE.fullmatch(url)
    if match is None:
        raise Wrong("is not a database URL.", _FORM)
    table = "state" if state else "source"
    remedy = f'Take it out of the URL and write beside it: password = "credential:{table}-password" (or file:, env:).'
    if match[3] is not None:
        raise Wrong("must not hold a password.", remedy)
    dialect = match[1].partition("+")[0]
    allowed = _STATES if state else _SOURCES
    if dialect not in allowed:
        raise Wrong(
            f"must be of one of these databases: {', '.join(allowed)}.", did_you_mean(dialect, allowed) or _FORM
        )
    _check_options(dialect, match[4].partition("?")[2], remedy, table)
    if dialect == "sqlite":
        if sqlite_file(url) is None:
            raise Wrong("must name a file.", 'Write "sqlite:////full/path".')
    else:
        _check_server(match[4].partition("?")[0].partition("/")[0])


def _check_server(server: str) -> None:
    """Check the part `host:port`, between the user and the database's name."""
    address = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]@\s]*)(?::(\d{1,9}))?", server)
    if address is None or (address[2] and not 0 < int(address[2]) < 65536):
        raise Wrong("names no server.", 'Write "user@host:port/database"; an IPv6 address stands in brackets.')


def _check_options(dialect: str, query: str, remedy: str, table: str) -> None:
    known = _OPTIONS[dialect]
    for name, value in parse_qsl(query, keep_blank_values=True, separator="&"):
        if _PASSWORD.search(name):
            raise Wrong("must not hold a password.", remedy)
        if _TLS.search(name):
            raise Wrong("must not say how TLS is used.", f"Write [{table}.tls] with mode and ca.")
        if name not in known:
            near = did_you_mean(name, known) or f"Possible here: {', '.join(known)}."
            raise Wrong("has an option behind the ? that syncd does not know.", near)
        if not known[name].fullmatch(value):
            raise Wrong(f"has a value for {name} that cannot be.", "Correct it, or leave it out.")


def sqlite_file(url: str) -> Path | None:
    """The file behind a SQLite URL; None for other databases and for databases in memory."""
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///(?:file:)?([^?]*)(?:\?.*)?", url)
    name = unquote(match[1]) if match else ""
    return Path(name) if name and name != ":memory:" else None


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths name the same file, also through symbolic or hard links, and where no file exists yet."""
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except OSError:
        return False


def check_web(url: str, *, allow_http: bool, query: bool = False) -> None:
    """Check the URL of an HTTP service: https, or plain http to this machine or where the settings allow it. Raises
    `Wrong`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Wrong("is not a URL.", 'Write "https://host" or "https://host:port".') from None
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url:
        raise Wrong("is not a URL.", 'Write "https://host" or "https://host:port".')
    _check_parts(parts, query=query)
    if is_address(host) and ip_address(host).is_link_local:
        raise Wrong("must not be a link-local address.", "Write the server's name, or an address of its network.")
    if parts.scheme == "http" and not (allow_http or local(host)):
        raise Wrong("must begin with https.", "Plain http is for this machine only, because others could read it.")


def _check_parts(parts: SplitResult, *, query: bool) -> None:
    if "@" in parts.netloc:
        raise Wrong("must not hold a user or password.", "Credentials have keys of their own.")
    if parts.fragment or (parts.query and not query):
        raise Wrong("must not hold ? or #.", "Write scheme, host, port and path only.")
