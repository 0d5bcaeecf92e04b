"""The facts of a group of pairs: from the state, from the source, and from the provider.

Reads only. The order matters: the generation was read when the pair was taken, the source row after it, the remote
last. The state is asked once for the whole group. A record that cannot be read is a failure of its pair alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syncd.core.actions import LEFT_OUT
from syncd.core.case import Case
from syncd.core.effects import Failure, Missing, Refused, Stale
from syncd.core.facts import Departure, Facts
from syncd.core.match import Here, There, stands
from syncd.core.model import CreateMode, Customer, Remote, Values, Verb, Work
from syncd.core.recognition import another, made_by, recognised
from syncd.core.writes import unknown_create
from syncd.errors import Rejected
from syncd.providers.adapter import Identity
from syncd.reconcile.absence import departed
from syncd.reconcile.around import Reserved, reserved, surroundings
from syncd.reconcile.attempt import attempt
from syncd.reconcile.case import TELLING, Memory, is_open, outset, remember, with_unread
from syncd.reconcile.listed import by_key
from syncd.reconcile.orders import Orders, orders
from syncd.reconcile.route import Route
from syncd.source import customers
from syncd.source.lookup import number_taken
from syncd.source.shape import unfiltered

REPEATED = frozenset({"Temporary", "OutcomeUnknown", "NotFound"})


def gather(route: Route, works: Sequence[Work]) -> list[Case]:
    """The cases of a group. The provider is asked only where the decision needs an answer."""
    keys = [item.pair.key for item in works]
    rows = customers.read(route.source, keys)
    memory = remember(route, keys)
    return look(route, [(item, rows.get(item.pair.key)) for item in works], memory)


def look(route: Route, rows: Sequence[tuple[Work, Customer | None]], memory: Memory) -> list[Case]:
    """`gather` where rows and memory are at hand."""
    cases = with_unread(route, [_begun(route, item, row, memory) for item, row in rows])
    known = reserved(route, cases, memory)
    return surroundings(route, [_asked(route, case, memory, known) for case in cases])


def _begun(route: Route, work: Work, row: Customer | None, memory: Memory) -> Case:
    case = outset(route, work, row, memory)
    if route.reads_only:
        return case
    if row is not None and row.key != work.pair.key:
        return case._replace(respelled=row.key)
    if work.error_class in REPEATED and not route.lane.may_retry():
        return case._replace(spared=True)
    return case


# -- the other side, pair by pair --------------------------------------------------------------------------------------


def _asked(route: Route, case: Case, memory: Memory, known: Reserved) -> Case:
    """The case with the remotes, and with what the source shows besides the row; or with the failure of the reading."""
    if case.respelled or case.spared:
        return case
    route.lane.trace.begin_look()
    found = attempt(route, case.work.attempts, lambda: _facts(route, case, memory, known))
    failure: Failure | Refused | None = None
    match found:
        case Facts():
            route.lane.trace.got_through = True  # noted as a success only when the look ends: a write may follow
        case Failure() | Refused():
            failure = found
        case Stale():
            failure = Failure("Outdated", "the reading was too old", mine=False)
        case Missing(reason=reason):
            failure = Failure("NotFound", reason, counts=route.lane.healthy(), jitter=route.jitter())
    facts, trace = found if isinstance(found, Facts) else case.facts, route.lane.trace
    return case._replace(facts=facts, failure=failure, read=trace.read, requests=trace.requests)


def _facts(route: Route, case: Case, memory: Memory, known: Reserved) -> Facts:
    facts, key, work = case.facts, case.pair.key, case.work
    if case.customer is None:
        return _gone(route, work, facts, proven=is_open(memory, key, "delete_conflict"))
    if facts.unread:
        return facts
    if facts.reborn and another(facts):
        facts = facts._replace(key_alive=number_taken(route.source, case.key, other_than=key))
    ordered = orders(memory.reviews.get(key, ()))
    if facts.link is not None and facts.link.external_id is not None:
        facts = _linked(route, work, facts, asked=is_open(memory, key))
        if facts.link is None or not _given_up(facts, ordered):
            return facts
        unlinked = facts.link._replace(external_id=None, external_ids={}, base={}, version=None)
        facts = facts._replace(link=unlinked, former=facts.link, remote=None)
    if ordered.word == "link":
        return _named(route, case, facts, ordered)
    facts = _unlinked(route, facts, case.key, known.of(key, case.key))
    left = facts.reborn and unknown_create(facts) is not None and another(facts)
    return facts._replace(found=_keyless(route, facts)) if left and not facts.rules.repeatable else facts


def _named(route: Route, case: Case, facts: Facts, ordered: Orders) -> Facts:
    """The facts with the record that a person ordered to be linked, and with records that our create of unknown outcome
    made beside it."""
    remote = fetch_proven(route, ordered.external_id)
    if remote is None:
        return facts._replace(found=())
    made = _made(route, facts, case.key, remote) if unknown_create(facts) is not None else ()
    beside = tuple(each for each in made if each.external_id != remote.external_id)
    return facts._replace(found=(remote,), beside=beside, outdated=_outdated(case, facts, ordered, remote))


def _made(route: Route, facts: Facts, our_key: str, named: Remote) -> Sequence[Remote]:
    """The records that our lost create made, by a look-up. Where no record can carry our key and the record that a
    person named holds what was sent, the create made that one and no other."""
    if route.adapter.key_fits(our_key):
        return [each for each in _looked_up(route, facts, our_key, own=True).found if recognised(facts, each)]
    scans = route.adapter.capabilities.identity is Identity.SCAN
    return _keyless(route, facts) if scans and not recognised(facts, named) else ()


def _outdated(case: Case, facts: Facts, ordered: Orders, remote: Remote) -> bool:
    """Whether the order to link this record follows from a match report whose reasons do not hold any more."""
    if ordered.external_id not in ordered.told.ids or not ordered.told.why:
        return False
    row = case.customer.values if case.customer is not None else {}
    here = Here(case.pair.key, case.key, {**row, **(facts.source or {})})
    return not stands(here, There(remote.external_id, remote.key, remote.values), ordered.told)


def _given_up(facts: Facts, ordered: Orders) -> bool:
    """Whether the linked record is gone or archived, and a person ordered a link to another record or a create."""
    return (ordered.create or ordered.word == "link") and (facts.remote is None or facts.remote.archived)


def _linked(route: Route, work: Work, facts: Facts, *, asked: bool) -> Facts:
    """The facts with a linked pair's remote. While a question about the pair is open (`asked`), every look fetches the
    remote."""
    link = facts.link
    assert link is not None and link.external_id is not None  # noqa: S101, PT018 - told by the caller
    if not asked and _untouched(work, facts):
        # The mark is about the source alone, and no field of this provider has changed there: no need for the remote.
        return facts._replace(remote=Remote(link.external_id, link.provider_key, {}))
    return facts._replace(remote=its_own(link.external_id, fetch_proven(route, link.external_id)))


def its_own(external_id: str, remote: Remote | None) -> Remote | None:
    """The record, if it has the external id that was asked for. After a merge a provider may answer with another
    record, which may be another customer's: it is neither pulled nor overwritten."""
    if remote is not None and remote.external_id != external_id:
        raise Rejected("", f"the provider shows {remote.external_id} under the linked id {external_id}")
    return remote


