"""Six shops that nobody made for syncd go live by README alone, with customers whom the providers have already."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.log import setup
from tests.databases import database
from tests.system.shop_rows import WALKED
from tests.system.walk import walk

CUSTOMERS = 25  # each kind of trouble once; `python -m tests.system.real_shops` takes more


@pytest.mark.long
@pytest.mark.parametrize("shop", WALKED)
def test_a_real_shop_goes_live(shop: str, tmp_path: Path) -> None:
    """From init to run: no duplicate, nothing overwritten that plan did not show, every doubtful one in review; then
    edits travel both ways, and there is silence."""
    setup(level="error", format="json")
    with database(WALKED[shop].dialect, tmp_path) as url, walk(shop, url, tmp_path, CUSTOMERS) as walked:
        walked.go()
        walked.both_ways()
