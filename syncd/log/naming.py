"""The name of a customer in every line of this process: its key, or an alias (`core.alias`).

The secret of aliases lies with the state, so opening a state decides how customers are called from then on. Before
that, a personal key is `[key]`.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from syncd.core.alias import Namer, is_personal, renamed, unnamed

_KEYS = ("customer_key", "was", "other_key")
_SENTENCES = ("reason", "detail", "error", "remedy", "command")


class Naming:
    """A link of the log's chain: events go through it before anybody looks at them. `how` holds in all threads."""

    def __init__(self, how: Namer = unnamed) -> None:
        self.how = how

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        told = called(event, self.how)
        problems = told.get("problems")
        if isinstance(problems, list):
            told["problems"] = [called(each, self.how) if isinstance(each, Mapping) else each for each in problems]
        return told


def call_customers(how: Namer) -> None:
    """From now on customers are called like this, as long as the log is set up."""
    if (link := in_chain()) is not None:
        link.how = how


def customer(key: str) -> str:
    """What a customer is called where not only a person at a terminal reads."""
    link = in_chain()
    return (link.how if link is not None else unnamed)(key)


def in_chain() -> Naming | None:
    """The link of the log that is set up now."""
    return next((link for link in structlog.get_config()["processors"] if isinstance(link, Naming)), None)


def called(fields: Mapping[str, Any], how: Namer) -> dict[str, Any]:
    """The fields of an event with its customers' names for their keys, in its sentences and commands too.

    Where a key is hidden, an external id that may be made of it is hidden as well.
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
