"""Histories that a plausible implementation gets wrong, each by its name. The expected ends are the design's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from syncd.core import normalise
from syncd.core.guards import Guards, Limit
from syncd.core.model import Direction, Pair, Policy, Removal, State, Values
from syncd.detect.capture import capture
from syncd.engine.run import Options, run_cycle
from syncd.errors import Taken
from syncd.providers.adapter import Identity
from syncd.reconcile import held as staging
from syncd.store import events, journal, mapping, work
from tests.model import oracle
from tests.model.effects import die
from tests.model.hostile import Fault, Hostile, Nature, Record
from tests.model.world import LEASE, OVERNIGHT, SETTLE, TIMEOUT, Person, Profile, Setting, World

SCAN = Options(scan=True)
SETTLED = SETTLE + TIMEOUT + 1
CUT = Nature(keeps=(("name", "cut"),))
ECHO = Nature(keeps=(("name", "cut"),), echo="late")
SEARCH = Nature(identity=Identity.FINDABLE)
LIST = Nature(identity=Identity.SCAN)
NATURES = pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST], ids=["our-key", "findable", "scan"])
POLICIES = pytest.mark.parametrize("policy", list(Policy))


def world(*profiles: Profile, customers: int = 1, run: bool = True, guards: Guards | None = None) -> World:
    """A world whose customers are known to all its providers, unless `run` is left out."""
    made = World(Setting(profiles or (Profile(),), customers, guards=guards or Guards()))
    if run:
        made.run()
        assert all(len(each.records) == customers for each in made.providers)
    return made


def only(made: World, place: int = 0) -> tuple[Person, Hostile, Record]:
    """The first person, a provider, and the record there."""
    provider = made.providers[place]
    return made.people[0], provider, next(iter(provider.records.values()))


def run(made: World, options: Options = SCAN, pause: float = 0.0) -> None:
    """One cycle, after a while."""
    made.clock.advance(pause)
    made.run(options)


def kinds(made: World) -> list[str]:
    """What people are asked."""
    with made.state.read() as tx:
        return sorted(item.kind for item in journal.reviews(tx))


def told(made: World, event: str, key: str = "1") -> list[tuple[str, ...]]:
    """The fields of each event of this name."""
    with made.state.read() as tx:
        return [each.fields for each in events.events(tx, key, limit=200) if each.event == event]


def calm(made: World) -> None:
    """Everything agreed or parked with a cause, and nothing is written any more."""
    made.happened |= {"conflict", "swing"}
    assert oracle.quiesce(made) == []


def source(made: World, name: str) -> object:
    """A field of the first person's row."""
    row = made.row(made.people[0])
    assert row is not None
    return row[name]


def type_here(made: World, name: str, value: str | None = None) -> str:
    """A person changes the first row."""
    person = made.people[0]
    value = value or made.value(person.tag, name)
    made.write(person, name, value)
    return value


def type_there(made: World, name: str, place: int = 0, value: str | None = None) -> str:
    """A person changes the first record at a provider."""
    _, provider, record = only(made, place)
    value = value or made.value(record.of, name)
    made.type_there(provider, record, name, value)
    return value


@NATURES
@POLICIES
def test_late_update(nature: Nature, policy: Policy) -> None:
    """A superseded write of ours that lands after its successor is overwritten, and never taken for an edit."""
    made = world(Profile(nature, policy=policy), Profile())
    _, provider, record = only(made)
    first = type_here(made, "name")
    provider.faults.append(Fault("late", "write", SETTLE + 30))
    run(made)
    second = type_here(made, "name")
    run(made, pause=SETTLED)
    assert record.values["name"] == second
    made.clock.advance(30)
    assert record.values["name"] == first
    run(made)
    assert record.values["name"] == second == source(made, "name")
    assert made.effects.source_writes == 0
    calm(made)


@POLICIES
def test_lost_answer_of_a_cutting_provider(policy: Policy) -> None:
    """What is left of an update whose answer was lost settles; the cut form never flows back."""
    made = world(Profile(CUT, policy=policy))
    _, provider, record = only(made)
    value = type_here(made, "name")
    provider.faults.append(Fault("lost", "write"))
    run(made)
    run(made, pause=SETTLED)
    assert record.values["name"] == CUT.kept("name", value) != value
    assert source(made, "name") == value
    assert kinds(made) == []
    calm(made)
    assert made.effects.source_writes == 0


