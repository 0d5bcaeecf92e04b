"""Histories: one seed makes one world and one list of steps; a failing list is shortened by leaving steps out.

Steps are plain data and refer to people and records by number, modulo how many there are, so that any part of a
history is a history.
"""

from __future__ import annotations

import contextlib
import random
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import groupby
from typing import Any

from syncd.core.model import Direction, Pair, Policy, Removal
from syncd.errors import UsageError
from syncd.providers.adapter import Identity
from tests.model import oracle, product
from tests.model.effects import Crash
from tests.model.hostile import PLACEHOLDERS, PLAIN, WORST_DELAY, Fault, Hostile, Nature, Record
from tests.model.product import Options, allowed, decide, journal
from tests.model.world import COLUMNS, SETTLE, Profile, Setting, World

Step = tuple[Any, ...]
FIELDS = tuple(name for name in COLUMNS if name != "number")
FAULTS = ("lost", "late", "dropped", "refused", "throttled", "die")
LENGTH = (5, 18)


@dataclass(frozen=True, slots=True)
class History:
    """A world and what happens in it."""

    setting: Setting
    steps: tuple[Step, ...]


# -- making --------------------------------------------------------------------------------------------------------


def make(seed: int, *, wide: bool = False) -> History:
    """The history of a seed; of the `wide` world, in which everything happens that real ones know."""
    if wide:
        from tests.model.wide import make_wide

        return make_wide(seed)
    dice = random.Random(seed)
    profiles = tuple(profile_of(dice) for _ in range(dice.choice((1, 1, 2, 2, 3))))
    setting = Setting(profiles, dice.choice((1, 1, 2, 3)), sole=dice.random() < 0.8, seed=seed)
    steps = [step_of(dice) for _ in range(dice.randint(*LENGTH))]
    return History(setting, tuple(steps))


def profile_of(dice: random.Random) -> Profile:
    """A provider of the narrow world."""
    identity = dice.choice(list(Identity))
    keeps = {
        name: dice.choice(("cut", "upper", "squeeze")) for name in ("name", "email", "city") if dice.random() < 0.3
    }
    nature = Nature(
        identity=identity,
        lists=dice.random() < 0.7,
        replaces=dice.random() < 0.4,
        echo=dice.choice(("", "", "", "early", "late")),
        keeps=tuple(sorted(keeps.items())),
        hidden=frozenset({"city"}) if dice.random() < 0.15 else frozenset(),
        composed=dice.random() < 0.3,
        unique=dice.random() < 0.3,
        split=dice.random() < 0.2,
        renumbers=identity is not Identity.OUR_KEY and dice.random() < 0.2,
        narrow=identity is Identity.SCAN and dice.random() < 0.15,
        demands=frozenset({"email"}) if dice.random() < 0.1 else frozenset(),
        lag=dice.choice((0.0, 0.0, 20.0)) if identity is Identity.FINDABLE else 0.0,
        delay=dice.choice((1.0, 20.0, 50.0)),
    )
    ways = (Direction.PUSH, Direction.OFF, Direction.PULL)
    directions = {name: dice.choice(ways) for name in ("email", "city") if dice.random() < 0.1}
    return Profile(
        nature,
        policy=dice.choice((Policy.SOURCE, Policy.SOURCE, Policy.PROVIDER, Policy.REVIEW)),
        on_delete=dice.choice((Removal.KEEP, Removal.DELETE, Removal.ARCHIVE)),
        directions=tuple(sorted(directions.items())),
        inbound=nature.lists and dice.random() < 0.25,
    )


