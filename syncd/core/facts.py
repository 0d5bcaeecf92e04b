"""What a decision may look at: the rules of one provider, and everything known about one pair at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from syncd.core.guards import Move
from syncd.core.merge import Seen, Tie
from syncd.core.model import NOTHING, CreateMode, Direction, Intent, Link, Policy, Remote, Removal, Value, Values

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Departure(StrEnum):
    """What is known about a source row that was not found."""

    BACK = "back"  # the row was there again a moment later
    UNPROVEN = "unproven"  # absent at one look, and no trigger logged a deletion
    EMPTY = "empty"  # the whole source is empty: proves nothing
    OUT_OF_SCOPE = "out-of-scope"  # a view or a filter hides the row; the table has it
    GONE = "gone"


class Rules(NamedTuple):
    """The settings and the adapter's capabilities for one provider. `fields`: each field's effective direction;
    `fresh`: fields that were mapped, or mapped to another column, after customers had been linked."""

    provider: str
    fields: Mapping[str, Direction] = NOTHING
    policy: Policy = Policy.SOURCE
    on_delete: Removal = Removal.KEEP
    create: CreateMode = CreateMode.AFTER_MATCH
    adopted: bool = False
    writable: bool = True
    one_way: frozenset[str] = frozenset()  # fields of the source whose column cannot be written
    repeatable: bool = True  # a create may be repeated once a look-up proves that nothing arrived
    renumbers: bool = True  # our key at the provider may change later, as an ordinary field
    clears: bool = True  # an empty value can be sent and is kept as empty
    echoes: bool = False  # an answered write may still be stored later, and shorter
    fresh: frozenset[str] = frozenset()
    repassed: bool = False  # the first pass is over; the settings changed since, and every row is looked at again


class Ruling(NamedTuple):
    """A person's decision about one field, valid only while both sides have the digests that were shown."""

    take: Direction | None  # None: ignore
    shown: tuple[str | None, str | None]


class Facts(NamedTuple):
    """All that `plan` may look at.

    source     the projected row, None where it could not be read (then `departure` says what is known)
    row        the fields that tell whose row it is (numbers, e-mail, names), also where a rule refuses the projection
    rejection  (field, reason) where the provider's rules refuse the projection
    remote     the linked record as fetched just now; None with a linked pair means: proven not to exist
    found      records that carry our key, looked up just now, for a pair that is not linked
    beside     records that our create of unknown outcome may have made beside the one that a person named to be linked
    claimed    external ids among `found` and `beside` that are linked to other customers
    former     the link to a record that is gone or archived, where a person ordered a link to another record or a
               create; it stays if the order cannot be carried out
    under_tombstone
               external ids among `found` that have a tombstone
    holder     another customer that has our key at this provider reserved
    key_alive  after a deletion: another live customer carries our key at the provider
    succeeded  after a deletion: another customer has the source's key now, so a person says whose record it is
    buried     a tombstone says that this customer was removed from this provider before
    left_out   a tombstone says that a filter left this customer out before, whose record stayed there
    reborn     the row was inserted, or deleted and inserted again, since the last look
    tried      the create that a person ordered has left, and its answer was lost
    unread     the change log, or a newer mark, holds a change of this key that this look has not seen
    ordered    what a person ordered for the pair: `link` (`found` is then the one record to link), `unlink`, or after a
               delete conflict `remove` or `keep`
    outdated   the order to link follows from a match report, and the report's reasons do not hold any more
    ties       for fields in conflict whose source value came from another provider: which of the two wins;
               `rivals` names that provider, `beaten` are fields where its value won over an edit in the source
    locked     fields of joined tables in which this customer has no row to write to
    trail      the latest pushes and pulls of this customer at all providers, oldest first; `at`: the time of this look
    held       (kind, reason) of a question that is open, or was answered with "leave it alone": until another answer
               nothing is created
    """

    rules: Rules
    digest: Callable[[str, Value], str]
    source: Values | None = None
    row: Values = NOTHING
    departure: Departure | None = None
    rejection: tuple[str, str] | None = None
    link: Link | None = None
    remote: Remote | None = None
    found: tuple[Remote, ...] = ()
    beside: tuple[Remote, ...] = ()
    claimed: frozenset[str] = frozenset()
    former: Link | None = None
    under_tombstone: frozenset[str] = frozenset()
    holder: str | None = None
    key_alive: bool = False
    succeeded: bool = False
    buried: bool = False
    left_out: bool = False
    intents: tuple[Intent, ...] = ()
    composed: frozenset[str] = frozenset()
    rulings: Mapping[str, Ruling] = NOTHING
    create_anyway: bool = False
    tried: bool = False
    reborn: bool = False
    unread: bool = False
    ordered: str = ""
    outdated: bool = False
    held: tuple[str, str] | None = None
    ties: Mapping[str, Tie] = NOTHING
    rivals: Mapping[str, str] = NOTHING
    beaten: frozenset[str] = frozenset()
    fill: bool = False
    locked: frozenset[str] = frozenset()
    trail: tuple[Move, ...] = ()
    at: datetime = LONG_AGO


def seen(facts: Facts, name: str) -> tuple[Seen | None, Seen | None]:
    """One field on both sides, each value with its digest; None where that side is unknown."""

    here, there = facts.source, facts.remote.values if facts.remote is not None else None
    return (
        Seen(here[name], facts.digest(name, here[name])) if here is not None and name in here else None,
        Seen(there[name], facts.digest(name, there[name])) if there is not None and name in there else None,
    )