def _untouched(work: Work, facts: Facts) -> bool:
    """Whether every projected field is as last agreed, and the mark does not ask for a look at the provider."""
    if work.reason not in {"changed", "backfill", "inserted"} or facts.intents or facts.source is None or facts.rulings:
        return False
    base = facts.link.base if facts.link is not None else {}
    return all(name in base and base[name].source == facts.digest(name, value) for name, value in facts.source.items())


def fetch_proven(route: Route, external_id: str) -> Remote | None:
    """The record, or None on proof: not found twice, with a healthy authorised request between the two."""
    remote = route.listed.get(external_id) or route.adapter.fetch(external_id)
    if remote is None:
        route.adapter.probe()
        remote = route.adapter.fetch(external_id)
    return numbered(route, remote) if remote is not None else None


def numbered(route: Route, remote: Remote) -> Remote:
    """The record, with our key as its field `number` where the provider cannot renumber: a changed number in the source
    then shows as a difference."""
    if route.rules.renumbers or remote.key is None:
        return remote
    return remote._replace(values={"number": remote.key, **remote.values})


def _unlinked(route: Route, facts: Facts, our_key: str, known: tuple[frozenset[str], str | None]) -> Facts:
    own = unknown_create(facts) is not None
    if facts.rejection is not None and not own:
        return facts
    removed, holder = known
    buried = bool(removed - {LEFT_OUT})
    facts = facts._replace(
        buried=buried,
        left_out=LEFT_OUT in removed,
        holder=holder,
        rules=route.rules._replace(repeatable=route.adapter.key_fits(our_key)),
    )
    if not own and not facts.create_anyway:
        if facts.held is not None:
            return facts
        if facts.holder is not None or (route.rules.create is CreateMode.NEVER and not buried):
            return facts
        if not route.rules.adopted and not buried:
            return facts
    looks_itself = route.adapter.capabilities.looks_first and not route.reads_only and facts.rules.repeatable
    if looks_itself and not own and not removed:
        return facts
    return _looked_up(route, facts, our_key, own=own)


