"""`syncd.toml`: what it means, and that everything wrong with it is told at once, at its place, without a secret."""

from __future__ import annotations

import base64
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from syncd.bootstrap import fingerprint
from syncd.core.guards import Limit
from syncd.core.model import FIELDS, CreateMode, Direction, Policy, Removal
from syncd.core.selection import Watch
from syncd.errors import SettingsError
from syncd.providers.adapter import Capabilities, Identity, Provider
from syncd.settings import Environment, Schedule, Settings, find, load, registry
from syncd.settings.places import dotted, locate
from syncd.settings.tables import (
    AlertsTable,
    GuardsTable,
    LogTable,
    MetricsTable,
    ProviderTable,
    ScheduleTable,
    SourceTable,
    StateTable,
)
from syncd.settings.values import Wrong, duration, limit, rate

SECRET = "Zz-Canary/s3cr3t+value"


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr
    tenant_id: str = "none"
    token_url: str = ""
    mode: Literal["cloud", "onprem"] = "cloud"
    languages: dict[str, int] = Field(default_factory=dict)

    @property
    def allow_http(self) -> bool:
        return self.mode == "onprem"

    @property
    def default_rate(self) -> float:
        return 9.0 if self.mode == "onprem" else 3.0

    @field_validator("tenant_id")
    @classmethod
    def _leaky(cls, value: str) -> str:
        if value == "leak":
            raise ValueError(f"a careless adapter repeats {SECRET}")
        return value


class _Careless(BaseModel):
    api_key: str


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _no_adapter(settings: Any, http: Any) -> Any:
    raise NotImplementedError


FACTS = Capabilities(
    "Id",
    Identity.FINDABLE,
    frozenset({"name", "email", "phone", "contact_person", "fax"}),
    composed=frozenset({"contact_person"}),
    lists=True,
    archive=True,
    rate=3.0,
    concurrency=2,
)
REGISTRY = {
    "careless": Provider("careless", _Careless, _no_adapter, FACTS, frozenset({"api_key"})),
    "shop": Provider("shop", _Options, _no_adapter, FACTS, frozenset({"api_key"})),
    "ledger": Provider(
        "ledger", _Plain, _no_adapter, Capabilities("gid", Identity.OUR_KEY, frozenset({"name", "email"}))
    ),
}
SOURCE = """[source]
url = "postgresql+psycopg://syncd@db.example/crm"
table = "crm.customers"
key = "id"
[source.fields]
name = "company"
email = "mail"
"""
SHOP = """[providers.shop]
url="https://s.example"
api_key="env:SHOP_KEY"
"""
LEDGER = """[providers.ledger]
url = "https://ledger.example"
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SYNCD_CONFIG", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHOP_KEY", SECRET)
    monkeypatch.chdir(tmp_path)


def _load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "syncd.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, registry=REGISTRY)


def _problems(tmp_path: Path, text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(SettingsError) as caught:
        _load(tmp_path, text)
    return [(problem.place, problem.reason, problem.remedy) for problem in caught.value.problems]


def _sole(tmp_path: Path, text: str) -> str:
    """The one problem of a file, as a person sees it."""
    problems = _problems(tmp_path, text)
    assert len(problems) == 1, problems
    return " ".join(part for part in problems[0] if part)


def test_a_small_file_gets_the_documented_defaults(tmp_path: Path) -> None:
    """Everything but source and one provider may be left out."""
    settings = _load(tmp_path, SOURCE + LEDGER)

    assert settings.lease == 90
    assert (settings.schedule.poll, settings.schedule.scan) == (5, 600)
    assert (settings.schedule.reread, settings.schedule.verify) == (6 * 3600, 24 * 3600)
    assert settings.guards.update == Limit(0.5, None, 86400)
    assert settings.guards.delete == Limit(0.02, None, 86400)
    assert settings.guards.blank == Limit(0.01, None, 86400)
    assert settings.guards.overwrite == Limit(0.05, None, 86400)
    assert settings.guards.create == Limit(0.2, None, 86400)
    assert (settings.log.level, settings.log.format, settings.log.file, settings.log.status_page) == (
        "info",
        "",
        "",
        "",
    )
    assert (settings.alerts.ping_url, settings.metrics.textfile) == ("", "")
    assert settings.state.url == "sqlite:////var/lib/syncd/state.db"
    assert (settings.state.key, settings.state.password, settings.source.password) == (None, None, None)
    assert (settings.source.change_log, settings.source.write, settings.source.watch) == ("triggers", True, ())
    assert settings.source.fields == {"name": "company", "email": "mail"}
    ledger = settings.providers[0]
    assert (ledger.name, ledger.adapter, ledger.url) == ("ledger", "ledger", "https://ledger.example")
    assert (ledger.direction, ledger.conflict) == (Direction.BOTH, Policy.SOURCE)
    assert (ledger.on_delete, ledger.create, ledger.inbound_create) == (Removal.KEEP, CreateMode.AFTER_MATCH, False)
    assert (ledger.rate, ledger.concurrency, ledger.max_attempts) == (2.0, 1, 12)
    assert (ledger.timeout, ledger.settle, ledger.backoff, ledger.fields) == (30, 180, 1, {})
    assert isinstance(ledger.options, _Plain)


def test_a_full_file_is_read_key_by_key(tmp_path: Path) -> None:
    """Every key reaches its place, in its unit, and providers keep the order of the file."""
    (tmp_path / "key").write_text("k" * 32 + "\n")
    (tmp_path / "key").chmod(0o600)
    settings = _load(
        tmp_path,
        f"""
