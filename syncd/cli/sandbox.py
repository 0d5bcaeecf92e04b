"""`syncd sandbox`: strict stand-ins on loopback, the five and installed ones, with the settings that reach them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.options import stopping
from syncd.cli.output import document, echo
from syncd.extras import install

if TYPE_CHECKING:
    from syncd.sandbox.server import Server

PORT = 8701


@click.command()
@click.option("--port", type=click.IntRange(0, 65530), default=PORT, show_default=True, help="The first; 0: any.")
@click.option(
    "--secrets",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sandbox-secrets"),
    show_default=True,
    help="Where the sandboxes' credentials are written for the settings to refer to.",
)
@click.option(
    "--records",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Go on with the customers in this file, which `syncd demo --keep` leaves behind; they are kept there again.",
)
def sandbox(port: int, secrets: Path, records: Path | None) -> None:
    """Strict stand-ins of the five providers, and of those that installed packages bring, on loopback until Ctrl-C.

    Each has a control API under /_control: faults, toggles, records, the log of requests.
    """
    from syncd.errors import UsageError

    try:
        from syncd.sandbox.five import all_secrets, keep_records, provider_settings, serve_all, write_secrets
    except ModuleNotFoundError:
        raise UsageError("the sandboxes are not installed", remedy=install("sandbox")) from None
    secrets = secrets.resolve()
    try:
        write_secrets(secrets, all_secrets())
    except OSError as error:
        raise UsageError(f"{secrets}: {error.strerror}", remedy="syncd sandbox --secrets DIRECTORY") from None
    with ExitStack() as opened:
        stop = opened.enter_context(stopping())
        try:
            server = opened.enter_context(serve_all(port))
        except OSError as error:
            reason = f"a port from {port} on is taken ({type(error).__name__})"
            raise UsageError(reason, remedy="syncd sandbox --port 0") from None
        if records is not None:
            _load(server, records)
        echo("# ready to copy into syncd.toml; the credentials are for these sandboxes only")
        document(provider_settings(server, secrets, names=tuple(server.twins)) + "\n")
        for name in server.twins:
            echo(f"{name:20} {server.url(name)}   control: {server.url(name)}/_control", err=True)
        echo("Ctrl-C ends.", err=True)
        while not stop.wait(0.5):
            pass
        if records is not None:
            keep_records(server, records)


def _load(server: Server, records: Path) -> None:
    from syncd.errors import UsageError
    from syncd.sandbox.five import load_records

    try:
        load_records(server, records)
    except ValueError:
        reason = f"{records} is not a file of the sandboxes' customers"
        raise UsageError(reason, remedy="syncd demo --keep DIR writes one") from None
