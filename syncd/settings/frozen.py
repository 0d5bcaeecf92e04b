"""Makes the frozen settings of checked tables, with digests of the parts whose change voids what the state knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from syncd.core.model import CreateMode, Direction, Policy, Removal
from syncd.core.normalise import as_text
from syncd.core.selection import Watch
from syncd.errors import Problem, SettingsError
from syncd.providers.adapter import Provider
from syncd.providers.way import Way
from syncd.settings.checks import Draft
from syncd.settings.model import ProviderSettings, SourceSettings
from syncd.settings.selection import defaults, deleted, joins
from syncd.settings.tables import SourceTable, own_members
from syncd.tls import Tls


def source_settings(source: SourceTable, password: str | None) -> SourceSettings:
    """The frozen settings of `[source]`."""
    return SourceSettings(
        url=source.url,
        password=password,
        tls=Tls(source.tls.mode, source.tls.ca),
        table=source.table,
        key=source.key,
        change_log=source.change_log,
        updated_at=source.updated_at,
        write=source.change_log != "snapshot" if source.write is None else source.write,
        watch=tuple(Watch(watch.table, watch.key) for watch in source.watch),
        fields=MappingProxyType(dict(source.fields)),
        joins=joins(source),
        where=MappingProxyType(dict(source.where)),
        deleted=deleted(source),
        values=MappingProxyType({field: MappingProxyType(entries) for field, entries in source.values.items()}),
        defaults=MappingProxyType(defaults(source)),
    )


def provider_settings(draft: Draft, source: SourceTable, sockets: str) -> ProviderSettings:
    """The frozen settings of a `[providers.NAME]`."""
    read, provider = draft.table, draft.provider
    if provider is None:  # cannot be: `load` has found that problem before
        raise SettingsError([Problem(f"providers.{draft.name}", "no such adapter is installed.", "Set adapter.")])
    return ProviderSettings(
        name=draft.name,
        adapter=read.adapter or draft.name,
        url=read.url.rstrip("/"),
        direction=Direction(read.direction),
        conflict=Policy(read.conflict),
        on_delete=Removal(read.on_delete),
        create=CreateMode(read.create),
        inbound_create=read.inbound_create,
        rate=read.rate,
        concurrency=read.concurrency or provider.capabilities.concurrency,
        timeout=read.timeout,
        settle=read.settle,
        backoff=read.backoff,
        max_attempts=read.max_attempts,
        fields=MappingProxyType({field: Direction(way) for field, way in read.fields.items()}),
        options=draft.options,
        provider=provider,
        field_hashes=MappingProxyType(
            {field: _digest(_origin(column, source)) for field, column in source.fields.items()}
        ),
        config_hash=_digest(
            [
                [source.fields, source.table, source.write, *_selection(source)],
                _mapping(draft),
                [read.url, read.create, read.on_delete],
                _plain_options(draft, provider),
                *([asdict(each) for each in read.only.values()] + list(read.only) if read.only else []),
                *([read.id_column] if read.id_column else []),
            ]
        ),
        only=MappingProxyType(dict(read.only)),
        id_column=read.id_column,
        extra=MappingProxyType(own_members(read.extra)),
        way=Way(private=read.private, sockets=sockets),
    )


def installation_hash(source: SourceTable, drafts: Sequence[Draft]) -> str:
    """A digest that changes with mapping, selection, directions or policies of any provider."""
    return _digest([source.fields, *_selection(source), [_mapping(draft) for draft in drafts]])


def _selection(source: SourceTable) -> list[object]:
    """The settings that decide which rows are customers and what their columns mean, as one element; no element where
    there are none, so that the digest is that of a version without such settings."""
    said = [
        [asdict(join) for join in joins(source)],
        {column: asdict(condition) for column, condition in source.where.items()},
        [] if source.deleted is None else [source.deleted.column, *source.deleted.values],
        source.values,
        {field: as_text(value) for field, value in defaults(source).items()},
    ]
    return [said] if any(said) else []


def _origin(column: str, source: SourceTable) -> object:
    """The origin of a field's value: its column, and the joins that lead to the column's table."""
    names = [join.name for join in source.join]
    name = column.partition(".")[0]
    if name not in names:
        return column
    return [column, [asdict(join) | {"write": None} for join in joins(source)[: names.index(name) + 1]]]


def _mapping(draft: Draft) -> list[object]:
    """The settings that decide, for one provider, which value goes where."""
    read = draft.table
    return [draft.name, read.adapter or draft.name, read.direction, read.conflict, dict(sorted(read.fields.items()))]


def _plain_options(draft: Draft, provider: Provider) -> dict[str, Any]:
    """The adapter's options without its secrets: a new password changes no decision about a customer."""
    if draft.options is None:
        return {}
    plain: dict[str, Any] = draft.options.model_dump(mode="json", exclude=set(provider.secrets))
    return plain


def _digest(value: object) -> str:
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()
