"""The status: what is wrong now, for people. No module here opens a database, sends a request or decides about a pair.

From facts that `operate.status` collected: `remedies` (every state and kind with its sentence and command), `report`
(the status as a value), `snapshot` (the status as one log line). From log lines alone: `lines` (a line's event) →
`fold` (all events; `recorded` reads a snapshot back) → `present` (the status now) → `sheet`, `activity`, `history` (the
page in words) → `page` (HTML).
"""
