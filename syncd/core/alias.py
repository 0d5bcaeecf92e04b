"""How a customer is called in logs, pages and pipes: by the key, or by an alias where the key may name a person.

A number and a UUID say nothing about a person. Any other text may be an e-mail address or a name, so the alias is
`key-` and twelve hex digits, keyed by the state's secret: the same customer has the same alias everywhere, and without
the secret no guess can be tested. Commands take both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial

from syncd.core.model import FORMER

Namer = Callable[[str], str]
PLAIN, HASH = "plain", "hash"
UNNAMED = "[key]"
"""What stands for a personal key as long as no secret is known."""

REMOTE = "remote:"
"""Stands before the external id where an item is about a record that is no customer yet."""

_ALIAS = re.compile(rf"key-[0-9a-f]{{12}}(?:{FORMER.pattern})?")
_HARMLESS = re.compile(
    r"0|-?[1-9][0-9]{0,18}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}", re.ASCII
)


def is_personal(key: str) -> bool:
    """Whether a key may name a person: text that is neither a number nor a UUID."""
    return not (key == "" or key.startswith(REMOTE) or _HARMLESS.fullmatch(FORMER.sub("", key)) or is_alias(key))


def is_alias(text: str) -> bool:
    """Whether the text has the form of an alias. A key may have that form too, so an existing key goes first."""
    return _ALIAS.fullmatch(text) is not None


def alias(secret: bytes, key: str) -> str:
    """The alias of a key. A former key (`2†41`, the first owner of key 2) keeps its mark and so an alias of its own:
    `key-…†41`."""
    own, mark = FORMER.sub("", key), FORMER.search(key)
    keyed = hashlib.sha256(b"syncd alias" + secret).digest()
    return f"key-{hashlib.blake2b(own.encode('utf-8', 'replace'), digest_size=6, key=keyed).hexdigest()}" + (
        mark.group() if mark else ""
    )


def namer(mode: str, secret: bytes) -> Namer:
    """How `[log] customer_key` wants customers to be called: `plain`, `hash`, or "" for an alias where it is needed."""
    if mode == PLAIN:
        return str
    return partial(_named, secret, mode == HASH)


def _named(secret: bytes, every: bool, key: str) -> str:  # noqa: FBT001 - bound once, in `namer`
    wanted = is_personal(key) or (every and key != "" and not key.startswith(REMOTE) and not is_alias(key))
    return alias(secret, key) if wanted else key


def unnamed(key: str) -> str:
    """The namer of a process that knows no secret yet."""
    return UNNAMED if is_personal(key) else key


def renamed(text: str, key: str, shown: str) -> str:
    """The text with `shown` in place of the key, also where the key is quoted for a shell."""
    for spelled in dict.fromkeys((key, key.replace("'", "'\\''"), key.replace("'", "'\"'\"'"))):
        text = re.sub(rf"(?<!\w){re.escape(spelled)}(?!\w)", shown, text)
    return text
