"""A lane: its pace, its breaker, its lease and its threads, on a clock that only moves when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import Pair, Work
from syncd.errors import LeaseLost, Stopped
from syncd.lanes import Lane, LanePaused, Pace, drain, together
from syncd.lanes.pace import BUDGET_CAP
from syncd.lanes.processor import Cpu
from tests.clock import VirtualClock

GET, PUT = "GET /customers/{id}", "PUT /customers/{id}"
MOMENT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def a_lane(clock: VirtualClock, pace: Pace | None = None, **more: Any) -> Lane:
    """A lane without jitter and with a lease that is always ours."""
    settled: dict[str, Any] = {"concurrency": 1, "timeout": 30.0, "jitter": lambda: 0.5}
    return Lane("billbee", clock, pace or Pace(None), stop=threading.Event(), **(settled | more))


def due(*keys: str) -> list[Work]:
    """Due pairs of these customers."""
    return [Work(Pair("billbee", key), number, "changed", MOMENT, MOMENT) for number, key in enumerate(keys, 1)]


def quota(limit: float, remaining: float, **more: str) -> dict[str, str]:
    """Headers as the providers send them."""
    return {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining), **more}


# -- pace ------------------------------------------------------------------------------------------------------------


def departures(pace: Pace, requests: int, endpoint: Callable[[int], str] = lambda _: GET) -> list[float]:
    """When so many requests leave, each asked for as soon as the one before has left."""
    now, left = 0.0, []
    for number in range(requests):
        now += pace.reserve(endpoint(number), now)
        left.append(now)
    return left


@given(st.integers(1, 60), st.integers(1, 60))
def test_no_window_holds_more_than_the_limit(limit: int, seconds: int) -> None:
    """`limit` requests in `seconds`: a lane that runs flat out keeps that in every window, wherever it begins."""
    left = departures(Pace(limit / seconds), 150)

    for index, start in enumerate(left):
        inside = sum(1 for moment in left[index:] if moment < start + seconds)
        assert inside <= limit


def test_a_pause_saves_nothing_up() -> None:
    """After an idle hour two requests still leave one interval apart: no burst."""
    pace = Pace(2.0)
    departures(pace, 3)

    assert pace.reserve(GET, 3600.0) == 0.0
    assert pace.reserve(GET, 3600.0) == pytest.approx(1 / (2.0 * 0.93))


def test_endpoints_share_what_is_counted_in_sum() -> None:
    """Billbee counts 2 a second for each endpoint and 10 in sum: in no second do more than 10 leave, whoever asks."""
    pace, endpoints = Pace(2.0, per_endpoint=True, in_sum=10.0), [f"GET /{n}" for n in range(8)]
    leaving = sorted(pace.reserve(name, 0.0) for _ in range(12) for name in endpoints)
    windows = [sum(start <= moment < start + 1.0 for moment in leaving) for start in leaving]
    assert 8 <= max(windows) <= 10
    assert leaving[-1] < 13.0
    assert pace.ahead(endpoints[0], 0.0) > 0.0


def test_a_provider_that_counts_by_endpoint_is_paced_by_endpoint() -> None:
    """Two endpoints do not wait for each other where each has its own limit, and do where they share one."""
    own, shared = Pace(2.0, per_endpoint=True), Pace(2.0)

    assert [own.reserve(name, 0.0) for name in (GET, PUT)] == [0.0, 0.0]
    assert shared.reserve(GET, 0.0) == 0.0
    assert shared.reserve(PUT, 0.0) > 0.5


def test_no_limit_is_no_wait() -> None:
    """Without a rate of ours nothing is held back."""
    assert departures(Pace(None), 50) == [0.0] * 50


def test_a_429_halves_the_rate_and_clean_answers_win_it_back() -> None:
    """Slower at once, faster again slowly, and never faster than the settings say."""
    pace = Pace(1.0)
    interval = departures(pace, 2)[1]

    pace.slower()
    slow = [pace.reserve(GET, 100.0) for _ in range(2)][1]
    for _ in range(50):
        pace.faster()
    back = [pace.reserve(GET, 200.0) for _ in range(2)][1]

    assert slow == pytest.approx(2 * interval)
    assert back == pytest.approx(interval)


def test_a_scarce_quota_is_spread_over_its_interval() -> None:
    """JTL: 5 of 30 left in 45 s means four more in 45 s, not thirty; one stays to spare."""
    pace = Pace(None)
    pace.learn(GET, quota(30, 5, **{"x-ratelimit-interval-length-seconds": "45"}), 0.0, MOMENT)

    left = departures(pace, 4)

    assert left[-1] >= 3 * 45 / 4
    assert left[-1] < 45.0


def test_a_full_quota_slows_nobody_down() -> None:
    """More than half left: the pace of the settings is enough, also after a scarce moment."""
    pace = Pace(None)
    pace.learn(GET, quota(30, 2, **{"x-ratelimit-interval-length-seconds": "45"}), 0.0, MOMENT)
    pace.learn(GET, quota(30, 25, **{"x-ratelimit-interval-length-seconds": "45"}), 1.0, MOMENT)

    assert departures(pace, 10) == [0.0] * 10


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-interval-length-seconds": "45"}, 45.0),
        ({"x-ratelimit-reset": str(int(MOMENT.timestamp()) + 20)}, 20.0),
        ({"x-ratelimit-reset": str(int(MOMENT.timestamp()) + 20), "date": "Mon, 02 Mar 2026 08:00:05 GMT"}, 15.0),
        ({"x-ratelimit-reset": str(int(MOMENT.timestamp()) - 20)}, 1.0),
        ({"x-ratelimit-reset": str(int(MOMENT.timestamp()) + 20), "date": "yesterday"}, 20.0),
        ({}, 60.0),
        ({"x-ratelimit-interval-length-seconds": "1e12"}, 3600.0),
        ({"x-ratelimit-interval-length-seconds": "nan"}, 60.0),
    ],
)
def test_an_empty_quota_waits_for_its_reset(headers: dict[str, str], wait: float) -> None:
    """Nothing left: the next request waits for the reset, told as a length or as a moment of the provider's clock."""
    pace = Pace(None)
    pace.reserve(GET, 0.0)
    pace.learn(GET, quota(60, 0, **headers), 0.0, MOMENT)

    assert pace.reserve(GET, 0.0) == pytest.approx(wait)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-limit": "60"},
        {"x-ratelimit-remaining": "0"},
        quota(0, 0),
        {"x-ratelimit-limit": "inf", "x-ratelimit-remaining": "0"},
        {"x-ratelimit-limit": "sixty", "x-ratelimit-remaining": "none"},
        {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "-1"},
    ],
)
def test_nonsense_teaches_nothing(headers: dict[str, str]) -> None:
    """Headers that are missing or mean nothing leave the pace as it is."""
    pace = Pace(None)
    pace.learn(GET, headers, 0.0, MOMENT)

    assert departures(pace, 5) == [0.0] * 5


