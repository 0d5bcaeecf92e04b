"""`syncd doctor`: every check with a remedy. Reads, and makes one call at each provider."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.exits import OK, PERSON, SAFETY, UNREACHABLE, USAGE, Exit, worst
from syncd.cli.options import config_option, json_option, print_json, provider_named, settings_for
from syncd.cli.output import echo
from syncd.status.report import SKEW

if TYPE_CHECKING:
    from syncd.settings import ProviderSettings, Settings
    from syncd.source.database import Source
    from syncd.store.database import State

_UTF8 = frozenset({"UTF8", "utf8mb4", ""})


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `code` 0: in order (with a remedy: worth knowing); else what it makes of the exit code."""

    name: str
    what: str
    remedy: str = ""
    code: int = OK


@click.command()
@config_option
@json_option
@click.option("--provider", "names", multiple=True, help="Only this provider; may be given several times.")
@click.option("--strict", is_flag=True, help="Leave with 2 where anything is worth a note, too.")
@click.option("--gdpr", is_flag=True, help="Only say which fields go to whom, and what is stored for how long.")
def doctor(config: Path | None, *, as_json: bool, names: tuple[str, ...], strict: bool, gdpr: bool) -> None:
    """Check everything, with a remedy for what is wrong: settings, source, triggers, state, clock, files, providers.

    Exit code: 0 all in order, 2 settings or schema, 6 a restored or cloned database, 7 something does not answer.
    """
    settings = settings_for(config)
    chosen = [provider_named(settings, name) for name in names]
    if gdpr:
        from syncd.cli.privacy import say

        say(settings, as_json=as_json)
        return
    checks: list[Check] = []
    for check in _checks(settings, chosen):
        checks.append(check)
        if not as_json:
            _say(check)
    noted = any(check.remedy for check in checks)
    code = worst([*(check.code for check in checks), *([USAGE] if strict and noted else [])])
    if as_json:
        print_json({"schema": 1, "exit_code": code, "checks": [_shape(check) for check in checks]})
    raise Exit(code)


def _say(check: Check) -> None:
    mark = "wrong" if check.code else "note" if check.remedy else "ok"
    echo(f"{mark:6} {check.name:20} {check.what}")
    if check.remedy:
        echo(f"       {'':20} -> {check.remedy}")


def _shape(check: Check) -> dict[str, Any]:
    return {
        "check": check.name,
        "ok": not check.code,
        "what": check.what,
        "remedy": check.remedy,
        "exit_code": check.code,
    }


def _checks(settings: Settings, chosen: list[str]) -> Iterator[Check]:
    if not chosen:
        yield from _settings(settings)
        yield from _source_checks(settings)
        yield from _state_checks(settings)
    for provider in settings.providers:
        if not chosen or provider.name in chosen:
            yield _provider(settings, provider)


def _settings(settings: Settings) -> Iterator[Check]:
    number = len(settings.providers)
    yield Check("settings", f"{settings.path}: {number} provider{'s' if number != 1 else ''}")
    for key in settings.environment_secrets:
        yield Check(
            "settings",
            f"{key} comes from the environment, which other processes of this user can read",
            'Better: "credential:NAME" or "file:/PATH".',
        )


def _source_checks(settings: Settings) -> Iterator[Check]:
    from syncd.bootstrap import open_settings_source
    from syncd.cli.exits import code_of
    from syncd.errors import SettingsError, SyncdError

    try:
        source = open_settings_source(settings)
    except SettingsError as error:
        for problem in error.problems:
            yield Check("source", f"{problem.place}: {problem.reason}", problem.remedy or "Correct syncd.toml.", USAGE)
        return
    except SyncdError as error:
        yield Check(
            "source", error.message, error.remedy or "Start the database, check url and password.", code_of(error)
        )
        return
    try:
        yield from _source(settings, source)
    except SyncdError as error:
        yield Check("source", error.message, error.remedy or "syncd triggers install --print-sql", code_of(error))
    finally:
        source.close()


def _source(settings: Settings, source: Source) -> Iterator[Check]:
    from syncd.source import customers, triggers
    from syncd.source.about import about, transport

    server = about(source)
    kind = "view" if source.is_view else "table"
    yield Check("source", f'{server.server}, {kind} "{source.table.name}", {customers.count(source)} customers')
    if server.charset not in _UTF8:
        yield Check("source", f"character set {server.charset}: some names cannot be stored", "Use utf8mb4.")
    if server.clock is not None:
        skew = abs((server.clock - datetime.now(UTC)).total_seconds())
        remedy = "Synchronise both clocks (NTP)." if skew > SKEW else ""
        yield Check("clock", f"{skew:.1f} s between the source and this machine", remedy)
    yield _transport("source", *transport(source))
    yield from _soundness(source)
    yield from _doubts(settings, source)
    found = triggers.check(source)
    for problem in found:
        yield Check("triggers", problem.reason, problem.remedy or "syncd triggers install", USAGE)
    if not found:
        yield Check("triggers", f"in order ({source.config.change_log})")
    for note in triggers.advice(source):
        yield Check("triggers", note.reason, note.remedy or "Nothing to do: the verify sweep finds the rest.")


def _transport(table: str, mode: str, version: str) -> Check:
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


def _soundness(source: Source) -> Iterator[Check]:
    """What the rows say about joins, value maps and columns nobody can write."""
    from syncd.source import soundness

    for problem in soundness.double_rows(source):
        yield Check("joins", problem.reason, problem.remedy, USAGE)
    for problem in (*soundness.unmapped(source), *soundness.one_way_fields(source)):
        yield Check("source", problem.reason, problem.remedy)


def _doubts(settings: Settings, source: Source) -> Iterator[Check]:
    from syncd.cli.doubtful import doubtful

    for what, remedy in doubtful(settings, source):
        yield Check("customers", what, remedy)


def _state_checks(settings: Settings) -> Iterator[Check]:
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
        yield _transport("state", *state.transport())
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
    """What is stored goes by the server's clock, so a wrong one here does no harm; but log lines would disagree."""
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
    """A table that was renamed or taken out of the settings leaves its links behind."""
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
        return  # told above
    try:
        facts = source_facts(state, source)
        yield from _ids(state, source)
    finally:
        source.close()
    if facts.capture == "restored":
        yield Check("fence", facts.reason, "syncd recover", SAFETY)


def _ids(state: State, source: Source) -> Iterator[Check]:
    """Columns for external ids that cannot hold what there is."""
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


def _provider(settings: Settings, wanted: ProviderSettings) -> Check:
    from syncd.bootstrap import ask
    from syncd.errors import ProviderError, Unauthorized

    try:
        return Check(wanted.name, ask(settings, wanted))
    except Unauthorized as error:
        remedy = f"Renew the credentials under [providers.{wanted.name}], then: syncd resume {wanted.name}"
        return Check(wanted.name, f"refuses us: {error.message}", remedy, UNREACHABLE)
    except ProviderError as error:
        remedy = f"Check url under [providers.{wanted.name}] and the network."
        return Check(wanted.name, f"does not answer as it should: {error.message}", remedy, UNREACHABLE)
