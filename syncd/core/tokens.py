"""Tokens: a customer and a record that share one are compared by `match`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from syncd.core.evidence import VAT, email_forms, vat_form
from syncd.core.model import Values
from syncd.core.normalise import comparable

NUMBER = "number"
WEAK: Mapping[str, tuple[str, ...]] = {
    "email+postal_code": ("email", "postal_code"),
    "email+name": ("email", "name"),
    "name+address": ("name", "street", "postal_code"),
}
"""Values that together make a record a candidate, and never a sure match."""
_NOT_WORD = re.compile(r"[\W_]+")


def tokens(number: str | None, values: Values) -> list[tuple[str, ...]]:
    """The identifying values of a customer in comparison form, each behind the name of its evidence."""
    found: list[tuple[str, ...]] = [(NUMBER, number)] if number else []
    own = values.get("number")
    if isinstance(own, str) and own and own != number:
        found.append((NUMBER, own))
    if vat := vat_form(values):
        found.append((VAT, vat))
    forms = {part: form(values, part) for part in ("email", "postal_code", "name", "street")}
    for name, parts in WEAK.items():
        if all(forms[part] for part in parts):
            found.append((name, *(forms[part] for part in parts)))
    return found


def form(values: Values, name: str) -> str:
    """One value in comparison form; "" where there is none."""
    if name == VAT:
        return vat_form(values)
    if name == "email":
        return next(iter(email_forms(values)), "")
    value = values.get(name)
    return _NOT_WORD.sub("", str(comparable(name, value))).casefold() if isinstance(value, str) else ""