def test_a_request_waits_for_its_slot_and_is_counted() -> None:
    """`admit` waits until the slot comes, and counts what left."""
    clock = VirtualClock()
    lane = a_lane(clock, Pace(0.5))

    for _ in range(3):
        lane.admit(GET)

    assert clock.elapsed == pytest.approx(2 / (0.5 * 0.93))
    assert (lane.calls, lane.trace.requests) == (3, 3)


# -- breaker ---------------------------------------------------------------------------------------------------------


def fail(lane: Lane, times: int) -> None:
    """So many failures in a row."""
    for _ in range(times):
        lane.failed("answered 503")


def test_a_503_that_says_when_is_believed() -> None:
    """The whole lane waits as long as the provider asks; without a word, or with nonsense, it counts as any failure."""
    clock = VirtualClock()
    lane = a_lane(clock)

    lane.observe(GET, 503, {})
    lane.observe(GET, 503, {"retry-after": "soon"})
    silent = lane.paused_until()
    lane.observe(GET, 503, {"retry-after": "120"})
    lane.failed("answered 503")

    assert silent is None
    assert lane.breaker.state == "throttled"
    until = lane.paused_until()
    assert until is not None
    assert 120.0 <= (until - clock.now()).total_seconds() <= 132.0


def test_five_failures_in_a_row_open_the_breaker() -> None:
    """Four are bad luck; the fifth stops the lane for half a minute, and no request leaves in between."""
    clock = VirtualClock()
    lane = a_lane(clock)

    fail(lane, 4)
    lane.admit(GET)
    lane.failed("answered 503")

    assert lane.breaker.state == "down"
    assert lane.paused_until() == clock.now() + timedelta(seconds=30)
    with pytest.raises(LanePaused):
        lane.admit(GET)
    assert lane.calls == 1


