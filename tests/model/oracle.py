"""What must be true: after every step, and once nothing is left to do.

Each rule is judged from outside, on rows and records, from what people typed. Nothing here asks the code under test
whether it is content, except for what it parked: a review item is an allowed outcome and must have had a cause.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncd.core.model import Direction, Link, Policy, Removal, State, Value
from syncd.core.normalise import canonical, equal
from tests.model import product
from tests.model.hostile import Hostile, Record
from tests.model.product import Options, Review, journal, mapping, work
from tests.model.world import OVERNIGHT, Person, Profile, World

PATIENCE = 30  # cycles after which everything must have come to rest
PAUSE = 1000.0  # seconds that one of them waits for what is due soon, and between two; longer than settle and retries
WAITS = ("adopt", "staged:", "empty")
CAUSES = {
    "remote_gone": {"remote-deleted", "removal-under-way"},
    "remote_archived": {"remote-archived", "reinserted"},
    "ambiguous": {"stranger", "remote-deleted"},
    "found": {"conflict", "stranger", "reinserted", "unlinked", "erased", "forgotten", "ordered", "left", "twin"},
    "key_taken": {"renumbered", "reinserted", "rekeyed", "twin"},
    "came_back": {"reinserted", "forgotten", "unlinked", "left"},
    "taken": {"stranger"},
    "twice": {"stranger", "reinserted", "ordered", "twin"},
    "unknown_create": {"narrow"},
    "delete_conflict": {"deleted"},
    "no_base": {"erased", "reinserted", "remapped", "stranger", "inbound", "forgotten", "unlinked", "left"},
    "candidate": {"inbound", "stranger", "forgotten", "unlinked", "linked", "left"},
    "pull_only": {"pull-only"},
    "frozen": {"swing"},
    "conflict": {"conflict", "pull-only", "cut-late", "erased"},
    "first_seen": {"hidden"},
    "renumbered": {"renumbered", "reinserted"},
    "gutted": {"blanked", "erased"},
    "erased": {"blanked", "conflict", "erased"},
    "not_inserted": {"left"},
}


def quiesce(world: World) -> list[str]:
    """No more edits and no more faults: run until nothing is left. Answers what is wrong afterwards."""
    world.emptied = {provider.name for provider in world.providers if not provider.records}
    for provider in world.providers:
        provider.faults.clear()
        provider.down = False
        product.resume(world.state, provider.name)
    # a newcomer whose key was still linked to somebody who left waits for the scan after the one that saw it; a listing
    # that was interrupted goes on where it stood, and what was edited on its first pages is seen by the next one
    nights = 2 if any(profile.inbound for _, profile in world.configured()) or world.listing_under_way() else 1
    for night in range(nights + PATIENCE):
        written = _written(world)
        world.clock.advance(OVERNIGHT)
        for _ in range(PATIENCE):
            world.run(Options(scan=True, wait=PAUSE))
            if world.state_is_quiet():
                break
            world.clock.advance(PAUSE)
        else:
            return [f"never comes to rest: {unrest(world)}"]
        # what a guard holds back goes by itself once its window has passed, a few operations a day, and so does who was
        # refused for the e-mail of another record, once that one has another: neither is an echo
        if night + 1 >= nights and (not product.held_back(world.state) or written == _written(world)):
            break
    world.discover()
    return [*rest(world), *silence(world)]


def _written(world: World) -> tuple[int, list[int]]:
    return world.effects.source_writes, [provider.writes for provider in world.providers]


def unrest(world: World) -> str:
    """What is still to be done, for the message."""
    with world.state.read() as tx:
        due = [row for person in world.people for row in work.of_customer(tx, str(person.key))]
        open_ = [i for p in world.providers for i in _intents(world, tx, p)]
    return f"{due} {open_}"


def _intents(world: World, tx: object, provider: Hostile) -> list[object]:
    keys = [str(person.key) for person in world.people]
    return [each for found in journal.intents(tx, provider.name, keys).values() for each in found]  # type: ignore[arg-type]


def silence(world: World) -> Iterator[str]:
    """No echo: with nothing to do, a further look over everything writes nothing at all, on either side. What a guard
    still holds back is something to do: it goes once its window has passed; and so is a key that frees itself."""
    with world.state.read() as tx:
        taken = any(item.kind == "key_taken" for item in journal.reviews(tx, open_only=False))
    if taken or product.held_back(world.state):
        return
    before = _written(world)
    world.clock.advance(OVERNIGHT)
    world.run(Options(scan=True))
    after = _written(world)
    if before != after:
        yield f"echo: a look without a change wrote {before} -> {after}"


# -- after every step ----------------------------------------------------------------------------------------------


def always(world: World) -> Iterator[str]:
    """Rules that no moment may break."""
    yield from _no_invention(world)
    yield from (f"a second row: {told}" for told in world.second_rows)
    for provider in world.providers:
        yield from _one_remote_each(world, provider)
        yield from _nobody_elses(world, provider)


def together(world: World, before: list[int]) -> Iterator[str]:
    """Deletions that are due in one run are judged together: where some are held back, none was executed."""
    if world.happened & {"released"}:
        return
    held = product.staged(world.state, "delete")
    for provider, removed in zip(world.providers, before, strict=True):
        waiting = [key for name, key in held if name == provider.name]
        if waiting and len(provider.removed) > removed:
            yield f"{provider.name}: removed {provider.removed[removed:]} and held {waiting} back in one run"


def _no_invention(world: World) -> Iterator[str]:
    """Every value in the source was typed by a person, for this customer and field."""
    for person in world.living():
        for name, value in (world.row(person) or {}).items():
            if canonical(value) not in {canonical(each) for each in world.typed[person.tag, name]}:
                yield f"source {person.key}.{name} holds {value!r}, which nobody typed"


def _one_remote_each(world: World, provider: Hostile) -> Iterator[str]:
    """We never make a second record of one person while the first is there."""
    seen: dict[str, str] = {}
    for record in sorted(provider.records.values(), key=lambda record: record.ours):
        if not record.ours and not record.of.startswith("r"):
            continue
        if record.of in seen and not (world.happened & {"reinserted", "ordered"}):
            yield f"{provider.name}: {record.of} has the records {seen[record.of]} and {record.id}"
        seen[record.of] = record.id


def _nobody_elses(world: World, provider: Hostile) -> Iterator[str]:
    """No record carries a value of another person than its own: each was typed for him, on some side."""
    for record in provider.records.values():
        erased = (record.of, "erased") in world.befell
        for name, value in record.values.items():
            if name in {"number", "contact_person"} or not isinstance(value, str) or erased:
                continue
            if value.casefold().startswith(f"{name[0]}{record.of}v"):
                continue
            typed = world.typed.get((record.of, name), set())
            if (record.of, name, value) in world.entered:
                continue
            if value not in typed and value not in {provider.nature.kept(name, each) for each in typed}:
                yield f"{provider.name}: record {record.id} of {record.of} holds {value!r} as {name}"


# -- at rest -------------------------------------------------------------------------------------------------------


def rest(world: World) -> Iterator[str]:
    """Everything agreed, or parked with a cause."""
    yield from always(world)
    with world.state.read() as tx:
        reviews = journal.reviews(tx)
        links = {provider.name: mapping.page(tx, provider.name, "", 500) for provider in world.providers}
    held = product.staged(world.state)
    for provider, profile in world.configured():
        mine = {link.pair.key: link for link in links[provider.name]}
        for person in world.living():
            if (provider.name, str(person.key)) in held or not world.selected(person, provider.name):
                continue
            items = [each for each in reviews if (each.provider, each.customer_key) == (provider.name, str(person.key))]
            yield from _pair(world, provider, profile, (person, mine.get(str(person.key)), items))
        yield from _departed(world, provider, profile, (links[provider.name], reviews))
        yield from _left_out(world, provider)
    yield from _causes(world, reviews)
    yield from _answered(reviews)
    parked = {(item.customer_key, name) for item in reviews for name in item.fields}
    stopped = {item.customer_key for item in reviews if not item.fields} | {key for _, key in held}
    yield from _winners(world, parked, stopped)


def _answered(reviews: list[Review]) -> Iterator[str]:
    """What a person decided was carried out, or he is asked again: nobody is shown an item that stands as decided."""
    for item in reviews:
        if item.decision:
            yield f"{item.provider}/{item.customer_key}: {item.kind} is decided ({item.decision}), and stays open"


def _pair(
    world: World, provider: Hostile, profile: Profile, facts: tuple[Person, Link | None, list[Review]]
) -> Iterator[str]:
    person, link, items = facts
    where = f"{provider.name}/{person.key} ({person.tag})"
    row = world.row(person)
    if row is None:
        yield f"{where}: the row of a living person is gone"
        return
    if any(not item.fields and item.kind != "twice" for item in items):
        return
    if _refused(world, (profile, row, link)):
        return
    if (provider.name, str(person.key)) in world.left_alone:
        return
    if link is None or link.external_id is None:
        yield f"{where}: neither linked nor parked ({link})"
        return
    record = provider.records.get(link.external_id)
    empty = not provider.records or provider.name in world.emptied
    if record is None and empty and provider.nature.lists:
        return  # an empty listing proves nothing, and until an edit nobody looks at this one
    if record is None:
        yield f"{where}: linked to {link.external_id}, which is not there, and nobody was told"
        return
    if record.of != person.tag:
        yield f"{where}: linked to a record of {record.of}"
        return
    waiting = {name for item in items for name in item.fields}
    waiting |= {name for name, value in record.values.items() if (record.id, name, value) in world.swallowed}
    if (record.of, "erased") in world.befell or (person.tag, "left") in world.befell:  # linked anew, without a base
        waiting |= provider.nature.hidden  # what an erasure takes where nobody can look is seen by nobody
    yield from (f"{where}: {problem}" for problem in _fields(provider, profile, row, record, waiting))


def _refused(world: World, facts: tuple[Profile, dict[str, Value], Link | None]) -> bool:
    """Whether the provider's rules refuse the customer as the row is."""
    profile, row, link = facts
    lacking = any(row.get(name) is None for name in profile.nature.demands)
    twice = profile.nature.one_email and "one-email" in world.happened
    return (lacking or twice) and link is not None and link.state is State.REJECTED


