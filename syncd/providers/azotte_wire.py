"""The projection for Azotte, and the bodies of its writes. Pure functions, no requests.

Facts come from the C2A pages at azotte.com/academy/developers/API/C2A. What those pages leave open is a setting
with the cautious answer as its default; `doctor` against a real Azotte sandbox tells which one to change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from syncd.core.model import Remote, Value, Values
from syncd.core.normalise import e164, text
from syncd.errors import Rejected
from syncd.providers import own_fields
from syncd.providers.adapter import ExtraMember
from syncd.providers.azotte_options import (
    ACTIVE,
    COUNTRY,
    LANGUAGE,
    PLACEHOLDERS,
    Options,
    corporate_fields,
    placeholders_of,
    subtag,
)
from syncd.providers.strict import sendable

# canonical field -> key of CustomerDto
PERSON = {
    "salutation": "salutation",
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "phone": "phoneNumber",
}
EXTRA: Mapping[str, ExtraMember] = {"gender": ExtraMember()}  # its words are Azotte's; only "Female" is shown anywhere
# canonical field -> key of its `primaryBillingAddress`
ADDRESS = {"street": "street", "postal_code": "postalCode", "city": "city", "country": "countryCode"}
REGION = ("country", "language")


def project(values: Values, options: Options) -> Values:
    """What Azotte should hold for a source row. Raises `Rejected` where a create could not succeed."""
    out: dict[str, Value] = {}
    out.update(_names(values))
    out.update(_contact(values, options))
    out.update(_place(values))
    out.update(_region(values, options))
    out.update(_company(values, options))
    if values.get("active") is True or (values.get("active") is False and options.inactive_status):
        out["active"] = values["active"]
    if "salutation" in values:
        out["salutation"] = _filled(values["salutation"])
    return sendable({**out, **own_fields.projected(values, options.extra, EXTRA)})


def _names(values: Values) -> dict[str, Value]:
    """First and last name; where the source has neither, the contact person split at its last blank."""
    if not splits_contact(values.keys()):
        return {name: values[name] for name in ("first_name", "last_name") if name in values}
    first, _, last = (_filled(values["contact_person"]) or "").rpartition(" ")
    return {"first_name": text(first), "last_name": text(last)}


def splits_contact(known: Collection[str]) -> bool:
    """Whether the names come out of the contact person: only in a source that has no columns for them."""
    return "contact_person" in known and not {"first_name", "last_name"} & set(known)


def composed(known: Collection[str]) -> frozenset[str]:
    """The fields that are put together here from what the source knows, and so are never read back into it."""
    street = {"street"} if "street2" in known else set()
    return frozenset(street | ({"first_name", "last_name"} if splits_contact(known) else set()))


def _contact(values: Values, options: Options) -> dict[str, Value]:
    out: dict[str, Value] = {}
    if "email" in values:
        email = _filled(values["email"])
        if email is not None and email.count("@") != 1:
            raise Rejected("email", "Azotte takes only an address with exactly one @")
        out["email"] = email
    if "phone" in values:
        phone = _filled(values["phone"])
        number = e164(phone, _filled(values.get("country")) or options.default_country) if phone else None
        if number or not phone:  # what is no valid number is left out: Azotte takes nothing but E.164
            out["phone"] = number
    return out


def _place(values: Values) -> dict[str, Value]:
    out = {name: values[name] for name in ("postal_code", "city") if name in values}
    if "street" in values:
        lines = (_filled(values["street"]), _filled(values.get("street2")))
        out["street"] = ", ".join(line for line in lines if line) or None
    return out


def _region(values: Values, options: Options) -> dict[str, Value]:
    """Country and language: every customer needs both, because they claim its region (storefront, currency, tax)."""
    country = (_filled(values.get("country")) or "").upper() or options.default_country
    if country is None:
        raise Rejected("country", "Azotte needs a country for the claimed region: set default_country")
    if not COUNTRY.fullmatch(country):
        raise Rejected("country", "must be an ISO 3166-1 alpha-2 code")
    language = subtag(_filled(values.get("language")) or "") or options.default_language
    if language is None:
        raise Rejected("language", "Azotte needs a language for the claimed region: set default_language")
    if not LANGUAGE.fullmatch(language):
        raise Rejected("language", "must begin with an ISO 639-1 code")
    region: dict[str, Value] = {"country": country, "language": language}
    return {name: region[name] for name in REGION if name in values}


def _company(values: Values, options: Options) -> dict[str, Value]:
    wanted = corporate_fields(options)
    for name in sorted(wanted):
        if name not in values:
            raise Rejected(name, "corporation_info_template uses it, and the source has no column for it")
    return {name: values[name] for name in sorted(wanted)}


def create_body(key: str, values: Values, options: Options) -> dict[str, Any]:
    """The body of `store`: a full projection. Empty fields are left out: a new record has nothing to clear."""
    region = _claim(values, {}, options)
    own = own_fields.written(values, options.extra, EXTRA)
    customer: dict[str, Any] = {"externalIdentifier": key, **_present(PERSON, values)}
    customer |= {member: value for member, value in own.items() if value is not None}
    # Never without a country, so that a record of ours that has none shows that it was erased.
    customer["primaryBillingAddress"] = {"countryCode": region["countryCode"], **_present(ADDRESS, values)}
    customer.update(_corporation(values, {}, options))
    status = _status(values, options)
    if status:
        customer["status"] = status
    return {"customer": customer, "claimedRegion": region}


def update_body(current: Remote, values: Values, options: Options) -> dict[str, Any] | None:
    """The body of `update` with exactly the planned fields; None where nothing of them can be sent.

    `current.raw` is what Azotte showed. `current.values` may be richer: reconcile adds what was last agreed for the
    fields that the snapshot does not show, and that completes objects which Azotte may replace as a whole.
    """
    planned = {name: value for name, value in values.items() if value is not None or options.clear_mode != "skip"}
    customer: dict[str, Any] = {PERSON[name]: _sent(planned[name], options) for name in PERSON if name in planned}
    own = own_fields.written(planned, options.extra, EXTRA)
    customer |= {member: _sent(value, options) for member, value in own.items()}
    if planned.keys() & ADDRESS.keys():
        customer["primaryBillingAddress"] = _address(current, planned, options)
    if planned.keys() & corporate_fields(options):
        customer.update(_company_update(current, planned, options))
    if "active" in planned and options.inactive_status:
        customer["status"] = _status(planned, options)
    claims = any(planned.get(name) is not None and planned[name] != current.values.get(name) for name in REGION)
    if not customer and not claims:
        return None
    body: dict[str, Any] = {"customer": {"customerUrn": current.external_id, **customer}}
    if claims:
        body["claimedRegion"] = _claim(planned, current.values, options)
    return body


def _address(current: Remote, planned: Values, options: Options) -> dict[str, Any]:
    """The complete address: whether Azotte replaces or merges it is not documented, so nothing may be missing."""
    parts = {ADDRESS[name]: _sent(planned[name], options) for name in ADDRESS if name in planned}
    if options.address_mode == "merge":
        return parts
    held = _held(current, "primaryBillingAddress")
    if held is None:
        known = _known(current, planned, ADDRESS, 'or confirm that Azotte merges and set address_mode = "merge"')
        held = _present(ADDRESS, {name: known[name] for name in ADDRESS if name not in planned})
    return held | parts


def _company_update(current: Remote, planned: Values, options: Options) -> dict[str, Any]:
    """Company data as one object, for the same reason as the address."""
    fields = sorted(corporate_fields(options))
    known = _known(current, planned, fields, "or take them out of corporation_info_template")
    return _corporation(known, _held(current, "corporationInfo") or {}, options)


def _held(current: Remote, wire: str) -> dict[str, Any] | None:
    """A nested object as the record shows it, parts that we do not know included; None where it is not shown."""
    if wire not in current.raw:
        return None
    held = current.raw[wire]
    return {key: part for key, part in held.items() if part is not None} if isinstance(held, Mapping) else {}


def _known(current: Remote, planned: Values, fields: Iterable[str], otherwise: str) -> Values:
    """Planned and agreed values together. Raises `Rejected` where a value is in neither: the write could empty it."""
    known = {**current.values, **planned}
    missing = [name for name in fields if name not in known]
    if missing:
        first = next(name for name in fields if name in planned)
        reason = f"Azotte does not show {', '.join(missing)} and may drop what is not sent along: map these fields, "
        raise Rejected(first, reason + otherwise)
    return known


def _corporation(values: Values, held: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """`legalType` and, for a company with a template, `corporationInfo` (Azotte demands the one for the other)."""
    if not options.corporation_info_template or not _is_company(values):
        return {"legalType": "Individual"}
    words = {placeholder: _filled(values.get(name)) or "" for placeholder, name in PLACEHOLDERS.items()}
    info = dict(held)
    for key, form in options.corporation_info_template.items():
        rendered = text(form.format_map(words)) if any(words[name] for name in placeholders_of(form)) else None
        if rendered:
            info[key] = rendered
        else:
            info.pop(key, None)
    return {"legalType": "Corporate", "corporationInfo": info} if info else {"legalType": "Individual"}


def _is_company(values: Values) -> bool:
    """A name that is not just the person's own name, or a registration that only companies have."""
    name = _filled(values.get("name"))
    if name is None:
        return False
    person = " ".join(part for part in (_filled(values.get("first_name")), _filled(values.get("last_name"))) if part)
    if any(_filled(values.get(field)) for field in ("vat_number", "register_number")):
        return True
    return " ".join(name.split()).casefold() != " ".join(person.split()).casefold()


def _claim(values: Values, agreed: Values, options: Options) -> dict[str, str]:
    defaults = {"country": options.default_country, "language": options.default_language}
    claim = {name: _filled(values.get(name)) or _filled(agreed.get(name)) or defaults[name] for name in REGION}
    for name, value in claim.items():
        if value is None:
            raise Rejected(name, f"Azotte needs it for the claimed region: set default_{name}")
    return {"countryCode": str(claim["country"]), "languageCode": str(claim["language"])}


def _status(values: Values, options: Options) -> str | None:
    if values.get("active") is True:
        return ACTIVE
    return options.inactive_status or None if values.get("active") is False else None


def _present(parts: Mapping[str, str], values: Values) -> dict[str, Any]:
    return {wire: values[name] for name, wire in parts.items() if values.get(name) is not None}


def _sent(value: Value, options: Options) -> Value:
    return "" if value is None and options.clear_mode == "empty" else value


def _filled(value: Value) -> str | None:
    return text(value) if isinstance(value, str) else None
