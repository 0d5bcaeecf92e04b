"""A daemon as a real process: started, listened to as systemd would, signalled, and its log read."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Running:
    """One `syncd run`. `socket` is what systemd would hold; `log` is its stderr."""

    process: subprocess.Popen[bytes]
    log: Path
    socket: socket.socket

    def heard(self) -> list[str]:
        """The notifications that came in since the last look, one string each."""
        told = []
        while True:
            try:
                told.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return told

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """What it told so far, one event or all."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in told if not name or event["event"] == name]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 30.0) -> int:
        """SIGTERM; the exit code. It must not take longer than systemd would wait."""
        self.send(signal.SIGTERM)
        return self.process.wait(seconds)


def until(condition: Callable[[], object], seconds: float = 90.0) -> bool:
    """Wait for a condition; whether it came true. A busy machine takes its time, so the limit is far away."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.03)
    return bool(condition())


def goes_on(sign: Callable[[], object], times: int = 2) -> bool:
    """Wait until a sign of life was renewed so often. A daemon writes one before a poll, at most one a second: between
    two new ones it did whatever it wanted to do."""
    for _ in range(times):
        last = sign()
        if not until(lambda last=last: sign() != last):  # type: ignore[misc]
            return False
    return True


@contextmanager
def running(
    config: Path, directory: Path, environment: Mapping[str, str] | None = None, command: tuple[str, ...] = ()
) -> Iterator[Running]:
    """A started daemon, killed at the end if it is still there."""
    place = directory / f"notify-{time.monotonic_ns()}"
    log = directory / f"{place.name}.log"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(place))
    listener.setblocking(False)
    words = command or (sys.executable, "-m", "syncd", "run")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*words, "--config", str(config)],
            stdout=stream,
            stderr=stream,
            env={**os.environ, "NOTIFY_SOCKET": str(place), **(environment or {})},
        )
    try:
        yield Running(process, log, listener)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)
        listener.close()
