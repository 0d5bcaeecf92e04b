"""Values that no entry of the settings' value map names: they are never sent, and no default replaces them."""

from __future__ import annotations

from syncd.core.model import Customer, Values
from syncd.errors import Rejected
from syncd.providers.adapter import ProviderAdapter

UNMAPPED = "holds a value that no entry of [source.values] names"


def projected(adapter: ProviderAdapter, customer: Customer, values: Values) -> Values:
    """The row as this provider should hold it, without fields whose value no entry names.

    Raises `Rejected` for such a field where the provider needs it: it refuses an empty field, or would replace it by a
    default. Example: the column holds "Atlantis", and JTL-Wawi takes no customer without a country.
    """
    for name in sorted(customer.unmapped):
        try:
            needed = adapter.project({**values, name: None}).get(name) is not None
        except Rejected as refused:
            needed = refused.field == name
        if needed:
            raise Rejected(name, UNMAPPED)
    whole = adapter.project(values)
    return {name: value for name, value in whole.items() if name not in customer.unmapped}
