"""What is in `deploy/` works: units as systemd judges them, grants as the servers enforce them, the sample settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from syncd.engine.run import Options, run_cycle
from syncd.errors import SettingsError
from syncd.sandbox.five import provider_settings, serve_five, write_secrets
from syncd.sandbox.kit import Server
from syncd.settings import load
from syncd.settings.secret import resolve
from tests.databases import database
from tests.system.landscape import typed

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SERVICES = sorted(path.name for path in DEPLOY.glob("*.service"))
WORST = 11  # tenths: an exposure of 1.1


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with this checkout's program in place of the installed one: systemd looks whether it can be run."""
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")
    for path in [*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")]:
        text = path.read_text(encoding="utf-8").replace("/opt/syncd/bin/syncd", "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    return tmp_path


def said(*words: str) -> tuple[int, str]:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_systemd_has_nothing_to_say_about_the_units(units: Path) -> None:
    """`systemd-analyze verify` is silent: no key misspelt, none that Debian 12's systemd does not know."""
    names = sorted(str(path) for path in units.iterdir())

    assert said("systemd-analyze", "verify", "--man=no", *names) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_locked_up(units: Path, name: str) -> None:
    """The exposure that `systemd-analyze security` finds is at most 1.1, with every provider reachable."""
    code, report = said("systemd-analyze", "security", "--offline=true", f"--threshold={WORST}", str(units / name))
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", report)

    assert exposure is not None, report
    assert (code, float(exposure.group(1)) <= WORST / 10) == (0, True), report


def network_less(units: Path) -> list[Path]:
    """The daemon's unit under the drop-in that takes its network, and the units of one host's relay."""
    dropped = (DEPLOY / "network-less" / "syncd.service.conf").read_text(encoding="utf-8").partition("[Service]\n")[2]
    unit = units / "syncd.service"
    unit.write_text(
        unit.read_text(encoding="utf-8").replace("\n[Install]", f"\n{dropped}\n[Install]"), encoding="utf-8"
    )
    relay = [units / f"syncd-out@api.billbee.io.{kind}" for kind in ("socket", "service")]
    for path in relay:
        template = DEPLOY / "network-less" / path.name.replace("api.billbee.io", "")
        path.write_text(template.read_text(encoding="utf-8").replace("%i", "api.billbee.io"), encoding="utf-8")
    return [unit, *relay]


def test_a_daemon_without_a_network_is_locked_up_further(units: Path) -> None:
    """0.2 for the daemon, which reaches no network, and 1.1 for a relay, which does nothing else; both are sound."""
    daemon, socket, relay = network_less(units)

    assert said("systemd-analyze", "verify", "--man=no", str(daemon), str(socket), str(relay)) == (0, "")
    for unit, most in ((daemon, 2), (relay, WORST)):
        code, report = said("systemd-analyze", "security", "--offline=true", f"--threshold={most}", str(unit))
        exposure = re.search(r"exposure level for \S+: ([\d.]+)", report)
        assert exposure is not None, report
        assert (code, float(exposure.group(1)) <= most / 10) == (0, True), report


def test_no_service_leaves_a_core(units: Path) -> None:
    """What is in a process's memory is never written to a file by the kernel."""
    for path in [*DEPLOY.glob("*.service"), *DEPLOY.glob("network-less/*.service")]:
        assert "LimitCORE=0" in path.read_text(encoding="utf-8").splitlines(), path.name


def test_the_daemon_unit_is_what_the_daemon_expects() -> None:
    """Notify, watchdog, reload, a stop that is longer than the drain, and no restart where a person must act."""
    unit = (DEPLOY / "syncd.service").read_text(encoding="utf-8")

    for line in (
        "Type=notify", "WatchdogSec=60", "TimeoutStopSec=45", "Restart=on-failure", "RestartPreventExitStatus=2 6 8",
        "DynamicUser=yes", "StateDirectory=syncd", "LogRateLimitIntervalSec=0", "LimitCORE=0",
        "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'",
    ):  # fmt: skip
        assert line in unit.splitlines()
    assert "Type=notify-reload" not in unit.splitlines()


@pytest.mark.parametrize("name", ["syncd", "syncd-status"])
def test_a_fixed_user_is_understood(name: str) -> None:
    """systemd-sysusers reads the file."""
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers is not installed")

    code, told = said("systemd-sysusers", "--dry-run", str(DEPLOY / f"{name}.sysusers"))

    assert (code, f"'{name}'" in told) == (0, True), told


def test_a_web_server_can_read_the_page() -> None:
    """The page's directory is open and not behind /var/lib/private, where systemd puts what a dynamic user owns."""
    unit = (DEPLOY / "syncd-status.service").read_text(encoding="utf-8").splitlines()
    users = (DEPLOY / "syncd-status.sysusers").read_text(encoding="utf-8")

    assert {"User=syncd-status", "StateDirectory=syncd-status", "StateDirectoryMode=0755", "UMask=0022"} <= set(unit)
    assert "DynamicUser=yes" not in unit
    assert "u syncd-status " in users


def test_the_sample_settings_lack_nothing_but_secrets() -> None:
    """Every key of the annotated file is known and well formed; only the secrets are not there."""
    with pytest.raises(SettingsError) as refused:
        load(DEPLOY / "syncd.toml")

    strange = [str(problem) for problem in refused.value.problems if "credentials directory" not in problem.reason]
    assert strange == []


# -- grants --------------------------------------------------------------------------------------------------------

TABLE = """CREATE TABLE customers (id {auto}, number varchar(20), company varchar(80), email varchar(80),
  phone varchar(40), secret_note varchar(40))"""
AUTO = {
    "postgresql": "integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    "mysql": "integer AUTO_INCREMENT PRIMARY KEY",
}
PASSWORD = "only-for-this-test"


@dataclass(frozen=True)
class Granted:
    """A database, the administrator's way in, and the account that has exactly the shipped grants."""

    admin: sa.Engine
    account: URL
    dialect: str

    def run(self, *statements: str) -> None:
        with self.admin.begin() as conn:
            for statement in statements:
                conn.exec_driver_sql(statement)

    def refused(self, statement: str) -> bool:
        """Whether the account may not do this."""
        engine = sa.create_engine(self.account)
        try:
            with engine.begin() as conn:
                conn.exec_driver_sql(statement)
        except sa.exc.DBAPIError:
            return True
        finally:
            engine.dispose()
        return False


@contextmanager
def granted(dialect: str, directory: Path, install: Callable[[URL], None]) -> Iterator[Granted]:
    """A database with customers and triggers; the file's grants were carried out for a new account."""
    account = f"syncd_test_{uuid4().hex[:8]}"
    with database(dialect, directory) as text:
        url = sa.make_url(text)
        admin = sa.create_engine(url)
        made = Granted(admin, url.set(username=account, password=PASSWORD), dialect)
        try:
            made.run(TABLE.format(auto=AUTO[dialect]))
            values = ", ".join(
                f"('{1000 + n}', 'Firma {n}', 'info{n}@example.com', '+4930123{n:03}')" for n in range(3)
            )
            made.run(f"INSERT INTO customers (number, company, email, phone) VALUES {values}")
            install(url)
            made.run(*_account(dialect, account), *_statements(dialect, account, str(url.database)))
            yield made
        finally:
            made.run(*_forgotten(dialect, account))
            admin.dispose()


def _account(dialect: str, account: str) -> list[str]:
    if dialect == "postgresql":
        return [f"CREATE ROLE {account} LOGIN PASSWORD '{PASSWORD}'"]
    return [f"CREATE USER '{account}'@'%%' IDENTIFIED BY '{PASSWORD}'"]


def _forgotten(dialect: str, account: str) -> list[str]:
    if dialect == "postgresql":
        return [f"DROP OWNED BY {account}", f"DROP ROLE {account}"]
    return [f"DROP USER IF EXISTS '{account}'@'%%'"]


def _statements(dialect: str, account: str, name: str) -> list[str]:
    """The statements of the shipped file, for this account and this database."""
    file = DEPLOY / f"grants-{'postgresql' if dialect == 'postgresql' else 'mariadb'}.sql"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("--")]
    statements = [part.strip() for part in "\n".join(lines).split(";") if part.strip()]
    if dialect == "postgresql":
        return [re.sub(r"(TO|ROLE) syncd\b", rf"\1 {account}", statement) for statement in statements]
    return [
        statement.replace("'syncd'@'%'", f"'{account}'@'%%'").replace("crm.", f"{name}.") for statement in statements
    ]


def settings_text(url: URL, state: Path, secrets: Path, server: Server) -> str:
    """Two providers and the four mapped columns, as the account sees them."""
    (secrets / "source").touch(mode=0o600)
    (secrets / "source").write_text(str(url.password), encoding="ascii")
    password = f'password = "file:{secrets / "source"}"\n' if url.password else ""
    plain = URL.create(url.drivername, url.username, None, url.host, url.port, url.database).render_as_string()
    common = 'create = "always"\nrate = "off"\nsettle = "1s"\ntimeout = "3s"\n'
    return (
        f'lease = "30s"\n[source]\nurl = "{plain}"\n{password}table = "customers"\n'
        'key = "id"\n[source.fields]\nnumber = "number"\nname = "company"\nemail = "email"\nphone = "phone"\n'
        f'[state]\nurl = "sqlite:///{state}"\n' + provider_settings(server, secrets, common, ("aiotic", "billbee"))
    )


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_the_grants_are_enough_and_no_more(dialect: str, tmp_path: Path) -> None:
    """With exactly these rights a run works both ways; an unmapped column, TRUNCATE and DDL are refused."""
    from syncd.bootstrap import installation

    secrets = tmp_path / "secrets"
    write_secrets(secrets)
    with serve_five() as server:

        def install(url: URL) -> None:
            config = tmp_path / "install.toml"
            config.write_text(settings_text(url, tmp_path / "none.db", secrets, server), encoding="utf-8")
            assert typed(config, "triggers", "install").code == 0

        with granted(dialect, tmp_path, install) as shop:
            config = tmp_path / "syncd.toml"
            config.write_text(settings_text(shop.account, tmp_path / "state.db", secrets, server), encoding="utf-8")
            with installation(load(config)) as site:
                run_cycle(site, Options(mode="run-once", wait=10.0))
                twin = server.twins["billbee"]
                known = next(key for key, record in twin.records.items() if record["Number"] == 1001)
                twin.edit(known, Email="from-billbee@example.com")
                run_cycle(site, Options(mode="run-once", wait=10.0, scan=True))

            with shop.admin.connect() as conn:
                emails = conn.exec_driver_sql("SELECT email FROM customers WHERE number = '1001'").scalars().all()
            log = "syncd.change_log" if dialect == "postgresql" else "syncd_change_log"
            fence = "syncd.fence" if dialect == "postgresql" else "syncd_fence"
            refused = {
                statement: shop.refused(statement)
                for statement in (
                    "SELECT secret_note FROM customers",
                    "UPDATE customers SET secret_note = 'x'",
                    "INSERT INTO customers (number) VALUES ('9')",
                    "DELETE FROM customers",
                    f"TRUNCATE TABLE {log}",
                    f"DELETE FROM {fence}",
                    *(f"{drop}" for drop in ("DROP TRIGGER syncd_customers_update",) if dialect == "mysql"),
                    f"DROP TABLE {log}",
                )
            }

    assert {name: len(server.twins[name].records) for name in ("aiotic", "billbee")} == {"aiotic": 3, "billbee": 3}
    assert emails == ["from-billbee@example.com"]
    assert [statement for statement, was in refused.items() if not was] == []


@dataclass(frozen=True)
class Restricted:
    """A shop under the shipped grants, and syncd under that account."""

    shop: Granted
    config: Path

    def __call__(self, *words: str) -> tuple[int, str]:
        answer = typed(self.config, *words)
        return answer.code, answer.out + answer.err

    def with_(self, old: str, new: str) -> None:
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new, 1), encoding="utf-8")

    @property
    def who(self) -> str:
        """The account as a statement names it."""
        name = self.shop.account.username
        return str(name) if self.shop.dialect == "postgresql" else f"'{name}'@'%%'"