def _looked_up(route: Route, facts: Facts, our_key: str, *, own: bool) -> Facts:
    if not route.adapter.key_fits(our_key):
        if route.adapter.capabilities.identity is Identity.SCAN:
            return facts._replace(rules=facts.rules._replace(repeatable=False))
        return facts._replace(rejection=("number", "this provider cannot carry the customer's key"))
    since = max((i.settle_until for i in facts.intents if i.verb is Verb.CREATE), default=facts.at) if own else None
    found = look_up(route, our_key, facts.source or {}, since=since)
    if own and not found and _settled(facts) and route.adapter.capabilities.identity is not Identity.SCAN:
        route.adapter.probe()  # one empty answer proves nothing, and a second create would follow
        found = look_up(route, our_key, facts.source or {}, since=since)
    return facts._replace(found=tuple(numbered(route, remote) for remote in found))


def _settled(facts: Facts) -> bool:
    """Whether the settle times of all intents are over: none of our creates can still be executed."""
    return all(intent.settle_until <= facts.at for intent in facts.intents)


def look_up(route: Route, our_key: str, values: Values, *, since: datetime | None) -> Sequence[Remote]:
    """Records that carry our key. `since`: when our creates of unknown outcome had settled, None where there are none.

    A provider that can only be listed is listed once per cycle for first looks. After creates of unknown outcome only a
    listing counts that began when they had settled; one such listing serves all of them. With a listing at hand
    (`listing.keys`) none is made. A listing keeps ids alone, so a record with our key is fetched.
    """
    keys, scans = route.listing.keys, route.adapter.capabilities.identity is Identity.SCAN
    if not scans and (since is not None or keys is None):
        return route.adapter.find(our_key, values)
    if keys is None or (since is not None and (keys.began is None or keys.began < since)):
        began = route.clock.now()
        keys = by_key((remote for page in route.adapter.scan(None) for remote in page.remotes), began)
        route.listing.keys = keys
    found = (fetch_proven(route, external_id) for external_id in keys.ids(our_key))
    return [remote for remote in found if remote is not None and remote.key == our_key]


def _gone(route: Route, work: Work, facts: Facts, *, proven: bool) -> Facts:
    """The facts about a missing row; `proven`: an earlier look proved the deletion, and its question is open."""
    departure = departed(route, work, proven=proven)
    fits = facts.link is None or facts.link.provider_key is None or route.adapter.key_fits(facts.link.provider_key)
    facts = facts._replace(departure=departure, rules=facts.rules._replace(repeatable=fits))
    if departure is Departure.OUT_OF_SCOPE and _succeeded_unseen(route, work, facts):
        departure, facts = Departure.GONE, facts._replace(departure=Departure.GONE, succeeded=True)
    if departure not in {Departure.GONE, Departure.OUT_OF_SCOPE}:
        return facts
    own = unknown_create(facts)
    if own is not None and facts.link is not None and facts.link.provider_key is not None:
        facts = _looked_up(route, facts, facts.link.provider_key, own=True)
        return facts if facts.rules.repeatable else facts._replace(found=_keyless(route, facts))
    if departure is Departure.OUT_OF_SCOPE:
        return facts
    if facts.link is None or facts.link.external_id is None or route.rules.on_delete.value == "keep":
        return facts
    remote = its_own(facts.link.external_id, fetch_proven(route, facts.link.external_id))
    return facts._replace(remote=remote, key_alive=_carried(route, facts.link.provider_key or "", work.pair.key))


def _succeeded_unseen(route: Route, work: Work, facts: Facts) -> bool:
    """Whether a deleted customer's key was given to another customer that a filter excludes. The row is read without
    the settings' filters; a row that a view hides cannot be read."""
    if not facts.reborn or facts.link is None:
        return False
    row = customers.read(unfiltered(route.source), [work.pair.key]).get(work.pair.key)
    return row is not None and another(facts._replace(row={n: v for n, v in row.values.items() if n in TELLING}))


def _keyless(route: Route, facts: Facts) -> tuple[Remote, ...]:
    """The records that our lost create likely made, where they carry no key of ours. They prove nothing, but a person
    is asked about them, or they get a tombstone: otherwise a scan would bring the deleted customer back."""
    every = (remote for page in route.adapter.scan(None) for remote in page.remotes)
    return tuple(numbered(route, remote) for remote in every if made_by(facts, remote))


def _carried(route: Route, our_key: str, gone: str) -> bool:
    """Whether another live customer's key at the provider is this one: its number, or without a number its source
    key."""
    if number_taken(route.source, our_key, other_than=gone):
        return True
    row = customers.read(route.source, [our_key]).get(our_key)
    return row is not None and row.key != gone and not row.values.get("number")