def step_of(dice: random.Random) -> Step:
    """One step; the weights are how often it matters."""
    makers: list[tuple[int, Callable[[random.Random], Step]]] = [
        (30, _edit),
        (26, _run),
        (14, _fault),
        (8, lambda d: ("wait", d.choice((1.0, 5.0, 30.0, SETTLE + 11, 700.0, 4000.0)))),
        (2, lambda d: ("insert",)),
        (2, lambda d: ("delete", d.randrange(9))),
        (1, lambda d: ("again", d.randrange(9), d.random() < 0.7)),
        (1, lambda d: ("replace", d.randrange(9))),
        (1, lambda d: ("rekey", d.randrange(9))),
        (1, lambda d: ("remote-delete", d.randrange(9), d.randrange(9))),
        (1, lambda d: ("remote-archive", d.randrange(9), d.randrange(9))),
        (1, lambda d: ("stranger", d.randrange(9), d.randrange(9))),
        (3, lambda d: ("arrive", d.randrange(9))),
        (1, lambda d: ("renumber", d.randrange(9))),
        (4, lambda d: ("decide", d.randrange(9), d.randrange(9))),
        (2, lambda d: ("restart",)),
        (2, lambda d: ("rest",)),
    ]
    chosen = dice.choices(makers, [weight for weight, _ in makers])[0]
    return chosen[1](dice)


def _edit(dice: random.Random) -> Step:
    mode = dice.choices(("new", "blank"), (12, 1))[0]
    if dice.random() < 0.5:
        return ("edit", dice.randrange(9), dice.choice(FIELDS), mode)
    return ("remote-edit", dice.randrange(9), dice.randrange(9), dice.choice(FIELDS), mode)


def _fault(dice: random.Random) -> Step:
    kind = dice.choices(FAULTS, (4, 4, 2, 1, 1, 2))[0]
    on = "read" if dice.random() < 0.15 and kind != "die" else "write"
    return ("fault", dice.randrange(9), kind, on, dice.uniform(0.0, WORST_DELAY))


