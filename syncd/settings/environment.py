"""The process environment, read here and nowhere else, when somebody asks and never at import time."""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """What the shell or systemd tells a process; every value is text and empty where it is not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=True, hide_input_in_errors=True)

    config: str = Field("", validation_alias="SYNCD_CONFIG")
    credentials_directory: str = Field("", validation_alias="CREDENTIALS_DIRECTORY")
    journal_stream: str = Field("", validation_alias="JOURNAL_STREAM")
    notify_socket: str = Field("", validation_alias="NOTIFY_SOCKET")
    watchdog_usec: str = Field("", validation_alias="WATCHDOG_USEC")
    no_color: str = Field("", validation_alias="NO_COLOR")


def variable(name: str) -> str | None:
    """One variable that a settings file refers to by name."""
    return os.environ.get(name)  # noqa: TID251  a reference `env:NAME` can name any variable
