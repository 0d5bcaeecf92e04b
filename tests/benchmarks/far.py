"""The sandboxes in a process of their own, so that their work is not counted as ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from flask import Flask, jsonify

from syncd.sandbox import aiotic
from syncd.sandbox.five import _MODULES, NAMES
from syncd.sandbox.kit import Server, serve, twin_of


@contextmanager
def far_five(kept: int = 0) -> Iterator[Server]:
    """Addresses of five sandboxes over there; they end with the block. `kept`: how many of the last requests each of
    them keeps at least; 0 for all, which a long run has no room for."""
    with _far("five", kept) as server:
        yield server


@contextmanager
def far_many(count: int) -> Iterator[Server]:
    """So many providers `p1`, `p2` … of one kind, with records of their own."""
    with _far(str(count)) as server:
        yield server


@contextmanager
def _far(which: str, kept: int = 0) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.benchmarks.far", which, str(kept)]
    root = Path(__file__).parents[2]
    child = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        yield Server({}, json.loads(child.stdout.readline()))
    finally:
        child.kill()  # it holds nothing that is worth a farewell, and a busy one takes long for it
        child.wait()
        child.stdin.close()
        child.stdout.close()


def slow(server: Server, name: str, seconds: float) -> None:
    """From now on every answer of this provider takes so long; 0 ends that."""
    control = f"{server.url(name)}/_control/faults"
    httpx.delete(control, trust_env=False).raise_for_status()
    if seconds:
        fault = {"kind": "slow", "seconds": seconds, "times": 0}
        httpx.post(control, json=fault, trust_env=False).raise_for_status()


def received(server: Server, name: str) -> list[dict[str, Any]]:
    """The requests that came in since the last time this was asked, whole."""
    answer = httpx.get(f"{server.url(name)}/_control/received", trust_env=False, timeout=60.0)
    return list(answer.raise_for_status().json())


def _telling(made: Flask) -> Flask:
    twin = twin_of(made)

    @made.get("/_control/received")
    def told() -> Any:
        entries = twin.requests()
        twin.log.clear()
        return jsonify(
            [
                {
                    "method": e.method,
                    "url": e.path + (f"?{e.query}" if e.query else ""),
                    "headers": {name: value for name, value in e.headers.items() if value and name != "host"},
                    "body": e.body.decode(),
                    "status": e.status,
                }
                for e in entries
            ]
        )

    return made


def _apps(which: str, kept: int) -> list[Flask]:
    if which == "five":
        made = [_MODULES[name].create_app(_MODULES[name].create_twin()) for name in NAMES]
    else:
        made = [_numbered(number) for number in range(1, int(which) + 1)]
    for app in made:
        twin_of(app).kept, twin_of(app).indexed = kept, True
    return [_telling(app) for app in made]


def _numbered(number: int) -> Flask:
    twin = aiotic.create_twin()
    twin.name = f"p{number}"
    return aiotic.create_app(twin)


if __name__ == "__main__":
    with serve(_apps(sys.argv[1], int(sys.argv[2]))) as server:
        print(json.dumps(dict(server.ports)), flush=True)
        sys.stdin.read()
