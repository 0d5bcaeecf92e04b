"""Every error that crosses a module border, named for the decision its catcher makes.

    SyncdError
    ├── SettingsError          exit 2: a list of problems, each with place, reason and remedy
    ├── UsageError             exit 2: the command cannot do this; says which one can
    ├── SetupNeeded            exit 2: triggers or a schema are missing; carries the command that makes them
    ├── SafetyStop             exit 6: going on could do damage (a restored or copied database); nothing was written
    ├── SourceUnreachable      exit 7: the source database does not answer or refuses us
    ├── StateUnreachable       exit 7: the state database does not answer or is full
    ├── LeaseHeld              exit 8: another instance is at work
    ├── LeaseLost              exit 8: another instance took over meanwhile: stop, write nothing more
    ├── AlreadyLinked          another customer's mapping holds this external id or key; nothing was written
    ├── Stopped                the process was asked to end: take no new work
    └── ProviderError          one request to one provider
        ├── Temporary          certainly not executed; try again later (retry_after in seconds where known)
        │   └── Throttled      429: the whole lane waits
        ├── Rejected           the provider's rules refuse this customer until it changes (field, reason)
        │   └── Taken          another remote already has this key, VAT number, e-mail ... (external_id where told)
        ├── NotFound           no such remote, by the API's own words
        ├── Stale              the record changed since it was read (409, 412 about this record): look again
        ├── Unauthorized       pauses the lane, never the customer
        └── OutcomeUnknown     the request left and no readable, matching answer came back

Messages never hold a customer's values: they name fields, statuses and rules.
"""

from __future__ import annotations

from typing import NamedTuple


class SyncdError(Exception):
    """Root of the tree; `remedy` is the command a person types next."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Problem(NamedTuple):
    """One thing that is wrong: where, why, and what to do."""

    place: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" + (f" {self.remedy}" if self.remedy else "")


class SettingsError(SyncdError):
    """All problems of a settings file at once, never only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class UsageError(SyncdError):
    """The command cannot do what was asked."""


class SetupNeeded(SyncdError):
    """Triggers or a schema are missing, altered or of another revision."""


class SafetyStop(SyncdError):
    """Going on could destroy data; nothing was written."""


class SourceUnreachable(SyncdError):
    """The source database does not answer, or refuses the account."""


class StateUnreachable(SyncdError):
    """The state database does not answer, is locked for too long, or is full."""


class LeaseHeld(SyncdError):
    """Another instance holds the lease of a lane, or the lock of a SQLite state."""


class LeaseLost(SyncdError):
    """Another instance took over; values that this process still holds in memory must not be stored."""


class AlreadyLinked(SyncdError):
    """Two customers would share one remote; nothing was written. `external_id` is the identifier that is taken."""

    def __init__(self, external_id: str, holder_key: str) -> None:
        super().__init__(f"{external_id} is linked to customer {holder_key}")
        self.external_id = external_id
        self.holder_key = holder_key


class Stopped(SyncdError):
    """The process was asked to end (SIGTERM, Ctrl-C); no new look begins."""


class ProviderError(SyncdError):
    """One request to one provider failed.

    `status` is the HTTP status where there was one; `retry_after` is in seconds.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Temporary(ProviderError):
    """Certainly not executed: refused connection, DNS, TLS, 429, or a failed read."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class Throttled(Temporary):
    """The provider asks for fewer requests: the whole lane waits, and the pair has used up no attempt."""


class Rejected(ProviderError):
    """The provider's rules refuse this customer; sending it again unchanged is useless."""

    def __init__(self, field: str, reason: str, *, status: int | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason, status=status)
        self.field = field
        self.reason = reason


class Taken(Rejected):
    """Another remote already carries this unique value; never overwrite it."""

    def __init__(self, field: str, reason: str, *, external_id: str | None = None, status: int | None = None) -> None:
        super().__init__(field, reason, status=status)
        self.external_id = external_id


class NotFound(ProviderError):
    """The provider says that this id does not exist. A 404 proves that only by the API's own words: behind a wrong
    `url` every request gets one."""


class Stale(ProviderError):
    """This record changed since it was read, so nothing was written. The pair reads it again and has used up no
    attempt."""


class Unauthorized(ProviderError):
    """Credentials, tenant, licence or scope refused: every customer would fail the same way."""


class OutcomeUnknown(ProviderError):
    """The request left, and its outcome is unknown."""
