"""APScheduler, used here alone: interval jobs in UTC, in memory, each one at a time.

APScheduler swallows errors of jobs and logs skipped runs; a listener turns both into events of syncd.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from syncd.log import emit

Job = tuple[str, Callable[[], None], float]
"""Name, what to do, and every so many seconds."""


class Schedule:
    """Jobs that repeat from now on, each in a thread of its own and never twice at once."""

    def __init__(self, jobs: list[Job], now: datetime) -> None:
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # the listener says it, once and in our words
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(jobs))},
            jobstores={"default": MemoryJobStore()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(_tell, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        for name, action, seconds in jobs:
            trigger = IntervalTrigger(seconds=seconds, timezone=UTC)
            self._scheduler.add_job(action, trigger, id=name, next_run_time=now)

    def start(self) -> None:
        """Begin, with every job at once."""
        self._scheduler.start()

    def stop(self) -> None:
        """No job begins any more; one at work goes on."""
        self._scheduler.shutdown(wait=False)


def _tell(event: Any) -> None:
    if event.code == EVENT_JOB_ERROR:
        emit("job.failed", action=event.job_id, exc=event.exception)
    else:
        emit("job.skipped", action=event.job_id)
