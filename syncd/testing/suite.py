"""The suite: a class for pytest that runs all checks against all rows."""

from __future__ import annotations

import pytest

from syncd.testing.checks import CHECKS, Check
from syncd.testing.row import Breakage, Row, Toggles, opened


def suite(*rows: Row) -> type:
    """A test class for these rows; give it a name that begins with `Test` in a module that pytest collects."""

    class TestContract:
        """The contract of `ProviderAdapter`, held by every adapter under every toggle of its sandbox."""

        @pytest.mark.parametrize(("row", "toggles", "check"), _cases(rows))
        def test_contract(self, row: Row, toggles: Toggles, check: Check) -> None:
            """The rule is the docstring of the check."""
            with opened(row, toggles) as world:
                check(world)

        @pytest.mark.parametrize(
            ("row", "breakage"),
            [pytest.param(row, broken, id=f"{row.name}-{broken.name}") for row in rows for broken in row.breakages],
        )
        def test_breakage_is_noticed(self, row: Row, breakage: Breakage, monkeypatch: pytest.MonkeyPatch) -> None:
            """A deliberately broken adapter fails at least one check."""
            breakage.apply(monkeypatch)
            noticed = any(_fails(row, breakage.toggles, check) for check in (*row.checks, *CHECKS))
            assert noticed, (
                f"every check passes with {breakage.name}: samples or changes do not touch what it breaks, it shows "
                "under a toggle that it does not name, or a check for it is missing (Row.checks)"
            )

        @pytest.mark.parametrize("row", rows, ids=lambda row: row.name)
        def test_row_tells_enough(self, row: Row) -> None:
            """A row has several samples, several changes, keys that need care and adapters broken on purpose."""
            assert len(row.samples) >= 3
            assert len(row.changes) >= 3
            assert row.awkward
            assert len(row.breakages) >= 5

    return TestContract


def _cases(rows: tuple[Row, ...]) -> list[object]:
    return [
        pytest.param(row, toggles, check, id=f"{row.name}-{_shown(toggles)}-{check.__name__}")
        for row in rows
        for toggles in row.all_variants()
        for check in (*CHECKS, *row.checks)
    ]


def _shown(toggles: Toggles) -> str:
    return "+".join(toggles.values()) or "defaults"


def _fails(row: Row, toggles: Toggles, check: Check) -> bool:
    try:
        with opened(row, toggles) as world:
            check(world)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever it is, somebody noticed
        return True
    return False
