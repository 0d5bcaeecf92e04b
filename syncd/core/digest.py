"""Keyed digests: with them the state can tell whether a value is still the same, and never holds the value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

from syncd.core.model import Value
from syncd.core.normalise import as_text, canonical

SIZE = 16  # bytes; 32 hex characters


def digest(key: bytes, provider: str, provider_key: str, field: str, value: Value) -> str:
    """blake2b over provider, our key there, field and the canonical value; an empty text counts as None.

    Our key at the provider is used rather than the customer key, so that a re-keyed customer keeps its base.
    """
    return digester(key, provider, provider_key)(field, value)


def digester(key: bytes, provider: str, provider_key: str) -> Callable[[str, Value], str]:
    """`digest` for one pair, with a memory: one look digests the same few values many times."""
    begun = _keyed(key).copy()
    begun.update(_framed(provider) + _framed(provider_key))
    known: dict[tuple[str, Value], str] = {}

    def one(field: str, value: Value) -> str:
        found = known.get((field, value))
        if found is None:
            plain, message = canonical(value), begun.copy()
            message.update(_head(field, type(plain).__name__) + _framed(as_text(plain)))
            found = known[field, value] = message.hexdigest()
        return found

    return one


@lru_cache(8)
def _keyed(key: bytes) -> hashlib.blake2b:
    """The hash under this key before any input; to be copied."""
    return hashlib.blake2b(digest_size=SIZE, key=hashlib.sha256(key).digest())


@lru_cache(1024)
def _head(field: str, kind: str) -> bytes:
    """The bytes before a value; kept, because all customers share them."""
    return _framed(field) + _framed(kind)


def _framed(part: str) -> bytes:
    raw = part.encode("utf-8")
    return len(raw).to_bytes(4, "big") + raw
