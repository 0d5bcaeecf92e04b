"""Capture where a shared server cannot take us: two-phase commits, a real hot standby, a fail-over that lags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from syncd.errors import SourceUnreachable
from syncd.source import changelog, snapshot
from tests.cluster import Cluster
from tests.contract.test_capture_schedules import (
    MUTANTS,
    OURS,
    POSTGRES,
    Schedule,
    Stage,
    Theatre,
    holds,
    out_of_order,
    prepared,
    theatre,
)


@pytest.fixture(scope="module")
def own(own_server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    yield from theatre("postgresql", tmp_path_factory.mktemp("own"), own_server.url())


@pytest.fixture(scope="module")
def standby(own_server: Cluster) -> Iterator[Cluster]:
    with own_server.standby() as made:
        yield made


@pytest.mark.parametrize("reader", OURS)
def test_two_phase_commits_lose_nothing(own: Theatre, reader: str) -> None:
    """What was prepared, and committed by somebody else later, is delivered; and nothing before that."""
    holds(own.run(OURS[reader](), prepared))


@pytest.mark.parametrize("mutant", ["naive_seq", "updated_at_strict"])
def test_two_phase_commits_kill_mutants(own: Theatre, mutant: str) -> None:
    """Who reads on from the last number or stamp never sees the prepared change."""
    stage = own.run(MUTANTS[mutant](), prepared)
    assert stage.committed - set(stage.delivered) == {1}


# -- a hot standby -----------------------------------------------------------------------------------------------------


@dataclass
class Following:
    """The read-only account on a real standby, once it shows what the primary has committed."""

    follow: Callable[[], None]
    cursor: str = ""

    def poll(self, stage: Stage) -> list[int]:
        self.follow()
        changes = snapshot.read(stage.source, self.cursor)
        self.cursor = changes.cursor
        assert not changes.restart
        return [int(entry.key) for entry in changes.entries]


class AsOnAPrimary(Following):
    """The same, taking the standby for a primary."""

    def poll(self, stage: Stage) -> list[int]:
        self.follow()
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with stage.source.engine.connect().execution_options(**options) as conn:
            facts = list(conn.execute(sa.text(snapshot.IDENTITY)).one())
            facts[4] = False
            changes = snapshot.changes(conn, tuple(facts), snapshot.position(self.cursor))
        self.cursor = changes.cursor
        return [int(entry.key) for entry in changes.entries]


@pytest.fixture(scope="module")
def followed(own_server: Cluster, own: Theatre, standby: Cluster) -> Iterator[tuple[Theatre, Callable[[], None]]]:
    """The shop on the primary, read on the standby."""

    def follow() -> None:
        standby.caught_up(own_server)

    follow()
    there = standby.url(sa.make_url(own.made.url).database or "").render_as_string(hide_password=False)
    with own.made.source(install=False, url=there, fields={}, change_log="snapshot", write=False) as source:
        yield Theatre(own.made, source), follow


@pytest.mark.long
@pytest.mark.parametrize("schedule", [*POSTGRES, prepared])
def test_nothing_is_lost_on_a_standby(followed: tuple[Theatre, Callable[[], None]], schedule: Schedule) -> None:
    """All twelve schedules, read on a standby that replays them."""
    stage, follow = followed
    holds(stage.run(Following(follow), schedule))


def test_a_standbys_snapshot_proves_nothing(followed: tuple[Theatre, Callable[[], None]]) -> None:
    """The difference of two snapshots, right on a primary, loses on a standby: it lists nobody in progress."""
    stage, follow = followed
    ended = stage.run(AsOnAPrimary(follow), out_of_order)
    assert ended.committed - set(ended.delivered) == {1}


def test_the_log_is_not_consumed_on_a_standby(followed: tuple[Theatre, Callable[[], None]]) -> None:
    """Consuming reads on the primary only: a standby is refused before anything is made due."""
    stage, _ = followed
    there = stage.source.config.url
    with (
        stage.made.source(install=False, url=there, fields={}) as source,
        pytest.raises(SourceUnreachable, match="standby"),
    ):
        changelog.read(source)