@POLICIES
def test_half_update(policy: Policy) -> None:
    """An update of which only the first request arrived is completed at the next look, without a conflict."""
    made = world(Profile(Nature(split=True), policy=policy))
    _, provider, record = only(made)
    city, name = type_here(made, "city"), type_here(made, "name")
    provider.faults.append(Fault("refused", "write", skip=1))
    run(made)
    assert (record.values["city"], record.values["name"]) != (city, name)
    run(made, pause=2.0)
    assert (record.values["city"], record.values["name"]) == (city, name)
    assert kinds(made) == []
    assert made.effects.source_writes == 0
    calm(made)


@POLICIES
def test_source_write_without_a_record_of_it(policy: Policy) -> None:
    """A pull whose base was not stored any more settles silently."""
    made = world(Profile(Nature(), policy=policy))
    value = type_there(made, "city")
    made.effects.at("source, after", partial(_die_when, made, value))
    run(made)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert source(made, "city") == value
    assert made.effects.source_writes == 1
    assert made.providers[0].writes == 1
    assert kinds(made) == []
    calm(made)


def _die_when(made: World, value: str) -> None:
    """Die behind the write of the row, not behind an acknowledge."""
    if source(made, "city") == value:
        die()
    made.effects.at("source, after", partial(_die_when, made, value))


def test_stolen_mark() -> None:
    """A worker that slept while another finished and a new mark came deletes neither the mark nor the new base."""
    made = world()
    _, _, record = only(made)
    type_here(made, "name")
    latest: list[str] = []

    def sleep() -> None:
        made.overtake()
        latest.append(type_here(made, "name"))
        capture(made.process(sole=True))

    made.effects.at("p0 PUT, answered", sleep)
    made.run()
    with made.state.read() as tx:
        assert work.read(tx, Pair("p0", "1")) is not None
    made.restart()
    run(made, pause=LEASE + 1)
    assert [record.values["name"]] == latest
    calm(made)


@NATURES
def test_mark_during_settle(nature: Nature) -> None:
    """An edit while an unknown create settles sends nothing; afterwards the row as it is goes out once."""
    made = world(Profile(nature), run=False)
    provider = made.providers[0]
    provider.faults.append(Fault("late", "write", 30.0))
    run(made)
    latest = type_here(made, "email")
    for _ in range(5):
        run(made, pause=5.0)
    assert provider.log == ["create 1001"]
    run(made, pause=SETTLED)
    assert [record.values["email"] for record in provider.records.values()] == [latest]
    assert len(provider.log) == 2
    calm(made)


@pytest.mark.parametrize("case", ["no number", "renumbered", "stranger"])
@NATURES
def test_key_taken(case: str, nature: Nature) -> None:
    """A key of ours that somebody else has at the provider never leads to a write over his record."""
    made = world(Profile(nature), run=False, customers=0)
    if case == "no number":
        made.insert(key=1001, number="")
        made.sql("UPDATE customers SET customer_no = NULL")
        run(made)
        made.insert(key=2, number="1001")
    elif case == "renumbered":
        first = made.insert(number="1001")
        run(made)
        made.sql("UPDATE customers SET customer_no = '1002'")
        first.number = "1002"
        made.insert(number="1001")
    else:
        provider = made.providers[0]
        provider.post("1001", dict.fromkeys(nature.fields, "somebody"), "else", ours=False)
        made.insert(number="1001")
    before = {number: dict(record.values) for number, record in made.providers[0].records.items()}
    for _ in range(3):
        run(made, pause=SETTLED)
    after = {number: dict(record.values) for number, record in made.providers[0].records.items()}
    assert before == after
    wanted = {"no number": ["key_taken"], "renumbered": ["key_taken", "renumbered"], "stranger": ["found"]}[case]
    assert kinds(made) == wanted


OTHERS_LONG = [pytest.param(point, marks=[pytest.mark.long] * (point % 2)) for point in range(81)]
"""Every place of a run: the even ones are everybody's, the odd ones the gate's."""


def _visitor(made: World, place: int = 0) -> Record:
    """A record that only the provider has."""
    provider = made.providers[place]
    values = {name: f"{name[0]}st9v1 visitor {name}" for name in provider.nature.fields}
    return provider.post("9001", values, "st9", ours=False)


@pytest.mark.parametrize("crash_at", OTHERS_LONG[:46])
def test_insert_at_origin(crash_at: int) -> None:
    """A remote that becomes a row is linked to it: no second record at its origin, no second row, whatever crashes."""
    made = world(Profile(SEARCH, inbound=True), Profile(SEARCH))
    visitor = _visitor(made)
    made.run(SCAN, crash_at=crash_at)
    for _ in range(4):
        run(made, pause=SETTLED)
    rows = made.sql("SELECT id FROM customers WHERE company = ?", visitor.values["name"])
    assert len(rows) == 1
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", str(rows[0][0])))
    assert link is not None
    assert link.external_id == visitor.id
    assert len(made.providers[0].records) == 2
    assert (
        len([each for each in made.providers[1].records.values() if each.values["name"] == visitor.values["name"]]) == 1
    )


