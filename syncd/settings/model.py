"""Settings as the rest of syncd sees them: frozen, complete, checked. All durations are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from syncd.core.model import CreateMode, Direction, Policy, Removal, Value
from syncd.core.selection import Condition, Deleted, Join
from syncd.providers.adapter import Provider
from syncd.providers.way import OPEN_WAY, Way
from syncd.tls import Tls


@dataclass(frozen=True, slots=True)
class Limit:
    """How much a guard lets pass within `window` seconds: a share (0..1] or a count, exactly one of the two."""

    share: float | None
    count: int | None
    window: float


class Watch(NamedTuple):
    """A table that gets triggers, and its column that holds the customer's key."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """The user's database. `watch` is as written: empty where the triggers go on `table` itself.

    `updated_at` names the timestamp column of that change-log method, and is empty for the others. `values` maps, for
    a field, each canonical value to what the column may hold for it; the way back takes the first.
    """

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
    """Our own database. Without a key the store makes one beside its SQLite file. `older` are keys that `syncd db
    rekey` replaced: they only find tombstones."""

    url: str
    password: str | None = field(repr=False)
    key: bytes | None = field(repr=False)
    tls: Tls
    older: tuple[bytes, ...] = field(default=(), repr=False)


class Schedule(NamedTuple):
    """How often the change log is read, listings are scanned, mapped remotes re-read, everything verified."""

    poll: float
    scan: float
    reread: float
    verify: float


class Guards(NamedTuple):
    """Blast-radius limits; None switches one off."""

    update: Limit | None
    delete: Limit | None
    blank: Limit | None
    overwrite: Limit | None
    create: Limit | None


class LogSettings(NamedTuple):
    """`format` is json, console, or empty: console on a terminal and JSON elsewhere. `customer_key` is plain, hash, or
    empty: an alias for a key that is text and neither a number nor a UUID."""

    level: str
    format: str
    file: str
    status_page: str
    customer_key: str = ""


@dataclass(frozen=True, slots=True)
class Alerts:
    """A dead man's switch to call every minute and after every run-once. Its address may itself be a capability, so it
    is not shown."""

    ping_url: str = field(repr=False)


class Metrics(NamedTuple):
    """Where Prometheus' textfile collector looks."""

    textfile: str


@dataclass(frozen=True, slots=True)
class Network:
    """`sockets` is a directory with a unix socket `HOST.sock` for every host that syncd speaks to, where its process
    has no network of its own; "" where it has."""

    sockets: str = ""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One configured instance of an adapter.

    fields        directions a person wrote down; a canonical field that is not in here goes both ways
    rate          requests a second, None for no pace of our own
    options       the adapter's own keys, secrets resolved
    field_hashes  canonical field -> digest of the source column it maps to; a new digest voids that field's base
    config_hash   changes with anything that may change a verdict on a customer, never with a secret
    only          which customers this instance gets, by columns of the source; empty: all
    id_column     the column of the customer table that gets the external id; "" for none
    extra         native member, by dotted path -> own field
    way           where its host may lead, and by which sockets
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
    """Everything. `providers` keep the file's order, because earlier ones win ties; `config_hash` covers mapping,
    directions and policies; `environment_secrets` names the keys whose secret other processes could read."""

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
