"""Composition root: makes an installation that can run a cycle from settings. The only module that knows all rooms."""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import make_url

from syncd.clock import Clock, SystemClock
from syncd.core.alias import namer
from syncd.core.facts import Rules
from syncd.core.model import CreateMode, Direction
from syncd.errors import SettingsError, SetupNeeded, SourceUnreachable, SyncdError
from syncd.lanes import Breaker, Cpu, Lane, Pace
from syncd.log import name_customers
from syncd.operate.status import Known, survey
from syncd.providers.adapter import Capabilities, Identity, ProviderAdapter
from syncd.providers.adapter import Settings as AdapterSettings
from syncd.reconcile import Route
from syncd.runtime.installation import Installation, Rhythm
from syncd.settings.model import ProviderSettings, Settings
from syncd.source.changelog import mentions
from syncd.source.database import Source, SourceConfig, open_source
from syncd.source.shape import IdForm, for_provider
from syncd.source.writable import as_written, one_way
from syncd.status.facts import Report
from syncd.store.database import State, open_state, quick_check
from syncd.store.keys import check_key
from syncd.store.leases import Lease, lock_file
from syncd.store.server_clock import clock_of

NOBODY = Lease("", "", 0)


def run_id() -> str:
    """A random name for one run, 16 hex digits."""
    return secrets.token_hex(8)


def source_config(settings: Settings) -> SourceConfig:
    """The settings that the room `source` needs: `[source]`, and what the providers ask of the customer table."""
    wanted = settings.source
    return SourceConfig(
        url=wanted.url,
        table=wanted.table,
        key=wanted.key,
        fields=wanted.fields,
        password=wanted.password,
        tls=wanted.tls,
        change_log=wanted.change_log,  # type: ignore[arg-type]  # settings allow exactly these three words
        updated_at=wanted.updated_at,
        write=wanted.write,
        watch=wanted.watch,
        joins=wanted.joins,
        where=wanted.where,
        deleted=wanted.deleted,
        values=wanted.values,
        defaults=wanted.defaults,
        only={provider.name: provider.only for provider in settings.providers if provider.only},
        id_columns={provider.name: provider.id_column for provider in settings.providers if provider.id_column},
        id_forms={provider.name: _id_form(provider.provider.capabilities) for provider in settings.providers},
    )


def _id_form(facts: Capabilities) -> IdForm:
    return IdForm(facts.id_length, facts.id_digits, ours=facts.identity is Identity.OUR_KEY)


def open_settings_source(settings: Settings) -> Source:
    """Open the source. Raises `SettingsError`, `SetupNeeded` and `SourceUnreachable`."""
    return open_source(source_config(settings))


def open_settings_state(settings: Settings, *, create: bool = True, check: bool = True) -> State:
    """Open the state; with `create` a new SQLite file is made and migrated, with `check` another revision is refused
    (`SetupNeeded`). From then on the log names customers by aliases under the state key."""
    ours = settings.state
    state = open_state(ours.url, ours.password, ours.key, create=create, check=check, tls=ours.tls, older=ours.older)
    return _naming(settings, state)


def _naming(settings: Settings, state: State) -> State:
    name_customers(namer(settings.log.customer_key, state.key))
    return state


