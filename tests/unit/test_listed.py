"""Which records of a listing carry which key: nothing is mixed up, whatever keys and ids look like."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import Remote
from syncd.reconcile.listed import Shown, by_key

TEXTS = st.text(alphabet=st.sampled_from('1"\\ \n[,]ü\u2028'), max_size=4) | st.text(max_size=8)


@given(st.lists(st.tuples(st.none() | TEXTS, TEXTS)), TEXTS)
def test_each_key_has_its_records_in_order(listed: list[tuple[str | None, str]], other: str) -> None:
    """As a dictionary would tell, of the listing and of what came later alike; a key that nobody carries has none."""
    remotes = [Remote(external_id, key, {}) for key, external_id in listed]
    keys = by_key(remotes[::2])
    keys.add(remotes[1::2])

    for key in {other, *(key for key, _ in listed if key is not None)}:
        wanted = [r.external_id for r in remotes[::2] + remotes[1::2] if r.key == key]
        assert keys.ids(key) == tuple(wanted)


@given(st.lists(st.lists(st.tuples(TEXTS, st.none() | TEXTS, st.booleans()), max_size=4), max_size=6), TEXTS)
def test_what_pages_have_shown(pages: list[list[tuple[str, str | None, bool]]], other: str) -> None:
    """As sets and dictionaries would tell: every record is fresh once, whatever pages repeat; those that share a key in
    use are told, and the same record shown twice is no second one."""
    shown, fresh = Shown(), list[Remote]()
    for page in pages:
        fresh += shown.fresh(_records(page))

    first = {remote.external_id: remote for page in reversed(pages) for remote in _records(reversed(page))}
    carriers: dict[str, set[str]] = {}
    for remote in first.values():
        if remote.key is not None and not remote.archived:
            carriers.setdefault(remote.key, set()).add(remote.external_id)
    assert {remote.external_id: remote for remote in fresh} == first
    assert len(fresh) == len(shown.seen) == len(first)
    assert shown.double == {id_ for found in carriers.values() if len(found) > 1 for id_ in found}
    assert all(id_ in shown for id_ in first)
    assert (other in shown) == (other in first)


def _records(page: Iterable[tuple[str, str | None, bool]]) -> list[Remote]:
    return [Remote(id_, key, {}, archived=archived) for id_, key, archived in page]
