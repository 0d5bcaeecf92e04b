"""What is installed with syncd: how many packages, and the command that adds what is missing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from syncd.extras import MODULES, install

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DIRECT, INSTALLED = 14, 28
BUILD = {
    "hatchling",
    "packaging",
    "pathspec",
    "pluggy",
    "tomlkit",
    "trove-classifiers",
}  # gone again once the wheel is built
SERVER = {"psycopg", "psycopg-binary", "pymysql", "prometheus-client"}  # the extras that INSTALL.md brings along


def test_few_packages_come_along() -> None:
    """At most 14 named by us, and at most 28 at run time; the drivers and the metrics of a server are extras."""
    lock = (ROOT / "requirements-run.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"(?m)^([\w.-]+)(?:\[\w+\])?==", lock))

    assert len(PROJECT["project"]["dependencies"]) <= DIRECT
    assert locked > SERVER
    assert len(locked - BUILD - SERVER) <= INSTALLED, sorted(locked - BUILD - SERVER)


def test_every_extra_of_a_user_is_known_by_a_module() -> None:
    """The command below names all that are there."""
    assert set(MODULES) == set(PROJECT["project"]["optional-dependencies"]) - {"docs", "test"}


@pytest.mark.parametrize(
    ("receipt", "command"),
    [
        ("uv-receipt.toml", "uv tool install 'syncd[metrics,postgresql]'"),
        ("pipx_metadata.json", "pipx install --force 'syncd[metrics,postgresql]'"),
        ("bin/pip", "{prefix}/bin/pip install 'syncd[metrics]'"),
        ("pyvenv.cfg", "python3 -m venv .venv && .venv/bin/pip install '.[metrics]'   # in a checkout of syncd"),
    ],
)
def test_a_remedy_names_the_command_that_fits(tmp_path: Path, receipt: str, command: str) -> None:
    """As this syncd was installed; and what was there before is not lost."""
    (tmp_path / receipt).parent.mkdir(exist_ok=True)
    (tmp_path / receipt).touch()

    shown = install("metrics", tmp_path, lambda module: module if module == "psycopg" else None)

    assert shown == command.format(prefix=tmp_path)
