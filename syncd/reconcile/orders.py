"""People's decisions about a pair: rulings on its fields, and orders for the pair as a whole.

Review items hold the decisions, and the next look of any process acts on them, so a decision never races a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from syncd.core.facts import Ruling
from syncd.core.model import NOTHING, Direction
from syncd.core.questions import HELD_KINDS, Offer, offer_in
from syncd.store.review import LEAVE, LINK, Review

_TAKES: Mapping[str, Direction | None] = {
    "take:source": Direction.PUSH,
    "take:provider": Direction.PULL,
    "ignore": None,
}
_REMOVALS = {"take:source": "remove", "take:provider": "keep"}


class Orders(NamedTuple):
    """`word` and `held` as in `Facts`; `create`: create in spite of doubts, ordered at `create_at`; `external_id`: the
    record to link, and what a match report said of it (`told`), where the order follows from one."""

    rulings: Mapping[str, Ruling] = NOTHING
    create: bool = False
    word: str = ""
    external_id: str = ""
    held: tuple[str, str] | None = None
    told: Offer = Offer()
    create_at: datetime | None = None


_NO_ORDERS = Orders()


def orders(reviews: Sequence[Review]) -> Orders:
    """Read the orders from the items of one pair, oldest first. Open items count, and items decided by `LEAVE`."""
    if not reviews:
        return _NO_ORDERS
    rulings: dict[str, Ruling] = {}
    create, create_at, word, external_id, told = False, None, "", "", Offer()
    held: tuple[str, str] | None = None
    for item in reviews:
        is_open = item.closed_at is None
        if item.kind in HELD_KINDS and (item.decision in LEAVE or (is_open and not item.decision)):
            held = (item.kind, item.reason)
        if not is_open and item.decision != "ignore":
            continue
        if item.decision == "create":
            create, create_at = True, item.decided_at
        if item.decision.startswith(LINK):
            word, external_id = "link", item.decision.removeprefix(LINK)
            told = offer_in(item.reason)
        elif item.decision == "unlink":
            word = "unlink"
        elif item.kind == "delete_conflict":
            word = _REMOVALS.get(item.decision, word)
        elif item.decision in _TAKES:
            for name, shown in item.fields.items():
                rulings[name] = Ruling(_TAKES[item.decision], (shown[0], shown[1]))
    return Orders(rulings, create, word, external_id, held, told, create_at)