def test_a_success_forgets_failures_in_a_row() -> None:
    """Four failures, a success, four failures: the provider is not down."""
    lane = a_lane(VirtualClock())

    fail(lane, 4)
    lane.succeeded()
    fail(lane, 4)

    assert lane.breaker.state == "ok"


def test_half_of_twenty_open_the_breaker() -> None:
    """Every second request failing is down, too, though never five in a row."""
    lane = a_lane(VirtualClock())
    for number in range(19):
        (lane.succeeded if number % 2 else lambda: lane.failed("answered 502"))()
    assert lane.breaker.state == "ok"

    lane.succeeded()
    lane.failed("answered 502")

    assert lane.breaker.state == "down"


def test_the_pause_doubles_up_to_ten_minutes() -> None:
    """Each probe that fails doubles the pause; the first answer closes the breaker and forgets."""
    clock = VirtualClock()
    lane = a_lane(clock)
    pauses = []
    fail(lane, 5)
    for _ in range(7):
        until = lane.paused_until()
        assert until is not None
        pauses.append((until - clock.now()).total_seconds())
        assert not lane.needs_probe()
        clock.advance(pauses[-1])
        assert lane.needs_probe()
        lane.failed("answered 503")

    assert pauses == [30, 60, 120, 240, 480, 600, 600]

    clock.advance(600)
    lane.succeeded()
    fail(lane, 5)
    assert lane.paused_until() == clock.now() + timedelta(seconds=30)


def test_requests_that_left_before_do_not_double_the_pause() -> None:
    """Ten requests under way when the breaker opens fail as well: that is one outage, not six."""
    clock = VirtualClock()
    lane = a_lane(clock)

    fail(lane, 12)

    assert lane.breaker.opened == 1
    assert lane.paused_until() == clock.now() + timedelta(seconds=30)


def test_a_probe_passes_the_open_breaker_alone() -> None:
    """The one cheap call goes through; everybody else is still refused."""
    clock = VirtualClock()
    lane = a_lane(clock)
    fail(lane, 5)

    lane.probe(lambda: lane.admit(GET))

    assert lane.calls == 1
    with pytest.raises(LanePaused):
        lane.admit(GET)


def test_refused_credentials_stop_the_lane_at_once() -> None:
    """One 401 is enough; then one probe every quarter of an hour."""
    clock = VirtualClock()
    lane = a_lane(clock)

    lane.refused("the key is not accepted")

    assert (lane.breaker.state, lane.paused_until()) == ("blocked", clock.now() + timedelta(seconds=900))
    clock.advance(900)
    assert lane.needs_probe()
    lane.succeeded()
    assert lane.breaker.state == "ok"


