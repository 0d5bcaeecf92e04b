"""The settings of `[providers.azotte]`. Every fact that Azotte's pages leave open is one, with a cautious default."""

from __future__ import annotations

import re
import string
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

ACTIVE = "Active"  # the only status that is shown anywhere; further ones are the operator's knowledge
# placeholder of `corporation_info_template` -> canonical field; Azotte does not document the keys of CorporationInfo
PLACEHOLDERS = {
    "company": "name",
    "vat_id": "vat_number",
    "name": "name",
    "vat_number": "vat_number",
    "tax_number": "tax_number",
    "register_number": "register_number",
}
COUNTRY = re.compile(r"[A-Z]{2}")
LANGUAGE = re.compile(r"[a-z]{2}")


class Options(BaseModel):
    """The keys of `[providers.azotte]` that only Azotte knows.

    clear_mode                 how an emptied field is sent; what null or "" do is not documented: `skip` sends nothing
    address_mode               `replace`: an update sends the whole address or nothing; `merge` once that is confirmed
    corporation_info_template  keys of CorporationInfo, e.g. {companyName = "{company}", taxNumber = "{vat_id}"}; makes
                               companies `Corporate`. Empty: nobody is, and company data is not sent
    inactive_status            Azotte's word for an inactive customer; empty: `active` is only sent on create
    omit_taken                 e-mail and phone are unique per tenant; send the customer without the one that is taken
                               instead of parking it
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    api_key: SecretStr
    tenant: str = Field(min_length=1, pattern=r"^[\x21-\x7e]+$")
    base_path: str = Field(default="/api/v1/c2a", pattern=r"^(?:/[A-Za-z0-9_-]+)*$")
    default_country: str | None = None
    default_language: str | None = None
    clear_mode: Literal["skip", "null", "empty"] = "skip"
    address_mode: Literal["replace", "merge"] = "replace"
    corporation_info_template: dict[str, str] = Field(default_factory=dict)
    inactive_status: str = ""
    omit_taken: bool = False
    extra: dict[str, str] = {}

    @field_validator("default_country")
    @classmethod
    def _alpha2(cls, value: str | None) -> str | None:
        if value is not None and not COUNTRY.fullmatch(value.upper()):
            raise ValueError("must be an ISO 3166-1 alpha-2 code such as DE")
        return value and value.upper()

    @field_validator("default_language")
    @classmethod
    def _alpha639(cls, value: str | None) -> str | None:
        if value is not None and not LANGUAGE.fullmatch(subtag(value)):
            raise ValueError("must begin with an ISO 639-1 code such as de")
        return value and subtag(value)

    @field_validator("corporation_info_template")
    @classmethod
    def _placeholders(cls, value: dict[str, str]) -> dict[str, str]:
        for key, form in value.items():
            names = list(placeholders_of(form))
            if not key or not names or not set(names) <= PLACEHOLDERS.keys():
                raise ValueError("each entry must use placeholders out of " + ", ".join(sorted(PLACEHOLDERS)))
        return value

    @field_validator("inactive_status")
    @classmethod
    def _not_active(cls, value: str) -> str:
        if value.casefold() == ACTIVE.casefold():
            raise ValueError("must not be the status of an active customer")
        return value


def placeholders_of(form: str) -> list[str]:
    """Names in braces; format specifications and attribute access are refused by returning what no table knows."""
    found = []
    for _, name, spec, conversion in string.Formatter().parse(form):
        if name is not None:
            found.append("?" if spec or conversion else name)
    return found


def corporate_fields(options: Options) -> frozenset[str]:
    """The canonical fields that the template sends."""
    return frozenset(
        PLACEHOLDERS[name] for form in options.corporation_info_template.values() for name in placeholders_of(form)
    )


def subtag(language: str) -> str:
    """The primary part of a language tag in lower case: `de` of `de-AT`."""
    return re.split(r"[-_]", language.strip(), maxsplit=1)[0].lower()
