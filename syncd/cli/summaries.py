"""One line about every command, for `syncd --help`, which imports no command."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "adopt": "Link what a match report showed.",
        "db": "Create, migrate, copy or back up the state database; show its revision.",
        "demo": "A shop, five sandboxes and a walk through everything. Needs no settings.",
        "doctor": "Check everything, with a remedy for what is wrong.",
        "explain": "Why is this customer as it is, at every provider, field by field?",
        "forget": "Erase a person from the state, leaving a tombstone.",
        "history": "What happened to one customer: when, who, which fields, in which run.",
        "init": "Look at a database and write a commented syncd.toml.",
        "link": "Link a customer to a remote by hand.",
        "links": "The external ids of all linked customers, as CSV or JSON.",
        "mark": "A webhook says which records of a provider changed.",
        "match": "Compare a provider's existing customers with the source. Writes nothing.",
        "pause": "Stop sending to a provider, with a reason and an end.",
        "plan": "What a run would do, field by field. Writes nothing anywhere.",
        "provider": "Rename a provider in the state, or remove what the state has of one.",
        "recover": "Confirm a restored or cloned source or state, and go on.",
        "resume": "Start a paused, blocked or broken-off provider again.",
        "retry": "Make failed customers due now.",
        "review": "Everything that waits for a person: list, show, resolve.",
        "run": "The daemon.",
        "run-once": "One cycle to the end of the due work.",
        "sandbox": "Strict stand-ins of the providers on loopback.",
        "status": "What is wrong now, and the command that mends it.",
        "status-page": "A status page from log lines alone.",
        "sync": "Bring one customer into agreement now.",
        "triggers": "Install, check or remove the change log in the source.",
        "unlink": "Forget the link of one customer at one provider.",
        "verify": "Compare both sides read-only and report what differs.",
    }
)
