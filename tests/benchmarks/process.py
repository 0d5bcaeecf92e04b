"""A daemon as a process of its own, and what such a process has used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAREWELL = 60.0  # seconds for what it has under way
UNIT = Path(__file__).parents[2] / "deploy" / "syncd.service"


@contextmanager
def daemon_of(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`syncd run` with the settings in this directory, its log beside them, and the environment that its unit gives it;
    it ends with the block."""
    unit = dict(re.findall(r"(?m)^Environment=(\w+)=(\S+)$", UNIT.read_text(encoding="utf-8")))
    with (directory / "log").open("ab") as log:
        command = [sys.executable, "-m", "syncd", "run", "--config", str(directory / "syncd.toml")]
        process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, **unit})
        try:
            yield process
        finally:
            process.terminate()
            process.wait(FAREWELL)


def used(pid: int) -> float:
    """CPU seconds of a process so far (proc(5): fields 14 and 15, in hundredths)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def megabytes(pid: int) -> float:
    """Its resident memory (proc(5): VmRSS)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
