"""`syncd doctor`: every check with a remedy. Reads, and makes one call at each provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.doctor_source import source_checks
from syncd.cli.doctor_state import state_checks
from syncd.cli.exits import UNREACHABLE, USAGE, Exit, worst
from syncd.cli.finding import Check
from syncd.cli.options import config_option, json_option, print_json, provider_named, settings_for
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.settings import ProviderSettings, Settings


@click.command()
@config_option
@json_option
@click.option("--provider", "names", multiple=True, help="Only this provider; may be given several times.")
@click.option("--strict", is_flag=True, help="Leave with 2 where anything is worth a note, too.")
@click.option("--gdpr", is_flag=True, help="Only say which fields go to whom, and what is stored for how long.")
def doctor(config: Path | None, *, as_json: bool, names: tuple[str, ...], strict: bool, gdpr: bool) -> None:
    """Check everything, with a remedy for what is wrong: settings, source, triggers, state, clock, files, providers.

    Exit code: 0 all in order, 2 settings or schema, 5 a provider left the settings, 6 a restored or cloned database,
    7 something does not answer.
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
        yield from source_checks(settings)
        yield from state_checks(settings)
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
