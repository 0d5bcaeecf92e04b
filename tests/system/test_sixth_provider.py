"""A provider that syncd was not built with."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.installed import installed

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
TABLE = """
[providers.crm]
adapter = "acme"
url = "https://acme.example"
token = "file:{secrets}/acme"
create = "always"
timeout = "3s"
"""


def _install(directory: Path) -> None:
    """What pip leaves behind of a package with one module and one entry point."""
    about = directory / "syncd_acme-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: syncd-acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[syncd.providers]\nacme = syncd_acme:PROVIDER\n")
    (directory / "syncd_acme.py").write_text(ADAPTER)


def test_a_package_of_ones_own_registers_like_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry point is all it takes: settings, doctor, runs, status and verify know the adapter from its facts."""
    _install(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with installed(tmp_path, capsys, customers=3) as site:
        secret = tmp_path / "secrets" / "acme"
        secret.touch(mode=0o600)
        secret.write_text("acme-token")
        with site.config.open("a", encoding="utf-8") as config:
            config.write(TABLE.format(secrets=secret.parent))
        records = importlib.import_module("syncd_acme").RECORDS

        assert site("doctor").code == 0
        assert site("run-once").code == 0
        assert sorted(records) == ["1001", "1002", "1003"]
        site.sql("UPDATE customers SET email = 'neu@example.com' WHERE number = '1002'")
        assert site("run-once").code == 0
        assert records["1002"]["email"] == "neu@example.com"
        shown = {provider["name"]: provider for provider in site("status", "--json").json["providers"]}
        assert (shown["crm"]["adapter"], shown["crm"]["state"], shown["crm"]["linked"]) == ("acme", "ok", 3)
        assert site("verify", "--provider", "crm").code == 0
        site.change('token = "file', 'tocken = "file')
        answer = site("doctor")
        assert answer.code == 2
        assert "token" in answer.out + answer.err
    sys.modules.pop("syncd_acme")


def test_the_example_package_passes_the_suite_by_itself(tmp_path: Path) -> None:
    """A package with an adapter, a sandbox and a row holds the whole contract with one line, without our tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={EXAMPLE}", "-c", os.devnull]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, str(EXAMPLE / "tests")], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
