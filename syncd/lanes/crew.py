"""The threads: `drain` takes a lane's due pairs until none is left, and `Crew` lets lanes work beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from datetime import datetime
from typing import NamedTuple

from syncd.core.model import Work
from syncd.lanes.gate import Lane


class Report(NamedTuple):
    """How one look at a pair ended; `kind` is one of the words that the log line `cycle.finished` counts."""

    kind: str
    retry_at: datetime | None = None


def drain(
    lane: Lane,
    take: Callable[[frozenset[str]], Sequence[Work]],
    handle: Callable[[Sequence[Work]], None],
    limit: int | None = None,
) -> int:
    """Take due pairs and hand them on until none is left, the lane pauses, or the stop signal comes.

    A lane with one thread works in the caller's thread, which makes a simulation deterministic. The same customer is
    never in two threads. At most `limit` pairs; answers how many were handled.
    """
    with lane.processor.at_work():
        if lane.concurrency == 1:
            return _drain_here(lane, take, handle, limit)
        return _drain_threads(lane, take, handle, limit)


def _open_for_work(lane: Lane) -> bool:
    lane.seen = lane.clock.monotonic()
    return not lane.stop.is_set() and not lane.leave and lane.paused_until() is None


def _drain_here(
    lane: Lane,
    take: Callable[[frozenset[str]], Sequence[Work]],
    handle: Callable[[Sequence[Work]], None],
    limit: int | None,
) -> int:
    done = 0
    while _open_for_work(lane) and (limit is None or done < limit):
        batch = take(frozenset())
        if limit is not None:
            batch = batch[: limit - done]
        if not batch:
            break
        handle(batch)
        done += len(batch)
    return done


def _drain_threads(
    lane: Lane,
    take: Callable[[frozenset[str]], Sequence[Work]],
    handle: Callable[[Sequence[Work]], None],
    limit: int | None,
) -> int:
    done = 0
    busy: dict[Future[None], tuple[str, ...]] = {}
    with ThreadPoolExecutor(lane.concurrency, thread_name_prefix=f"lane-{lane.name}") as pool:
        while True:
            while len(busy) < (threads := lane.threads()) and _open_for_work(lane) and (limit is None or done < limit):
                taken = frozenset(key for keys in busy.values() for key in keys)
                batch = take(taken)
                if limit is not None:
                    batch = batch[: limit - done]
                if not batch:
                    break
                done += len(batch)
                for part in _parts(batch, threads - len(busy) if len(batch) < lane.group() else 1):
                    keys = tuple(work.pair.key for work in part)
                    lane.turns.draw(keys)
                    busy[pool.submit(copy_context().run, _in_turn, lane, handle, part)] = keys
            if not busy:
                return done
            finished, _ = wait(busy, return_when=FIRST_COMPLETED)
            for future in finished:
                del busy[future]
                future.result()


def _in_turn(lane: Lane, handle: Callable[[Sequence[Work]], None], part: Sequence[Work]) -> None:
    try:
        handle(part)
    finally:
        lane.turns.over(part[0].pair.key)  # after an error too: else the groups behind this one would wait for ever


def _parts(batch: Sequence[Work], threads: int) -> list[Sequence[Work]]:
    """The last pairs, fewer than a group, are shared among `threads` free threads."""
    size = -(-len(batch) // threads)
    return [batch[start : start + size] for start in range(0, len(batch), size)]


class Crew:
    """Lanes that work beside each other, none waiting for another: the daemon sets idle ones to work at every poll."""

    def __init__(self, lanes: int) -> None:
        self._pool = ThreadPoolExecutor(max(lanes, 1), thread_name_prefix="lane")
        self._busy: dict[str, Future[None]] = {}

    def busy(self) -> frozenset[str]:
        """The lanes whose job has not been reported as ended."""
        return frozenset(self._busy)

    def start(self, name: str, job: Callable[[], None]) -> None:
        """Start the job of a lane that is not busy."""
        self._busy[name] = self._pool.submit(copy_context().run, job)

    def ended(self, seconds: float) -> dict[str, BaseException | None]:
        """Wait at most this long for all jobs. Answers the ended lanes, each with its error or None."""
        done, _ = wait(self._busy.values(), timeout=seconds)
        ended = {name: future.exception() for name, future in self._busy.items() if future in done}
        self._busy = {name: future for name, future in self._busy.items() if future not in done}
        return ended

    def close(self) -> None:
        """Start no more jobs. Does not wait: a caller that must not leave a job behind asks `ended` first."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def together(jobs: Sequence[Callable[[], None]]) -> None:
    """Run every lane beside the others and wait for all; the first unexpected error is raised when all have ended."""
    if len(jobs) == 1:
        jobs[0]()
        return
    with ThreadPoolExecutor(max(len(jobs), 1), thread_name_prefix="lane") as pool:
        futures = [pool.submit(copy_context().run, job) for job in jobs]
    for future in futures:
        future.result()
