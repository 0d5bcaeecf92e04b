"""The two lock files: what a server installs is what the suite has tested, and not more than it needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = {"hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
EXTRAS = {"psycopg", "psycopg-binary", "pymysql", "prometheus-client"}


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, flags=re.MULTILINE))


def test_a_server_installs_what_was_tested() -> None:
    """Every version of the run-time lock is the one of the test lock."""
    tested, run = pins("requirements.lock"), pins("requirements-run.lock")

    assert {name: version for name, version in run.items() if name in tested and tested[name] != version} == {}
    assert run.keys() - tested.keys() <= BUILD


def test_few_packages_are_installed() -> None:
    """14 direct dependencies and 28 packages at the most, besides drivers and the build backend."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        direct = tomllib.load(file)["project"]["dependencies"]

    assert len(direct) <= 14
    assert len(pins("requirements-run.lock").keys() - BUILD - EXTRAS) <= 28
