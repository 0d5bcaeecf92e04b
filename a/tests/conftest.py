"""What all suites share: a PostgreSQL server of our own, and how the laws draw their examples.

The gate always draws the same ones, a long run by hand new ones every time. A gate that draws anew turns red for
changes that have nothing to do with it; one that measures time turns red on a busy machine. New examples are looked for
by hand: `pytest --hypothesis-profile=long tests/unit`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.cluster import Cluster, cluster

settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "long", max_examples=20_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")


@pytest.fixture(scope="session")
def own_server() -> Iterator[Cluster]:
    """One private PostgreSQL for the whole session, started when the first test asks for it."""
    with cluster() as made:
        yield made