def test_a_429_is_nobodys_fault() -> None:
    """However many, they open nothing: the lane waits as told and goes on, without a probe."""
    clock = VirtualClock()
    lane = a_lane(clock)
    for _ in range(10):
        lane.throttled(60)
        clock.advance(100)

    assert (lane.breaker.state, lane.breaker.failures, lane.paused_until()) == ("throttled", 0, None)
    assert not lane.needs_probe()
    lane.failed("answered 503")
    assert lane.breaker.state == "throttled"
    lane.succeeded()
    assert lane.breaker.state == "ok"


@pytest.mark.parametrize(("asked", "least", "most"), [(60, 60, 66), (None, 2, 2.2), (0, 1, 1.1), (10**6, 3600, 3960)])
def test_the_whole_lane_waits_as_told(asked: float | None, least: float, most: float) -> None:
    """Retry-After counts for the lane, never less than told, within a second and an hour."""
    clock = VirtualClock()
    lane = a_lane(clock)

    lane.throttled(asked)

    until = lane.paused_until()
    assert until is not None
    assert least <= (until - clock.now()).total_seconds() <= most


@pytest.mark.parametrize("pause", ["throttled", "refused"])
def test_an_answer_from_before_ends_no_pause(pause: str) -> None:
    """A request that was under way when the provider asked to wait proves nothing by its answer."""
    clock = VirtualClock()
    lane = a_lane(clock, concurrency=2)
    if pause == "throttled":
        lane.throttled(60)
    else:
        lane.refused("401")
    until = lane.paused_until()

    lane.succeeded()

    assert lane.paused_until() == until is not None


def test_requests_on_their_way_halve_the_rate_once() -> None:
    """Four requests that meet one limit are one 429 to the pace; the next one after the pause is another."""
    clock = VirtualClock()
    lane = a_lane(clock, Pace(1.0), concurrency=4)
    usual = departures(Pace(1.0), 2)[1]

    for _ in range(4):
        lane.observe(GET, 429, {})
        lane.throttled(10)
    once = departures(lane.pace, 2)[1]
    clock.advance(20)
    lane.observe(GET, 429, {})

    assert once == pytest.approx(2 * usual)
    assert [lane.pace.reserve(GET, 1000.0) for _ in range(2)][1] == pytest.approx(4 * usual)


def test_the_longer_wait_stands() -> None:
    """Two 429 at once, one without Retry-After: the lane waits for the longer one."""
    clock = VirtualClock()
    lane = a_lane(clock, concurrency=2)

    lane.throttled(60)
    lane.throttled(None)

    assert (lane.paused_until() or clock.now()) >= clock.now() + timedelta(seconds=60)


def test_a_short_wait_is_waited_for_a_long_one_gives_the_thread_back() -> None:
    """Up to two seconds a request waits inside; beyond, its pair goes back unharmed."""
    clock = VirtualClock()
    lane = a_lane(clock)

    lane.throttled(1)
    lane.admit(GET)
    assert 1.0 <= clock.elapsed <= 1.1

    lane.throttled(30)
    with pytest.raises(LanePaused) as refused:
        lane.admit(GET)
    assert refused.value.until == lane.paused_until()


def test_a_clock_set_back_does_not_lengthen_a_pause() -> None:
    """The wall clock set to yesterday must not stop a lane for a day; the next pause counts as ever."""
    clock = VirtualClock()
    lane = a_lane(clock)
    lane.throttled(60)

    clock.step_wall(-86_400)

    assert lane.paused_until() is None
    lane.throttled(60)
    assert lane.paused_until() is not None
    clock.advance(70)
    assert lane.paused_until() is None


def test_a_failure_counts_against_its_customer_only_while_others_get_through() -> None:
    """Before the first answer, and while the lane is paused, a failure says nothing about the pair (26)."""
    clock = VirtualClock()
    lane = a_lane(clock)

    trail = [lane.healthy()]
    lane.succeeded()
    trail.append(lane.healthy())
    lane.failed("answered 500")
    trail.append(lane.healthy())
    fail(lane, 4)
    trail.append(lane.healthy())
    clock.advance(31)
    trail.append(lane.healthy())

    assert trail == [False, True, True, False, False]


