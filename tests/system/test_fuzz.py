"""The short form of `python -m tests.fuzz`: foreign bytes raise nothing, hang nothing, and leave no memory behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.hunt import hunt

COUNT = 250  # of each target; of answers over the wire a tenth


@pytest.mark.long
def test_foreign_bytes_break_nothing(tmp_path: Path) -> None:
    """Every target took its share, and none of it got out as anything but its own error."""
    found = hunt(tmp_path, COUNT, 3)

    assert found.finds == []
    assert set(found.ran.values()) == {COUNT, COUNT // 10}
    assert sum(name.startswith("answers of") for name in found.ran) == 5
