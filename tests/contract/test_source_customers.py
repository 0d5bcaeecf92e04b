"""Reading customers and writing them back, the same in every dialect."""

from __future__ import annotations

import threading
import tracemalloc
from datetime import date

import pytest
import sqlalchemy as sa

from syncd.errors import SourceUnreachable
from syncd.source import customers
from syncd.source.customers import Busy, Moved, Refused, Written
from tests.contract.shop import FIELDS, Shop, drained

ROW = """INSERT INTO customers (id, number, company, email, born, street)
         VALUES (1, '17', ' Müller GmbH ', '', '1970-01-31', NULL)"""


LOCK_TIMEOUT = {"sqlite": ("PRAGMA busy_timeout", 1000), "mysql": ("SELECT @@SESSION.innodb_lock_wait_timeout", 1)}


def test_values_are_canonical(any_shop: Shop) -> None:
    """Text is trimmed, '' is empty, a date is a date; `stored` keeps what the database gave."""
    any_shop.tables()
    any_shop.run(ROW, "UPDATE customers SET on_list = NULL")
    with any_shop.source() as source:
        row = customers.read(source, ["1"])["1"]
    assert dict(row.values) == {
        "number": "17",
        "name": "Müller GmbH",
        "email": None,
        "phone": None,
        "birth_date": date(1970, 1, 31),
        "active": None,
        "street": None,
    }
    assert row.stored["name"] == " Müller GmbH "
    assert row.stored["email"] == ""
    assert not row.problems


@pytest.mark.parametrize(("stored", "value"), [("1", True), ("0", False)])
def test_flags_are_bool(any_shop: Shop, stored: str, value: bool) -> None:
    """`active` is a bool whatever the column is."""
    any_shop.tables()
    flag = stored if any_shop.dialect != "postgresql" else f"'{stored}'"
    any_shop.run(f"INSERT INTO customers (id, company, on_list) VALUES (1, 'A', {flag})")
    with any_shop.source() as source:
        assert customers.read(source, ["1"])["1"].values["active"] is value


def test_absent_and_impossible_keys_are_missing(any_shop: Shop) -> None:
    """A key that no row can have is absent, never an error."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source() as source:
        found = customers.read(source, ["1", " 01", "2", "x", "", "9" * 30, "1\0", "\ud800", "1.0"])
        assert sorted(found) == [" 01", "1"]
        assert {customer.key for customer in found.values()} == {"1"}
        assert not customers.present(source, "\ud800")
        assert customers.present(source, "01")


def test_pages_resume(any_shop: Shop) -> None:
    """Pages together are the whole table, each row once, and may be resumed from any key."""
    any_shop.tables()
    any_shop.run(*(f"INSERT INTO customers (id, company) VALUES ({number}, 'A')" for number in (9, 10, 2, 33, 100)))
    with any_shop.source() as source:
        seen: list[str] = []
        while rows := customers.page(source, seen[-1] if seen else None, 2):
            seen += [row.key for row in rows]
        assert seen == ["2", "9", "10", "33", "100"]
        assert customers.count(source) == 5
        assert customers.page(source, "no number", 2) == []


def test_many_keys_in_chunks(any_shop: Shop) -> None:
    """More keys than one SELECT takes are read all the same."""
    any_shop.tables()
    rows = ", ".join(f"({number}, 'A')" for number in range(1, 451))
    any_shop.run(f"INSERT INTO customers (id, company) VALUES {rows}")
    with any_shop.source() as source:
        assert len(customers.read(source, [str(number) for number in range(1, 500)])) == 450


def test_broken_field_is_one_problem(any_shop: Shop) -> None:
    """A field over 64 kB is a problem of its row and field; the row and its page stay readable."""
    any_shop.tables()
    big = {"sqlite": "text", "postgresql": "text", "mysql": "longtext"}[any_shop.dialect]
    any_shop.run(
        f"ALTER TABLE customers ADD COLUMN site {big}", ROW, "INSERT INTO customers (id, company) VALUES (2, 'B')"
    )
    with any_shop.app.begin() as conn:
        conn.execute(sa.text("UPDATE customers SET site = :text WHERE id = 1"), {"text": "x" * 70_000})
    with any_shop.source(fields=FIELDS | {"website": "site"}) as source:
        first, second = customers.page(source, None, 10)
    assert first.problems == {"website": "is longer than 64 kB"}
    assert "website" not in first.values
    assert first.values["number"] == "17"
    assert not second.problems


@pytest.mark.long
def test_endless_fields_of_a_whole_page_fit_in_memory(any_shop: Shop) -> None:
    """Of a text of megabytes only so much is fetched as tells that it is too long; others come whole."""
    any_shop.tables()
    big = {"sqlite": "text", "postgresql": "text", "mysql": "longtext"}[any_shop.dialect]
    text = {"sqlite": "hex(zeroblob(1000000))"}.get(any_shop.dialect, "repeat('x', 2000000)")
    rows = ", ".join(f"({key}, 'A')" for key in range(1, 41))
    any_shop.run(
        f"ALTER TABLE customers ADD COLUMN site {big}",
        f"INSERT INTO customers (id, company) VALUES {rows}",
        f"UPDATE customers SET site = {text} WHERE id > 1",
        "UPDATE customers SET site = 'höchst ' WHERE id = 1",
    )
    with any_shop.source(fields=FIELDS | {"website": "site"}) as source:
        customers.page(source, None, 1)
        tracemalloc.start()
        try:
            found = customers.page(source, None, 40)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found[0].values["website"] == "höchst"
    assert [customer.problems for customer in found[1:]] == [{"website": "is longer than 64 kB"}] * 39
    assert peak < 20_000_000


def test_update_writes_and_rereads(any_shop: Shop) -> None:
    """A write goes through the column map; the answer is the row as the database holds it; the log names the writer."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        changes = {"name": "Möller", "email": "a@b.example", "birth_date": None, "active": False}
        written = customers.update(source, seen, changes, "syncd:billbee")
        assert isinstance(written, Written)
        assert written.customer == customers.read(source, ["1"])["1"]
        assert {name: written.customer.values[name] for name in changes} == changes
        any_shop.run("UPDATE customers SET number = '18'")
        assert [(entry.op, entry.key, entry.origin) for entry in drained(source)] == [
            ("U", "1", "syncd:billbee"),
            ("U", "1", ""),
        ]


