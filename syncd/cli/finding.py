"""One line of `syncd doctor` (a check), and the checks that several parts of doctor share."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.exits import OK


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `code` 0: in order (with a remedy: worth knowing); else what it makes of the exit code."""

    name: str
    what: str
    remedy: str = ""
    code: int = OK


def transport(table: str, mode: str, version: str) -> Check:
    """How a database proves that it is the one, before a password goes there."""
    if mode == "local":
        return Check("transport", f"{table}: nothing leaves this machine")
    if mode == "verify":
        return Check("transport", f"{table}: {version}, the server's name is verified")
    risks = {
        "encrypt": f"{table}: {version}, but anybody in between may pass for the server",
        "off": f"{table}: no TLS, so anybody in between can read and change everything",
    }
    return Check("transport", risks[mode], f'Name the authority: [{table}.tls] ca = "/path.pem", mode = "verify".')
