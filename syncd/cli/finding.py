"""One line of `syncd doctor` (a check), and the checks that several parts of doctor share."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.exits import OK


@dataclass(frozen=True, slots=True)
class Check:
    """One check with its result (`what`). `code` is the exit code that the result gives: 0 for "in order", and with a
    remedy for a note."""

    name: str
    what: str
    remedy: str = ""
    code: int = OK


def transport(table: str, mode: str, version: str) -> Check:
    """Whether the connection to a database is encrypted and its server verified. `mode` is the one in force
    (`syncd.tls`), `version` that of the TLS in use."""
    if mode == "local":
        return Check("transport", f"{table}: nothing leaves this machine")
    if mode == "verify":
        return Check("transport", f"{table}: {version}, the server's name is verified")
    risks = {
        "encrypt": f"{table}: {version}, but anybody in between may pass for the server",
        "off": f"{table}: no TLS, so anybody in between can read and change everything",
    }
    return Check("transport", risks[mode], f'Name the authority: [{table}.tls] ca = "/path.pem", mode = "verify".')
