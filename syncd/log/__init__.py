"""The log: one line an event; fields by name, customers by key or alias, never a value.

Reading order: `events` (every event and its level) · `keys` (the allow-list of a line's keys) · `lines` (an event as
text) · `naming` (the name of a customer) · `sinks` (stderr and files, and lines that cannot be written) · `wiring`
(structlog and the libraries' own logging, set up).
"""

from syncd.log.events import EVENTS
from syncd.log.keys import KEYS
from syncd.log.naming import customer, name_customers
from syncd.log.wiring import emit, run, setup, stop

__all__ = ["EVENTS", "KEYS", "customer", "emit", "name_customers", "run", "setup", "stop"]
