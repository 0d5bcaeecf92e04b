"""How syncd names itself to JTL-Wawi: the headers of every request, the key on premise, the tokens of the cloud."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.providers.jtl_projection import Options
from syncd.providers.oauth import ClientCredentials


def headers(options: Options) -> dict[str, str]:
    """The headers of every request. Without `api-version` the newest version answers, in an untested format."""
    sent = {
        "X-AppID": options.app_id,
        "X-AppVersion": options.app_version,
        "api-version": options.api_version,
        "X-Tenant-ID": str(options.tenant_id) if options.mode == "cloud" else "",
        "X-RunAs": options.run_as,
    }
    return {name: value for name, value in sent.items() if value}


def key(options: Options) -> Mapping[str, str]:
    """The credentials of an installation on premise."""
    return {"Authorization": f"Wawi {options.api_key.get_secret_value()}"}


def oauth(url: str, options: Options) -> ClientCredentials:
    """The credentials of the cloud: a token of its own token server."""
    return ClientCredentials(
        url=url,
        token_url=options.token_url,
        client_id=options.client_id,
        client_secret=options.client_secret.get_secret_value(),
        scope=options.scope,
    )
