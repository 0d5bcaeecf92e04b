"""The settings: frozen, complete, checked. All durations are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from syncd.core.guards import Guards
from syncd.core.model import CreateMode, Direction, Policy, Removal, Value
from syncd.core.selection import Condition, Deleted, Join, Watch
from syncd.providers.adapter import Provider
from syncd.providers.way import OPEN_WAY, Way
from syncd.tls import Tls


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """`[source]`. `watch` is empty where the triggers go on `table` itself. `updated_at` names the timestamp column of
    that change-log method, and is empty for the others. `values` maps, for a field, each canonical value to the
    column's spellings of it; a pull writes the first."""

    url: str
    password: str | None = field(repr=False)
    tls: Tls
    table: str
    key: str
    change_log: str
    updated_at: str
    write: bool
    watch: tuple[Watch, ...]
    fields: Mapping[str, str]
    joins: tuple[Join, ...] = ()
    where: Mapping[str, Condition] = field(default_factory=lambda: MappingProxyType({}))
    deleted: Deleted | None = None
    values: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    defaults: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class StateSettings:
    """`[state]`. Without a key the store makes one beside its SQLite file. `older` are keys that `syncd db rekey`
    replaced: they only find tombstones."""

    url: str
    password: str | None = field(repr=False)
    key: bytes | None = field(repr=False)
    tls: Tls
    older: tuple[bytes, ...] = field(default=(), repr=False)


class Schedule(NamedTuple):
    """`[schedule]`, seconds from one to the next: polls of the change log, scans of listings, re-reads of linked
    records where a provider cannot list, sweeps."""

    poll: float
    scan: float
    reread: float
    verify: float


class LogSettings(NamedTuple):
    """`[log]`. `format` is json, console, or empty: console on a terminal and JSON elsewhere. `customer_key` is plain
    (keys are shown), hash (aliases are), or empty: an alias for a key that is neither a number nor a UUID."""

    level: str
    format: str
    file: str
    status_page: str
    customer_key: str = ""


@dataclass(frozen=True, slots=True)
class Alerts:
    """`[alerts]`: the URL of a dead man's switch, called every minute and around every run-once. Whoever knows the URL
    may ping it, so it is a secret."""

    ping_url: str = field(repr=False)


class Metrics(NamedTuple):
    """`[metrics]`: the file for Prometheus' textfile collector; "" for none."""

    textfile: str


@dataclass(frozen=True, slots=True)
class Network:
    """`[network]`. `sockets` is a directory with a unix socket `HOST.sock` for each host that syncd speaks to, for a
    process without a network; "" for a process with one."""

    sockets: str = ""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """A `[providers.NAME]`: one configured instance of an adapter.

    fields        the directions in the file; a canonical field that is not among them goes both ways
    rate          requests a second, None for no pace
    options       the adapter's own keys, secrets resolved
    field_hashes  canonical field -> digest of the source column it maps to; a new digest voids that field's base
    config_hash   changes with any setting that may change the decision about a customer, never with a secret
    only          which customers this provider gets, by columns of the source; empty: all
    id_column     the column of the customer table that gets the external id; "" for none
    extra         native member, by dotted path -> own field
    way           which addresses its host may have, and the directory of sockets to reach it by
    """

    name: str
    adapter: str
    url: str
    direction: Direction
    conflict: Policy
    on_delete: Removal
    create: CreateMode
    inbound_create: bool
    rate: float | None
    concurrency: int
    timeout: float
    settle: float
    backoff: float
    max_attempts: int
    fields: Mapping[str, Direction]
    options: Any = field(repr=False)
    provider: Provider
    field_hashes: Mapping[str, str]
    config_hash: str
    only: Mapping[str, Condition] = field(default_factory=lambda: MappingProxyType({}))
    id_column: str = ""
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    way: Way = OPEN_WAY


@dataclass(frozen=True, slots=True)
class Settings:
    """A settings file. `providers` keep the file's order, because an earlier one wins a tie; `config_hash` covers
    mapping, directions and policies; `environment_secrets` names the keys whose secret comes from the environment,
    which other processes of the account can read."""

    path: Path
    source: SourceSettings
    state: StateSettings
    lease: float
    schedule: Schedule
    guards: Guards
    log: LogSettings
    alerts: Alerts
    metrics: Metrics
    providers: tuple[ProviderSettings, ...]
    config_hash: str
    environment_secrets: tuple[str, ...] = ()
    network: Network = Network()
