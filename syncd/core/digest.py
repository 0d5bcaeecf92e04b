"""Keyed digests: the state database remembers that a value is the same, never what it is."""

from __future__ import annotations

import hashlib

from syncd.core.model import Value
from syncd.core.normalise import as_text, canonical

SIZE = 16  # bytes; 32 hex characters


def digest(key: bytes, provider: str, provider_key: str, field: str, value: Value) -> str:
    """blake2b over provider, our key there, field and the canonical value; None and "" never meet.

    Our key at the provider is used rather than the customer key, so that a re-keyed customer keeps its base.
    """
    value = canonical(value)
    kind = type(value).__name__
    parts = (provider, provider_key, field, kind, as_text(value))
    message = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode("utf-8") for part in parts))
    return hashlib.blake2b(message, digest_size=SIZE, key=hashlib.sha256(key).digest()).hexdigest()
