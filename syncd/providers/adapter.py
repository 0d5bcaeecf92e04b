"""The contract of an adapter: facts about the provider (`Capabilities`), and functions that speak its language.

An adapter translates. It does not wait, retry, log, store or decide; it raises only `ProviderError`s. Every request
goes through `providers.http.Http`, which keeps the pace and maps foreign errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol

from syncd.core.model import NOTHING, Cursor, Page, Remote, Removal, Values
from syncd.providers.http import Gate
from syncd.providers.way import OPEN_WAY, Way

__all__ = [
    "API_VERSION", "Capabilities", "ExtraMember", "Identity", "Provider", "ProviderAdapter", "Settings",
]  # fmt: skip
API_VERSION = 1
"""The version of everything that docs/adapters.md names. It rises where adapters written for the number before would
have to change."""


class Identity(StrEnum):
    """How the record of a create whose answer was lost is found again."""

    OUR_KEY = "our-key"  # the key we choose is the address (aiotic)
    FINDABLE = "findable"  # the server chooses an id; our key can be searched exactly and without lag beyond settle
    SCAN = "scan"  # only a complete listing tells: `find` walks it


class ExtraMember(NamedTuple):
    """A native member that `[providers.X.extra]` may join to an own field of the source.

    `max_length` counts characters; None where the provider publishes no limit.
    """

    kind: Literal["text", "bool", "number"] = "text"
    max_length: int | None = None


class Capabilities(NamedTuple):
    """Facts about a provider. An adapter may compute them from its options when it is built; later they never change.

    id_name     the provider's own word for its id, for people who read the adapter
    identity    how a record is found again by our key; see `Identity`
    fields      canonical fields that the provider can hold
    composed    fields that may be computed from several source fields: push-only then (see `composed()`)
    writeonly   fields that are sent but cannot be read back (unknown on that side)
    lists       a complete listing exists
    changed_since  a listing of changed records may exist: `scan` tells by `Page.since`
    lists_whole a listing shows of each record all that `fetch` shows: a record that is only compared is not fetched
    replaces    an update replaces the whole record, so it starts from the fresh remote
    renumbers   our key at the provider may change later as an ordinary field
    clears      an empty value can be sent and is kept as empty
    looks_first `create` itself looks under our key and raises `Taken` for what it finds there
    echoes      the answer of a write repeats what was sent rather than what is stored
    conditional writes carry the version that was read (`Stale` where it is another by now): repeating one is safe, so
                a lost answer needs no settle
    archive     `remove` can take a record out of use; `delete`: for good
    rate        requests a second that are safe by default; `per_endpoint` where the provider counts so, and
                `rate_in_sum` what all endpoints together may get then (None: no such limit)
    concurrency requests that may be under way at once
    monthly     free calls a month, 0 where no such limit is known
    id_length   characters that an external id may have, 0 where nobody says so
    id_digits   whether external ids are digits alone; None where nobody says so
    extra       native members, by dotted path, that may carry own fields (`x_…`) of the source
    """

    id_name: str
    identity: Identity
    fields: frozenset[str]
    composed: frozenset[str] = frozenset()
    writeonly: frozenset[str] = frozenset()
    lists: bool = False
    lists_whole: bool = False
    changed_since: bool = False
    replaces: bool = False
    renumbers: bool = False
    clears: bool = True
    echoes: bool = False
    conditional: bool = False
    looks_first: bool = False
    archive: bool = False
    delete: bool = False
    rate: float = 2.0
    per_endpoint: bool = False
    rate_in_sum: float | None = None
    concurrency: int = 1
    monthly: int = 0
    id_length: int = 0
    id_digits: bool | None = None
    extra: Mapping[str, ExtraMember] = NOTHING


class ProviderAdapter(Protocol):
    """The contract; `syncd.testing` holds it as a suite that every adapter passes under every toggle."""

    @property
    def capabilities(self) -> Capabilities: ...

    def project(self, values: Values) -> Values:
        """The values that this provider should hold for a source row: composed fields, defaults, forms that it demands.

        Pure. Raises `Rejected(field, reason)` where the provider's rules refuse the customer.
        Only fields that the provider can hold and the source knows are in the answer.
        """

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        """Which of the fields that `project` returns are computed here, where the source maps exactly `known`.

        Such a field is push-only: what the provider shows for it is compared and overwritten, but never written into
        the source. Depends on the column map: `contact_person` is a plain field where the source has such a column,
        and "First Last" where it has not. Pure.
        """

    def key_fits(self, key: str) -> bool:
        """Whether the provider can carry our key (Billbee's Number is an int32)."""

    def fetch(self, external_id: str) -> Remote | None:
        """The record with this id as it is now; None when the provider says it does not exist."""

    def find(self, key: str, values: Values) -> Sequence[Remote]:
        """All records that carry exactly our key. `values` help an API that cannot search for the key alone; a record
        with other values counts too. An error is never an empty answer.
        """

    def create(self, key: str, values: Values) -> Remote:
        """Create a record from a full projection; answers the record as it is stored. Raises `Taken` on a collision."""

    def update(self, current: Remote, values: Values) -> Remote:
        """Write exactly `values` over `current`; all other fields keep what they have. Idempotent, but for a provider
        with versions (`conditional`), where a second write over the same `current` raises `Stale`.

        `current` is the record as just fetched. Where it does not show a field, `current.values` may hold what was
        last agreed for it, so that an object which the API only takes as a whole can be completed.
        """

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        """All records, page by page, from the cursor on: its `position` is that of a page shown before, `since` what
        the last page of an earlier listing said (`Page.since`, with `changed_since`). Raises `Rejected` where the
        provider has no listing.
        """

    def remove(self, current: Remote, how: Removal) -> None:
        """Archive or delete the record. One that is gone already is a success."""

    def probe(self) -> str:
        """Send one cheap authorised request, for `doctor` and for a half-open breaker; a short sentence about what
        answered."""

    def close(self) -> None:
        """Close the connections; the adapter cannot be used afterwards."""


class Settings(NamedTuple):
    """The settings of one provider that its adapter needs; the adapter's own keys are in `options`.

    `timeout` is the total deadline of one request, in seconds; `way` is handed on to `Http`.
    """

    name: str
    url: str
    options: Any = None
    timeout: float = 30.0
    way: Way = OPEN_WAY


class Provider(NamedTuple):
    """A registration: the settings model of an adapter and how to build one. Found by entry point `syncd.providers`.

    `build(settings, gate)` makes the adapter with its own `Http`, whose every request passes the lane's gate.

    `options` is a pydantic model class (extra="forbid", hide_input_in_errors=True) of the keys that only this adapter
    knows. Those named in `secrets` are `pydantic.SecretStr` and arrive resolved: the file holds `credential:…`. A text
    whose name ends in `_url` is checked as an address. Where `capabilities.extra` names members, the model has a field
    `extra` (dotted path -> own field), which arrives checked against them. Two properties of the model are asked for
    where it has them: `allow_http` (plain http beyond loopback, for a server of one's own) and `default_rate` (requests
    a second, where the pace depends on the options).

    `api` is the `API_VERSION` that the adapter was written for; another one is refused when the settings are read.
    """

    name: str
    options: type[Any]
    build: Callable[[Settings, Gate], ProviderAdapter]
    capabilities: Capabilities
    secrets: frozenset[str] = frozenset()
    api: int = 1