lease = "2m"
[source]
url = "mysql+pymysql://syncd@db/crm"
password = "env:SHOP_KEY"
table = "v"
key = "id"
change_log = "updated_at"
updated_at = "touched"
write = false
watch = [{{ table = "a", key = "x" }}, {{ table = "b", key = "y" }}]
fields = {{ name = "n" }}
[state]
url = "postgresql+psycopg://me@db/state"
password = "env:SHOP_KEY"
key = "file:{tmp_path}/key"
[schedule]
poll = "200ms"
scan = "1.5m"
reread = "1h"
verify = "7d"
[guards]
update = "off"
delete = "7/12h"
[log]
level = "debug"
format = "console"
file = "/var/log/syncd.log"
status_page = "/var/www/syncd.html"
[alerts]
ping_url = "https://ping.example/abc?status=up"
[metrics]
textfile = "/var/lib/node/syncd.prom"
[providers.shop-at]
adapter = "shop"
url = "https://shop.example/"
api_key = "env:SHOP_KEY"
direction = "push"
conflict = "review"
on_delete = "archive"
create = "always"
rate = "off"
concurrency = 64
timeout = "5s"
settle = "10s"
backoff = "100ms"
max_attempts = 3
languages = {{ de = 1 }}
fields = {{ fax = "off", email = "pull" }}
[providers.ledger]
url = "http://127.0.0.1:8080"
rate = "30/m"
""",
    )

    source, (shop, ledger) = settings.source, settings.providers
    assert (source.password, source.updated_at, source.write) == (SECRET, "touched", False)
    assert source.watch == (Watch("a", "x"), Watch("b", "y"))
    assert (settings.state.password, settings.state.key) == (SECRET, b"k" * 32)
    assert (settings.lease, settings.schedule.poll, settings.schedule.scan) == (120, 0.2, 90)
    assert (settings.guards.update, settings.guards.delete) == (None, Limit(None, 7, 43200))
    assert (settings.log.level, settings.log.format) == ("debug", "console")
    assert settings.alerts.ping_url.startswith("https://ping.example")
    assert (shop.name, shop.adapter, shop.url) == ("shop-at", "shop", "https://shop.example")
    assert (shop.direction, shop.conflict, shop.on_delete) == (Direction.PUSH, Policy.REVIEW, Removal.ARCHIVE)
    assert (shop.create, shop.rate, shop.concurrency, shop.max_attempts) == (CreateMode.ALWAYS, None, 64, 3)
    assert (shop.timeout, shop.settle, shop.backoff) == (5, 10, 0.1)
    assert shop.fields == {"fax": Direction.OFF, "email": Direction.PULL}
    assert shop.options.api_key.get_secret_value() == SECRET
    assert (ledger.rate, ledger.concurrency) == (0.5, 1)
    assert settings.environment_secrets == ("providers.shop-at.api_key", "source.password", "state.password")


def test_facts_of_the_adapter_give_pace_and_threads(tmp_path: Path) -> None:
    """Without rate and concurrency the provider's own figures hold."""
    shop = _load(tmp_path, SOURCE + SHOP).providers[0]

    assert (shop.rate, shop.concurrency) == (3.0, 2)


def test_an_adapter_may_let_its_options_decide_the_pace(tmp_path: Path) -> None:
    """A server of one's own has no published limit; what a person wrote wins all the same."""
    text = SOURCE + SHOP + 'mode = "onprem"\n'

    assert _load(tmp_path, text).providers[0].rate == 9.0
    assert _load(tmp_path, text + 'rate = "1/s"\n').providers[0].rate == 1.0
    assert _load(tmp_path, text + 'rate = "off"\n').providers[0].rate is None


