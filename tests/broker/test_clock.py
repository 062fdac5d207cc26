"""The clock that stands still until it is moved."""

import asyncio
import threading
from functools import partial

import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.clocks.clock import ManualClock


def test_timers_go_off_in_their_order() -> None:
    clock, seen = ManualClock(), []
    clock.call_later(2, lambda: seen.append(("late", clock.time())))
    clock.call_later(1, lambda: seen.append(("early", clock.time())))

    clock.advance(3)

    assert [("early", 1.0), ("late", 2.0)] == seen
    assert 3.0 == clock.time()


def test_timer_that_is_taken_back_does_not_go_off() -> None:
    clock, seen = ManualClock(), []
    timer = clock.call_later(1, lambda: seen.append("no"))

    timer.cancel()
    clock.advance(2)

    assert [] == seen


def test_timers_set_on_the_way_go_off_on_the_way() -> None:
    clock, seen = ManualClock(), []
    clock.call_later(1, lambda: clock.call_later(1, lambda: seen.append(clock.time())))

    clock.advance(5)

    assert [2.0] == seen


def test_calendar_moves_along() -> None:
    clock = ManualClock(timestamp=1000.0)

    clock.advance(60)

    assert 1060.0 == clock.timestamp()


def test_clock_does_not_go_back() -> None:
    clock = ManualClock()
    clock.advance(2)

    with pytest.raises(ValueError, match="seconds is -1; expected a number of seconds from 0 on"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="seconds is nan"):
        clock.advance(float("nan"))
    assert 2.0 == clock.time()


def test_what_falls_due_is_done_in_the_thread_of_the_broker() -> None:
    clock, seen = ManualClock(), []
    with FakeBroker(clock=clock) as broker:
        timers = broker._node.clock
        timers.call_later(5, lambda: seen.append(threading.current_thread().name))

        clock.advance(5)

        assert ["ammoo-fakebroker"] == seen


def test_several_brokers_run_on_one_clock() -> None:
    clock, seen = ManualClock(), []
    clock.advance(1)
    with FakeBroker(clock=clock) as first, FakeBroker(clock=clock) as second:
        first._node.clock.call_later(2, lambda: seen.append(("first", first._node.clock.time())))
        second._node.clock.call_later(1, lambda: seen.append(("second", second._node.clock.time())))

        second.advance(5)

        assert [("second", 2.0), ("first", 3.0)] == seen
        assert [6.0] * 3 == [clock.time(), first._node.clock.time(), second._node.clock.time()]


def test_each_broker_has_the_time_of_the_earlier_deadline_of_another() -> None:
    clock, seen = ManualClock(), []
    with FakeBroker(clock=clock) as first, FakeBroker(clock=clock) as second:
        clock.call_later(1, lambda: seen.append(("clock", first._node.clock.time())))
        first._node.clock.call_later(3, partial(seen.append, ("first", 3)))
        second._node.clock.call_later(2, partial(seen.append, ("second", 2)))
        first._node.clock.call_later(2.5, lambda: seen.append(("look", second._node.clock.time())))

        clock.advance(5)

        assert [("clock", 0.0), ("second", 2), ("look", 2.0), ("first", 3)] == seen


def test_broker_starts_with_the_time_of_its_clock_and_ends_with_it() -> None:
    clock = ManualClock()
    broker = FakeBroker(clock=clock)
    clock.advance(7)
    with broker:
        assert 7.0 == broker._node.clock.time()

    clock.advance(1)

    assert 7.0 == broker._node.clock.time()
    assert 8.0 == clock.time()


async def test_broker_in_the_running_loop_moves_with_its_clock() -> None:
    clock = ManualClock()
    async with FakeBroker(clock=clock) as broker:
        clock.advance(3)
        assert 3.0 == broker._node.clock.time()

        await asyncio.to_thread(clock.advance, 4)

        assert 7.0 == broker._node.clock.time()


async def test_clock_that_a_thread_moves_is_not_moved_in_the_loop_that_the_thread_needs() -> None:
    """Both would wait for each other."""
    clock, is_moving, may_go_on = ManualClock(), threading.Event(), threading.Event()

    def move() -> None:
        is_moving.set()
        may_go_on.wait()

    clock.call_later(1, move)
    async with FakeBroker(clock=clock):
        moving = asyncio.create_task(asyncio.to_thread(clock.advance, 2))
        await asyncio.to_thread(is_moving.wait)

        with pytest.raises(RuntimeError, match=r"await asyncio\.to_thread\(clock\.advance, …\)"):
            clock.advance(1)

        may_go_on.set()
        await moving
        await asyncio.to_thread(clock.advance, 1)
    assert 3.0 == clock.time()
