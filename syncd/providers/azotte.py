"""Azotte: subscription commerce. Azotte is a projection of our customers; "the tenant system owns identity".

The server chooses the id (`customerUrn`); our key is `externalIdentifier`, unique per tenant and found through
`info?exId=`. There is no listing. Whether a request succeeded is decided by `status.messageCode` in the answer,
whatever the HTTP status says. The documented snapshot shows little more than the e-mail; what it lacks is unknown, not
empty. `delete` anonymises for ever.
Facts: https://azotte.com/academy/developers/API/C2A/customers/ (overview, store, update, info, delete, validate).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from syncd.core.model import Cursor, Page, Remote, Removal, Values
from syncd.errors import NotFound, OutcomeUnknown, ProviderError, Rejected, Taken, Temporary, Throttled, Unauthorized
from syncd.providers import azotte_wire as wire
from syncd.providers.adapter import Capabilities, Identity, Provider, Settings
from syncd.providers.azotte_options import PLACEHOLDERS, Options, corporate_fields
from syncd.providers.azotte_snapshot import from_wire
from syncd.providers.http import Answer, Gate, Http

COMPANY = frozenset(PLACEHOLDERS.values())
CAPABILITIES = Capabilities(
    id_name="customerUrn",
    identity=Identity.FINDABLE,
    fields=frozenset({*wire.PERSON, *wire.ADDRESS, *COMPANY, "language", "active"}),
    writeonly=frozenset({*COMPANY, "language", "active"}),
    clears=False,
    delete=True,
    rate=1.0,
    id_length=36,  # opaque (cu.00.482); the delete call names it customerUuid, so there must be room for a UUID
    id_digits=False,
    extra=wire.EXTRA,
)
LIVE_RATE = 5.0  # 1 000 a minute on live keys, 100 on sandbox keys, by the older pages; C2A's own say nothing

SUCCESS = "SUCCESS"
NOT_FOUND = "CUSTOMER_NOT_FOUND"
COLLISIONS: Mapping[str, tuple[str, str]] = {
    "CUSTOMER_ALREADY_STORED": ("number", "external identifier"),
    "USER_WITH_SAME_EMAIL_EXISTS": ("email", "e-mail address"),
    "USER_WITH_SAME_PHONE_NUMBER_EXISTS": ("phone", "phone number"),
}
FAILURES = frozenset({"SQL_DATABASE_FAILURE", "INTERNAL_SERVER_ERROR"})
DENIALS = frozenset({"UNAUTHORIZED", "FORBIDDEN"})  # not documented here: the sibling pages' words
THROTTLES = frozenset({"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"})  # the same
UNIQUE = {"email": "email", "phone": "phoneNumber"}
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_OUR_FIELDS = {name.lower(): ours for ours, name in {**wire.PERSON, **wire.ADDRESS}.items()} | {
    "externalidentifier": "number",
    "languagecode": "language",
    "corporationinfo": "name",
    "legaltype": "name",
    "status": "active",
}


class Azotte:
    """One tenant's customers; see `ProviderAdapter` for what each function promises."""

    def __init__(self, http: Http, options: Options, url: str) -> None:
        self._http = http
        self._options = options
        self._url = url
        self._capabilities = _capabilities(options, url)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        return wire.composed(known)

    def project(self, values: Values) -> Values:
        return wire.project(values, self._options)

    def key_fits(self, key: str) -> bool:
        return bool(key) and key == key.strip() and key.isprintable()

    def fetch(self, external_id: str) -> Remote | None:
        remote = self._info("urn", external_id)
        if remote is not None and remote.external_id != external_id:
            raise Rejected("", "Azotte shows another customer under this customerUrn; check the link")
        return remote

    def find(self, key: str, values: Values) -> Sequence[Remote]:  # noqa: ARG002
        remote = self._info("exId", key)
        if remote is None or (remote.key is None and remote.archived):
            return ()  # an erased record that gave up our key carries it no more
        if remote.key is None:
            raise Temporary("Azotte found a customer by our key, but does not show its key")
        return (remote,) if remote.key == key else ()

    def create(self, key: str, values: Values) -> Remote:
        if not self.key_fits(key):
            raise Rejected("number", "cannot be an externalIdentifier")
        result, answer = self._write("store", wire.create_body(key, values, self._options))
        if result.key != key:
            raise answer.unreadable("the answer is about another customer")
        return self._as_stored(result, key, answer)

    def update(self, current: Remote, values: Values) -> Remote:
        if current.archived:
            raise Rejected("", "the record at Azotte is anonymised; nothing about a person may be written to it again")
        body = wire.update_body(current, values, self._options)
        if body is None:
            return from_wire(current.raw, self._options)
        result, answer = self._write("update", body)
        if result.external_id != current.external_id:
            raise answer.unreadable("the answer is about another customer")
        return self._as_stored(result, current.key, answer)

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:  # noqa: ARG002
        raise Rejected("", "Azotte has no listing")

    def remove(self, current: Remote, how: Removal) -> None:
        """Anonymise, for ever. Subscriptions go on: Azotte does not cancel them."""
        if how is not Removal.DELETE:
            raise Rejected("", f"Azotte has no way to {how}; use on_delete = keep or delete (anonymises for ever)")
        try:
            self._call("POST", "delete", body={"customerUuid": current.external_id})
        except NotFound:
            return

    def probe(self) -> str:
        answer = self._call("POST", "validate", body={"externalId": "syncd-probe"}, reading=True)
        if not isinstance(answer.record().get("isAvailable"), bool):
            raise answer.unreadable("no isAvailable")
        return f"{answer.what} answers for this tenant{mixed_up(self._options, self._url)}"

    def close(self) -> None:
        self._http.close()

    def _info(self, parameter: str, value: str) -> Remote | None:
        """One record; None only for the envelope's own CUSTOMER_NOT_FOUND."""
        try:
            answer = self._call("GET", "info", params={parameter: value})
        except NotFound:
            return None
        return self._remote(answer)

    def _write(self, action: str, body: Mapping[str, Any]) -> tuple[Remote, Answer]:
        """Store or update. With `omit_taken` a customer goes without an e-mail or phone that another customer has."""
        try:
            answer = self._call("POST", action, body=body)
        except Taken as taken:
            customer = dict(body["customer"])
            if not self._options.omit_taken or not customer.pop(UNIQUE.get(taken.field, ""), None):
                raise
            if customer.keys() <= {"customerUrn"} and "claimedRegion" not in body:
                raise
            return self._write(action, {**body, "customer": customer})
        return self._remote(answer), answer

    def _remote(self, answer: Answer) -> Remote:
        try:
            return from_wire(_object(answer, "result"), self._options)
        except ValueError as error:
            raise answer.unreadable(f"{error} is missing or of another type") from None

    def _as_stored(self, result: Remote, key: str | None, answer: Answer) -> Remote:
        """The record as a reading shows it now: the answer of a write shows a part, and may only repeat what was
        sent."""
        try:
            stored = self.fetch(result.external_id)
        except ProviderError as error:
            raise answer.unreadable("accepted, but reading it back failed") from error
        if stored is None or (key and stored.key and stored.key != key):
            raise answer.unreadable("accepted, but reading it back shows another customer or none")
        return stored

    def _call(
        self,
        method: str,
        action: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        reading: bool | None = None,
    ) -> Answer:
        """One request, judged by its envelope: returns only what succeeded."""
        template = f"{self._options.base_path}/customer/{action}"
        answer = self._http.request(method, template, params=params, body=body, reading=reading)
        code = _code(answer)
        if answer.ok and code == SUCCESS:
            return answer
        raise _failure(answer, code)


