"""The walk of the real shops at any size, told as a table: `python -m tests.system.real_shops --customers 200`."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from syncd.log import setup
from tests.databases import database
from tests.system.shop_rows import WALKED
from tests.system.walk import Step, Walk, walk


def main() -> None:
    """Walk every shop (or those that are named), and print what was seen of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shops", nargs="*", help=f"which of {', '.join(WALKED)}; default: all")
    parser.add_argument("--customers", type=int, default=200)
    asked = parser.parse_args()
    setup(level="error", format="json")
    for shop in asked.shops or WALKED:
        began = time.monotonic()
        with (
            tempfile.TemporaryDirectory() as name,
            database(WALKED[shop].dialect, Path(name)) as url,
            walk(shop, url, Path(name), asked.customers) as walked,
        ):
            print(f"{shop}: filled after {time.monotonic() - began:.0f} s", flush=True)
            walked.note = _note
            walked.go()
            walked.both_ways()
            _tell(walked, time.monotonic() - began)


def _note(step: Step) -> None:
    made = ", ".join(f"{name} {number}" for name, number in step.requests.items() if number)
    print(f"  {step.words:34} {step.wall:6.1f} s, {step.cpu:6.1f} s of CPU; requests: {made or 'none'}", flush=True)


def _tell(walked: Walk, seconds: float) -> None:
    seen, linked = walked.seen, walked.seen["linked"]
    print(f"{walked.shop} on {WALKED[walked.shop].dialect}: {len(walked.persons)} customers, {seconds:.0f} s, "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f} s of CPU so far")  # fmt: skip
    print(f"  plan: {', '.join(f'{number} {verb}' for verb, number in seen['plan'].items())}")
    for name, (before, after) in seen["records"].items():
        asked = {
            kind.partition(" ")[2]: number for kind, number in seen["review"].items() if kind.startswith(f"{name} ")
        }
        print(f"  {name:20} {before:5} records before, {after:5} after, {linked[name]:5} linked, in review: {asked}")


if __name__ == "__main__":
    main()
