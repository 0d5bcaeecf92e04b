"""A provider that syncd was not built with."""

from __future__ import annotations

import ast
import importlib
import os
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import BaseModel

import syncd
from syncd.errors import SettingsError
from syncd.providers.adapter import API_VERSION, Provider
from syncd.settings import load
from syncd.settings.load import registry
from tests.system.landscape import landscape
from tests.system.shelf import ABLE

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "syncd_acme"
ADAPTER = """
from pydantic import BaseModel, ConfigDict, SecretStr
from syncd.providers.adapter import Provider
from tests.system.shelf import ABLE, Shelf

RECORDS = {}

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    token: SecretStr

def build(settings, gate):
    assert settings.options.token.get_secret_value() == "acme-token"
    return Shelf(records=RECORDS, gate=gate)

PROVIDER = Provider("acme", Options, build, ABLE, secrets=frozenset({"token"}))
"""
ACME = '[providers.acme]\nurl = "https://acme.example"\n'
TABLE = """
[providers.crm]
adapter = "acme"
url = "https://acme.example"
token = "file:{secrets}/acme"
create = "always"
timeout = "3s"
"""


def _install(directory: Path, points: str = "[syncd.providers]\nacme = syncd_acme:PROVIDER\n") -> None:
    """What pip leaves behind of a package with entry points."""
    about = directory / "syncd_acme-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: syncd-acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(points)


def with_example(directory: Path) -> dict[str, str]:
    """The environment in which the example package is installed, as its own pyproject says."""
    points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in points.items()]
    _install(directory, "\n".join(lines))
    (directory / "syncd").symlink_to(Path(syncd.__file__).parent)
    return {**os.environ, "PYTHONPATH": f"{directory}:{EXAMPLE}", "PYTHONDONTWRITEBYTECODE": "1"}


def test_a_package_of_ones_own_registers_like_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point is all it takes: settings, doctor, runs, status and verify know the adapter from its facts."""
    _install(tmp_path / "site")
    (tmp_path / "site" / "syncd_acme.py").write_text(ADAPTER)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        secret = tmp_path / "secrets" / "acme"
        secret.touch(mode=0o600)
        secret.write_text("acme-token")
        with land.config.open("a", encoding="utf-8") as config:
            config.write(TABLE.format(secrets=secret.parent))
        records = importlib.import_module("syncd_acme").RECORDS

        assert land.said("doctor").code == 0
        assert land.said("run-once").code == 0
        assert sorted(records) == ["1001", "1002", "1003"]
        land.sql("UPDATE customers SET email = 'neu@example.com' WHERE number = '1002'")
        assert land.said("run-once").code == 0
        assert records["1002"]["email"] == "neu@example.com"
        shown = {provider["name"]: provider for provider in land.said("status", "--json").data["providers"]}
        assert (shown["crm"]["adapter"], shown["crm"]["state"], shown["crm"]["linked"]) == ("acme", "ok", 3)
        assert land.said("verify", "--provider", "crm").code == 0
        land.change('token = "file', 'tocken = "file')
        answer = land.said("doctor")
        assert answer.code == 2
        assert "token" in answer.out + answer.err
    sys.modules.pop("syncd_acme")


def test_init_proposes_what_is_installed(tmp_path: Path) -> None:
    """Beside the five, and where the settings are read again, a key that is missing is named."""
    shop, config = tmp_path / "shop.db", tmp_path / "syncd.toml"
    with closing(sqlite3.connect(shop)) as database:
        database.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, company TEXT, email TEXT, city TEXT)")
        database.execute("INSERT INTO customers VALUES (1, 'Acme', 'a@acme.example', 'Celle')")
        database.commit()
    environment = with_example(tmp_path / "site")

    def said(*words: str) -> str:
        command = [sys.executable, "-m", "syncd", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    said("init", "--source", f"sqlite:///{shop}", "--output", str(config))
    head, _, proposed = config.read_text().partition("# [providers.acme]\n")
    config.write_text(f'{head}[providers.acme]\nurl = "http://127.0.0.1:9"\n')

    assert "# [providers.jtl]" in head
    assert proposed.startswith('# url = "https://..."')
    assert "providers.acme.token" in said("doctor")


def test_a_package_that_comes_while_a_process_runs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next reading of the settings knows it, although what is installed is read once."""
    site = tmp_path / "site"
    site.mkdir()
    os.utime(site, (0, 0))  # a file system's clock may stand still between two of our steps
    monkeypatch.syspath_prepend(site)
    before = registry().keys()
    (site / "syncd_acme.py").write_text(ADAPTER)
    _install(site)
    after = registry().keys()
    sys.modules.pop("syncd_acme", None)

    assert after - before == {"acme"}


