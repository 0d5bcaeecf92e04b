"""Run the targets, and judge: no foreign exception, no hang, no memory that stays."""

from __future__ import annotations

import random
import resource
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import targets

PATIENCE = 10.0  # seconds of processor time for one input
STUCK = 300.0  # seconds for one input that only waits, on a busy machine
MOST_MEMORY = 200e6  # bytes that a whole hunt may add to the process at its peak
MOST_FINDS = 3  # of one target; the rest is more of the same


@dataclass
class Hunted:
    """How many inputs each target took, what went wrong, and by how many bytes the peak of memory grew."""

    ran: dict[str, int] = field(default_factory=dict)
    finds: list[str] = field(default_factory=list)
    grown: float = 0.0


def hunt(directory: Path, count: int = 10_000, seed: int = 1) -> Hunted:
    """Each input is told again by its target, the seed and its number."""
    found = Hunted()
    with targets(directory) as wanted:
        before = _peak()
        for name, feed in wanted.items():
            ran = bad = 0
            while ran < (max(count // 10, 1) if name.startswith("answers") else count) and bad < MOST_FINDS:
                started, worked = time.monotonic(), time.process_time()
                trouble = ""
                try:
                    feed(random.Random(f"{seed} {name} {ran}"))
                except Exception:  # noqa: BLE001 - whatever gets out is what is hunted
                    trouble = traceback.format_exc(limit=-4)
                if time.process_time() - worked > PATIENCE or time.monotonic() - started > STUCK:
                    trouble = f"took {time.process_time() - worked:.0f} s of {time.monotonic() - started:.0f} s"
                if trouble:
                    bad += 1
                    found.finds.append(f"{name}, input {ran} of seed {seed}: {trouble}")
                ran += 1
            found.ran[name] = ran
        found.grown = max(0.0, _peak() - before)
    if found.grown > MOST_MEMORY:
        found.finds.append(f"{found.grown / 1e6:.0f} MB more at the end")
    return found


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
