"""The words of syncd as types: a customer's values, a remote, a link, an intent, a due pair.

All are frozen values; types of which one look makes many are named tuples. A missing key in `Values` means *unknown*,
`None` means *empty*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

Value = str | bool | date | None
Values = Mapping[str, Value]
NOTHING: Mapping[Any, Any] = MappingProxyType({})

FIELDS: tuple[str, ...] = (
    "number",
    "name",
    "name2",
    "salutation",
    "title",
    "first_name",
    "last_name",
    "contact_person",
    "email",
    "invoice_email",
    "phone",
    "mobile",
    "fax",
    "street",
    "street2",
    "postal_code",
    "city",
    "state",
    "country",
    "vat_number",
    "tax_number",
    "register_number",
    "language",
    "website",
    "birth_date",
    "price_group",
    "active",
)
_OWN = re.compile(r"x_[a-z0-9_]{1,60}", re.ASCII)


def is_own(name: str) -> bool:
    """Whether this is a field of the shop's own (`x_debtor`): text for a native member of `[providers.X.extra]`."""
    return _OWN.fullmatch(name) is not None


class Direction(StrEnum):
    """In which direction the values of a field, or of a whole provider, may move."""

    BOTH = "both"
    PUSH = "push"
    PULL = "pull"
    OFF = "off"


class Policy(StrEnum):
    """Whose value wins when both sides changed one field differently."""

    SOURCE = "source"
    PROVIDER = "provider"
    REVIEW = "review"


class Removal(StrEnum):
    """What a deletion in the source means for a provider."""

    KEEP = "keep"
    ARCHIVE = "archive"
    DELETE = "delete"


class CreateMode(StrEnum):
    """When a customer that a provider does not know is created there."""

    AFTER_MATCH = "after-match"
    ALWAYS = "always"
    NEVER = "never"


class Verb(StrEnum):
    """What the write of an intent does."""

    CREATE = "create"
    UPDATE = "update"
    PULL = "pull"
    INSERT = "insert"
    REMOVE = "remove"


class Stage(StrEnum):
    """`open`: the write may be under way or its outcome is unknown. `confirm`: executed, but one more
    reading after the settle time must show what was really stored."""

    OPEN = "open"
    CONFIRM = "confirm"


class State(StrEnum):
    """A mapping's state as shown to people; never decided upon."""

    LINKED = "linked"
    DUE = "due"
    RETRY = "retry"
    AMBIGUOUS = "ambiguous"
    REJECTED = "rejected"
    REVIEW = "review"
    DEAD = "dead"
    EXCLUDED = "excluded"


class Pair(NamedTuple):
    """The unit of work: one customer at one provider."""

    provider: str
    key: str


FORMER = re.compile(r"†[0-9]+$")


def former(key: str, number: int) -> str:
    """The key under which the state keeps a key's first owner once another customer has the key: `2†41`. No row has
    such a key."""
    return f"{key}†{number}"


def is_former(key: str) -> bool:
    """Whether this is a former key, as `former` makes it."""
    return FORMER.search(key) is not None


class Remote(NamedTuple):
    """One provider record in canonical fields.

    `key` is our key as the record carries it (None where it carries none), `external_ids` every identifier the
    provider returned under its own name, `archived` that a person at the provider took the record out of use.
    `provisional` marks an answer that only repeats what was sent (a 202, an echo): one later reading must confirm it.
    `version` is the provider's mark of the record's present content (a counter, an ETag), None where a field could
    change without it.
    """

    external_id: str
    key: str | None
    values: Values
    external_ids: Mapping[str, str] = NOTHING
    archived: bool = False
    provisional: bool = False
    raw: Mapping[str, Any] = NOTHING
    version: str | None = None

    def to_compare(self) -> Remote:
        """The record without `raw`, which only an update needs: a whole listing of these is held in memory."""
        return self._replace(raw={})


class Cursor(NamedTuple):
    """Where a scan stopped. `position`: the provider's own text; `since`: the moment for a changed-since filter."""

    position: str = ""
    since: str = ""


class Page(NamedTuple):
    """One page of a scan. `cursor` resumes after it, None on the last page; `total`: the number of records, where the
    provider tells it."""

    remotes: tuple[Remote, ...]
    cursor: Cursor | None
    total: int | None = None
    since: str = ""


class Customer(NamedTuple):
    """A source row in canonical fields. `stored` holds the mapped columns exactly as the database gave them,
    for the compare-and-set; it never leaves the process. `problems` names fields whose stored value has no canonical
    form and why ('' for the row as a whole); `unmapped` those whose value the settings' value map does not name; both
    are missing in `values`. `locked` names fields that cannot be written for this customer, and why. `recorded` is what
    the column for one provider's external ids holds."""

    key: str
    values: Values
    stored: Mapping[str, Any] = NOTHING
    problems: Mapping[str, str] = NOTHING
    unmapped: frozenset[str] = frozenset()
    locked: Mapping[str, str] = NOTHING
    recorded: str | None = None


class FieldBase(NamedTuple):
    """What was last agreed for one field: a keyed digest of the source's and of the provider's spelling.

    `provider` is None while the provider cannot show the field. `provisional`: the provider's spelling waits for one
    confirming reading; `shown`: a reading has shown it already, so a shorter form after that is a person's edit.
    `pulled`: the source's value came from this provider; `overruled`: that value won over an edit made in the source.
    `disputed`: the provider's value may be the remains of an older write of ours, so only a person can call it an edit.
    `earlier`: both digests from before the last change; a value that returns to them counts for no guard.
    """

    source: str
    provider: str | None
    provisional: bool = False
    pulled: bool = False
    frozen: bool = False
    disputed: bool = False
    overruled: bool = False
    shown: bool = False
    earlier: tuple[str, str | None] | None = None


class Link(NamedTuple):
    """The mapping row of one pair.

    `provider_key` is our key at the provider, frozen once a record carries it or may carry it; `external_id` is None
    while no record is linked. `version` is the version of the record with which the whole base agrees; None where it is
    unknown or a question is open. A listing that shows this version again holds nothing new.
    """

    pair: Pair
    provider_key: str | None
    external_id: str | None
    external_ids: Mapping[str, str]
    base: Mapping[str, FieldBase]
    state: State
    created_at: datetime | None = None
    synced_at: datetime | None = None
    verified_at: datetime | None = None
    version: str | None = None


class Sent(NamedTuple):
    """One field of an intent: the digests before the write and as sent. `spelled`: for a create whose record can carry
    no key of ours, the digests of the spellings that a careless provider may make of the text."""

    before: str | None
    sent: str
    spelled: tuple[str, ...] = ()


class Intent(NamedTuple):
    """A write that is about to leave, is under way, or waits for its confirmation."""

    id: int
    pair: Pair
    verb: Verb
    stage: Stage
    fields: Mapping[str, Sent]
    epoch: int
    at: datetime
    settle_until: datetime
    note: str = ""


class Work(NamedTuple):
    """A due pair: why and since when, no data."""

    pair: Pair
    generation: int
    reason: str
    since: datetime
    due_at: datetime
    attempts: int = 0
    error_class: str = ""
    error: str = ""