@pytest.mark.long
def test_the_example_package_passes_the_suite_by_itself(tmp_path: Path) -> None:
    """A package with an adapter, a sandbox and a row holds the whole contract with one line, without our tests."""
    (tmp_path / "syncd").symlink_to(Path(syncd.__file__).parent)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={EXAMPLE}", "-c", os.devnull]
    environment = {**os.environ, "PYTHONPATH": f"{EXAMPLE}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, str(EXAMPLE / "tests")], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout


def test_the_example_uses_what_the_page_promises_and_nothing_else() -> None:
    """Whoever copies it relies on no name that may change within an API version."""
    page = (EXAMPLE.parents[1] / "adapters.md").read_text()
    promised = page.partition("## What may be relied on")[2].partition("\n## ")[0]
    used = {
        (node.module, alias.name)
        for path in EXAMPLE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("syncd.")
        for alias in node.names
    }
    unpromised = {(module, name) for module, name in used if not _is_promised(promised, module, name)}

    assert len(used) > 20
    assert unpromised == set()
    for module in ("syncd.providers.adapter", "syncd.testing", "syncd.sandbox.kit"):
        assert f"`{module}`" in promised
        assert all(hasattr(importlib.import_module(module), name) for name in importlib.import_module(module).__all__)


def _is_promised(promised: str, module: str, name: str) -> bool:
    if f"`{module}.{name}`" in promised or f"all of `{module}`" in promised:
        return True
    listed = getattr(importlib.import_module(module), "__all__", ())
    return f"`{module}`" in promised and (name in listed or f"`{name}`" in promised)


def test_an_adapter_of_another_api_is_refused(tmp_path: Path) -> None:
    """Where the settings are read, by name, with what to do; ours are of this API."""
    config = tmp_path / "syncd.toml"
    config.write_text('[source]\nurl = "sqlite://"\ntable = "c"\nkey = "id"\n[source.fields]\nname = "name"\n' + ACME)
    other = Provider("acme", BaseModel, lambda *_: None, ABLE, api=API_VERSION + 1)  # type: ignore[arg-type]

    with pytest.raises(SettingsError) as refused:
        load(config, registry={"acme": other})

    (said,) = [problem for problem in refused.value.problems if "API" in problem.reason]
    assert (
        said.reason == f'the adapter "acme" was made for adapter API {API_VERSION + 1}, this syncd has {API_VERSION}.'
    )
    assert "release for API" in said.remedy
    assert {found.api for found in registry().values()} == {API_VERSION}


def test_the_sandbox_command_serves_what_is_installed(tmp_path: Path) -> None:
    """With the settings to copy and a credential of its own."""
    words = [sys.executable, "-u", "-m", "syncd", "sandbox", "--port", "0", "--secrets", str(tmp_path / "secrets")]
    with subprocess.Popen(
        words, env=with_example(tmp_path / "site"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as sandboxes:
        assert sandboxes.stdout is not None
        assert sandboxes.stderr is not None
        told = "".join(iter(sandboxes.stderr.readline, "Ctrl-C ends.\n"))
        sandboxes.terminate()
        settings = sandboxes.stdout.read()

    assert "acme " in told
    assert f'token = "file:{tmp_path / "secrets" / "acme"}"' in settings
    assert (tmp_path / "secrets" / "acme").read_text() == "acme-token-for-tests"
