"""The user's database: the source of truth.

Reading order: `database` opens the source and gives the only two accesses to it (a reading, a short transaction);
`reflection` turns configured names into tables and columns that really exist; `columns` and `keys` translate single
values; `customers` reads rows and writes them back by compare-and-set; `changelog` consumes the marks that the triggers
of `triggers` make (one DDL module for each dialect). `snapshot` and `timestamps` learn of changes for accounts that may
not write, or where there are no triggers. `failures` classifies a driver's errors. `guess`, `relating` and `proposing`
are for `syncd init`.

No module here knows a provider or the state, and no message holds a customer's value.
"""
