"""`python -m tests.benchmarks [--full]`: the measurements, printed; `--full` goes up to a million rows."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.beside import neighbours, own_poison
from tests.benchmarks.measure import memory, polls, throughput

SIZES = (1_000, 10_000, 100_000)


def main() -> None:
    full = "--full" in sys.argv
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "throughput").mkdir()
        through = throughput(place / "throughput", 500 if full else 200)
        for name, cost in (("syncd", through.syncd), ("bare httpx", through.bare)):
            print(f"one update, {name:<10}  {cost.cpu:6.2f} ms CPU  {cost.wall:6.2f} ms")
        print(f"ratio                       {through.ratio:6.2f}")
        for poll in polls(place, (*SIZES, 1_000_000) if full else SIZES):
            cost = poll.cost
            print(f"one change in {poll.rows:>9} rows  {cost.cpu:6.2f} ms CPU  {poll.statements} statements")
        for size, peak in memory(place, SIZES[: 3 if full else 2]):
            print(f"first pass over {size:>7} rows  {peak:6.1f} MB at most")
        took = neighbours(place) | {"own poison record": own_poison(place)}
        for name, seconds in took.items():
            print(f"beside: {name:<18}      {seconds * 1000:6.0f} ms  ratio {seconds / took['nobody']:4.2f}")


if __name__ == "__main__":
    main()
