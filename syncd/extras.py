"""The command that installs a missing extra, for the way in which this syncd was installed: uv, pipx or pip."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

MODULES = {"metrics": "prometheus_client", "mysql": "pymysql", "postgresql": "psycopg", "sandbox": "flask"}
"""Each extra, with a module that only this extra brings."""


def install(extra: str, prefix: Path = Path(sys.prefix), there: Callable[[str], object] = find_spec) -> str:
    """The command for one more extra. uv and pipx install anew, so it names those that are there already as well; the
    Debian package and the container have no pip, and nothing is added to them."""
    wanted = sorted({extra, *(name for name, module in MODULES.items() if there(module) is not None)})
    both = f"'syncd[{','.join(wanted)}]'"
    if (prefix / "uv-receipt.toml").exists():
        return f"uv tool install {both}"
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx install --force {both}"
    if (prefix / "bin" / "pip").exists():
        return f"{prefix}/bin/pip install 'syncd[{extra}]'"
    return f"python3 -m venv .venv && .venv/bin/pip install '.[{extra}]'   # in a checkout of syncd"
