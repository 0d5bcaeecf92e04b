"""Day two: the ids out, one customer's past, and a provider's word that something changed."""

from __future__ import annotations

import csv
import hmac
import io
import json
import os
import re
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from syncd.cli.spreadsheet import cell
from tests.system.installed import Installed, installed

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Installed]:
    """Three customers at one provider, in agreement."""
    with installed(tmp_path, capsys, ("aiotic",), 3) as site:
        assert site("run-once").code == 0
        yield site


def test_links_are_listed_as_csv_and_as_json(shop: Installed) -> None:
    """Key, provider, external id, all ids, state and since, the same in both forms."""
    rows = list(csv.DictReader(io.StringIO(shop("links").out)))
    told = shop("links", "--provider", "aiotic", "--format", "json").json

    assert [row["customer_key"] for row in rows] == ["1", "2", "3"]
    assert {row["state"] for row in rows} == {"linked"}
    assert all(row["external_id"] and row["since"].endswith("Z") for row in rows)
    assert [json.loads(row["external_ids"]) for row in rows] == [link["external_ids"] for link in told["links"]]
    assert [link["external_id"] for link in told["links"]] == [row["external_id"] for row in rows]


def test_links_of_a_stranger_are_a_usage_error(shop: Installed) -> None:
    """A name that neither settings nor state know is named, with those that they do."""
    answer = shop("links", "--provider", "aiotik")

    assert answer.code == 2
    assert "no provider is called aiotik; known: aiotic" in answer.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [("=1+1", "'=1+1"), (" @x", "' @x"), ("\t-x", "\\t-x"), ("+49", "'+49"), ("-5", "-5"), ("a=b", "a=b")],
)
def test_no_cell_is_a_formula(text: str, shown: str) -> None:
    """A key that somebody typed is never computed by the spreadsheet that opens the list."""
    assert cell(text) == shown


def test_explain_shows_the_external_ids(shop: Installed) -> None:
    """Whoever looks for a customer over there finds him by what explain says."""
    (external_id,) = shop.state("SELECT external_id FROM mapping WHERE customer_key = '2'")[0]

    assert f"there it is {external_id}" in shop("explain", "2").out
    assert shop("explain", "2", "--json").json["providers"][0]["external_ids"]


def test_history_names_what_who_when_fields_and_run_and_no_value(shop: Installed) -> None:
    """A customer's past without one of his values."""
    shop.sql("UPDATE customers SET city = 'Geheimstadt' WHERE id = 2")
    assert shop("run-once").code == 0
    answer = shop("history", "2", "--json")
    newest = answer.json["history"][0]

    assert (newest["what"], newest["who"], newest["fields"]) == ("pair.pushed", "source", ["city"])
    assert newest["run"] in {run for (run,) in shop.state("SELECT run_id FROM run")}
    assert answer.json["history"][-1]["what"] == "pair.created"
    assert "Geheimstadt" not in answer.out + shop("history", "2").out


def test_history_of_nobody_says_where_to_look(shop: Installed) -> None:
    """No empty table: a sentence and the next command."""
    answer = shop("history", "77")

    assert answer.code == 2
    assert "nothing is on record for a customer 77" in answer.err
    assert "syncd explain 77" in answer.err


def test_a_notice_makes_the_linked_pair_due_and_leaves_the_rest_to_the_scan(shop: Installed) -> None:
    """`mark` believes nothing but that something changed; unknown ids change nothing."""
    (external_id,) = shop.state("SELECT external_id FROM mapping WHERE customer_key = '2'")[0]
    answer = shop("mark", "aiotic", external_id, "no-such-id", external_id, "--json")

    assert answer.json == {"schema": 1, "provider": "aiotic", "due": 1, "unknown": ["no-such-id"]}
    assert shop.state("SELECT customer_key, reason FROM work") == [("2", "notified")]
    assert "wait for the next scan" in shop("mark", "aiotic", "no-such-id").out
    assert shop("run-once").code == 0
    assert shop.state("SELECT count(*) FROM work") == [(0,)]


def test_the_receiver_of_the_docs_checks_queues_and_delivers(shop: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twenty lines of docs/webhooks.md work as they are printed; what is not signed leaves no trace."""
    (external_id,) = shop.state("SELECT external_id FROM mapping WHERE customer_key = '3'")[0]
    module, queue = _receiver(shop, monkeypatch)
    with ThreadingHTTPServer(("127.0.0.1", 0), module["Receiver"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        body = json.dumps({"id": external_id}).encode()
        forged = _post(server.server_port, body, "00")
        signed = _post(server.server_port, body, hmac.new(b"secret", body, "sha256").hexdigest())
        server.shutdown()

    assert (forged, signed, len(list(queue.iterdir()))) == (401, 204, 1)
    module["deliver"]()
    assert list(queue.iterdir()) == []
    assert shop.state("SELECT customer_key, reason FROM work") == [("3", "notified")]


def _receiver(shop: Installed, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Path]:
    text = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    queue = shop.directory / "queue"
    queue.mkdir()
    (shop.directory / "webhook").write_text("secret\n", encoding="utf-8")
    for name, value in (
        ("STATE_DIRECTORY", queue),
        ("CREDENTIALS_DIRECTORY", shop.directory),
        ("SYNCD_CONFIG", shop.config),
        ("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(sys, "argv", ["webhook.py", "aiotic"])
    module: dict[str, Any] = {"__name__": "webhook"}
    exec(code, module)
    return module, queue


def _post(port: int, body: bytes, signature: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, {"X-Signature": signature})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