def test_retries_are_a_tenth_of_the_traffic() -> None:
    """Ten at once, then one per ten successes or ten seconds."""
    clock = VirtualClock()
    lane = a_lane(clock)

    at_once = sum(lane.may_retry() for _ in range(50))
    for _ in range(55):
        lane.succeeded()
    earned = sum(lane.may_retry() for _ in range(50))
    clock.advance(30)
    trickled = sum(lane.may_retry() for _ in range(50))

    assert (at_once, earned, trickled) == (int(BUDGET_CAP), 5, 3)


def test_the_condition_outlives_the_process() -> None:
    """A restart neither shortens a pause nor forgets how often the breaker opened."""
    clock = VirtualClock()
    before = a_lane(clock)
    before.load("", "c1")
    fail(before, 5)
    clock.advance(30)
    before.failed("answered 503")

    after = a_lane(clock)
    after.load(before.dump(), "c1")

    assert after.breaker == before.breaker
    assert after.paused_until() == clock.now() + timedelta(seconds=60)


def after_a_restart(before: Lane, pace: Pace | None, down: float = 0.0, wall: float = 0.0) -> Lane:
    """The next process's lane, so many seconds later; `wall` sets its wall clock on or back besides."""
    clock = VirtualClock(before.clock.now() + timedelta(seconds=down + wall))
    after = a_lane(clock, pace)
    after.load_pace(before.dump_pace())
    return after


def test_the_slower_pace_outlives_the_process() -> None:
    """A restart is no way round a 429: the rate stays halved, and is won back by clean answers as before."""
    before = a_lane(VirtualClock(), Pace(1.0))
    before.observe(GET, 429, {})
    before.observe(GET, 429, {})

    after = a_lane(VirtualClock(), Pace(1.0))
    usual = departures(Pace(1.0), 2)[1]
    after.load_pace(before.dump_pace())
    slow = departures(after.pace, 2)[1]
    for _ in range(100):
        after.observe(GET, 200, {})
    later = [after.pace.reserve(GET, 1000.0) for _ in range(2)][1]

    assert slow == pytest.approx(4 * usual)
    assert later == pytest.approx(usual)


@pytest.mark.parametrize(("down", "wall", "wait"), [(0, 0, 45), (20, 0, 25), (60, 0, 0), (20, -3600, 45)])
def test_an_empty_quota_is_not_filled_by_a_restart(down: float, wall: float, wait: float) -> None:
    """The reset stays where it was; a wall clock that was set back meanwhile makes nobody wait longer than told."""
    before = a_lane(VirtualClock(), Pace(1.0))
    before.observe(GET, 200, quota(30, 0, **{"x-ratelimit-interval-length-seconds": "45"}))

    after = after_a_restart(before, Pace(1.0), down, wall)

    assert after.pace.reserve(GET, 0.0) == pytest.approx(wait)


@pytest.mark.parametrize(("down", "spread"), [(0, True), (44, True), (46, False)])
def test_a_scarce_quota_stays_scarce_over_a_restart(down: float, spread: bool) -> None:
    """What is left of a quota is spread over what is left of its interval, whoever sends it."""
    before = a_lane(VirtualClock(), Pace(None))
    before.observe(GET, 200, quota(30, 5, **{"x-ratelimit-interval-length-seconds": "45"}))

    after = after_a_restart(before, Pace(None), down)

    assert (departures(after.pace, 2)[1] > 10.0) is spread


def test_a_restart_grants_no_new_repeats() -> None:
    """The budget of repeats goes on as it was, with what trickled in while nobody was there."""
    before = a_lane(VirtualClock())
    assert sum(before.may_retry() for _ in range(50)) == int(BUDGET_CAP)

    assert not after_a_restart(before, None).may_retry()
    again = after_a_restart(before, None, down=31.0)
    assert sum(again.may_retry() for _ in range(50)) == 3


