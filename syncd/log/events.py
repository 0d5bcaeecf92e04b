"""Every event and its level. Names are API: the status page and people's alarms are built on them.

INFO: something changed. WARNING: may matter later. ERROR: a person must act. DEBUG: proves life, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        # the process
        "daemon.started": "info",  # capture is running
        "daemon.stopping": "info",
        "daemon.stopped": "info",
        "daemon.recovered": "info",  # the trouble that kept the daemon from working is over
        "config.loaded": "info",  # by SIGHUP
        "config.rejected": "error",
        "job.failed": "error",  # an unexpected error; the daemon goes on
        "job.skipped": "debug",  # the job's last run was still at work
        "operator.acted": "info",
        "status.snapshot": "info",
        "alert.failed": "warning",
        "library.logged": "warning",  # a library's own line, at the level that the library gave it
        "log.dropped": "warning",  # lines could not be written for a while
        # cycles and capture
        "cycle.started": "debug",
        "cycle.finished": "info",
        "capture.checked": "debug",
        "capture.acknowledged": "debug",
        "capture.broken": "error",
        "source.unreachable": "error",
        "state.unreachable": "error",
        "scan.finished": "debug",
        "drift.found": "warning",
        # one pair
        "pair.created": "info",
        "pair.adopted": "info",
        "pair.pushed": "info",
        "pair.pulled": "info",
        "pair.settled": "info",
        "pair.removed": "info",
        "pair.unlinked": "info",
        "pair.rekeyed": "info",
        "pair.lossy": "warning",  # once a field: the provider keeps less than was sent
        "pair.retried": "warning",
        "pair.rejected": "error",
        "pair.parked": "error",
        "pair.dead_lettered": "error",
        # decisions
        "conflict.opened": "error",
        "conflict.resolved": "info",
        "field.frozen": "error",
        "guard.tripped": "error",
        "review.decided": "info",
        # providers
        "lane.paused": "error",
        "lane.resumed": "info",
        "provider.throttled": "warning",
        "provider.probed": "debug",
    }
)
