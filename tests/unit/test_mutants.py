"""The tests of the core are worth something: they notice when the core is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.hunt import copy_tree, spoil, survives
from tests.mutants.wrongs import WRONGS

SAMPLE = 3


def test_the_list_is_up_to_date(tmp_path: Path) -> None:
    """Every wrong can still be put in: a list that no longer fits the code proves nothing."""
    tree = copy_tree(tmp_path)

    for wrong in WRONGS:
        spoil(tree, wrong)


@pytest.mark.long
def test_a_sample_of_wrongs_is_noticed(tmp_path: Path) -> None:
    """A few wrongs, spread over the list, fails the tests; `python -m tests.mutants` tries them all."""
    tree = copy_tree(tmp_path)
    sample = WRONGS[:: -(-len(WRONGS) // SAMPLE)]

    assert [wrong for wrong in sample if survives(tree, wrong)] == []
