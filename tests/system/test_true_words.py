"""What commands say about pairs that a person decided or must decide, and about a provider under another name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.cli import main
from syncd.operate.reading import chosen
from tests.system.landscape import Landscape, landscape

IGNORE = ("review", "resolve", "--kind", "ambiguous", "--provider", "aiotic", "--ignore", "--yes")


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Three customers, the second of whom has a stranger under his number at aiotic; the report is accepted."""
    with landscape(tmp_path, 3, ("aiotic",), create="after-match") as made:
        with made.site(exclusive=False) as site:
            (route,) = chosen(site, ())
            stranger = {"name": "Quaderstein", "email": "ilse@elsewhere.example", "street": "Fern 1", "city": "Ulm"}
            route.adapter.create(made.row(2)["number"], route.adapter.project(stranger))
        assert made.said("adopt", "aiotic", "--yes", "--json").data["accepted"]["review"] == 1
        yield made


def test_what_waits_for_a_person_is_not_tried_again(land: Landscape) -> None:
    """An ambiguous match waits for an answer, and no run tries it again meanwhile."""
    ended = land.said("run-once")
    assert (ended.code, "1 wait for review" in ended.out) == (5, True)
    assert "tried again later" not in ended.out


def test_what_a_person_chose_to_leave_is_no_difference(land: Landscape) -> None:
    """`verify` reports an open question, and not one that was answered with "leave it": a run would do nothing."""
    land.said("run-once")
    asked = land.said("verify", "--json")
    assert [(each["customer_key"], each["kind"]) for each in asked.data["differences"]] == [("2", "ambiguous")]
    assert land.said(*IGNORE).code == 0
    land.said("run-once")
    left = land.said("verify", "--json")
    assert (left.code, left.data["differences"]) == (0, [])


def test_explain_says_a_reason_once(tmp_path: Path) -> None:
    """Where nothing will be done, the line about what is next does not repeat what stands above it."""
    with landscape(tmp_path, 3, ("billbee",)) as made:
        made.sql("UPDATE customers SET country = 'Germany' WHERE id = 2")
        made.said("run-once")
        said = made.said("explain", "2").out
        assert "rejected: country" in said
        assert "next: nothing until this is mended" in said


def test_explain_decides_no_field_of_a_record_that_is_not_there(land: Landscape) -> None:
    """The JSON of a pair that is not linked has no verdicts about fields, as the lines for people have none."""
    land.said("run-once")
    (shown,) = land.said("explain", "2", "--json").data["providers"]
    assert (shown["external_id"], shown["fields"]) == (None, {})


def test_a_key_of_two_columns_is_not_answered_with_the_same_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`init` on a table without one key column says what to make first, and does not repeat what was just typed."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE kunden (a INTEGER, b INTEGER, name TEXT, email TEXT, PRIMARY KEY (a, b))")
    engine.dispose()
    with pytest.raises(SystemExit) as ended:
        main(["init", "--source", url, "--table", "kunden"])
    assert ended.value.code == 2
    assert "next:  make one of them, then: syncd init" in capsys.readouterr().err


def test_every_altered_trigger_stands_in_one_sentence(land: Landscape) -> None:
    """What is wrong with several triggers is told on one line, without escapes."""
    land.transaction("DROP TRIGGER syncd_customers_insert", "DROP TRIGGER syncd_customers_update")
    said = land.said("run-once")
    assert (said.code, "\\n" in said.err) == (2, False)
    assert "syncd_customers_insert" in said.err
    assert "syncd_customers_update" in said.err


def test_a_new_name_needs_the_adapter_of_the_old(land: Landscape) -> None:
    """A table with a name that is no adapter's must say which adapter it is, and the next command says so."""
    said = land.said("provider", "rename", "aiotic", "assistant")
    assert (said.code, 'adapter = "aiotic"' in said.out) == (0, True)
    text = land.config.read_text()
    land.config.write_text(text.replace("[providers.aiotic]", '[providers.assistant]\nadapter = "aiotic"'))
    assert land.said("plan").code == 0


def test_a_kept_report_claims_no_more_than_the_provider_can_show(tmp_path: Path) -> None:
    """Who is only over there stays unknown where nothing can be listed, read from a file as well."""
    with landscape(tmp_path, 2, ("azotte",), create="after-match") as made:
        report = str(tmp_path / "azotte.csv")
        assert "?  only_there" in made.said("match", "azotte", "--out", report).out
        assert "?  only_there" in made.said("adopt", "azotte", report, "--yes").out
