"""The gate: order, bounds, time-outs, and turns that are passed on."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from ammoo.exceptions import ConnectionLost, NotSent, NotSentInTime
from ammoo.recovery.gate import Gate
from tests.support.clock import LoopClock


class Room:
    """A gate, and what went through it."""

    def __init__(self, max_waiting: int = 10, max_bytes: int = 100) -> None:
        self.passed: list[str] = []
        self.cleared = 0
        self.gate = Gate(max_waiting, max_bytes, self._note_cleared)

    def _note_cleared(self) -> None:
        self.cleared += 1

    async def pass_through(self, name: str, octets: int = 0, seconds: float | None = None) -> None:
        await self.gate.wait(name, octets, seconds)
        self.passed.append(name)

    def begin(self, *names: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.pass_through(name)) for name in names]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_open_gate_is_passed_at_once() -> None:
    room = Room()

    await room.pass_through("a")

    assert ["a"] == room.passed
    assert room.gate.is_clear


async def test_operations_go_on_in_the_order_in_which_they_came() -> None:
    room = Room()
    room.gate.shut()
    tasks = room.begin(*"abcde")
    await settle()
    assert ([], 5) == (room.passed, room.gate.waiting)

    room.gate.open()
    await asyncio.gather(*tasks)

    assert room.passed == list("abcde")
    assert room.gate.is_clear
    assert 1 == room.cleared


async def test_what_comes_while_others_go_on_goes_behind_them() -> None:
    room = Room()
    room.gate.shut()
    tasks = room.begin(*"abc")
    await settle()

    room.gate.open()
    tasks += room.begin("d")
    assert not room.gate.is_clear
    await asyncio.gather(*tasks)

    assert room.passed == list("abcd")


async def test_gate_that_is_shut_again_keeps_the_order() -> None:
    room = Room()
    room.gate.shut()
    tasks = room.begin(*"abc")
    await settle()
    room.gate.open()

    room.gate.shut()  # before the first has gone on
    await settle()
    assert [] == room.passed
    room.gate.open()
    await asyncio.gather(*tasks)

    assert room.passed == list("abc")


async def test_cancelled_operation_never_goes_on() -> None:
    room = Room()
    room.gate.shut()
    tasks = room.begin(*"abc")
    await settle()

    tasks[1].cancel()
    await settle()
    room.gate.open()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert room.passed == list("ac")


async def test_operation_that_is_woken_and_cancelled_passes_its_turn_on() -> None:
    room = Room()
    room.gate.shut()
    tasks = room.begin(*"abc")
    await settle()

    room.gate.open()  # wakes the first
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert room.passed == list("bc")
    assert room.gate.is_clear


async def test_too_many_operations_are_refused_at_once() -> None:
    room = Room(max_waiting=2)
    room.gate.shut()
    tasks = room.begin(*"ab")
    await settle()

    with pytest.raises(NotSent, match=r"queue\.declare was not sent: 2 operations wait already"):
        await room.gate.wait("queue.declare")

    room.gate.open()
    await asyncio.gather(*tasks)
    assert room.passed == list("ab")


async def test_too_many_octets_are_refused_at_once() -> None:
    room = Room(max_bytes=100)
    room.gate.shut()
    task = asyncio.create_task(room.pass_through("a", 60))
    await settle()

    with pytest.raises(NotSent, match="60 octets wait already, of 100"):
        await room.gate.wait("basic.publish", 41)

    room.gate.open()
    await task
    room.gate.shut()
    task = asyncio.create_task(room.pass_through("b", 100))  # what went on counts no more
    await settle()
    room.gate.open()
    await task
    assert room.passed == list("ab")


async def test_time_of_an_operation_bounds_its_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = LoopClock(monkeypatch)
    room = Room()
    room.gate.shut()
    task = asyncio.create_task(room.pass_through("queue.declare", seconds=0.1))

    await clock.advance(0.1)

    with pytest.raises(NotSentInTime, match=r"not open again in 0\.1 s"):
        await task
    assert 0 == room.gate.waiting


async def test_failed_gate_raises_in_all_that_wait_and_in_all_that_come() -> None:
    room = Room()
    room.gate.shut()
    tasks = room.begin(*"ab")
    await settle()
    lost = ConnectionLost()

    room.gate.fail(lost)
    errors = await asyncio.gather(*tasks, room.pass_through("c"), return_exceptions=True)

    assert [lost, lost, lost] == errors
    assert [] == room.passed


async def test_failed_gate_stops_what_was_woken() -> None:
    room = Room()
    room.gate.shut()
    tasks = room.begin(*"ab")
    await settle()
    lost = ConnectionLost()

    room.gate.open()
    room.gate.fail(lost)
    errors = await asyncio.gather(*tasks, return_exceptions=True)

    assert [lost, lost] == errors
    assert [] == room.passed


@pytest.mark.parametrize("cancelled", ["a", "bd", "abcd", "e", "abcde"])
@pytest.mark.parametrize("cancelled_late", [False, True], ids=["while shut", "as it opens"])
async def test_whatever_is_cancelled_the_others_go_on(cancelled: str, cancelled_late: bool) -> None:
    room = Room()
    room.gate.shut()
    tasks = dict(zip("abcde", room.begin(*"abcde"), strict=True))
    await settle()

    steps = [lambda: cancel(tasks, cancelled), room.gate.open]
    in_turn(steps[::-1] if cancelled_late else steps)
    await asyncio.gather(*tasks.values(), return_exceptions=True)

    assert room.passed == [name for name in "abcde" if name not in cancelled]
    assert room.gate.is_clear


def cancel(tasks: dict[str, asyncio.Task[None]], names: str) -> None:
    for name in names:
        tasks[name].cancel()


def in_turn(steps: Iterable[Callable[[], object]]) -> None:
    for step in steps:
        step()
