"""What the settings and the words promise in passing, seen on a whole installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.core.model import Pair
from syncd.detect import walks
from syncd.detect.resync import look_at_everything
from syncd.engine.run import Options, run_cycle
from syncd.operate.review import decide, order_unlink
from syncd.store import work
from tests.contract.shop import Shop
from tests.system.people import people
from tests.system.road import road
from tests.system.test_both_ways import VIEW, newcomer

A_DAY = 90_000.0  # seconds: the sweep over everything comes round


def test_the_sweep_finds_every_row_that_left_unseen(
    sqlite_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are ordered as numbers in the source and as text in the state; a deletion that no trigger saw is found
    wherever its key stands, and however many there are."""
    with road(sqlite_shop, tmp_path, 0, ("aiotic",)) as way:
        monkeypatch.setattr(walks, "ROWS", 20)
        way.fill(people(104))
        with way.opened(tops='[guards]\ncreate = "off"\ndelete = "off"\n') as site:
            way.run()
            way.calm()
            way.clock.advance(A_DAY)
            way.run()
            way.shop.run(
                "DELETE FROM customers WHERE id IN (3, 98, 99) OR id BETWEEN 30 AND 90",
                "DELETE FROM syncd_change_log",
            )
            for _ in range(12):
                way.clock.advance(A_DAY / 5)
                run_cycle(site, Options(mode="once", rounds=1))
            for key in (3, 30, 57, 90, 98, 99):
                assert way.link("aiotic", key) is None, key
            assert way.link("aiotic", 97) is not None


def test_a_reset_looks_at_every_mapping_at_once(sqlite_shop: Shop, tmp_path: Path) -> None:
    """After a TRUNCATE or a recovery the sweep begins in the next cycle, not after another period."""
    with road(sqlite_shop, tmp_path, 3, ("aiotic",)) as way, way.opened() as site:
        way.run()
        way.calm()
        way.shop.run("DELETE FROM customers WHERE id = 2", "DELETE FROM syncd_change_log")
        with site.state.begin() as tx:
            look_at_everything(tx, site)
        way.run()
        with site.state.read() as tx:
            found = work.read(tx, Pair("aiotic", "2"))
        assert found is not None
        assert found.error_class == "absent"


def test_an_ignored_candidate_is_not_asked_again(sqlite_shop: Shop, tmp_path: Path) -> None:
    """A new record that looks like an unlinked customer is one question; every later listing respects the answer."""
    per = {"billbee": "inbound_create = true\n"}
    with road(sqlite_shop, tmp_path, 3, ("billbee",)) as way, way.opened(per=per) as site:
        way.run()
        way.calm()
        way.shop.run("UPDATE customers SET e_mail = 'neuling@example.org' WHERE id = 1")
        way.run()
        order_unlink(site.state, Pair("billbee", "1"), site.clock.now())
        way.run()
        newcomer(way, "billbee")
        way.clock.advance(700.0)
        way.run(scan=True)
        asked = [each for each in way.reviews("billbee") if each.kind == "candidate"]
        for each in asked:
            decide(site.state, each, "ignore", site.clock.now())
        for _ in range(2):
            way.clock.advance(700.0)
            way.run(scan=True)
        assert [each.kind for each in way.reviews("billbee")] == []


def test_nothing_is_created_where_everything_is_only_pulled(sqlite_shop: Shop, tmp_path: Path) -> None:
    """`direction = "pull"` means that nothing is sent there, a new customer neither."""
    with road(sqlite_shop, tmp_path, 3, ("aiotic",)) as way, way.opened(per={"aiotic": 'direction = "pull"\n'}):
        result = way.run()
        assert way.requests() == {"aiotic": 0}
        assert result.counts["aiotic"] == {"excluded": 3}


def test_a_field_that_cannot_be_emptied_there_is_told(sqlite_shop: Shop, tmp_path: Path) -> None:
    """Azotte keeps a value that the source has emptied: a person hears of it until the field is filled again."""
    with road(sqlite_shop, tmp_path, 3, ("azotte",)) as way, way.opened():
        way.run()
        way.calm()
        key = next(row["id"] for row in way.rows() if row["phone"])
        way.change(key, phone=None)
        way.run()
        assert [(each.kind, list(each.fields)) for each in way.reviews("azotte")] == [("cannot_clear", ["phone"])]
        before = way.requests()
        way.change(key, phone="+49 30 1234567")
        way.run()
        assert way.reviews("azotte") == []
        assert way.requests() != before


def test_a_key_changed_under_a_view_moves_the_link(any_shop: Shop, tmp_path: Path) -> None:
    """The first table under the view holds the customers: its changed key is theirs, and no record is made or lost."""
    moved = ("UPDATE people SET id = 20 WHERE id = 2", "UPDATE addresses SET customer_id = 20 WHERE customer_id = 2")
    with road(any_shop, tmp_path, 0, ("aiotic",)) as way:
        way.fill_view(people(3))
        with way.opened(source=VIEW):
            way.run()
            way.calm()
            external_id, before = way.external_id("aiotic", 2), way.requests()
            way.shop.run(*moved)
            way.run()
            assert way.external_id("aiotic", 20) == external_id
            assert way.link("aiotic", 2) is None
            way.clock.advance(500.0)
            way.run()
            assert way.requests() == before
            assert way.reviews() == []