def test_what_is_known_here_is_not_forgotten_for_what_was_kept() -> None:
    """Read again by the same process, what was written earlier makes the lane neither faster nor richer."""
    lane = a_lane(VirtualClock(), Pace(1.0))
    kept = lane.dump_pace()
    lane.observe(GET, 429, {})
    while lane.may_retry():
        pass

    lane.load_pace(kept)

    assert departures(lane.pace, 2)[1] == pytest.approx(2 / 0.93)
    assert not lane.may_retry()


def test_other_credentials_end_a_block_and_nothing_else() -> None:
    """A new key is tried at once; an outage or a 429 is not over for that."""
    clock = VirtualClock()
    states = {}
    for name, pause in (("blocked", "refused"), ("down", "failed"), ("throttled", "throttled")):
        lane = a_lane(clock)
        lane.load("", "c1")
        for _ in range(5 if pause == "failed" else 1):
            getattr(lane, pause)(60 if pause == "throttled" else "no")
        again = a_lane(clock)
        again.load(lane.dump(), "c2")
        states[name] = (again.breaker.state, again.breaker.credentials)

    assert states == {"blocked": ("ok", "c2"), "down": ("down", "c2"), "throttled": ("throttled", "c2")}


def test_every_change_of_condition_is_told_once() -> None:
    """Whoever keeps the condition hears of each pause and of the first success after it."""
    told: list[str] = []
    clock = VirtualClock()
    lane = a_lane(clock, on_state=told.append)

    lane.succeeded()
    fail(lane, 5)
    clock.advance(31)
    lane.succeeded()
    lane.succeeded()

    assert told == ["down", "ok"]


# -- lease -----------------------------------------------------------------------------------------------------------


def test_no_request_leaves_without_the_lease() -> None:
    """A third of the lease goes unasked; then it is renewed before the request, and a lost one stops it (27)."""
    clock = VirtualClock()
    asked: list[float] = []
    ours = [True]

    def keep() -> bool:
        asked.append(clock.elapsed)
        return ours[0]

    lane = a_lane(clock, keep=keep, lease=90.0)
    for pause in (0, 29, 2, 29, 2):
        clock.advance(pause)
        lane.admit(GET)
    assert asked == [31, 62]

    ours[0] = False
    clock.advance(31)
    with pytest.raises(LeaseLost):
        lane.admit(GET)
    assert lane.calls == 5


def test_a_process_that_slept_asks_before_it_goes_on() -> None:
    """Woken long after the lease ran out, the lane goes on only if nobody took over (34)."""
    clock = VirtualClock()
    lane = a_lane(clock, keep=lambda: True)
    clock.advance(10_000)
    lane.admit(GET)

    lane.keep = lambda: False
    clock.advance(10_000)
    with pytest.raises(LeaseLost):
        lane.admit(GET)


def test_a_renewal_that_took_too_long_is_none() -> None:
    """A database that answers after a minute leaves no time for a request within the lease."""
    clock = VirtualClock()

    def slow() -> bool:
        clock.advance(60)
        return True

    lane = a_lane(clock, keep=slow, lease=90.0)
    clock.advance(40)

    with pytest.raises(LeaseLost):
        lane.admit(GET)


def test_a_lease_lost_while_waiting_stops_the_request() -> None:
    """A slow pace must not outlast the lease: it is asked for again before the request leaves."""
    clock = VirtualClock()
    lane = a_lane(clock, Pace(0.01), keep=lambda: False, lease=90.0)
    lane.admit(GET)

    with pytest.raises(LeaseLost):
        lane.admit(GET)
    assert lane.calls == 1


def test_a_partly_acknowledged_write_is_known_as_such() -> None:
    """After one 2xx of a write, "not executed" is no longer true; readings and refusals acknowledge nothing."""
    lane = a_lane(VirtualClock())
    trail = []
    for endpoint, status in ((GET, 200), (PUT, 503), (PUT, 422), (PUT, 200)):
        lane.trace.begin_write(None)
        lane.observe(endpoint, status, {})
        trail.append(lane.trace.acknowledged)

    assert trail == [False, False, False, True]