def test_clearing_a_not_null_text(any_shop: Shop) -> None:
    """Empty is '' where the column says so by its default, and refused where it may not be empty."""
    any_shop.tables()
    any_shop.run(ROW, "UPDATE customers SET phone = '030'")
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        written = customers.update(source, seen, {"phone": None}, "o")
        assert isinstance(written, Written)
        assert written.customer.stored["phone"] == ""
        assert customers.update(source, written.customer, {"name": None}, "o") == Refused(
            "name", "the column may not be empty"
        )


@pytest.mark.parametrize(
    "change", ["company = 'Muller GmbH'", "company = 'MÜLLER GMBH'", "street = 'new'", "email = NULL"]
)
def test_somebody_was_faster(any_shop: Shop, change: str) -> None:
    """A mapped column that differs at all from what was seen, in case or accents too: the person's value stays."""
    any_shop.tables()
    any_shop.run(ROW, "UPDATE customers SET company = 'muller gmbh'")
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        any_shop.run(f"UPDATE customers SET {change}")
        assert customers.update(source, seen, {"number": "99"}, "o") == Moved()
        assert customers.read(source, ["1"])["1"].values["number"] == "17"


def test_unmapped_columns_do_not_matter(any_shop: Shop) -> None:
    """Columns that are not mapped are neither compared nor touched."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        any_shop.run("UPDATE customers SET secret_note = 'x'")
        assert isinstance(customers.update(source, seen, {"number": "99"}, "o"), Written)
        assert any_shop.value("SELECT secret_note FROM customers") == "x"


def test_gone_row_is_moved(any_shop: Shop) -> None:
    """A row that was deleted or re-keyed meanwhile is not written."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        any_shop.run("UPDATE customers SET id = 2")
        assert customers.update(source, seen, {"number": "99"}, "o") == Moved()


def test_too_long_is_refused(any_shop: Shop) -> None:
    """A value longer than the column is refused by field name, never cut off, and nothing of the write stays."""
    if any_shop.dialect == "sqlite":
        pytest.skip("SQLite knows no column length")
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        refused = customers.update(source, seen, {"number": "1" * 21, "street": "x"}, "o")
        assert isinstance(refused, Refused)
        assert "111" not in refused.reason
        assert customers.read(source, ["1"])["1"] == seen


