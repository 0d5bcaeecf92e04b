"""A process that has no network at all, not even a loopback device, reaches databases by the sockets they have here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cluster import Cluster
from tests.contract.shop import shop
from tests.databases import database, server

ALONE = ("unshare", "--net")


def _settings(directory: Path, source: str, state: str) -> Path:
    config = directory / "syncd.toml"
    key = directory / "key"
    key.touch(mode=0o600)
    key.write_text("k" * 40)
    config.write_text(
        f'[source]\nurl = "{source}"\ntable = "customers"\nkey = "id"\n[source.fields]\nname = "company"\n'
        f'[state]\nurl = "{state}"\nkey = "file:{key}"\n'
        f'[providers.aiotic]\nurl = "https://aiotic.example"\napi_key = "file:{key}"\n'
    )
    return config


def _alone(config: Path, *words: str) -> int:
    """How a command ends that has no network."""
    if shutil.which("unshare") is None or subprocess.run([*ALONE, "true"], check=False, capture_output=True).returncode:
        if os.environ.get("CI"):
            pytest.fail("no process without a network can be made here")
        pytest.skip("no process without a network can be made here")
    command = [*ALONE, sys.executable, "-m", "syncd", *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


@pytest.mark.long
def test_postgresql_by_its_socket(own_server: Cluster, tmp_path: Path) -> None:
    """Source and state both; by the same server's address nobody is reached."""
    with database("postgresql", tmp_path, own_server.url()) as source, database(
        "postgresql", tmp_path, own_server.url()
    ) as state, shop(source) as made:  # fmt: skip
        made.tables()

        def by_socket(url: str) -> str:
            name = sa.make_url(url).database
            return f"postgresql+psycopg://postgres@/{name}?host={own_server.sockets}&port={own_server.port}"

        config = _settings(tmp_path, by_socket(source), by_socket(state))
        assert _alone(config, "triggers", "install") == 0
        assert _alone(config, "db", "upgrade") == 0
        assert _alone(_settings(tmp_path, source, by_socket(state)), "triggers", "check") == 7


@pytest.mark.long
def test_mariadb_by_its_socket(tmp_path: Path) -> None:
    """The source; by the same server's address nobody is reached."""
    with database("mysql", tmp_path) as source, shop(source) as made:
        made.tables()
        with made.app.connect() as conn:
            place = str(conn.exec_driver_sql("SELECT @@socket").scalar())
        where = server("mysql")
        if where is None or not Path(place).is_socket() or where.password:
            pytest.skip("this MariaDB has no socket here, or wants a password")
        url = f"mysql+pymysql://{where.username}@/{sa.make_url(source).database}?unix_socket={place}"
        state = f"sqlite:///{tmp_path / 'state.db'}"

        assert _alone(_settings(tmp_path, url, state), "triggers", "install") == 0
        assert _alone(_settings(tmp_path, source, state), "triggers", "check") == 7
