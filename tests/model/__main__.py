"""`python -m tests.model --seed 123` lives one history and tells it; `--histories 100000` lives many."""

from __future__ import annotations

import argparse
import sys
import time

from tests.model.history import live, make, shrunk
from tests.model.many import lived


def main() -> int:
    """0 when every history came out right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--wide", action="store_true", help="the wide world")
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the histories")
    parser.add_argument("--no-shrink", action="store_true")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return tell(chosen.seed, wide=chosen.wide, shrink=not chosen.no_shrink)
    began, failed = time.monotonic(), 0
    seeds = range(chosen.start, chosen.start + chosen.histories)
    cpu = 0.0
    for seed, wrong, seconds in lived(seeds, wide=chosen.wide, jobs=chosen.jobs):
        cpu += seconds
        if wrong:
            failed += 1
            print(f"seed {seed}: {wrong[0].strip().splitlines()[-1][:300]}", flush=True)
            if not chosen.keep_going:
                return tell(seed, wide=chosen.wide, shrink=not chosen.no_shrink)
    seconds = time.monotonic() - began
    print(f"{chosen.histories} histories, {failed} wrong, {seconds:.1f} s, {cpu / max(len(seeds), 1):.2f} s CPU each")
    return 1 if failed else 0


def tell(seed: int, *, wide: bool, shrink: bool) -> int:
    """One history in full, shortened where it fails."""
    history = make(seed, wide=wide)
    wrong = live(history)
    if wrong and shrink:
        history = shrunk(history, wrong)
    print(f"seed {seed}\n{history.setting}")
    wrong = live(history, tell=print)
    for step in history.steps:
        print("   ", step)
    print("\n".join(wrong) or "all in order")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