@pytest.mark.parametrize("same", [True, False])
def test_unlinked_and_back(same: bool) -> None:
    """Somebody whose row went stays away, until his row is back: then he is linked again, or a person decides."""
    made = world(Profile(SEARCH, inbound=True), customers=2)
    person, provider, record = only(made)
    name = str(source(made, "name"))
    made.delete(person)
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    assert len(provider.records) == 2
    assert made.sql("SELECT count(*) FROM customers")[0][0] == 1
    made.happened.add("reinserted")
    back = made.insert(key=person.key, number=person.number if same else None, tag=person.tag, name=name)
    if not same:
        made.sql("UPDATE customers SET email = 'other@example.com' WHERE id = ?", back.key)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert len(provider.records) == 2
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", str(person.key)))
    if same:
        assert link is not None
        assert link.external_id == record.id
    else:
        assert kinds(made) == ["came_back"]
        assert link is None or link.external_id is None


@pytest.mark.parametrize("how", ["deleted", "archived"])
@NATURES
def test_removed_over_there(how: str, nature: Nature) -> None:
    """Who was removed at the provider is not brought back by a write, also where that provider is only pushed to."""
    push = tuple((name, Direction.PUSH) for name in sorted(nature.fields))
    made = world(Profile(nature, directions=push))
    _, provider, record = only(made)
    if how == "deleted":
        del provider.records[record.id]
    else:
        record.archived = True
    written = provider.writes
    for _ in range(3):
        type_here(made, "email")
        run(made, pause=SETTLED)
    assert provider.writes == written
    assert kinds(made) == ["remote_gone" if how == "deleted" else "remote_archived"]


@POLICIES
def test_promise_and_truncation(policy: Policy) -> None:
    """A provider that answers with what was sent and keeps less later corrects the base; nothing is pulled."""
    made = world(Profile(ECHO, policy=policy))
    _, _, record = only(made)
    value = type_here(made, "name")
    run(made)
    assert record.values["name"] == value
    made.clock.advance(ECHO.delay)
    assert record.values["name"] == ECHO.kept("name", value)
    run(made)
    run(made, pause=OVERNIGHT)
    assert source(made, "name") == value
    assert made.effects.source_writes == 0
    assert ("name",) in told(made, "pair.lossy")
    assert kinds(made) == []
    calm(made)


@POLICIES
def test_no_base(policy: Policy) -> None:
    """Without a base nothing is blanked and nothing filled: equal settles, different goes by policy or to a person."""
    made = world(Profile(Nature(), policy=policy))
    person, _, record = only(made)
    made.write(person, "name", None)
    email = type_there(made, "email")
    name, there = record.values["name"], record.values["first_name"]
    here = source(made, "email")
    made.happened.add("remapped")
    with made.state.begin() as tx:
        tx.exec_driver_sql("UPDATE mapping SET base = '{}'")
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    assert (source(made, "name"), record.values["name"]) == (None, name)
    assert source(made, "first_name") == record.values["first_name"] == there
    assert "no_base" in kinds(made)
    ends = {Policy.SOURCE: (here, here), Policy.PROVIDER: (email, email), Policy.REVIEW: (here, email)}
    assert (source(made, "email"), record.values["email"]) == ends[policy]


@NATURES
@POLICIES
@pytest.mark.parametrize("keeps", [(), (("email", "cut"),)], ids=["exact", "cutting"])
def test_edit_during_unknown_create(nature: Nature, policy: Policy, keeps: tuple[tuple[str, str], ...]) -> None:
    """What an unknown create left there is never pulled over the row as it is now, whatever the policy."""
    made = world(Profile(replace(nature, keeps=keeps), policy=policy), run=False)
    provider = made.providers[0]
    provider.faults.append(Fault("late", "write", 30.0))
    run(made)
    latest = type_here(made, "email")
    for _ in range(4):
        run(made, pause=SETTLED)
    assert len(provider.records) == 1
    assert source(made, "email") == latest
    assert made.effects.source_writes == 0
    there = next(iter(provider.records.values())).values["email"]
    if not keeps or policy is Policy.SOURCE:
        assert there == provider.nature.kept("email", latest)
    else:
        assert kinds(made) == ["conflict"]


def test_composed_field() -> None:
    """When a part of a composed field changes, the provider gets the new whole; the whole is never pulled."""
    made = world(Profile(Nature(composed=True)))
    _, provider, record = only(made)
    last = type_here(made, "last_name")
    run(made)
    assert record.values["contact_person"] == f"{source(made, 'first_name')} {last}"
    provider.edit(record, "contact_person", "Somebody Else")
    run(made, pause=1.0)
    assert record.values["contact_person"] == f"{source(made, 'first_name')} {last}"
    assert made.effects.source_writes == 0
    calm(made)


