"""Guesses for `syncd init`: which table holds customers, and which column which field. Only ever a proposal.

Names as they are usual in German, Dutch and English shops; compared in lower case, without separators.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy import exc

from syncd.errors import Problem, SettingsError
from syncd.source import reflection
from syncd.source.columns import kind_of, kinds_for
from syncd.source.connection import connect, source_url
from syncd.source.failures import translated

COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "number": ("customerno", "customernumber", "customernr", "custno", "kundennummer", "kundennr", "kdnr", "knr",
                   "debitorennummer", "debitornr", "klantnummer", "klantnr", "debiteurnummer", "accountnumber",
                   "number", "nummer"),
        "name": ("company", "companyname", "firma", "firmenname", "firmaname", "bedrijf", "bedrijfsnaam",
                 "organisation", "organization", "name1", "customername", "kundenname", "klantnaam",
                 "displayname", "fullname", "name", "naam"),
        "first_name": ("firstname", "givenname", "forename", "vorname", "voornaam"),
        "last_name": ("lastname", "surname", "familyname", "nachname", "familienname", "achternaam"),
        "contact_person": ("contactperson", "contact", "ansprechpartner", "kontaktperson", "contactpersoon"),
        "email": ("email", "emailaddress", "mail", "mailaddress", "emailadresse", "emailadres"),
        "phone": ("phone", "phonenumber", "telephone", "telefon", "telefonnummer", "tel", "telefoon", "telefoonnummer"),
        "mobile": ("mobile", "mobilephone", "cell", "cellphone", "mobil", "handy", "mobiltelefon", "mobiel"),
        "fax": ("fax", "faxnumber", "telefax", "faxnummer"),
        "street": ("street", "address", "address1", "addressline1", "strasse", "str", "anschrift", "straat", "adres"),
        "street2": ("street2", "address2", "addressline2", "adresszusatz", "zusatz", "adres2"),
        "postal_code": ("postalcode", "postcode", "zip", "zipcode", "plz", "postleitzahl"),
        "city": ("city", "town", "ort", "stadt", "plaats", "woonplaats", "stad"),
        "state": ("state", "province", "region", "bundesland", "provincie"),
        "country": ("country", "countrycode", "countryiso", "land", "landcode", "laendercode", "landkz", "landiso"),
        "vat_number": ("vatnumber", "vatid", "vat", "vatno", "ustid", "ustidnr", "ustidnummer", "umsatzsteuerid",
                       "btwnummer", "btwnr", "btw"),
        "tax_number": ("taxnumber", "taxno", "taxid", "steuernummer", "steuernr", "fiscaalnummer"),
        "register_number": ("registernumber", "registerno", "hrb", "handelsregister", "kvk", "kvknummer", "kvknr",
                            "cocnumber"),
        "language": ("language", "languagecode", "lang", "locale", "sprache", "taal"),
        "website": ("website", "web", "url", "homepage", "webseite", "internet"),
        "birth_date": ("birthdate", "birthday", "dateofbirth", "born", "bornon", "geburtsdatum", "geburtstag",
                       "geboortedatum"),
        "active": ("active", "isactive", "enabled", "aktiv", "actief"),
    }
)  # fmt: skip
_TABLES = ("customer", "kunde", "klant", "debitor", "debiteur", "client", "account", "adress", "address", "relatie")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
LEAST = 3  # fields that a table must seem to have


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table that may hold customers. `filled` counts the rows in which a field is not NULL."""

    name: str
    key: str
    is_view: bool
    rows: int
    fields: Mapping[str, str]
    filled: Mapping[str, int]


def match_columns(names: Iterable[str]) -> dict[str, str]:
    """Canonical field to column, each column at most once; the more telling names are tried first."""
    plain = {_plain(name): name for name in names}
    found: dict[str, str] = {}
    for field, words in COLUMNS.items():
        column = next((plain[word] for word in words if word in plain and plain[word] not in found.values()), None)
        if column is not None:
            found[field] = column
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().translate(_UMLAUTS))


def candidates(url: str, password: str | None, table: str = "") -> tuple[str, list[Candidate]]:
    """The server in a word, and the tables that look like customers, the likeliest first; or only `table`.

    Raises SourceUnreachable, SettingsError.
    """
    engine = connect(source_url(url, password), 5.0, 30.0)
    try:
        with translated():
            inspector = sa.inspect(engine)
            names = [table] if table else _tables(inspector)
            found = [one for name in names if (one := _candidate(engine, inspector, name, asked=bool(table)))]
            return engine.dialect.name, sorted(found, key=_likelihood, reverse=True)
    finally:
        engine.dispose()


def _tables(inspector: sa.Inspector) -> list[str]:
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    if inspector.dialect.name == "postgresql":
        default = inspector.default_schema_name
        others = [n for n in inspector.get_schema_names() if n not in {default, "information_schema", "syncd"}]
        names += [f"{schema}.{name}" for schema in others for name in inspector.get_table_names(schema)]
    return [name for name in names if not name.startswith(("syncd_", "sqlite_"))]


def _candidate(engine: sa.Engine, inspector: sa.Inspector, name: str, *, asked: bool) -> Candidate | None:
    found = reflection.find_table(inspector, name, "--table")
    if isinstance(found, Problem):
        if asked:
            raise SettingsError([found])
        return None
    key = _key(found)
    fields = {
        field: column
        for field, column in match_columns(c for c in found.columns if c != key).items()
        if kind_of(found.columns[column].type, sqlite=engine.dialect.name == "sqlite") in kinds_for(field)
    }
    if not key or (not asked and len(fields) < LEAST):
        return None
    rows, filled = _counts(engine, found, key, fields)
    return Candidate(name, key, found.is_view, rows, fields, filled)


def _key(found: reflection.FoundTable) -> str:
    if len(found.primary) == 1:
        return found.primary[0]
    usual = next((name for name in found.columns if name.lower() == "id"), "")
    return usual or min(found.unique, default="")


def _counts(
    engine: sa.Engine, found: reflection.FoundTable, key: str, fields: Mapping[str, str]
) -> tuple[int, dict[str, int]]:
    table = reflection.bare(found, key)
    for column in fields.values():
        table.append_column(sa.Column(column, sa.types.NullType(), quote=True))
    wanted = [
        sa.func.count().label("syncd_rows"),
        *(sa.func.count(table.c[c]).label(f"f_{f}") for f, c in fields.items()),
    ]
    try:
        with engine.connect() as conn:
            row = conn.execute(sa.select(*wanted).select_from(table)).mappings().one()
    except exc.DBAPIError:
        return 0, {}  # not ours to read
    return int(row["syncd_rows"]), {field: int(row[f"f_{field}"]) for field in fields}


def _likelihood(candidate: Candidate) -> tuple[int, int, int]:
    named = any(word in _plain(candidate.name) for word in _TABLES)
    return len(candidate.fields) + (4 if named else 0), not candidate.is_view, candidate.rows
