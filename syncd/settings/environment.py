"""The process environment. No other module reads it, and this one only when it is called, not at import."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _set_to(name: str) -> str:
    return field(default_factory=lambda: os.environ.get(name, ""))  # noqa: TID251  the one place that may


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that a shell or systemd sets for syncd; "" for one that is not set."""

    config: str = _set_to("SYNCD_CONFIG")
    credentials_directory: str = _set_to("CREDENTIALS_DIRECTORY")
    journal_stream: str = _set_to("JOURNAL_STREAM")
    notify_socket: str = _set_to("NOTIFY_SOCKET")
    watchdog_usec: str = _set_to("WATCHDOG_USEC")


def variable(name: str) -> str | None:
    """The variable that a settings file names by `env:NAME`; None where it is not set."""
    return os.environ.get(name)  # noqa: TID251  a reference `env:NAME` can name any variable
