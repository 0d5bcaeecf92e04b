"""Reading what a provider sent: strict JSON, and how long it asks us to wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.providers.strict import LONGEST_WAIT, SHORTEST_WAIT, Unreadable, parse_json, retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\\u0000"}',
        b'{"a": "\x00"}',
        b'{"a\\u0000": 1}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'["\xc3\xa4 \\ud83d"]',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 5000,
        b"9" * 41,
        b"0." + b"1" * 60,
        b"<html></html>",
        b"{} {}",
    ],
)
def test_refused(body: bytes) -> None:
    """What would break later is unreadable as a whole, and the message quotes nothing of it."""
    with pytest.raises(Unreadable) as caught:
        parse_json(body)
    assert str(caught.value).startswith("the body ")
    assert len(str(caught.value)) < 60


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", None),
        (b" \r\n", None),
        (b"null", None),
        (b'{"a": "\\ud83e\\udd50"}', {"a": "🥐"}),
        (b"17179869184000001", 17179869184000001),
        (b"[" * 60 + b"]" * 60, json.loads("[" * 60 + "]" * 60)),
        (b"1.5", 1.5),
    ],
)
def test_accepted(body: bytes, value: object) -> None:
    """Ordinary JSON comes out as it is, integers beyond 2^53 to the last digit, an empty body as None."""
    assert parse_json(body) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_agrees_with_json(value: object) -> None:
    """Everything that is no surprise is read as Python's own parser reads it."""
    body = json.dumps(value)
    if "\\u0000" in body:
        with pytest.raises(Unreadable):
            parse_json(body.encode())
    else:
        assert parse_json(body.encode()) == json.loads(body)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "0"}, 1.0),
        ({"retry-after": "-3"}, 1.0),
        ({"retry-after": "1000000000"}, 3600.0),
        ({"retry-after": "9" * 500}, 3600.0),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "٧"}, None),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": "Sun, 01 Mar 2026 12:00:20 GMT"}, 10.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sunday, 01-Mar-26 12:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 -0000", "date": DATE}, 30.0),
        ({"retry-after": "Mon, 01 Mar 2021 12:00:00 GMT", "date": DATE}, 1.0),
        ({"retry-after": "Sun, 01 Mar 2099 12:00:00 GMT", "date": DATE}, 3600.0),
        ({"retry-after": "Sun, 99 Mar 2026 12:00:00 GMT", "date": DATE}, None),
        ({"retry-after": "30", "x-ratelimit-retry-after": "9"}, 30.0),
        ({"x-ratelimit-retry-after": "9"}, 9.0),
        ({"retry-after": "soon", "x-ratelimit-retry-after": "9"}, 9.0),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 12), "date": DATE}, 12.0),
        ({"x-ratelimit-reset": "1", "date": DATE}, 1.0),
        ({"x-ratelimit-reset": "never"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Every form becomes seconds between one second and one hour, measured by the provider's own clock."""
    assert retry_after(headers, NOW) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "date", "x-ratelimit-reset"]), st.text()))
def test_retry_after_never_fails(headers: dict[str, str]) -> None:
    """Garbage is no answer, never an error."""
    wait = retry_after(headers, NOW)
    assert wait is None or SHORTEST_WAIT <= wait <= LONGEST_WAIT
