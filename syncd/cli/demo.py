"""`syncd demo`: a shop, five sandboxes, and a walk in which every sentence printed was checked first.

Nothing leaves this machine, nothing needs an account, nothing stays running. The walk is also the smoke test of an
installation: exit 0 means that every step held.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli import demo_story as story
from syncd.cli.demo_walk import Walk
from syncd.cli.output import echo
from syncd.extras import install

if TYPE_CHECKING:
    from syncd.sandbox.server import Server

CUSTOMERS = 200
RECORDS = "sandboxes.json"


@click.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave the working directory here.")
@click.option("--customers", type=click.IntRange(20, 5000), default=CUSTOMERS, show_default=True)
def demo(keep: Path | None, customers: int) -> None:
    """A shop, five sandboxes and a walk through everything. Needs no settings.

    Sandboxes that installed packages bring take part: they get every customer once.
    """
    try:
        from syncd.sandbox.five import keep_records
    except ModuleNotFoundError:
        from syncd.errors import UsageError

        raise UsageError("the demo needs the sandboxes", remedy=install("sandbox")) from None
    with _directory(keep) as directory, (directory / "demo.log").open("w") as log, _sandboxes(keep) as server:
        echo("syncd demo: everything on this machine, nothing leaves it.", "")
        walk = Walk(directory, server, log)
        for part in story.PARTS:
            part(walk, customers)
        story.closing(walk)
        if keep is not None:
            keep_records(server, directory / RECORDS)
            port = min(server.ports.values())
            echo("", f"Look around:  cd {directory} && syncd sandbox --port {port} --records {RECORDS} &")
            echo("              syncd status, explain 1001, plan; edit shop.db, then syncd run-once")
            echo(f"Status page:  {directory / 'status.html'}")
    echo("", "Your own data:  syncd init")


@contextmanager
def _sandboxes(keep: Path | None) -> Iterator[Server]:
    """The sandboxes. With `--keep` on ports in a row, so that `syncd sandbox --port` can serve them there again."""
    from syncd.cli.sandbox import PORT

    with ExitStack() as stack:
        yield _started(stack, range(PORT, PORT + 100, 10) if keep is not None else [0])


def _started(stack: ExitStack, ports: Iterable[int]) -> Server:
    from syncd.errors import UsageError
    from syncd.sandbox.five import serve_all

    for port in ports:
        with suppress(OSError):
            return stack.enter_context(serve_all(port))
    raise UsageError("no five ports in a row are free", remedy="syncd demo, without --keep")


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            from syncd.errors import UsageError

            raise UsageError(f"{keep} is not empty", remedy="name a new directory")
        yield keep.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="syncd-demo-"))
    yield made
    shutil.rmtree(made)  # not after a failed step: its files help to find the cause