@pytest.fixture(params=["postgresql", "mysql"])
def restricted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Restricted]:
    """An account with exactly the shipped grants; what it needs was installed by the administrator, from what
    `--print-sql` prints for an account that may only read the customers."""
    dialect, secrets = request.param, tmp_path / "secrets"
    write_secrets(secrets)
    with serve_five() as server:
        config = tmp_path / "syncd.toml"

        def install(url: URL) -> None:
            reader, name = f"syncd_test_{uuid4().hex[:8]}", str(url.database)
            admin = sa.create_engine(url)
            shop = Granted(admin, url.set(username=reader, password=PASSWORD), dialect)
            shop.run(*_account(dialect, reader), *_reading(dialect, reader, name))
            try:
                config.write_text(settings_text(shop.account, tmp_path / "none.db", secrets, server), encoding="utf-8")
                refused = typed(config, "triggers", "install")
                assert refused.code != 0, "an account that may only read cannot install"
                printed = typed(config, "triggers", "install", "--print-sql")
                assert printed.code == 0, printed.err
                shop.run(*_script(printed.out))
            finally:
                shop.run(*_forgotten(dialect, reader))
                admin.dispose()

        with granted(dialect, tmp_path, install) as shop:
            config.write_text(settings_text(shop.account, tmp_path / "state.db", secrets, server), encoding="utf-8")
            yield Restricted(shop, config)


