"""The status: what is wrong now, for people. Nothing here opens, reads or decides anything about customers.

From the state: `remedies` (every word of trouble with its sentence and command), `report` (the status as a value),
`snapshot` (the same as one log line). From log lines alone: `lines` → `recorded` → `fold` → `present` (how it stands
now) → `sheet`, `activity`, `history` (the page in words) → `page` (HTML).
"""