def _run(dice: random.Random) -> Step:
    crash_at = dice.randint(1, 60) if dice.random() < 0.25 else 0
    planned = [(dice.randint(1, 50), _edit(dice)) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
    if dice.random() < 0.05:
        planned.append((dice.randint(1, 40), ("overtake",)))
    if dice.random() < 0.05:
        planned.append((dice.randint(1, 50), ("replace", dice.randrange(9))))
    order = tuple(dice.sample(range(3), 3))
    return ("run", crash_at, tuple(planned), dice.random() < 0.6, order)


# -- living --------------------------------------------------------------------------------------------------------


def live(history: History, *, tell: Callable[[str], None] | None = None) -> list[str]:
    """Run a history to its end; answers what went wrong, empty when nothing did."""
    world = World(history.setting)
    world.happened |= set(_causes(history.setting))
    for step in (*history.steps, ("rest",)):
        if tell:
            mark = len(world.effects.trace), [len(each.log) for each in world.providers]
        try:
            wrong = take(world, step)
        except Crash:
            raise
        except Exception:  # noqa: BLE001 - whatever the code under test raises is a finding
            wrong = [traceback.format_exc(limit=-6)]
        if tell:
            tell(f"{world.clock.elapsed:10.1f} {step}")
            for line in _condensed(world.effects.trace[mark[0] :]):
                tell(f"             . {line}")
            for place, each in enumerate(world.providers):
                for line in each.log[mark[1][place] :]:
                    tell(f"           > {each.name}: {line}")
        if wrong:
            return wrong
    return []


def _causes(setting: Setting) -> Iterator[str]:
    """What a person may be asked because of what the providers are like."""
    natures = [profile.nature for profile in setting.profiles]
    if any(profile.nature.keeps and profile.policy is not Policy.SOURCE for profile in setting.profiles):
        yield "conflict"
    if any(nature.echo == "late" and nature.keeps for nature in natures):
        yield "conflict"  # shown as sent and mended afterwards: a person who shortens it looks the same
    if any(Direction.PULL in dict(profile.directions).values() for profile in setting.profiles):
        yield "pull-only"
    if any(nature.narrow for nature in natures):
        yield "narrow"
    if any(nature.one_email for nature in natures):
        yield "one-email"


def _condensed(trace: list[str]) -> Iterator[str]:
    """The points of a step in their order; runs of commits, of which there are hundreds, as their number."""
    for kind, points in groupby(trace, lambda point: point.split(",")[0]):
        named = list(points)
        yield from [f"{kind}: {len(named)} points"] if kind in {"state", "source"} else named


def take(world: World, step: Step) -> list[str]:
    """One step, and what must be true after it."""
    if step[0] == "rest":
        wrong = oracle.quiesce(world)
        oracle.remember(world)
        return wrong
    removed = [len(each.removed) for each in world.providers]
    do(world, step)
    world.discover()
    alone = step[0] == "run" and step[1:3] == (0, ())
    return [*oracle.always(world), *(oracle.together(world, removed) if alone else ())]


def do(world: World, step: Step) -> None:
    """Carry out one step that is no judgement."""
    match step:
        case ("edit", who, name, mode):
            _edit_here(world, who, name, mode)
        case ("remote-edit", where, which, name, mode):
            _edit_there(world, where, which, name, mode)
        case ("run", crash_at, planned, scan, order):
            world.order = list(order)
            world.run(Options(scan=scan), crash_at=crash_at, planned=_planned(world, planned))
        case ("daemons", number, seed, stalls, scan, crash_at, planned):
            world.order = []
            plan = _planned(world, planned)
            world.beside(number, (seed, stalls), Options(scan=scan), crash_at=crash_at, planned=plan)
        case ("fault", where, kind, on, delay):
            world.providers[where % len(world.providers)].faults.append(Fault(kind, on, delay))
        case ("wait", seconds):
            world.clock.advance(seconds)
        case ("restart",):
            world.restart()
        case ("away", where):
            world.take_out(world.providers[where % len(world.providers)].name)
        case ("overtake",):
            world.overtake()
        case ("clock", seconds):
            world.set_clock(seconds)
        case ("operator", command, who, where):
            _operator(world, command, who, where)
        case _:
            _comings_and_goings(world, step)


def _planned(world: World, steps: tuple[tuple[int | str, Step], ...]) -> dict[int, list[Callable[[], None]]]:
    """What happens at which point of a run: at one of that number, or at the next one of that name."""
    plan: dict[int, list[Callable[[], None]]] = {}
    for point, step in steps:
        if isinstance(point, str):
            world.effects.at(point, partial(do, world, step))
        else:
            plan.setdefault(point, []).append(partial(do, world, step))
    return plan


def _comings_and_goings(world: World, step: Step) -> None:
    """What happens in the source."""
    match step:
        case ("insert",):
            world.insert()
        case ("twin", who):
            if world.living():
                world.happened |= {"twin", "renumbered"}
                world.insert(number=_person(world, who).number or None)
        case ("delete", who):
            if _others(world, _person(world, who)):
                world.delete(_person(world, who))
        case ("again", who, same):
            _again(world, who, same=same)
        case ("replace", who):
            _replace(world, who)
        case ("leave" | "come-back", who, how):
            _selection(world, step[0], who, how)
        case ("rekey" | "renumber" | "respell" | "touch", who):
            _otherwise_known(world, step[0], who)
        case ("merge" | "swap", who, whom):
            _keys_change_hands(world, step[0], who, whom)
        case _:
            _elsewhere(world, step)


def _elsewhere(world: World, step: Step) -> None:
    """What happens at a provider, and what people decide."""
    match step:
        case ("decide", which, how):
            _decide(world, which, how)
        case ("remote-delete" | "remote-archive", where, which):
            _gone_there(world, step[0], *_record(world, where, which))
        case ("erase", where, which, signs):
            _erased(world, signs, *_record(world, where, which))
        case ("remote-merge", where, which, into):
            _merged_there(world, where, which, into)
        case ("stranger", where, who):
            _stranger(world, where, who)
        case ("arrive", where):
            wanted = [provider for provider, profile in world.configured() if profile.inbound]
            if wanted:
                world.arrive_there(wanted[where % len(wanted)])
        case _:
            raise AssertionError(f"no such step: {step}")


def _selection(world: World, way: str, who: int, how: int) -> None:
    """A filter leaves somebody out, or selects him again."""
    filters = world.setting.filters
    name = filters[how % len(filters)] if filters else ""
    out = [person for person in world.people if name in person.out]
    if way == "come-back" and out:
        world.come_back(out[who % len(out)], name)
    elif way == "leave" and name and world.living() and _others(world, _person(world, who)):
        world.leave(_person(world, who), name)


def _others(world: World, person: Any) -> bool:
    """Whether there are customers without him: a source that shows nobody at all is not believed."""
    return any(each is not person and not each.out for each in world.living())


def _otherwise_known(world: World, how: str, who: int) -> None:
    if not world.living():
        return
    person = _person(world, who)
    if how == "touch":
        world.touch(person)
        return
    world.happened.add({"respell": "rekeyed"}.get(how, f"{how}ed"))
    if how == "rekey":
        world.rekey(person, world.new_key())
    elif how == "respell":
        world.rekey(person, world.spelled(person.key))
    elif world.setting.numbered:
        world.renumber(person)


def _keys_change_hands(world: World, how: str, who: int, whom: int) -> None:
    """A shop merges two customers (one row goes, the other takes its key), or gives two customers each other's keys."""
    one, other = _person(world, who), _person(world, whom)
    if one is other or (one.out and not _others(world, other)):
        return
    world.happened |= {"rekeyed", "reinserted"}
    if how == "merge":
        world.delete(other)
        world.rekey(one, other.key)
        return
    first, second = one.key, other.key
    world.rekey(one, world.new_key())
    world.rekey(other, first)
    world.rekey(one, second)


def _erased(world: World, signs: tuple[str, ...], provider: Hostile, record: Record | None) -> None:
    """Somebody's data are erased over there, by placeholders, of which one at least stands where we look: what else
    goes is an edit like any other to who sees nothing but that."""
    if record is None or record.archived or not any(_looked_at(world, provider, record, name) for name in signs):
        return
    if world.clock.waiting():
        return  # a write of ours that is under way may undo a part of it: nobody could tell the rest from an edit
    world.befall(record.of, "erased")
    provider.erase(record, signs)


def _looked_at(world: World, provider: Hostile, record: Record, name: str) -> bool:
    """Whether a placeholder in this field can be seen."""
    directions = dict(world.setting.profiles[world.providers.index(provider)].directions)
    shown = name in record.values and name not in provider.nature.hidden
    return name in PLACEHOLDERS and shown and directions.get(name) is not Direction.OFF


def _merged_there(world: World, where: int, which: int, into: int) -> None:
    """Two records are merged over there: one is gone, and what it had as e-mail stands in the other."""
    provider, gone = _record(world, where, which)
    _, kept = _record(world, where, into)
    person = next((each for each in world.people if kept is not None and each.tag == kept.of), None)
    if gone is None or kept is None or gone is kept or kept.archived or person is None:
        return
    world.befall(gone.of, "remote-deleted")
    world.happened |= {"conflict", "swing"}
    del provider.records[gone.id]
    world.type_there(provider, kept, "email", gone.values.get("email"))


def _operator(world: World, command: str, who: int, where: int) -> None:
    """A command of the operator's, beside whatever runs."""
    provider = world.providers[where % len(world.providers)]
    now = world.site.clock.now()
    if command == "recover":
        world.guarded(lambda: product.recover(world.site, product.diagnose(world.site)))
    elif command == "pause":
        product.pause(world.state, provider.name, now)
    elif command == "resume":
        product.resume(world.state, provider.name)
    elif world.living():
        _about_one(world, command, provider, _person(world, who))


def _about_one(world: World, command: str, provider: Hostile, person: Any) -> None:
    key, now = str(person.key), world.site.clock.now()
    pair = Pair(provider.name, key)
    with contextlib.suppress(UsageError):
        if command == "sync":
            world.guarded(lambda: product.sync_customer(world.site, key, frozenset(), 0.0))
        elif command == "retry":
            product.retry(world.state, provider.name, key, now)
        elif command == "unlink":
            product.certain(world.state, world.source, key)
            product.order_unlink(world.state, pair, now)
            world.leave_alone(provider.name, key, "unlinked")
        elif command == "link":
            own = next((each.id for each in provider.records.values() if each.of == person.tag), None)
            if own is not None:
                product.certain(world.state, world.source, key)
                product.order_link(world.state, pair, own, now)
                world.befall(person.tag, "linked")
        elif command == "forget":
            product.forget(world.site, key)
            world.nobody_knows(person)
            for each in world.providers:
                world.leave_alone(each.name, key, "forgotten")


def _gone_there(world: World, how: str, provider: Hostile, record: Record | None) -> None:
    if record is None:
        return
    world.befall(record.of, f"{how}d")
    if how == "remote-delete":
        del provider.records[record.id]
    else:
        record.archived = True


def _person(world: World, who: int) -> Any:
    return world.living()[who % len(world.living())]


def _record(world: World, where: int, which: int) -> tuple[Hostile, Record | None]:
    provider = world.providers[where % len(world.providers)]
    records = [provider.records[number] for number in sorted(provider.records)]
    return provider, records[which % len(records)] if records else None


def _edit_here(world: World, who: int, name: str, mode: str) -> None:
    if not world.living():
        return
    person = _person(world, who)
    if mode == "blank":
        world.happened.add("blanked")
    before = (world.row(person) or {}).get(name)
    if mode == "longer" and isinstance(before, str):  # what a provider that cuts keeps of it stays the same
        world.write(person, name, f"{before} GmbH")
        return
    world.write(person, name, None if mode == "blank" else world.value(person.tag, name))


def _edit_there(world: World, where: int, which: int, name: str, mode: str) -> None:
    provider, record = _record(world, where, which)
    if record is None or record.archived or name in provider.nature.hidden or name not in record.values:
        return
    if name not in PLAIN | {"country"}:
        return
    person = next((each for each in world.people if each.tag == record.of), None)
    if person is None:
        return
    if mode == "blank":
        world.happened.add("blanked")
    world.happened |= {"conflict", "swing"}
    if mode == "shorten":
        world.shorten_there(provider, record, name)
        return
    world.type_there(provider, record, name, world.value(person.tag, name) if mode == "new" else None)


def _again(world: World, who: int, *, same: bool) -> None:
    """A row that was deleted comes back, as the same person or with somebody else's data."""
    living = {str(person.key).casefold().strip() for person in world.living()}
    living |= {str(person.key).casefold().strip() for person in world.people if person.out}  # his row is there
    gone = [each for each in world.people if not each.alive and str(each.key).casefold().strip() not in living]
    if not gone:
        return
    person = gone[who % len(gone)]
    world.happened.add("reinserted")
    back = world.insert(key=person.key, number=person.number if same else None, tag=person.tag if same else "")
    back.back = same


def _replace(world: World, who: int) -> None:
    """Somebody's row goes, and his key is given to somebody else before anything can look."""
    if world.living():
        person = _person(world, who)
        world.delete(person)
        world.happened.add("reinserted")
        world.insert(key=person.key)


def _decide(world: World, which: int, how: int) -> None:
    """A person answers an open question, in any of the ways that are offered."""
    with world.state.read() as tx:
        items = [item for item in journal.reviews(tx) if allowed(item.kind)]
    if not items:
        return
    item = items[which % len(items)]
    if product.changelog.mentions(world.source, [item.customer_key]):
        return  # whose key changed hands a moment ago: the answer would be about the customer whom the item shows
    decision = allowed(item.kind)[how % len(allowed(item.kind))]
    person = next((each for each in world.living() if str(each.key) == item.customer_key), None)
    provider = world.provider(item.provider)
    if decision == "link":
        own = [record.id for record in provider.records.values() if person and record.of == person.tag]
        if not own:
            return
        decision = f"link:{own[0]}"
    with contextlib.suppress(UsageError):
        decide(world.state, item, decision, world.site.clock.now())
        if decision == "release":
            world.happened.add("released")
        world.decided(provider, person, item, decision)


def _stranger(world: World, where: int, who: int) -> None:
    """A record over there that carries somebody's number and is not ours."""
    if not world.living():
        return
    provider = world.providers[where % len(world.providers)]
    person = _person(world, who)
    unsure = world.clock.waiting() or provider.faults or "remote-deleted" in world.happened
    number = person.number or str(person.key)
    if provider.nature.identity is Identity.OUR_KEY and (unsure or number in provider.records):
        return  # where our key is the address nobody can tell an old record from a new one, and nobody could prevent
        # that a create of ours which is under way lands on it
    world.befall(person.tag, "stranger")
    world.foreign(provider, f"s{person.tag}", number)


# -- judging -------------------------------------------------------------------------------------------------------


def shrunk(history: History, wrong: list[str], budget: int = 400) -> History:
    """The same failure with as few steps as leaving out can reach."""
    kind = _kind(wrong)

    def fails(candidate: History) -> bool:
        found = live(candidate)
        return bool(found) and _kind(found) == kind

    tries = 0
    size = max(len(history.steps) // 2, 1)
    while size and tries < budget:
        place = 0
        while place < len(history.steps) and tries < budget:
            tries += 1
            candidate = replace(history, steps=history.steps[:place] + history.steps[place + size :])
            if fails(candidate):
                history = candidate
            else:
                place += size
        size //= 2
    return _simpler(history, fails)


def _simpler(history: History, fails: Callable[[History], bool]) -> History:
    again = True
    while again:
        again = False
        for candidate in _plainer(history):
            if fails(candidate):
                history, again = candidate, True
                break
    for place, step in enumerate(history.steps):
        if step[0] == "run":
            for plain in (("run", 0, (), step[3], (0, 1, 2)), (*step[:2], (), *step[3:]), (*step[:4], (0, 1, 2))):
                candidate = replace(history, steps=(*history.steps[:place], plain, *history.steps[place + 1 :]))
                if fails(candidate):
                    history = candidate
                    break
    return history


def _plainer(history: History) -> Iterator[History]:
    setting = history.setting
    if len(setting.profiles) > 1:
        for place in range(len(setting.profiles)):
            yield replace(history, setting=replace(setting, profiles=(setting.profiles[place],)))
    if setting.customers > 1:
        yield replace(history, setting=replace(setting, customers=1))
    plain = Setting()
    for name in ("guards", "keys", "numbered", "shared", "clocks", "sole", "filters", "stamped"):
        if getattr(setting, name) != getattr(plain, name):
            yield replace(history, setting=replace(setting, **{name: getattr(plain, name)}))
    for place, profile in enumerate(setting.profiles):
        for simpler in _plainer_profiles(profile):
            profiles = (*setting.profiles[:place], simpler, *setting.profiles[place + 1 :])
            yield replace(history, setting=replace(setting, profiles=profiles))


def _plainer_profiles(profile: Profile) -> Iterator[Profile]:
    """The same provider with one thing less about it."""
    for part, plain in ((profile, Profile()), (profile.nature, Nature())):
        for each in fields(part):
            if each.name != "nature" and getattr(part, each.name) != getattr(plain, each.name):
                change = replace(part, **{each.name: getattr(plain, each.name)})
                yield change if isinstance(change, Profile) else replace(profile, nature=change)


def _kind(wrong: list[str]) -> str:
    """What sort of failure: its words without the values."""
    text = wrong[0].strip().splitlines()[-1] if wrong[0].startswith("Traceback") else wrong[0]
    return " ".join(word for word in text.split() if word.isalpha())[:60]
