"""Many histories, shared by several processes: each has a source and a state of its own in memory."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from functools import partial

from tests.model.history import live, make


def lived(seeds: range, *, wide: bool, jobs: int) -> Iterator[tuple[int, list[str], float]]:
    """Each seed, what was wrong with its history and its CPU time in seconds, as they end."""
    one = partial(_one, wide=wide)
    if jobs == 1:
        yield from map(one, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(one, seeds, chunksize=4)


def _one(seed: int, *, wide: bool) -> tuple[int, list[str], float]:
    began = time.process_time()
    wrong = live(make(seed, wide=wide))
    return seed, wrong, time.process_time() - began