def _fields(
    provider: Hostile, profile: Profile, row: dict[str, Value], record: Record, waiting: set[str]
) -> Iterator[str]:
    nature = provider.nature
    wanted = dict(row)
    if nature.composed:
        parts = [str(canonical(wanted[name])) for name in ("first_name", "last_name") if canonical(wanted[name])]
        wanted["contact_person"] = " ".join(parts) or None
    for name in sorted(nature.fields - waiting):
        direction = dict(profile.directions).get(name, Direction.BOTH)
        if direction is Direction.OFF or (direction is Direction.PULL and name in nature.hidden):
            continue
        ours = canonical(wanted[name])
        theirs = record.values.get(name)
        if theirs not in {nature.kept(name, ours), ours} and not equal(name, ours, theirs):
            yield f"{name} is {ours!r} here and {theirs!r} there"


def _departed(
    world: World, provider: Hostile, profile: Profile, facts: tuple[list[Link], list[Review]]
) -> Iterator[str]:
    """Nobody who left is linked any more, and his record went as `on_delete` says, or somebody was asked."""
    links, reviews = facts
    living = {str(person.key) for person in world.living() if world.selected(person, provider.name)}
    asked = {item.customer_key for item in reviews if item.provider == provider.name}
    asked |= {key for name, key in product.staged(world.state) if name == provider.name}
    for link in links:
        if link.pair.key not in living and link.pair.key not in asked and world.living():
            yield f"{provider.name}/{link.pair.key}: still in the mapping, and the row is gone ({link})"
    if profile.on_delete is Removal.KEEP or not world.living():
        return
    tags = {person.tag for person in world.people if person.alive}  # left out by a filter: his record stays
    waiting = [link for link in links if link.pair.key in asked]  # under his successor's key, maybe
    in_question = {link.external_id for link in waiting}
    in_question |= {
        record.id for record in provider.records.values() if record.key in {x.provider_key for x in waiting}
    }
    in_question |= {kept for name, kept in world.kept_records if name == provider.name}
    for person in world.people:
        if (provider.name, str(person.key)) in world.left_alone or (person.tag, "left") in world.befell:
            continue
        if person.alive or person.tag in tags or str(person.key) in asked or str(person.key) in living:
            continue
        for record in provider.records.values():
            asked_about = {record.id, record.key} & in_question
            if record.of == person.tag and record.ours and not record.archived and not asked_about:
                yield f"{provider.name}: the record of {person.tag}, who was deleted, is still there"