def _reading(dialect: str, account: str, name: str) -> list[str]:
    columns = "GRANT SELECT (id, number, company, email, phone) ON"
    if dialect == "postgresql":
        return [f"{columns} customers TO {account}"]
    return [f"{grant} {name}.customers TO '{account}'@'%%'" for grant in (columns, "GRANT SHOW VIEW ON")]


def _script(text: str) -> list[str]:
    """The statements of a script as a client of either database takes them apart."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    if "DELIMITER //" in text:
        outside = re.split(r"DELIMITER //\n(.*?) //\nDELIMITER ;", text, flags=re.DOTALL)
        parts = [[part] if place % 2 else part.split(";\n") for place, part in enumerate(outside)]
        return [one.strip().removesuffix(";").replace("%", "%%") for part in parts for one in part if one.strip("; \n")]
    return [text.replace("%", "%%")]


def _worst(answer: tuple[int, str], word: str) -> list[str]:
    return [line for line in answer[1].splitlines() if re.match(rf"wrong +{word} ", line)]


def test_an_account_under_the_shipped_grants_is_in_order(restricted: Restricted) -> None:
    """`doctor` has nothing against it, a check finds the triggers that it cannot see, and a run goes through."""
    answer = restricted("doctor")

    assert "wrong" not in answer[1], answer[1]
    assert "the account may do what the settings need" in answer[1]
    assert restricted("triggers", "check") == (0, "triggers: in order\n")
    assert restricted("run-once")[0] == 0


@pytest.mark.parametrize(
    ("postgresql", "mysql"),
    [
        ("DROP TRIGGER syncd_row ON customers", "DROP TRIGGER syncd_customers_delete"),
        pytest.param(
            "ALTER TABLE customers DISABLE TRIGGER syncd_row",
            "CREATE OR REPLACE TRIGGER syncd_customers_update AFTER UPDATE ON customers FOR EACH ROW BEGIN END",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_trigger_that_is_gone_is_missed(restricted: Restricted, postgresql: str, mysql: str) -> None:
    """Also by an account that may not read it: its name is gone, or a write that is rolled back leaves no mark."""
    restricted.shop.run(postgresql if restricted.shop.dialect == "postgresql" else mysql)

    assert restricted("triggers", "check")[0] == 2
    assert _worst(restricted("doctor"), "triggers")
    assert restricted("run-once")[0] == 2


def test_triggers_for_other_settings_are_no_triggers(restricted: Restricted) -> None:
    """Whoever installed did so for other tables: the seal, like the catalogue, does not know the new one."""
    restricted.shop.run("CREATE TABLE orders (id integer PRIMARY KEY, customer integer)")
    if restricted.shop.dialect == "postgresql":
        restricted.shop.run(f"GRANT SELECT ON orders TO {restricted.who}")
    else:
        restricted.shop.run(f"GRANT SELECT ON {restricted.shop.account.database}.orders TO {restricted.who}")
    watches = (
        "[[source.watch]]\ntable = 'customers'\nkey = 'id'\n[[source.watch]]\ntable = 'orders'\nkey = 'customer'\n"
    )
    restricted.with_("[source.fields]", f"{watches}[source.fields]")

    code, told = restricted("triggers", "check")
    assert (code, "orders" in told) == (2, True), told


NEEDS = (
    ("inbound_create = true", "INSERT", ""),
    pytest.param('id_column = "secret_note"', "UPDATE", "secret_note", marks=pytest.mark.long),
    pytest.param("", "UPDATE", "phone", marks=pytest.mark.long),
    ("", "SELECT", "email"),
)


@pytest.mark.parametrize(("setting", "verb", "column"), NEEDS)
def test_doctor_tries_what_the_settings_will_need(restricted: Restricted, setting: str, verb: str, column: str) -> None:
    """Before the first customer needs it: a right that is missing is named with its column and its statement."""
    table = "customers" if restricted.shop.dialect == "postgresql" else f"{restricted.shop.account.database}.customers"
    if setting:
        restricted.with_("[providers.billbee]\n", f"[providers.billbee]\n{setting}\n")
    if column == "secret_note":
        restricted.shop.run(f"GRANT SELECT (secret_note) ON {table} TO {restricted.who}")
    elif column:
        restricted.shop.run(f"REVOKE {verb} ({column}) ON {table} FROM {restricted.who}")
    answer = restricted("doctor")

    assert answer[0] in {2, 7}, answer[1]
    assert [line for line in answer[1].splitlines() if line.startswith("wrong") and (verb in line or verb == "SELECT")]
    assert verb == "SELECT" or f"GRANT {verb} (" in answer[1]


def test_a_joined_table_is_tried_too(restricted: Restricted) -> None:
    """Reading it is one right, writing it another."""
    shop = restricted.shop
    table = "addresses" if shop.dialect == "postgresql" else f"{shop.account.database}.addresses"
    shop.run("CREATE TABLE addresses (customer_id integer PRIMARY KEY, city varchar(80))",
             f"GRANT SELECT (customer_id, city) ON {table} TO {restricted.who}")  # fmt: skip
    if shop.dialect == "mysql":
        shop.run(f"GRANT SHOW VIEW ON {table} TO {restricted.who}")
    joined = "[[source.join]]\nname = 'a'\ntable = 'addresses'\non = { customer_id = 'customer.id' }\n"
    restricted.with_("[source.fields]", f'{joined}[source.fields]\ncity = "a.city"')
    told = restricted("doctor")
    before = _worst(told, "grants")
    shop.run(f"GRANT UPDATE (city) ON {table} TO {restricted.who}")

    assert len(before) == 1, told[1]
    assert "UPDATE" in before[0]
    assert "city" in before[0]
    assert _worst(restricted("doctor"), "grants") == []


def test_the_guide_lists_exactly_the_shipped_grants() -> None:
    """Who installs by the guide gives what the tests above were run with."""
    guide = (DEPLOY / "INSTALL.md").read_text(encoding="utf-8")
    for name in ("postgresql", "mariadb"):
        lines = (DEPLOY / f"grants-{name}.sql").read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line and not line.startswith("--") and line not in guide.splitlines()] == []


# -- man pages and completion --------------------------------------------------------------------------------------


def test_every_command_has_a_man_page(tmp_path: Path) -> None:
    """The pages are made for each command and each of its subcommands; none is empty."""
    from syncd.cli import COMMANDS

    subprocess.run(
        [sys.executable, str(DEPLOY / "manpages.py"), str(tmp_path)], check=True, capture_output=True, timeout=60
    )

    pages = {path.name for path in tmp_path.iterdir() if path.stat().st_size > 200}
    assert {f"syncd-{name}.1" for name in COMMANDS} | {"syncd.1", "syncd-review-resolve.1"} <= pages


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_every_command(shell: str) -> None:
    """click's completion answers for each shell, and knows the commands without importing them."""
    from syncd.cli import COMMANDS

    words = (
        {"COMP_WORDS": "syncd ", "COMP_CWORD": "1"} if shell != "fish" else {"COMP_WORDS": "syncd", "COMP_CWORD": ""}
    )
    done = subprocess.run(
        [str(Path(sys.executable).parent / "syncd")],
        env={**os.environ, "_SYNCD_COMPLETE": f"{shell}_complete", **words},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip

    assert [name for name in COMMANDS if name not in done.stdout] == []


def test_a_credential_is_found_under_either_name(tmp_path: Path) -> None:
    """systemd calls the files of a directory that is loaded as `syncd` syncd_NAME; the file's own name comes first."""
    (tmp_path / "syncd_loaded").write_text("from-a-directory\n", encoding="ascii")
    (tmp_path / "plain").write_text("by-name\n", encoding="ascii")
    (tmp_path / "syncd_plain").write_text("from-a-directory\n", encoding="ascii")

    def found(name: str) -> str:
        return resolve(f"credential:{name}", str(tmp_path), lambda _name: None)

    assert (found("loaded"), found("plain")) == ("from-a-directory", "by-name")


def test_a_timer_beside_a_daemon_is_no_failure() -> None:
    """The daemon does the work; what mends itself, waits for a person or is done by another is no failed unit."""
    unit = (DEPLOY / "syncd-once.service").read_text()
    assert re.search(r"(?m)^SuccessExitStatus=3 4 5 8$", unit)
