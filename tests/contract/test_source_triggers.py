"""What the triggers log, what nobody can take from the log, and how missing triggers are found."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from syncd.core.selection import Watch
from syncd.errors import LeaseLost, SafetyStop, SettingsError, SetupNeeded, SourceUnreachable
from syncd.source import changelog, customers, triggers
from syncd.source.changelog import Batch
from syncd.source.database import in_transaction
from tests.contract.shop import Shop, drained, logged

A = "INSERT INTO customers (id, company) VALUES (1, 'A')"
WATCH = (Watch("customers", "id"), Watch("addresses", "customer_id"))


# --- what is logged ------------------------------------------------------------------------------------------------


def test_every_write_is_logged(any_shop: Shop) -> None:
    """Insert, update and delete log the key, an update that changes nothing too; a rolled back one does not."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A, "UPDATE customers SET company = 'A'", "DELETE FROM customers WHERE id = 1")
        with any_shop.app.connect() as conn, conn.begin() as transaction:
            conn.exec_driver_sql("INSERT INTO customers (id, company) VALUES (2, 'B')")
            transaction.rollback()
        entries = changelog.read(source).entries
    assert [(entry.op, entry.key, entry.was, entry.table) for entry in entries] == [
        ("I", "1", None, True),
        ("U", "1", None, True),
        ("D", "1", None, True),
    ]
    assert all(entry.at is not None and entry.at.tzinfo for entry in entries)


def test_changed_key_carries_the_old_one(any_shop: Shop) -> None:
    """A re-key is one mark: the new key with the old beside it."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A, "UPDATE customers SET id = 18 WHERE id = 1")
        assert logged(source) == [("I", "1", None), ("U", "18", "1")]


def test_the_log_is_asked_about_a_key(any_shop: Shop) -> None:
    """Unread marks of a row that came, went or got another key are found by its key; an edit is none of them."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A)
        assert changelog.mentions(source, ["1"])
        drained(source)
        any_shop.run("UPDATE customers SET company = 'B' WHERE id = 1")
        assert not changelog.mentions(source, ["1"])
        any_shop.run("UPDATE customers SET id = 18 WHERE id = 1")
        assert changelog.mentions(source, ["1", "18", "2"]) == {"1", "18"}
        drained(source)
        any_shop.run("DELETE FROM customers WHERE id = 18")
        assert changelog.mentions(source, ["18"])


def test_key_that_changes_only_its_case(any_shop: Shop) -> None:
    """Keys are compared as bytes: another case is another key, also where the collation finds them equal."""
    nocase = {"sqlite": "COLLATE NOCASE", "postgresql": "", "mysql": "COLLATE utf8mb4_general_ci"}[any_shop.dialect]
    any_shop.run(f"CREATE TABLE customers (code varchar(20) {nocase} PRIMARY KEY, company varchar(20))")
    with any_shop.source(key="code", fields={"name": "company"}) as source:
        any_shop.run("INSERT INTO customers VALUES ('ab1', 'A')", "UPDATE customers SET code = 'AB1'")
        assert logged(source)[1] == ("U", "AB1", "ab1")


def test_many_rows_in_one_statement(any_shop: Shop) -> None:
    """Multi-row statements and upserts log each row."""
    any_shop.tables()
    with any_shop.source() as source:
        upsert = {
            "mysql": "ON DUPLICATE KEY UPDATE company = 'C'",
        }.get(any_shop.dialect, "ON CONFLICT (id) DO UPDATE SET company = 'C'")
        any_shop.run(
            "INSERT INTO customers (id, company) VALUES (1, 'A'), (2, 'B')",
            f"INSERT INTO customers (id, company) VALUES (2, 'B'), (3, 'C') {upsert}",
            "INSERT INTO customers (id, company) SELECT id + 10, company FROM customers",
        )
        assert sorted(logged(source)) == sorted(
            [("I", key, None) for key in ("1", "2", "3", "11", "12", "13")] + [("U", "2", None)]
        )


