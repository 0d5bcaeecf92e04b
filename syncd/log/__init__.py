"""What syncd tells about itself: one line an event, fields by name, customers by key, never a value.

Reading order: `events` (every name and its level) · `keys` (what may stand in a line) · `lines` (how a line looks) ·
`naming` (what a customer is called) ·
`sinks` (where it goes, and what happens when it cannot) · `wiring` (structlog and the libraries' own logging).
"""

from syncd.log.events import EVENTS
from syncd.log.keys import KEYS
from syncd.log.naming import call_customers, customer
from syncd.log.wiring import emit, run, setup, stop

__all__ = ["EVENTS", "KEYS", "call_customers", "customer", "emit", "run", "setup", "stop"]
