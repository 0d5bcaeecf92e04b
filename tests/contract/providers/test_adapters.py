"""The contract of `ProviderAdapter`, held by every adapter of ours under every toggle of its sandbox.

A provider joins with a module `tests/contract/providers/<name>.py` that defines `ROW`.
"""

from __future__ import annotations

import importlib
import pkgutil

import tests.contract.providers as here
from syncd.testing import Row, suite


def _rows() -> list[Row]:
    modules = (importlib.import_module(f"{here.__name__}.{info.name}") for info in pkgutil.iter_modules(here.__path__))
    return [module.ROW for module in modules if hasattr(module, "ROW")]


TestAdapters = suite(*_rows())
