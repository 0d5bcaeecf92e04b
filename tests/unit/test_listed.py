"""Which records of a listing carry which key: nothing is mixed up, whatever keys and ids look like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import Remote
from syncd.reconcile.listed import add, by_key, ids

TEXTS = st.text(alphabet=st.sampled_from('1"\\ \n[,]ü\u2028'), max_size=4) | st.text(max_size=8)


@given(st.lists(st.tuples(st.none() | TEXTS, TEXTS)), TEXTS)
def test_each_key_has_its_records_in_order(listed: list[tuple[str | None, str]], other: str) -> None:
    """As a dictionary would tell, of the listing and of what came later alike; a key that nobody carries has none."""
    remotes = [Remote(external_id, key, {}) for key, external_id in listed]
    keys = by_key(remotes[::2])
    for remote in remotes[1::2]:
        add(keys, remote)

    for key in {other, *(key for key, _ in listed if key is not None)}:
        wanted = [r.external_id for r in remotes[::2] + remotes[1::2] if r.key == key]
        assert ids(keys, key) == tuple(wanted)
