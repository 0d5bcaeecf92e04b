"""Texts by key in little memory: as a dictionary of lists would tell, in a fraction of its memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.packed import FEWEST, Packed

KEYS = st.text(alphabet=st.sampled_from('1"\\ \n[,]ü\u2028'), max_size=4) | st.text(max_size=8)
VALUES = st.binary(max_size=6).filter(lambda value: b"\n" not in value)


@given(st.lists(st.tuples(KEYS, VALUES)), KEYS)
def test_every_key_has_its_values_in_order(pairs: list[tuple[str, bytes]], other: str) -> None:
    """Whatever keys and values look like; a key that was never added has none."""
    packed, wanted = Packed(), dict[str, list[bytes]]()
    for key, value in pairs:
        packed.add(key, value)
        wanted.setdefault(key, []).append(value)

    assert len(packed) == len(wanted)
    for key in {other, *wanted}:
        assert packed.of(key) == wanted.get(key, [])
        assert (key in packed) == (key in wanted)


def test_a_long_list_in_little_memory() -> None:
    """Nothing is lost while the table grows, many values of one key cost no more than those of many, and what a
    dictionary of lists would take is out of all proportion."""
    count = 20 * FEWEST
    tracemalloc.start()
    packed = Packed()
    for number in range(count):
        packed.add(f"key {number}", str(number).encode())
    for number in range(count):
        packed.add("the same", str(number).encode())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert all(packed.of(f"key {number}") == [str(number).encode()] for number in range(count))
    assert packed.of("the same") == [str(number).encode() for number in range(count)]
    assert held < 100 * count
