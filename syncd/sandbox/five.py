"""The five sandboxes together: served on loopback, with the settings that reach them; for `demo`, `sandbox`, tests.

`demo` and `sandbox` also serve the sandboxes that installed packages bring (`brought`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from syncd.clock import Clock
from syncd.sandbox import aiotic, azotte, billbee, invisible_collector, jtl, jtl_door
from syncd.sandbox.brought import brought
from syncd.sandbox.kit import Server, serve

NAMES = ("aiotic", "invisible_collector", "jtl", "billbee", "azotte")
SECRETS: Mapping[str, str] = {
    "aiotic": aiotic.SYNC_KEY,
    "invisible_collector": invisible_collector.TOKEN,
    "azotte": azotte.API_KEY,
    "jtl": jtl_door.CLIENT_SECRET,
    "billbee-key": billbee.API_KEY,
    "billbee-password": billbee.PASSWORD,
}
_MODULES = {
    "aiotic": aiotic,
    "invisible_collector": invisible_collector,
    "jtl": jtl,
    "billbee": billbee,
    "azotte": azotte,
}


@contextmanager
def serve_five(port: int = 0, clock: Clock | None = None) -> Iterator[Server]:
    """Serve the five on loopback until the block ends: `twins` holds their records and toggles by name, `url(name)` is
    an address."""
    apps = [_MODULES[name].create_app(_MODULES[name].create_twin(clock)) for name in NAMES]
    with serve(apps, port) as server:
        yield server


@contextmanager
def serve_all(port: int = 0) -> Iterator[Server]:
    """Serve the five and every installed sandbox, on `port`, `port + 1` …, or on free ports for 0. Raises OSError where
    a port is taken."""
    more = [made.create_app(made.create_twin(None)) for made in brought().values()]
    with serve(
        [*(_MODULES[name].create_app(_MODULES[name].create_twin(None)) for name in NAMES), *more], port
    ) as server:
        for twin in server.twins.values():
            twin.indexed = True
        yield server


def all_secrets() -> dict[str, str]:
    """The credentials of the five and of every installed sandbox, by name."""
    return {**SECRETS, **{name: value for made in brought().values() for name, value in made.secrets.items()}}


def keep_records(server: Server, path: Path) -> None:
    """Write the sandboxes' records into a file, for `load_records`."""
    held = {name: {"serial": twin.serial, "records": twin.records} for name, twin in server.twins.items()}
    path.write_text(json.dumps(held, ensure_ascii=False, indent=1), encoding="utf-8")


def load_records(server: Server, path: Path) -> None:
    """Fill the sandboxes with the records that `keep_records` wrote. Raises ValueError for any other file."""
    held = json.loads(path.read_text(encoding="utf-8"))
    for name, twin in server.twins.items():
        try:
            kept = held[name]
            twin.serial, records = int(kept["serial"]), dict(kept["records"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"no records of {name}") from error
        twin.records.clear()
        twin.records.update(records)
        twin.touch()


def write_secrets(directory: Path, secrets: Mapping[str, str] = SECRETS) -> None:
    """The sandboxes' credentials as files that only their owner reads, as real ones are kept."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in secrets.items():
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(value, encoding="ascii")


def provider_settings(server: Server, secrets: Path, common: str = "", names: tuple[str, ...] = NAMES) -> str:
    """The `[providers.*]` tables that reach the sandboxes; `common` lines go into each."""
    return "\n".join(f"[providers.{name}]\n{_own(name, server, secrets)}{common}" for name in names)


def _own(name: str, server: Server, secrets: Path) -> str:
    url = server.url(name)

    def secret(of: str) -> str:
        return f'"file:{secrets / of}"'

    if name not in NAMES:
        return "\n".join(brought()[name].settings(url, secret)) + "\n"
    lines = {
        "aiotic": [f'url = "{url}"', f"api_key = {secret('aiotic')}"],
        "invisible_collector": [
            f'url = "{url}"',
            f"token = {secret('invisible_collector')}",
            'default_locale = "en"',
            'default_country = "DE"',
            "require_vat = false",
        ],
        "jtl": [
            f'url = "{url}/erp"',
            f'token_url = "{url}{jtl_door.TOKEN_ROUTE}"',
            f'client_id = "{jtl_door.CLIENT_ID}"',
            f"client_secret = {secret('jtl')}",
            f'tenant_id = "{jtl_door.TENANT}"',
            "customer_group_id = 1",
            "internal_company_id = 1",
            'default_language = "DE"',
            'default_country = "DE"',
        ],
        "billbee": [
            f'url = "{url}"',
            f"api_key = {secret('billbee-key')}",
            f'user = "{billbee.USER}"',
            f"password = {secret('billbee-password')}",
            "languages = { de = 1, en = 2, nl = 3 }",
        ],
        "azotte": [
            f'url = "{url}"',
            f"api_key = {secret('azotte')}",
            f'tenant = "{azotte.TENANT}"',
            'default_country = "DE"',
            'default_language = "de"',
        ],
    }
    return "\n".join(lines[name]) + "\n"
