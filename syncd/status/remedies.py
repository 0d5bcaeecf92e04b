"""Every state of a pair, a provider or the source, and every kind of question: its sentence, command and exit code.

`status`, `explain`, the status page and README's tables take them from here, so that all say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from syncd.status.codes import OK, PERSON, RETRY, SAFETY, UNREACHABLE, USAGE


class Remedy(NamedTuple):
    """What a state or kind means for a person. `command` may hold {provider}, {key} and {id}, and is empty where nobody
    has to do anything; `code` is the exit code that this state or kind alone gives."""

    sentence: str
    command: str = ""
    code: int = OK

    def typed(self, *, provider: str = "", key: str = "", number: int | str = "") -> str:
        """The command, ready to be copied."""
        return self.command.format(provider=quoted(provider), key=quoted(key), id=number)


_SHOW = "syncd review show {id}"
_EXPLAIN = "syncd explain {key}"
_DOCTOR = "syncd doctor --provider {provider}"

PAIRS: Mapping[str, Remedy] = MappingProxyType(
    {
        "linked": Remedy("Both sides agree."),
        "due": Remedy("Waits for its turn."),
        "excluded": Remedy("Left alone, by the settings or a person's decision."),
        "waiting": Remedy("Waits for a second look or for the rows to come back."),
        "retry": Remedy("The last attempt failed; it is tried again by itself.", _EXPLAIN, RETRY),
        "ambiguous": Remedy("An answer was lost; after the settle time it is looked up.", _EXPLAIN, RETRY),
        "rejected": Remedy("The provider's rules refuse the customer until it changes.", _EXPLAIN, PERSON),
        "dead": Remedy("All attempts failed; the next change or a retry tries again.", "syncd retry {key}", PERSON),
        "review": Remedy("A person must decide.", _SHOW, PERSON),
    }
)

REVIEWS: Mapping[str, Remedy] = MappingProxyType(
    {
        "conflict": Remedy("Both sides changed the same field.", _SHOW, PERSON),
        "no_base": Remedy("Both sides differ and nothing was agreed before.", _SHOW, PERSON),
        "pull_only": Remedy("The source changed a field that only the provider may change.", _SHOW, PERSON),
        "first_seen": Remedy("The provider shows a field for the first time, with another value.", _SHOW, PERSON),
        "read_only": Remedy("The provider changed a field, and the source may not be written.", _SHOW, PERSON),
        "no_row": Remedy("The provider changed a field of a joined row that the customer has not.", _SHOW, PERSON),
        "other_record": Remedy("The provider shows another record or address under this link.", _SHOW, PERSON),
        "erased": Remedy("The provider shows placeholders, or somebody else, under this link.", _SHOW, PERSON),
        "gutted": Remedy("One edit would empty most of this customer.", _SHOW, PERSON),
        "does_not_fit": Remedy("The source's column does not hold the provider's value.", _SHOW, PERSON),
        "renumbered": Remedy("The number changed, and the provider cannot follow.", _SHOW, PERSON),
        "cannot_clear": Remedy("Emptied in the source, and the provider cannot empty it.", _SHOW, PERSON),
        "not_inserted": Remedy("A new customer at the provider does not fit into the source.", _SHOW, PERSON),
        "twice": Remedy("Several records at the provider carry this customer's key.", _SHOW, PERSON),
        "frozen": Remedy("A field swings between two writers and was stopped.", _SHOW, PERSON),
        "remote_gone": Remedy("The provider no longer has this customer.", _SHOW, PERSON),
        "remote_archived": Remedy("Somebody archived this customer at the provider.", _SHOW, PERSON),
        "ambiguous": Remedy("Which record at the provider is this customer's is not certain.", _SHOW, PERSON),
        "unknown_create": Remedy("A create was lost and cannot be looked up.", _SHOW, PERSON),
        "key_taken": Remedy("Another customer has this key at the provider.", _SHOW, PERSON),
        "came_back": Remedy("The customer was removed or left out before and is here again.", _SHOW, PERSON),
        "found": Remedy("The provider has a customer with this key that nobody linked.", _SHOW, PERSON),
        "delete_conflict": Remedy("Deleted in the source, but edited or still needed at the provider.", _SHOW, PERSON),
        "taken": Remedy("The provider has another customer with a value that must be unique.", _SHOW, PERSON),
        "unlinked": Remedy("A person took the link away; nothing happens before the next decision.", _SHOW, PERSON),
        "candidate": Remedy("A record at the provider looks like this customer.", _SHOW, PERSON),
        "adopt": Remedy("First contact: nothing is created before a match report.", "syncd match {provider}", PERSON),
        "guard": Remedy("More changes than a guard allows are held back.", _SHOW, PERSON),
    }
)

PROVIDERS: Mapping[str, Remedy] = MappingProxyType(
    {
        "ok": Remedy("Answers."),
        "throttled": Remedy("Asked us to slow down; goes on by itself."),
        "paused": Remedy("Paused by a person.", "syncd resume {provider}", PERSON),
        "blocked": Remedy("Refuses our credentials; everything for it waits.", _DOCTOR, UNREACHABLE),
        "down": Remedy("Does not answer; everything for it waits.", _DOCTOR, UNREACHABLE),
        "frozen": Remedy("Nothing is written until a person confirms what happened.", "syncd recover", SAFETY),
        "stalled": Remedy("Customers are due and nobody works on them.", "syncd run-once", RETRY),
        "delayed": Remedy("Changes wait for a long time: the provider takes them too slowly.", _DOCTOR, RETRY),
        "vanished": Remedy(
            "In the state, but no longer in the settings.", "syncd provider rename {provider} NEW", PERSON
        ),
        "calls": Remedy("The month's free calls will not last.", _DOCTOR, PERSON),
    }
)

SOURCE: Mapping[str, Remedy] = MappingProxyType(
    {
        "ok": Remedy("Changes are captured."),
        "late": Remedy("Changes wait in the log and nobody takes them.", "syncd run-once", RETRY),
        "triggers": Remedy("Triggers are missing or altered: changes may be lost.", "syncd triggers install", USAGE),
        "settings": Remedy("Table, columns or account are not as the settings say.", "syncd doctor", USAGE),
        "unreachable": Remedy("The source database does not answer.", "syncd doctor", UNREACHABLE),
        "restored": Remedy("Source or state was restored, copied or replaced.", "syncd recover", SAFETY),
    }
)

# Whether a daemon is at work, and whether it could be.
DAEMON: Mapping[str, Remedy] = MappingProxyType(
    {
        "daemon_silent": Remedy(
            "The daemon gives no sign of life: nothing moves.", "systemctl status syncd", UNREACHABLE
        ),
        "daemon_failing": Remedy(
            "The daemon meets an error again and again.", "journalctl -u syncd -n 50", UNREACHABLE
        ),
        "state": Remedy("The state database cannot be written: nothing moves.", "syncd doctor", UNREACHABLE),
    }
)

# What is wrong with this machine, and stops nothing.
MACHINE: Mapping[str, Remedy] = MappingProxyType(
    {
        "clock_off": Remedy("This machine's clock is not the state database's.", "timedatectl", PERSON),
    }
)

# Why a log does not tell the present: only the status page has these.
LOG: Mapping[str, Remedy] = MappingProxyType(
    {
        "silent": Remedy("No recent events: is syncd running?", "systemctl status syncd", UNREACHABLE),
        "ended": Remedy("The daemon was stopped.", "systemctl start syncd", UNREACHABLE),
        "unknown": Remedy("This log holds no status yet.", "syncd status", UNREACHABLE),
        "clock": Remedy("The log is ahead of this machine's clock.", "timedatectl", UNREACHABLE),
    }
)


def review(kind: str) -> Remedy:
    """The remedy of a review item; the guards share one."""
    return REVIEWS["guard"] if kind.startswith("guard_") else REVIEWS.get(kind, PAIRS["review"])


def says_nothing(kind: str, names: Iterable[str], reason: str) -> bool:
    """Whether a reason only repeats kind and fields; the kind's sentence is then shown instead."""
    return reason in {"", f"{', '.join(sorted(names))}: {kind.replace('_', ' ')}"}


def quoted(key: str) -> str:
    """A customer key or a provider's name as one word of a shell command. Keys are the source's own text and may hold
    anything; on a page built from log lines that is true of providers' names, too."""
    plain = key.isascii() and key.replace("-", "").replace("_", "").replace(".", "").isalnum()
    return key if plain and not key.startswith("-") else "'" + key.replace("'", "'\\''") + "'"