def _left_out(world: World, provider: Hostile) -> Iterator[str]:
    """Nobody whom a filter leaves out loses his record."""
    for person in world.living():
        if not world.selected(person, provider.name) and (person.tag, "deleted") not in world.befell:
            gone = person.had_records.get(provider.name, set()) - provider.records.keys()
            if gone and not {(person.tag, "remote-deleted"), (person.tag, "stranger")} & world.befell:
                yield f"{provider.name}: {person.tag} was left out by a filter, and his record {gone} is gone"


def _causes(world: World, reviews: list[Review]) -> Iterator[str]:
    """Nobody is asked without a reason."""
    for item in reviews:
        if item.kind.startswith("guard_") and world.setting.guards != product.Guards():
            continue
        causes = CAUSES.get(item.kind, set())
        if item.kind == "key_taken" and any(profile.inbound for profile in world.setting.profiles):
            causes = causes | {"stranger"}  # who brought a row with the number that he carries
        if item.kind == "conflict" and set(item.fields) == {"number"}:
            causes = causes | {"renumbered"}  # while the create was lost that carried the number from before
        if not causes & world.happened:
            yield f"{item.provider}/{item.customer_key}: asked about {item.kind} ({item.reason}) without a cause"


def _winners(world: World, parked: set[tuple[str, str]], stopped: set[str]) -> Iterator[str]:
    """Nothing lost, nothing stale: the value that stands is the last one of some side, and of the only side if one."""
    only_source = all(profile.policy is Policy.SOURCE for profile in world.setting.profiles)
    for person in world.living():
        row = world.row(person) or {}
        for name in world.columns:
            edits = world.edits.get((person.tag, name), [])
            left = any((each.name, str(person.key)) in world.left_alone for each in world.providers)
            if name == "number" or left or person.back or (str(person.key), name) in parked:
                continue
            last = {edit.side: edit.value for edit in edits}
            candidates = {canonical(value) for value in last.values()} or {world.agreed.get((person.tag, name))}
            stops = str(person.key) in stopped or _cut_off(world, person, row)
            if stops or any(edit.excused for edit in edits):
                candidates |= {canonical(edit.value) for edit in edits if edit.side != "source"}
                candidates |= {world.agreed[person.tag, name]} if (person.tag, name) in world.agreed else set()
            held = {canonical(row[name]), *(each.nature.kept(name, row[name]) for each in world.providers)}
            if not any(equal(name, one, other) for one in held for other in candidates):
                yield f"{person.key}.{name} ends as {row[name]!r}; last typed were {last or candidates}"
            elif only_source and _newest_in_the_source(world, person, name, row):
                yield f"{person.key}.{name} ends as {row[name]!r}; the source was last edited to {edits[-1].value!r}"


