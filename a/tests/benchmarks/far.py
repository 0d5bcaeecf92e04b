"""The sandboxes in a process of their own, so that their work is not counted as ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.sandbox.five import serve_five
from syncd.sandbox.kit import Server


@contextmanager
def far_five() -> Iterator[Server]:
    """Addresses of five sandboxes over there; they end with the block."""
    command = [sys.executable, "-m", "tests.benchmarks.far"]
    root = Path(__file__).parents[2]
    child = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        yield Server({}, json.loads(child.stdout.readline()))
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


if __name__ == "__main__":
    with serve_five() as server:
        print(json.dumps(dict(server.ports)), flush=True)
        sys.stdin.read()
