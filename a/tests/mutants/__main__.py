"""Hunt all wrongs, or those of the modules named; the exit code is the number of survivors."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.mutants.hunt import copy_tree, survives
from tests.mutants.wrongs import WRONGS

if __name__ == "__main__":
    wanted = [wrong for wrong in WRONGS if not sys.argv[1:] or wrong.module in sys.argv[1:]]
    survivors = 0
    with tempfile.TemporaryDirectory() as place:
        tree = copy_tree(Path(place))
        for number, wrong in enumerate(wanted, 1):
            alive = survives(tree, wrong)
            survivors += alive
            print(
                f"{number:3} {'SURVIVES' if alive else 'noticed '}",
                f"{wrong.module}: {wrong.old.strip()} -> {wrong.new.strip()}",
                flush=True,
            )
    print(f"{len(wanted) - survivors} of {len(wanted)} noticed")
    sys.exit(min(survivors, 125))
