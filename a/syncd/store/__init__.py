"""Our own state: what was agreed, what is due, what is under way, what waits for a person.

Read `schema` for the tables and `database` for how they are opened; every other module is one noun of section "State"
in the README and consists of functions that take an open `Transaction`.
"""