def test_watched_table_marks_its_customer(any_shop: Shop) -> None:
    """A row of a watched table marks the customer it belongs to; a moved one marks both; NULL marks nobody."""
    any_shop.tables()
    with any_shop.source(watch=WATCH) as source:
        any_shop.run(A, "INSERT INTO customers (id, company) VALUES (2, 'B')")
        drained(source)
        any_shop.run(
            "INSERT INTO addresses (id, customer_id, city) VALUES (7, 1, 'Bonn')",
            "UPDATE addresses SET customer_id = 2",
            "UPDATE addresses SET customer_id = NULL",
            "UPDATE addresses SET city = 'Köln'",
            "DELETE FROM addresses",
        )
        entries = changelog.read(source).entries
    assert [(entry.op, entry.key, entry.was, entry.table) for entry in entries] == [
        ("I", "1", None, False),
        ("U", "2", None, False),
        ("U", "1", None, False),
        ("U", "2", None, False),
    ]


def test_cascades(any_shop: Shop) -> None:
    """Rows that a foreign key deletes are logged, except on MariaDB, where `advice` says so."""
    any_shop.tables()
    with any_shop.source(watch=WATCH) as source:
        any_shop.run(A, "INSERT INTO addresses (customer_id, city) VALUES (1, 'Bonn')")
        drained(source)
        any_shop.run("DELETE FROM customers")
        own = [entry.table for entry in changelog.read(source).entries]
        told = [str(problem) for problem in triggers.advice(source)]
    if any_shop.dialect == "mysql":
        assert own == [True]
        assert any("foreign key" in text and "addresses" in text for text in told)
    else:
        assert sorted(own) == [False, True]


def test_truncate_is_logged(postgres_shop: Shop) -> None:
    """An emptied table is one mark without a key: everything must be looked at."""
    postgres_shop.tables()
    with postgres_shop.source() as source:
        postgres_shop.run(A)
        drained(source)
        postgres_shop.run("TRUNCATE customers CASCADE")
        assert logged(source) == [("T", "", None)]
        assert [entry.op for entry in drained(source)] == ["T"]
        assert drained(source) == ()


def test_copy_is_logged(postgres_shop: Shop) -> None:
    """COPY logs each row."""
    postgres_shop.tables()
    with postgres_shop.source() as source:
        raw = postgres_shop.app.raw_connection()
        with raw.cursor() as cursor, cursor.copy("COPY customers (id, company) FROM STDIN") as copy:  # type: ignore[attr-defined]
            copy.write("1\tA\n2\tB\n")
        raw.commit()
        raw.close()
        assert logged(source) == [("I", "1", None), ("I", "2", None)]


def test_replication_role_is_logged(postgres_shop: Shop) -> None:
    """What a logical subscription applies is logged too."""
    postgres_shop.tables()
    with postgres_shop.source() as source:
        postgres_shop.run(f"SET LOCAL session_replication_role = replica; {A}")
        assert logged(source) == [("I", "1", None)]


def test_replace_on_sqlite(sqlite_shop: Shop) -> None:
    """REPLACE logs the new row; the row it evicts only with recursive_triggers, and `advice` says so."""
    sqlite_shop.tables()
    sqlite_shop.run("CREATE UNIQUE INDEX one_number ON customers (number)")
    with sqlite_shop.source() as source:
        sqlite_shop.run("INSERT INTO customers (id, number, company) VALUES (1, 'n', 'A')")
        drained(source)
        sqlite_shop.run("REPLACE INTO customers (id, number, company) VALUES (2, 'n', 'B')")
        assert logged(source) == [("I", "2", None)]
        assert any("recursive_triggers" in str(problem) for problem in triggers.advice(source))
        with sqlite_shop.app.connect() as conn:
            conn.connection.dbapi_connection.execute("PRAGMA recursive_triggers = ON")  # type: ignore[union-attr]
            with conn.begin():
                conn.exec_driver_sql("REPLACE INTO customers (id, number, company) VALUES (3, 'n', 'C')")
        assert sorted(logged(source)[1:]) == [("D", "2", None), ("I", "3", None)]


