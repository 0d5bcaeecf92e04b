"""Records that only a provider has: how many may come in at once, which of them wait, and what a release lets in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.model import Remote, Verb
from syncd.detect.intake import Obstacle, in_the_way
from syncd.engine.run import Options, run_cycle
from syncd.sandbox.faults import Fault
from syncd.source import customers
from syncd.store import journal, progress, review
from tests.system.landscape import Landscape, landscape
from tests.system.test_review import by_number, decide, link, only, waiting

NAMES = ("aiotic", "jtl")
GUARD = '[guards]\noverwrite = "2/24h"\n'


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Three customers at two providers; new ones of aiotic are wanted, two a day."""
    inbound = {"aiotic": "inbound_create = true\n"}
    with landscape(tmp_path, 3, NAMES, head=GUARD, extra=inbound) as made:
        made.run(scan=True)
        yield made


def come(land: Landscape, *numbers: int, **more: Any) -> None:
    """People make these customers at aiotic; each resembles nobody."""
    like = land.twin("aiotic").records["1001"]
    for number in numbers:
        own = {"number": str(number), "name": f"Neu {number}", "email": f"neu{number}@example.org", "vat_number": None}
        own["id"] = f"00000000-0000-0000-0000-00000000{number}"
        land.twin("aiotic").put(str(number), {**like, **own, "phone_number": None, **more})


def names(land: Landscape) -> set[int]:
    """The newcomers that have a row."""
    return {int(row["number"]) for row in land.rows() if row["number"].startswith("7")}


def test_a_release_lets_in_exactly_the_records_it_showed(land: Landscape) -> None:
    """Beyond the guard new rows wait under one item; its number lets in what it showed, whoever came since waits on."""
    come(land, 7001, 7002, 7003, 7004)
    first = land.said("run-once", "--scan")
    assert first.code == 6
    assert len(names(land)) == 2
    shown = only(land, kind="guard_insert")
    assert (shown["count"], shown["customer_key"], shown["fields"]) == (2, "", [])
    assert land.said("run-once", "--scan").code == 5, "nothing more is held back than before"
    assert only(land)["id"] == shown["id"]
    outside = {7001, 7002, 7003, 7004} - names(land)

    come(land, 7000, 7005)
    assert land.said("run-once", "--scan").code == 6
    assert only(land)["count"] == 4
    decide(land, shown, "--release")
    assert only(land)["count"] == 2
    land.run()
    assert names(land) == {7001, 7002, 7003, 7004} >= outside
    assert only(land)["count"] == 2
    assert len(land.twin("jtl").records) == 7

    decide(land, only(land), "--release")
    land.run()
    assert names(land) == {7000, 7001, 7002, 7003, 7004, 7005}
    assert waiting(land) == []
    come(land, 7006)
    land.run(scan=True)
    assert only(land)["count"] == 1, "a release is used up by what it showed"
    with land.site(exclusive=False) as site, site.state.read() as tx:
        assert progress.meta(tx, "inserts:aiotic") == ""


def test_what_a_listing_of_changes_kept_out_comes_in_when_released(tmp_path: Path) -> None:
    """A provider that lists changes alone shows a record once: a release has everything listed again."""
    extra = {"jtl": "inbound_create = true\n"}
    with landscape(tmp_path, 2, ("jtl",), head='[guards]\noverwrite = "1/24h"\n', extra=extra) as land:
        land.run(scan=True)
        twin = land.twin("jtl")
        like = next(iter(twin.records.values()))
        for number in (901, 902):
            new = {**like, "Id": number, "Number": str(7000 + number), "LastChange": twin.now().isoformat()}
            address = {"Company": f"Neu {number}", "EmailAddress": f"neu{number}@example.org", "VatID": None}
            twin.put(str(number), new | {"BillingAddress": {**like["BillingAddress"], **address}})
        for _ in range(3):
            land.run(scan=True)
        assert len(names(land)) == 1
        for number in (901, 902):
            twin.records[str(number)]["LastChange"] = "2020-01-01T00:00:00+00:00"  # long before the next listing
        decide(land, only(land, kind="guard_insert"), "--release")
        land.run()
        assert names(land) == {7901, 7902}
        assert waiting(land) == []


def test_a_record_that_went_away_waits_no_longer(land: Landscape) -> None:
    """An item about new rows closes itself when a complete listing shows none of its records."""
    come(land, 7001, 7002, 7003)
    land.run(scan=True)
    assert only(land)["count"] == 1
    for number in (7001, 7002, 7003):
        if number not in names(land):
            land.twin("aiotic").drop(str(number))
    land.run(scan=True)
    assert waiting(land) == []


