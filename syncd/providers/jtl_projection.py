"""The options of `[providers.jtl]`, the projection for JTL-Wawi, and the bodies of its writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictInt, model_validator

from syncd.core.model import Remote, Value, Values
from syncd.errors import Rejected
from syncd.providers import jtl_wire as wire
from syncd.providers import own_fields
from syncd.providers.adapter import ExtraMember
from syncd.providers.strict import sendable

COMPOSED = frozenset({"first_name", "last_name"})
LENGTHS: Mapping[str, int] = {
    "name": 128,
    "name2": 60,
    "salutation": 30,
    "title": 64,
    "email": 255,
    "phone": 30,
    "mobile": 30,
    "fax": 30,
    "street": 255,
    "street2": 255,
    "postal_code": 24,
    "city": 255,
    "state": 255,
    "vat_number": 20,
    "website": 255,
}
"""Characters that JTL's page of its newest version publishes (`number_length` beside them). What is longer is refused
here, because older versions may cut it off without a word."""
LENGTHS_AT_CREATE: Mapping[str, int] = {"first_name": 126, "last_name": 126, "city": 64}
EXTRA: Mapping[str, ExtraMember] = {
    "AccountsReceivableNumber": ExtraMember("number"),
    "CustomerCategoryId": ExtraMember("number"),
    "EbayUsername": ExtraMember(),
    "InitialContact": ExtraMember(max_length=255),
    "IsCashRegisterBased": ExtraMember("bool"),
}
_COUNTRY = re.compile(r"[A-Z]{2}")
_LOGIN = ("client_id", "client_secret", "tenant_id", "api_key")
_PREFIX = re.compile(r"(/[A-Za-z0-9._-]+)*")


class Options(BaseModel):
    """The keys of `[providers.…]` that only JTL-Wawi knows.

    cloud    client_id, client_secret and tenant_id; `scope` ("openid") only for service accounts of id.jtl-cloud.com
    onprem   api_key, as it was delivered, once, when the app was registered in JTL-Wawi

    `app_id` and `app_version` must be those of the registration. `languages` maps a language tag to a LanguageIso where
    the language part in capitals is wrong, `price_groups` the source's word to a CustomerGroupId: a word that is not
    in it is not sent. `number_length` is what Number holds: 30 in the newest version. `path_prefix` stands in front of
    `/customers`; by default it is what JTL documents for the mode, `doctor` tries the other one. `workflows` leaves the
    automatic workflows of JTL-Wawi on (e-mails to customers!).

    `is_locked` says what IsLocked means here. It locks a customer for the online shops and nothing else, so it is
    ignored by default; "inactive" makes it the field `active`, "archived" makes a locked customer one that a person
    put aside, who is reviewed instead of updated. `on_delete = "archive"` sets it in any case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    mode: Literal["cloud", "onprem"] = "cloud"
    token_url: str = "https://auth.jtl-cloud.com/oauth2/token"  # noqa: S105 - an address
    scope: str = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    tenant_id: UUID | None = None
    api_key: SecretStr = SecretStr("")
    app_id: str = Field("syncd/1.0.0", min_length=1)
    app_version: str = Field("1.0.0", min_length=1)
    api_version: str = Field("1.0", min_length=1)
    path_prefix: str | None = None
    workflows: bool = False
    run_as: str = ""
    customer_group_id: int = Field(gt=0)
    internal_company_id: int = Field(gt=0)
    customer_category_id: int | None = Field(None, gt=0)
    default_language: str = ""
    default_country: str = Field("", pattern=r"^([A-Za-z]{2})?$")
    languages: dict[str, str] = {}
    price_groups: dict[str, Annotated[StrictInt, Field(gt=0)]] = {}
    extra: dict[str, str] = {}
    number_length: int = Field(30, gt=0)
    is_locked: Literal["ignored", "archived", "inactive"] = "ignored"

    @property
    def allow_http(self) -> bool:
        """The REST server of a Wawi on premise is a small Windows service without TLS."""
        return self.mode == "onprem"

    @property
    def prefix(self) -> str:
        """Where the paths begin: the cloud documents `/customers`, the server on premise `/v1/customers`."""
        if self.path_prefix is not None:
            return self.path_prefix
        return "" if self.mode == "cloud" else "/v1"

    @property
    def default_rate(self) -> float:
        """Requests a second: the cloud's example quota is 10 in 45 s, on premise it is the merchant's own machine."""
        return 2.0 if self.allow_http else 0.2

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = ("client_id", "client_secret", "tenant_id") if self.mode == "cloud" else ("api_key",)
        missing = [name for name in needed if not _given(getattr(self, name))]
        if missing:
            raise ValueError(f"mode {self.mode} needs {', '.join(missing)}")
        surplus = [name for name in _LOGIN if name not in needed and _given(getattr(self, name))]
        if surplus:
            raise ValueError(f"mode {self.mode} has no use for {', '.join(surplus)}")
        if not _PREFIX.fullmatch(self.path_prefix or ""):
            raise ValueError('path_prefix is "/v1" or empty')
        return self