def test_application_needs_no_rights_on_the_log(postgres_shop: Shop) -> None:
    """An application account that knows nothing of ours keeps writing, whatever its search_path."""
    postgres_shop.tables()
    name = postgres_shop.url.rpartition("/")[2]
    with postgres_shop.source() as source:
        postgres_shop.run(f"CREATE ROLE {name}_app", f"GRANT INSERT ON customers TO {name}_app")
        try:
            postgres_shop.run(f"SET LOCAL ROLE {name}_app; SET LOCAL search_path = ''; "
                              "INSERT INTO public.customers (id, company) VALUES (1, 'A')")  # fmt: skip
            assert logged(source) == [("I", "1", None)]
        finally:
            postgres_shop.run(f"DROP OWNED BY {name}_app; DROP ROLE {name}_app")


def test_uuid_keys_have_one_spelling(any_shop: Shop) -> None:
    """A UUID key is logged and read in one spelling, and found in any."""
    if any_shop.dialect == "sqlite":
        pytest.skip("SQLite has no UUID type")
    any_shop.run("CREATE TABLE customers (id uuid PRIMARY KEY, company varchar(20))")
    key = "0b5d2f0e-7a51-4a0e-9d0a-5f6f2a1c9e33"
    with any_shop.source(fields={"name": "company"}) as source:
        any_shop.run(f"INSERT INTO customers VALUES ('{key.upper()}', 'A')")
        assert logged(source) == [("I", key, None)]
        assert customers.read(source, [key.upper()])[key.upper()].key == key
        assert [row.key for row in customers.page(source, None, 5)] == [key]
        assert customers.page(source, key, 5) == []
        added = customers.insert(source, {"name": "B"}, "o")
        assert isinstance(added, customers.Written)
        assert len(added.customer.key) == 36


def test_mark_in_another_spelling_finds_its_row(mariadb_shop: Shop) -> None:
    """`ab1 ` in a watched table finds the row AB1, and the answer carries the row's own spelling."""
    mariadb_shop.run(
        "CREATE TABLE customers (code varchar(20) PRIMARY KEY, company varchar(20)) COLLATE utf8mb4_general_ci",
        "CREATE TABLE addresses (id integer PRIMARY KEY, code varchar(20)) COLLATE utf8mb4_general_ci",
        "INSERT INTO customers VALUES ('AB1', 'A'), ('x', 'X')",
    )
    watch = (Watch("customers", "code"), Watch("addresses", "code"))
    with mariadb_shop.source(key="code", fields={"name": "company"}, watch=watch) as source:
        mariadb_shop.run("INSERT INTO addresses VALUES (1, 'ab1 ')")
        (entry,) = changelog.read(source).entries
        found = customers.read(source, [entry.key, "x", "AB1", "gone"])
        assert entry.key == "ab1 "
        assert {asked: customer.key for asked, customer in found.items()} == {"ab1 ": "AB1", "AB1": "AB1", "x": "x"}
        assert drained(source)


def test_padded_keys(postgres_shop: Shop) -> None:
    """char(n) keys are logged, read and asked for without their padding."""
    postgres_shop.run("CREATE TABLE customers (code char(8) PRIMARY KEY, company text)")
    with postgres_shop.source(key="code", fields={"name": "company"}) as source:
        postgres_shop.run("INSERT INTO customers VALUES ('AB1', 'A')")
        assert logged(source) == [("I", "AB1", None)]
        assert set(customers.read(source, ["AB1", "AB1  ", "ab1", "AB1xxxxxxxxx"])) == {"AB1", "AB1  "}


