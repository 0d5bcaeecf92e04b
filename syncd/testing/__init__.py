"""The contract suite for adapters, for the packages that bring one: one line in a test file of yours holds it all.

    from syncd.testing import suite
    from acme_row import ROW

    TestAcme = suite(ROW)

`pytest` then runs every check against the adapter and its sandbox, under every toggle, and each deliberately broken
adapter, of which every one must be noticed. Needs `syncd[sandbox]` and pytest; nothing else of syncd imports this.
"""

import pytest

for name in ("checks", "failures", "finding", "spelling", "suite", "versions", "writing"):
    pytest.register_assert_rewrite(f"syncd.testing.{name}")

from syncd.testing.row import TIMEOUT, Breakage, Request, Row, StillClock, Toggles, World, opened  # noqa: E402
from syncd.testing.suite import suite  # noqa: E402

__all__ = ["TIMEOUT", "Breakage", "Request", "Row", "StillClock", "Toggles", "World", "opened", "suite"]