def test_a_record_that_does_not_fit_is_one_question_until_it_fits(land: Landscape) -> None:
    """A new row that the source refuses is asked about, once a record, and costs the guard nothing; fitting, or gone,
    or left alone, it is no question any more."""
    land.sql(
        "CREATE TRIGGER fits BEFORE INSERT ON customers WHEN NEW.city = 'Nirgends' BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    come(land, 7001, 7002, 7003, city="Nirgends")
    for _ in range(3):
        land.run(scan=True)
    asked = waiting(land)
    assert [(item["kind"], item["customer_key"]) for item in asked] == [
        ("not_inserted", f"remote:{number}") for number in (7001, 7002, 7003)
    ]
    assert "Nirgends" in land.said("review", "show", str(asked[0]["id"])).out
    with land.site(exclusive=False) as site, site.state.read() as tx:
        assert [i for i in journal.insert_intents(tx, "aiotic") if i.verb is Verb.INSERT] == []

    land.twin("aiotic").edit("7001", city="Husum")
    land.twin("aiotic").drop("7002")
    decide(land, asked[2], "--ignore")
    land.run(scan=True)
    assert waiting(land) == []
    assert names(land) == {7001}
    land.twin("aiotic").edit("7003", city="Husum")
    land.run(scan=True)
    assert (names(land), waiting(land)) == ({7001}, []), "left alone is left alone"
    come(land, 7004)
    land.run(scan=True)
    assert names(land) == {7001, 7004}, "what was refused was not executed, and is not counted"


def test_whom_a_filter_leaves_out_gets_no_second_row(tmp_path: Path) -> None:
    """A record of a customer whom `[source.where]` leaves out is no newcomer: it is asked about, and has no second row;
    neither once it was linked and its customer left the scope and the table."""
    head = '[source.where]\nhousehold = "kept"\n'
    inbound = {"aiotic": "inbound_create = true\n"}
    with landscape(tmp_path, 3, ("aiotic",), head=head, extra=inbound, install=False) as land:
        land.sql("ALTER TABLE customers ADD COLUMN household TEXT DEFAULT 'kept'")
        land.sql("UPDATE customers SET household = 'gone' WHERE id = 3")
        land.install()
        land.run(scan=True)
        assert sorted(land.twin("aiotic").records) == ["1001", "1002"]
        like = land.twin("aiotic").records["1001"]
        email = land.rows()[2]["email"]
        own = {"id": "00000000-0000-0000-0000-000000007001", "name": "Anders", "vat_number": None, "phone_number": None}
        land.twin("aiotic").put("7001", {**like, **own, "number": "7001", "email": email})
        land.run(scan=True)
        assert len(land.rows()) == 3
        assert [item["kind"] for item in waiting(land)] == ["not_inserted"]
        assert "leaves out" in waiting(land)[0]["reason"]

        land.sql("UPDATE customers SET household = 'gone' WHERE id = 2")
        land.run(scan=True)
        land.sql("DELETE FROM customers WHERE id = 2")
        land.run(scan=True)
        assert [row["number"] for row in land.rows()] == ["1001", "1003"]
        assert "1002" in land.twin("aiotic").records


@pytest.mark.parametrize("known", [True, False])
def test_the_source_is_asked_once_who_a_newcomer_is(tmp_path: Path, *, known: bool) -> None:
    """Where a filter is set, one query tells of a record whether a row within it or beside it is the same customer."""
    head = '[source.where]\nhousehold = "kept"\n'
    asked: list[str] = []
    with landscape(tmp_path, 3, ("aiotic",), head=head, install=False) as land:
        land.sql("ALTER TABLE customers ADD COLUMN household TEXT DEFAULT 'kept'")
        land.install()
        email = land.row(2)["email"] if known else "neu@example.org"
        with land.site(exclusive=False) as site:
            sa.event.listen(site.source.engine, "before_cursor_execute", lambda _c, _cur, text, *_: asked.append(text))
            remote = Remote("7001", "7001", {"number": "7001", "email": email}, {})
            obstacle, keys = in_the_way(site, site.routes[0], remote, ())
        assert (obstacle, keys) == ((Obstacle.MATCH, ("2",)) if known else (Obstacle.NONE, ()))
        assert len([text for text in asked if "customers" in text]) == 1, asked


@pytest.mark.parametrize("newcomers", [0, 1, 9])
def test_lost_creates_are_read_once_for_a_page(tmp_path: Path, newcomers: int) -> None:
    """Which creates have no known outcome is asked once for all unlinked records of a page, and of a page without any
    not at all: after an outage there may be thousands of both."""
    asked: list[str] = []

    def ask(_conn: object, _cursor: object, text: str, given: Any, *_more: object) -> None:
        if "ORDER BY intent.id" in text and Verb.CREATE.value in given:
            asked.append(text)

    with landscape(tmp_path, 3, ("aiotic",), extra={"aiotic": "inbound_create = true\n"}) as land:
        land.run(scan=True)
        come(land, *range(7001, 7001 + newcomers))
        with land.site() as site:
            sa.event.listen(site.state.reader, "before_cursor_execute", ask)
            run_cycle(site, Options(mode="run-once", scan=True, wait=10.0, exclusive=True))
        assert len(names(land)) == newcomers
        assert len(asked) == min(newcomers, 1), asked


def test_who_is_left_out_before_his_create_is_known_does_not_come_back(tmp_path: Path) -> None:
    """A customer whose create was lost is left out by a filter, and deleted later: the record that the create made is
    his, like one that was linked, and never becomes a row."""
    head, inbound = '[source.where]\nhousehold = "kept"\n', {"aiotic": "inbound_create = true\n"}
    with landscape(tmp_path, 3, ("aiotic",), head=head, install=False, extra=inbound) as land:
        land.sql("ALTER TABLE customers ADD COLUMN household TEXT DEFAULT 'kept'")
        land.install()
        land.run()
        land.change('settle = "1s"', 'settle = "60s"')  # however slow the machine, nobody knows the outcome yet
        land.sql("INSERT INTO customers (number, name, email, country) VALUES ('9009', 'Da', 'da@da.example', 'DE')")
        land.twin("aiotic").faults.add(Fault("status-after", method="PUT"))
        assert land.said("run-once", "--wait", "10ms").code == 4
        land.recalled("UPDATE intent SET settle_until = at")
        land.change('settle = "60s"', 'settle = "1s"')
        land.sql("UPDATE customers SET household = 'gone' WHERE number = '9009'")
        for _ in range(3):
            land.run(scan=True)
            land.recalled(
                "UPDATE work SET due_at = since, error = replace(error, '20', '19')"
            )  # two looks, a while apart
        assert land.recalled("SELECT count(*) FROM intent") == [(0,)]
        land.sql("DELETE FROM customers WHERE number = '9009'")
        for _ in range(3):
            land.run(scan=True)
        assert [row["number"] for row in land.rows()] == ["1001", "1002", "1003"]
        assert "9009" in land.twin("aiotic").records


def test_who_looks_like_a_customer_is_a_question_as_long_as_he_does(land: Landscape) -> None:
    """A record with a customer's number, VAT number or e-mail is never inserted; unlinked, the customer is asked about
    it, until the record is gone or another's."""
    land.said("unlink", "aiotic", "2")
    land.run()
    land.twin("aiotic").drop("1002")
    land.said("review")
    with land.site(exclusive=False) as site, site.state.begin() as tx:
        review.revoke_left_alone(tx, "aiotic", "2", site.clock.now())
    come(land, 7001, email=land.row(2)["email"])
    for _ in range(2):
        land.run(scan=True)
        item = only(land, kind="candidate")
        assert item["customer_key"] == "2"
    assert names(land) == set()
    assert by_number(land, "aiotic", "1002") == [], "held back as long as somebody is asked"
    land.twin("aiotic").edit("7001", email="neu@example.org")
    land.run(scan=True)
    assert waiting(land) == []
    assert names(land) == {7001}
    assert by_number(land, "aiotic", "1002") == ["1002"]


@pytest.mark.parametrize("answer", ["--link", "--ignore", "--create"])
def test_whom_a_match_report_asks_about_is_no_newcomer(tmp_path: Path, answer: str) -> None:
    """A report finds customer 2 by name and address; the record has another number and e-mail address. Until a person
    has answered, no scan makes a row of it, and no plan says so; what is somebody else's becomes one after that."""
    extra = {"aiotic": "inbound_create = true\n"}
    with landscape(tmp_path, 3, ("aiotic",), create="after-match", extra=extra) as land:
        with land.site(exclusive=False) as site:
            (row,) = customers.read(site.source, ["2"]).values()
            other = {**row.values, "number": "7001", "email": "neu@example.org", "vat_number": None, "phone": None}
            site.routes[0].adapter.create("7001", site.routes[0].adapter.project(other))
        assert land.said("adopt", "aiotic", "--yes").code in {0, 5}
        (item,) = waiting(land, kind="candidate")
        for _ in range(2):
            assert "neu@example.org" not in land.said("plan", "--values", "--json").out
            land.run(scan=True)
        assert names(land) == set()
        decide(land, item, answer, *(["7001"] if answer == "--link" else []))
        for _ in range(2):
            land.run(scan=True)
        assert waiting(land) == []
        assert names(land) == (set() if answer == "--link" else {7001})
        found = link(land, "aiotic", "2")
        assert (found.external_id if found else None) == {"--link": "7001", "--ignore": None, "--create": "1002"}[
            answer
        ]


def test_a_number_is_known_where_it_is_the_address(land: Landscape) -> None:
    """aiotic has the number in the address alone: a record under an unlinked customer's number is that customer's
    question and no new row; a row made of a record has its number."""
    land.said("unlink", "aiotic", "2")
    land.run()
    land.twin("aiotic").edit("1002", email="anders@example.org", name="Anders", vat_number=None)
    come(land, 7001)
    land.run(scan=True)
    assert len(land.rows()) == 4
    assert names(land) == {7001}


# -- one key, two records --------------------------------------------------------------------------------------------


def second(land: Landscape, number: str = "1002") -> None:
    """Somebody gives another JTL record the number of customer 2."""
    twin = land.twin("jtl")
    like = next(record for record in twin.records.values() if record["Number"] == number)
    address = {**like["BillingAddress"], "Company": "Doppelt", "EmailAddress": "doppelt@example.org", "VatID": None}
    twin.put("902", {**like, "Id": 902, "BillingAddress": address, "LastChange": twin.now().isoformat()})


@pytest.mark.parametrize("inbound", [True, False])
def test_two_records_with_one_key_are_a_question(tmp_path: Path, *, inbound: bool) -> None:
    """A second record with a linked customer's key is told to a person: none of the two is written because of it, no
    row is made of it, and the question closes itself when there is one record again."""
    extra = {"jtl": "inbound_create = true\n"} if inbound else {}
    with landscape(tmp_path, 3, ("jtl",), extra=extra) as land:
        land.twin("jtl").set(version="1.0")  # every listing is a complete one
        land.run(scan=True)
        before, own = land.writes(), link(land, "jtl", "2")
        second(land)
        for _ in range(3):
            land.run(scan=True)
            asked = only(land)
            assert (asked["kind"], asked["customer_key"]) == ("twice", "2")
        assert land.writes() == before
        assert len(land.rows()) == 3
        assert link(land, "jtl", "2") == own
        ids = {item["id"] for item in waiting(land)}
        land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
        land.run(scan=True)
        assert {item["id"] for item in waiting(land)} == ids, "the question stays, the customer goes on"
        assert own is not None
        assert land.twin("jtl").records[str(own.external_id)]["BillingAddress"]["City"] == "Emden"
        assert land.twin("jtl").records["902"]["BillingAddress"]["City"] != "Emden"
        land.twin("jtl").drop("902")
        land.run(scan=True)
        assert waiting(land) == []


def test_two_records_with_one_key_may_be_left_alone(tmp_path: Path) -> None:
    """A record under the key of a customer whose own record is archived is asked about all the same, for as long as it
    is there; `--ignore`: nobody is asked again, and still nothing is mended by guessing."""
    extra = {"jtl": 'inbound_create = true\nis_locked = "archived"\n'}
    with landscape(tmp_path, 2, ("jtl",), extra=extra) as land:
        land.sql("UPDATE customers SET number = NULL WHERE id = 2")
        land.twin("jtl").set(version="1.0")  # every listing is a complete one
        land.run(scan=True)
        second(land, "2")
        land.run(scan=True)
        asked, own = only(land, kind="twice"), link(land, "jtl", "2")
        assert own is not None
        land.twin("jtl").edit(str(own.external_id), IsLocked=True)
        for _ in range(2):
            land.run(scan=True)
            assert only(land, kind="twice") == asked, "locked there, the customer's own record is still his"
        decide(land, asked, "--ignore")
        for _ in range(2):
            land.run(scan=True)
        assert [item["kind"] for item in waiting(land)] == ["remote_archived"]
        assert len(land.rows()) == 2


def test_who_waits_for_a_key_that_a_question_holds_is_asked_about(tmp_path: Path) -> None:
    """Where the number is the key, a newcomer's row can get no other one: a question names what holds it back, and both
    end with the answer."""
    own = {"aiotic": 'inbound_create = true\non_delete = "delete"\n'}
    with landscape(tmp_path, 3, ("aiotic",), extra=own) as land:
        land.change('number = "number"', 'number = "id"')
        land.run(scan=True)
        land.sql("UPDATE customers SET id = 7009 WHERE id = 3")
        land.run()
        land.settle()
        land.run()
        land.twin("aiotic").edit("3", city="Neustadt")
        land.sql("DELETE FROM customers WHERE id = 7009")
        land.run()
        gone = only(land, kind="delete_conflict")
        like = land.twin("aiotic").records["3"]
        own_values = {"number": "7009", "name": "Neu", "email": "neu@example.org", "vat_number": None}
        land.twin("aiotic").put("7009", {**like, **own_values, "id": "0" * 32, "phone_number": None})
        for _ in range(2):
            land.run(scan=True)
            item = only(land, kind="not_inserted")
        assert "another question" in land.said("review", "show", str(item["id"])).out
        decide(land, gone, "--take", "source")
        land.run()
        land.run(scan=True)
        assert waiting(land) == []
        assert [row["id"] for row in land.rows()] == [1, 2, 7009]