# -- threads ---------------------------------------------------------------------------------------------------------


class Desk:
    """A stack of due pairs that remembers who handled which, and what was under way together.

    Nobody ends before `company` pairs were under way together."""

    def __init__(self, keys: Sequence[str], chunk: int = 2, company: int = 0) -> None:
        self.left = due(*keys)
        self.chunk = chunk
        self.handled: list[str] = []
        self.threads: set[str] = set()
        self.together = 0
        self.twice: list[str] = []
        self._busy: list[str] = []
        self._lock = threading.Condition()
        self.company = company

    def take(self, busy: frozenset[str]) -> list[Work]:
        """The next free pairs."""
        free = [work for work in self.left if work.pair.key not in busy][: self.chunk]
        for work in free:
            self.left.remove(work)
        return free

    def handle(self, batch: Sequence[Work]) -> None:
        """Handle no sooner than there is company."""
        keys = [work.pair.key for work in batch]
        with self._lock:
            self.twice += [key for key in keys if key in self._busy]
            self._busy += keys
            self.together = max(self.together, len(self._busy))
            self.threads.add(threading.current_thread().name)
            self._lock.notify_all()
        with self._lock:
            self._lock.wait_for(lambda: self.together >= self.company, 20)
            for key in keys:
                self._busy.remove(key)
            self.handled += keys


def test_one_thread_works_in_the_callers() -> None:
    """With a concurrency of one nothing is handed over: a simulation stays deterministic."""
    desk = Desk([str(number) for number in range(7)])

    done = drain(a_lane(VirtualClock()), desk.take, desk.handle)

    assert (done, desk.handled) == (7, [str(number) for number in range(7)])
    assert desk.threads == {threading.current_thread().name}


def test_the_same_customer_is_never_in_two_threads() -> None:
    """Marks of one customer wait for each other; different customers do not."""
    desk = Desk([str(number % 6) for number in range(60)], chunk=1, company=2)

    done = drain(a_lane(VirtualClock(), concurrency=4), desk.take, desk.handle)

    assert (done, len(desk.handled), desk.twice) == (60, 60, [])
    assert 1 < desk.together <= 4


def test_groups_come_in_the_order_in_which_they_were_taken() -> None:
    """A group that waits for its turn comes after all that were taken before it, though those are slower; one that
    ends without asking for its turn holds up nobody."""
    lane = a_lane(VirtualClock(), concurrency=3)
    desk = Desk([str(number) for number in range(9)], chunk=1)
    begun = [threading.Event() for _ in range(9)]
    came: list[str] = []

    def handle(batch: Sequence[Work]) -> None:
        key = batch[0].pair.key
        begun[int(key)].set()
        if int(key) % 3 == 0:  # the first of three is the slowest
            assert all(later.wait(20) for later in begun[int(key) : int(key) + 3])
        if key == "3":
            return
        lane.turns.come(key)
        came.append(key)
        lane.turns.over(key)

    drain(lane, desk.take, handle)

    assert came == list("01245678")
    assert lane.turns.ahead("8") == 0


def test_a_busy_processor_leaves_a_lane_one_thread_beside_other_lanes() -> None:
    """While two lanes keep this process computing all the time, another thread of either would only get in the way; as
    soon as the process waits for answers again, or one lane has ended, all are back."""
    computed, passed = [0.0], [0.0]
    busy = Cpu(lambda: computed[0], lambda: passed[0])
    lane = a_lane(VirtualClock(), concurrency=4, processor=busy)
    with busy.at_work():
        threads = [lane.threads()]
        with busy.at_work():
            for more, seconds in ((0.2, 0.2), (0.29, 0.1), (0.1, 0.1), (0.1, 0.3), (0.3, 0.3)):
                computed[0] += more
                passed[0] += seconds
                threads.append(lane.threads())
        threads.append(lane.threads())
    assert threads == [4, 4, 1, 1, 4, 1, 4]


