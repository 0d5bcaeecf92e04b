"""What SQLite's most general error code means: it says neither table nor column."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from syncd.errors import SetupNeeded, SourceUnreachable
from syncd.source.failures import Failure, FailureKind, classify, explained


def _failure(statement: str) -> FailureKind:
    engine = sa.create_engine("sqlite://")
    try:
        with engine.connect() as conn:
            conn.exec_driver_sql("CREATE TABLE customers (id integer, name text)")
            with pytest.raises(sa.exc.DBAPIError) as caught:
                conn.exec_driver_sql(statement).all()
    finally:
        engine.dispose()
    kind = classify(caught.value).kind
    told = explained(classify(caught.value))
    assert isinstance(told, SetupNeeded if kind is FailureKind.MISSING else SourceUnreachable)
    return kind


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM nowhere",
        "SELECT gone FROM customers",
        "SELECT c.gone FROM customers AS c",
        "INSERT INTO customers (gone) VALUES (1)",
        "UPDATE customers SET gone = 1",
    ],
)
def test_a_missing_table_or_column_is_called_missing(statement: str) -> None:
    """Wherever in a statement it stands."""
    assert _failure(statement) is FailureKind.MISSING


@pytest.mark.parametrize(
    "statement",
    ["SELECT abs(-9223372036854775808)", "SELECT json('{')", "SELECT unheard_of(1)", "SELECT FROM customers"],
)
def test_another_error_of_a_statement_is_not(statement: str) -> None:
    """A number that overflows, text that is no JSON, a function of the application: the table is what it was."""
    assert _failure(statement) is FailureKind.REFUSED


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_leads_on(kind: FailureKind) -> None:
    """Whatever the source's database answers, the error says what to do next."""
    assert explained(Failure(kind, "57014")).remedy
