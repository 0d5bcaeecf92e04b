"""The tables of `syncd.toml`: their keys, their defaults, the type of each value.

The keys that a file must have are optional here: `checks` asks for them, so that a missing key hides no other problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from syncd.core.guards import Limit
from syncd.core.model import CreateMode, Direction, Policy, Removal
from syncd.core.selection import Condition
from syncd.settings.places import Findings, Place, dotted
from syncd.settings.values import choice, condition, duration, limit, plain_values, rate
from syncd.tls import MODES

Model = TypeVar("Model", bound=BaseModel)
Duration = Annotated[float, PlainValidator(duration)]
Rate = Annotated[float | None, PlainValidator(rate)]
Guard = Annotated[Limit | None, PlainValidator(limit)]
Text = Annotated[str, Field(min_length=1)]
Conditions = dict[str, Annotated[Condition, PlainValidator(condition)]]
Spellings = Annotated[tuple[str, ...], PlainValidator(plain_values)]

_WHOLE = frozenset({"deleted"})  # a table that is left out as a whole where one of its keys is wrong
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class WatchTable(BaseModel):
    """`[[source.watch]]`"""

    model_config = _STRICT

    table: Text
    key: Text


class JoinTable(BaseModel):
    """`[[source.join]]`"""

    model_config = _STRICT

    name: Text
    table: Text
    on: dict[str, Text] = Field(min_length=1)
    where: Conditions = Field(default_factory=dict)
    write: bool = True


class DeletedTable(BaseModel):
    """`[source.deleted]`"""

    model_config = _STRICT

    column: Text
    values: Spellings


class TlsTable(BaseModel):
    """`[source.tls]` and `[state.tls]`"""

    model_config = _STRICT

    mode: Annotated[str, choice(*MODES)] = Field(default="", validate_default=False)
    ca: str = ""


class SourceTable(BaseModel):
    """`[source]`; `write` is on unless the method needs an account that may only read."""

    model_config = _STRICT

    url: str = ""
    password: Any = None
    tls: TlsTable = TlsTable()
    table: str = ""
    key: str = ""
    change_log: Annotated[str, choice("triggers", "updated_at", "snapshot")] = "triggers"
    updated_at: str = ""
    write: bool | None = None
    watch: list[WatchTable] = Field(default_factory=list)
    fields: dict[str, Text] = Field(default_factory=dict)
    join: list[JoinTable] = Field(default_factory=list)
    where: Conditions = Field(default_factory=dict)
    deleted: DeletedTable | None = None
    values: dict[str, dict[str, Spellings]] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)


class StateTable(BaseModel):
    """`[state]`"""

    model_config = _STRICT

    url: str = "sqlite:////var/lib/syncd/state.db"
    password: Any = None
    key: Any = None
    older_keys: list[Any] = Field(default_factory=list)
    tls: TlsTable = TlsTable()


class ScheduleTable(BaseModel):
    """`[schedule]`"""

    model_config = _STRICT

    poll: Duration = 5.0
    scan: Duration = 600.0
    reread: Duration = 6 * 3600.0
    verify: Duration = 24 * 3600.0


class GuardsTable(BaseModel):
    """`[guards]`"""

    model_config = _STRICT

    update: Guard = Limit(0.5, None, 86400.0)
    delete: Guard = Limit(0.02, None, 86400.0)
    blank: Guard = Limit(0.01, None, 86400.0)
    overwrite: Guard = Limit(0.05, None, 86400.0)
    create: Guard = Limit(0.2, None, 86400.0)


class LogTable(BaseModel):
    """`[log]`"""

    model_config = _STRICT

    level: Annotated[str, choice("debug", "info", "warning", "error")] = "info"
    format: Annotated[str, choice("json", "console")] = Field(default="", validate_default=False)
    file: str = ""
    status_page: str = ""
    customer_key: Annotated[str, choice("plain", "hash")] = Field(default="", validate_default=False)


class AlertsTable(BaseModel):
    """`[alerts]`"""

    model_config = _STRICT

    ping_url: str = ""


class MetricsTable(BaseModel):
    """`[metrics]`"""

    model_config = _STRICT

    textfile: str = ""


class NetworkTable(BaseModel):
    """`[network]`"""

    model_config = _STRICT

    sockets: str = ""


class ProviderTable(BaseModel):
    """The keys that every `[providers.NAME]` may have; all others belong to its adapter.

    The default of `adapter` is the table's name; the defaults of `rate` and `concurrency` are the adapter's.
    """

    model_config = _STRICT

    adapter: str = ""
    url: str = ""
    direction: Annotated[str, choice(Direction.BOTH, Direction.PUSH, Direction.PULL)] = "both"
    conflict: Annotated[str, choice(*Policy)] = "source"
    on_delete: Annotated[str, choice(*Removal)] = "keep"
    create: Annotated[str, choice(*CreateMode)] = "after-match"
    inbound_create: bool = False
    private: bool = False
    rate: Rate = None
    concurrency: int | None = Field(default=None, ge=1, le=64)
    timeout: Duration = 30.0
    settle: Duration = 180.0
    backoff: Duration = 1.0
    max_attempts: int = Field(default=12, ge=1, le=1000)
    fields: dict[str, Annotated[str, choice(*Direction)]] = Field(default_factory=dict)
    only: Conditions = Field(default_factory=dict)
    id_column: str = ""
    extra: dict[str, Any] = Field(default_factory=dict)


class RootTable(BaseModel):
    """The keys above the first table, and the tables, each of which is read by its own model."""

    model_config = _STRICT

    lease: Duration = 90.0
    source: Any = None
    state: Any = None
    schedule: Any = None
    guards: Any = None
    log: Any = None
    alerts: Any = None
    metrics: Any = None
    network: Any = None
    providers: Any = None


def table(model: type[Model], data: object, place: Place, findings: Findings) -> Model:
    """Read one table. A wrong key is a finding, and has its default, so that rules between the other keys are still
    judged."""
    if data is None:
        return model()
    if not isinstance(data, Mapping):
        findings.add(place, "must be a table.", f"Write [{dotted(place)}].")
        return model()
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        inner = {SourceTable: (WatchTable, JoinTable, DeletedTable, TlsTable), StateTable: (TlsTable,)}.get(model, ())
        known = [*model.model_fields, *(name for each in inner for name in each.model_fields)]
        findings.rejected(place, error, known)
        broken = [item["loc"] for item in error.errors(include_url=False, include_input=False)]
        return model.model_validate(_without(data, broken))


def _without(data: Mapping[str, Any], broken: Sequence[tuple[int | str, ...]]) -> dict[str, Any]:
    """The table without its broken keys; out of a table of fields only the broken field goes."""
    left = dict(data)
    for key, *rest in broken:
        inner = left.get(str(key))
        if rest and isinstance(inner, Mapping) and key not in _WHOLE:
            left[str(key)] = {name: value for name, value in inner.items() if name != rest[0]}
        else:
            left.pop(str(key), None)
    return left


def members(extra: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """The members of `extra`, each with its path. `Address.Note = "x_note"`, with dots outside quotes, is a table in a
    table for TOML."""
    for key, value in extra.items():
        if isinstance(value, Mapping):
            yield from members(value, (*above, key))
        else:
            yield (*above, key), value


def own_members(extra: Mapping[str, Any]) -> dict[str, str]:
    """`extra` as adapters get it: dotted path -> own field."""
    return {".".join(path): field for path, field in members(extra) if isinstance(field, str)}