def _code(answer: Answer) -> str:
    """The envelope's word, "" where there is no envelope."""
    status = answer.data.get("status") if isinstance(answer.data, dict) else None
    code = status.get("messageCode") if isinstance(status, dict) else None
    return code if isinstance(code, str) else ""


def _failure(answer: Answer, code: str) -> ProviderError:
    """The error for a refusal: by the envelope's code, by the HTTP status where there is no code."""
    shown = code if _CODE.fullmatch(code) else "an unknown code" if code else "no envelope"
    said = f"{answer.what}: answered {answer.status} with {shown}"
    if code == NOT_FOUND:
        return NotFound(said, status=answer.status)
    if code in COLLISIONS:
        field, what = COLLISIONS[code]
        help_ = "; omit_taken = true sends the customer without it" if field in UNIQUE else ""
        reason = f"another customer at Azotte already has this {what} ({code}){help_}"
        return Taken(field, reason, status=answer.status)
    if code in FAILURES or (answer.ok and code in {"", SUCCESS}):
        return Temporary(said, status=answer.status) if answer.reading else OutcomeUnknown(said, status=answer.status)
    if code in DENIALS:
        return Unauthorized(said, status=answer.status)
    if code in THROTTLES:
        return Throttled(said, status=answer.status, retry_after=answer.wait)
    if not code and answer.status in {404, 405, 410, 415}:
        return Temporary(f"{said}, which is no answer of this API; check url and base_path", status=answer.status)
    return Rejected(_blamed(answer.data), f"Azotte answered {answer.status} with {shown}", status=answer.status)


