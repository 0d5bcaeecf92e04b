"""Copy the whole state into another database, or back it up into a file."""

from __future__ import annotations

from pathlib import Path

from syncd.errors import SafetyStop, StateUnreachable, UsageError
from syncd.runtime.alone import alone
from syncd.store import copying
from syncd.store.database import State, Transaction


def copy_state(state: State, target: State, where: str) -> dict[str, int]:
    """Copy every row into the empty `target`, and compare both; answers the number of rows by table.

    All or nothing: the target is filled in one transaction, and the source cannot change meanwhile. Raises `UsageError`
    for a target that is not empty, `LeaseHeld` while another process works on the source, `SafetyStop` where the two
    differ.
    """
    with target.read() as tx:  # first of all: the target may be the state itself, and its lock would never come free
        _empty(tx)
    with alone(state, f"syncd db copy --to {where}") as ours, target.begin() as theirs:
        _empty(theirs)
        copying.copy(ours, theirs)
        before, after = copying.contents(ours), copying.contents(theirs)
        differing = [name for name in before if before[name] != after[name]]
        if differing:
            raise SafetyStop(
                f"the copy differs in {', '.join(differing)}; it was taken back, nothing was changed.",
                remedy="stop every syncd that uses either state, then copy again",
            )
    return {name: number for name, (number, _) in after.items()}


def _empty(tx: Transaction) -> None:
    standing = copying.rows_of(copying.contents(tx))
    if standing:
        raise UsageError(
            f"the target is not empty: it has {standing} rows of a state. Nothing was copied.",
            remedy="name an empty database or a new file",
        )


def back_up(state: State, target: Path) -> None:
    """Back up a SQLite state into `target`, also while the daemon runs. Raises `UsageError` for a state on a server,
    and for a `target` that cannot be written; its remedy names another way."""
    if state.path is None:
        url = state.reader.url
        place = f"--host={url.host} --port={url.port or 5432} --username={url.username} {url.database}"
        raise UsageError(
            "a state on PostgreSQL is kept by its own tool, also while the daemon runs.",
            remedy=f"pg_dump --format=custom --file={target} {place}",
        )
    if not target.parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}.", remedy="create it, or name another")
    try:
        copying.back_up(state.path, target)
    except FileExistsError:
        raise UsageError(f"{target} exists already; it was not touched.", remedy="name another file") from None
    except StateUnreachable:
        target.unlink(missing_ok=True)
        raise
