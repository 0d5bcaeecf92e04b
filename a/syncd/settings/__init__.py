"""`syncd.toml` becomes frozen settings, or one list of everything that is wrong with it.

Reading order: `model` (what the rest of syncd sees) · `tables` (the file's keys and defaults) · `values` (durations,
rates, guards) · `secret` (references to secrets) · `places` (line numbers, problems) · `checks` (rules between keys) ·
`selection` (rules of joins, filters, value maps and what providers take of them) · `frozen` · `environment` (the only
reader of the process environment) · `load`.
"""

from syncd.settings.environment import Environment
from syncd.settings.load import find, load, registry
from syncd.settings.model import (
    Alerts,
    Guards,
    Limit,
    LogSettings,
    Metrics,
    ProviderSettings,
    Schedule,
    Settings,
    SourceSettings,
    StateSettings,
    Watch,
)

__all__ = [
    "Alerts",
    "Environment",
    "Guards",
    "Limit",
    "LogSettings",
    "Metrics",
    "ProviderSettings",
    "Schedule",
    "Settings",
    "SourceSettings",
    "StateSettings",
    "Watch",
    "find",
    "load",
    "registry",
]
