"""Put one wrong into a copy of the tree and see whether the core's tests notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.mutants.wrongs import Wrong

ROOT = Path(__file__).resolve().parents[2]
NOTICED_BY = {
    "merge": ("test_merge", "test_exchange_laws", "test_plan"),
    "plan": ("test_plan", "test_exchange_laws"),
    "verdicts": ("test_plan", "test_exchange_laws"),
    "recognition": ("test_plan", "test_exchange_laws"),
    "writes": ("test_plan", "test_exchange_laws", "test_guards"),
    "guards": ("test_guards", "test_plan"),
    "normalise": ("test_normalise", "test_exchange_laws"),
    "digest": ("test_normalise",),
    "backoff": ("test_backoff",),
}


def copy_tree(place: Path) -> Path:
    """A copy of program and tests that may be spoiled."""
    tree = place / "tree"
    for name in ("syncd", "tests"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def spoil(tree: Path, wrong: Wrong) -> str:
    """Put the wrong in; the text that stood there."""
    path = tree / "syncd" / "core" / f"{wrong.module}.py"
    text = (ROOT / "syncd" / "core" / f"{wrong.module}.py").read_text(encoding="utf-8")
    if text.count(wrong.old) != 1:
        raise LookupError(f"{wrong.module}: {wrong.old!r} does not stand there exactly once; the list is out of date")
    path.write_text(text.replace(wrong.old, wrong.new), encoding="utf-8")
    return text


def survives(tree: Path, wrong: Wrong) -> bool:
    """Whether the tests of this module pass in spite of the wrong."""
    text = spoil(tree, wrong)
    tests = [f"tests/unit/{name}.py" for name in NOTICED_BY[wrong.module]]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:xdist", "--hypothesis-seed=1", *tests]
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode == 0
    finally:
        (tree / "syncd" / "core" / f"{wrong.module}.py").write_text(text, encoding="utf-8")
