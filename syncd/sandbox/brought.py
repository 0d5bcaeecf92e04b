"""Sandboxes that installed packages bring beside the five: entry points `syncd.sandboxes`, each a `Sandbox`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from flask import Flask

from syncd.clock import Clock
from syncd.errors import UsageError
from syncd.sandbox.twin import Twin

GROUP = "syncd.sandboxes"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A stand-in that `syncd sandbox` and `syncd demo` serve beside the five.

    `name` is that of its twin and of its adapter. `settings(url, secret)` gives the lines of its `[providers.NAME]`;
    `secret(NAME)` is what a line says for one of `secrets` (name to value, for this sandbox only).
    """

    name: str
    create_twin: Callable[[Clock | None], Twin]
    create_app: Callable[[Twin], Flask]
    settings: Callable[[str, Callable[[str], str]], Sequence[str]]
    secrets: Mapping[str, str] = field(default_factory=dict)


def brought() -> dict[str, Sandbox]:
    """Every sandbox that is installed, by name. Raises UsageError for an entry point that is none."""
    found = {}
    for entry in entry_points(group=GROUP):
        loaded = entry.load()
        if not isinstance(loaded, Sandbox):
            raise UsageError(f"{entry.value} is no syncd.sandbox.kit.Sandbox", remedy=f"mend or remove {entry.name}")
        found[loaded.name] = loaded
    return found