def _blamed(data: Any) -> str:
    """The field that a refusal names, in our words; "" where it names none or one that we do not send.

    Only names are read: Azotte's sentences may quote a customer. The envelope documents no list of errors; the shapes
    are those of the older pages (`error.details.field`) and of ASP.NET (`errors`).
    """
    names: list[Any] = []
    for part in (data, data.get("status") if isinstance(data, dict) else None):
        errors = part.get("errors") if isinstance(part, dict) else None
        names += list(errors) if isinstance(errors, dict) else []
    error = data.get("error") if isinstance(data, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    names += [details.get("field")] if isinstance(details, dict) else []
    known = [_OUR_FIELDS.get(name.rpartition(".")[2].lower(), "") for name in names if isinstance(name, str)]
    return next((name for name in known if name), "")


def _object(answer: Answer, name: str) -> Mapping[str, Any]:
    found = answer.record().get(name)
    if not isinstance(found, dict):
        raise answer.unreadable(f"no {name}")
    return found


def _is_sandbox(url: str) -> bool:
    return ".sandbox." in httpx.URL(url).host


def mixed_up(options: Options, url: str) -> str:
    """A hint where the key's prefix is that of another environment than the URL's; "" for none. Azotte prints the
    prefixes only in samples, so the key is not refused."""
    key = options.api_key.get_secret_value()
    if key.startswith("sk_dev_") and httpx.URL(url).host.endswith(".azotte.com") and not _is_sandbox(url):
        return "; but the key looks like one for the sandbox, and the url is live"
    if key.startswith("sk_live_") and _is_sandbox(url):
        return "; but the key looks like a live one, and the url is the sandbox"
    return ""


def _capabilities(options: Options, url: str) -> Capabilities:
    """The capabilities, with the facts that Azotte's pages leave open taken from the settings."""
    hidden = frozenset({"language"}) | (corporate_fields(options))
    return CAPABILITIES._replace(
        fields=CAPABILITIES.fields - COMPANY | corporate_fields(options) | set(options.extra.values()),
        writeonly=hidden if options.inactive_status else hidden | {"active"},
        clears=options.clear_mode != "skip",
        rate=CAPABILITIES.rate if _is_sandbox(url) else LIVE_RATE,
    )


def build(settings: Settings, gate: Gate) -> Azotte:
    """One configured tenant; its key and tenant go to the configured origin only."""
    options: Options = settings.options
    credentials = {"x-api-key": options.api_key.get_secret_value(), "x-tn": options.tenant}
    http = Http(
        url=settings.url,
        timeout=settings.timeout,
        gate=gate,
        credentials=credentials,
        headers={"accept": "application/json, */*;q=0.8"},  # it answers application/clientOutput+Json
        way=settings.way,
    )
    return Azotte(http, options, settings.url)


PROVIDER = Provider(
    name="azotte",
    options=Options,
    build=build,
    capabilities=CAPABILITIES,
    secrets=frozenset({"api_key"}),
)