def test_unique_is_refused_without_the_value(any_shop: Shop) -> None:
    """A broken constraint is refused; the reason holds no value, although the driver's text does."""
    any_shop.tables()
    any_shop.run(ROW, "CREATE UNIQUE INDEX one_email ON customers (email)")
    any_shop.run("INSERT INTO customers (id, company, email) VALUES (2, 'B', 'canary@b.example')")
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        refused = customers.update(source, seen, {"email": "canary@b.example"}, "o")
        assert isinstance(refused, Refused)
        assert "canary" not in refused.reason


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b", "x" * 65_537])
def test_impossible_text_is_refused(any_shop: Shop, value: str) -> None:
    """NUL bytes, broken Unicode and endless text never reach the database."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        refused = customers.update(source, seen, {"street": value}, "o")
        assert isinstance(refused, Refused)
        assert refused.field == "street"


def test_key_column_is_never_written(any_shop: Shop) -> None:
    """`number` may be the key column: it is read, and a write to it is refused."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source(fields={"number": "id", "name": "company"}) as source:
        seen = customers.read(source, ["1"])["1"]
        assert seen.values["number"] == "1"
        assert customers.update(source, seen, {"number": "2"}, "o") == Refused(
            "number", "the key column is never written"
        )


def _rewriting(shop: Shop, column: str, expression: str) -> None:
    """A trigger of the application that rewrites a column on every update."""
    if shop.dialect == "sqlite":
        shop.run(
            f"""CREATE TRIGGER app AFTER UPDATE OF {column} ON customers BEGIN
                UPDATE customers SET {column} = {expression.format(new=f"NEW.{column}")} WHERE id = NEW.id; END"""
        )
    elif shop.dialect == "mysql":
        rewritten = expression.format(new=f"NEW.{column}")
        shop.run(f"CREATE TRIGGER app BEFORE UPDATE ON customers FOR EACH ROW SET NEW.{column} = {rewritten}")
    else:
        rewritten = expression.format(new=f"NEW.{column}")
        shop.run(
            f"""CREATE FUNCTION app() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN NEW.{column} := {rewritten}; RETURN NEW; END $$""",
            "CREATE TRIGGER app BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION app()",
        )


def test_rewriting_trigger_refuses(any_shop: Shop) -> None:
    """A value that a trigger changes on its way in is rolled back and named."""
    any_shop.tables()
    any_shop.run(ROW)
    _rewriting(any_shop, "street", "upper({new})")
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        assert customers.update(source, seen, {"street": "Main 1", "number": "5"}, "o") == Refused(
            "street", "the column does not hold the value as sent"
        )
        assert customers.read(source, ["1"])["1"] == seen


def test_trigger_on_another_column_is_reread(any_shop: Shop) -> None:
    """What a trigger changes elsewhere comes back with the answer: it is the base."""
    any_shop.tables()
    any_shop.run(ROW)
    _rewriting(any_shop, "street", "'set by the shop'")
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        changes = {"number": "5"} | ({"street": "set by the shop"} if any_shop.dialect == "sqlite" else {})
        written = customers.update(source, seen, changes, "o")
        assert isinstance(written, Written)
        assert written.customer.values["street"] == "set by the shop"


def test_padding_is_no_difference(any_shop: Shop) -> None:
    """A CHAR column that pads or trims holds the value as sent."""
    any_shop.run("CREATE TABLE customers (id integer primary key, country char(5))")
    any_shop.run("INSERT INTO customers VALUES (1, 'DE')")
    with any_shop.source(fields={"country": "country"}) as source:
        seen = customers.read(source, ["1"])["1"]
        written = customers.update(source, seen, {"country": "NL"}, "o")
        assert isinstance(written, Written)
        assert written.customer.values["country"] == "NL"


def test_whole_numbers_and_words(any_shop: Shop) -> None:
    """Numbers in text fields travel as text, back only where they survive; a flag keeps the column's own words."""
    any_shop.run("CREATE TABLE customers (id integer primary key, no integer, flag char(1))")
    any_shop.run("INSERT INTO customers VALUES (1, 7, 'J')")
    with any_shop.source(fields={"number": "no", "active": "flag"}) as source:
        seen = customers.read(source, ["1"])["1"]
        assert dict(seen.values) == {"number": "7", "active": True}
        written = customers.update(source, seen, {"active": False, "number": "8"}, "o")
        assert isinstance(written, Written)
        assert written.customer.stored == {"number": 8, "active": "N"}
        for number in ("008", "x"):
            refused = customers.update(source, written.customer, {"number": number}, "o")
            assert isinstance(refused, Refused)
            assert refused.field == "number"


