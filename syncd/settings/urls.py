"""What may stand in a URL of the settings file. No sentence here repeats the URL: it may hold a password."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from syncd.settings.values import Wrong

# As SQLAlchemy reads it: a password may hold a slash, and ends at the last @ before the host
_DATABASE = re.compile(r"([A-Za-z0-9_+]+)://(?:([^:/]*)(:[^@]*)?@)?(.*)", re.DOTALL)
_PASSWORD_PARAMETER = re.compile(r"[?&;][^=&;]*(?:password|passwd|pwd|passphrase)[^=&;]*=", re.IGNORECASE)
_SOURCES = ("sqlite", "postgresql", "mysql", "mariadb")
_STATES = ("sqlite", "postgresql")


def check_database(url: str, *, state: bool = False) -> None:
    """A SQLAlchemy URL of a database that syncd speaks to, without password. Raises `Wrong`."""
    match = _DATABASE.fullmatch(url)
    if match is None:
        raise Wrong("is not a database URL.", 'Write "dialect+driver://user@host/database" or "sqlite:////path".')
    if match[3] or _PASSWORD_PARAMETER.search(match[4]):
        raise Wrong("must not hold a password.", "Move it to the key password beside it, as a reference.")
    allowed = _STATES if state else _SOURCES
    if match[1].partition("+")[0] not in allowed:
        raise Wrong(f"must be of one of these databases: {', '.join(allowed)}.")
    if match[1].startswith("sqlite") and sqlite_file(url) is None:
        raise Wrong("must name a file.", 'Write "sqlite:////full/path".')


def sqlite_file(url: str) -> Path | None:
    """The file behind a SQLite URL; None for other databases and for databases in memory."""
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///(?:file:)?([^?]*)(?:\?.*)?", url)
    name = unquote(match[1]) if match else ""
    return Path(name) if name and name != ":memory:" else None


def same_file(one: Path, other: Path) -> bool:
    """Also through links of both kinds, and where neither exists yet."""
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except OSError:
        return False


def check_web(url: str, *, allow_http: bool, query: bool = False) -> None:
    """The address of an HTTP service: https, or http where nobody in between can listen. Raises `Wrong`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Wrong("is not a URL.", 'Write "https://host" or "https://host:port".') from None
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url:
        raise Wrong("is not a URL.", 'Write "https://host" or "https://host:port".')
    _check_parts(parts, query=query)
    if parts.scheme == "http" and not (allow_http or loopback(host)):
        raise Wrong("must begin with https.", "Plain http is for this machine only, because others could read it.")


def _check_parts(parts: SplitResult, *, query: bool) -> None:
    if "@" in parts.netloc:
        raise Wrong("must not hold a user or password.", "Credentials have keys of their own.")
    if parts.fragment or (parts.query and not query):
        raise Wrong("must not hold ? or #.", "Write scheme, host, port and path only.")


def loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
