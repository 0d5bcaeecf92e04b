"""A dead daemon's page: a small process of its own that shows, once the daemon is gone, that nothing updates the page
any more.

The daemon draws its page, and each time hands over (standard input: eight digits of length, then the text) what the
page must say if this was the last drawing. Where the daemon dies, or says nothing for `PATIENCE` seconds, the guard
shows that text. A frame of no length is the daemon's farewell: then the page stays as the daemon left it.
"""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

PATIENCE = 100.0
"""Seconds without a word: a page is drawn every 15 s and a snapshot told every 60 s."""

_DIGITS = 8


class Guard:
    """The daemon's end of the line. Not for several threads at once. A guard process that was killed is started
    again."""

    def __init__(self, page: Path, patience: float = PATIENCE) -> None:
        self._command = [sys.executable, "-m", "syncd.daemon.page_guard", str(page), str(patience)]
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self, text: str) -> None:
        """Hand over what the page must say if this was the last word. Raises OSError where no process can be had."""
        if self._process is not None and self._process.poll() is not None:
            _hang_up(self._process)
            self._process = None
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, stdin=subprocess.PIPE, start_new_session=True, env={}
            )
        self._send(text.encode("utf-8"))

    def dismiss(self) -> None:
        """Nothing is left to be said: the page stays as it is."""
        if self._process is not None:
            self._send(b"")
            _hang_up(self._process)
            self._process.wait()
            self._process = None

    def _send(self, data: bytes) -> None:
        if self._process is not None:
            try:
                stdin = _stdin(self._process)
                stdin.write(f"{len(data):0{_DIGITS}}".encode() + data)
                stdin.flush()
            except BrokenPipeError:
                self._process.kill()


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdin is None:
        raise OSError("no pipe")
    return process.stdin


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):
        _stdin(process).close()


def keep(page: Path, patience: float, given: IO[bytes]) -> None:
    """Until the farewell or the end of the daemon: hold its last word, and show it once it is the last one."""
    last, wait = "", patience
    while True:
        if not select.select([given], [], [], wait if last else None)[0]:
            _show(page, last)
            last = ""
            continue
        head = _exactly(given, _DIGITS)
        text = _exactly(given, int(head)) if head.isdigit() else b""
        if head.isdigit() and int(head) == 0:
            return
        if not text:
            _show(page, last)
            return
        last = text.decode("utf-8")


def _exactly(given: IO[bytes], size: int) -> bytes:
    """So many bytes; none where the other end is gone before them."""
    data = b""
    while len(data) < size:
        more = given.read(size - len(data))
        if not more:
            return b""
        data += more
    return data


def _show(page: Path, text: str) -> None:
    if text:
        from syncd.status.page import publish

        publish(page, text)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # sent to all of a service, while the daemon still drains
    keep(Path(sys.argv[1]), float(sys.argv[2]), open(0, "rb", buffering=0))  # noqa: SIM115 - as long as the process
