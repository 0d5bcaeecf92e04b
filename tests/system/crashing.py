"""The child side of the crash harness: `run-once` or `run` in a forked process that kills itself at a named point.

A template process imports everything once and forks for each run, so a run costs milliseconds instead of seconds.
Production code has no hooks: the points are wrapped around module functions in the child, after the fork.
"""

from __future__ import annotations

import importlib
import io
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from syncd import bootstrap, log
from syncd.daemon.serving import serve
from syncd.engine.run import Options, run_cycle
from syncd.errors import SyncdError
from syncd.providers.http import Http
from syncd.settings import load
from syncd.source import changelog, customers
from syncd.store import journal, mapping, work


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


# name -> (what it kills at, module, function, before or after the call)
POINTS: dict[str, tuple[ModuleType | type, str, str]] = {
    "F1 before the due pairs are committed": (_module("syncd.detect.capture"), "_mark", "after"),
    "F2 due pairs durable, not acknowledged": (changelog, "acknowledge", "before"),
    "F3 acknowledged": (changelog, "acknowledge", "after"),
    "F4 before the intents are committed": (journal, "open_intents", "after"),
    "F5 intent durable, nothing sent": (Http, "request", "before-write"),
    "F6 answered, nothing read": (Http, "request", "after-write"),
    "F7 answer read, id not durable": (_module("syncd.core.changes"), "_new", "before"),
    "F8 row saved, not committed": (mapping, "save_all", "after"),
    "F8 finished, not committed": (work, "finish", "after"),
    "F9 committed, not told": (_module("syncd.reconcile.record"), "_told", "before"),
    "S1 before the source is written": (customers, "update", "before"),
    "S2 source written, base not stored": (customers, "update", "after"),
    "U1 provider updated, base not stored": (_module("syncd.core.agreement"), "pushed", "before"),
    "U2 intent of an update closed, base not committed": (journal, "close_intents", "after"),
}


MEMORY = "out of memory"


def kill_at(point: str, nth: int) -> None:
    """SIGKILL this process at the n-th passing of a point."""
    owner, name, when = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)
    passed = [0]

    def hit() -> None:
        passed[0] += 1
        if passed[0] >= nth:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        writes = not when.endswith("-write") or (args[1] != "GET" and not kwargs.get("reading"))
        if when.startswith("before") and writes:
            hit()
        answer = real(*args, **kwargs)
        if when.startswith("after") and writes:
            hit()
        return answer

    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and module.__name__.startswith("syncd") and vars(module).get(name) is real:
            setattr(module, name, wrapped)
    if isinstance(owner, type):
        setattr(owner, name, wrapped)


def kill_after(seconds: float) -> None:
    """SIGKILL this process at whatever moment that is."""
    # a thread that does not hold back the daemon's signals would be ended by them
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def starve(megabytes: int) -> None:
    """Leave this process so much more memory and no more."""
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 1_000_000,) * 2)


def naive() -> None:
    """The protocol everybody writes first: no intent before the write, and a create is simply tried again."""

    def no_intent(*_args: Any, **_kwargs: Any) -> int:
        return 1_000_000_000

    def nobody(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
        return {}

    journal.open_intent = no_intent
    journal.update_intent = lambda *_args, **_kwargs: False
    journal.intents = nobody
    gathering = _module("syncd.reconcile.gather")
    gathering._looked_up = lambda _route, facts, _key, *, own: facts  # type: ignore[attr-defined]


def one_cycle(config: str, wait: float, *, scan: bool) -> int:
    """What `syncd run-once` does; the exit code says whether it came to its end."""
    try:
        settings = load(Path(config))
        log.setup(settings.log.level, "json", settings.log.file, stream=io.StringIO())
        with bootstrap.installation(settings) as site:
            run_cycle(site, Options(mode="run-once", wait=wait, scan=scan, exclusive=True))
    except SyncdError as error:
        print(type(error).__name__, error.message, file=sys.stderr)
        return 1
    return 0


def daemon(config: str) -> int:
    """What `syncd run` does. Its log is in the file."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        serve(Path(config), bootstrap.installation)
    except SyncdError as error:
        print(type(error).__name__, error.message, file=sys.stderr)
        return 1
    return 0


def serve_forks() -> None:
    """Read one wish a line (`command|config|point|n|seconds|wait|naive`), fork, run, answer with the way it ended."""
    for line in sys.stdin:
        command, config, point, nth, seconds, wait, protocol = line.rstrip("\n").split("|")
        child = os.fork()
        if child == 0:
            if protocol == "naive":
                naive()
            if point == MEMORY:
                # Thread.start waits for ever for a thread that got no memory to begin with; a service has a watchdog.
                signal.alarm(60)
                starve(int(nth))
            elif point:
                kill_at(point, int(nth))
            if seconds:
                kill_after(float(seconds))
            os._exit(daemon(config) if command == "run" else one_cycle(config, float(wait), scan=not point))
        status = _ended(child, float(wait) if command == "run" else 600.0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


def _ended(child: int, seconds: float) -> int:
    """How a process ended; one that is still there after so long is asked to end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(child, signal.SIGTERM)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    serve_forks()