def test_view_over_two_tables(any_shop: Shop) -> None:
    """A view is read, its tables carry the triggers; absent from the view and absent from the table are two things."""
    any_shop.tables()
    any_shop.run(
        "CREATE VIEW shown AS SELECT c.id, c.company, a.city FROM customers c JOIN addresses a ON a.customer_id = c.id",
        A,
    )
    with (
        pytest.raises(SettingsError, match=r"source\.watch"),
        any_shop.source(table="shown", fields={"name": "company"}),
    ):
        pass
    with any_shop.source(table="shown", fields={"name": "company", "city": "city"}, watch=WATCH) as source:
        assert customers.read(source, ["1"]) == {}
        assert customers.presence(source, "1") == customers.Presence(in_view=False, in_table=True)
        any_shop.run("INSERT INTO addresses (customer_id, city) VALUES (1, 'Bonn')", "UPDATE customers SET id = 5")
        assert customers.presence(source, "5") == customers.Presence(in_view=True, in_table=True)
        assert ("U", "5", "1") in logged(source)
        assert not any(entry.table for entry in drained(source))
        any_shop.run("INSERT INTO addresses (customer_id, city) VALUES (5, 'Köln')")
        (twice,) = customers.page(source, None, 10)
        assert twice.problems == {"": "the view shows several rows for this key"}


def test_simple_view_is_written(any_shop: Shop) -> None:
    """A view that the database can update is written like a table, with a lock on the row under it."""
    if any_shop.dialect == "sqlite":
        pytest.skip("SQLite's views cannot be updated")
    any_shop.tables()
    any_shop.run("CREATE VIEW shown AS SELECT id, company AS firm FROM customers", A)
    with any_shop.source(table="shown", fields={"name": "firm"}, watch=(Watch("customers", "id"),)) as source:
        seen = customers.read(source, ["1"])["1"]
        assert isinstance(customers.update(source, seen, {"name": "B"}, "o"), customers.Written)
        assert any_shop.value("SELECT company FROM customers") == "B"


# --- consuming -----------------------------------------------------------------------------------------------------


def test_only_what_was_read_is_deleted(any_shop: Shop) -> None:
    """Rows that came after the reading stay, whatever their number."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A)
        changelog.claim(source, "me")
        batch = changelog.read(source)
        any_shop.run("UPDATE customers SET company = 'B'")
        changelog.acknowledge(source, batch, "me")
        assert logged(source) == [("U", "1", None)]
        assert changelog.backlog(source).rows == 1


def test_a_number_used_twice_is_not_mistaken(any_shop: Shop) -> None:
    """A row that took over an acknowledged number for another customer survives: number and key must both fit."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A)
        changelog.claim(source, "me")
        batch = changelog.read(source)
        log = "syncd.change_log" if any_shop.dialect == "postgresql" else "syncd_change_log"
        any_shop.run(f"UPDATE {log} SET customer_key = '2'")
        changelog.acknowledge(source, batch, "me")
        assert logged(source) == [("I", "2", None)]


def test_numbers_are_never_used_again(any_shop: Shop) -> None:
    """Acknowledged rows leave no number behind that a later row could get."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A)
        (first,) = drained(source)
        any_shop.run("UPDATE customers SET company = 'B'")
        assert changelog.read(source).entries[0].seq > first.seq


def test_batches_are_limited_and_ordered(any_shop: Shop) -> None:
    """A long log is read in parts, lowest number first, until it is empty."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run("INSERT INTO customers (id, company) VALUES (1, 'A'), (2, 'B'), (3, 'C')")
        changelog.claim(source, "me")
        seen = []
        while entries := (batch := changelog.read(source, 2)).entries:
            changelog.acknowledge(source, batch, "me")
            seen.append([entry.key for entry in entries])
        assert seen == [["1", "2"], ["3"]]
        assert changelog.read(source).acks == 2


