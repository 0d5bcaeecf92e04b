"""Many histories, shared by several processes: each has a source and a state of its own in memory."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Iterator
from functools import partial

from tests.model.history import live, make


def lived(seeds: range, *, wide: bool, jobs: int) -> Iterator[tuple[int, list[str], float]]:
    """Each seed, what was wrong with its history and its CPU time in seconds, as they end."""
    one = partial(_one, wide=wide)
    if jobs == 1:
        _ready()
        yield from map(one, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _ready) as pool:
        yield from pool.imap_unordered(one, seeds, chunksize=4)


def _ready() -> None:
    """What is imported stays: nobody has to look through it for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _one(seed: int, *, wide: bool) -> tuple[int, list[str], float]:
    began = time.process_time()
    wrong = live(make(seed, wide=wide))
    return seed, wrong, time.process_time() - began