def test_library_upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison form that changes with a library changes nothing that is stored: no pull, no push, no question."""
    made = world(Profile(Nature(keeps=(("email", "upper"),)), policy=Policy.PROVIDER), Profile(policy=Policy.REVIEW))
    written = [provider.writes for provider in made.providers]
    forms = normalise.comparable

    def newer(name: str, value: object, country: str | None = None) -> object:
        form = forms(name, value, country)  # type: ignore[arg-type]
        return f"{name} {value} by another library" if isinstance(form, str) else form

    monkeypatch.setattr(normalise, "comparable", newer)
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    assert [provider.writes for provider in made.providers] == written
    assert made.effects.source_writes == 0
    assert kinds(made) == []


def test_held_field() -> None:
    """While one field waits for a person the others go out, also where an update replaces the whole record."""
    made = world(Profile(Nature(replaces=True), policy=Policy.REVIEW))
    _, _, record = only(made)
    here, there = type_here(made, "email"), type_there(made, "email")
    run(made)
    city = type_here(made, "city")
    run(made, pause=1.0)
    assert record.values["city"] == city
    assert (source(made, "email"), record.values["email"]) == (here, there)
    assert kinds(made) == ["conflict"]


@POLICIES
def test_unreadable_field(policy: Policy) -> None:
    """A field that the provider does not show is pushed; when it shows up one day, that is no edit."""
    made = world(Profile(Nature(hidden=frozenset({"city"})), policy=policy))
    _, provider, record = only(made)
    city = type_here(made, "city")
    run(made)
    assert record.values["city"] == city
    provider.edit(record, "city", "typed where nobody sees it")
    provider.nature = replace(provider.nature, hidden=frozenset())
    for _ in range(2):
        run(made, pause=OVERNIGHT)
    assert source(made, "city") == city
    assert made.effects.source_writes == 0
    assert kinds(made) == ([] if policy is Policy.SOURCE else ["first_seen"])


@pytest.mark.parametrize("point", ["p0 GET, answered", "source, before"])
def test_almost_equal(point: str) -> None:
    """A person's change of case between our read and our write stays: rows are compared exactly."""
    made = world()
    type_there(made, "city")
    shouted = str(source(made, "city")).upper()
    made.effects.at(point, partial(made.write, made.people[0], "city", shouted))
    run(made)
    run(made, pause=10.0)
    assert source(made, "city") == shouted == only(made)[2].values["city"]
    calm(made)


def test_rewriting_trigger() -> None:
    """A trigger that changes what we write does not start a loop: what was not stored as sent goes to a person,
    what it wrote elsewhere is an edit of the source."""
    made = world(Profile(), Profile())
    made.sql(
        """CREATE TRIGGER shout AFTER UPDATE OF company ON customers WHEN NEW.company <> upper(NEW.company)
           BEGIN UPDATE customers SET company = upper(NEW.company) WHERE id = NEW.id; END"""
    )
    made.sql(
        """CREATE TRIGGER follow AFTER UPDATE OF city ON customers WHEN NEW.first IS NOT 'moved'
           BEGIN UPDATE customers SET first = 'moved' WHERE id = NEW.id; END"""
    )
    city = type_there(made, "city")
    run(made, pause=SETTLED)
    name = str(source(made, "name"))
    type_there(made, "name", value="nt1v99 quiet")  # at once with the city, it would be a question of its own
    for _ in range(4):
        run(made, pause=SETTLED)
    assert source(made, "name") == name
    assert kinds(made) == ["does_not_fit"]
    assert source(made, "city") == city
    assert [only(made, place)[2].values["first_name"] for place in (0, 1)] == ["moved", "moved"]
    written = [provider.writes for provider in made.providers]
    run(made, pause=OVERNIGHT)
    assert [provider.writes for provider in made.providers] == written


