"""Rules between keys. A rule judges well-formed keys only, so that one mistake is reported once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from syncd.core.model import FIELDS, Direction, Removal, is_own
from syncd.providers.adapter import Provider
from syncd.settings.places import Findings, Place
from syncd.settings.tables import (
    AlertsTable,
    NetworkTable,
    ProviderTable,
    SourceTable,
    StateTable,
    TlsTable,
    own_members,
)
from syncd.settings.urls import check_database, check_web, same_file, sqlite_file
from syncd.settings.values import Wrong, did_you_mean
from syncd.tls import context

SOCKETS = 40  # bytes of the path of `[network] sockets`
SLACK = 10.0
"""Seconds by which a lease must outlast two full requests, so that its holder notices in time that it is lost."""


class Draft(NamedTuple):
    """A `[providers.NAME]` that is being read. `provider` is None where no such adapter can be loaded, `options` also
    where the adapter's own keys are wrong."""

    name: str
    table: ProviderTable
    provider: Provider | None
    options: Any | None

    @property
    def place(self) -> Place:
        return ("providers", self.name)


def judge(findings: Findings, place: Place, check: Callable[[], None]) -> None:
    """Run a check of one place, and turn a `Wrong` that it raises into a finding; a place with a finding is left
    out."""
    if not findings.clean(place):
        return
    try:
        check()
    except Wrong as wrong:
        findings.add(place, wrong.reason, wrong.remedy)


def check_source(source: SourceTable, findings: Findings) -> None:
    """The keys that `[source]` must have, the canonical fields, and the keys that its change-log method allows."""
    for key, remedy in {
        "url": "Name the database, such as postgresql+psycopg://user@host/database.",
        "table": "Name the table or view that holds the customers.",
        "key": "Name the primary key column.",
        "fields": "Map canonical fields to columns under [source.fields].",
    }.items():
        if not getattr(source, key) and findings.clean(("source", key)):
            findings.add(("source", key), "must be set.", remedy)
    if source.url:
        judge(findings, ("source", "url"), partial(check_database, source.url))
    check_tls(source.url, source.tls, ("source", "tls"), findings)
    for field in source.fields:
        if field not in FIELDS and not is_own(field):
            remedy = did_you_mean(field, FIELDS) or 'A field of your own begins with x_, in small letters: "x_debtor".'
            findings.add(("source", "fields", field), "is not a canonical field.", remedy)
    _check_method(source, findings)


def check_tls(url: str, wanted: TlsTable, place: Place, findings: Findings) -> None:
    """`ca` must be a file of certificates, and a table about TLS needs a database that speaks TLS."""
    ca = (*place, "ca")
    if url.startswith("sqlite") and (wanted.mode or wanted.ca):
        findings.add(place, "has no meaning with SQLite: nothing goes over a wire.", "Remove it.")
    elif wanted.ca and not Path(wanted.ca).is_absolute():
        findings.add(ca, "names a file without its full path.", 'Write "/full/path.pem".')
    elif wanted.ca and wanted.mode in {"encrypt", "off"}:
        findings.add(ca, f"has no meaning with mode = {wanted.mode}: nothing is verified.", "Remove one of the two.")
    elif wanted.ca:
        try:
            context(wanted.ca)
        except OSError as error:
            reason = f"cannot be used as a file of certificates ({type(error).__name__})."
            findings.add(ca, reason, "Name a PEM file with the certificate of the server's authority.")


def _check_method(source: SourceTable, findings: Findings) -> None:
    method = ("source", "change_log")
    if not findings.clean(method):
        return
    if source.change_log == "snapshot" and source.write and findings.clean(("source", "write")):
        findings.add(("source", "write"), "cannot be true with change_log = snapshot.", "Set write = false.")
    if source.change_log == "snapshot" and source.url and not source.url.startswith("postgresql"):
        findings.add(method, "can be snapshot on PostgreSQL only.", "Use triggers, or updated_at (not loss-free).")
    column = ("source", "updated_at")
    if source.change_log == "updated_at" and not source.updated_at and findings.clean(column):
        findings.add(column, "must be set with change_log = updated_at.", "Name the timestamp column.")
    if source.change_log != "updated_at" and source.updated_at:
        findings.add(column, "has a meaning with change_log = updated_at only.", "Remove it.")


def check_state(state: StateTable, source: SourceTable, findings: Findings) -> None:
    """The state's URL and TLS; the state must not be in the source's file."""
    place = ("state", "url")
    judge(findings, place, partial(check_database, state.url, state=True))
    check_tls(state.url, state.tls, ("state", "tls"), findings)
    ours, theirs = sqlite_file(state.url), sqlite_file(source.url)
    if findings.clean(place) and ours and theirs and same_file(ours, theirs):
        findings.add(place, "is the source's own file.", "Give the state a file of its own.")


def check_alerts(alerts: AlertsTable, findings: Findings) -> None:
    """The ping carries no data, so plain http inside a network is allowed."""
    if alerts.ping_url:
        judge(findings, ("alerts", "ping_url"), partial(check_web, alerts.ping_url, allow_http=True, query=True))


