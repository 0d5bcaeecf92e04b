"""The allow-list: the keys that a line may have, each with the check of its values.

A key that is not listed, or a value that does not pass its check, is left out and counted as `dropped`; None is left
out without being counted. Syncd's own sentences (`reason`) are searched for what looks like personal data all the same:
one day a sentence will quote a provider.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

Verdict = tuple[object, int]
"""The value to show (None for nothing), and how many values were left out."""

Check = Callable[[object], Verdict]

LONGEST = 300
"""Characters of one text."""

MOST = 50
"""Elements of one list."""

_REFUSED: Verdict = (None, 1)
_NAME = re.compile(r"(?!.*\d{6})[A-Za-z][A-Za-z0-9_.-]{0,79}", re.ASCII)  # no run of digits: a VAT number
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}|\*", re.ASCII)
_HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}", re.ASCII)
_VERSION = re.compile(r"\d{1,4}(\.\d{1,6}){1,3}([A-Za-z0-9.+-]{0,20})", re.ASCII)
_DIGEST = re.compile(r"[0-9a-z_]{4,16}", re.ASCII)
_LIMIT = re.compile(r"\d{1,9}(\.\d{1,3})?%?/\d{1,6}(ms|s|m|h|d)|off", re.ASCII)
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)
_ENDPOINT = re.compile(r"[A-Z]{3,7} /[A-Za-z0-9_/{}.-]{0,150}", re.ASCII)
_PLACE = re.compile(r"[\w-]{1,60}\.[a-z]{2,10}(:\d{1,6}){0,2}( [\w.\[\]\"-]{1,120})?", re.ASCII)
_FRAME = re.compile(r"[\w./<>-]{1,120}:\d{1,6}(:[\w.<>]{1,80})?", re.ASCII)
_COMMAND = re.compile(r"(?:syncd|systemctl status|journalctl -u) [\x20-\x7e]{1,250}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_REQUEST = r"(?:GET|POST|PUT|PATCH|DELETE) (?:/(?:[A-Za-z_{}.-]{1,40}|v\d{1,2}))+(?![\w+/=%-])"  # ours: a template


def _kept_or_token(found: re.Match[str]) -> str:
    return found[1] or "[token]"


_PERSONAL: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\S*@\S+"), "[address]"),
    (re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "[url]"),
    (re.compile(rf"({_REQUEST})|(?=[A-Za-z+/=_-]*\d)[A-Za-z0-9+/=_%-]{{24,}}"), _kept_or_token),
    (re.compile(r"\+?\d[\d ()/.-]{5,}\d"), "[number]"),
    (re.compile(r"\S*[^\x00-\x7f]\S*"), "[text]"),
)


def number(value: object) -> Verdict:
    """A check: a count, an id of the state, a duration, a flag."""
    if isinstance(value, bool):
        return value, 0
    if isinstance(value, int) and abs(value) < 2**53:
        return int(value), 0
    if isinstance(value, float) and math.isfinite(value):
        return round(value, 3), 0
    return _REFUSED


def moment(value: object) -> Verdict:
    """A check: a datetime with its zone, shown in UTC; or a text in ISO form, shown as it is."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), 0
    return shaped(_MOMENT)(value)


def shaped(pattern: re.Pattern[str]) -> Check:
    """A check for texts that match a pattern as a whole. A member of a text enumeration is shown as its value."""

    def check(value: object) -> Verdict:
        return (str(value), 0) if isinstance(value, str) and pattern.fullmatch(value) else _REFUSED

    return check


