"""The kinds of questions that a person may be asked about a pair."""

from __future__ import annotations

FIELD_KINDS = (
    "conflict",
    "no_base",
    "pull_only",
    "first_seen",
    "read_only",
    "no_row",
    "gutted",
    "erased",
    "other_record",
    "does_not_fit",
    "frozen",
    "renumbered",
    "cannot_clear",
)
PAIR_KINDS = (
    "remote_gone",
    "remote_archived",
    "unknown_create",
    "key_taken",
    "came_back",
    "found",
    "delete_conflict",
    "taken",
)
HELD_KINDS = ("candidate", "ambiguous", "unlinked")
"""Questions that hold back a create until they are answered; they close when the customer is linked or gone."""