def test_marks_come_in_the_order_of_their_numbers(postgres_shop: Shop) -> None:
    """However they lie in the table: sessions that keep numbers in stock write low ones late."""
    postgres_shop.tables()
    with postgres_shop.source() as source:
        postgres_shop.run(
            "INSERT INTO syncd.change_log (seq, customer_key, op, own) OVERRIDING SYSTEM VALUE"
            " VALUES (900, 'b', 'U', true), (950, 'c', 'U', true), (800, 'a', 'U', true)"
        )
        assert [entry.key for entry in changelog.read(source).entries] == ["a", "b", "c"]
        assert [entry.key for entry in changelog.read(source, 2).entries] == ["a", "b"]


def test_one_owner(any_shop: Shop) -> None:
    """The first state database that claims the log owns it; a second one stops before it reads or deletes anything."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A)
        assert changelog.claim(source, "me") == 0
        assert changelog.claim(source, "me") == 0
        with pytest.raises(SafetyStop):
            changelog.claim(source, "clone")
        with pytest.raises(SafetyStop):
            changelog.acknowledge(source, changelog.read(source), "clone")
        assert changelog.backlog(source).rows == 1
        changelog.release(source, "clone")
        assert changelog.read(source).owner == "me"
        assert changelog.seize(source, "clone") == 0
        assert changelog.read(source).owner == "clone"
        changelog.release(source, "clone")
        assert changelog.read(source).owner == ""


def test_fence_tells_restored_from_overtaken(any_shop: Shop) -> None:
    """A fence that went back is a restored source; one that went ahead is another daemon of ours; neither deletes."""
    any_shop.tables()
    with any_shop.source() as source:
        any_shop.run(A)
        changelog.claim(source, "me")
        stale = changelog.read(source)
        changelog.acknowledge(source, stale, "me")
        any_shop.run("UPDATE customers SET company = 'B'")
        now = changelog.read(source)
        with pytest.raises(LeaseLost):
            changelog.acknowledge(source, Batch(now.entries, stale.acks, "me"), "me")
        with pytest.raises(SafetyStop):
            changelog.acknowledge(source, Batch(now.entries, now.acks + 1, "me"), "me")
        assert changelog.read(source) == now


def test_consumer_waits_for_nobody(any_shop: Shop) -> None:
    """An application transaction that stays open holds its own marks back, and no others."""
    if any_shop.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    any_shop.tables()
    with any_shop.source(lock_timeout=1.0) as source, any_shop.app.begin() as conn:
        conn.exec_driver_sql(A)
        any_shop.run("INSERT INTO customers (id, company) VALUES (2, 'B')")
        assert [entry.key for entry in drained(source)] == ["2"]


def test_a_transaction_on_sqlite_has_the_table_to_itself(sqlite_shop: Shop) -> None:
    """What a transaction of ours read is still so when it writes: from its first moment nobody else writes. What is not
    kept is rolled back."""
    sqlite_shop.tables()
    sqlite_shop.run(A)
    with sqlite_shop.source() as source, closing(sqlite3.connect(source.engine.url.database or "", timeout=0)) as other:

        def work(conn: sa.Connection) -> None:
            assert conn.exec_driver_sql("SELECT company FROM customers WHERE id = 1").scalar_one() == "A"
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("UPDATE customers SET company = 'Theirs' WHERE id = 1")
            conn.exec_driver_sql("UPDATE customers SET company = 'Ours' WHERE id = 1")

        in_transaction(source, work, keep=lambda _: False)
        assert sqlite_shop.value("SELECT company FROM customers WHERE id = 1") == "A"
        in_transaction(source, work)
        assert sqlite_shop.value("SELECT company FROM customers WHERE id = 1") == "Ours"


# --- installing and checking ---------------------------------------------------------------------------------------


def test_not_installed_is_setup_needed(any_shop: Shop) -> None:
    """Without log and fence the reading names the command; the check names every missing part."""
    any_shop.tables()
    with any_shop.source(install=False) as source:
        with pytest.raises(SetupNeeded) as caught:
            changelog.read(source)
        assert "triggers install" in caught.value.remedy
        assert len(triggers.check(source)) >= 3


def test_install_twice_and_remove(any_shop: Shop) -> None:
    """Installing again changes nothing and keeps the marks; removing leaves nothing of ours."""
    any_shop.tables()
    with any_shop.source(watch=WATCH) as source:
        any_shop.run(A)
        triggers.install(source)
        assert triggers.check(source) == []
        assert logged(source) == [("I", "1", None)]
        triggers.remove(source)
        triggers.remove(source)
        any_shop.run("UPDATE customers SET company = 'B'")
        left = {
            "sqlite": "SELECT count(*) FROM sqlite_master WHERE name LIKE 'syncd%'",
            "postgresql": """SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'syncd%')
                                  + (SELECT count(*) FROM pg_namespace WHERE nspname = 'syncd')""",
            "mysql": """SELECT (SELECT count(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE())
                       + (SELECT count(*) FROM information_schema.TABLES
                           WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'syncd%')""",
        }
        assert any_shop.value(left[any_shop.dialect]) == 0


_FUNCTION = "CREATE OR REPLACE FUNCTION {f}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
_EMPTY = f"{_FUNCTION} SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN NULL; END $$"
_INSERT_ONLY = """CREATE OR REPLACE TRIGGER syncd_row AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION {f}();;
    ALTER TABLE customers ENABLE ALWAYS TRIGGER syncd_row"""
_SLEEPING = """DROP TRIGGER syncd_customers_insert;;
    CREATE TRIGGER syncd_customers_insert AFTER INSERT ON customers BEGIN SELECT 1; END"""
SABOTAGE = [
    ("sqlite", "DROP TRIGGER syncd_customers_update"),
    ("sqlite", _SLEEPING),
    ("sqlite", "DELETE FROM syncd_fence"),
    ("sqlite", "DROP TABLE syncd_change_log"),
    ("postgresql", "DROP TRIGGER syncd_truncate ON customers"),
    ("postgresql", "ALTER TABLE customers DISABLE TRIGGER syncd_row"),
    ("postgresql", "ALTER TABLE customers ENABLE TRIGGER syncd_row"),
    ("postgresql", _INSERT_ONLY),
    ("postgresql", "ALTER FUNCTION {f} SECURITY INVOKER"),
    ("postgresql", "ALTER FUNCTION {f} RESET search_path"),
    ("postgresql", _EMPTY),
    ("postgresql", "DELETE FROM syncd.fence"),
    ("postgresql", "DROP TABLE syncd.fence"),
    ("mysql", "DROP TRIGGER syncd_customers_insert"),
    ("mysql", "CREATE OR REPLACE TRIGGER syncd_customers_update AFTER UPDATE ON customers FOR EACH ROW BEGIN END"),
    ("mysql", "DELETE FROM syncd_fence"),
    ("mysql", "DROP TABLE syncd_change_log"),
]
FIXTURES = {"sqlite": "sqlite_shop", "postgresql": "postgres_shop", "mysql": "mariadb_shop"}


@pytest.mark.parametrize(("dialect", "sabotage"), SABOTAGE)
def test_check_finds_sabotage(dialect: str, sabotage: str, request: pytest.FixtureRequest) -> None:
    """Anything missing, disabled or altered is found, and installing again mends it."""
    made: Shop = request.getfixturevalue(FIXTURES[dialect])
    made.tables()
    with made.source() as source:
        find = "SELECT 'syncd.' || proname FROM pg_proc WHERE proname LIKE 'log\\_customers%'"
        function = made.value(find) if dialect == "postgresql" else ""
        made.run(*sabotage.format(f=function).split(";;"))
        assert triggers.check(source)
        triggers.install(source)
        assert triggers.check(source) == []


@pytest.mark.parametrize(("dialect", "sabotage"), [each for each in SABOTAGE if "TRIGGER" in each[1]])
def test_what_changed_without_triggers_is_looked_at(
    dialect: str, sabotage: str, request: pytest.FixtureRequest
) -> None:
    """Installing over missing, disabled or altered triggers leaves the mark that everything is looked at; a second
    time it leaves none."""
    made: Shop = request.getfixturevalue(FIXTURES[dialect])
    made.tables()
    with made.source() as source:
        find = "SELECT 'syncd.' || proname FROM pg_proc WHERE proname LIKE 'log\\_customers%'"
        function = made.value(find) if dialect == "postgresql" else ""
        made.run(*sabotage.format(f=function).split(";;"))
        made.run(A)
        assert "T" not in [op for op, _, _ in logged(source)]
        triggers.install(source)
        assert "T" in [op for op, _, _ in logged(source)]
        drained(source)
        triggers.install(source)
        assert logged(source) == []


@pytest.mark.parametrize("done", range(1, 9))
def test_a_removal_that_was_killed_half_way_forgets_no_change(any_shop: Shop, done: int) -> None:
    """MariaDB makes each statement of a removal durable by itself: where the fence is still as the state knows it, the
    next installation has everything looked at. Without the fence, the state stops for `syncd recover`."""
    any_shop.tables()
    with any_shop.source() as source:
        changelog.claim(source, "us")
        any_shop.run(*triggers.removal(source)[:done])
        any_shop.run(A)
        triggers.install(source)
        batch = changelog.read(source)
        assert not batch.owner or {entry.op for entry in batch.entries} & {"T", "I"}


def test_a_log_of_another_version_is_told(any_shop: Shop) -> None:
    """A log that lacks a column is refused with the commands that make it anew."""
    any_shop.tables()
    log = "syncd.change_log" if any_shop.dialect == "postgresql" else "syncd_change_log"
    with any_shop.source() as source:
        any_shop.run(f"ALTER TABLE {log} RENAME COLUMN was TO old")
        (problem,) = [found for found in triggers.check(source) if "lacks" in found.reason]
        assert "triggers remove" in problem.remedy


def test_statements_are_complete(any_shop: Shop) -> None:
    """What is printed for a DBA makes the same as `install`, and names the grants."""
    any_shop.tables()
    with any_shop.source(install=False) as source:
        script = triggers.statements(source)
        assert (any("GRANT" in line for line in script)) == (any_shop.dialect != "sqlite")
        for text in script:
            if text.startswith("--"):
                continue
            statement = text.removeprefix("DELIMITER //\n").removesuffix(" //\nDELIMITER ;")
            if any_shop.dialect == "sqlite":
                with any_shop.app.connect() as conn:
                    conn.connection.dbapi_connection.executescript(statement)  # type: ignore[union-attr]
            else:
                any_shop.run(statement)
        assert triggers.check(source) == []


def test_the_printed_grants_are_enough(postgres_shop: Shop) -> None:
    """An account with exactly the printed grants reads, writes and consumes; it reads no unmapped column."""
    postgres_shop.tables()
    role = postgres_shop.url.rpartition("/")[2] + "_syncd"
    postgres_shop.run(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    url = sa.make_url(postgres_shop.url).set(username=role).render_as_string(hide_password=False)
    try:
        with postgres_shop.source() as owner, postgres_shop.source(install=False, url=url, password="x") as source:
            assert [problem.reason for problem in triggers.check(source)] == [
                "the account may not consume the change log."
            ]
            with pytest.raises(SourceUnreachable, match="refuses the account"):
                customers.count(source)
            postgres_shop.run(*(line.removeprefix("-- ") for line in triggers.statements(source) if "GRANT" in line))
            assert triggers.check(source) == []
            added = customers.insert(source, {"name": "A"}, "o")
            assert isinstance(added, customers.Written)
            assert isinstance(customers.update(source, added.customer, {"name": "B"}, "o"), customers.Written)
            assert len(drained(source)) == 2
            with pytest.raises(sa.exc.ProgrammingError), source.engine.connect() as conn:
                conn.exec_driver_sql("SELECT secret_note FROM customers")
            assert triggers.check(owner) == []
    finally:
        postgres_shop.run(f"DROP OWNED BY {role}; DROP ROLE {role}")