def _newest_in_the_source(world: World, person: Person, name: str, row: dict[str, Value]) -> bool:
    """Whether the source was edited last, and lost. Who types a value back that the source had before may have changed
    nothing since the last look."""
    edits = world.edits.get((person.tag, name), [])
    if not edits or edits[-1].side != "source" or canonical(row[name]) == edits[-1].value:
        return False
    before = {edit.value for edit in edits[:-1] if edit.side == "source"} | {world.agreed.get((person.tag, name))}
    return edits[-1].value not in before


def _cut_off(world: World, person: Person, row: dict[str, Value]) -> bool:
    """Whether something happened to him after which edits at a provider need not arrive any more."""
    if any(row[name] is None for profile in world.setting.profiles for name in profile.nature.demands):
        return True
    if "one-email" in world.happened:
        return True
    endings = ("remote-deleted", "remote-archived", "deleted", "stranger", "erased")
    return any((person.tag, what) in world.befell for what in endings)


def remember(world: World) -> None:
    """What stands now is agreed; the next round of edits starts from it. What could not arrive yet may still do so."""
    for person in world.living():
        row = world.row(person) or {}
        for name, value in row.items():
            world.agreed[person.tag, name] = canonical(value)
            if not _cut_off(world, person, row):
                world.edits.pop((person.tag, name), None)
