"""The checks of `syncd doctor` in the source: server, keys, transport, grants, joins, values, triggers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syncd.cli.exits import USAGE
from syncd.cli.finding import Check, transport
from syncd.status.report import SKEW

if TYPE_CHECKING:
    from syncd.settings import Settings
    from syncd.source.database import Source

_UTF8 = frozenset({"UTF8", "utf8mb4", ""})


def source_checks(settings: Settings) -> Iterator[Check]:
    """All checks of the source; a source that cannot be opened is one check, with the reason."""
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
        yield Check("source", error.message, error.remedy or "Check [source] in syncd.toml.", code_of(error))
    finally:
        source.close()


def _source(settings: Settings, source: Source) -> Iterator[Check]:
    from syncd.source import customers, triggers
    from syncd.source.about import about
    from syncd.source.about import transport as transport_of

    server = about(source)
    kind = "view" if source.is_view else "table"
    yield Check("source", f'{server.server}, {kind} "{source.table.name}", {customers.count(source)} customers')
    if server.charset not in _UTF8:
        yield Check("source", f"character set {server.charset}: some names cannot be stored", "Use utf8mb4.")
    if server.clock is not None:
        skew = abs((server.clock - datetime.now(UTC)).total_seconds())
        remedy = "Synchronise both clocks (NTP)." if skew > SKEW else ""
        yield Check("clock", f"{skew:.1f} s between the source and this machine", remedy)
    yield keys(settings, source)
    yield transport("source", *transport_of(source))
    yield from _grants(settings, source)
    yield from _soundness(source)
    yield from _doubts(settings, source)
    found = triggers.check(source) or triggers.vitality(source)
    for problem in found:
        yield Check("triggers", problem.reason, problem.remedy or "syncd triggers install", USAGE)
    if not found:
        yield Check("triggers", f"in order ({source.config.change_log})")
    for note in triggers.advice(source):
        yield Check("triggers", note.reason, note.remedy or "Nothing to do: the verify sweep finds the rest.")


def _grants(settings: Settings, source: Source) -> Iterator[Check]:
    """Whether the account may do what the settings will need, tried without changing anything."""
    from syncd.source.grants import denied

    found = denied(source, inserts=any(provider.inbound_create for provider in settings.providers))
    for problem in found:
        yield Check("grants", problem.reason, problem.remedy, USAGE)
    if not found and source.dialect != "sqlite":
        yield Check("grants", "the account may do what the settings need")


def _soundness(source: Source) -> Iterator[Check]:
    """Joins with several rows for one customer, columns for external ids that are too narrow, values without an entry
    in a value map, and fields that the database does not let syncd write."""
    from syncd.source import soundness
    from syncd.source.ids import narrow_ids

    for problem in soundness.double_rows(source):
        yield Check("joins", problem.reason, problem.remedy, USAGE)
    for problem in narrow_ids(source):
        yield Check("ids", f"{problem.place}: {problem.reason}", problem.remedy, USAGE)
    for problem in (*soundness.unmapped(source), *soundness.one_way_fields(source)):
        yield Check("source", problem.reason, problem.remedy)


def _doubts(settings: Settings, source: Source) -> Iterator[Check]:
    from syncd.cli.doubtful import doubtful

    for what, remedy in doubtful(settings, source):
        yield Check("customers", what, remedy)


def keys(settings: Settings, source: Source) -> Check:
    """Whether a customer's key may name a person, and whether logs show it or an alias."""
    from syncd.core.alias import HASH, PLAIN
    from syncd.source.keys import KeyKind

    mode, column = settings.log.customer_key, f'key column "{source.key.name}"'
    if mode == HASH:
        return Check("keys", f"{column}: every key is an alias (key-...) in logs, pages and pipes")
    if source.key_kind in {KeyKind.INTEGER, KeyKind.UUID}:
        return Check("keys", f"{column}: numbers or UUIDs, shown as they are")
    if mode == PLAIN:
        remedy = 'Remove customer_key = "plain" under [log] where a key may be an e-mail address or a name.'
        return Check("keys", f"{column} is text, and logs, pages and pipes show it as it is", remedy)
    return Check("keys", f"{column} is text: any but numbers and UUIDs is an alias (key-...) in logs and pages")
