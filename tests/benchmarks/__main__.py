"""`python -m tests.benchmarks [--full] [--readme] [--customers N] [NAME ...]`: every goal, measured; what is missed.

Every measurement is a process of its own with an end: what takes longer than `LONGEST` is given up, said, and the next
one begins. `--full` goes up to a million rows, `--customers` sets the size of the first load (5 providers), `--readme`
prints the table that README shows. Names (see `MEASURED`) choose some.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from syncd.log import setup
from tests.benchmarks.lines import MEASURED, Line, Sizes
from tests.benchmarks.load import patience

LONGEST = 900.0  # seconds for one measurement; with --full or many customers also what the load may take


def main() -> None:
    """Measure in children, one after the other, and print as they end; or be such a child (`--alone`)."""
    setup(level="error", format="json")
    asked = _asked()
    sizes = Sizes(full=asked.full, customers=asked.customers)
    if asked.alone:
        _measure(asked.alone, sizes)
        return
    if asked.readme:
        print("| measured | result | goal | |\n| --- | --- | --- | --- |")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the child ends with us, and what it started
    longest = LONGEST + patience(asked.customers) if asked.full or asked.customers > 5_000 else LONGEST
    for name in asked.names or MEASURED:
        for line in _apart(name, sizes, longest):
            print(_shown(line, readme=asked.readme), flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *MEASURED], help=", ".join(MEASURED))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--alone", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(name: str, sizes: Sizes) -> None:
    faulthandler.register(signal.SIGUSR1)
    with tempfile.TemporaryDirectory() as directory:
        for line in MEASURED[name](Path(directory), sizes):
            print(json.dumps(line), flush=True)


def _apart(name: str, sizes: Sizes, longest: float) -> Iterator[Line]:
    command = [sys.executable, "-m", "tests.benchmarks", "--alone", name, "--customers", str(sizes.customers)]
    child = subprocess.Popen(
        [*command, *(["--full"] if sizes.full else [])], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        told, _ = child.communicate(timeout=longest)
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGUSR1)  # says on stderr where it stands
        told = _ended(child)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    yield from (Line(*json.loads(line)) for line in told.splitlines())
    if child.returncode:
        yield Line(name, f"not measured: given up or failed (exit {child.returncode})", "an end", met=False)


def _ended(child: subprocess.Popen[str]) -> str:
    try:
        child.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # its sandboxes and daemons with it
    return child.communicate()[0]


def _shown(line: Line, *, readme: bool) -> str:
    verdict = "" if not line.goal else "met" if line.met else "missed"
    cells: Sequence[str] = (line.what, line.result, line.goal, verdict)
    return f"| {' | '.join(cells)} |" if readme else f"{cells[0]:<56} {cells[1]:<72} {cells[2]} {cells[3]}"


if __name__ == "__main__":
    main()
