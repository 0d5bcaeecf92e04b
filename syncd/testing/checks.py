"""The checks of the contract, as plain functions: the suite runs them against every adapter, sound or broken."""

from __future__ import annotations

from collections.abc import Callable

from syncd.testing.failures import FAILURES, SLOW_FAILURES
from syncd.testing.finding import (
    awkward_keys,
    credentials_travel_in_headers_only,
    nobody_is_found,
    scan_is_complete,
    scan_shows_what_fetch_shows,
    seen_by_hand,
)
from syncd.testing.row import World
from syncd.testing.spelling import (
    an_odd_member_is_one_unknown_field,
    awkward_values_come_back,
    hostile_text,
    projection_is_pure,
)
from syncd.testing.versions import a_second_write_over_one_reading_is_stale, a_version_tells_every_change
from syncd.testing.writing import (
    an_existing_key_is_never_overwritten,
    archived_over_there,
    clearing,
    removal,
    sample_round_trip,
    update_answers_what_is_stored,
    update_changes_planned_fields_only,
    update_is_idempotent,
    update_starts_from_the_given_record,
)

Check = Callable[[World], None]

CHECKS: tuple[Check, ...] = (
    sample_round_trip,
    nobody_is_found,
    update_changes_planned_fields_only,
    update_answers_what_is_stored,
    update_is_idempotent,
    update_starts_from_the_given_record,
    a_version_tells_every_change,
    a_second_write_over_one_reading_is_stale,
    clearing,
    an_existing_key_is_never_overwritten,
    scan_is_complete,
    scan_shows_what_fetch_shows,
    awkward_keys,
    credentials_travel_in_headers_only,
    removal,
    archived_over_there,
    projection_is_pure,
    hostile_text,
    awkward_values_come_back,
    an_odd_member_is_one_unknown_field,
    seen_by_hand,
    *FAILURES,
    *SLOW_FAILURES,
)
