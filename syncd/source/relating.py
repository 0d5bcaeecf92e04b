"""Guesses for `syncd init`: which tables beside the customers' belong to a customer, and which fields they bring.

Pure, as `syncd.source.guess`: foreign keys are followed, and where a shop has none, the names that shops use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from syncd.core.selection import CUSTOMER, Condition, Join
from syncd.source.guess import Fit, match_facts
from syncd.source.nations import is_code, meant, plain
from syncd.source.survey import ColumnFacts, TableFacts
from syncd.source.words import COLUMNS, DELETED, HELD, MAIL_LINK, OF_CUSTOMER, ROLES

Tables = Mapping[str, TableFacts]
PARENTS = {
    "contact": (CUSTOMER,),
    "address": (CUSTOMER,),
    "city": ("address", CUSTOMER),
    "state": ("address", "city", CUSTOMER),
    "country": ("address", CUSTOMER, "city", "state"),
    "language": (CUSTOMER,),
}
OWN_ROW = frozenset({"contact", "address", "mail"})  # roles whose row is one customer's; the others are shared
# What an address or a contact may bring; its own name is not the customer's.
OF_ADDRESS = frozenset(
    {"name", "first_name", "last_name", "email", "phone", "mobile", "fax", "street", "street2", "postal_code", "city",
     "state", "country", "vat_number", "tax_number"}
)  # fmt: skip
OF_CONTACT = frozenset({"first_name", "last_name", "email", "phone", "mobile"})
_GENERAL = frozenset({"name", "nom", "naam", "nombre", "nome", "displayname", "fullname", "addressline1title"})
_ELSEWHERE = frozenset({"city", "state", "country", "language"})


@dataclass(frozen=True, slots=True)
class LinkedTable:
    """A table beside the customers', joined by `column` = `parent.pointer`. `back`: the foreign key is in this table
    and points at the customers."""

    role: str
    table: str
    column: str
    parent: str
    pointer: str
    back: bool = False
    where: Mapping[str, Condition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Related:
    """What linked tables bring: joins, the names of those that give several rows (`doubtful`), and by field the join
    with the column."""

    joins: tuple[Join, ...]
    doubtful: frozenset[str]
    fields: Mapping[str, tuple[str, Fit]]


def linked_tables(tables: Tables, name: str, key: str) -> list[LinkedTable]:
    """The tables linked with a customer, each after the one that leads to it."""
    found: dict[str, LinkedTable] = {}
    for role, parents in PARENTS.items():
        for parent in parents:
            about = tables[name] if parent == CUSTOMER else tables[found[parent].table] if parent in found else None
            link = _forward(tables, role, parent, about) if about is not None else None
            if link is None and role == "address" and about is not None:
                link = _backward(tables, name, key)
            if link is not None and link.table != name:
                found[role] = link
                break
    return [*found.values(), *_mail(tables, name, key)]


def _forward(tables: Tables, role: str, parent: str, about: TableFacts) -> LinkedTable | None:
    """The pairs of a pointing column and its target: by foreign key, or by the names of column and table."""
    for pointer, (target, column) in _pointers(tables, role, about):
        one, two = about.columns[pointer].kind, tables[target].columns[column].kind
        if one is two and one is not None:
            return LinkedTable(role, target, column, parent, pointer)
    return None


def _pointers(tables: Tables, role: str, about: TableFacts) -> Iterator[tuple[str, tuple[str, str]]]:
    named, places = ROLES[role]
    for word in named:
        pointer = about.named(word)
        if pointer in about.references:
            yield pointer, about.references[pointer]
        elif pointer and word not in COLUMNS.get(role, ()):
            target = _target(tables, places, about, pointer)
            if target is not None:
                yield pointer, (target.name, target.primary[0])
    for pointer, (target_name, column) in about.references.items():
        if target_name in tables and role != "contact" and _is_named(tables[target_name], places):
            yield pointer, (target_name, column)


def _target(tables: Tables, places: tuple[str, ...], about: TableFacts, pointer: str) -> TableFacts | None:
    able = [
        each for each in tables.values()
        if not each.is_view and each.name != about.name and len(each.primary) == 1 and _is_named(each, places)
    ]  # fmt: skip
    able.sort(key=lambda each: (each.primary[0] != pointer, len(each.name), each.name))
    return able[0] if able else None


def _is_named(table: TableFacts, places: tuple[str, ...]) -> bool:
    return table.bare.endswith(places)


def _backward(tables: Tables, name: str, key: str) -> LinkedTable | None:
    """The address table that points at the customers; None where there is none."""
    places = ROLES["address"][1]
    able = sorted((t for t in tables.values() if not t.is_view and t.name != name), key=lambda t: len(t.name))
    for table in able:
        if not _is_named(table, places):
            continue
        pointers = [column for column, far in table.references.items() if far == (name, key)]
        words = ((plain(key),) if plain(key) not in {"id", "rowid", "name", "key", "uid"} else ()) + OF_CUSTOMER
        pointers += [column for word in words if (column := table.named(word))]
        for pointer in pointers:
            if table.columns[pointer].kind is tables[name].columns[key].kind:
                return LinkedTable("address", table.name, pointer, CUSTOMER, key, back=True, where=_alive(table))
    return None


def _alive(table: TableFacts) -> dict[str, Condition]:
    flag = next((column for word in DELETED if (column := table.named(word))), "")
    return {flag: Condition(("0",))} if flag else {}


def _mail(tables: Tables, name: str, key: str) -> list[LinkedTable]:
    """SuiteCRM keeps e-mail addresses two tables away."""
    between, of_customer, of_mail, far, far_key, _ = MAIL_LINK
    middle = next((t for t in tables.values() if t.bare.endswith(between)), None)
    last = next((t for t in tables.values() if t.bare.endswith(far)), None)
    if middle is None or last is None or not middle.named(of_customer) or not last.named(far_key):
        return []
    bare = name.rpartition(".")[2]
    wanted = {"beanmodule": bare.capitalize(), "primaryaddress": "1", "deleted": "0"}
    where = {column: Condition((value,)) for word, value in wanted.items() if (column := middle.named(word))}
    return [
        LinkedTable("mail_link", middle.name, middle.named(of_customer), CUSTOMER, key, where=where),
        LinkedTable("mail", last.name, last.named(far_key), "mail_link", middle.named(of_mail)),
    ]


# --- with what the rows show -----------------------------------------------------------------------------------------


def related(tables: Tables, name: str, found: list[LinkedTable], own: Mapping[str, Fit]) -> Related:
    """The joins that bring a field, and the fields. A customer's own column stays unless it is empty or doubtful."""
    by_role = {link.role: link for link in found}
    fields: dict[str, tuple[str, Fit]] = {}
    for link in found:
        for wanted, fit in _brought(tables[link.table], link).items():
            weak = wanted == link.role or _is_weak(
                tables, by_role, fields.get(wanted), filled=_filled(tables, link, fit)
            )
            if weak and _is_wanted(tables, name, link, own.get(wanted), fit):
                fields[wanted] = (link.role, fit)
    needed = {role for role, _ in fields.values()}
    for link in reversed(found):
        if link.role in needed and link.parent != CUSTOMER:
            needed.add(link.parent)
    doubtful: set[str] = set()
    for link in found:
        if link.parent in doubtful or (link.back and tables[link.table].columns[link.column].repeats):
            doubtful.add(link.role)
    joins = tuple(_join(tables, name, link, by_role) for link in found if link.role in needed)
    return Related(joins, frozenset(doubtful & needed), fields)


