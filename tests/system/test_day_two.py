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
from tests.system.landscape import Landscape, landscape

ROOT = Path(__file__).parents[2]


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Three customers at one provider, in agreement."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        assert land.said("run-once").code == 0
        yield land


def test_links_are_listed_as_csv_and_as_json(land: Landscape) -> None:
    """Key, provider, external id, all ids, state and since, the same in both forms."""
    rows = list(csv.DictReader(io.StringIO(land.said("links").out)))
    told = land.said("links", "--provider", "aiotic", "--format", "json").data

    assert [row["customer_key"] for row in rows] == ["1", "2", "3"]
    assert {row["state"] for row in rows} == {"linked"}
    assert all(row["external_id"] and row["since"].endswith("Z") for row in rows)
    assert [json.loads(row["external_ids"]) for row in rows] == [link["external_ids"] for link in told["links"]]
    assert [link["external_id"] for link in told["links"]] == [row["external_id"] for row in rows]


def test_links_of_a_stranger_are_a_usage_error(land: Landscape) -> None:
    """A name that neither settings nor state know is named, with those that they do."""
    answer = land.said("links", "--provider", "aiotik")

    assert answer.code == 2
    assert "no provider is called aiotik; known: aiotic" in answer.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [("=1+1", "'=1+1"), (" @x", "' @x"), ("\t-x", "\\t-x"), ("+49", "'+49"), ("-5", "-5"), ("a=b", "a=b")],
)
def test_no_cell_is_a_formula(text: str, shown: str) -> None:
    """A key that somebody typed is never computed by the spreadsheet that opens the list."""
    assert cell(text) == shown


def test_explain_shows_the_external_ids(land: Landscape) -> None:
    """Whoever looks for a customer over there finds him by what explain says."""
    (external_id,) = land.recalled("SELECT external_id FROM mapping WHERE customer_key = '2'")[0]

    assert f"record {external_id}" in land.said("explain", "2").out
    assert land.said("explain", "2", "--json").data["providers"][0]["external_ids"]


def test_history_names_what_who_when_fields_and_run_and_no_value(land: Landscape) -> None:
    """A customer's past without one of his values."""
    land.sql("UPDATE customers SET city = 'Geheimstadt' WHERE id = 2")
    assert land.said("run-once").code == 0
    answer = land.said("history", "2", "--json")
    newest = answer.data["history"][0]

    assert (newest["what"], newest["who"], newest["fields"]) == ("pair.pushed", "source", ["city"])
    assert newest["run"] in {run for (run,) in land.recalled("SELECT run_id FROM run")}
    assert answer.data["history"][-1]["what"] == "pair.created"
    assert "Geheimstadt" not in answer.out + land.said("history", "2").out


def test_history_of_nobody_says_where_to_look(land: Landscape) -> None:
    """No empty table: a sentence and the next command."""
    answer = land.said("history", "77")

    assert answer.code == 2
    assert "nothing is on record for a customer 77" in answer.err
    assert "syncd explain 77" in answer.err


def test_a_notice_makes_the_linked_pair_due_and_leaves_the_rest_to_the_scan(land: Landscape) -> None:
    """`mark` believes nothing but that something changed; unknown ids change nothing."""
    (external_id,) = land.recalled("SELECT external_id FROM mapping WHERE customer_key = '2'")[0]
    answer = land.said("mark", "aiotic", external_id, "no-such-id", external_id, "--json")

    assert answer.data == {"schema": 1, "provider": "aiotic", "due": 1, "unknown": ["no-such-id"]}
    assert land.recalled("SELECT customer_key, reason FROM work") == [("2", "notified")]
    assert "wait for the next scan" in land.said("mark", "aiotic", "no-such-id").out
    assert land.said("run-once").code == 0
    assert land.recalled("SELECT count(*) FROM work") == [(0,)]


def test_the_receiver_of_the_docs_checks_queues_and_delivers(land: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twenty lines of docs/webhooks.md work as they are printed; what is not signed leaves no trace."""
    (external_id,) = land.recalled("SELECT external_id FROM mapping WHERE customer_key = '3'")[0]
    module, queue = _receiver(land, monkeypatch)
    with ThreadingHTTPServer(("127.0.0.1", 0), module["Receiver"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        body = json.dumps({"id": external_id}).encode()
        forged = _post(server.server_port, body, "00")
        signed = _post(server.server_port, body, hmac.new(b"secret", body, "sha256").hexdigest())
        server.shutdown()

    assert (forged, signed, len(list(queue.iterdir()))) == (401, 204, 1)
    module["deliver"]()
    assert list(queue.iterdir()) == []
    assert land.recalled("SELECT customer_key, reason FROM work") == [("3", "notified")]


def _receiver(land: Landscape, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Path]:
    text = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    queue = land.directory / "queue"
    queue.mkdir()
    (land.directory / "webhook").write_text("secret\n", encoding="utf-8")
    for name, value in (
        ("STATE_DIRECTORY", queue),
        ("CREDENTIALS_DIRECTORY", land.directory),
        ("SYNCD_CONFIG", land.config),
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
