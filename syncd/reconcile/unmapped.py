"""A value that no entry of the settings' value map names: never sent, and no default is put in its place."""

from __future__ import annotations

from syncd.core.model import Customer, Values
from syncd.errors import Rejected
from syncd.providers.adapter import ProviderAdapter

UNMAPPED = "holds a value that no entry of [source.values] names"


def projected(adapter: ProviderAdapter, customer: Customer, values: Values) -> Values:
    """What this provider should hold of the row, without fields whose value nobody knows.

    Raises `Rejected`, for such a field by its name, where the provider needs it: it refuses an empty one, or would put
    a default in its place. Example: the column holds "Atlantis", and JTL-Wawi keeps nobody without a country.
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
