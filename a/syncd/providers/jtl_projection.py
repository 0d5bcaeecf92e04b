"""What an installation of JTL-Wawi is told in the settings, and what it should hold for a source row."""

from __future__ import annotations

import re
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from syncd.core.model import Value, Values
from syncd.errors import Rejected
from syncd.providers import jtl_wire as wire
from syncd.providers.strict import sendable

COMPOSED = frozenset({"first_name", "last_name"})
MAX_CITY = 255
_LOGIN = ("client_id", "client_secret", "tenant_id", "api_key")
_PREFIX = re.compile(r"(/[A-Za-z0-9._-]+)*")


class Options(BaseModel):
    """What only JTL-Wawi needs to be told.

    cloud    client_id, client_secret and tenant_id; `scope` ("openid") only for service accounts of id.jtl-cloud.com
    onprem   api_key, as it was delivered, once, when the app was registered in JTL-Wawi

    `app_id` and `app_version` must be those of the registration. `languages` maps a language tag to a LanguageIso where
    the language part in capitals is wrong. `number_length` is what Number holds: JTL publishes no figure and would cut
    a longer one, so a source with longer keys needs a look at the installation first.

    `is_locked` says what IsLocked means here. It locks a customer for the online shops and nothing else, so it is
    ignored by default; "inactive" makes it the field `active`, "archived" makes a locked customer one that a person
    put aside, who is reviewed instead of updated. `on_delete = "archive"` sets it in any case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

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
    path_prefix: str = "/v1"
    run_as: str = ""
    customer_group_id: int = Field(gt=0)
    internal_company_id: int = Field(gt=0)
    customer_category_id: int | None = Field(None, gt=0)
    default_language: str = ""
    default_country: str = Field("", pattern=r"^([A-Za-z]{2})?$")
    languages: dict[str, str] = {}
    number_length: int = Field(30, gt=0)
    is_locked: Literal["ignored", "archived", "inactive"] = "ignored"

    @property
    def allow_http(self) -> bool:
        """The REST server of a Wawi on premise is a small Windows service without TLS."""
        return self.mode == "onprem"

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
        if not _PREFIX.fullmatch(self.path_prefix):
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
    if "city" in wanted:
        _check_city(wanted["city"])
    if "country" in wanted:
        wanted["country"] = str(_needed("country", wanted["country"], options.default_country)).upper()
    if "language" in wanted:
        tag = str(_needed("language", wanted["language"], options.default_language))
        wanted["language"] = wire.language_tag(wire.language_iso(tag, options.languages), options.languages)
    return sendable(wanted)


def composed(known: frozenset[str]) -> frozenset[str]:
    """First and last name are made from the contact person where the source has nothing better."""
    return COMPOSED if "contact_person" in known and not known & COMPOSED else frozenset()


def _person(values: Values) -> Values:
    if not composed(frozenset(values)):
        return {}
    first, blank, last = str(values["contact_person"] or "").partition(" ")
    return {"first_name": first if blank else None, "last_name": (last.strip() if blank else first) or None}


def _needed(field: str, value: Value, default: str) -> Value:
    if value is None and not default:
        raise Rejected(field, f"JTL-Wawi keeps no customer without it; default_{field} sets one for empty fields")
    return value or default


def _check_city(city: Value) -> None:
    if city is None:
        raise Rejected("city", "JTL-Wawi keeps no customer without a city")
    if len(str(city)) > MAX_CITY:
        raise Rejected("city", f"JTL-Wawi takes at most {MAX_CITY} characters")


def new_record(key: str, values: Values, options: Options) -> dict[str, Any]:
    """The body of a create. Members that the source does not know and JTL-Wawi demands come from the settings."""
    defaults = {"country": options.default_country, "language": options.default_language}
    whole = project({"city": None, **dict.fromkeys(defaults), **values}, options)
    given = {name: value for name, value in wire.with_company(whole, {}).items() if value is not None}
    body = wire.to_wire(given, options.languages) | {
        "Number": key,
        "CustomerGroupId": options.customer_group_id,
        "InternalCompanyId": options.internal_company_id,
    }
    if options.customer_category_id is not None:
        body["CustomerCategoryId"] = options.customer_category_id
    return body