def _given(value: object) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def project(values: Values, options: Options) -> Values:
    """A source row as JTL-Wawi should hold it. Raises `Rejected`."""
    wanted: dict[str, Value] = {name: values[name] for name in wire.TABLE if name in values}
    if "active" in wanted and (options.is_locked != "inactive" or wanted["active"] is None):
        del wanted["active"]
    if "number" in wanted and wanted["number"] is None:
        del wanted["number"]  # Every JTL-Wawi customer has a number; it cannot be emptied.
    wanted.update(_person(values))
    if "name" in wanted and wanted["name"] is None:
        wanted["name"] = wire.full_name(wanted)
    if wanted.get("city", "unmapped") is None:
        raise Rejected("city", "JTL-Wawi keeps no customer without a city")
    if "country" in wanted:
        wanted["country"] = _country(wanted["country"], options)
    if "language" in wanted:
        tag = str(_needed("language", wanted["language"], options.default_language))
        wanted["language"] = wire.language_tag(wire.language_iso(tag, options.languages), options.languages)
    group = values.get("price_group")
    if group in options.price_groups:
        wanted["price_group"] = group
    _check_lengths(wire.with_company(wanted, {}), {**LENGTHS, "number": options.number_length})
    return sendable({**wanted, **own_fields.projected(values, options.extra, EXTRA)})


def composed(known: frozenset[str]) -> frozenset[str]:
    """First and last name are made from the contact person where the source has nothing better, and a private person's
    name of the two."""
    name = frozenset({"name"} - known)
    return name | COMPOSED if _splits(known) else name


def _splits(known: frozenset[str]) -> bool:
    return "contact_person" in known and not known & COMPOSED


def _person(values: Values) -> Values:
    if not _splits(frozenset(values)):
        return {}
    first, blank, last = str(values["contact_person"] or "").partition(" ")
    return {"first_name": first if blank else None, "last_name": (last.strip() if blank else first) or None}


def _needed(field: str, value: Value, default: str) -> Value:
    if value is None and not default:
        raise Rejected(field, f"JTL-Wawi keeps no customer without it; default_{field} sets one for empty fields")
    return value or default


def _country(country: Value, options: Options) -> str:
    code = str(_needed("country", country, options.default_country)).upper()
    if not _COUNTRY.fullmatch(code):
        raise Rejected("country", "JTL-Wawi takes an ISO 3166-1 code of two letters; correct it in the source")
    return code


def _check_lengths(values: Values, lengths: Mapping[str, int]) -> None:
    for field, most in lengths.items():
        if len(str(values.get(field) or "")) > most:
            raise Rejected(field, f"JTL-Wawi takes at most {most} characters")


def body_of(values: Values, current: Values, options: Options) -> dict[str, Any]:
    """A request body that holds exactly `values`; `current` is what else is known of the customer."""
    body = wire.to_wire(wire.with_company(values, current), options.languages)
    if (group := options.price_groups.get(str(values.get("price_group")))) is not None:
        body["CustomerGroupId"] = group
    own = own_fields.written(values, options.extra, EXTRA)
    return body | {member: "" if value is None else value for member, value in own.items()}


def remote_of(record: object, options: Options) -> Remote:
    """A customer as JTL-Wawi shows it. Raises `wire.Malformed`."""
    remote = wire.from_wire(record, options.languages, is_locked=options.is_locked)
    more = own_fields.shown(wire.members(remote.raw, options.extra), options.extra, EXTRA)
    group = wire.member(remote.raw, "CustomerGroupId")
    word = next((ours for ours, theirs in options.price_groups.items() if theirs == group), None)
    known = {} if word is None else {"price_group": word}
    return remote._replace(values={**remote.values, **known, **more})


def new_record(key: str, values: Values, options: Options) -> dict[str, Any]:
    """The body of a create. Members that the source does not know and JTL-Wawi demands come from the settings."""
    defaults = {"country": options.default_country, "language": options.default_language}
    whole = project({"city": None, **dict.fromkeys(defaults), **values}, options)
    _check_lengths(whole, LENGTHS_AT_CREATE)
    settled = {"CustomerGroupId": options.customer_group_id, "InternalCompanyId": options.internal_company_id}
    if options.customer_category_id is not None:
        settled["CustomerCategoryId"] = options.customer_category_id
    given = {name: value for name, value in wire.with_company(whole, {}).items() if value is not None}
    return settled | body_of(given, {}, options) | {"Number": key}
