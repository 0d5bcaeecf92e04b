"""What a connection to a database must prove before a password goes over it.

By default the server's name is verified (a certificate that a trusted authority signed for this very name), unless the
server can only be this machine: a loopback address or a socket. `mode` in `[source.tls]` and `[state.tls]` overrules.

libpq's `sslmode=verify-full` alone would still hand a password in the clear to a server that asks for it, and its
GSS encryption would step in front of TLS, so both are closed (PostgreSQL manual, 34.1.2 and 34.19).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

MODES = ("verify", "encrypt", "off")
LOCAL = "local"

_REASONS = (  # parts of messages of libpq, OpenSSL and PyMySQL, and what each means
    ("does not match host name", "its certificate is for another name"),
    ("ostname mismatch", "its certificate is for another name"),
    ("address mismatch", "its certificate is for another name"),
    ("certificate verify failed", "nobody that we trust signed its certificate"),
    ("certificate has expired", "its certificate has expired"),
    ("server does not support SSL", "it offers no TLS"),
    ("server doesn't support it", "it offers no TLS"),
    ("authentication method requirement", "it asks for the password in an unsafe way"),
    ("in the clear", "it asks for the password in an unsafe way"),
    ("root certificate", "the file of [tls] ca cannot be used"),
    ("WRONG_VERSION_NUMBER", "it offers no TLS that we take"),
    ("handshake failure", "it offers no TLS that we take"),
    ("unsupported protocol", "it offers no TLS that we take"),
)


class Tls(NamedTuple):
    """A `[source.tls]` or `[state.tls]` table: `mode` is one of `MODES`, or "" for the default; `ca` is a file of
    certificates, or "" for those that the system trusts."""

    mode: str = ""
    ca: str = ""


DEFAULT = Tls()


def local(host: str) -> bool:
    """Whether a host can only be this machine: none at all, a socket, `localhost`, or a loopback address."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def in_force(tls: Tls, hosts: Iterable[str]) -> str:
    """The mode in force for a server with these hosts: one of `MODES`, or `LOCAL`, where no proof is needed."""
    return tls.mode or (LOCAL if all(map(local, hosts)) else "verify")


def hosts_of(host: str | None, query: Mapping[str, str | tuple[str, ...]]) -> list[str]:
    """Every host that a URL may lead to; "" is the local socket. PostgreSQL's URLs may name several, and both
    databases' URLs may name a host or a socket among the options."""
    found = [host or ""]
    for name in ("host", "unix_socket"):
        value = query.get(name, ())
        found += [value] if isinstance(value, str) else value
    names = [name for entry in found for name in entry.split(",") if name]
    return names or [""]


def for_postgresql(mode: str, ca: str, *, password: bool) -> dict[str, Any]:
    """The options of libpq for a mode. To another machine a password is only proved (SCRAM), never sent."""
    if mode == LOCAL:
        return {}
    proof = {"require_auth": "scram-sha-256"} if password else {}
    wire = {"gssencmode": "disable", "sslmode": "disable" if mode == "off" else "require"} | proof
    if mode == "verify":
        trusted = ca or ssl.get_default_verify_paths().cafile or "system"
        wire |= {"sslmode": "verify-full", "sslrootcert": trusted, "ssl_min_protocol_version": "TLSv1.2"}
    return wire


def for_mysql(mode: str, ca: str) -> dict[str, Any]:
    """The options of PyMySQL for a mode. Without TLS, plugins that send the password in the clear are refused."""
    if mode in {LOCAL, "off"}:
        plugins = {b"mysql_clear_password": _Refused, b"dialog": _Refused}
        return {"auth_plugin_map": plugins, **({"ssl_disabled": True} if mode == "off" else {})}
    return {"ssl": context(ca, verified=mode == "verify")}


def context(ca: str, *, verified: bool = True) -> ssl.SSLContext:
    """A context for TLS 1.2 or newer. Raises OSError where `ca` is no file of certificates. Unlike
    `ssl.create_default_context`, it never writes session keys into the file that `$SSLKEYLOGFILE` names."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        made.load_verify_locations(cafile=ca)
    else:
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verified:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


class _Refused:
    """Takes the place of a plugin of PyMySQL that sends the password in the clear."""

    def __init__(self, _connection: object) -> None:
        pass

    def authenticate(self, _packet: object) -> object:
        """Say no before anything is sent."""
        raise ConnectionRefusedError("the server asks for the password in the clear")


def reason(text: str) -> str:
    """Why a driver did not trust a server, in words of syncd; "" for any other error. `text` is the driver's message,
    which may hold values and is not shown."""
    return next((words for mark, words in _REASONS if mark in text), "")
