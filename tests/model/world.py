"""A whole installation on virtual time: the real source and state code over SQLite in memory, hostile providers, the
real cycle. `World` is what survives a crash; `site` is the process, made anew by `restart`.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

from syncd.core.digest import digest
from syncd.core.facts import Rules
from syncd.core.guards import Limit
from syncd.core.model import CreateMode, Direction, Pair, Policy, Removal, Value, Verb
from syncd.core.normalise import canonical, degraded
from syncd.errors import LeaseHeld, LeaseLost
from syncd.lanes import Lane, Pace
from tests.clock import ProcessClock, VirtualClock
from tests.model import product
from tests.model.effects import Baton, Crash, Effects, watched, watched_source
from tests.model.hostile import LATENCY, PLAIN, Adapter, Hostile, Nature, Record
from tests.model.product import (
    Condition,
    Deleted,
    Guards,
    Installation,
    Lease,
    Options,
    Review,
    Rhythm,
    Route,
    Source,
    SourceConfig,
    Watch,
    changelog,
    for_provider,
    journal,
    mapping,
    open_source,
    open_state,
    progress,
    run_cycle,
)
from tests.model.product import StateDatabase as State

COLUMNS = {
    "number": "customer_no",
    "name": "company",
    "email": "email",
    "city": "city",
    "first_name": "first",
    "last_name": "last",
}
KEYS = {
    "int": "INTEGER PRIMARY KEY",
    "uuid": "TEXT PRIMARY KEY NOT NULL",
    "nocase": "TEXT COLLATE NOCASE PRIMARY KEY NOT NULL",
    "padded": "TEXT COLLATE RTRIM PRIMARY KEY NOT NULL",
}
SHARED = {  # values that people have in common
    "country": ("DE", "AT", "PT"),
    "city": ("Köln", "Bonn"),
    "email": ("buero@familie.example", "info@verein.example"),
}
STAMPS = tuple(
    f"""CREATE TRIGGER stamp_{what.lower()} AFTER {what} ON customers BEGIN
      UPDATE customers SET at = moment() WHERE id = NEW.id; END"""
    for what in ("INSERT", "UPDATE")
)
FILTERS = {"where": "kind", "only": "circle", "deleted": "gone"}  # whom a filter leaves out, by its column
KEY = b"k" * 32
TIMEOUT, SETTLE, LEASE = 10.0, 60.0, 90.0
LOOK = Options()
OVERNIGHT = 90_000.0  # seconds; longer than scan, reread and verify periods


@dataclass(frozen=True, slots=True)
class Profile:
    """One configured provider of a world."""

    nature: Nature = field(default_factory=Nature)
    policy: Policy = Policy.SOURCE
    on_delete: Removal = Removal.KEEP
    create: CreateMode = CreateMode.ALWAYS
    directions: tuple[tuple[str, Direction], ...] = ()
    inbound: bool = False
    rate: float | None = None
    latency: float = LATENCY


@dataclass(frozen=True, slots=True)
class Setting:
    """What a world is made of. `sole` as with the file lock of a SQLite state: a dead process' leases are void.

    `keys` is a name of `KEYS`; `numbered`: a customer number is mapped; `shared`: people have values in common;
    `clocks`: by how many seconds the clock of each new process is off, in turn; `lettered`: customer numbers have a
    letter, which a narrow provider cannot carry; `filters`: names of `FILTERS` that the settings use, `only` by the
    first provider; `stamped`: no triggers, changes are known by a column that says when.
    """

    profiles: tuple[Profile, ...] = field(default_factory=lambda: (Profile(),))
    customers: int = 2
    sole: bool = True
    seed: int = 0
    guards: Guards = field(default_factory=Guards)
    view: bool = False
    keys: str = "int"
    numbered: bool = True
    shared: bool = False
    clocks: tuple[float, ...] = (0.0,)
    lettered: bool = False
    filters: tuple[str, ...] = ()
    stamped: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """Canonical field to column."""
        more = {"country": "country"} if self.shared else {}
        return {name: column for name, column in (COLUMNS | more).items() if self.numbered or name != "number"}


@dataclass(frozen=True, slots=True)
class Edit:
    """A person typed `value`; `side` is "source" or a provider's name. `excused`: it was overwritten inside a window
    that no program can close, so it may be lost, and may have arrived all the same."""

    side: str
    value: Value
    excused: bool = False


@dataclass
class Person:
    """Somebody who has a row. `tag` marks all his values; `alive` while the row is there; `back`: it was away, and what
    it holds was compared without a base; `spelled`: how his key was written before, as the state still may; `had`: the
    keys that he had before, under which the state knows him until the log is read; `out`: the filters that leave his
    row out, of which "deleted" is not `alive`; `had_records`: by provider, what stood there when he was left out."""

    tag: str
    key: int | str
    number: str
    alive: bool = True
    back: bool = False
    spelled: str = ""
    had: set[str] = field(default_factory=set)
    out: set[str] = field(default_factory=set)
    had_records: dict[str, set[str]] = field(default_factory=dict)


@cache
def _databases(
    view: bool, keys: str, numbered: bool, shared: bool, filters: tuple[str, ...], stamped: bool
) -> tuple[Source, State, bytes, bytes]:
    """One source and one state for all histories of a kind; each begins from the same images."""
    watch = (Watch("customers", "id"), Watch("addresses", "customer_id")) if view or keys != "int" else ()
    fields = Setting(numbered=numbered, shared=shared).columns
    wanted = Condition(values=("0",))
    config = SourceConfig(
        url="sqlite://",
        table="shown" if view else "customers",
        key="id",
        fields=fields,
        watch=() if stamped else watch,
        change_log="updated_at" if stamped else "triggers",
        updated_at="at" if stamped else "",
        where={"kind": wanted} if "where" in filters else {},
        only={"p0": {"circle": wanted}} if "only" in filters else {},
        deleted=Deleted("gone", ("1",)) if "deleted" in filters else None,
    )
    source = open_source(config, (*_tables(keys), *(STAMPS if stamped else ())))
    state = open_state("sqlite://", None, KEY)
    return source, state, _raw(source.engine).serialize(), _raw(state.writer).serialize()


def _tables(keys: str) -> tuple[str, ...]:
    return (
        f"""CREATE TABLE customers (id {KEYS[keys]}, customer_no TEXT, company TEXT, email TEXT, city TEXT,
      first TEXT, last TEXT, country TEXT, kind INTEGER DEFAULT 0, circle INTEGER DEFAULT 0, gone INTEGER DEFAULT 0,
      at DATETIME)""",
        f"CREATE TABLE addresses (customer_id {KEYS[keys].split()[0]})",
        "CREATE VIEW shown AS SELECT customers.* FROM customers JOIN addresses ON customers.id = customer_id",
    )


def _raw(engine: Any) -> Any:
    """The driver's own connection."""
    proxy = engine.raw_connection()
    try:
        return proxy.driver_connection
    finally:
        proxy.close()


