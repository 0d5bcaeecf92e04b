"""A provider gets another name in the settings, or leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store.leases import lock_file
from tests.system.installed import Installed, installed


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Installed]:
    """Three customers at one provider, in agreement."""
    with installed(tmp_path, capsys, ("aiotic",), 3) as site:
        assert site("run-once").code == 0
        yield site


def renamed(shop: Installed) -> None:
    """The table has another name in the settings from now on."""
    text = shop.config.read_text(encoding="utf-8")
    text = text.replace("[providers.aiotic]", '[providers.main]\nadapter = "aiotic"')
    shop.config.write_text(text, encoding="utf-8")


def test_a_renamed_provider_goes_on_where_it_was(shop: Installed) -> None:
    """Bases stay valid: an edit is pushed as one field, nobody is created, nothing else is sent."""
    renamed(shop)
    answer = shop("provider", "rename", "aiotic", "main")
    assert answer.code == 0
    assert "aiotic is main now: 3 links" in answer.out
    assert "undo:  syncd provider rename main aiotic" in answer.out

    shop.sql("UPDATE customers SET city = 'Neustadt' WHERE id = 2")
    assert shop("run-once").code == 0
    pushed = shop.state("SELECT provider, customer_key, fields FROM event WHERE event = 'pair.pushed'")
    assert pushed == [("main", "2", '["city"]')]
    assert shop.state("SELECT count(*) FROM event WHERE event = 'pair.created'") == [(3,)]
    assert shop("status").code == 0


def test_a_provider_that_left_the_settings_is_named_with_the_way_on(shop: Installed) -> None:
    """Its links do not vanish silently: status and doctor name both commands."""
    renamed(shop)

    for answer in (shop("status"), shop("doctor")):
        assert answer.code != 0
        assert "syncd provider rename aiotic NEW" in answer.out
        assert "syncd provider remove aiotic" in answer.out


def test_a_run_that_met_the_new_name_too_early_makes_room(shop: Installed) -> None:
    """Looks without a link under the new name are no obstacle, links are."""
    renamed(shop)
    shop.change('create = "always"', 'create = "after-match"')
    shop("run-once")
    assert shop.state("SELECT count(*) FROM work WHERE provider = 'main'") != [(0,)]

    assert shop("provider", "rename", "aiotic", "main").code == 0
    assert shop.state("SELECT DISTINCT provider FROM mapping") == [("main",)]
    again = shop("provider", "rename", "aiotic", "main")
    assert again.code == 2
    assert "the state knows no provider aiotic; it knows main" in again.err


def test_removing_needs_the_settings_to_agree_and_a_yes(shop: Installed) -> None:
    """What the settings still have is not removed; without a yes nothing is."""
    kept = shop("provider", "remove", "aiotic", "--yes")
    assert kept.code == 2
    assert "take [providers.aiotic] out of syncd.toml" in kept.err

    renamed(shop)
    unasked = shop("provider", "remove", "aiotic")
    assert (unasked.code, shop.state("SELECT count(*) FROM mapping")) == (2, [(3,)])
    answer = shop("provider", "remove", "aiotic", "--yes")
    assert answer.code == 0
    assert "aiotic is forgotten: 3 links" in answer.out
    assert shop.state("SELECT count(*) FROM mapping") == [(0,)]
    assert shop("doctor").code == 0


def test_no_provider_is_renamed_under_a_running_daemon(shop: Installed) -> None:
    """The lock of the state decides; nothing was changed, and the sentence says what to stop."""
    renamed(shop)
    with lock_file(shop.directory / "state.db"):
        answer = shop("provider", "rename", "aiotic", "main")

    assert answer.code == 8
    assert "then syncd provider rename aiotic main" in answer.err
    assert shop.state("SELECT DISTINCT provider FROM mapping") == [("aiotic",)]