def test_one_thread_drains_a_lane_that_shares_a_busy_processor() -> None:
    """A lane of four threads has no two groups at work at once while other lanes leave the processor no time for
    them."""
    busy = Cpu(count().__next__, count().__next__)
    desk = Desk([str(number) for number in range(12)], chunk=1)

    with busy.at_work():
        done = drain(a_lane(VirtualClock(), concurrency=4, processor=busy), desk.take, desk.handle)

    assert (done, desk.together) == (12, 1)


def test_a_lane_that_is_alone_at_work_keeps_its_threads() -> None:
    """However busy the processor is: each group here ends only once another one is at work."""
    busy = Cpu(count().__next__, count().__next__)
    desk = Desk([str(number) for number in range(12)], chunk=1)
    meeting = threading.Barrier(2)

    def handle(batch: Sequence[Work]) -> None:
        meeting.wait(30.0)
        desk.handle(batch)

    assert drain(a_lane(VirtualClock(), concurrency=4, processor=busy), desk.take, handle) == 12


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_limit_is_kept_exactly(concurrency: int) -> None:
    """`--limit 5` handles five pairs, though they are taken by twos."""
    desk = Desk([str(number) for number in range(20)])

    done = drain(a_lane(VirtualClock(), concurrency=concurrency), desk.take, desk.handle, limit=5)

    assert (done, len(desk.handled)) == (5, 5)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_stop_ends_the_drain(concurrency: int) -> None:
    """After the stop signal nothing new begins; what is under way ends."""
    desk = Desk([str(number) for number in range(1000)], chunk=1)
    lane = a_lane(VirtualClock(), concurrency=concurrency)

    def handle(batch: Sequence[Work]) -> None:
        desk.handle(batch)
        if len(desk.handled) >= 5:
            lane.stop.set()

    done = drain(lane, desk.take, handle)

    assert done == len(desk.handled)
    assert 5 <= done <= 5 + concurrency


def test_a_stop_ends_the_wait_for_a_slot() -> None:
    """A request that waits for its pace gives up at once, and was not sent."""
    clock = VirtualClock()
    lane = a_lane(clock, Pace(0.01))
    lane.admit(GET)
    clock.call_later(1.0, lane.stop.set)

    with pytest.raises(Stopped):
        lane.admit(GET)

    assert (clock.elapsed, lane.calls) == (1.0, 1)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_pause_ends_the_drain(concurrency: int) -> None:
    """A lane that is paused takes no further pairs; they stay due."""
    desk = Desk([str(number) for number in range(50)], chunk=1)
    lane = a_lane(VirtualClock(), concurrency=concurrency)

    def handle(batch: Sequence[Work]) -> None:
        lane.throttled(60)
        desk.handle(batch)

    done = drain(lane, desk.take, handle)

    assert done <= concurrency
    assert len(desk.left) == 50 - done


@pytest.mark.parametrize("concurrency", [1, 3])
def test_an_unexpected_error_comes_out(concurrency: int) -> None:
    """An error that no look expects ends the drain and reaches the caller."""
    desk = Desk(["1", "2", "3"])

    def handle(_: Sequence[Work]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drain(a_lane(VirtualClock(), concurrency=concurrency), desk.take, handle)


def test_lanes_run_beside_each_other() -> None:
    """One lane's trouble ends no other; its error comes out when all have ended."""
    meeting, breaking = threading.Barrier(2, timeout=20), threading.Event()
    ended: list[str] = []

    def broken() -> None:
        meeting.wait()
        breaking.set()
        raise ZeroDivisionError

    def fine() -> None:
        meeting.wait()
        breaking.wait(20)
        ended.append("fine")

    with pytest.raises(ZeroDivisionError):
        together([broken, fine])

    assert ended == ["fine"]
