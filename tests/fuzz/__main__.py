"""Every target COUNT times (default 10000; answers over the wire a tenth), from SEED; the exit code tells of finds."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.fuzz.hunt import hunt

if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as place:
        report = hunt(Path(place), *numbers)
    for name, count in report.ran.items():
        print(f"{count:8} {name}")
    for find in report.finds:
        print(find)
    print(f"{sum(report.ran.values())} inputs, {len(report.finds)} finds, {report.grown / 1e6:.0f} MB more at the end")
    sys.exit(1 if report.finds else 0)
