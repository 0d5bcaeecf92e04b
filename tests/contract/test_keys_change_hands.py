"""Keys that change hands, for every kind of key in every dialect: a shop deletes one customer and gives his key to
another, lets two swap theirs, gives a key a second time, or spells it anew. Captured statement by statement and all in
one batch, then looked at: nobody's record ever holds another's data, and nobody's is removed unasked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncd.detect.capture import capture
from syncd.engine.run import Options, run_cycle
from syncd.operate.review import decide
from syncd.runtime.installation import Installation
from syncd.store import journal, mapping
from tests.clock import VirtualClock
from tests.contract.shop import Shop, shop
from tests.databases import DIALECTS, database
from tests.system.shelf import NAME, Shelf, shelved

IGNORING = "CREATE COLLATION ignoring (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
KINDS = {
    "integer": dict.fromkeys(DIALECTS, "integer"),
    "uuid": {"sqlite": "text", "postgresql": "uuid", "mysql": "uuid"},
    "text": {"sqlite": "text", "postgresql": "varchar(20)", "mysql": "varchar(20) COLLATE utf8mb4_bin"},
    "caseless": {
        "sqlite": "text COLLATE NOCASE",
        "postgresql": "varchar(20) COLLATE ignoring",
        "mysql": "varchar(20) COLLATE utf8mb4_general_ci",
    },
    "padded": {"sqlite": "text COLLATE RTRIM", "postgresql": "char(8)", "mysql": "char(8)"},
}
LIKE_TEXT = ("text", "padded")  # kinds that say little more on a server than "caseless" does there
NIGHT = 90_000.0  # seconds
MERGED, GONE, LEFT, RIGHT, FIRST, STAYS = range(6)  # who, in the order of their rows
SECOND = 6  # who gets the first one's key


@dataclass(frozen=True)
class Place:
    """A shop with keys of one kind, its six customers at the provider already."""

    shop: Shop
    site: Installation
    shelf: Shelf
    clock: VirtualClock
    kind: str
    every: bool  # statement captured for itself

    def key(self, number: int) -> str:
        """The n-th key, as the row has it."""
        if self.kind == "integer":
            return str(number + 1)
        return str(uuid.UUID(int=number + 0xABCDE)) if self.kind == "uuid" else f"AB{number}"

    def run(self, *statements: str) -> None:
        """What the application does."""
        for statement in statements:
            self.shop.run(statement)
            if self.every:
                capture(self.site)

    def look(self) -> None:
        """Everything that is due, over every settle time."""
        for pause in (2.0, 120.0, NIGHT):
            run_cycle(self.site, Options())
            self.clock.advance(pause)
        run_cycle(self.site, Options())

    def give(self, number: int, new: str) -> str:
        """The statement that gives a row another key."""
        return f"UPDATE customers SET code = '{new}' WHERE code = '{self.key(number)}'"

    def linked(self) -> dict[str, str | None]:
        """Key to record."""
        with self.site.state.read() as tx:
            return {link.pair.key: link.external_id for link in mapping.page(tx, NAME, "", 50)}

    def answer(self, asked: list[str], decision: str) -> None:
        """A person is asked this and nothing else, and gives one answer to all."""
        with self.site.state.read() as tx:
            items = journal.reviews(tx)
        assert [item.kind for item in items] == asked
        for item in items:
            decide(self.site.state, item, decision, self.clock.now())
        self.look()


def person(number: int) -> str:
    """Number, name, e-mail and street of somebody who shares nothing with anybody, as SQL."""
    return f"'{1000 + number}', 'Firma {number} GmbH', 'post@firma-{number}.example', 'Weg {number}'"


@contextmanager
def place(kind: str, dialect: str, directory: Path, *, every: bool) -> Iterator[Place]:
    """Everybody is at the provider."""
    with database(dialect, directory) as url, shop(url) as made:
        if (kind, dialect) == ("caseless", "postgresql"):
            made.run(IGNORING)
        made.run(
            f"CREATE TABLE customers (code {KINDS[kind][dialect]} NOT NULL PRIMARY KEY,"
            " number varchar(20), company varchar(40), email varchar(60), street varchar(60))"
        )
        fields = {"number": "number", "name": "company", "email": "email", "street": "street"}
        shelf, clock = Shelf(), VirtualClock()
        with made.source(key="code", fields=fields) as source, shelved(source, {NAME: shelf}, clock=clock) as site:
            ready = Place(made, site, shelf, clock, kind, every)
            made.run(*(f"INSERT INTO customers VALUES ('{ready.key(n)}', {person(n)})" for n in range(6)))
            ready.look()
            assert ready.linked() == {ready.key(n): str(1000 + n) for n in range(6)}
            yield ready


@pytest.mark.parametrize(
    "every", [pytest.param(False, id="one-batch"), pytest.param(True, id="each", marks=pytest.mark.long)]
)
@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        pytest.param(dialect, kind, marks=pytest.mark.long if (dialect != "sqlite" and kind in LIKE_TEXT) else ())
        for dialect in DIALECTS
        for kind in KINDS
    ],
)
def test_records_stay_with_their_people(dialect: str, kind: str, every: bool, tmp_path: Path) -> None:
    """A merge, a swap, a re-use and a new spelling in one shop: each living customer is linked to the record that was
    made for him, an edit of his goes there, and of the two who left a person is asked."""
    with place(kind, dialect, tmp_path, every=every) as made:
        respelled = made.key(STAYS).lower() if kind == "caseless" else made.key(STAYS)
        made.run(
            f"DELETE FROM customers WHERE code = '{made.key(GONE)}'",
            made.give(MERGED, made.key(GONE)),
            made.give(LEFT, made.key(9)),
            made.give(RIGHT, made.key(LEFT)),
            made.give(9, made.key(RIGHT)),
            f"DELETE FROM customers WHERE code = '{made.key(FIRST)}'",
            f"INSERT INTO customers VALUES ('{made.key(FIRST)}', {person(SECOND)})",
            made.give(STAYS, respelled),
        )
        made.look()
        assert sorted(made.shelf.records) == [str(1000 + number) for number in range(6)]
        made.answer(["delete_conflict"] * 2, "take:provider")  # who left keeps his record
        made.answer(["came_back"], "create")  # whoever has the key of one who left is a new customer
        assert made.linked() == {
            made.key(GONE): str(1000 + MERGED),
            made.key(LEFT): str(1000 + RIGHT),
            made.key(RIGHT): str(1000 + LEFT),
            made.key(FIRST): str(1000 + SECOND),
            respelled: str(1000 + STAYS),
        }
        made.run(*(f"UPDATE customers SET street = 'Neuer Weg {n}' WHERE number = '{1000 + n}'" for n in range(7)))
        made.look()
        for number, record in made.shelf.records.items():
            who = int(number) - 1000
            assert (record["name"], record["email"]) == (f"Firma {who} GmbH", f"post@firma-{who}.example")
            moved = who not in {GONE, FIRST}
            assert record["street"] == (f"Neuer Weg {who}" if moved else f"Weg {who}")
