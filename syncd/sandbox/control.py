"""The control API of a sandbox, for other processes: faults, toggles, the log, and what people do at a provider."""

from __future__ import annotations

from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue as Answer

from syncd.sandbox.faults import Fault
from syncd.sandbox.twin import Entry, Record, Refusal, Twin


def add_control(made: Flask, twin: Twin) -> None:
    """Add the routes under `/_control` to an app; they need no credentials, as sandboxes live on loopback."""
    _add_overview(made, twin)
    _add_faults(made, twin)
    _add_behaviour(made, twin)
    _add_records(made, twin)


def _add_overview(made: Flask, twin: Twin) -> None:
    @made.get("/_control")
    def overview() -> Answer:
        return jsonify(
            name=twin.name, toggles=twin.toggles, choices={name: list(values) for name, values in twin.choices.items()},
            records=len(twin.records), requests=len(twin.log), writes=twin.writes(), faults=len(twin.faults.queue),
        )  # fmt: skip

    @made.get("/_control/log")
    def log() -> Answer:
        return jsonify([_shown(entry) for entry in twin.requests()])


def _add_faults(made: Flask, twin: Twin) -> None:
    @made.post("/_control/faults")
    def add_faults() -> Answer:
        body = request.get_json()
        try:
            twin.faults.add(*(Fault(**item) for item in (body if isinstance(body, list) else [body])))
        except (TypeError, ValueError) as error:
            raise Refusal(400, {"error": str(error)}) from None
        return "", 204

    @made.delete("/_control/faults")
    def drop_faults() -> Answer:
        twin.faults.clear()
        return "", 204


def _add_behaviour(made: Flask, twin: Twin) -> None:
    """Add the routes for toggles, for kept connections, for late effects, and for a reset."""

    @made.post("/_control/toggles")
    def toggles() -> Answer:
        try:
            twin.set(**request.get_json())
        except (TypeError, ValueError) as error:
            raise Refusal(400, {"error": str(error)}) from None
        return jsonify(twin.toggles)

    @made.post("/_control/idle")
    def idle() -> Answer:
        seconds = request.get_json().get("seconds")
        if not isinstance(seconds, int | float) or not 0 <= seconds <= 3600:
            raise Refusal(400, {"error": "seconds between 0 and 3600 are needed"})
        twin.idle = seconds
        return "", 204

    @made.post("/_control/reset")
    def reset() -> Answer:
        twin.reset()
        return "", 204

    @made.post("/_control/late")
    def late() -> Answer:
        twin.settle()
        return "", 204


def _add_records(made: Flask, twin: Twin) -> None:
    """Add the routes for edits of records, as people make them at the provider."""

    def record_or_404(external_id: str) -> Record:
        if external_id not in twin.records:
            raise Refusal(404, {"error": "no such record"})
        return twin.records[external_id]

    @made.get("/_control/records")
    def records() -> Answer:
        return jsonify(twin.records)

    @made.route("/_control/records/<path:external_id>", methods=["PUT", "PATCH", "DELETE"])
    def by_hand(external_id: str) -> Answer:
        if request.method == "PUT":
            twin.records[external_id] = request.get_json()
            twin.read_again(external_id)
            return jsonify(twin.records[external_id])
        record_or_404(external_id)
        if request.method == "DELETE":
            del twin.records[external_id]
            twin.read_again(external_id)
            return "", 204
        twin.edit(external_id, **request.get_json())
        return jsonify(twin.records[external_id])

    @made.post("/_control/archive/<path:external_id>")
    def archive(external_id: str) -> Answer:
        if twin.archive is None:
            raise Refusal(405, {"error": "this provider has no archive"})
        twin.archive(twin, record_or_404(external_id))
        twin.read_again(external_id)
        return "", 204


def _shown(entry: Entry) -> dict[str, Any]:
    return {
        "method": entry.method,
        "route": entry.route,
        "keys": list(entry.keys),
        "at": entry.at.isoformat(),
        "status": entry.status,
        "wrote": entry.wrote,
    }
