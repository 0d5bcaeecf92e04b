"""What people see of it: `remedies` (every word of trouble with its sentence and command), `report` (the status as a
value), `page` (the same from log lines alone). Nothing here opens, reads or decides anything.
"""
