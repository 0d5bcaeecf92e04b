"""`syncd retry`, `pause` and `resume`: an operator changes the state, and a running daemon follows within seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli.options import acted, config_option, json_option, logging_for, print_json, provider_named
from syncd.cli.output import echo

if TYPE_CHECKING:
    from syncd.core.model import Pair
    from syncd.settings import Settings
    from syncd.store.database import Transaction

PAGE = 200  # rows of one query


@click.command()
@config_option
@json_option
@click.argument("key", required=False)
@click.option("--failed", is_flag=True, help="Everything in retry, rejected and dead.")
@click.option("--provider", "names", multiple=True, help="Only this provider; may be given several times.")
def retry(config: Path | None, *, as_json: bool, key: str | None, failed: bool, names: tuple[str, ...]) -> None:
    """Make customers in retry, rejected and dead due now: one by its KEY, or all with --failed.

    Settle times and a provider's pause stay as they are.
    """
    from syncd.bootstrap import open_settings_state
    from syncd.cli.naming import meant
    from syncd.clock import SystemClock
    from syncd.errors import UsageError
    from syncd.store import work

    if (key is None) is not failed:
        raise UsageError("name one customer, or say --failed", remedy="syncd retry --failed")
    settings = logging_for(config)
    chosen = [provider_named(settings, name) for name in names] or [p.name for p in settings.providers]
    state = open_settings_state(settings, create=False)
    try:
        key = meant(key, state) if key is not None else None
        with state.begin() as tx:
            now = SystemClock().now()
            pairs = [pair for name in chosen for pair in _failed(tx, name, key)]
            for reason, some in _reasons(tx, pairs).items():
                work.mark(tx, some, reason, now)
            closed = {name: _closed(tx, name, now) for name in sorted({pair.provider for pair in pairs})}
        paused = {name: word for name, word in closed.items() if word}
    finally:
        state.close()
    acted("retry", customer_key=key, count=len(pairs))
    if as_json:
        print_json({"schema": 1, "due": len(pairs), "paused": list(paused)})
        return
    _say_retried(key, len(pairs), paused)


def _reasons(tx: Transaction, pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The pairs by the reason of their mark. A pair without a link, at a provider whose match report was accepted, is
    still part of the first pass that a person approved: its reason is `backfill`, and the guard does not count its
    create."""
    from syncd.store import mapping, progress

    marks: dict[str, list[Pair]] = {}
    for pair in pairs:
        link = mapping.read(tx, pair)
        new = link is None or link.external_id is None
        first = new and bool(progress.meta(tx, f"adopted:{pair.provider}"))
        marks.setdefault("backfill" if first else "person", []).append(pair)
    return marks


def _say_retried(key: str | None, number: int, paused: Mapping[str, str]) -> None:
    from syncd.cli.naming import whom
    from syncd.status.remedies import quoted

    if not number:
        echo("nothing to retry" if key is None else f"customer {whom(key)} has nothing to retry")
        if key is not None:
            echo(f"next:  syncd explain {quoted(whom(key))}")
        return
    stopped = ", ".join(f"{name} is {word}" for name, word in paused.items())
    echo(f"{number} due now" + (f", but {stopped}" if stopped else ""))
    echo(f"next:  syncd resume {next(iter(paused))}" if paused else "next:  syncd run-once, unless the daemon runs")


def _failed(tx: Transaction, provider: str, key: str | None) -> Iterator[Pair]:
    """The pairs of one provider in retry, rejected or dead; of one customer or of all."""
    from syncd.clock import SystemClock
    from syncd.core.model import Pair, State
    from syncd.status.report import is_failure
    from syncd.store import mapping, overview, work

    wanted = (State.REJECTED, State.DEAD)
    if key is not None:
        link, item = mapping.read(tx, Pair(provider, key)), work.read(tx, Pair(provider, key))
        if (link is not None and link.state in wanted) or (item is not None and _waits(item.error_class)):
            yield Pair(provider, key)
        return
    after = ""
    while links := mapping.page(tx, provider, after, PAGE, states=wanted):
        yield from (link.pair for link in links)
        after = links[-1].pair.key
    classes = {row.error_class for row in overview.waiting(tx, SystemClock().now()) if row.provider == provider}
    for word in sorted(name for name in classes if is_failure(name) or name == "OutcomeUnknown"):
        after = ""
        while rows := overview.of_class(tx, provider, word, after, PAGE):
            yield from (row.pair for row in rows)
            after = rows[-1].pair.key


