"""The window: bounded by count and octets, first come first served, no place lost."""

import asyncio

import pytest

from ammoo.publisher.window import Window
from tests.recovery.until import settle


async def entering(window: Window, *sizes: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(window.enter(size)) for size in sizes]
    await settle()
    return tasks


async def test_window_is_bounded_by_messages() -> None:
    window = Window(2, 100)

    assert [True, True, False] == [window.try_enter(1) for _ in range(3)]


async def test_window_is_bounded_by_octets() -> None:
    window = Window(10, 100)

    assert [True, False, True] == [window.try_enter(size) for size in (60, 60, 40)]


async def test_body_larger_than_the_window_has_room_alone() -> None:
    window = Window(10, 100)

    assert window.try_enter(1000)
    assert not window.try_enter(0)


async def test_places_are_granted_in_order() -> None:
    window = Window(1, 100)
    window.try_enter(0)
    first, second = await entering(window, 0, 0)

    window.leave(0)
    await settle()

    assert (True, False) == (first.done(), second.done())
    window.leave(0)
    await second


async def test_newcomer_does_not_overtake_one_that_waits() -> None:
    window = Window(10, 100)
    window.try_enter(60)
    (large,) = await entering(window, 60)

    assert not window.try_enter(1)

    window.leave(60)
    await large


async def test_large_one_that_gives_up_lets_a_small_one_in() -> None:
    window = Window(10, 100)
    window.try_enter(60)
    large, small = await entering(window, 60, 40)

    large.cancel()
    await small

    assert large.cancelled()
    assert 2 == window.messages


async def test_place_of_one_that_is_cancelled_as_it_is_granted_is_the_next_ones() -> None:
    window = Window(1, 100)
    window.try_enter(0)
    first, second = await entering(window, 0, 0)

    window.leave(0)
    first.cancel()
    await second

    assert first.cancelled()
    assert 1 == window.messages


async def test_window_fails_for_all_that_wait() -> None:
    window = Window(1, 100)
    window.try_enter(0)
    tasks = await entering(window, 0, 0)

    window.fail(lambda: ValueError("over"))
    errors = await asyncio.gather(*tasks, return_exceptions=True)

    assert ["over", "over"] == [str(error) for error in errors]
    assert 0 == window.waiting


async def test_waiter_that_is_cancelled_as_the_window_fails_takes_no_place() -> None:
    window = Window(1, 100)
    window.try_enter(0)
    (task,) = await entering(window, 0)

    window.fail(lambda: ValueError("over"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert 1 == window.messages
