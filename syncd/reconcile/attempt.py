"""Try one call of the adapter: the only place where a provider's error becomes a value.

    error                     value      for the lane                          for the pair
    Taken, Rejected           Refused    answered                              as the look says
    NotFound                  Missing    answered                              as the look says
    Unauthorized              Failure    blocked until a probe gets through    stays due as it is
    Throttled                 Failure    waits as the provider asks            stays due as it is
    Outdated                  Stale      -                                     read again, with its slot in hand
    errors.Stale (409, 412)   Stale      answered                              looked at again; from the second in a
                                                                               row on, tried again later
    LanePaused, Stopped       Failure    paused already, or asked to end       stays due as it is
    Temporary                 Failure    one more failure, or a wait where     tried again later
                                         the provider asks for one
    OutcomeUnknown            Failure    one more failure                      settles, or is read again
    any other ProviderError   Failure    -                                     tried again later

`LeaseLost` and the errors of source and state are not caught here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from syncd import errors
from syncd.core.effects import Failure, Missing, Refused, Stale
from syncd.errors import (
    NotFound,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Stopped,
    SyncdError,
    Taken,
    Temporary,
    Throttled,
    Unauthorized,
)
from syncd.lanes import LanePaused, Outdated
from syncd.reconcile.route import Route

T = TypeVar("T")
POISONOUS = 3  # after this many attempts, a pair's failures do not count against its provider


def attempt(route: Route, attempts: int, call: Callable[[], T]) -> T | Refused | Missing | Stale | Failure:
    """The call's answer, or its error as a value. `attempts`: how many attempts the pair has used up."""
    try:
        return call()
    except Taken as taken:
        return Refused(taken.field, taken.reason, taken=True, holder=taken.external_id or "")
    except Rejected as refused:
        return Refused(refused.field, refused.reason)
    except NotFound as absent:
        return Missing(reason=absent.message)
    except Unauthorized as error:
        route.lane.refused(error.message)
        return _of_the_lane(error)
    except Throttled as error:
        route.lane.throttled(error.retry_after)
        return _of_the_lane(error)
    except Outdated:
        return Stale()
    except errors.Stale as error:
        return Stale(why=Failure("Stale", error.message, counts=True, jitter=route.jitter()))
    except (LanePaused, Stopped) as error:
        return _of_the_lane(error)
    except (Temporary, OutcomeUnknown) as error:
        return _of_the_pair(route, attempts, error)
    except ProviderError as error:
        return Failure(type(error).__name__, error.message, counts=route.lane.healthy(), jitter=route.jitter())


def _of_the_lane(error: SyncdError) -> Failure:
    return Failure(type(error).__name__, error.message, mine=False)


def _of_the_pair(route: Route, attempts: int, error: Temporary | OutcomeUnknown) -> Failure:
    """A failure of one pair. It counts as an attempt where the lane is healthy, because other pairs get through. The
    lane's health is read before this failure is noted where an answer was lost, after it otherwise."""
    unknown, wait = isinstance(error, OutcomeUnknown), getattr(error, "retry_after", None) or 0.0
    counts = route.lane.healthy()
    if wait:
        route.lane.throttled(wait, error.message)
    elif attempts < POISONOUS and not route.reads_only:
        route.lane.failed("an answer was lost" if unknown else error.message)
    counts = counts if unknown else route.lane.healthy()
    name = type(error).__name__
    return Failure(name, error.message, counts=counts, wait=wait, unknown=unknown, jitter=route.jitter())