def key(value: object) -> Verdict:
    """A check: a customer's key or an external id, any text that the source or a provider uses as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:LONGEST], 0
    if not isinstance(value, str):
        return _REFUSED
    return "".join(letter if letter.isprintable() else "?" for letter in value[:LONGEST]), 0


def sentence(value: object) -> Verdict:
    """A check: a sentence of syncd, with a mark in place of each part that looks like personal data."""
    if not isinstance(value, str):
        return _REFUSED
    text = " ".join(value[: 4 * LONGEST].split())
    for pattern, mark in _PERSONAL:
        text = pattern.sub(mark, text)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return (text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."), 0


def several(check: Check) -> Check:
    """A check for lists: the elements beyond `MOST`, and those that do not pass `check`, are left out and counted."""

    def check_all(value: object) -> Verdict:
        if isinstance(value, (set, frozenset)):
            value = sorted(value, key=str)
        if isinstance(value, str) or not isinstance(value, Sequence):
            return _REFUSED
        verdicts = [check(item) for item in value[:MOST]]
        kept = [shown for shown, _ in verdicts if shown is not None]
        return kept, sum(dropped for _, dropped in verdicts) + max(0, len(value) - MOST)

    return check_all


def counts(value: object) -> Verdict:
    """A check: a table of names with a number each, or with such a table each."""
    if not isinstance(value, Mapping):
        return _REFUSED
    kept, dropped = {}, 0
    for word, amount in value.items():
        shown, lost = counts(amount) if isinstance(amount, Mapping) else number(amount)
        named, _ = shaped(_NAME)(word)
        dropped += lost if named else 1
        if named and shown is not None:
            kept[str(named)] = shown
    return kept, dropped


def part(value: object) -> Verdict:
    """A check: a table inside a line, under the same allow-list."""
    return permitted(value) if isinstance(value, Mapping) else _REFUSED


def name_or_part(value: object) -> Verdict:
    """A check for `providers`: a name, or in a snapshot a table of the provider's figures."""
    return part(value) if isinstance(value, Mapping) else shaped(_NAME)(value)


def number_or_parts(value: object) -> Verdict:
    """A check for `problems`: a count, or in a snapshot a list of tables."""
    return number(value) if isinstance(value, int) else several(part)(value)


def permitted(fields: Mapping[str, object]) -> tuple[dict[str, object], int]:
    """The fields that may be shown, and how many values were left out."""
    kept, dropped = {}, 0
    for word, value in fields.items():
        if value is None:
            continue
        check = KEYS.get(word)
        shown, lost = check(value) if check else _REFUSED
        dropped += lost
        if shown is not None:
            kept[word] = shown
    return kept, dropped


def guard_limit(value: object) -> Verdict:
    """A check: a count, or a limit in the notation of the settings (`50%/24h`)."""
    return number(value) if isinstance(value, int | float) else shaped(_LIMIT)(value)


_NUMBERS = """
attempt attempts max_attempts count total used staged released share status exit_code duration_ms duration_s latency_ms
retry_after_s window_s lag_s oldest_s oldest_due_s pulse_age_s wait_s review_id generation epoch acks pid rows log_rows
changes changed seen read due retry linked ambiguous rejected review dead excluded created adopted updated pushed pulled
settled removed unlinked failed parked calls_month problems_total schema sample tripped loss_free backfilled dry_run
confirmed concurrency rate ok
"""
_NAMES = """
provider name adapter verb kind policy winner outcome mode state from_state to_state guard decision action by trigger
direction error_type error_class logger signal table sqlstate capture method how code lease_name
"""
_MOMENTS = "at since until retry_at due_at next_at last_ok started_at finished_at oldest_at opened_at closed_at pulse"


def _keys() -> dict[str, Check]:
    name = shaped(_NAME)
    groups = (
        (number, _NUMBERS),
        (name, _NAMES),
        (moment, _MOMENTS),
        (key, "customer_key external_id other_key was"),
        (sentence, "reason detail error remedy"),
        (shaped(_DIGEST), "revision config_hash"),
        (several(name), "writers caused_by tables"),
    )
    keys: dict[str, Check] = {word: check for check, words in groups for word in words.split()}
    return keys | {
        "run_id": shaped(_RUN),
        "field": shaped(_FIELD),
        "fields": several(shaped(_FIELD)),
        "limit": guard_limit,
        "version": shaped(_VERSION),
        "holder": shaped(_HOLDER),
        "host": shaped(_HOLDER),
        "endpoint": shaped(_ENDPOINT),
        "place": shaped(_PLACE),
        "where": shaped(_FRAME),
        "frames": several(shaped(_FRAME)),
        "command": shaped(_COMMAND),
        "counts": counts,
        "source": part,
        "storage": part,
        "daemons": several(part),
        "last_run": part,
        "providers": several(name_or_part),
        "problems": number_or_parts,
        "guards": several(part),
        "runs": several(part),
    }


KEYS: Mapping[str, Check] = MappingProxyType(_keys())