def test_all_problems_come_at_once_with_line_and_remedy(tmp_path: Path) -> None:
    """A person mends a file in one go: types, unknown keys, missing keys and rules between keys together."""
    text = """lease = "20s"
[source]
url = "postgresql://u:p/w@h/db"
table = "t"
kay = "id"
[source.fields]
nmae = "n"
email = 3
[[source.watch]]
table = "x"
[schedule]
pol = "5s"
scan = 10
[providers.shop]
url = "http://example.org"
tenent_id = "x"
on_delete = "delete"
api_key = "plain"
[providers.shop.fields]
emial = "off"
[providers.legder]
url = "https://l.example"
"""
    key = "syncd.toml:18 providers.shop.api_key"

    assert _problems(tmp_path, text) == [
        (
            "syncd.toml:1 lease",
            "lease is shorter than twice the timeout of shop and 10 s.",
            'Set lease = "70s" or longer, or a shorter timeout.',
        ),
        ("syncd.toml:2 source.key", "must be set.", "Name the primary key column."),
        (
            "syncd.toml:3 source.url",
            "must not hold a password.",
            'Take it out of the URL and write beside it: password = "credential:source-password" (or file:, env:).',
        ),
        ("syncd.toml:5 source.kay", "is not a key that syncd knows here.", "Did you mean key?"),
        ("syncd.toml:7 source.fields.nmae", "is not a canonical field.", "Did you mean name?"),
        ("syncd.toml:8 source.fields.email", "must be text in quotes.", ""),
        ("syncd.toml:9 source.watch[0].key", "is missing.", ""),
        ("syncd.toml:12 schedule.pol", "is not a key that syncd knows here.", "Did you mean poll?"),
        (
            "syncd.toml:13 schedule.scan",
            "is not a duration.",
            'Write a number and a unit: "200ms", "5s", "10m", "24h", "7d".',
        ),
        ("syncd.toml:16 providers.shop.tenent_id", "is not a key that syncd knows here.", "Did you mean tenant_id?"),
        (
            "syncd.toml:17 providers.shop.on_delete",
            "cannot be delete: shop has no such call.",
            "Possible here: keep, archive.",
        ),
        (
            key,
            "must not hold the secret itself.",
            'Write a reference instead: "credential:NAME", "file:/PATH" or "env:NAME".',
        ),
        ("syncd.toml:20 providers.shop.fields.emial", "is not a canonical field.", "Did you mean email?"),
        ("syncd.toml:21 providers.legder.adapter", "no such adapter is installed.", "Did you mean ledger?"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[source\nurl = 1\n", "syncd.toml:1:8 TOML: "),
        ('[source]\nurl = "x\n', "syncd.toml:2:9 TOML: "),
        ("a = 1\na = 2\n", "syncd.toml:2:6 TOML: Cannot overwrite a value."),
        ("a = ", "syncd.toml:1"),
        ('a = """x\ny', "syncd.toml:2"),
    ],
)
def test_broken_toml_says_line_and_column(tmp_path: Path, text: str, expected: str) -> None:
    """A file that is no TOML yields one problem, at the very place."""
    assert _sole(tmp_path, text).startswith(expected)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """An editor's old encoding is named as such."""
    path = tmp_path / "syncd.toml"
    path.write_bytes(b'[source]\nurl = "\xfc"\n')

    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load(path, registry=REGISTRY)


def test_windows_line_ends_and_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    """A file saved on Windows is the same file."""
    path = tmp_path / "syncd.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (SOURCE + LEDGER).replace("\n", "\r\n").encode())

    assert load(path, registry=REGISTRY).config_hash == _load(tmp_path, SOURCE + LEDGER).config_hash


RULES = [
    ("no provider", SOURCE, "syncd.toml providers: no provider is configured."),
    ("providers no table", "providers = 3\n" + SOURCE, "syncd.toml:1 providers must be a table."),
    ("provider no table", "[providers]\nledger = 3\n" + SOURCE, "providers.ledger must be a table."),
    (
        "name",
        SOURCE + '[providers."a b"]\nadapter="ledger"\nurl="https://l.example"\n',
        'providers."a b" is not a name.',
    ),
    ("no url", SOURCE + "[providers.ledger]\n", "syncd.toml:8 providers.ledger.url must be set."),
    ("section no table", "state = 3\n" + SOURCE + LEDGER, "syncd.toml:1 state must be a table."),
    (
        "unknown section",
        SOURCE + LEDGER + "[guard]\n",
        "syncd.toml:10 guard is not a key that syncd knows here. Did you mean guards?",
    ),
    (
        "enum",
        SOURCE + LEDGER + 'conflict = "soruce"\n',
        "conflict must be one of source, provider, review. Did you mean source?",
    ),
    ("provider off", SOURCE + LEDGER + 'direction = "off"\n', "direction must be one of both, push, pull."),
    ("no bool", SOURCE + LEDGER + "inbound_create = 1\n", "inbound_create must be true or false."),
    ("threads", SOURCE + LEDGER + "concurrency = 65\n", "concurrency must be at most 64."),
    ("no thread", SOURCE + LEDGER + "concurrency = 0\n", "concurrency must be at least 1."),
    ("attempts", SOURCE + LEDGER + 'max_attempts = "3"\n', "max_attempts must be a whole number."),
    (
        "rate",
        SOURCE + LEDGER + 'rate = "2"\n',
        'rate is not a rate. Write requests per unit: "2/s", "100/m", or "off".',
    ),
    ("removal", SOURCE + LEDGER + 'on_delete = "archive"\n', "on_delete cannot be archive: ledger has no such call."),
    ("http", SOURCE + '[providers.ledger]\nurl = "http://l.example"\n', "url must begin with https."),
    ("user", SOURCE + '[providers.ledger]\nurl = "https://me@l.example"\n', "url must not hold a user or password."),
    ("query", SOURCE + '[providers.ledger]\nurl = "https://l.example?key=1"\n', "url must not hold ? or #."),
    ("no web url", SOURCE + '[providers.ledger]\nurl = "l.example"\n', "url is not a URL."),
    ("port", SOURCE + '[providers.ledger]\nurl = "https://l.example:port"\n', "url is not a URL."),
    (
        "lease",
        'lease = "69s"\n' + SOURCE + LEDGER,
        "syncd.toml:1 lease lease is shorter than twice the timeout of ledger",
    ),
    ("timeout", SOURCE + LEDGER + 'timeout = "41s"\n', "syncd.toml:10 providers.ledger.timeout lease is shorter"),
    (
        "field",
        SOURCE + LEDGER + '[providers.ledger.fields]\nphone = "push"\n',
        "fields.phone cannot be kept by ledger.",
    ),
    ("field way", SOURCE + LEDGER + 'fields = { name = "up" }\n', "fields.name must be one of both, push, pull, off."),
    (
        "composed",
        SOURCE + SHOP + 'fields = { contact_person = "pull" }\n',
        "fields.contact_person can only be pushed here",
    ),
    ("inbound, listing", SOURCE + LEDGER + "inbound_create = true\n", "inbound_create needs a listing"),
    (
        "snapshot writes",
        SOURCE.replace('key = "id"', 'key = "id"\nchange_log = "snapshot"\nwrite = true') + LEDGER,
        "syncd.toml:6 source.write cannot be true with change_log = snapshot. Set write = false.",
    ),
    (
        "snapshot elsewhere",
        SOURCE.replace('key = "id"', 'key = "id"\nchange_log = "snapshot"').replace(
            "postgresql+psycopg", "mysql+pymysql"
        )
        + LEDGER,
        "source.change_log can be snapshot on PostgreSQL only.",
    ),
    (
        "timestamp column",
        SOURCE.replace('key = "id"', 'key = "id"\nchange_log = "updated_at"') + LEDGER,
        "source.updated_at must be set with change_log = updated_at.",
    ),
    (
        "needless column",
        SOURCE.replace('key = "id"', 'key = "id"\nupdated_at = "touched"') + LEDGER,
        "source.updated_at has a meaning with change_log = updated_at only.",
    ),
    ("no field", SOURCE.split("[source.fields]", maxsplit=1)[0] + LEDGER, "source.fields must be set."),
    ("no database url", SOURCE.replace("postgresql+psycopg://", "") + LEDGER, "source.url is not a database URL."),
    (
        "database",
        SOURCE.replace("postgresql+psycopg", "oracle") + LEDGER,
        "source.url must be of one of these databases",
    ),
    ("parameter", SOURCE.replace("/crm", "/crm?password=x") + LEDGER, "source.url must not hold a password."),
    ("encoded", SOURCE.replace("/crm", "/crm?%70assword=x") + LEDGER, "source.url must not hold a password."),
    ("old word", SOURCE.replace("/crm", "/crm?passwd=x") + LEDGER, "source.url must not hold a password."),
    ("password file", SOURCE.replace("/crm", "/crm?passfile=/x") + LEDGER, "source.url must not hold a password."),
    ("odd option", SOURCE.replace("/crm", "/crm?colour=red") + LEDGER, "source.url has an option behind the ?"),
    ("odd value", SOURCE.replace("/crm", "/crm?connect_timeout=soon") + LEDGER, "has a value for connect_timeout"),
    (
        "TLS in the URL",
        SOURCE.replace("/crm", "/crm?sslmode=disable") + LEDGER,
        "must not say how TLS is used.",
    ),
    ("port", SOURCE.replace("db.example", "db.example:70000") + LEDGER, "source.url names no server."),
    ("port word", SOURCE.replace("db.example", "db.example:port") + LEDGER, "source.url names no server."),
    (
        "TLS word",
        SOURCE + '[source.tls]\nmode = "verfy"\n' + LEDGER,
        "source.tls.mode must be one of verify",
    ),
    ("TLS key", SOURCE + '[source.tls]\nac = "/x"\n' + LEDGER, "source.tls.ac is not a key that syncd knows here."),
    ("no authority", SOURCE + '[source.tls]\nca = "/none.pem"\n' + LEDGER, "source.tls.ca cannot be used as a file"),
    (
        "vain authority",
        SOURCE + '[source.tls]\nmode = "off"\nca = "/x"\n' + LEDGER,
        "source.tls.ca has no meaning with",
    ),
    (
        "no wire",
        SOURCE + '[state]\nurl = "sqlite:////s.db"\n[state.tls]\nmode = "verify"\n' + LEDGER,
        "state.tls has no",
    ),
    (
        "parameter",
        SOURCE.replace("/crm", "/crm?application_name=b&sslpassword=x") + LEDGER,
        "source.url must not hold a password.",
    ),
    (
        "state database",
        SOURCE + '[state]\nurl = "mysql://h/d"\n' + LEDGER,
        "state.url must be of one of these databases",
    ),
    ("state in memory", SOURCE + '[state]\nurl = "sqlite://"\n' + LEDGER, "state.url must name a file."),
    ("ping", SOURCE + LEDGER + '[alerts]\nping_url = "ftp://x"\n', "alerts.ping_url is not a URL."),
    ("guard", SOURCE + LEDGER + '[guards]\ndelete = "2"\n', "guards.delete is not a guard."),
    (
        "share",
        SOURCE + LEDGER + '[guards]\ndelete = "101%/1h"\n',
        "guards.delete must be more than 0% and at most 100%.",
    ),
    ("level", SOURCE + LEDGER + '[log]\nlevel = "warn"\n', "log.level must be one of debug, info, warning, error."),
    (
        "adapter's own word",
        SOURCE + SHOP + 'mode="clowd"\n',
        "providers.shop.mode must be 'cloud' or 'onprem'.",
    ),
    (
        "adapter's own key",
        SOURCE + '[providers.shop]\nurl="https://s.example"\n',
        "syncd.toml:8 providers.shop.api_key is missing.",
    ),
    (
        "token endpoint",
        SOURCE + SHOP + 'token_url="http://s.example/t"\n',
        "providers.shop.token_url must begin with https.",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_each_rule_is_told_once_and_alone(tmp_path: Path, text: str, expected: str) -> None:
    """One mistake is one problem, with its key in front."""
    assert expected.replace("providers: no", "providers no") in _sole(tmp_path, text)


def test_inbound_creation_needs_triggers_write_and_a_way_in(tmp_path: Path) -> None:
    """Each missing condition is named."""
    source = SOURCE.replace('key = "id"', 'key = "id"\nchange_log = "snapshot"\nwrite = false')
    shop = SHOP + 'inbound_create=true\ndirection="push"\n'

    assert [reason for _, reason, _ in _problems(tmp_path, source + shop)] == [
        "needs change_log = triggers: they tell our own insert from others.",
        "needs [source] write = true.",
        "needs direction = both or pull.",
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_plain_http_is_for_this_machine(tmp_path: Path, host: str) -> None:
    """Sandboxes on loopback need no certificate."""
    text = SOURCE + f'[providers.ledger]\nurl = "http://{host}:8080/ledger"\n'

    assert _load(tmp_path, text).providers[0].url == f"http://{host}:8080/ledger"


def test_plain_http_where_the_adapter_says_so(tmp_path: Path) -> None:
    """An on-premise server in the own network may speak http, when its options allow it."""
    text = SOURCE + '[providers.shop]\nurl="http://erp:5883/api"\nmode="onprem"\napi_key="env:SHOP_KEY"\n'

    assert _load(tmp_path, text).providers[0].url == "http://erp:5883/api"
    assert "must begin with https" in _sole(tmp_path, text.replace("onprem", "cloud"))


def test_a_direction_may_name_a_field_that_is_not_mapped(tmp_path: Path) -> None:
    """`off` is harmless for every canonical field, whether provider and source know it or not."""
    text = SOURCE + LEDGER + 'fields = { fax = "off" }\n'

    assert _load(tmp_path, text).providers[0].fields == {"fax": Direction.OFF}


def test_state_and_source_never_share_a_file(tmp_path: Path) -> None:
    """Neither by name, nor by another spelling of it, nor through a link."""
    (tmp_path / "shop.db").touch()
    os.link(tmp_path / "shop.db", tmp_path / "hard.db")
    (tmp_path / "soft.db").symlink_to("shop.db")
    source = SOURCE.replace("postgresql+psycopg://syncd@db.example/crm", f"sqlite:///{tmp_path}/shop.db")
    for spelling in (f"{tmp_path}/shop.db", f"{tmp_path}/../{tmp_path.name}/shop.db", "shop.db", "hard.db", "soft.db"):
        text = source + f'[state]\nurl = "sqlite:///{spelling}"\n' + LEDGER

        assert "state.url is the source's own file." in _sole(tmp_path, text)
    assert _load(tmp_path, source + f'[state]\nurl = "sqlite:///{tmp_path}/state.db"\n' + LEDGER)


def test_a_read_only_method_switches_writing_off(tmp_path: Path) -> None:
    """Snapshot needs no `write = false` to be written out."""
    settings = _load(tmp_path, SOURCE.replace('key = "id"', 'key = "id"\nchange_log = "snapshot"') + LEDGER)

    assert settings.source.write is False


# ---- hashes


def test_config_hash_follows_mapping_directions_and_policies_only(tmp_path: Path) -> None:
    """A new mapping is noticed, a new schedule is none."""
    first = _load(tmp_path, SOURCE + LEDGER)

    assert _load(tmp_path, SOURCE + LEDGER + '[schedule]\npoll = "1s"\n').config_hash == first.config_hash
    for changed in (
        (SOURCE + LEDGER).replace("company", "firm"),
        SOURCE + LEDGER + 'conflict = "review"\n',
        SOURCE + LEDGER + 'direction = "push"\n',
        SOURCE + LEDGER + 'fields = { email = "push" }\n',
    ):
        assert _load(tmp_path, changed).config_hash != first.config_hash
        assert _load(tmp_path, changed).providers[0].config_hash != first.providers[0].config_hash


@pytest.mark.parametrize("line", ['create = "never"\n', 'on_delete = "archive"\n'])
def test_other_rules_for_new_and_removed_customers_make_everybody_due(tmp_path: Path, line: str) -> None:
    """Who was left out under `create = "never"` is looked at again once the setting changes, and not a day later."""
    before, after = (_load(tmp_path, text).providers[0].config_hash for text in (SOURCE + SHOP, SOURCE + SHOP + line))

    assert before != after


def test_field_hashes_change_with_their_own_column_only(tmp_path: Path) -> None:
    """Only the remapped field loses its base."""
    before = _load(tmp_path, SOURCE + LEDGER).providers[0].field_hashes
    after = _load(tmp_path, SOURCE.replace("company", "firm") + LEDGER).providers[0].field_hashes

    assert before.keys() == {"name", "email"}
    assert before["email"] == after["email"]
    assert before["name"] != after["name"]


def test_a_rotated_secret_changes_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new password is no new mapping; a new option of the adapter may change verdicts."""
    text = SOURCE + SHOP
    first = _load(tmp_path, text)
    monkeypatch.setenv("SHOP_KEY", "another-secret")

    assert _load(tmp_path, text).providers[0].config_hash == first.providers[0].config_hash
    assert _load(tmp_path, text + 'tenant_id="b"\n').providers[0].config_hash != first.providers[0].config_hash


def test_an_adapter_that_keeps_a_secret_as_text_gives_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is secret says the registration, not the type in a third party's model."""
    text = SOURCE + SHOP.replace("[providers.shop]", "[providers.careless]")
    first = _load(tmp_path, text)
    monkeypatch.setenv("SHOP_KEY", "another-secret")

    assert _load(tmp_path, text).providers[0].config_hash == first.providers[0].config_hash
    assert SECRET not in repr(first)


# ---- notations


@pytest.mark.parametrize(
    ("text", "seconds"), [("200ms", 0.2), ("5s", 5), ("1.5s", 1.5), ("10m", 600), ("24h", 86400), ("7d", 604800)]
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    """A number and a unit."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "value", ["", "5", "s", "0s", "-1s", "1 s", "1S", "1w", "1e3s", "99999d", "٣s", "1s\n", 5, None]
)
def test_other_durations_are_refused(value: object) -> None:
    """Nothing is guessed: no bare number, no sign, no zero."""
    with pytest.raises(Wrong):
        duration(value)


@pytest.mark.parametrize(("text", "a_second"), [("2/s", 2), ("0.5/s", 0.5), ("120/m", 2), ("3600/h", 1), ("off", None)])
def test_rates_are_requests_a_second(text: str, a_second: float | None) -> None:
    """`off` is no pace at all."""
    assert rate(text) == a_second


@pytest.mark.parametrize("value", ["2", "2/d", "/s", "0/s", "-2/s", 2, "Off", ""])
def test_other_rates_are_refused(value: object) -> None:
    """A rate of nothing is a pause, and has a command of its own."""
    with pytest.raises(Wrong):
        rate(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50%/24h", Limit(0.5, None, 86400)),
        ("0.5%/1h", Limit(0.005, None, 3600)),
        ("200/24h", Limit(None, 200, 86400)),
        ("off", None),
    ],
)
def test_guards_are_a_share_or_a_count(text: str, expected: Limit | None) -> None:
    """Exactly one of the two is set."""
    assert limit(text) == expected


@pytest.mark.parametrize("value", ["", "5%", "5/", "0%/1h", "101%/1h", "0/1h", "1.5/1h", "5%/0s", "5%/1w", "5%/61d", 5])
def test_other_guards_are_refused(value: object) -> None:
    """A guard without window, one that lets nothing pass, or one that looks back further than is counted, is wrong."""
    with pytest.raises(Wrong):
        limit(value)


# ---- lines


def test_lines_are_found_in_every_way_to_write_a_key() -> None:
    """Quoted and dotted keys, inline tables, arrays of tables, strings over several lines with anything inside."""
    text = '''# [comment]
a = """
b = 1
[x]"""
"quo.ted" . 'lit' = 1
c = [ # ]
  { d = "]" },
  { d = \'}\', e = [1, 2] },
]
[t . "u v"]  # = [
f.g = 1979-05-27 07:32:00 # date
[[w]]
k = \'\'\'
\'\'\'\'\'
[w.sub]
k = 2
[[w]]
k = "\\\\"
j = """x\\""""""
'''
    places = {dotted(place): line for place, line in locate(text).items()}

    assert tomllib.loads(text)
    assert places == {
        "a": 2,
        '"quo.ted"': 5,
        '"quo.ted".lit': 5,
        "c": 6,
        "c[0]": 7,
        "c[0].d": 7,
        "c[1]": 8,
        "c[1].d": 8,
        "c[1].e": 8,
        "c[1].e[0]": 8,
        "c[1].e[1]": 8,
        "t": 10,
        't."u v"': 10,
        't."u v".f': 11,
        't."u v".f.g': 11,
        "w": 12,
        "w[0]": 12,
        "w[0].k": 13,
        "w[0].sub": 15,
        "w[0].sub.k": 16,
        "w[1]": 17,
        "w[1].k": 18,
        "w[1].j": 19,
    }


_TEXTS = st.text(st.sampled_from("a[]{}=#,.'\n\"\\ "), max_size=8)


@given(values=st.dictionaries(_TEXTS, _TEXTS | st.lists(_TEXTS, max_size=3), max_size=5))
def test_no_text_leads_the_line_finder_astray(values: dict[str, Any]) -> None:
    """Whatever keys and values hold, every key is found on its line, and nothing else is."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    lines = []
    for key, value in values.items():
        right = quoted(value) if isinstance(value, str) else "[" + ", ".join(map(quoted, value)) + "]"
        lines.append(f"{quoted(key)} = {right} # = [")
    text = "\n".join(lines)

    assert tomllib.loads(text) == values
    assert {place[0]: line for place, line in locate(text).items() if len(place) == 1} == {
        key: number for number, key in enumerate(values, start=1)
    }


# ---- secrets


def _with_password(reference: str) -> str:
    return SOURCE.replace('key = "id"', f'key = "id"\npassword = "{reference}"') + LEDGER


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o700)
    path = directory / "password"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read_without_its_last_newline(tmp_path: Path, secret_file: Path, mode: int) -> None:
    """Owner only, and one newline that every editor adds is not part of the secret."""
    secret_file.chmod(mode)

    assert _load(tmp_path, _with_password(f"file:{secret_file}")).source.password == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o440, 0o604, 0o620, 0o700, 0o666])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, secret_file: Path, mode: int) -> None:
    """Any bit for group or others, or an executable, is too wide."""
    secret_file.chmod(mode)

    assert f"Run: chmod 0600 {secret_file}" in _sole(tmp_path, _with_password(f"file:{secret_file}"))


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777])
def test_a_directory_that_others_may_write_is_refused(tmp_path: Path, secret_file: Path, mode: int) -> None:
    """Whoever may rename files there chooses our secret."""
    secret_file.parent.chmod(mode)

    assert f"Run: chmod go-w {secret_file.parent}" in _sole(tmp_path, _with_password(f"file:{secret_file}"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_every_directory_above_a_secret_counts(tmp_path: Path) -> None:
    """Who may rename a directory on the way may put another secret in its place."""
    above = tmp_path / "above"
    below = above / "below"
    below.mkdir(parents=True)
    file = below / "password"
    file.write_text(SECRET)
    file.chmod(0o600)
    fine = _load(tmp_path, _with_password(f"file:{file}")).source.password
    above.chmod(0o777)

    assert fine == SECRET
    assert f"Run: chmod go-w {above}" in _sole(tmp_path, _with_password(f"file:{file}"))


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, secret_file: Path) -> None:
    """Its owner could widen it at any time."""
    os.chown(secret_file, 65534, 65534)

    assert "belongs to somebody else" in _sole(tmp_path, _with_password(f"file:{secret_file}"))


def test_a_link_a_pipe_and_a_directory_are_no_secret_files(tmp_path: Path, secret_file: Path) -> None:
    """Only a regular file, named directly; a pipe without writer does not hang."""
    link, pipe = secret_file.parent / "link", secret_file.parent / "pipe"
    link.symlink_to(secret_file)
    os.mkfifo(pipe, 0o600)

    assert f"{link} is a symbolic link." in _sole(tmp_path, _with_password(f"file:{link}"))
    assert f"{pipe} is not a regular file." in _sole(tmp_path, _with_password(f"file:{pipe}"))
    assert "is not a regular file." in _sole(tmp_path, _with_password(f"file:{secret_file.parent}"))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("file:relative", "names a file without its full path."),
        ("file:/no/such/place", "cannot be read (FileNotFoundError)."),
        ("env:NOT_SET_ANYWHERE", "the environment variable NOT_SET_ANYWHERE is not set."),
        ("env:not a name", "does not name an environment variable."),
        ("credential:x", "there is no credentials directory to take x from."),
        ("credential:../x", "does not name a credential."),
        ("credential:", "does not name a credential."),
        ("vault:x", "must not hold the secret itself."),
        ("", "must not hold the secret itself."),
    ],
)
def test_a_reference_that_leads_nowhere_says_why(tmp_path: Path, reference: str, expected: str) -> None:
    """Each kind of reference has its own way out."""
    assert expected in _sole(tmp_path, _with_password(reference))


def test_a_credential_is_read_whatever_mode_systemd_gave_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd grants access by ACL, which shows as group bits."""
    (tmp_path / "db").write_text(SECRET)
    (tmp_path / "db").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert _load(tmp_path, _with_password("credential:db")).source.password == SECRET
    assert "does not exist" in _sole(tmp_path, _with_password("credential:other"))


@pytest.mark.parametrize("content", ["", "\n", "a\nb", "pässword", "two\n\n", " blank", "tab\there", "\x00"])
def test_a_secret_is_printable_ascii(tmp_path: Path, secret_file: Path, content: str) -> None:
    """Line breaks and umlauts would surface later, in the error message of a driver."""
    secret_file.write_text(content)

    assert "the secret" in _sole(tmp_path, _with_password(f"file:{secret_file}"))


def test_a_short_state_key_is_refused(tmp_path: Path) -> None:
    """Digests are only as private as their key is long."""
    text = SOURCE + '[state]\nkey = "env:SHOP_KEY"\n' + LEDGER

    assert "must be at least 32 characters long." in _sole(tmp_path, text)


def test_a_secret_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A table or a number in the place of a reference is not shown either."""
    assert "must not hold the secret itself" in _sole(tmp_path, SOURCE + "[state]\nkey = 12345678\n" + LEDGER)


def test_no_secret_is_ever_shown(tmp_path: Path, secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither settings as text, nor any problem, nor an exception holds a secret in any spelling."""
    monkeypatch.setenv("LONG_KEY", SECRET * 2)
    good = (
        SOURCE.replace('key = "id"', f'key = "id"\npassword = "file:{secret_file}"')
        + '[state]\nkey = "env:LONG_KEY"\npassword = "env:SHOP_KEY"\n'
        + SHOP
    )
    settings = _load(tmp_path, good)
    shown = [repr(settings), str(settings), repr(settings.providers[0].options), f"{settings.source}"]
    wrong = [
        good.replace("env:SHOP_KEY", SECRET),
        good.replace("syncd@", f"syncd:{SECRET}@"),
        good.replace("https://s.example", f"https://me:{SECRET}@s.example"),
        good.replace("https://s.example", f"http://{SECRET}"),
        good + f'conflict = "{SECRET}"\nrate = "{SECRET}"\ntimeout = "{SECRET}"\nconcurrency = "{SECRET}"\n',
        good + f'mode = "{SECRET}"\nlanguages = {{ de = "{SECRET}" }}\n',
        good + 'tenant_id = "leak"\n',
        good + f'tenant_id = "{SECRET}\n',
        good + f'[guards]\nupdate = "{SECRET}"\n[log]\nlevel = "{SECRET}"\nfile = 3\n[schedule]\npoll = "{SECRET}"\n',
        good.replace("env:LONG_KEY", SECRET),
        good.replace("env:LONG_KEY", f"env:{SECRET}"),
    ]
    for text in wrong:
        with pytest.raises(SettingsError) as caught:
            _load(tmp_path, text)
        assert caught.value.__cause__ is None
        shown += [str(caught.value), repr(caught.value), repr(caught.value.problems)]
    forms = {SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode(), repr(SECRET)[1:-1]}

    assert settings.source.password == SECRET
    assert [(form, text) for form in forms for text in shown if form in text] == []


# ---- finding the file


def test_the_file_is_looked_for_in_a_fixed_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--config, $SYNCD_CONFIG, ./syncd.toml: the first that is named or there."""
    here, named, configured = tmp_path / "syncd.toml", tmp_path / "named.toml", tmp_path / "env.toml"
    for path in (here, named, configured):
        path.touch()

    assert find(None).resolve() == here
    monkeypatch.setenv("SYNCD_CONFIG", str(configured))
    assert find(None) == configured
    assert find(named) == named


def test_a_named_file_that_is_missing_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake in --config must not start syncd with other settings."""
    (tmp_path / "syncd.toml").touch()

    with pytest.raises(SettingsError, match=re.escape("there is no settings file")):
        find(tmp_path / "missing.toml")
    monkeypatch.setenv("SYNCD_CONFIG", str(tmp_path))
    with pytest.raises(SettingsError, match=re.escape("there is no settings file")):
        find(None)


def test_an_adapter_that_cannot_be_imported_is_a_problem_of_its_user_only(tmp_path: Path) -> None:
    """A broken third-party adapter is named, and hurts nobody who does not use it."""
    from importlib.metadata import EntryPoint

    broken: Any = {**REGISTRY, "odd": EntryPoint("odd", "no_such_module_anywhere:PROVIDER", "syncd.providers")}
    path = tmp_path / "syncd.toml"
    path.write_text(SOURCE + LEDGER)

    assert load(path, registry=broken).providers[0].name == "ledger"
    path.write_text(SOURCE + '[providers.odd]\nurl = "https://o.example"\n')
    with pytest.raises(SettingsError, match=r"cannot be loaded \(ModuleNotFoundError\)"):
        load(path, registry=broken)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("from syncd.providers.adapter import Capabilities\nPROVIDER = Capabilities(colour='red')", "(TypeError)"),
        ("from syncd.providers.adapter import NoLongerHere\nPROVIDER = 1", "(ImportError)"),
        ("PROVIDER = undefined", "(NameError)"),
        ("PROVIDER = (", "(SyntaxError)"),
        ("", "(AttributeError)"),
        ("PROVIDER = object()", "odd_adapter:PROVIDER is no syncd.providers.adapter.Provider"),
    ],
)
def test_an_adapter_of_another_version_is_a_problem_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, said: str
) -> None:
    """Whatever is wrong with a third-party adapter, its table is named and the other problems are reported as well."""
    from importlib.metadata import EntryPoint

    (tmp_path / "odd_adapter.py").write_text(written)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_adapter", raising=False)
    path = tmp_path / "syncd.toml"
    path.write_text(SOURCE + '[providers.odd]\nurl = "https://o.example"\n[providers.nobody]\n')
    with pytest.raises(SettingsError) as caught:
        load(path, registry={"odd": EntryPoint("odd", "odd_adapter:PROVIDER", "syncd.providers")})  # type: ignore[dict-item]
    assert said in str(caught.value)
    assert "providers.nobody" in str(caught.value)


def test_whatever_names_the_account_ends_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other credentials, another address or another option of the adapter are worth a new try; another pace is not."""

    def digest(more: str = "", url: str = "https://s.example") -> str:
        shop = f'[providers.shop]\nurl = "{url}"\napi_key = "env:SHOP_KEY"\n{more}'
        return fingerprint(_load(tmp_path, SOURCE + shop).providers[0], b"k" * 32)

    first = digest()
    assert digest('rate = "1/s"') == first
    assert digest("concurrency = 3") == first
    others = {digest('tenant_id = "another"'), digest("languages = { de = 2 }"), digest(url="https://t.example")}
    monkeypatch.setenv("SHOP_KEY", SECRET + "2")
    others.add(digest())
    assert len(others | {first}) == 5


def test_the_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the package reads nothing."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")

    assert Environment().journal_stream == "8:1234"
    assert Environment().notify_socket == os.environ.get("NOTIFY_SOCKET", "")


# ---- the sample

SAMPLE = Path(__file__).parents[2] / "deploy" / "syncd.toml"


@pytest.fixture
def _credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"\"credential:([a-z-]+)\"", SAMPLE.read_text()):
        (tmp_path / name).write_text("0123456789abcdef" * 4)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))


@pytest.mark.usefixtures("_credentials")
def test_the_sample_is_free_of_problems() -> None:
    """Whoever starts from it starts from something that works; its values are the defaults where there are any."""
    settings = load(SAMPLE)
    guards, common = GuardsTable(), ProviderTable()

    assert [provider.name for provider in settings.providers] == [
        "billbee",
        "aiotic",
        "invisible_collector",
        "azotte",
        "jtl",
    ]
    assert set(settings.source.fields) == set(FIELDS)
    assert [getattr(settings.guards, key) for key in GuardsTable.model_fields] == [
        getattr(guards, key) for key in GuardsTable.model_fields
    ]
    assert settings.schedule == Schedule(**ScheduleTable().model_dump())
    for key in ("timeout", "settle", "backoff", "max_attempts", "direction", "conflict", "on_delete", "create"):
        assert getattr(settings.providers[0], key) == getattr(common, key)


def test_the_sample_names_every_key() -> None:
    """Also those that only one adapter knows; nothing has to be looked up in the code."""
    sections = dict(re.findall(r"(?ms)^\[([a-z_.]+)\]\n(.*?)(?=^\[[a-z_.]+\]|\Z)", SAMPLE.read_text()))
    tables: dict[str, Any] = {
        "source": SourceTable,
        "state": StateTable,
        "guards": GuardsTable,
        "schedule": ScheduleTable,
        "log": LogTable,
        "alerts": AlertsTable,
        "metrics": MetricsTable,
        "providers.billbee": ProviderTable,
    }
    wanted = [(name, key) for name, table in tables.items() for key in table.model_fields if key != "fields"]
    ours = {name: adapter for name, adapter in registry().items() if adapter.build.__module__.startswith("syncd.")}
    wanted += [(f"providers.{name}", key) for name, adapter in ours.items() for key in adapter.options.model_fields]
    missing = [
        f"{name}.{key}"
        for name, key in wanted
        if not re.search(rf"(?m)^(# )?{key} = |^# \[?\[{name}\.{key}[.\]]", sections[name])
    ]

    assert missing == []
    assert {"source.fields", "providers.billbee.fields"} <= sections.keys()
