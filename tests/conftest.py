"""How the laws draw their examples: the gate always the same ones, a long run by hand new ones every time.

A gate that draws anew turns red for changes that have nothing to do with it; one that measures time turns red on a busy
machine. New examples are looked for by hand: `pytest --hypothesis-profile=long tests/unit`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "long", max_examples=20_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")
