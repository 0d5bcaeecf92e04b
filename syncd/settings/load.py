"""Reads a settings file: answers `Settings`, or raises one `SettingsError` with every problem of the file."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from syncd.core.guards import Guards
from syncd.errors import Problem, SettingsError
from syncd.providers.adapter import API_VERSION, Provider
from syncd.settings.checks import (
    Draft,
    check_alerts,
    check_lease,
    check_network,
    check_provider,
    check_source,
    check_state,
)
from syncd.settings.environment import Environment, variable
from syncd.settings.frozen import installation_hash, provider_settings, source_settings
from syncd.settings.model import (
    Alerts,
    LogSettings,
    Metrics,
    Network,
    Schedule,
    Settings,
    StateSettings,
)
from syncd.settings.places import Findings, Place, locate
from syncd.settings.secret import resolve
from syncd.settings.selection import check_selection, check_takings
from syncd.settings.tables import (
    AlertsTable,
    GuardsTable,
    LogTable,
    MetricsTable,
    NetworkTable,
    ProviderTable,
    RootTable,
    ScheduleTable,
    SourceTable,
    StateTable,
    own_members,
    table,
)
from syncd.settings.values import Wrong, did_you_mean
from syncd.tls import Tls

GROUP = "syncd.providers"
SYSTEM_FILE = Path("/etc/syncd/syncd.toml")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)

_BROKEN = (ImportError, AttributeError, NameError, SyntaxError, TypeError, ValueError)
"""What the import of a broken adapter, or of one for another version, raises."""

Registry = Mapping[str, Provider | EntryPoint]
"""Adapters by name. One given as an entry point is imported when a settings file uses it."""


def find(path: Path | None = None) -> Path:
    """The settings file: the one that `--config` or `$SYNCD_CONFIG` names; where neither does, `./syncd.toml` or
    `/etc/syncd/syncd.toml`. Raises `SettingsError` where there is none."""
    configured = Environment().config
    named = path or (Path(configured) if configured else None)
    places = [named] if named else [Path("syncd.toml"), SYSTEM_FILE]
    for place in places:
        if place.is_file():
            return place
    looked = " or ".join(str(place) for place in places)
    raise SettingsError([Problem(looked, "there is no settings file.", "Run `syncd init`, or name one with --config.")])


def registry() -> dict[str, Provider]:
    """Every adapter that is installed. Raises ImportError where one of them is broken."""
    return {name: entry.load() for name, entry in _installed().items()}


def installed() -> list[str]:
    """The names of the installed adapters. None is imported, so a broken one is named, too."""
    return sorted(_installed())


def load(path: Path | None = None, *, registry: Mapping[str, Provider] | None = None) -> Settings:
    """Read and check a settings file, and resolve its secrets. Raises `SettingsError` with all problems, in the order
    of the file."""
    file = find(path)
    document, lines = _parse(file)
    reading = _Reading(Findings(file.name, lines), registry if registry is not None else _installed())
    return reading.settings(file, document)


def _installed() -> Mapping[str, EntryPoint]:
    return _entries(tuple((place, _changed(Path(place))) for place in sys.path))


@lru_cache(maxsize=1)
def _entries(_places: tuple[tuple[str, int], ...]) -> Mapping[str, EntryPoint]:
    """The entry points of adapters. To read the metadata of all installed packages costs as much as the rest of a
    settings file, so the answer is kept until a directory of packages changes."""
    return MappingProxyType({entry.name: entry for entry in entry_points(group=GROUP)})


def _changed(place: Path) -> int:
    """When a directory of packages last changed (nanoseconds); 0 where it cannot be read."""
    try:
        return place.stat().st_mtime_ns
    except OSError:
        return 0


def _parse(file: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = f"cannot be read ({type(error).__name__})."
        raise SettingsError([Problem(str(file), reason, "Check its owner and mode.")]) from None
    except UnicodeDecodeError:
        raise SettingsError([Problem(str(file), "is not UTF-8 text.", "Save it as UTF-8.")]) from None
    text = text.replace("\r\n", "\n")
    try:
        return tomllib.loads(text), locate(text)
    except tomllib.TOMLDecodeError as error:
        # tomllib says what it expected or which key stands twice, and where; never a value
        match = re.search(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        reason = match[1] if match else "is not TOML"
        line, column = (match[2], match[3]) if match and match[2] else (str(text.count("\n") + 1), "1")
        problem = Problem(f"{file.name}:{line}:{column}", f"TOML: {reason}.", "Text values stand in quotes.")
        raise SettingsError([problem]) from None


class _Reading:
    """Reads one document; all its problems end up in `findings`."""

    def __init__(self, findings: Findings, adapters: Registry) -> None:
        self.findings = findings
        self.adapters = adapters
        self.environment = Environment()
        self.from_environment: list[str] = []

    def settings(self, file: Path, document: Mapping[str, Any]) -> Settings:
        root = table(RootTable, document, (), self.findings)
        source = table(SourceTable, root.source, ("source",), self.findings)
        state = table(StateTable, root.state, ("state",), self.findings)
        log = table(LogTable, root.log, ("log",), self.findings)
        schedule = table(ScheduleTable, root.schedule, ("schedule",), self.findings)
        guards = table(GuardsTable, root.guards, ("guards",), self.findings)
        alerts = table(AlertsTable, root.alerts, ("alerts",), self.findings)
        metrics = table(MetricsTable, root.metrics, ("metrics",), self.findings)
        network = table(NetworkTable, root.network, ("network",), self.findings)
        check_source(source, self.findings)
        check_selection(source, self.findings)
        check_state(state, source, self.findings)
        check_alerts(alerts, self.findings)
        check_network(network, self.findings)
        drafts = self._drafts(root.providers)
        for draft in drafts:
            check_provider(draft, source, self.findings)
        check_takings(drafts, source, self.findings)
        check_lease(drafts, root.lease, self.findings)
        password = self._secret(source.password, ("source", "password"))
        ours = StateSettings(
            url=state.url,
            password=self._secret(state.password, ("state", "password")),
            key=self._key(state.key),
            tls=Tls(state.tls.mode, state.tls.ca),
            older=tuple(filter(None, (self._key(each, ("state", "older_keys")) for each in state.older_keys))),
        )
        if problems := self.findings.problems():
            raise SettingsError(problems)
        return Settings(
            path=file,
            source=source_settings(source, password),
            state=ours,
            lease=root.lease,
            schedule=Schedule(**schedule.model_dump()),
            guards=Guards(**{name: getattr(guards, name) for name in GuardsTable.model_fields}),
            log=LogSettings(**log.model_dump()),
            alerts=Alerts(**alerts.model_dump()),
            metrics=Metrics(**metrics.model_dump()),
            providers=tuple(provider_settings(draft, source, network.sockets) for draft in drafts),
            config_hash=installation_hash(source, drafts),
            environment_secrets=tuple(self.from_environment),
            network=Network(network.sockets),
        )

    def _secret(self, reference: object, place: Place) -> str | None:
        if reference is None:
            return None
        try:
            secret = resolve(reference, self.environment.credentials_directory, variable)
        except Wrong as wrong:
            self.findings.add(place, wrong.reason, wrong.remedy)
            return None
        if isinstance(reference, str) and reference.startswith("env:"):
            self.from_environment.append(".".join(str(part) for part in place))
        if len(secret) >= 4:  # shorter ones would blank out ordinary words
            self.findings.hidden.append(secret)
        return secret

    def _key(self, reference: object, place: Place = ("state", "key")) -> bytes | None:
        key = self._secret(reference, place)
        if key is not None and len(key) < 32:
            remedy = "Make one with: openssl rand -hex 32"
            self.findings.add(place, "must be at least 32 characters long.", remedy)
        return key.encode("ascii") if key is not None else None

    def _drafts(self, providers: object) -> list[Draft]:
        if providers is not None and not isinstance(providers, Mapping):
            self.findings.add(("providers",), "must be a table.", "Write [providers.NAME].")
        elif not providers:
            self.findings.add(("providers",), "no provider is configured.", "Add a table such as [providers.billbee].")
        else:
            return [self._draft(name, data) for name, data in providers.items()]
        return []

    def _draft(self, name: str, data: object) -> Draft:
        place = ("providers", name)
        if not _NAME.fullmatch(name):
            self.findings.add(place, "is not a name.", "Begin with a letter; use letters, digits, - and _, 64 at most.")
        if not isinstance(data, Mapping):
            self.findings.add(place, "must be a table.", f"Write [providers.{name}].")
            return Draft(name, ProviderTable(), None, None)
        common = {key: value for key, value in data.items() if key in ProviderTable.model_fields}
        own = {key: value for key, value in data.items() if key not in ProviderTable.model_fields}
        read = table(ProviderTable, common, place, self.findings)
        provider = self._adapter(name, read)
        if provider is not None and "extra" in provider.options.model_fields:
            own["extra"] = own_members(read.extra)
        options = self._options(place, provider, own) if provider else None
        if "rate" not in common and provider is not None:
            # an adapter whose pace depends on its options (a server of one's own) says so there
            read = read.model_copy(update={"rate": getattr(options, "default_rate", provider.capabilities.rate)})
        return Draft(name, read, provider, options)

    def _adapter(self, name: str, read: ProviderTable) -> Provider | None:
        place, wanted = ("providers", name, "adapter"), read.adapter or name
        found = self.adapters.get(wanted)
        if found is None:
            if self.findings.clean(place):
                remedy = did_you_mean(wanted, self.adapters) or f"Set adapter to one of: {', '.join(self.adapters)}."
                self.findings.add(place, "no such adapter is installed.", remedy)
            return None
        if isinstance(found, Provider):
            return self._of_this_api(place, found)
        try:
            loaded = found.load()
        except _BROKEN as error:
            reason = f"the adapter is installed but cannot be loaded ({type(error).__name__})."
            self.findings.add(place, reason, f'See why: python -c "import {found.module}"')
            return None
        if not isinstance(loaded, Provider):
            reason = f"{found.value} is no syncd.providers.adapter.Provider."
            self.findings.add(place, reason, "Correct the entry point in the adapter's package.")
            return None
        return self._of_this_api(place, loaded)

    def _of_this_api(self, place: Place, found: Provider) -> Provider | None:
        if found.api == API_VERSION:
            return found
        reason = f'the adapter "{found.name}" was made for adapter API {found.api}, this syncd has {API_VERSION}.'
        self.findings.add(
            place, reason, f"Install its release for API {API_VERSION}, or the syncd that it was made for."
        )
        return None

    def _options(self, place: Place, provider: Provider, own: Mapping[str, Any]) -> Any | None:
        """The adapter's own keys, checked by its `Options`, with secrets in place of references. A secret that cannot
        be resolved has its finding already, and is checked as "unresolved"."""
        values = dict(own)
        for key in provider.secrets & own.keys():
            values[key] = self._secret(own[key], (*place, key))
        known = [*ProviderTable.model_fields, *provider.options.model_fields]
        unresolved = {key for key in provider.secrets & own.keys() if values[key] is None}
        try:
            return provider.options.model_validate({**values, **dict.fromkeys(unresolved, "unresolved")})
        except ValidationError as error:
            self.findings.rejected(place, error, known)
            return None