def test_locked_row_is_busy(any_shop: Shop) -> None:
    """A row that somebody holds is busy after the lock timeout, not after the server's own, which is longer or none."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source(lock_timeout=1.0, statement_timeout=3600.0) as source:  # which would end the wait, too
        seen = customers.read(source, ["1"])["1"]
        with any_shop.app.begin() as conn:
            conn.exec_driver_sql("UPDATE customers SET company = 'held' WHERE id = 1")
            assert customers.update(source, seen, {"number": "5"}, "o") == Busy()
            conn.rollback()
        if asked := LOCK_TIMEOUT.get(any_shop.dialect):  # PostgreSQL has none of its own and would not have come here
            with source.engine.connect() as conn:
                assert conn.exec_driver_sql(asked[0]).scalar() == asked[1]
        assert isinstance(customers.update(source, seen, {"number": "5"}, "o"), Written)


def test_two_writers_one_wins(any_shop: Shop) -> None:
    """Of several writers that saw the same row exactly one writes; the others look again."""
    any_shop.tables()
    any_shop.run(ROW)
    outcomes: list[object] = []
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]

        def write(number: int) -> None:
            outcomes.append(type(customers.update(source, seen, {"number": str(number)}, f"o{number}")))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(100, 104)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes, key=str) == [Moved, Moved, Moved, Written]


def test_insert_lets_the_database_choose_the_key(any_shop: Shop) -> None:
    """A new row gets the database's key; its mark carries the origin, so that capture knows its own insert."""
    any_shop.tables()
    any_shop.run(ROW)
    with any_shop.source() as source:
        written = customers.insert(source, {"name": "Neu", "email": None, "active": True}, "insert:7")
        assert isinstance(written, Written)
        assert written.customer.key != "1"
        assert [(entry.op, entry.key, entry.origin) for entry in drained(source)] == [
            ("I", written.customer.key, "insert:7")
        ]
        any_shop.run("INSERT INTO customers (id, company) VALUES (50, 'after')")
        assert [entry.origin for entry in drained(source)] == [""]


def test_insert_that_does_not_fit(any_shop: Shop) -> None:
    """A row the table refuses is refused, without a trace."""
    any_shop.tables()
    with any_shop.source() as source:
        assert isinstance(customers.insert(source, {"email": "a@b.example"}, "o"), Refused)
        assert customers.count(source) == 0
        assert drained(source) == ()


def test_nobody_is_inserted_beside_somebody_like_him(any_shop: Shop) -> None:
    """A row with one of the identifying values that came meanwhile is seen in the inserting transaction itself."""
    any_shop.tables()
    with any_shop.source() as source:
        values = {"name": "Neu", "number": "KÄ-7", "email": "neu@b.example"}
        assert isinstance(customers.insert(source, values, "o", unlike={"email": "neu@b.example"}), Written)
        assert isinstance(customers.insert(source, values, "o", unlike={"email": "NEU@b.example"}), Moved)
        assert isinstance(customers.insert(source, values, "o", unlike={"number": "KÄ-7"}), Moved)
        assert isinstance(customers.insert(source, values, "o", held=lambda _key: True), Moved)
        assert isinstance(customers.insert(source, values, "o", unlike={"number": "K-8", "vat_number": "x"}), Written)
        assert len(drained(source)) == customers.count(source) == 2


def test_a_held_key_is_given_to_nobody(any_shop: Shop) -> None:
    """Where the database would give a new row a key that a customer who left still holds, the row gets another one, and
    the log tells of that one alone. A sequence would not learn of such a key: nothing is inserted there."""
    any_shop.tables()
    with any_shop.source() as source:
        first = customers.insert(source, {"name": "Alt"}, "o")
        assert isinstance(first, Written)
        any_shop.run(f"DELETE FROM {source.config.table} WHERE {source.config.key} = {first.customer.key}")
        drained(source)
        number = int(first.customer.key)
        held = {str(number), str(number + 1)}
        second = customers.insert(source, {"name": "Neu"}, "o", held=held.__contains__)
        if source.dialect == "postgresql":
            assert isinstance(second, Moved)
            return
        assert isinstance(second, Written)
        assert second.customer.key == str(number + 2)
        assert [(entry.key, entry.op) for entry in drained(source)] == [(second.customer.key, "I")]


