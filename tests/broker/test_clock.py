"""The clock that stands still until it is moved."""

from ammoo_fakebroker.clock import ManualClock


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
