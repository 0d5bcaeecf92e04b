"""Providers that behave as badly as real ones, in memory: they cut, re-case, answer before they store, store after they
stopped answering, forget to index, and lose connections.

`Nature` is what such a provider is like, `Hostile` is the provider with its records (it survives our crashes), and
`Adapter` is our translator for it, thrown away with the process.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from syncd.core.model import Cursor, Page, Remote, Removal, Value, Values
from syncd.errors import NotFound, OutcomeUnknown, Rejected, Stale, Taken, Temporary, Throttled, Unauthorized
from syncd.lanes import Lane
from syncd.providers.adapter import Capabilities, Identity
from tests.clock import VirtualClock
from tests.model.effects import Effects

T = TypeVar("T")
PAGE = 2
LATENCY = 0.05  # seconds a request takes
WORST_DELAY = 50.0  # seconds by which anything lands, and is found, after its request ended; settle is longer
PLACEHOLDERS: Mapping[str, Value] = {"name": "Deleted", "email": "deleted@example.invalid", "first_name": "User"}
CUT = 16  # characters that a cutting provider keeps
WINDOW = 1.5  # seconds between a reading and the sending of the write built from it: README's "one request long"
TAG = re.compile(r"[a-z]([tr]\d+|s[tr]\d+)v", re.IGNORECASE)
PLAIN = frozenset({"name", "email", "city", "first_name", "last_name"})


@dataclass(frozen=True, slots=True)
class Nature:
    """What a provider is like. `keeps` names what it does to the text of a field; `echo`: "" answers what is stored,
    "early" stores later what it answered at once, "late" shows what was sent and mends it afterwards. `more` are fields
    beside the usual ones; `one_email` refuses an e-mail that another record has; a `conditional` one writes over the
    version that was read, or not at all."""

    identity: Identity = Identity.OUR_KEY
    lists: bool = True
    replaces: bool = False
    echo: str = ""
    keeps: tuple[tuple[str, str], ...] = ()
    hidden: frozenset[str] = frozenset()
    composed: bool = False
    unique: bool = False
    split: bool = False
    narrow: bool = False
    renumbers: bool = False
    more: frozenset[str] = frozenset()
    one_email: bool = False
    demands: frozenset[str] = frozenset()
    lag: float = 0.0
    delay: float = 20.0
    conditional: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """Canonical fields that it holds."""
        names = {"name", "email", "city"} | ({"contact_person"} if self.composed else {"first_name"})
        return frozenset(names | self.more | ({"number"} if self.renumbers else set()))

    @property
    def versions(self) -> bool:
        """Whether every record says which version it is; a drawn one more would be another history for every seed."""
        return self.lists and not self.replaces and not self.echo

    def kept(self, name: str, value: Value) -> Value:
        """What it stores of a value."""
        how = dict(self.keeps).get(name)
        if not isinstance(value, str) or how is None:
            return value
        changes: dict[str, Callable[[str], str]] = {
            "cut": lambda text: text[:CUT].strip(),
            "upper": str.upper,
            "squeeze": lambda text: " ".join(text.replace("-", " ").split()),
        }
        return changes[how](value)


@dataclass
class Record:
    """One customer over there. `of` is the person it stands for; `rev` grows with every change."""

    id: str
    key: str | None
    values: dict[str, Value]
    of: str
    born: float
    ours: bool
    archived: bool = False
    erased: bool = False
    rev: int = 0
    typed: dict[str, float] = field(default_factory=dict)
    shown: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as our side read it, and when; `sent` is when the write that was built from it left."""

    values: Values
    at: float
    sent: float = 0.0


@dataclass
class Fault:
    """One thing that goes wrong: `kind` at the next request of class `on` (write, read, any) but `skip`."""

    kind: str
    on: str
    delay: float = 0.0
    skip: int = 0


