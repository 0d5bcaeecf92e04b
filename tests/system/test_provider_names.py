"""A provider gets another name in the settings, or leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store.leases import lock_file
from tests.system.landscape import Landscape, landscape


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Three customers at one provider, in agreement."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        assert land.said("run-once").code == 0
        yield land


def renamed(land: Landscape) -> None:
    """The table has another name in the settings from now on."""
    text = land.config.read_text(encoding="utf-8")
    text = text.replace("[providers.aiotic]", '[providers.main]\nadapter = "aiotic"')
    land.config.write_text(text, encoding="utf-8")


def test_a_renamed_provider_goes_on_where_it_was(land: Landscape) -> None:
    """Bases stay valid: an edit is pushed as one field, nobody is created, nothing else is sent."""
    renamed(land)
    answer = land.said("provider", "rename", "aiotic", "main")
    assert answer.code == 0
    assert "aiotic is main now: 3 links" in answer.out
    assert "undo:  syncd provider rename main aiotic" in answer.out

    land.sql("UPDATE customers SET city = 'Neustadt' WHERE id = 2")
    assert land.said("run-once").code == 0
    pushed = land.recalled("SELECT provider, customer_key, fields FROM event WHERE event = 'pair.pushed'")
    assert pushed == [("main", "2", '["city"]')]
    assert land.recalled("SELECT count(*) FROM event WHERE event = 'pair.created'") == [(3,)]
    assert land.said("status").code == 0


def test_a_provider_that_left_the_settings_is_named_with_the_way_on(land: Landscape) -> None:
    """Its links do not vanish silently: status and doctor name both commands."""
    renamed(land)

    for answer in (land.said("status"), land.said("doctor")):
        assert answer.code != 0
        assert "syncd provider rename aiotic NEW" in answer.out
        assert "syncd provider remove aiotic" in answer.out


def test_a_run_that_met_the_new_name_too_early_makes_room(land: Landscape) -> None:
    """Looks without a link under the new name are no obstacle, links are."""
    renamed(land)
    land.change('create = "always"', 'create = "after-match"')
    land.said("run-once")
    assert land.recalled("SELECT count(*) FROM work WHERE provider = 'main'") != [(0,)]

    assert land.said("provider", "rename", "aiotic", "main").code == 0
    assert land.recalled("SELECT DISTINCT provider FROM mapping") == [("main",)]
    again = land.said("provider", "rename", "aiotic", "main")
    assert again.code == 2
    assert "the state knows no provider aiotic; it knows main" in again.err


def test_removing_needs_the_settings_to_agree_and_a_yes(land: Landscape) -> None:
    """What the settings still have is not removed; without a yes nothing is."""
    kept = land.said("provider", "remove", "aiotic", "--yes")
    assert kept.code == 2
    assert "take [providers.aiotic] out of syncd.toml" in kept.err

    renamed(land)
    unasked = land.said("provider", "remove", "aiotic")
    assert (unasked.code, land.recalled("SELECT count(*) FROM mapping")) == (2, [(3,)])
    answer = land.said("provider", "remove", "aiotic", "--yes")
    assert answer.code == 0
    assert "aiotic is forgotten: 3 links" in answer.out
    assert land.recalled("SELECT count(*) FROM mapping") == [(0,)]
    assert land.said("doctor").code == 0


def test_no_provider_is_renamed_under_a_running_daemon(land: Landscape) -> None:
    """The lock of the state decides; nothing was changed, and the sentence says what to stop."""
    renamed(land)
    with lock_file(land.state):
        answer = land.said("provider", "rename", "aiotic", "main")

    assert answer.code == 8
    assert "then syncd provider rename aiotic main" in answer.err
    assert land.recalled("SELECT DISTINCT provider FROM mapping") == [("aiotic",)]