def _moments() -> Iterator[str]:
    """The time as the application's database would stamp it, never twice the same."""
    last = datetime.now(UTC)
    while True:
        last = max(datetime.now(UTC), last + timedelta(microseconds=1))
        yield last.strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass
class World:
    """Everything outside our process, and the process."""

    setting: Setting
    clock: VirtualClock = field(default_factory=VirtualClock)
    effects: Effects = field(default_factory=Effects)
    people: list[Person] = field(default_factory=list)
    typed: dict[tuple[str, str], set[Value]] = field(default_factory=dict)
    edits: dict[tuple[str, str], list[Edit]] = field(default_factory=dict)
    agreed: dict[tuple[str, str], Value] = field(default_factory=dict)
    happened: set[str] = field(default_factory=set)
    befell: set[tuple[str, str]] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)
    left_alone: set[tuple[str, str]] = field(default_factory=set)
    swallowed: set[tuple[str, str, Value]] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)
    order: list[int] = field(default_factory=list)
    peers: list[Installation] = field(default_factory=list)
    second_rows: list[str] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)
    kept_records: set[tuple[str, str | None]] = field(default_factory=set)
    entered: set[tuple[str, str, Value]] = field(default_factory=set)  # at a provider, wanted in the source or not

    def __post_init__(self) -> None:
        setting = self.setting
        self.columns = setting.columns
        source, state, source_image, state_image = _databases(
            setting.view, setting.keys, setting.numbered, setting.shared, setting.filters, setting.stamped
        )
        for engine, image in ((source.engine, source_image), (state.writer, state_image)):
            _raw(engine).rollback()  # what a killed process of the last history had open
            _raw(engine).deserialize(image)
        self.source, self.state, self._driver = source, watched(state, self.effects), _raw(source.engine)
        if setting.stamped:
            self._driver.create_function("moment", 0, _moments().__next__)
        self.random = random.Random(self.setting.seed)
        self._serial = 0
        self.providers = [
            Hostile(f"p{place}", profile.nature, self.clock, self._excuse, self.happened)
            for place, profile in enumerate(self.setting.profiles)
        ]
        for provider, profile in self.configured():
            provider.latency = profile.latency
        self._processes = 0
        for _ in range(self.setting.customers):
            self.insert()
        self.site = self.process()

    # -- the process ---------------------------------------------------------------------------------------------

    def process(self, *, sole: bool | None = None) -> Installation:
        """A process that just started."""
        self._processes += 1
        stop = threading.Event()
        sole = self.setting.sole if sole is None else sole
        clock = self._clock()
        return Installation(
            source=self.source,
            state=self.state,
            routes=tuple(self._route(place, stop, clock) for place in range(len(self.providers))),
            clock=clock,
            stop=stop,
            rhythm=Rhythm(),
            holder=f"process-{self._processes}",
            run_id=self._name,
            lease=LEASE,
            sole=sole,
            inbound_create=frozenset(each.name for each, profile in self.configured() if profile.inbound),
            lease_clock=lambda: self.clock.elapsed,
        )

    def _clock(self) -> ProcessClock:
        clocks = self.setting.clocks
        return ProcessClock(self.clock, clocks[(self._processes - 1) % len(clocks)])

    def set_clock(self, offset: float) -> None:
        """The administrator sets the clock of the machine that runs now."""
        clock = self.site.clock
        assert isinstance(clock, ProcessClock)
        clock.offset = offset

    def _name(self) -> str:
        self._serial += 1
        return f"run-{self._serial:06}"

    def _route(self, place: int, stop: threading.Event, clock: ProcessClock) -> Route:
        provider, profile = self.providers[place], self.setting.profiles[place]
        pace = Pace(profile.rate)
        lane = Lane(provider.name, clock, pace, 1, TIMEOUT, stop, self.random.random, lease=LEASE)
        adapter = Adapter(provider, lane, self.effects, self._owner)
        names = sorted({*self.columns, *provider.nature.fields})
        given = dict(profile.directions)
        rules = Rules(
            provider=provider.name,
            fields={name: given.get(name, Direction.BOTH) for name in names},
            policy=profile.policy,
            on_delete=profile.on_delete,
            create=profile.create,
            adopted=profile.create is CreateMode.ALWAYS,
            writable=not self.setting.view,
            renumbers=provider.nature.renumbers,
            echoes=bool(provider.nature.echo),
        )
        return Route(
            provider=provider.name,
            adapter=adapter,
            rules=rules,
            state=self.state,
            source=for_provider(self.source, provider.name),
            lane=lane,
            lease=Lease("", "", 0),
            clock=clock,
            jitter=self.random.random,
            settle=SETTLE,
            timeout=TIMEOUT,
            backoff=1.0,
            max_attempts=12,
            guards=self.setting.guards,
            ranks={each.name: rank for rank, each in enumerate(self.providers)},
            policies={each.name: profile.policy for each, profile in self.configured()},
            known=frozenset(self.columns),
            mentions=partial(changelog.mentions, self.source),
        )

    def configured(self) -> list[tuple[Hostile, Profile]]:
        """Every provider with its settings."""
        return list(zip(self.providers, self.setting.profiles, strict=True))

    def restart(self) -> None:
        """The process is gone with all it had in memory; another one begins."""
        self.site = self.process()

    def take_out(self, name: str) -> None:
        """A process begins whose settings do not have this provider; `restart` begins one whose settings do."""
        self.restart()
        self.site = replace(self.site, routes=tuple(route for route in self.site.routes if route.provider != name))

    def run(self, options: Options = LOOK, *, crash_at: int = 0, planned: Mapping[int, Any] | None = None) -> bool:
        """One cycle; False when the process died in it and was started again, or lost its lease."""
        self.effects.arm(crash_at, dict(planned or {}))
        shown = self._shown()
        try:
            with watched_source(self.effects), product.in_turn(self.order):
                run_cycle(self.site, options)
        except Crash:
            self._died(shown)
            return False
        except LeaseLost:
            self.effects.disarm()
            return False
        self.effects.disarm()
        return True

    def guarded(self, command: Callable[[], object]) -> None:
        """A command of the operator's that works on the state as a process does: it may meet a daemon, and may die."""
        shown = self._shown()
        try:
            with watched_source(self.effects), product.in_turn(self.order), contextlib.suppress(LeaseHeld, LeaseLost):
                command()
        except Crash:
            self._died(shown)

    def _shown(self) -> dict[int, dict[str, Value]]:
        return {id(record): dict(record.shown) for each in self.providers for record in each.records.values()}

    def _died(self, shown: dict[int, dict[str, Value]]) -> None:
        """A process is gone and another one begins; whoever read a record may have died before he wrote it down."""
        self.effects.disarm()
        for record in (record for each in self.providers for record in each.records.values()):
            record.shown = shown.get(id(record), {})
        self.restart()

    def beside(
        self,
        number: int,
        chance: tuple[int, float],
        options: Options = LOOK,
        *,
        crash_at: int = 0,
        planned: Mapping[int, Any] | None = None,
    ) -> None:
        """One cycle of each of several daemons on one state, interleaved at their effects. `chance`: the seed of the
        hand-overs, and how often a daemon sleeps through its lease meanwhile."""
        if self.setting.sole:
            self.run(options, crash_at=crash_at, planned=planned)
            return
        while len(self.peers) < number - 1:
            self.peers.append(self.process())
        sites = [self.site, *self.peers[: number - 1]]
        dice = random.Random(chance[0])

        def stalled() -> None:
            if dice.random() < chance[1]:
                self.clock.advance(LEASE + 1)

        self.effects.arm(crash_at, dict(planned or {}))
        baton = Baton(dice, stalled)
        self.effects.turn = baton.turn
        try:
            with watched_source(self.effects), product.in_turn(self.order):
                ended = baton.run([partial(run_cycle, site, options) for site in sites])
        finally:
            self.effects.turn = None
            self.effects.disarm()
        self.peers = [each for each, error in zip(sites, ended, strict=True) if not isinstance(error, Crash)]
        if self.site in self.peers:
            self.peers.remove(self.site)
        else:
            self.restart()
        for error in ended:
            if error is not None and not isinstance(error, Crash | LeaseLost):
                raise error

    def overtake(self, options: Options = LOOK) -> None:
        """The process is frozen for longer than its lease; another one takes over and works; then it wakes."""
        self.clock.advance(LEASE + 1)
        other = self.process(sole=False)
        run_cycle(other, options)

    # -- people ---------------------------------------------------------------------------------------------------

    def sql(self, statement: str, *values: Value | int) -> list[Any]:
        """One statement of the application's own, committed at once."""
        rows: list[Any] = self._driver.execute(statement, values).fetchall()
        return rows

    def value(self, tag: str, name: str, *, own: bool = False) -> str:
        """A new value that nobody ever typed, long enough to be cut, and spelled so that it can be mangled; where
        people share values, now and then one that others have, too, unless it has to be his `own`."""
        self._serial += 1
        common = SHARED.get(name, ()) if self.setting.shared and not own else ()
        if common and (name == "country" or self._serial % 3):
            return common[self._serial // 3 % len(common)]
        return f"{name[0]}{tag}v{self._serial}-Äb  c-Straße"

    def new_key(self) -> int | str:
        """A key that nobody ever had."""
        self._serial += 1
        if self.setting.keys == "int":
            taken = int(self.sql("SELECT coalesce(max(id), 0) FROM customers")[0][0])  # by rows that nobody saw, too
            return max([*(int(person.key) for person in self.people), taken]) + 1
        if self.setting.keys == "uuid":
            return str(uuid.UUID(int=self._serial << 64 | 0xABCDEF))
        return f"AB{self._serial}"

    def spelled(self, key: int | str) -> int | str:
        """The same key as another table of the application spells it."""
        return {"nocase": lambda: str(key).swapcase(), "padded": lambda: f"{key}  "}.get(
            self.setting.keys, lambda: key
        )()

    def insert(
        self, *, key: int | str | None = None, number: str | None = None, tag: str = "", name: Value = None
    ) -> Person:
        """A new row, of a new person unless the tag says whose; all its values are new but a `name` that is given."""
        self._serial += 1
        tag = tag or f"t{self._serial}"
        given = number or self._new_number()
        person = Person(tag, key if key is not None else self.new_key(), given if self.setting.numbered else "")
        self.people.append(person)
        self.owners[person.number or str(person.key)] = person.tag
        values: dict[str, Value] = {name: self.value(tag, name) for name in self.columns if name != "number"}
        values |= {"number": person.number} if self.setting.numbered else {}
        values |= {"name": name} if name is not None else {}
        columns = ", ".join(self.columns[name] for name in values)
        marks = ", ".join("?" * (len(values) + 1))
        self.sql(f"INSERT INTO customers (id, {columns}) VALUES ({marks})", person.key, *values.values())
        self.sql("INSERT INTO addresses VALUES (?)", person.key)
        for each, value in values.items():
            self._typed(person.tag, each, "source", value)
        return person

    def discover(self) -> None:
        """Rows that we inserted: whose they are, stands in their values. Who was typed at a provider may get one; who
        had one in the source may not."""
        known = {person.key: person for person in self.people if person.alive or person.out}
        columns = {"number": "customer_no"} | self.columns
        for key, number, *values in self.sql(f"SELECT id, {', '.join(columns.values())} FROM customers"):
            tag = next((found[1].lower() for found in map(_TAG.match, filter(None, values)) if found), None)
            if key in known or tag is None:
                continue
            if any(person.key == key for person in self.people):
                self.happened.add("reinserted")  # the database gave a key a second time
            earlier = [person for person in self.people if person.tag == tag]
            if earlier:
                self.second_rows.append(f"{tag} has the row {key} beside {[person.key for person in earlier]}")
            self.people.append(Person(tag, key, number or ""))
            self.owners |= {number: tag} if number else {}

    def arrive_there(self, provider: Hostile) -> None:
        """Somebody types a new customer at a provider that may bring new ones."""
        self._serial += 1
        tag, number = f"r{self._serial}", f"{5000 + self._serial}"
        self.happened.add("inbound")
        self.owners[number] = tag
        self.foreign(provider, tag, number)

    def foreign(self, provider: Hostile, tag: str, number: str) -> None:
        """A record over there that is none of ours; what of it may become a row counts as typed."""
        values: dict[str, Value] = {
            name: provider.nature.kept(name, self.value(tag, name, own=name == "email"))
            for name in sorted((PLAIN | {"country"}) & provider.nature.fields - provider.nature.hidden)
        }
        off = dict(self.setting.profiles[self.providers.index(provider)].directions)
        for name in self.columns:
            taken = name in values and off.get(name) is not Direction.OFF
            self._typed(tag, name, provider.name if taken else "source", values[name] if taken else None)
        self.typed[tag, "number"] = {number}
        self.entered |= {(tag, name, value) for name, value in values.items()}
        if provider.nature.renumbers:
            values["number"] = number
        provider.post(number, values, tag, ours=False)

    def write(self, person: Person, name: str, value: Value) -> None:
        """A person changes a field in the source; what was agreed with a provider before is older than that. What stays
        as it was is no edit."""
        row = self.row(person)
        if row is not None and row[name] == value:
            return
        for provider in self.providers:
            record = next((each for each in provider.records.values() if each.of == person.tag), None)
            if record is not None and self._settled(provider, person, record, name):
                self._outdated(person, name, provider.name)
        self.sql(f"UPDATE customers SET {self.columns[name]} = ? WHERE id = ?", value, person.key)
        self._typed(person.tag, name, "source", value)
        if person.tag in self.forgotten:
            self.nobody_knows(person)  # the provider's form of the value before this one is nobody's from now on

    def delete(self, person: Person) -> None:
        """The row goes."""
        person.alive = False
        person.out.clear()
        self.befall(person.tag, "deleted")
        self.sql("DELETE FROM customers WHERE id = ?", person.key)

    def leave(self, person: Person, how: str) -> None:
        """The row stays, and a filter leaves it out; one that says "deleted" means what a deletion means."""
        if how == "deleted":
            person.alive = False
            self.befall(person.tag, "deleted")
        self.befall(person.tag, "left")
        for provider in self.providers:
            for name in self.columns:
                self._excuse(person.tag, name, provider.name)
        person.out.add(how)
        self.nobody_knows(person)  # what was agreed goes with the link
        for provider in self.providers:
            theirs = {record.id for record in provider.records.values() if record.of == person.tag}
            person.had_records.setdefault(provider.name, set()).update(theirs)
        self._filter(person, how, 1)

    def come_back(self, person: Person, how: str) -> None:
        """The filter selects the row again; whatever was typed meanwhile is compared without a base."""
        person.back = True
        if how == "deleted":
            self.happened |= {"reinserted"} | ({"removal-under-way"} if self._removing(person) else set())
        person.out.discard(how)
        person.alive = "deleted" not in person.out
        self._filter(person, how, 0)

    def _removing(self, person: Person) -> bool:
        with self.state.read() as tx:
            found = [journal.intents(tx, each.name, [str(person.key)]) for each in self.providers]
        return any(intent.verb is Verb.REMOVE for each in found for open_ in each.values() for intent in open_)

    def _filter(self, person: Person, how: str, value: int) -> None:
        self.sql(f"UPDATE customers SET {FILTERS[how]} = ? WHERE id = ?", value, person.key)

    def selected(self, person: Person, provider: str) -> bool:
        """Whether this provider gets him."""
        return person.alive and "where" not in person.out and ("only" not in person.out or provider != "p0")

    def befall(self, tag: str, what: str) -> None:
        """Something happened to somebody."""
        self.happened.add(what)
        self.befell.add((tag, what))

    def leave_alone(self, provider: str, key: str, what: str) -> None:
        """A person wants nothing done about this pair any more."""
        self.happened.add(what)
        self.left_alone.add((provider, key))

    def nobody_knows(self, person: Person) -> None:
        """What was agreed about somebody is forgotten. A provider's form of an older value than the row's looks like
        anybody's from now on, and may win where the settings give that provider the say."""
        self.forgotten.add(person.tag)
        row = self.row(person) or {}
        for provider in self.providers:
            for record in (each for each in provider.records.values() if each.of == person.tag):
                for name in record.values.keys() & row.keys():
                    shown, typed = record.values[name], self.typed.setdefault((person.tag, name), set())
                    typed.add(provider.nature.kept(name, shown))  # some store their own form a while later
                    if not degraded(row[name], shown):
                        typed.add(shown)

    def _new_number(self) -> str:
        return f"{'K' if self.setting.lettered else ''}{1000 + self._serial}"

    def renumber(self, person: Person) -> None:
        """The row gets another customer number."""
        self._serial += 1
        person.number = self._new_number()
        self.owners[person.number] = person.tag
        self.write(person, "number", person.number)

    def decided(self, provider: Hostile, person: Person | None, item: Review, decision: str) -> None:
        """What a person decided is what he wants: a side that he takes is as good as typed by him."""
        if item.kind == "delete_conflict":
            with self.state.read() as tx:
                link = mapping.read(tx, Pair(item.provider, item.customer_key))
            # a record whose create is still looked for is known by our key alone
            self.kept_records.add((item.provider, link and (link.external_id or link.provider_key)))
        if item.kind == "delete_conflict" or decision in {"create", "ignore"} or decision.startswith("link:"):
            self.happened.add("ordered")
            self.left_alone.add((item.provider, item.customer_key))
        row = self.row(person) if person is not None else None
        record = next((each for each in provider.records.values() if person and each.of == person.tag), None)
        if person is None or row is None or record is None:
            return
        for name in item.fields:
            source = decision == "take:source"
            value = row.get(name) if source else record.values.get(name)
            self._typed(person.tag, name, "source" if source else provider.name, value)
            self._excuse(person.tag, name, "source" if source else provider.name)
            if name not in self.columns and not source:
                self.swallowed.add((record.id, name, value))  # composed here: both sides stay as they are

    def touch(self, person: Person) -> None:
        """Something of a customer's changes in another table, which spells his key in its own way."""
        self.sql("INSERT INTO addresses VALUES (?)", self.spelled(person.key))

    def rekey(self, person: Person, key: int | str) -> None:
        """The row gets another primary key."""
        self.sql("UPDATE customers SET id = ? WHERE id = ?", key, person.key)
        self.left_alone |= {(name, str(key)) for name, old in self.left_alone if old == str(person.key)}
        person.spelled = str(person.key) if str(person.key).casefold() == str(key).casefold() else ""
        person.had.add(str(person.key))
        person.key = key

    def type_there(self, provider: Hostile, record: Record, name: str, value: Value) -> None:
        """A person edits a record at the provider; what stays as it was is no edit."""
        if record.values.get(name) == provider.nature.kept(name, value):
            return
        doubtful = self._superseded(provider, record, name)
        person = next((each for each in self.people if each.tag == record.of and each.alive), None)
        if person is not None and self.pullable(provider, name) and self._settled(provider, person, record, name):
            self._outdated(person, name, "source")
        kept = provider.edit(record, name, value)
        if record.erased:  # what an erasure left beside a value typed anew looks typed with it
            for gone in record.values.keys() & {"name", "first_name", "email", "city"} - {name}:
                if self.pullable(provider, gone):
                    self._typed(record.of, gone, provider.name, record.values[gone])
        self.entered.add((record.of, name, kept))
        if self.pullable(provider, name) and person is not None and not self.selected(person, provider.name):
            self.typed.setdefault((record.of, name), set()).add(kept)  # wanted by nobody until he is back
        elif self.pullable(provider, name):
            self._typed(record.of, name, provider.name, kept)
            if doubtful:
                self._excuse(record.of, name, provider.name)

    def shorten_there(self, provider: Hostile, record: Record, name: str) -> None:
        """A person takes something away from a value over there, or writes it in another case: what a provider that
        has not shown its own form of it yet might have done to it itself."""
        before = record.values.get(name)
        if not isinstance(before, str) or len(before) < 6:
            return
        value = before.swapcase() if self.random.random() < 0.3 else before[: len(before) // 2].strip()
        unseen = record.shown.get(name) != before or not self._linked(provider, record)
        unconfirmed = unseen and self._unconfirmed(provider, record, name)
        self.type_there(provider, record, name, value)
        if unconfirmed:
            self._excuse(record.of, name, provider.name)
            self.swallowed.add((record.id, name, record.values[name]))

    def _linked(self, provider: Hostile, record: Record) -> bool:
        """Whether the record is known to be somebody's: what a listing shows of any other is remembered by nobody."""
        with self.state.read() as tx:
            return bool(mapping.by_external_id(tx, provider.name, [record.id]))

    def _unconfirmed(self, provider: Hostile, record: Record, name: str) -> bool:
        person = next((each for each in self.people if each.tag == record.of and each.alive), None)
        if person is None:
            return False
        with self.state.read() as tx:
            found = journal.intents(tx, provider.name, [str(person.key), person.spelled, *sorted(person.had)])
        return any(name in each.fields for open_ in found.values() for each in open_)

    def _superseded(self, provider: Hostile, record: Record, name: str) -> bool:
        """Whether a write of ours is unconfirmed there that carried another value than the row has now: what stands
        there may be left of it, so that an edit right now is asked about, or loses to a source that has the say."""
        person = next((each for each in self.people if each.tag == record.of and each.alive), None)
        row = self.row(person) if person is not None else None
        if person is None or row is None or name not in row:
            return False
        with self.state.read() as tx:
            found = journal.intents(tx, provider.name, [str(person.key)]).get(str(person.key), [])
            link = mapping.read(tx, Pair(provider.name, str(person.key)))
        now = digest(KEY, provider.name, (link.provider_key if link else None) or "", name, row[name])
        return any(name in each.fields and each.fields[name].sent != now for each in found)

    def _settled(self, provider: Hostile, person: Person, record: Record, name: str) -> bool:
        """Whether what both sides hold of a field right now is what was agreed, with nothing under way."""
        row = self.row(person)
        with self.state.read() as tx:
            link = mapping.read(tx, Pair(provider.name, str(person.key)))
            intents = journal.intents(tx, provider.name, [str(person.key)]).get(str(person.key), [])
        if (
            row is None
            or name not in row
            or name not in record.values
            or link is None
            or link.external_id != record.id
            or intents
        ):
            return False
        base = link.base.get(name)
        if base is None or base.provisional or base.disputed or base.frozen:
            return False
        digests = [digest(KEY, provider.name, link.provider_key or "", name, x[name]) for x in (row, record.values)]
        return digests == [base.source, base.provider]

    def _outdated(self, person: Person, name: str, side: str) -> None:
        """What this side had last is agreed, and older than what is typed now."""
        self.agreed[person.tag, name] = canonical((self.row(person) or {}).get(name))
        self.edits[person.tag, name] = [x for x in self.edits.get((person.tag, name), []) if x.side != side]

    def pullable(self, provider: Hostile, name: str) -> bool:
        """Whether an edit of this field over there is wanted in the source."""
        profile = self.setting.profiles[self.providers.index(provider)]
        direction = dict(profile.directions).get(name, Direction.BOTH)
        return (
            name in self.columns
            and direction in {Direction.BOTH, Direction.PULL}
            and name not in provider.nature.hidden
        )

    def _typed(self, tag: str, name: str, side: str, value: Value) -> None:
        self.typed.setdefault((tag, name), set()).add(value)
        self.edits.setdefault((tag, name), []).append(Edit(side, value))

    def _excuse(self, tag: str, name: str, side: str) -> None:
        edits = self.edits.get((tag, name), [])
        self.edits[tag, name] = [replace(each, excused=each.excused or each.side == side) for each in edits]

    # -- looking --------------------------------------------------------------------------------------------------

    def _owner(self, key: str) -> str:
        """Whose number or key this was last, for the tag of a record that we make."""
        self.discover()
        by_key = [person.tag for person in self.living() if str(person.key) == key and not person.number]
        return self.owners.get(key) or next(iter(by_key), "?")

    def living(self) -> list[Person]:
        """People with a row."""
        return [person for person in self.people if person.alive]

    def row(self, person: Person) -> dict[str, Value] | None:
        """The source row as it is."""
        names = list(self.columns)
        columns = ", ".join(self.columns.values())
        rows = self.sql(f"SELECT {columns} FROM customers WHERE id = ?", person.key)
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def state_is_quiet(self) -> bool:
        """Whether nothing is due, under way or unread; what waits for a person does not count."""
        waits = ("adopt", "empty")
        with self.state.read() as tx:
            due = [word for each in self.providers for word in _due(tx, each.name)]
            under_way = tx.exec_driver_sql(_UNDER_WAY).scalar_one()
        unread = not self.setting.stamped and self.sql("SELECT count(*) FROM syncd_change_log")[0][0]
        quiet = all(word in waits or word.startswith("staged:") for word in due)
        return quiet and not unread and not under_way and not self.clock.waiting()

    def listing_under_way(self) -> bool:
        """Whether a scan of some provider was interrupted, and goes on where it stood."""
        with self.state.read() as tx:
            return any(progress.cursor(tx, f"scan:{each.name}") for each in self.providers)

    def provider(self, name: str) -> Hostile:
        """By name."""
        return next(each for each in self.providers if each.name == name)


_TAG = re.compile(r"[a-z]([rt]\d+|s[rt]\d+)v", re.IGNORECASE)  # a provider may keep what it is told in capitals
_UNDER_WAY = """SELECT count(*) FROM intent LEFT JOIN mapping USING (provider, customer_key)
  WHERE intent.stage = 'confirm' OR coalesce(mapping.state, '') NOT IN ('review', 'rejected', 'excluded')"""


def _due(tx: Any, provider: str) -> list[Any]:
    """Why each due pair of a provider is due."""
    return list(tx.exec_driver_sql("SELECT error_class FROM work WHERE provider = ?", (provider,)).scalars())


__all__ = ["Crash", "Limit", "Profile", "Setting", "World"]
