"""The user's database: the source of truth.

Reading order: `database` opens it and holds the two ways in (a reading, a short transaction); `reflection` turns
configured names into tables and columns that really exist; `columns` and `keys` translate single values;
`customers` reads rows and writes them back by compare-and-set; `changelog` consumes the marks that `triggers` installs
(one DDL file per dialect). `snapshot` and `timestamps` are the two ways to learn of changes without triggers of our
own account. `failures` says what a foreign error means.

Nothing here knows a provider or our state database, and no message holds a customer's value.
"""
