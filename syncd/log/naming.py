"""The name of a customer in every line of this process: the key, or its alias (`core.alias`).

Aliases are made with the state key, so customers are named from the moment when a state is opened. Before that, `[key]`
stands in place of a personal key.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from syncd.core.alias import Namer, is_personal, renamed, unnamed

_KEYS = ("customer_key", "was", "other_key")
_SENTENCES = ("reason", "detail", "error", "remedy", "command")


class Naming:
    """A processor of structlog that puts customers' names in place of their keys into every event, in all threads."""

    def __init__(self, how: Namer = unnamed) -> None:
        self.how = how

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        told = named(event, self.how)
        problems = told.get("problems")
        if isinstance(problems, list):
            told["problems"] = [named(each, self.how) if isinstance(each, Mapping) else each for each in problems]
        return told


def name_customers(how: Namer) -> None:
    """Name customers by `how` from now on, until the log is stopped. Does nothing where the log is not set up."""
    if (naming := in_force()) is not None:
        naming.how = how


def customer(key: str) -> str:
    """The name of the customer with this key, for a log, a page or a pipe."""
    naming = in_force()
    return (naming.how if naming is not None else unnamed)(key)


def in_force() -> Naming | None:
    """The processor of the log that is set up; None where there is none."""
    return next((each for each in structlog.get_config()["processors"] if isinstance(each, Naming)), None)


def named(fields: Mapping[str, Any], how: Namer) -> dict[str, Any]:
    """The fields of an event with customers' names in place of their keys, in its sentences and commands, too.

    Where a key is hidden, an external id that may be made of it (it equals the key, or is personal text) is hidden,
    too.
    """
    told = dict(fields)
    keys = [key for word in _KEYS if isinstance(key := told.get(word), str)]
    hidden = {key: shown for key in keys if (shown := how(key)) != key}
    for word in (*_KEYS, "external_id") if hidden else ():
        value = told.get(word)
        if isinstance(value, str) and (value in hidden or is_personal(value)):
            told[word] = how(value)
    for word in _SENTENCES:
        for key, shown in hidden.items():
            if isinstance(text := told.get(word), str):
                told[word] = renamed(text, key, shown)
    return told