def _waits(error_class: str) -> bool:
    from syncd.status.report import is_failure

    return is_failure(error_class) or error_class == "OutcomeUnknown"


def _closed(tx: Transaction, provider: str, now: datetime) -> str:
    """The provider's state where nothing is sent to it (paused, blocked, down); "" where it takes requests."""
    from syncd.operate.status import condition_of
    from syncd.store import progress

    word = condition_of(progress.provider_state(tx, provider), now)[0]
    return word if word in {"paused", "blocked", "down"} else ""


@click.command()
@config_option
@click.argument("provider")
@click.option("--reason", default="", help="Shown in status and on the page.")
@click.option("--until", default="", help='When it goes on by itself: "18:00" (local time) or "2h".')
def pause(config: Path | None, *, provider: str, reason: str, until: str) -> None:
    """Stop sending to PROVIDER. Changes keep being recorded."""
    from syncd.bootstrap import open_settings_state
    from syncd.cli.shown import clock
    from syncd.clock import SystemClock
    from syncd.store import progress, work

    settings, now = logging_for(config), SystemClock().now()
    name, end = provider_named(settings, provider), moment(until, now)
    state = open_settings_state(settings)
    try:
        with state.begin() as tx:
            kept = progress.provider_state(tx, name)
            already = kept.state == "paused" and (kept.until is None or kept.until > now)
            since = kept.since if already else now
            progress.save_provider_state(tx, name, state="paused", reason=reason, since=since, until=end)
            waiting = work.counts(tx, now).get(name)
    finally:
        state.close()
    acted("pause", provider=name, reason=reason or None, until=end)
    ends = f" until {clock(end)}" if end else ""
    echo(f"{name} {'is already paused' if already else 'paused'}{ends}. Changes keep being recorded: ", nl=False)
    echo(f"{waiting.due + waiting.retry if waiting else 0} wait.")
    echo(f"undo:  syncd resume {name}")


def moment(text: str, now: datetime) -> datetime | None:
    """The moment that `--until` names: `18:00` is the next such local time, `2h` that long from now; "" is no end."""
    from syncd.errors import UsageError
    from syncd.settings.values import Wrong, duration

    if not text:
        return None
    try:
        clock = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - only the time of day is taken from it
    except ValueError:
        try:
            return now + timedelta(seconds=duration(text))
        except Wrong:
            reason = '--until takes a time of day ("18:00") or a duration ("2h")'
            raise UsageError(reason, remedy="syncd pause PROVIDER --until 2h") from None
    local = now.astimezone()
    end = local.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return (end if end > local else end + timedelta(days=1)).astimezone(UTC)


@click.command()
@config_option
@click.argument("provider")
def resume(config: Path | None, *, provider: str) -> None:
    """End a person's pause of PROVIDER, and close a breaker that is open for refused credentials or an outage."""
    from syncd.bootstrap import open_settings_state
    from syncd.clock import SystemClock
    from syncd.operate.status import condition_of
    from syncd.store import progress

    settings: Settings = logging_for(config)
    name = provider_named(settings, provider)
    state = open_settings_state(settings)
    try:
        with state.begin() as tx:
            before, _, _ = condition_of(progress.provider_state(tx, name), SystemClock().now())
            if before != "ok":
                progress.save_provider_state(tx, name, state="ok", reason="", since=None, until=None, breaker="")
    finally:
        state.close()
    if before != "ok":
        acted("resume", provider=name, from_state=before)
    echo(f"{name} was not paused" if before == "ok" else f"{name} goes on (was {before})")