@dataclass
class Hostile:
    """The provider itself; `writes` counts what it executed or will execute."""

    name: str
    nature: Nature
    clock: VirtualClock
    excuse: Callable[[str, str, str], None]
    happened: set[str]
    records: dict[str, Record] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    down: bool = False
    latency: float = LATENCY
    sent: float = 0.0
    writes: int = 0
    removed: list[str] = field(default_factory=list)
    serial: int = 0
    log: list[str] = field(default_factory=list)
    leads_to: dict[str, str] = field(default_factory=dict)  # ids of records that were merged into others, and theirs

    def later(self, delay: float, effect: Callable[[], None]) -> None:
        """Let something take place `delay` seconds from now."""
        self.clock.call_later(delay, effect)

    # -- what requests do --------------------------------------------------------------------------------------

    def post(self, key: str | None, values: Values, of: str, *, ours: bool = True) -> Record:
        """A new record; where our key is the address, whatever stands there is replaced."""
        nature = self.nature
        fresh = {name: values.get(name) for name in sorted(nature.fields)}
        if nature.identity is Identity.OUR_KEY and key in self.records:
            record = self.records[key]
            self._lost(record, nature.fields, self.sent - WINDOW)
        else:
            self.serial += 1
            number = key if nature.identity is Identity.OUR_KEY and key is not None else f"{self.name}-{self.serial}"
            record = self.records[number] = Record(number, key, {}, of, self.clock.elapsed, ours)
        self._store(record, fresh)
        return record

    def put(self, record_id: str, values: Values, seen: Seen) -> Record:
        """Write over a record; one that promises does so by and by."""
        if record_id not in self.records:
            raise NotFound("no such record", status=404)
        if self.nature.echo == "early":
            self.later(self.nature.delay, lambda: self._put(record_id, values, seen))
        else:
            self._put(record_id, values, seen)
        return self.records[record_id]

    def _put(self, record_id: str, values: Values, seen: Seen) -> None:
        """A provider that replaces takes every field: those not given as they were `seen`."""
        record = self.records.get(record_id)
        if record is None:
            return
        if self.nature.replaces:
            if seen.sent - seen.at <= WINDOW:
                self._lost(record, self.nature.fields - values.keys(), seen.at)
            values = {**seen.values, **values}
        self._store(record, values)

    def unique(self, record_id: str, values: Values) -> None:
        """Refuse the e-mail of somebody else, where such a rule stands."""
        email = values.get("email") if self.nature.one_email else None
        if email is not None and any(
            x.values.get("email") == email for x in self.records.values() if x.id != record_id
        ):
            raise Rejected("email", "is in use")

    def _store(self, record: Record, values: Values) -> None:
        nature, kept = self.nature, {name: self.nature.kept(name, value) for name, value in values.items()}
        record.rev += 1
        if isinstance(kept.get("number"), str):
            record.key = str(kept["number"])
        if nature.echo != "late":
            record.values |= kept
            return
        record.values |= values
        sent = dict(values)

        def mend() -> None:
            if any(record.shown.get(name) == sent[name] != kept[name] for name in kept):
                self.happened.add("cut-late")  # nobody can tell it from a person who shortens what he saw
            record.values |= {name: kept[name] for name in kept if record.values[name] == sent[name]}

        self.later(nature.delay, mend)

    def _lost(self, record: Record, names: frozenset[str], since: float) -> None:
        """A replacing write takes away what a person typed since the record was read: the stated remaining window."""
        for name in names:
            if record.typed.get(name, -1.0) >= since:
                self.excuse(record.of, name, self.name)

    # -- what people do over there -----------------------------------------------------------------------------

    def edit(self, record: Record, name: str, value: Value) -> Value:
        """A person types a value; what is kept of it is what he typed."""
        record.values[name] = kept = self.nature.kept(name, value)
        record.typed[name] = self.clock.elapsed
        record.rev += 1
        return kept

    def erase(self, record: Record, signs: Sequence[str]) -> None:
        """Somebody is erased over there: placeholders stand where these of his values were, the others stay."""
        words = {**PLACEHOLDERS, "email": f"deleted-{record.rev}@example.invalid", "city": None}
        record.values |= {name: words[name] for name in signs if name in words and name in record.values}
        record.erased = True
        record.rev += 1


