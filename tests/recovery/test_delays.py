"""The delays between rounds: jittered, growing with the outage, capped."""

import math
from random import Random
from typing import Any

import pytest

from ammoo import Recovery
from ammoo.recovery.delays import Outage


def longest(max_delay: float = 30.0) -> Outage:
    """Make an outage whose delays are their bounds."""
    outage = Outage(max_delay, lambda: 1.0)
    outage.lost(100.0)
    return outage


def test_first_round_comes_within_a_fifth_of_a_second() -> None:
    assert 0.2 == longest().next_delay(100.0)


@pytest.mark.parametrize(
    ("age", "bound"), [(0.5, 0.1), (2.0, 0.1), (10.0, 0.1), (100.0, 1.0), (10_000.0, 30.0)]
)
def test_bound_of_later_rounds_is_a_hundredth_of_the_outage(age: float, bound: float) -> None:
    outage = longest()
    outage.next_delay(100.0)

    assert bound == outage.next_delay(100.0 + age)


def test_bound_is_capped_by_the_option() -> None:
    outage = longest(max_delay=0.05)

    assert (0.05, 0.05) == (outage.next_delay(100.0), outage.next_delay(1000.0))


def rounds(outage: Outage, count: int, seconds: float) -> tuple[list[float], list[float]]:
    """Go through rounds that take so many seconds each; return when each begins to wait, and how long."""
    now, begins, delays = 0.0, [], []
    for _ in range(count):
        begins.append(now)
        delays.append(outage.next_delay(now))
        now += delays[-1] + seconds
    return begins, delays


def test_twenty_rounds_of_a_server_that_refuses_stay_within_their_bounds() -> None:
    outage = Outage(0.3, Random(14).random)
    outage.lost(0.0)

    begins, delays = rounds(outage, 20, seconds=2.0)

    bounds = [0.2, *(min(max(0.1, 0.01 * begin), 0.3) for begin in begins[1:])]
    assert all(0 <= delay < bound for delay, bound in zip(delays, bounds, strict=True))
    assert 0.3 == bounds[-1]
    assert 20 == len(set(delays))
    assert 20 == outage.attempt


def open_for_a_second(outage: Outage, now: float) -> int:
    outage.next_delay(now)
    outage.opened(now)
    outage.lost(now + 1)
    return outage.attempt


def test_connection_that_is_lost_again_soon_continues_the_outage() -> None:
    outage = longest()

    assert [1, 2, 3] == [open_for_a_second(outage, now) for now in (101.0, 103.0, 105.0)]


def test_connection_that_was_stable_begins_anew() -> None:
    outage = longest()
    outage.next_delay(100.0)
    outage.opened(101.0)

    outage.lost(111.0)

    assert (0, 0.2) == (outage.attempt, outage.next_delay(111.0))


def test_first_loss_begins_an_outage_however_soon_it_comes() -> None:
    outage = Outage(30.0, lambda: 1.0)
    outage.opened(5000.0)
    outage.lost(5001.0)
    outage.next_delay(5001.0)

    assert 0.1 == outage.next_delay(5002.0)


def test_connection_that_is_lost_at_once_inherits_the_age_of_the_outage() -> None:
    outage = longest()
    outage.next_delay(100.0)
    outage.opened(200.0)

    outage.lost(200.5)  # half a second makes up for five

    assert 95.0 == outage.age(200.5)
    assert pytest.approx(0.95) == outage.next_delay(200.5)


def test_connection_that_was_open_for_a_while_pays_for_the_outage() -> None:
    outage = longest()
    outage.next_delay(100.0)
    outage.opened(115.0)

    outage.lost(117.0)

    assert (1, 0.1) == (outage.attempt, outage.next_delay(117.0))


def test_stable_takes_two_heartbeats_where_they_are_long() -> None:
    outage = longest()
    outage.next_delay(100.0)
    outage.opened(101.0)

    outage.lost(150.0, heartbeat_interval=60)

    assert 1 == outage.attempt


def test_three_slow_rounds_take_thirty_seconds_on_the_average() -> None:
    outage = Outage(30.0, lambda: 0.5)
    outage.lost(0.0)

    assert 30.0 == sum(outage.next_delay(0.0, slowly=True) for _ in range(3))


# --- the options ---


@pytest.mark.parametrize("option", ["deadline", "max_delay", "consumer_grace"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_time_that_is_negative_or_no_number_is_refused(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{option} is {value!r}; expected seconds, 0 or more"):
        Recovery(**{option: value})  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("option", ["max_attempts", "max_waiting", "max_waiting_bytes"])
def test_negative_count_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is -1; expected a number, 0 or more"):
        Recovery(**{option: -1})  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("option", ["deadline", "max_waiting"])
@pytest.mark.parametrize("value", ["5", True])
def test_option_that_is_no_number_is_refused(option: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{option} is {value!r}; expected"):
        Recovery(**{option: value})  # type: ignore[arg-type]  # the mistake


def test_bounds_may_be_infinite() -> None:
    recovery: Any = Recovery(max_waiting=math.inf, max_waiting_bytes=math.inf)

    assert (math.inf, math.inf) == (recovery.max_waiting, recovery.max_waiting_bytes)


def test_unknown_on_error_is_refused() -> None:
    with pytest.raises(
        ValueError, match="on_error is 'ignore'; expected 'skip', 'retry' or 'fail'"
    ):
        Recovery(on_error="ignore")  # type: ignore[arg-type]  # the mistake


def test_options_show_themselves() -> None:
    assert "deadline=3.0" in repr(Recovery(deadline=3.0))
