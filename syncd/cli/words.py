"""Sentences of `syncd explain` for the reasons of decisions (`core.merge`) and for the error classes of due pairs."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "agreed": "as last agreed",
    "equal": "both mean the same",
    "off": "switched off in the settings",
    "not-mapped": "no source column",
    "frozen": "stopped: it swings between two writers",
    "unreadable": "the provider does not show it",
    "source-changed": "the source changed",
    "provider-changed": "the provider changed",
    "push-only": "only the source may change it",
    "pull-only": "only the provider may change it",
    "no-base": "nothing was agreed before",
    "first-seen": "the provider shows it for the first time",
    "late": "an older write of ours is still visible",
    "lossy": "the provider keeps less than was sent",
    "conflict": "both sides changed",
    "decided": "a person decided",
    "ignored": "a person said: leave it",
    "filled": "an empty side is filled",
    "composed": "it is composed of other fields here",
    "own-number": "linked under the record's own number",
    "renumbered": "the provider cannot renumber",
    "cannot-clear": "emptied here, and the provider cannot empty it",
    "erased": "the person seems to be erased at the provider",
    "read-only": "the source's column cannot be written",
    "no-row": "the customer has no such joined row (no address row)",
    "gutted": "one edit would empty most of this customer",
    "other-record": "another record or address stands under this link",
}
WAITS: Mapping[str, str] = {
    "absent": "The row is gone from the source; a second look makes sure.",
    "back": "The row was gone for a moment; it is looked at again.",
    "empty": "The whole source looks empty, which proves nothing.",
    "missing": "The row was not there when it was to be written.",
    "source-moved": "The row changed while it was looked at.",
    "unread": "A change of this key waits in the log.",
}
"""Why a pair waits for another look, in place of the text in its row of `work`, which may be a moment."""