def _state_as_it_is(settings: Settings) -> State:
    """The state for a command that only reads: where there is no SQLite file yet, an empty one in memory."""
    url = make_url(settings.state.url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return _naming(settings, open_state("sqlite://", None, settings.state.key))
    return open_settings_state(settings, create=False)


@contextmanager
def installation(
    settings: Settings,
    *,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    exclusive: bool = True,
    read_only: bool = False,
    any_key: bool = False,
) -> Iterator[Installation]:
    """Source, state and adapters, opened and closed again at the end. `exclusive` takes the file lock of a SQLite
    state; `read_only` leaves no trace, not even the file of a new state; `any_key` takes a state that was written under
    another key, for `recover` alone."""
    stop = stop or threading.Event()
    with ExitStack() as stack:
        state = _state_as_it_is(settings) if read_only else open_settings_state(settings)
        stack.callback(state.close)
        if exclusive and state.path is not None:
            lock = stack.enter_context(lock_file(state.path))
            if lock.unclean:
                quick_check(state)
        if not any_key:
            with state.read() if read_only else state.begin() as tx:
                check_key(tx, state.key, state.older, remember=not read_only)
        clock = clock or clock_of(state, SystemClock())
        source = open_settings_source(settings)
        stack.callback(source.close)
        routes, processor = [], Cpu()
        for wanted in settings.providers:
            route = _route(settings, wanted, (source, state), (clock, stop))
            route.lane.processor = processor  # all lanes of this process compute on the same core
            stack.callback(route.adapter.close)
            routes.append(route)
        yield Installation(
            source=source,
            state=state,
            routes=tuple(routes),
            clock=clock,
            stop=stop,
            rhythm=Rhythm(*(getattr(settings.schedule, name) for name in Rhythm._fields)),
            holder=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
            run_id=run_id,
            lease=settings.lease,
            sole=exclusive and state.path is not None,
            inbound_create=frozenset(p.name for p in settings.providers if p.inbound_create),
            field_hashes={p.name: p.field_hashes for p in settings.providers},
            config_hashes={p.name: p.config_hash for p in settings.providers},
        )


def _route(
    settings: Settings,
    wanted: ProviderSettings,
    doors: tuple[Source, State],
    time: tuple[Clock, threading.Event],
) -> Route:
    source, state = doors
    clock, _ = time
    lane = _lane(settings, wanted, Breaker(credentials=fingerprint(wanted, state.key)), time)
    adapter = build_adapter(wanted, lane)
    return Route(
        provider=wanted.name,
        adapter=adapter,
        rules=rules(settings, wanted, source)._replace(clears=adapter.capabilities.clears),
        state=state,
        source=for_provider(source, wanted.name),
        lane=lane,
        lease=NOBODY,
        clock=clock,
        jitter=random.random,
        settle=wanted.settle,
        timeout=wanted.timeout,
        backoff=wanted.backoff,
        max_attempts=wanted.max_attempts,
        guards=settings.guards,
        ranks={provider.name: place for place, provider in enumerate(settings.providers)},
        policies={provider.name: provider.conflict for provider in settings.providers},
        known=frozenset(settings.source.fields),
        mentions=partial(mentions, source),
    )


def _lane(settings: Settings, wanted: ProviderSettings, breaker: Breaker, time: tuple[Clock, threading.Event]) -> Lane:
    clock, stop = time
    can = wanted.provider.capabilities
    return Lane(
        name=wanted.name,
        clock=clock,
        pace=Pace(wanted.rate, per_endpoint=can.per_endpoint, in_sum=can.rate_in_sum),
        concurrency=wanted.concurrency,
        timeout=wanted.timeout,
        stop=stop,
        jitter=random.random,
        lease=settings.lease,
        breaker=breaker,
    )


def ask(settings: Settings, wanted: ProviderSettings) -> str:
    """Send a provider one cheap request with our credentials, without state or lease. Answers the adapter's sentence
    about what answered. Raises `ProviderError`s."""
    with adapter_of(settings, wanted) as adapter:
        return adapter.probe()


@contextmanager
def adapter_of(settings: Settings, wanted: ProviderSettings) -> Iterator[ProviderAdapter]:
    """One provider's adapter without state or lease, for requests that change nothing."""
    adapter = build_adapter(wanted, _lane(settings, wanted, Breaker(), (SystemClock(), threading.Event())))
    try:
        yield adapter
    finally:
        adapter.close()


def build_adapter(wanted: ProviderSettings, lane: Lane) -> ProviderAdapter:
    """The adapter of one configured instance behind its lane's gate."""
    given = AdapterSettings(wanted.name, wanted.url, wanted.options, wanted.timeout, wanted.way)
    return wanted.provider.build(given, lane)


def rules(settings: Settings, wanted: ProviderSettings, source: Source) -> Rules:
    """The rules of one provider for `core`, with each field's effective direction."""
    create = CreateMode.NEVER if wanted.direction is Direction.PULL else wanted.create
    return Rules(
        provider=wanted.name,
        fields=as_written(
            source, directions(wanted, settings.source.fields.keys() | wanted.provider.capabilities.fields)
        ),
        policy=wanted.conflict,
        on_delete=wanted.on_delete,
        create=create,
        adopted=create is CreateMode.ALWAYS,
        writable=settings.source.write and bool(source.fields.keys() - one_way(source)),
        one_way=one_way(source),
        renumbers=wanted.provider.capabilities.renumbers,
        echoes=wanted.provider.capabilities.echoes,
    )


def directions(wanted: ProviderSettings, names: set[str]) -> dict[str, Direction]:
    """The direction of each field: what `direction` of the provider and of the field both allow."""
    return {name: narrowed(wanted.direction, wanted.fields.get(name, Direction.BOTH)) for name in names}


def narrowed(one: Direction, other: Direction) -> Direction:
    """The direction that two directions both allow."""
    if one is other or other is Direction.BOTH:
        return one
    return other if one is Direction.BOTH else Direction.OFF


def fingerprint(wanted: ProviderSettings, key: bytes) -> str:
    """A keyed digest of a provider's credentials: with other credentials, a breaker that the old ones opened is closed.

    Besides the secrets, which options name the account only the adapter knows, so all options and the url count.
    """
    options, secrets_of = wanted.options, wanted.provider.secrets
    values = [getattr(options, name, None) for name in sorted(secrets_of)]
    secret = [value.get_secret_value() if isinstance(value, SecretStr) else str(value) for value in values]
    plain = options.model_dump(mode="json", exclude=set(secrets_of))
    message = json.dumps([secret, plain, wanted.url], sort_keys=True).encode()
    return blake2b(message, digest_size=16, key=blake2b(key, digest_size=32).digest()).hexdigest()


def known(settings: Settings) -> tuple[Known, ...]:
    """The configured providers, as `operate.status` needs them."""
    return tuple(Known(p.name, p.adapter, p.provider.capabilities.monthly) for p in settings.providers)


def survey_settings(settings: Settings, clock: Clock | None = None) -> Report:
    """The status, beside a running daemon too. A source that cannot be opened is part of the report; a state that
    cannot be opened is an error."""
    with ExitStack() as stack:
        state = open_settings_state(settings, create=False)
        stack.callback(state.close)
        try:
            source: Source | SyncdError = open_settings_source(settings)
        except (SettingsError, SourceUnreachable, SetupNeeded) as error:
            source = error
        if isinstance(source, Source):
            stack.callback(source.close)
        return survey(state, source, known(settings), settings.guards, clock or clock_of(state, SystemClock()))