@pytest.mark.parametrize("numbered", [True, False])
def test_rekey(numbered: bool) -> None:
    """A changed primary key moves the link, however capture cuts the marks; the old key's next owner is a new one."""
    made = world(Profile(SEARCH), run=False)
    person = made.people[0]
    if not numbered:
        made.sql("UPDATE customers SET customer_no = NULL")
    run(made)
    made.happened |= {"rekeyed"}
    type_here(made, "city")
    _, provider, record = only(made)
    made.effects.at("state, after commit", lambda: made.rekey(person, 18))
    run(made)
    run(made, pause=1.0)
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", "18"))
    assert link is not None
    assert link.external_id == record.id
    other = made.insert(key=1)
    if not numbered:
        made.sql("UPDATE customers SET customer_no = NULL WHERE id = 1")
    for _ in range(2):
        run(made, pause=SETTLED)
    if numbered:
        assert sorted(each.of for each in provider.records.values()) == sorted([person.tag, other.tag])
        calm(made)
    else:
        assert list(provider.records) == [record.id]
        assert kinds(made) == ["key_taken"]
    assert provider.records[record.id].values["city"] == source(made, "city")


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("how", [Removal.DELETE, Removal.ARCHIVE])
def test_out_of_the_view(back: bool, how: Removal) -> None:
    """A row that a view stops to show has left scope: unlinked at most, never removed, and linked again."""
    made = World(Setting((Profile(on_delete=how),), 2, view=True))
    made.run()
    person, provider, record = only(made)
    made.sql("DELETE FROM addresses WHERE customer_id = ?", person.key)
    if not back:
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
    made.sql("INSERT INTO addresses VALUES (?)", person.key)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert record.id in provider.records
    assert not record.archived
    assert len(provider.records) == 2
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", str(person.key)))
    assert (link is not None and link.external_id == record.id) if back else kinds(made) == ["found"]


@pytest.mark.parametrize("kind", ["lost", "late", "dropped"])
@NATURES
def test_row_gone_during_settle(kind: str, nature: Nature) -> None:
    """A create of unknown outcome settles before the deletion of its row; what is found then goes too."""
    made = world(Profile(nature, on_delete=Removal.DELETE), run=False, customers=2)
    provider = made.providers[0]
    provider.faults.append(Fault(kind, "write", 30.0))
    run(made)
    made.delete(made.people[0])
    run(made, pause=1.0)
    assert not any(line.startswith("remove") for line in provider.log)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert [record.of for record in provider.records.values()] == [made.people[1].tag]
    calm(made)


