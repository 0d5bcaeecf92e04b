"""The destinations of lines: a stream, a file. A log that cannot be written never stops syncd: lost lines are counted,
and the count is logged later (`log.dropped`)."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from syncd.errors import Problem, SettingsError

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}


class Sink:
    """One destination of lines, safe for threads and for a signal handler that logs while a line is under way.

    `lost` counts lines since the last one that arrived.
    """

    def __init__(self, write: Callable[[bytes], None], render: Callable[[Mapping[str, object]], str]) -> None:
        self.lost = 0
        self._write = write
        self._render = render
        self._torn = False
        self._lock = threading.RLock()

    def send(self, event: Mapping[str, object]) -> bool:
        """Write an event; whether its line arrived. After a failure, the next line begins with a line feed: part of the
        lost line may stand there."""
        line = self._render(event).encode("ascii", "backslashreplace") + b"\n"
        with self._lock:
            torn, self._torn = self._torn, True
            try:
                self._write(b"\n" + line if torn else line)
            except (OSError, ValueError):  # full, broken pipe, would block; ValueError: a closed Python file
                self.lost += 1
                return False
            self._torn = False
            return True

    def take_lost(self) -> int:
        """The number of lost lines; the count begins anew."""
        with self._lock:
            lost, self.lost = self.lost, 0
            return lost


def stream_writer(stream: TextIO | None) -> Callable[[bytes], None]:
    """A function that writes one line to a stream, unbuffered where the stream has a file descriptor. It raises OSError
    or ValueError for a line that was not written. A process that was started without stderr has no stream (None)."""
    descriptor = file_number(stream)
    patience = [PATIENCE]

    def write(data: bytes) -> None:
        if stream is None:
            raise OSError("there is no stream")
        if descriptor is None:
            stream.write(data.decode("ascii"))
            stream.flush()
        elif stream.closed:  # the descriptor's number may be that of another file by now
            raise ValueError("the stream is closed")
        else:
            before, patience[0] = patience[0], 0.0
            patience[0] = _write_in_time(descriptor, data, before)

    return write


PATIENCE = 1.0  # seconds that a line may wait for the reader of a pipe; after a lost line, the next ones do not wait
_PIECE = 4096  # bytes that a pipe takes without waiting once `poll` says that it is ready


def _write_in_time(descriptor: int, data: bytes, patience: float) -> float:
    """Write all data within so many seconds, or raise OSError: a reader of stderr that has stopped reading must not
    stop syncd. Answers the patience for the next line."""
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    end = time.monotonic() + patience
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        while piece:
            if not ready.poll(max(end - time.monotonic(), 0.0) * 1000):
                raise BlockingIOError("nobody reads")
            piece = piece[os.write(descriptor, piece) :]
    return PATIENCE


class LogFile:
    """A log file that lines are appended to. After it was moved away (logrotate), a new one is made at its path. Raises
    `SettingsError` where the file cannot be opened."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._descriptor = self._open()
        except OSError as error:
            reason = f"cannot be opened for appending ({type(error).__name__})."
            raise SettingsError([Problem("log.file", reason, "Check the directory and its owner.")]) from None

    def write(self, data: bytes) -> None:
        """Append. Raises OSError."""
        if not self._in_place():
            self.close()
            self._descriptor = self._open()
        _write_all(self._descriptor, data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _in_place(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            there, ours = os.stat(self.path), os.fstat(self._descriptor)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def with_priority(render: Callable[[Mapping[str, object]], str]) -> Callable[[Mapping[str, object]], str]:
    """Lines for journald, which takes a line's priority from the `<N>` before it (sd-daemon(3))."""
    return lambda event: f"<{_PRIORITIES.get(str(event.get('level')), 6)}>{render(event)}"


def is_journal(stream: TextIO | None, journal_stream: str) -> bool:
    """Whether systemd connected a stream to the journal: `journal_stream` is `$JOURNAL_STREAM`, the device:inode of the
    connected one (systemd.exec(5))."""
    descriptor = file_number(stream)
    if descriptor is None or not journal_stream:
        return False
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal; a closed one is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def file_number(stream: TextIO | None) -> int | None:
    """The descriptor behind a stream; None for one in memory."""
    try:
        return stream.fileno() if stream is not None else None
    except (OSError, ValueError):
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
