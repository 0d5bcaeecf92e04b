"""The words of tables and columns that `syncd init` knows, in English, German, Dutch, French, Spanish and Portuguese,
and in the schemas of well-known shops.

They are compared in lower case, without separators and accents. In a list, the more telling word stands first.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "number": ("customerno", "customernumber", "customernr", "custno", "kundennummer", "kundennr", "kdnr", "knr",
                   "debitorennummer", "debitornr", "klantnummer", "klantnr", "debiteurnummer", "codeclient",
                   "numeroclient", "numclient", "numerocliente", "codigocliente", "numcliente", "accountnumber",
                   "number", "nummer", "ref"),
        "name": ("company", "companyname", "firma", "firmenname", "firmaname", "bedrijf", "bedrijfsnaam", "societe",
                 "raisonsociale", "empresa", "razonsocial", "razaosocial", "nomeempresa", "organisation",
                 "organization", "name1", "customername", "kundenname", "klantnaam", "nom",
                 "nombre", "nome", "name", "naam", "displayname", "fullname"),
        "name2": ("name2", "company2", "firma2", "firmenzusatz", "namealias"),
        "salutation": ("salutation", "anrede", "aanhef", "civilite", "tratamiento", "tratamento"),
        "title": ("title", "titel", "titre", "titulo"),
        "first_name": ("firstname", "givenname", "forename", "vorname", "voornaam", "prenom", "primernombre",
                       "nombredepila", "primeironome"),
        "last_name": ("lastname", "surname", "familyname", "nachname", "familienname", "achternaam", "nomdefamille",
                      "apellido", "apellidos", "sobrenome", "apelido"),
        "contact_person": ("contactperson", "contactname", "contact", "ansprechpartner", "kontaktperson",
                           "contactpersoon", "personadecontacto", "contacto", "contato"),
        "email": ("email", "emailaddress", "mail", "mailaddress", "emailadresse", "emailadres", "emailid", "useremail",
                  "courriel", "adressemail", "correo", "correoelectronico"),
        "invoice_email": ("invoiceemail", "rechnungsemail", "factuuremail", "emailinvoice"),
        "phone": ("phone", "phonenumber", "phoneoffice", "phonework", "telephone", "telefon", "telefonnummer", "tel",
                  "telefoon", "telefoonnummer", "phone1", "phoneno", "telefono", "telefone"),
        "mobile": ("mobile", "mobilephone", "phonemobile", "mobileno", "cell", "cellphone", "mobil", "handy",
                   "mobiltelefon", "mobiel", "portable", "movil", "celular", "telemovel"),
        "fax": ("fax", "faxnumber", "phonefax", "telefax", "faxnummer"),
        "street": ("street", "address", "address1", "addressline1", "strasse", "str", "anschrift", "straat", "adres",
                   "adresse", "adresse1", "rue", "calle", "direccion", "domicilio", "rua", "endereco", "morada"),
        "street2": ("street2", "address2", "addressline2", "adresszusatz", "zusatz", "adres2", "adresse2",
                    "additionaladdressline1", "complemento"),
        "postal_code": ("postalcode", "postcode", "zip", "zipcode", "plz", "postleitzahl", "codepostal", "codigopostal",
                        "cp", "cep", "pincode"),
        "city": ("city", "town", "ort", "stadt", "plaats", "woonplaats", "stad", "ville", "ciudad", "localidad",
                 "poblacion", "cidade", "localidade"),
        "state": ("state", "province", "region", "bundesland", "provincie", "departement", "provincia", "estado",
                  "district"),
        "country": ("country", "countrycode", "countryiso", "countryiso2", "land", "landcode", "laendercode", "landkz",
                    "landiso", "pays", "codepays", "pais", "codigopais", "countryname"),
        "vat_number": ("vatnumber", "vatid", "vat", "vatno", "ustid", "ustidnr", "ustidnummer", "umsatzsteuerid",
                       "btwnummer", "btwnr", "btw", "tvaintra", "numerotva", "tva", "nifiva", "numeroiva", "cif"),
        "tax_number": ("taxnumber", "taxno", "taxid", "steuernummer", "steuernr", "fiscaalnummer", "siret", "nif",
                       "cnpj", "cpf", "nipc", "contribuinte", "dni"),
        "register_number": ("registernumber", "registerno", "hrb", "handelsregister", "kvk", "kvknummer", "kvknr",
                            "cocnumber", "siren"),
        "language": ("language", "languagecode", "lang", "locale", "defaultlang", "sprache", "taal", "langue",
                     "idioma", "lingua"),
        "website": ("website", "web", "url", "homepage", "webseite", "internet", "siteweb", "sitioweb", "paginaweb"),
        "birth_date": ("birthdate", "birthday", "dateofbirth", "dob", "born", "bornon", "geburtsdatum", "geburtstag",
                       "geboortedatum", "datenaissance", "datedenaissance", "fechanacimiento", "fechadenacimiento",
                       "datanascimento", "datadenascimento"),
        "price_group": ("pricegroup", "preisgruppe", "prijsgroep"),
        "active": ("activebool", "active", "isactive", "enabled", "aktiv", "actief", "actif", "activo", "ativo",
                   "status", "statut", "disabled", "isdisabled", "inactive", "blocked", "gesperrt", "geblokkeerd"),
    }
)  # fmt: skip
# Of two addresses in one table the one for invoices.
PREFIXES = ("", "billingaddress", "billing", "invoice", "rechnungs", "rechnung", "factuur", "facturation", "customer",
            "kunden", "klant", "cust")  # fmt: skip
INVERSE = frozenset({"disabled", "isdisabled", "inactive", "blocked", "gesperrt", "geblokkeerd"})
TITLES = ("dr", "prof", "mag", "dipl", "ing", "ir", "drs", "mba", "msc", "phd")

# What a table's name says about its rows: customers, perhaps people, or certainly others.
CUSTOMERS = ("customer", "kunde", "klant", "debitor", "debiteur", "client", "cliente", "account", "relatie", "societe",
             "partner")  # fmt: skip
PEOPLE = ("user", "person", "contact", "kontakt", "member", "mitglied")
ADDRESSES = ("address", "adress", "adres", "direccion", "endereco", "anschrift", "location")
OTHERS = ("employee", "staff", "supplier", "vendor", "lieferant", "leverancier", "fournisseur", "proveedor",
          "fornecedor", "mitarbeiter", "manufacturer", "shipper", "warehouse", "order", "bestellung", "invoice",
          "quote", "lead", "store", "log", "history", "backup", "newsletter", "guest", "admin")  # fmt: skip

# role -> how a column that points there is called, and how the table
ROLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "contact": (("customerprimarycontact", "primarycontactid"), ("contact", "contacts")),
        "address": (
            ("defaultbillingaddressid", "defaultbillingaddress", "billingaddressid", "invoiceaddressid",
             "idaddressinvoice", "addressid", "idaddress", "fkaddress", "adresseid", "adressid", "adresid",
             "customerprimaryaddress", "primaryaddressid", "iddireccion", "direccionid", "enderecoid", "idendereco"),
            ("address", "addresses", "adresse", "adressen", "adres", "adressen", "direccion", "direcciones",
             "endereco", "enderecos")),
        "city": (("cityid", "idcity", "ortid", "stadtid", "villeid", "ciudadid", "cidadeid"),
                 ("city", "cities", "ort", "orte", "stadt", "ville", "villes", "ciudad", "cidade")),
        "state": (("stateid", "idstate", "zoneid", "fkdepartement", "provinceid", "regionid", "bundeslandid"),
                  ("state", "states", "zone", "zones", "departements", "province", "provinces", "region")),
        "country": (("countryid", "idcountry", "fkpays", "fkcountry", "landid", "paysid", "paisid", "idpais",
                     "countrycode", "country"),
                    ("country", "countries", "land", "laender", "pays", "pais", "paises")),
        "language": (("languageid", "idlang", "langid", "idlanguage", "spracheid", "taalid", "idiomaid"),
                     ("language", "languages", "lang", "langs", "sprache", "sprachen", "taal", "idioma", "idiomas")),
    }
)  # fmt: skip
# How the column with the value itself is called in such a table; for countries and languages the content decides.
HELD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "city": ("city", "cityname", "name", "ort", "stadt", "ville", "ciudad", "cidade"),
        "state": ("name", "state", "statename", "nom", "label", "bundesland", "code"),
        "country": ("isocode2", "iso2", "alpha2", "countryiso", "isocode", "code", "countrycode", "iso", "codeiso",
                    "country", "countryname", "name", "label"),
        "language": ("code", "languagecode", "isocode", "locale", "iso", "tag", "name", "language"),
    }
)  # fmt: skip
OF_CUSTOMER = ("customerid", "idcustomer", "userid", "kundeid", "kundenid", "klantid", "clientid", "idclient",
               "clienteid", "idcliente", "fksoc", "partnerid", "accountid")  # fmt: skip

DELETED = ("deleted", "isdeleted", "geloescht", "verwijderd", "supprime", "borrado", "eliminado", "excluido")
DELETED_AT = ("deletedat", "deletedon", "datedeleted", "geloeschtam")
SHOPS = ("idshop", "shopid", "storeid", "subshopid", "websiteid", "entity", "mandant", "mandantid", "tenantid")

# Which rows of well-known tables are customers: table, column, values ("null": no value).
FILTERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("respartner", "parentid", ("null",)),
    ("societe", "client", ("1", "3")),
)
# Tables that the shop fills from others, so that a write there is lost: table, and where the rest is kept.
DERIVED: tuple[tuple[str, str], ...] = (
    ("wccustomerlookup", "WooCommerce makes this table from usermeta, where phone, street and company are: one way"),
)
# An e-mail two tables away (SuiteCRM): the table between, its columns for the customer and for the other table, what
# marks the row, the table with the e-mail, its key and its column.
MAIL_LINK = ("emailaddrbeanrel", "beanid", "emailaddressid", "emailaddresses", "id", "emailaddress")
