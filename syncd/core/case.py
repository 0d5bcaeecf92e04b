"""The values of one look at a pair: the due pair with its facts (`Case`), the settings of the look (`Terms`), how far
an exchange is (`Progress`), the decision (`Decided`) and what follows from an outcome (`Step`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from syncd.core.actions import Action
from syncd.core.effects import Change, Failure, Question, Refused, Write
from syncd.core.facts import Facts
from syncd.core.guards import Ask, Guards
from syncd.core.model import NOTHING, Customer, FieldBase, Link, Pair, State, Work


class Case(NamedTuple):
    """A due pair with its facts.

    customer   the source row, for the compare-and-set; None where there is none or it cannot be read
    key        our key at the provider
    asked      the open questions about this pair, by kind
    ignored    kinds whose last question a person decided by `ignore`
    failure    why the remote could not be read: the facts then come from state and source alone
    respelled  the row's own key, where the mark has another spelling
    spared     not looked at now: the lane's budget for repeats is used up
    read       when the record was read, in monotonic seconds, and by which request
    requests   how many requests the look has sent so far
    """

    work: Work
    facts: Facts
    customer: Customer | None
    key: str
    asked: Mapping[str, Question] = NOTHING
    ignored: frozenset[str] = frozenset()
    failure: Failure | Refused | None = None
    respelled: str = ""
    spared: bool = False
    read: tuple[float, str] | None = None
    requests: int = 0

    @property
    def pair(self) -> Pair:
        return self.work.pair

    @property
    def row(self) -> Link:
        """The pair's mapping row, or a fresh one without a link."""
        return self.facts.link or Link(self.pair, None, None, {}, {}, State.LINKED)


class Terms(NamedTuple):
    """The settings, the adapter's capabilities and the time of a look. Durations are in seconds."""

    provider: str
    now: datetime
    settle: float
    backoff: float
    max_attempts: int
    guards: Guards = Guards()
    replaces: bool = False
    clears: bool = True
    looks_first: bool = False
    conditional: bool = False

    def later(self, seconds: float) -> datetime:
        """A moment from now."""
        return self.now + timedelta(seconds=seconds)


class Progress(NamedTuple):
    """How far an exchange is: the base as far as agreed, the present row, the fields that wait for a person."""

    base: Mapping[str, FieldBase]
    customer: Customer
    review: Mapping[str, str]
    pulled: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()


class Decided(NamedTuple):
    """A case with its decision: a write behind its guards (`asks`), or a change of the state alone.

    `progress` says how far an exchange is; `intent` is the id of the write's open intent; `then` is the decision with
    which the look goes on after the change.
    """

    case: Case
    action: Action | None
    write: Write | None = None
    asks: tuple[Ask, ...] = ()
    change: Change | None = None
    then: Decided | None = None
    progress: Progress | None = None
    intent: int = 0


class Step(NamedTuple):
    """What follows from an outcome: the change, and the decision with which the look goes on (`then`)."""

    change: Change
    then: Decided | None = None
