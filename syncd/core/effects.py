"""Effects as values: a write before it is sent, the outcome that came back, and the change that the state is told.

`decide` makes writes, `send` turns each into an outcome, `changes` turns an outcome into a change, `record` stores it.

    outcome    the write ...                                     what follows
    Stored     was executed; the record or row as it is now      a new base, links, events
    Refused    was refused by a rule, or a value is taken        rejected, or a person is asked
    Missing    had no record to go to                            another look
    Stale      came too late: the other side moved meanwhile     another look; no failure
    Unknown    may have been executed                            settle, then look
    NotSent    was certainly not executed                        closed and given back; tried again later
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from syncd.core.guards import Ask
from syncd.core.model import NOTHING, Customer, Link, Pair, Remote, Removal, Sent, Stage, State, Values, Verb, Work


class Write(NamedTuple):
    """One write that is about to leave, to the provider or (`pull`) into the source.

    `sent` holds the fields of its intent; `remote` is the record to be updated or removed, as read; `key` is our key at
    the provider, under which a create is sent.
    """

    verb: Verb
    values: Values
    sent: Mapping[str, Sent]
    remote: Remote | None = None
    how: Removal | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """The write was executed. `remote`: the record as the provider stored it (create, update). `customer`: the row as
    the source holds it (pull); `refused`: pulled fields that their columns do not take."""

    remote: Remote | None = None
    customer: Customer | None = None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider's rules refuse the write. `taken`: another record has this value already; `holder`: its id, where
    the provider names it. `half`: one of several requests was executed before the refusal."""

    field: str
    reason: str
    taken: bool = False
    half: bool = False
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """The provider has no such record."""

    half: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stale:
    """The record or row has changed, or may have changed, since it was read; the pair is looked at again after `pause`
    seconds. `why`: the provider itself refused the older version (409, 412), which is a failure of the pair from the
    second time in a row on."""

    pause: float = 0.0
    why: Failure | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request or a write failed: the error's class and sentence.

    `mine`: a failure of the pair, which is tried again later; otherwise of the whole lane, which pauses, and the pair
    stays due as it is. `counts`: other pairs get through, so the failure uses up an attempt. `wait`: seconds at least
    until the next attempt. `unknown`: a request left, and its outcome is unknown. `jitter` (0..1) is drawn when the
    failure happens.
    """

    kind: str
    message: str
    mine: bool = True
    counts: bool = False
    wait: float = 0.0
    unknown: bool = False
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request left and its outcome is unknown, or one of several requests was executed."""

    why: Failure


@dataclass(frozen=True, slots=True)
class NotSent:
    """The write was certainly not executed; with `half`, one of its several requests was."""

    why: Failure
    half: bool = False


Outcome = Stored | Refused | Missing | Stale | Unknown | NotSent


class Note(NamedTuple):
    """An event to be remembered; `detail` names rules, statuses and ids, never a value."""

    pair: Pair
    event: str
    fields: tuple[str, ...] = ()
    detail: str = ""


class Line(NamedTuple):
    """A log line, written once the change is durable."""

    event: str
    fields: tuple[str, ...] = ()
    more: Mapping[str, Any] = NOTHING


class Told(NamedTuple):
    """The events that a change stores for its pair, and the log lines that it writes."""

    notes: tuple[Note, ...] = ()
    lines: tuple[Line, ...] = ()


class Later(NamedTuple):
    """The pair is looked at again at `due_at`; `error_class` is a fixed word, `error` names fields and rules only."""

    due_at: datetime
    attempts: int
    error_class: str
    error: str = ""


class Moved(NamedTuple):
    """An intent with its new stage and settle time."""

    id: int
    stage: Stage
    until: datetime


class Question(NamedTuple):
    """A review item to be opened. `fields`: each with the digests of both sides; `reason` as a person reads it; `void`:
    a decision about the item does not hold any more."""

    kind: str
    reason: str
    fields: Mapping[str, list[str | None]] = NOTHING
    void: bool = False


class Grave(NamedTuple):
    """Tombstones to be left, one for each record. `whole`: for the customer too. `our_key`: for this number too, which
    the provider cannot carry: only the tombstone tells then that a new row with the number is the same customer's."""

    external_ids: tuple[str, ...]
    how: str
    whole: bool = True
    our_key: str = ""


class Change(NamedTuple):
    """Everything that one round of a look changes in the state for a pair; stored whole or not at all.

    kind       the word that the closing line counts; "" while the look goes on
    link       the mapping row, stored whole; `state` alone changes what is shown of it; `unlink` drops it
    finish     the due mark is deleted, unless a newer mark came
    later      the pair stays due, from a later moment on
    staged     (guard, fields) of an operation that a guard holds back
    mark       (key, reason) of a mark to be made
    moves_to   the row's own key, to which the link under the mark's spelling moves
    close      ids of intents that are over; `close_all` closes every one of the pair
    move       intents that go on in another stage
    closing    kinds of review items to close: their reason is gone
    questions  review items to be opened or brought up to date
    announce   the item that stands for all customers who wait for `adopt`
    refund     operations that the guards counted and that were not executed
    grave      tombstones to be left; `living` an external id that is linked again, whose tombstone goes
    """

    work: Work
    kind: str
    link: Link | None = None
    state: State | None = None
    unlink: bool = False
    finish: bool = False
    later: Later | None = None
    staged: tuple[str, tuple[str, ...]] | None = None
    mark: tuple[str, str] | None = None
    moves_to: str = ""
    close: tuple[int, ...] = ()
    close_all: bool = False
    move: tuple[Moved, ...] = ()
    closing: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    announce: str = ""
    refund: tuple[Ask, ...] = ()
    grave: Grave | None = None
    living: str = ""
    notes: tuple[Note, ...] = ()
    lines: tuple[Line, ...] = ()
    retry_at: datetime | None = None

    @property
    def pair(self) -> Pair:
        return self.work.pair