def _is_weak(
    tables: Tables, by_role: Mapping[str, LinkedTable], found: tuple[str, Fit] | None, *, filled: bool
) -> bool:
    """Whether a later table may bring this field in place of the one found: that one is doubtful, or its column is
    empty where the later one is `filled`."""
    if found is None or found[1].doubt:
        return True
    return filled and not _filled(tables, by_role[found[0]], found[1])


def _filled(tables: Tables, link: LinkedTable, fit: Fit) -> bool:
    return tables[link.table].columns[fit.column].filled > 0


def _brought(table: TableFacts, link: LinkedTable) -> dict[str, Fit]:
    """The fields that a linked table brings, with their columns."""
    pointing = {link.column, *table.references, *table.primary}
    if link.role in {"address", "contact"}:
        names = [n for n in table.columns if n not in pointing and plain(n) not in _GENERAL]
        allowed = OF_ADDRESS if link.role == "address" else OF_CONTACT
        return {field: fit for field, fit in match_facts(table, names).items() if field in allowed}
    if link.role == "mail":
        return {"email": Fit(table.named(MAIL_LINK[5]))}
    held = _held(table, link) if link.role in _ELSEWHERE else ""
    return {link.role: Fit(held)} if held else {}


def _held(table: TableFacts, link: LinkedTable) -> str:
    """The column of a table of countries, languages, cities or states that holds the value; None where there is
    none."""
    columns = [column for word in HELD[link.role] if (column := table.named(word)) and column != link.column]
    columns = columns or [c for c in [link.column] if link.role in {"country", "language"}]
    if link.role not in {"country", "language"}:
        return columns[0] if columns else ""

    def rank(name: str) -> int:
        words = list(table.columns[name].values)
        if words and all(is_code(link.role, word) for word in words):
            return 0
        return 1 if not words or any(meant(link.role, word) for word in words) else 2

    ranked = sorted(columns, key=rank)
    return ranked[0] if ranked and rank(ranked[0]) < 2 else ""


def _is_wanted(tables: Tables, name: str, link: LinkedTable, own: Fit | None, fit: Fit) -> bool:
    if own is None:
        return True
    mine: ColumnFacts = tables[name].columns[own.column]
    empty = tables[name].sampled > 0 and not mine.filled
    if own.doubt or link.role in _ELSEWHERE:
        return not fit.doubt
    return empty and not fit.doubt and _filled(tables, link, fit)


def _join(tables: Tables, name: str, link: LinkedTable, by_role: Mapping[str, LinkedTable]) -> Join:
    """The join of a linked table. Rows that several customers share are never written: an edit of one customer would
    change the others."""
    above = tables[name] if link.parent == CUSTOMER else tables[by_role[link.parent].table]
    shared = above.columns[link.pointer].repeats or tables[link.table].columns[link.column].repeats
    write = link.role in OWN_ROW and not shared
    return Join(link.role, link.table, {link.column: f"{link.parent}.{link.pointer}"}, link.where, write)
