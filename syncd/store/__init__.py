"""syncd's own state database: links with their bases, due pairs, intents, review items, leases, positions, tombstones.

Read `schema` for the tables and `database` for how they are opened. Every other module is about one noun (`mapping`,
`work`, `journal`, `review` ...) and consists of functions that take an open `Transaction`.
"""
