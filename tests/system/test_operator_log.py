"""What a person does is in the log: which verb, on whom, and never a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.system.landscape import Answer, landscape

VALUES = ("@example.com", "geheim")


def told(answer: Answer) -> list[dict[str, Any]]:
    """The events of people's acts that a command wrote, without head."""
    events = [json.loads(line) for line in answer.err.splitlines() if line.startswith("{")]
    acts = [event for event in events if event["event"] in {"operator.acted", "review.decided"}]
    return [{word: value for word, value in act.items() if word not in {"level", "timestamp"}} for act in acts]


def test_every_verb_of_an_operator_is_told(tmp_path: Path) -> None:
    """pause, resume, retry, unlink, link and forget leave one event each, keys and names only; a log file has it."""
    with landscape(tmp_path, 3, ("aiotic",), head=f'[log]\nfile = "{tmp_path}/syncd.log"\n') as land:
        land.run()
        number = str(land.row(2)["number"])
        said = [
            land.said(*words)
            for words in (
                ("pause", "aiotic", "--reason", "ticket 7, geheim@example.com"),
                ("resume", "aiotic"),
                ("resume", "aiotic"),
                ("retry", "--failed"),
                ("unlink", "aiotic", "2"),
            )
        ]
        land.run()
        said += [land.said("link", "aiotic", "2", number), land.said("forget", "3", "--yes")]
    acts = [{key: value for key, value in act.items() if key != "event"} for answer in said for act in told(answer)]

    assert [answer.code for answer in said] == [0] * 7
    assert acts == [
        {"action": "pause", "provider": "aiotic", "reason": "ticket 7, [address]"},
        {"action": "resume", "provider": "aiotic", "from_state": "paused"},
        {"action": "retry", "count": 0},
        {"action": "unlink", "provider": "aiotic", "customer_key": "2", "external_id": number},
        {"action": "link", "provider": "aiotic", "customer_key": "2", "external_id": number},
        {"action": "forget", "customer_key": "3"},
    ]
    kept = (tmp_path / "syncd.log").read_text()
    assert kept.count('"operator.acted"') == len(acts)
    assert not [value for value in VALUES if value in kept]


def test_a_decision_is_told(tmp_path: Path) -> None:
    """`review resolve` says which item of which customer was decided how; the values stay on the screen."""
    with landscape(tmp_path, 3, ("aiotic",), common='conflict = "review"\n') as land:
        land.run()
        number = str(land.row(1)["number"])
        land.twin("aiotic").edit(number, email="geheim.dort@example.com")
        land.sql("UPDATE customers SET email = 'geheim.hier@example.com' WHERE id = 1")
        land.run(scan=True)
        item = land.said("review", "list", "--json").data["items"][0]
        answer = land.said("review", "resolve", str(item["id"]), "--take", "source")

    assert told(answer) == [
        {
            "event": "review.decided",
            "provider": "aiotic",
            "customer_key": "1",
            "review_id": item["id"],
            "kind": "conflict",
            "decision": "take-source",
        }
    ]
    assert not [value for value in VALUES if value in answer.err]


def test_a_backup_is_told(tmp_path: Path) -> None:
    """Who kept the state in another file is on record."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        land.run()
        answer = land.said("db", "backup", str(tmp_path / "kept.db"))
    size = (tmp_path / "kept.db").stat().st_size
    assert told(answer) == [{"event": "operator.acted", "action": "db.backup", "count": size}]
