"""Reads `syncd.toml` into frozen settings, or into one list of all its problems.

Reading order: `model` (the frozen settings) · `tables` (the file's keys and defaults) · `values` (durations, rates,
guards) · `secret` (references to secrets) · `urls` · `places` (line numbers, problems) · `checks` (rules between keys)
· `selection` (rules of joins, filters and value maps, and of the providers' keys about them) · `frozen` (tables to
settings) · `environment` (the only reader of the process environment) · `load`.
"""

from syncd.settings.environment import Environment
from syncd.settings.load import find, load, registry
from syncd.settings.model import (
    Alerts,
    LogSettings,
    Metrics,
    ProviderSettings,
    Schedule,
    Settings,
    SourceSettings,
    StateSettings,
)

__all__ = [
    "Alerts",
    "Environment",
    "LogSettings",
    "Metrics",
    "ProviderSettings",
    "Schedule",
    "Settings",
    "SourceSettings",
    "StateSettings",
    "find",
    "load",
    "registry",
]
