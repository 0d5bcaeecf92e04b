"""Configured names meet a real database: only what exists is used, and everything wrong is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.model import FIELDS
from syncd.core.selection import Watch
from syncd.errors import SettingsError
from syncd.source import customers
from syncd.source.database import SourceConfig, open_source
from tests.contract.shop import Shop, shop

NAMES = [
    "id",
    "e mail",
    'quo"te',
    "semi;colon",
    "per%cent",
    "dash--dash",
    "co:lon",
    "Größe",
    "select",
    "back`tick",
    "it's",
]


def problems(made: Shop, **wrong: object) -> dict[str, str]:
    """place → the whole sentence of every problem of these settings."""
    with pytest.raises(SettingsError) as caught, made.source(install=False, **wrong):
        pass
    return {problem.place: str(problem) for problem in caught.value.problems}


def test_missing_columns_are_said_together(any_shop: Shop) -> None:
    """Every wrong field is one problem with its place and a "did you mean"."""
    any_shop.tables()
    found = problems(any_shop, fields={"email": "emial", "phone": "PHONE", "name": "company", "city": "zzz"})
    assert set(found) == {"source.fields.email", "source.fields.phone", "source.fields.city"}
    assert '"emial"' in found["source.fields.email"]
    assert 'Did you mean "email"?' in found["source.fields.email"]
    assert 'Did you mean "phone"?' in found["source.fields.phone"]
    assert "Did you mean" not in found["source.fields.city"]


def test_missing_tables(any_shop: Shop) -> None:
    """A wrong table, schema or watched table names its place."""
    any_shop.tables()
    assert 'Did you mean "customers"?' in problems(any_shop, table="costumers")["source.table"]
    assert "no schema" in problems(any_shop, table="nowhere.customers")["source.table"]
    watch = (Watch("customers", "id"), Watch("adresses", "customer_id"), Watch("addresses", "customer"))
    found = problems(any_shop, watch=watch)
    assert 'Did you mean "addresses"?' in found["source.watch[1].table"]
    assert 'Did you mean "customer_id"?' in found["source.watch[2].key"]


def test_schema_prefix(any_shop: Shop) -> None:
    """`schema.table` works where the schema exists."""
    any_shop.tables()
    name = str(sa.make_url(any_shop.url).database)
    schema = {"sqlite": "main", "postgresql": "crm", "mysql": name}[any_shop.dialect]
    if any_shop.dialect == "postgresql":
        any_shop.run("CREATE SCHEMA crm", "CREATE TABLE crm.customers (LIKE customers INCLUDING ALL)")
    with any_shop.source(table=f"{schema}.customers") as source:
        any_shop.run(f"INSERT INTO {schema}.customers (id, company) VALUES (1, 'A')")
        assert customers.count(source) == 1


def test_key_must_identify(any_shop: Shop) -> None:
    """Composite keys, columns that are not unique and types that spell no key are refused."""
    any_shop.tables()
    blob = "bytea" if any_shop.dialect == "postgresql" else "blob"
    any_shop.run(
        "CREATE TABLE pairs (a integer, b integer, company varchar(9), PRIMARY KEY (a, b))",
        f"CREATE TABLE odd (id double precision PRIMARY KEY, company varchar(9), picture {blob})",
    )
    assert "2 columns" in problems(any_shop, table="pairs", key="a", fields={})["source.key"]
    assert "neither" in problems(any_shop, key="company")["source.key"]
    found = problems(any_shop, table="odd", fields={"name": "picture"})
    assert set(found) == {"source.key", "source.fields.name"}


def test_types_and_doubles(any_shop: Shop) -> None:
    """A column that cannot hold the field, and a column mapped twice, are problems."""
    any_shop.tables()
    found = problems(any_shop, fields={"birth_date": "born", "number": "company", "name": "company"})
    assert "already mapped" in found["source.fields.name"]
    if any_shop.dialect != "sqlite":
        assert "cannot hold" in problems(any_shop, fields={"email": "born"})["source.fields.email"]


def test_modes(any_shop: Shop) -> None:
    """Snapshot is PostgreSQL's and read-only; updated_at wants a timestamp column that exists."""
    any_shop.tables()
    assert "write = false" in problems(any_shop, change_log="snapshot")["source.write"]
    if any_shop.dialect != "postgresql":
        assert "PostgreSQL" in problems(any_shop, change_log="snapshot", write=False)["source.change_log"]
    assert "source.updated_at" in problems(any_shop, change_log="updated_at", updated_at="changed")
    assert "timestamp" in problems(any_shop, change_log="updated_at", updated_at="id")["source.updated_at"]


def test_urls() -> None:
    """What is no supported database is a settings error, without the URL in it."""
    for url in ("nonsense", "oracle://u:secret@h/x", "mysql+mysqldb://u:secret@h/x"):
        with pytest.raises(SettingsError) as caught:
            open_source(SourceConfig(url=url, table="t", key="id", fields={}))
        assert caught.value.problems[0].place == "source.url"
        assert "secret" not in str(caught.value)


def test_hostile_but_real_names(any_shop: Shop) -> None:
    """Columns and tables with any name at all are read, written and logged."""
    mark = "`" if any_shop.dialect == "mysql" else '"'
    # SQLAlchemy reads MariaDB's backticks back doubled: such a name is an error, which is the other half of the rule
    names = [name for name in NAMES[1:] if mark != "`" or mark not in name]

    def quote(name: str) -> str:
        return mark + name.replace(mark, mark * 2) + mark

    columns = ", ".join(f"{quote(name)} varchar(20)" for name in names)
    table = 'cus"tom;ers--%s'
    any_shop.run(f"CREATE TABLE {quote(table)} ({quote('id')} integer PRIMARY KEY, {columns})")
    fields = dict(zip(FIELDS[2:], names, strict=False))
    with any_shop.source(table=table, fields=fields) as source:
        any_shop.run(f"INSERT INTO {quote(table)} ({quote('id')}) VALUES (1)")
        seen = customers.read(source, ["1"])["1"]
        written = customers.update(source, seen, dict.fromkeys(fields, "v"), "o")
        assert isinstance(written, customers.Written)
        assert set(customers.page(source, None, 5)[0].values.values()) == {"v"}


TEXTS = st.one_of(
    st.sampled_from(NAMES),
    st.text(max_size=70),
    st.builds(
        lambda name, tail: name + tail,
        st.sampled_from(NAMES),
        st.sampled_from(['"', "'; DROP TABLE t; --", " ", "\0", "а"]),
    ),
)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_a_name_is_exactly_real_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, table: str, key: str, column: str
) -> None:
    """Whatever is configured: it is the exact name of something, or an error; no statement holds it otherwise."""
    path: Path = tmp_path_factory.getbasetemp() / "names.db"
    if not path.exists():
        path.touch()
        with shop(f"sqlite:///{path}") as made:
            quote = made.app.dialect.identifier_preparer.quote_identifier
            columns = ", ".join(f"{quote(name)} text" for name in NAMES[1:])
            made.run(f"CREATE TABLE t (id integer PRIMARY KEY, {columns})")
    config = SourceConfig(url=f"sqlite:///{path}", table=table, key=key, fields={"name": column})
    real = (table, key) == ("t", "id") and column in NAMES
    if not real:
        with pytest.raises(SettingsError):
            open_source(config)
        return
    open_source(config).close()
