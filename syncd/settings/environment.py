"""The process environment, read here and nowhere else, when a caller asks and never at import time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _set_to(name: str) -> str:
    return field(default_factory=lambda: os.environ.get(name, ""))  # noqa: TID251  here is where it is read


@dataclass(frozen=True, slots=True)
class Environment:
    """What the shop's shell or systemd tells a process; every value is text and empty where it is not set."""

    config: str = _set_to("SYNCD_CONFIG")
    credentials_directory: str = _set_to("CREDENTIALS_DIRECTORY")
    journal_stream: str = _set_to("JOURNAL_STREAM")
    notify_socket: str = _set_to("NOTIFY_SOCKET")
    watchdog_usec: str = _set_to("WATCHDOG_USEC")
    no_color: str = _set_to("NO_COLOR")


def variable(name: str) -> str | None:
    """One variable that a settings file refers to by name."""
    return os.environ.get(name)  # noqa: TID251  a reference `env:NAME` can name any variable
