"""Rules of `[source.join]`, `values` and `defaults`, and of a provider's `id_column` and `extra`. Whether a table or a
column exists, `syncd.source` finds out in the database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from syncd.core.model import Value, is_own
from syncd.core.normalise import canonical
from syncd.core.selection import CUSTOMER, Deleted, Join
from syncd.settings.checks import Draft
from syncd.settings.places import Findings, Place
from syncd.settings.tables import JoinTable, SourceTable, members
from syncd.settings.values import did_you_mean

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}", re.ASCII)
_FLAGS = ("true", "false")


def check_selection(source: SourceTable, findings: Findings) -> None:
    """The rules of joins, value maps and defaults that need no database."""
    taken: list[str] = []
    for number, join in enumerate(source.join):
        _check_join(("source", "join", number), join, taken, source.table, findings)
        taken.append(join.name)
    for field, entries in source.values.items():
        _check_values(("source", "values", field), field, entries, source, findings)
    for field, value in source.defaults.items():
        _check_default(("source", "defaults", field), field, value, source, findings)


def _check_join(place: Place, join: JoinTable, taken: Sequence[str], table: str, findings: Findings) -> None:
    if not _NAME.fullmatch(join.name):
        findings.add((*place, "name"), "is not a name.", "Begin with a letter; use letters, digits and _, 31 at most.")
    elif join.name in {*customer_names(table), *taken}:
        findings.add((*place, "name"), f'is taken: "{join.name}" names another table already.', "Choose another name.")
    known = [*customer_names(table), *taken]
    for own, other in join.on.items():
        name, _, column = other.rpartition(".")
        if not name or not column:
            reason = "must name a column of the customer table or of an earlier join."
            findings.add((*place, "on", own), reason, f'Write "{CUSTOMER}.COLUMN".')
        elif name not in known:
            remedy = did_you_mean(name, known) or f"Known here: {', '.join(dict.fromkeys(known))}."
            findings.add((*place, "on", own), f'"{name}" is neither the customer table nor an earlier join.', remedy)


def customer_names(table: str) -> list[str]:
    """The names that a join may use for the customer table."""
    return list(dict.fromkeys([CUSTOMER, table, table.rpartition(".")[2]]))


def _check_values(
    place: Place, field: str, entries: Mapping[str, tuple[str, ...]], source: SourceTable, findings: Findings
) -> None:
    if not _is_mapped(place, field, source, findings):
        return
    if field == "birth_date":
        findings.add(place, "a date has no value map.", "Remove it.")
    seen: dict[str, str] = {}
    for known, spellings in entries.items():
        if field == "active" and known not in _FLAGS:
            findings.add((*place, known), "active is true or false.", 'Write true = ["1"] and false = ["0"].')
        for spelling in spellings:
            if spelling in seen:
                reason = f'"{spelling}" stands for {seen[spelling]} already.'
                findings.add((*place, known), reason, "One value of the column has one meaning.")
            seen[spelling] = known


def _check_default(place: Place, field: str, value: Any, source: SourceTable, findings: Findings) -> None:
    if not _is_mapped(place, field, source, findings):
        return
    wanted: tuple[type, str] = {"active": (bool, "true or false"), "birth_date": (date, "a date")}.get(
        field, (str, "text in quotes")
    )
    if not isinstance(value, wanted[0]) or value == "":
        findings.add(place, f"must be {wanted[1]}.", "Correct the value, or remove the line.")


def _is_mapped(place: Place, field: str, source: SourceTable, findings: Findings) -> bool:
    if field in source.fields:
        return True
    remedy = did_you_mean(field, source.fields) or f"Map {field} to a column under [source.fields]."
    findings.add(place, "no column is mapped to this field.", remedy)
    return False


# --- what a provider takes -------------------------------------------------------------------------------------------


def check_takings(drafts: Sequence[Draft], source: SourceTable, findings: Findings) -> None:
    """The rules of `id_column` and `extra` of every provider; an own field that no provider takes is a problem."""
    columns: dict[str, str] = {name: field for field, name in source.fields.items()}
    carried: set[str] = set()
    for draft in drafts:
        _check_id_column(draft, source, columns, findings)
        carried |= _check_extra(draft, source, findings)
    for field in source.fields:
        place = ("source", "fields", field)
        if is_own(field) and field not in carried and findings.clean(place):
            findings.add(place, "no provider takes this own field.", _takers(drafts, field))


def _takers(drafts: Sequence[Draft], field: str) -> str:
    able = [draft for draft in drafts if draft.provider is not None and draft.provider.capabilities.extra]
    if not able or able[0].provider is None:
        return "Remove the line: none of these providers has members for own fields."
    member = min(able[0].provider.capabilities.extra)
    return f'Write {member} = "{field}" under [providers.{able[0].name}.extra], or remove the line.'


def _check_id_column(draft: Draft, source: SourceTable, columns: dict[str, str], findings: Findings) -> None:
    name, place = draft.table.id_column, (*draft.place, "id_column")
    if not name:
        return
    if source.write is False or source.change_log == "snapshot":
        findings.add(place, "needs [source] write = true.", "Set it, or remove id_column.")
    elif name == source.key:
        findings.add(place, "is the key of the customer table.", "Name a column of its own.")
    elif name in columns:
        findings.add(place, f'column "{name}" holds {columns[name]} already.', "Name a column of its own.")
    columns[name] = f"the external id of {draft.name}"


def _check_extra(draft: Draft, source: SourceTable, findings: Findings) -> set[str]:
    """Check `extra` of one provider; answers the own fields that the provider takes."""
    if draft.provider is None:
        return {field for _, field in members(draft.table.extra) if isinstance(field, str)}
    adapter, known = draft.table.adapter or draft.name, draft.provider.capabilities.extra
    carried: set[str] = set()
    for path, field in members(draft.table.extra):
        place = (*draft.place, "extra", *path)
        member = ".".join(path)
        if not known:
            findings.add(place, f"{adapter} has no members that could hold own fields.", "Remove it.")
        elif member not in known:
            reason = f"is no member of {adapter} that could hold an own field."
            possible = f"Possible here: {', '.join(sorted(known))}."
            findings.add(place, reason, f"{did_you_mean(member, known)} {possible}".strip())
        elif not isinstance(field, str) or not is_own(field):
            findings.add(place, "must name an own field.", 'Own fields begin with x_, such as "x_debtor".')
        elif field not in source.fields:
            own = [name for name in source.fields if is_own(name)]
            remedy = did_you_mean(field, own) or f"Map {field} to a column under [source.fields]."
            findings.add(place, "no column is mapped to this own field.", remedy)
        elif field in carried:
            findings.add(place, f"{field} stands at another member already.", "One own field goes to one member.")
        if isinstance(field, str):
            carried.add(field)
    return carried


# --- as the rest of syncd sees it ------------------------------------------------------------------------------------


def joins(source: SourceTable) -> tuple[Join, ...]:
    """The joins, with `CUSTOMER` for every name of the customer table."""
    names = customer_names(source.table)

    def normal(other: str) -> str:
        name, _, column = other.rpartition(".")
        return f"{CUSTOMER if name in names else name}.{column}"

    return tuple(
        Join(join.name, join.table, {own: normal(other) for own, other in join.on.items()}, join.where, join.write)
        for join in source.join
    )


def deleted(source: SourceTable) -> Deleted | None:
    """The condition of `[source.deleted]`; None where there is none."""
    return None if source.deleted is None else Deleted(source.deleted.column, source.deleted.values)


def defaults(source: SourceTable) -> dict[str, Value]:
    """The canonical values of `[source.defaults]`, by field."""
    return {field: canonical(value) for field, value in source.defaults.items()}
