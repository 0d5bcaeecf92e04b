"""Guesses for `syncd init`: which table holds customers, and which column holds which field. A person corrects them.

Pure: facts about tables go in. The words of tables and columns are in `syncd.source.words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncd.source.columns import NO, YES, ColumnKind, kinds_for
from syncd.source.nations import meant, plain
from syncd.source.survey import ColumnFacts, TableFacts
from syncd.source.words import (
    ADDRESSES,
    COLUMNS,
    CUSTOMERS,
    INVERSE,
    OTHERS,
    PEOPLE,
    PREFIXES,
    TITLES,
)

LEAST = 3  # fields that a table must seem to have
CHOICES = ("country", "language", "active")


@dataclass(frozen=True, slots=True)
class Fit:
    """A column for a field; with a `doubt`, the reason why it is left out."""

    column: str
    doubt: str = ""


def match_columns(names: Iterable[str]) -> dict[str, str]:
    """A column for each canonical field, by names alone; each column at most once, the more telling names first."""
    found: dict[str, str] = {}
    every = alternatives(names)
    for field, columns in every.items():
        column = next((name for name in columns if name not in found.values()), None)
        if column is not None:
            found[field] = column
    return found


def alternatives(names: Iterable[str]) -> dict[str, list[str]]:
    """All columns whose name means a field, by field; the more telling names first."""
    known = {plain(name): name for name in names}
    return {
        field: list(dict.fromkeys(known[p + w] for p in _prefixes(field) for w in words if p + w in known))
        for field, words in COLUMNS.items()
    }


def _prefixes(field: str) -> tuple[str, ...]:
    """The prefixes of column names to try for a field: `customer_name` is a name, but `customer_title` need not be a
    title, so some fields have none."""
    return ("",) if field in {"number", "price_group", "active", "title", "invoice_email"} else PREFIXES


def match_facts(table: TableFacts, names: Iterable[str]) -> dict[str, Fit]:
    """A column for each field, by name, type and content: a filled column goes before one that is nearly empty."""
    found: dict[str, Fit] = {}
    doubtful: dict[str, Fit] = {}
    taken: set[str] = set()
    for field, columns in alternatives(names).items():
        free = [name for name in columns if name not in taken and _holds(field, table.columns[name])]
        most = max((table.columns[name].filled for name in free), default=0)
        free.sort(key=lambda name, most=most: table.columns[name].filled * 2 < most)  # type: ignore[misc]
        for name in free:
            doubt = _doubt(field, table, table.columns[name])
            if not doubt:
                found[field] = Fit(name)
                taken.add(name)
                break
            doubtful.setdefault(field, Fit(name, doubt))
    return {field: found.get(field) or doubtful[field] for field in COLUMNS if field in found or field in doubtful}


def _holds(field: str, column: ColumnFacts) -> bool:
    spelled = field == "language"
    return column.kind is not None and column.kind in kinds_for(field, spelled=spelled)


def _doubt(field: str, table: TableFacts, column: ColumnFacts) -> str:
    """Why a column does not hold this field although its name says so; '' where it may."""
    words, empty = list(column.values), table.sampled > 0 and not column.filled
    said = ""
    if field == "number":
        said = "empty in every row" if empty else "the same in several rows" if _repeated(column) else ""
    elif field == "title":
        proper = bool(words) and all(plain(word).startswith(TITLES) for word in words)
        said = "" if proper else "does not hold titles such as Dr."
    elif field == "active":
        flag = all(word.lower() in YES | NO for word in words)
        strange = plain(column.name) in {"status", "statut"} and (not words or column.kind is ColumnKind.TEXT)
        said = "holds more than yes and no" if not flag or strange else ""
    elif field in {"email", "invoice_email"} and words:
        said = "" if sum("@" in word for word in words) * 2 > len(words) else "holds no e-mail addresses"
    elif field in {"country", "language"} and words:
        shown = ", ".join(f'"{word}"' for word in words[:3])
        said = "" if any(meant(field, word) for word in words) else f"what {shown} mean, only you can say"
    return said


def _repeated(column: ColumnFacts) -> bool:
    return len(column.values) < column.filled


def value_map(field: str, column: ColumnFacts) -> dict[str, tuple[str, ...]]:
    """The value map for a column whose values are not canonical ones; the most frequent spelling of a value comes
    first, and is the one that a pull writes. Empty where no map is needed."""
    if field == "active":
        yes, no = ("0", "1") if plain(column.name) in INVERSE else ("", "")
        return {"true": (yes,), "false": (no,)} if yes else {}
    if field not in {"country", "language"} or all(_plainly(field, word) for word in column.values):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for word in column.values:
        code = meant(field, word)
        if code:
            found[code] = (*found.get(code, ()), word)
    return dict(sorted(found.items()))


def _plainly(field: str, word: str) -> bool:
    """Whether a value is the canonical one, but for capitals."""
    return (meant(field, word) or "").lower() == word.lower()


# --- which table -----------------------------------------------------------------------------------------------------


def named_as(table: TableFacts, fields: int) -> int:
    """The score of a table, by its name and the number of fields that it seems to have: how likely it holds
    customers."""
    own = table.bare
    weight = 6 if any(word in own for word in CUSTOMERS) else 2 if any(word in own for word in PEOPLE) else 0
    weight -= 8 if any(word in own for word in ADDRESSES) else 0
    weight -= 8 if any(word in own for word in OTHERS) else 0
    # "customer" says it plainly; "customer_list" or "customer_entity_log" is about customers
    weight += 2 if any(own.endswith((word, f"{word}s", f"{word}n", f"{word}en")) for word in CUSTOMERS) else 0
    return weight + fields


def likely(tables: Mapping[str, TableFacts], most: int) -> list[str]:
    """The names of tables that may hold customers, by structure alone, the likeliest first; `most` of them at most."""
    marked: list[tuple[int, bool, int, str]] = []
    for name, table in tables.items():
        fields = len(match_columns(table.columns))
        if fields >= LEAST:
            marked.append((named_as(table, fields), not table.is_view, len(marked), name))
    marked.sort(key=lambda each: (-each[0], not each[1], each[2]))
    return [name for *_, name in marked[:most]]


def key_of(table: TableFacts) -> tuple[str, str]:
    """The key column and ''; or '' and why there is none."""
    if len(table.primary) == 1:
        return table.primary[0], ""
    if table.unique:
        return min(table.unique, key=lambda name: (plain(name) != "id", name)), ""
    if table.is_view:
        named = ("id", *(f"{word}id" for word in CUSTOMERS), *(f"id{word}" for word in CUSTOMERS), *COLUMNS["number"])
        found = next((column for word in named if (column := table.named(word))), "")
        distinct = bool(found) and not _repeated(table.columns[found])
        return (found, "") if distinct else ("", f'the view "{table.name}" shows no column that could be a key')
    if table.primary:
        columns = ", ".join(table.primary)
        return "", f'the primary key of "{table.name}" has {len(table.primary)} columns ({columns})'
    return "", f'"{table.name}" has no primary key and no unique column that is always filled'