@pytest.mark.parametrize("kind", ["lost", "dropped"])
def test_key_that_does_not_fit(kind: str) -> None:
    """Where our key cannot be carried, a create of unknown outcome is never repeated: a person looks."""
    made = world(Profile(replace(LIST, narrow=True)), customers=0, run=False)
    made.insert(number="K-40017")
    provider = made.providers[0]
    provider.faults.append(Fault(kind, "write"))
    for _ in range(4):
        run(made, pause=SETTLED)
    assert provider.log == ["create K-40017"]
    assert kinds(made) == ["unknown_create"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_editors(order: tuple[int, int]) -> None:
    """Two providers that changed one field end the same whichever lane runs first; the first in the settings wins."""
    made = world(Profile(), Profile())
    first, _ = type_there(made, "city", 0), type_there(made, "city", 1)
    made.order = list(order)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert source(made, "city") == first
    assert [only(made, place)[2].values["city"] for place in (0, 1)] == [first, first]
    with made.state.read() as tx:
        said = {each.detail for each in events.events(tx, "1", limit=200) if each.event == "conflict.resolved"}
    assert said == {"p0 before p1, by order"}
    calm(made)


def test_long_outage() -> None:
    """A day without the provider uses up nobody's attempts; afterwards everything goes out."""
    made = world(customers=3)
    provider = made.providers[0]
    provider.down = True
    latest = type_here(made, "city")
    for _ in range(144):
        run(made, Options(), pause=600.0)
    with made.state.read() as tx:
        assert mapping.counts(tx)["p0"][State.DEAD] == 0
        assert work.read(tx, Pair("p0", "1")) is not None
    provider.down = False
    for _ in range(3):
        run(made, Options(), pause=900.0)
    assert only(made)[2].values["city"] == latest
    calm(made)


def test_slow_lane() -> None:
    """No request leaves without the lease; whoever takes over lets the predecessor's writes settle first."""
    made = world(Profile(Nature(split=True)))
    _, provider, record = only(made)
    type_here(made, "city")
    type_here(made, "name")
    asleep: list[int] = []

    def sleep() -> None:
        made.overtake()
        asleep.append(len(provider.log))

    made.effects.at("p0 PUT, answered", sleep)
    made.run()
    assert len(provider.log) == asleep[0] + 1, "the second half is announced, and stopped at the gate"
    made.restart()
    for _ in range(2):
        run(made, pause=LEASE + 1)
    assert (record.values["city"], record.values["name"]) == (source(made, "city"), source(made, "name"))
    calm(made)


def test_two_crashes_in_capture() -> None:
    """Dying twice between the marks and their acknowledge is not mistaken for a restored backup."""
    made = world()
    value = type_here(made, "city")
    for _ in range(2):
        made.effects.at("source, before", die)
        assert made.run() is False
    run(made)
    assert only(made)[2].values["city"] == value
    calm(made)


def test_stale_page() -> None:
    """A listing only marks: what it showed before a push is never pulled over what was pushed."""
    made = world(Profile(policy=Policy.PROVIDER))
    _, _, record = only(made)
    value = type_here(made, "city")

    def push_meanwhile() -> None:
        run_cycle(made.site, Options(look=False))
        assert record.values["city"] == value

    capture(made.site)
    made.effects.at("p0 GET, answered", push_meanwhile)
    run(made)
    run(made, pause=1.0)
    assert source(made, "city") == value == record.values["city"]
    assert made.effects.source_writes == 0
    calm(made)


def test_release_of_stale_staging() -> None:
    """A release covers what was on the screen and is still true: what was repaired meanwhile is not blanked."""
    made = world(customers=2, guards=Guards(blank=Limit(None, 0, 86_400.0)))
    repaired, blanked = made.people
    made.write(repaired, "city", None)
    made.write(blanked, "city", None)
    run(made)
    with made.state.read() as tx:
        (on_screen,) = journal.reviews(tx)
    assert on_screen.kind == "guard_blank"
    value = made.value(repaired.tag, "city")
    made.write(repaired, "city", value)
    made.write(blanked, "email", None)
    with made.state.begin() as tx:
        staging.release(tx, on_screen, made.clock.now())
    for _ in range(2):
        run(made, pause=SETTLED)
    records = {record.of: record.values for record in made.providers[0].records.values()}
    assert records[repaired.tag]["city"] == value
    assert records[blanked.tag]["city"] is not None, "one more field was emptied since: that was not on the screen"
    assert records[blanked.tag]["email"] is not None
    assert kinds(made) == ["guard_blank"]


@pytest.mark.parametrize("side", ["source", "provider"])
def test_toggling_flag(side: str) -> None:
    """However often one side changes a field, that is no swing: it goes through every time."""
    made = world(Profile(), Profile())
    for turn in range(12):
        value = ("ct1v1 on", "ct1v1 off")[turn % 2]
        if side == "source":
            type_here(made, "city", value)
        else:
            type_there(made, "city", 0, value)
        run(made, pause=4 * 3600.0 / 10)
        assert source(made, "city") == value
        assert only(made, 1)[2].values["city"] == value
    assert kinds(made) == []
    calm(made)


@POLICIES
def test_anonymised_remote(policy: Policy) -> None:
    """Placeholders that an archived record shows are nobody's edits."""
    made = world(Profile(policy=policy), Profile())
    _, _, record = only(made)
    before = made.row(made.people[0])
    record.archived = True
    record.values = dict.fromkeys(record.values, "[anonymised]")
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    assert made.row(made.people[0]) == before
    assert kinds(made) == ["remote_archived"]


def test_empty_source_removes_nobody() -> None:
    """A table that is empty from one moment to the next proves nothing, neither deletion nor departure."""
    made = world(Profile(on_delete=Removal.DELETE), customers=2)
    rows = made.sql("SELECT * FROM customers")
    made.sql("DELETE FROM customers")
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    assert len(made.providers[0].records) == 2
    for row in rows:
        made.sql(f"INSERT INTO customers VALUES ({', '.join('?' * len(row))})", *row)
    calm(made)


def test_stranger_instead_of_our_lost_create() -> None:
    """A person who made a record with our key while our create was lost did not make ours: nothing is adopted."""
    made = world(Profile(SEARCH, policy=Policy.PROVIDER), run=False)
    provider = made.providers[0]
    provider.faults.append(Fault("dropped", "write"))
    run(made)
    values: Values = {name: f"{name[0]}s1v1 typed by a person" for name in provider.nature.fields}
    provider.post(made.people[0].number, values, "s1", ours=False)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert made.effects.source_writes == 0
    assert kinds(made) == ["found"]


@pytest.mark.parametrize("failure", [Taken("email", "in use")])
def test_taken_value_is_asked_about(failure: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create that the provider refuses because somebody has the e-mail address waits for a person."""
    made = world(run=False)

    def refuse(*_: object, **__: object) -> Record:
        raise failure

    monkeypatch.setattr(made.providers[0], "post", refuse)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert kinds(made) == ["taken"]
    assert len(made.providers[0].log) == 1


def test_edit_during_a_push() -> None:
    """An edit that is marked while its predecessor is being pushed goes out afterwards."""
    made = world()
    type_here(made, "city")

    def edit_and_mark() -> None:
        type_here(made, "city")
        capture(made.site)

    made.effects.at("p0 PUT, answered", edit_and_mark)
    run(made, Options(look=False))
    run(made, Options(look=False), pause=1.0)
    assert only(made)[2].values["city"] == source(made, "city")
    calm(made)


def test_edit_between_reading_and_acknowledging() -> None:
    """A row that enters the change log after it was read is not acknowledged with what was."""
    made = world(customers=2)
    type_here(made, "city")
    other = made.people[1]
    value = made.value(other.tag, "email")
    made.effects.at("source, before", partial(made.write, other, "email", value))
    for _ in range(2):
        run(made, Options(look=False), pause=1.0)
    assert value in [record.values["email"] for record in made.providers[0].records.values()]


@pytest.mark.parametrize("crash_at", range(1, 25))
def test_no_mark_is_lost(crash_at: int) -> None:
    """An edit goes out wherever the process dies on its way, without the sweep that finds what nobody reported."""
    made = world()
    value = type_here(made, "city")
    made.run(Options(look=False), crash_at=crash_at)
    for _ in range(2):
        run(made, Options(look=False), pause=SETTLED)
    assert only(made)[2].values["city"] == value


def test_late_state_writes_of_a_sleeper() -> None:
    """What a worker without a lease still wants to record is not recorded: it would hide a later edit."""
    made = world()
    type_here(made, "city")

    def sleep() -> None:
        made.overtake()
        type_here(made, "city")
        made.overtake()

    made.effects.at("p0 PUT, answered", sleep)
    made.run(Options(look=False))
    assert only(made)[2].values["city"] == source(made, "city")
    latest = type_there(made, "city")
    made.restart()
    run(made, pause=LEASE + 1)
    assert source(made, "city") == latest


def test_same_number_twice() -> None:
    """Two customers with one number get one record there, also while the outcome of the first create is unknown."""
    made = world(Profile(SEARCH), run=False, customers=2)
    made.sql("UPDATE customers SET customer_no = '1001'")
    made.providers[0].faults.append(Fault("late", "write", 30.0))
    for _ in range(3):
        run(made, pause=SETTLED)
    assert len(made.providers[0].records) == 1
    assert kinds(made) == ["key_taken"]


def test_failing_read_is_no_deletion() -> None:
    """A fetch that fails does not prove that the record is gone."""
    made = world()
    type_here(made, "city")
    made.providers[0].faults.append(Fault("dropped", "read"))
    run(made, Options(look=False))
    assert kinds(made) == []
    run(made, Options(look=False), pause=10.0)
    assert only(made)[2].values["city"] == source(made, "city")


def test_failing_search_is_no_absence() -> None:
    """A create whose answer was lost is not repeated because a search for it shows nobody, and the next one fails."""
    made = world(Profile(SEARCH), run=False)
    provider = made.providers[0]
    provider.faults.append(Fault("lost", "write"))
    run(made, Options(look=True))
    provider.faults += [Fault("absent", "read")]
    fail = partial(provider.faults.append, Fault("dropped", "read"))
    made.effects.at("p0 GET, answered", partial(made.effects.at, "p0 GET, answered", fail))
    made.clock.advance(SETTLED)
    for _ in range(3):
        run(made, Options(look=False), pause=900.0)
    assert provider.log == ["create 1001"]
    assert len(provider.records) == 1
    calm(made)


def test_edit_after_a_pull_that_nobody_recorded() -> None:
    """Dying between the source's row and the base does not turn our own write into an edit that beats a person's."""
    made = world(Profile(policy=Policy.SOURCE))
    value = type_there(made, "city")
    made.effects.at("source, after", partial(_die_when, made, value))
    run(made)
    later = type_there(made, "city")
    for _ in range(2):
        run(made, pause=SETTLED)
    assert source(made, "city") == later == only(made)[2].values["city"]
    calm(made)


@NATURES
@pytest.mark.parametrize("together", [True, False])
def test_somebody_else_under_an_old_key(nature: Nature, together: bool) -> None:
    """A key that was deleted and given to another customer never leads to a write over the old one's record."""
    made = world(Profile(nature), customers=2)
    person, provider, _ = only(made)
    before = {number: dict(record.values) for number, record in provider.records.items()}
    made.delete(person)
    if not together:
        capture(made.site)
    made.happened.add("reinserted")
    made.insert(key=person.key)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert {number: dict(record.values) for number, record in provider.records.items()} == before
    assert kinds(made) == ["came_back"]


def test_somebody_else_under_the_key_of_an_unknown_create() -> None:
    """A create whose outcome is unknown belongs to the row it was made from, not to the next one under its key."""
    made = world(Profile(SEARCH), run=False, customers=2)
    person, provider = made.people[0], made.providers[0]
    provider.faults.append(Fault("late", "write", 30.0))
    run(made)
    made.delete(person)
    made.happened.add("reinserted")
    made.insert(key=person.key)
    for _ in range(3):
        run(made, pause=SETTLED)
    theirs = next(record for record in provider.records.values() if record.of == person.tag)
    assert theirs.values["name"] in made.typed[person.tag, "name"]
    assert kinds(made) == ["came_back"]


def test_new_number_during_an_unknown_create() -> None:
    """A row that gets another number before its lost create was found is still the same customer."""
    made = world(Profile(SEARCH, directions=(("email", Direction.OFF),)), run=False)
    made.providers[0].faults.append(Fault("late", "write", 30.0))
    run(made)
    made.renumber(made.people[0])
    for _ in range(3):
        run(made, pause=SETTLED)
    assert len(made.providers[0].records) == 1
    assert kinds(made) == ["renumbered"]


def test_same_customer_inserted_anew() -> None:
    """An application that deletes and inserts where others update changes the same customer."""
    made = world()
    person, provider, record = only(made)
    name = str(source(made, "name"))
    made.delete(person)
    made.insert(key=person.key, number=person.number, tag=person.tag, name=name)
    for _ in range(2):
        run(made, pause=SETTLED)
    assert list(provider.records) == [record.id]
    assert record.values["city"] == source(made, "city")
    assert kinds(made) == []


def test_another_customer_gets_the_last_number_again() -> None:
    """A shop that counts its keys and numbers gives both to the next customer after a deletion: his values never reach
    the first one's record; a person decides."""
    made = world()
    person, provider, record = only(made)
    before = dict(record.values)
    made.delete(person)
    made.insert(key=person.key, number=person.number)
    made.happened.add("reinserted")
    for _ in range(2):
        run(made, pause=SETTLED)
    assert list(provider.records) == [record.id]
    assert record.values == before
    assert kinds(made) == ["came_back"]


@pytest.mark.parametrize("policy", [Policy.PROVIDER, Policy.REVIEW])
def test_cut_form_of_a_superseded_write(policy: Policy) -> None:
    """What is left of our lost update, beside a newer row, stays a question until a person answers it."""
    made = world(Profile(CUT, policy=policy))
    _, provider, _ = only(made)
    type_here(made, "name")
    provider.faults.append(Fault("lost", "write"))
    run(made)
    latest = type_here(made, "name")
    for _ in range(4):
        run(made, pause=OVERNIGHT)
        assert source(made, "name") == latest
        assert kinds(made) == ["conflict"]


@pytest.mark.parametrize("how", ["deleted", "archived"])
def test_question_outlives_an_edit_beside_it(how: str) -> None:
    """An edit of a field that a provider does not hold takes no question about that provider off the list."""
    made = world()
    _, provider, record = only(made)
    if how == "deleted":
        del provider.records[record.id]
        made.clock.advance(OVERNIGHT)
    else:
        record.archived = True
    run(made)
    before = kinds(made)
    type_here(made, "last_name")
    run(made, Options(), pause=1.0)
    assert kinds(made) == before == ["remote_gone" if how == "deleted" else "remote_archived"]


@pytest.mark.parametrize("how", ["deleted", "archived", "rejected"])
def test_question_about_a_write_rests(how: str) -> None:
    """A pair that stops while a write of it waits for its confirming reading is not looked at for ever."""
    nature = replace(ECHO, demands=frozenset({"email"}))
    made = world(Profile(nature))
    person, provider, record = only(made)
    if how == "deleted":
        del provider.records[record.id]
    elif how == "archived":
        record.archived = True
    else:
        made.write(person, "email", None)
    made.happened |= {f"remote-{how}"}
    calm(made)


def every_crash(steps: list[Callable[[World], None]], crash_at: int) -> list[str]:
    """The same story, with the process dying at one point of each run."""
    made = World(Setting((Profile(SEARCH), Profile(replace(ECHO, replaces=True), on_delete=Removal.DELETE)), 2))
    for step in steps:
        step(made)
        made.run(SCAN, crash_at=crash_at)
        if wrong := list(oracle.always(made)):
            return wrong
    return oracle.quiesce(made)


def _edit_both(made: World) -> None:
    type_here(made, "city")
    type_here(made, "name")
    if made.providers[0].records:
        type_there(made, "email")


STORY: list[Callable[[World], None]] = [
    lambda made: None,
    _edit_both,
    lambda made: made.delete(made.people[0]),
]


@pytest.mark.parametrize("crash_at", OTHERS_LONG[1:81])
def test_crash_at_every_point(crash_at: int) -> None:
    """Whatever the point at which the process dies in each of three runs, everything comes out right."""
    assert every_crash(STORY, crash_at) == []
