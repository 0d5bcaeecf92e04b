"""The checks of `syncd doctor` in the state: file, revision, clock, transport, processes at work, vanished providers,
the fence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from syncd.cli.exits import OK, PERSON, SAFETY, UNREACHABLE, USAGE
from syncd.cli.finding import Check, transport
from syncd.status.report import SKEW

if TYPE_CHECKING:
    from syncd.settings import Settings
    from syncd.source.database import Source
    from syncd.store.database import State


def state_checks(settings: Settings) -> Iterator[Check]:
    """All checks of the state; a state that cannot be opened is one check, with the reason."""
    from syncd.bootstrap import open_settings_state
    from syncd.cli.exits import code_of
    from syncd.errors import SetupNeeded, SyncdError
    from syncd.store.database import quick_check, revision

    try:
        state = open_settings_state(settings, create=False)
    except SetupNeeded as error:
        new = error.remedy == "syncd run-once"
        yield Check("state", error.message, error.remedy, OK if new else USAGE)
        return
    except SyncdError as error:
        yield Check("state", error.message, error.remedy or "Check [state] in syncd.toml.", code_of(error))
        return
    try:
        quick_check(state)
        yield Check("state", f"{state.path or 'PostgreSQL'}, revision {revision(state)}")
        yield _writable(state)
        yield from _state_clock(state)
        yield transport("state", *state.transport())
        yield from _files(state)
        yield from _who(state)
        yield from _vanished(settings, state)
        yield from _fence(settings, state)
    except SyncdError as error:
        yield Check("state", error.message, error.remedy or "Check [state] in syncd.toml.", code_of(error))
    finally:
        state.close()


def _writable(state: State) -> Check:
    from syncd.operate.status import storage_trouble

    reason = storage_trouble(state)
    if reason:
        return Check("state", reason, "Free some space, check owner and mode; nothing is lost meanwhile.", UNREACHABLE)
    return Check("state", "can be written")


def _state_clock(state: State) -> Iterator[Check]:
    """The moments in a state on PostgreSQL are of that server's clock, so a wrong clock of this machine does no harm
    there. Log lines are of this machine's clock, and would disagree."""
    from syncd.clock import SystemClock
    from syncd.store.server_clock import ServerClock, clock_of

    clock = clock_of(state, SystemClock())
    if isinstance(clock, ServerClock):
        skew = abs(clock.ahead())
        remedy = "Synchronise both clocks (NTP)." if skew > SKEW else ""
        yield Check("clock", f"{skew:.1f} s between the state and this machine", remedy)


def _files(state: State) -> Iterator[Check]:
    if state.path is None:
        return
    for path in sorted(state.path.parent.glob(f"{state.path.name}*")):
        if path.stat().st_mode & 0o077:
            yield Check("files", f"{path} can be read by others", f"chmod 0600 {path}", USAGE)


def _who(state: State) -> Iterator[Check]:
    from syncd.status.liveness import state_of
    from syncd.store import leases
    from syncd.store.pulse import pulses

    with state.read() as tx:
        holders, living = leases.holders(tx), pulses(tx)
    for pulse in living:
        silent = state_of(pulse.age, pulse.poll, pulse.trouble) == "silent"
        what = f"pid {pulse.pid} on {pulse.host}, last pulse {pulse.age:.0f} s ago"
        yield Check("daemon", what, "systemctl status syncd" if silent else "", UNREACHABLE if silent else OK)
    at_work = sorted({holder.holder for holder in holders if holder.remaining > 0})
    if at_work:
        yield Check("instances", f"at work now: {', '.join(at_work)}")


def _vanished(settings: Settings, state: State) -> Iterator[Check]:
    """Providers with links in the state that the settings no longer name."""
    from syncd.store.providers import vanished

    with state.read() as tx:
        gone = vanished(tx, {each.name for each in settings.providers})
    for name, pairs in gone.items():
        remedy = f"syncd provider remove {name}, or if it has another name now: syncd provider rename {name} NEW"
        yield Check("settings", f"{name} has {pairs} customers in the state and is not in the settings", remedy, PERSON)


def _fence(settings: Settings, state: State) -> Iterator[Check]:
    from syncd.bootstrap import open_settings_source
    from syncd.errors import SyncdError
    from syncd.operate.status import source_facts

    try:
        source = open_settings_source(settings)
    except SyncdError:
        return  # `source_checks` tells it
    try:
        facts = source_facts(state, source)
        yield from _ids(state, source)
    finally:
        source.close()
    if facts.capture == "restored":
        yield Check("fence", facts.reason, "syncd recover", SAFETY)


def _ids(state: State, source: Source) -> Iterator[Check]:
    """Columns for external ids that cannot hold the longest id in the state."""
    from syncd.source import ids
    from syncd.source.shape import for_provider
    from syncd.store import mapping

    for name, column in source.id_columns.items():
        with state.read() as tx:
            longest = mapping.longest_id(tx, name)
        if longest and not ids.fits(for_provider(source, name), longest):
            what = f'providers.{name}.id_column: column "{column.name}" cannot hold an id of {len(longest)} characters'
            yield Check(
                name, what, f"Make it VARCHAR({len(longest)}) or wider; until then such ids are left out.", USAGE
            )