def check_network(network: NetworkTable, findings: Findings) -> None:
    """`sockets` must be the full path of a directory, short enough for a host's name behind it: the path of a socket
    has 108 bytes at most (unix(7))."""
    if network.sockets and not (Path(network.sockets).is_absolute() and len(network.sockets.encode()) <= SOCKETS):
        remedy = f'Write "/full/path", of at most {SOCKETS} bytes.'
        findings.add(("network", "sockets"), "must be the full path of a directory.", remedy)


def check_provider(draft: Draft, source: SourceTable, findings: Findings) -> None:
    """The rules between a provider's keys, its adapter's capabilities, and the source."""
    if not draft.table.url and findings.clean((*draft.place, "url")):
        findings.add((*draft.place, "url"), "must be set.", "Write scheme, host and port.")
    if draft.table.inbound_create:
        _check_inbound(draft, source, findings)
    if draft.provider is not None:
        _check_removal(draft, draft.provider, findings)
    _check_fields(draft, findings)
    if draft.options is not None:
        _check_urls(draft, draft.options, findings)


def check_lease(drafts: Sequence[Draft], lease: float, findings: Findings) -> None:
    """The lease must be long enough for the provider with the longest timeout: a holder must notice that its lease is
    lost before another daemon takes the lane."""
    judged = [draft for draft in drafts if findings.clean((*draft.place, "timeout"))]
    slowest = max(judged, key=lambda draft: draft.table.timeout, default=None)
    if slowest is None or not findings.clean(("lease",)):
        return
    needed = 2 * slowest.table.timeout + SLACK
    if lease < needed:
        place = ("lease",) if ("lease",) in findings.lines else (*slowest.place, "timeout")
        reason = f"lease is shorter than twice the timeout of {slowest.name} and 10 s."
        findings.add(place, reason, f'Set lease = "{needed:g}s" or longer, or a shorter timeout.')


def _check_inbound(draft: Draft, source: SourceTable, findings: Findings) -> None:
    place = (*draft.place, "inbound_create")
    if source.change_log != "triggers" and findings.clean(("source", "change_log")):
        reason = "needs change_log = triggers: they tell our own insert from others."
        findings.add(place, reason, "Set it, or remove inbound_create.")
    if source.write is False:
        findings.add(place, "needs [source] write = true.", "Set it, or remove inbound_create.")
    if draft.table.direction == Direction.PUSH:
        findings.add(place, "needs direction = both or pull.", "Set it, or remove inbound_create.")
    if draft.provider is not None and not draft.provider.capabilities.lists:
        findings.add(place, f"needs a listing, and {draft.provider.name} has none.", "Remove it.")
    if lost := _beside(draft, source):
        fields, tables = ", ".join(lost), ", ".join(sorted({f'"{join}"' for join in lost.values()}))
        reason = f"a new row would be without {fields}: syncd makes rows in {source.table} alone, not in {tables}."
        remedy = f'Remove it, or write "off" for {fields} under [providers.{draft.name}.fields]; then syncd doctor.'
        findings.add(place, reason, remedy)


def _beside(draft: Draft, source: SourceTable) -> dict[str, str]:
    """The fields of this provider that a new customer row cannot hold because they are in joined tables, each with its
    join."""
    joins, own = {join.name for join in source.join}, own_members(draft.table.extra).values()
    held = draft.provider.capabilities.fields if draft.provider is not None else frozenset[str]()
    beside = {name: column.rpartition(".")[0] for name, column in source.fields.items()}
    return {
        name: join
        for name, join in beside.items()
        if join in joins and (name in held or name in own) and draft.table.fields.get(name) != Direction.OFF
    }


def _check_removal(draft: Draft, provider: Provider, findings: Findings) -> None:
    facts, wanted = provider.capabilities, draft.table.on_delete
    possible = ["keep"] + ["archive"] * facts.archive + ["delete"] * facts.delete
    if wanted in set(Removal) and wanted not in possible:
        reason = f"cannot be {wanted}: {provider.name} has no such call."
        findings.add((*draft.place, "on_delete"), reason, f"Possible here: {', '.join(possible)}.")


def _check_fields(draft: Draft, findings: Findings) -> None:
    facts = draft.provider.capabilities if draft.provider else None
    for field, direction in draft.table.fields.items():
        place = (*draft.place, "fields", field)
        if field not in FIELDS and not is_own(field):
            findings.add(place, "is not a canonical field.", did_you_mean(field, FIELDS))
        elif facts is None or direction == Direction.OFF or field in own_members(draft.table.extra).values():
            continue
        elif field not in facts.fields:
            remedy = did_you_mean(field, facts.fields) or f'Write {field} = "off", or remove the line.'
            findings.add(place, f"cannot be kept by {draft.table.adapter or draft.name}.", remedy)
        elif direction == Direction.PULL and field in facts.composed | facts.writeonly:
            findings.add(place, "can only be pushed here: it is composed or never shown again.", 'Write "push".')


def _check_urls(draft: Draft, options: Any, findings: Findings) -> None:
    """The provider's URL, and every option whose name ends in `_url` (a token endpoint)."""
    allowed = bool(getattr(options, "allow_http", False))
    urls = {"url": draft.table.url}
    for key in type(options).model_fields:
        value = getattr(options, key)
        if key.endswith("_url") and isinstance(value, str):
            urls[key] = value
    for key, url in urls.items():
        if url:
            judge(findings, (*draft.place, key), partial(check_web, url, allow_http=allowed))