def test_insert_with_our_key(any_shop: Shop) -> None:
    """A text key comes from the field mapped to it; without one the row is refused; a UUID is made up."""
    any_shop.run("CREATE TABLE customers (code varchar(20) primary key, company varchar(40))")
    with any_shop.source(key="code", fields={"number": "code", "name": "company"}) as source:
        written = customers.insert(source, {"number": "K-1", "name": "A"}, "o")
        assert isinstance(written, Written)
        assert written.customer.key == "K-1"
        assert isinstance(customers.insert(source, {"name": "A"}, "o"), Refused)


def test_failed_write_leaves_no_origin(any_shop: Shop) -> None:
    """The writer's name ends with its transaction, also when that failed."""
    any_shop.tables()
    any_shop.run(ROW, "CREATE UNIQUE INDEX one_number ON customers (number)")
    any_shop.run("INSERT INTO customers (id, number, company) VALUES (2, '18', 'B')")
    with any_shop.source() as source:
        seen = customers.read(source, ["1"])["1"]
        assert isinstance(customers.update(source, seen, {"number": "18"}, "leaked"), Refused)
        with source.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE customers SET secret_note = 'z' WHERE id = 2")
        assert customers.update(source, seen, {"number": "19", "street": "x" * 10}, "kept").__class__ is Written
        with source.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE customers SET street = 'y' WHERE id = 2")
        assert [entry.origin for entry in drained(source)] == ["", "kept", ""]


def test_missing_table_is_told_without_values(any_shop: Shop) -> None:
    """A table that vanished under us is a sentence of ours, with no statement and no value in it."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run("DROP TABLE addresses", "DROP TABLE customers")
        with pytest.raises(Exception, match="missing") as caught:
            customers.read(source, ["1234567"])
    assert "1234567" not in str(caught.value)
    assert "SELECT" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_connections_survive_a_restart(dialect: str, request: pytest.FixtureRequest) -> None:
    """Connections that the server ended are replaced before use."""
    made: Shop = request.getfixturevalue("postgres_shop" if dialect == "postgresql" else "mariadb_shop")
    made.tables()
    made.run(ROW)
    with made.source() as source:
        assert customers.count(source) == 1
        if dialect == "postgresql":
            made.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncd'"
                     " AND datname = current_database()")  # fmt: skip
        else:
            mine = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            with made.app.connect() as conn:
                for number in conn.exec_driver_sql(mine).scalars().all():
                    conn.exec_driver_sql(f"KILL {number}")
        assert customers.count(source) == 1


def test_nobody_at_home() -> None:
    """A server that does not answer is SourceUnreachable."""
    from syncd.source.database import SourceConfig, open_source

    for url in ("postgresql://u@127.0.0.1:1/x", "mysql://u@127.0.0.1:1/x", "sqlite:////nowhere/x.db"):
        with pytest.raises(SourceUnreachable):
            open_source(SourceConfig(url=url, table="t", key="id", fields={}))


def test_values_no_python_type_can_hold(any_shop: Shop) -> None:
    """Broken text, endless dates and zero dates are a problem or empty in their own field, never of the page."""
    any_shop.tables()
    any_shop.run(ROW, "INSERT INTO customers (id, company) VALUES (2, 'B')")
    odd = {
        "sqlite": ["street = CAST(x'ff41' AS TEXT)", "street = 'a' || char(0) || 'b'", "born = 'soon'"],
        "postgresql": ["born = 'infinity'", "born = '20000-01-01'", "born = '0044-03-15 BC'"],
        "mysql": ["street = CONCAT('a', CHAR(0), 'b')", "born = '0000-00-00'", "born = '1970-00-00'"],
    }[any_shop.dialect]
    with any_shop.source() as source:
        for change in odd:
            field = "street" if "street" in change else "birth_date"
            lenient = "SET STATEMENT sql_mode = '' FOR " if any_shop.dialect == "mysql" else ""
            any_shop.run(
                "UPDATE customers SET street = NULL, born = NULL",
                f"{lenient}UPDATE customers SET {change} WHERE id = 1",
            )
            first, second = customers.page(source, None, 10)
            assert field in first.problems or first.values[field] is None
            assert not second.problems
            written = customers.update(source, first, {"number": change[-5:]}, "o")
            assert isinstance(written, Written)
            assert written.customer.problems == first.problems
