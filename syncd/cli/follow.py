"""Follows a log that is still being written, also after it was rotated or truncated."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from syncd.status.lines import LONGEST

CHUNK = 1 << 20


class Tail:
    """Reads the new lines of a file, or of stdin (`path` None). `ended`: stdin was closed."""

    def __init__(self, path: Path | None) -> None:
        self.ended = False
        self._path = path
        self._rest = b""
        self._descriptor = -1
        if path is None:
            self._descriptor = sys.stdin.fileno()
            os.set_blocking(self._descriptor, False)

    def __enter__(self) -> Tail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path is None:
            os.set_blocking(self._descriptor, True)
        else:
            self._close()

    def read(self) -> list[bytes]:
        """The next whole lines, without waiting: at most `CHUNK` bytes. A file that does not exist (yet) has none."""
        data = self._read()
        if not data and self._path is not None and self._replaced():
            self._close()
            data = self._read()
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST or self.ended:
            whole, self._rest = [*whole, self._rest], b""
        return [line for line in whole if line]

    def _read(self) -> bytes:
        if self._descriptor < 0 and self._path is not None:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return b""
        self.ended = self._path is None and not data
        return data

    def _replaced(self) -> bool:
        """Whether the name stands for another file now, or the file became shorter than what was read."""
        if self._path is None or self._descriptor < 0:
            return False
        try:
            there, ours = os.stat(self._path), os.fstat(self._descriptor)
        except FileNotFoundError:
            return False
        cut = ours.st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR)
        return cut or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._rest = b""