class Adapter:
    """The translator; `ProviderAdapter` by its shape."""

    def __init__(self, world: Hostile, lane: Lane, effects: Effects, owner: Callable[[str], str]) -> None:
        self._world, self._lane, self._effects, self._owner = world, lane, effects, owner
        nature = world.nature
        self.capabilities = Capabilities(
            id_name="id",
            identity=nature.identity,
            fields=nature.fields,
            composed=frozenset({"contact_person"}) if nature.composed else frozenset(),
            lists=nature.lists,
            replaces=nature.replaces,
            echoes=bool(nature.echo),
            archive=True,
            delete=True,
            renumbers=nature.renumbers,
            conditional=nature.conditional,
        )

    # -- pure --------------------------------------------------------------------------------------------------

    def project(self, values: Values) -> Values:
        nature = self._world.nature
        for name in nature.demands:
            if values.get(name) is None:
                raise Rejected(name, "must be filled")
        projected = {name: values[name] for name in sorted(nature.fields) if name in values}
        if nature.composed:
            parts = [str(values[name]) for name in ("first_name", "last_name") if values.get(name)]
            projected["contact_person"] = " ".join(parts) or None
        return projected

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        return self.capabilities.composed - known

    def key_fits(self, key: str) -> bool:
        return not self._world.nature.narrow or key.isdigit()

    # -- requests ----------------------------------------------------------------------------------------------

    def fetch(self, external_id: str) -> Remote | None:
        return self._request("GET", lambda: self._one(external_id), absent=lambda: None)

    def find(self, key: str, values: Values) -> Sequence[Remote]:
        if self.capabilities.identity is Identity.SCAN:
            before = {each.id: dict(each.shown) for each in self._world.records.values()}
            carrying = [remote for page in self.scan(None) for remote in page.remotes if remote.key == key]
            for each in self._world.records.values():  # what a look-up for somebody else shows is remembered by nobody
                if each.key != key:
                    each.shown = before.get(each.id, {})
            return carrying
        if self.capabilities.identity is Identity.OUR_KEY:
            found = self.fetch(key)
            return [] if found is None else [found]
        return self._request("GET", lambda: self._search(key), absent=list)

    def _search(self, key: str) -> list[Remote]:
        born = self._world.clock.elapsed - self._world.nature.lag
        return [_remote(self._world, each) for each in self._all() if each.key == key and each.born <= born]

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        if not self.capabilities.lists and self.capabilities.identity is not Identity.SCAN:
            raise Rejected("", "no listing")
        start = int(cursor.position) if cursor and cursor.position else 0
        while True:
            shown, total = self._request("GET", partial(self._slice, start))
            start += PAGE
            yield Page(shown, Cursor(str(start)) if start < total else None, total)
            if start >= total:
                return

    def _slice(self, start: int) -> tuple[tuple[Remote, ...], int]:
        every = self._all()
        return tuple(_remote(self._world, each) for each in every[start : start + PAGE]), len(every)

    def create(self, key: str, values: Values) -> Remote:
        nature = self._world.nature
        if nature.identity is Identity.OUR_KEY and self.fetch(key) is not None:
            raise Taken("number", "in use", external_id=key)
        carried = key if self.key_fits(key) else None
        of = tag_of(values) or self._owner(key)

        def act() -> Remote:
            ruled = nature.unique and carried is not None
            holder = next((each for each in self._all() if each.key == carried), None) if ruled else None
            if holder is not None and nature.identity is not Identity.OUR_KEY:
                raise Taken("number", "in use", external_id=holder.id)
            self._world.unique("", values)
            return self._answer(self._world.post(carried, values, of), values)

        self._world.log.append(f"create {key}")
        return self._write("POST", act)

    def update(self, current: Remote, values: Values) -> Remote:
        if current.archived:
            raise Rejected("", "archived")
        shown = {name: value for name, value in current.values.items() if name in self._world.nature.fields}
        seen = Seen({**current.raw["values"], **shown}, current.raw["at"])
        parts = [values]
        if self._world.nature.split and len(values) > 1:
            names = sorted(values)
            parts = [{names[0]: values[names[0]]}, {name: values[name] for name in names[1:]}]
        answer, sent, stored = current, dict[str, Value](), dict[str, Value]()
        for part in parts:
            self._world.log.append(f"update {current.external_id} {dict(part)}")
            sent |= part
            answer = self._write("PUT", partial(self._put, answer, part, seen, dict(sent)))
            stored |= {name: answer.values[name] for name in part if name in answer.values}
            seen = Seen({**answer.raw["values"], **part}, answer.raw["at"])
        return answer._replace(values={**answer.values, **stored})

    def _put(self, current: Remote, values: Values, seen: Seen, sent: Values) -> Remote:
        seen = replace(seen, sent=self._world.sent)
        self._world.unique(current.external_id, values)
        there = self._one(current.external_id) if self._world.nature.conditional else None
        if there is not None and there.version != current.version:
            raise Stale("the record changed meanwhile", status=409)
        return self._answer(self._world.put(current.external_id, values, seen), sent)

    def remove(self, current: Remote, how: Removal) -> None:
        def act() -> None:
            self._world.removed.append(current.external_id)
            if how is Removal.ARCHIVE and current.external_id in self._world.records:
                self._world.records[current.external_id].archived = True
            else:
                self._world.records.pop(current.external_id, None)

        self._world.log.append(f"remove {current.external_id}")
        self._write("DELETE", act)

    def probe(self) -> str:
        return self._request("GET", lambda: "answers")

    def close(self) -> None:
        """Nothing is open."""

    # -- how a request goes ------------------------------------------------------------------------------------

    def _all(self) -> list[Record]:
        return [self._world.records[number] for number in sorted(self._world.records)]

    def _one(self, external_id: str) -> Remote | None:
        record = self._world.records.get(self._world.leads_to.get(external_id, external_id))
        return None if record is None else _remote(self._world, record)

    def _request(self, verb: str, act: Callable[[], T], absent: Callable[[], T] | None = None) -> T:
        """A reading: whatever goes wrong, nothing was changed. `absent` answers for a record that is not found once."""
        fault = self._begin(verb)
        if fault is not None and (fault.kind != "absent" or absent is None):
            self._refuse(fault)
            raise Temporary("the reading failed")
        answer = absent() if fault is not None and absent is not None else act()
        self._lane.observe(f"{verb} x", 200, {})
        self._effects.point(f"{self._world.name} {verb}, answered")
        return answer

    def _write(self, verb: str, act: Callable[[], T]) -> T:
        """A write: executed, or not, or later; answered, or not."""
        fault = self._begin(verb)
        sent = self._world.sent

        def done() -> Any:
            self._world.sent = sent
            return act()

        if fault is not None:
            self._refuse(fault)
            self._lose(fault, done)
        answer: T = done()
        self._world.writes += 1
        self._lane.observe(f"{verb} x", 200, {})
        self._effects.point(f"{self._world.name} {verb}, answered")
        return answer

    def _begin(self, verb: str) -> Fault | None:
        self._effects.point(f"{self._world.name} {verb}, before")
        self._lane.admit(f"{verb} x")
        self._world.sent = self._world.clock.elapsed
        self._world.clock.advance(self._world.latency)
        if self._world.down:
            return Fault("refused", "any")
        kind = "read" if verb == "GET" else "write"
        fault = next((each for each in self._world.faults if each.on in {kind, "any"}), None)
        if fault is not None and fault.skip:
            fault.skip -= 1
            return None
        if fault is not None:
            self._world.faults.remove(fault)
        return fault

    def _refuse(self, fault: Fault) -> None:
        if fault.kind == "refused":
            raise Temporary("connection refused")
        if fault.kind == "throttled":
            self._lane.observe("any", 429, {})
            raise Throttled("slow down", status=429, retry_after=20.0)
        if fault.kind == "busy":
            raise Temporary("come back later", status=503, retry_after=fault.delay)
        if fault.kind == "forbidden":
            raise Rejected("", "must not be done")
        if fault.kind == "unauthorized":
            raise Unauthorized("who are you", status=401)

    def _lose(self, fault: Fault, act: Callable[[], Any]) -> None:
        """The request left, and no answer came. `die`: the process is gone before the effect takes place."""

        def effect() -> None:
            shown = {record.id: dict(record.shown) for record in self._all()}
            with contextlib.suppress(NotFound, Taken, Rejected, Stale):
                act()
            for record in self._all():
                record.shown = shown.get(record.id, {})  # nobody saw the answer

        self._world.writes += 1
        if fault.kind == "lost":
            effect()
        elif fault.kind in {"late", "die"}:
            delay = fault.delay  # until it lands and can be found: within settle, but where a history says otherwise
            if delay <= WORST_DELAY:
                delay = min(delay, WORST_DELAY - self._world.nature.lag)
            self._world.later((0 if fault.kind == "die" else self._lane.timeout) + delay, effect)
        if fault.kind == "die":
            raise self._effects.kill("in flight")
        self._world.clock.advance(self._lane.timeout)
        raise OutcomeUnknown("no answer")

    def _answer(self, record: Record, sent: Values) -> Remote:
        """What the provider says it stored; a promising one says what was sent and stores it by and by."""
        world, echo = self._world, self._world.nature.echo
        if not echo:
            return _remote(world, record)
        shown = {name: value for name, value in {**record.values, **sent}.items() if name not in world.nature.hidden}
        raw = {"values": dict(shown), "at": world.clock.elapsed}
        return Remote(record.id, record.key, shown, {"id": record.id}, provisional=True, raw=raw)


def tag_of(values: Values) -> str:
    """Whose values these are: whom most of them tell of; what people have in common tells of one of them only."""
    texts = [values[name] for name in sorted(values)]
    found = [TAG.match(text) for text in texts if isinstance(text, str)]
    told = Counter(each[1].lower() for each in found if each)
    return max(told, key=told.__getitem__, default="")


def _remote(world: Hostile, record: Record) -> Remote:
    record.shown |= record.values
    shown = {name: value for name, value in record.values.items() if name not in world.nature.hidden}
    raw: dict[str, Any] = {"values": shown, "at": world.clock.elapsed}
    version = f"{hash((record.archived, *sorted(record.values.items())))}" if world.nature.versions else None
    return Remote(record.id, record.key, shown, {"id": record.id}, archived=record.archived, raw=raw, version=version)
