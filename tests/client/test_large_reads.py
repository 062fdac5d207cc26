"""Large reads: a turn of the loop reads only so much, on a loop that reads again and again in one."""

import asyncio
from typing import Any

import pytest

from ammoo.live.transport import LARGE_READ, READ_IN_A_TURN, Transport


class Socket:
    """An asyncio transport of which only the reading side is used."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.closing = False

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def is_closing(self) -> bool:
        return self.closing


class Silent:
    """A protocol that finds no command, and what would receive one."""

    state: Any = None
    has_data_to_send = False

    def buffer_updated(self, nbytes: int) -> list[Any]:
        return []

    def receive(self, commands: list[Any]) -> None:
        pass


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
async def transport(socket: Socket) -> Transport:
    silent: Any = Silent()
    opened: Any = socket
    transport = Transport(asyncio.get_running_loop(), silent, silent)
    transport.connection_made(opened)
    return transport


async def next_turn() -> None:
    await asyncio.sleep(0)


async def test_turn_that_has_read_much_reads_on_in_the_next(
    transport: Transport, socket: Socket
) -> None:
    transport.buffer_updated(READ_IN_A_TURN - 1)
    before = list(socket.calls)
    transport.buffer_updated(LARGE_READ)
    in_this_turn = list(socket.calls)

    await next_turn()

    assert ([], ["pause"], ["pause", "resume"]) == (before, in_this_turn, socket.calls)


async def test_each_turn_counts_anew(transport: Transport, socket: Socket) -> None:
    transport.buffer_updated(READ_IN_A_TURN - 1)
    await next_turn()
    transport.buffer_updated(READ_IN_A_TURN - 1)

    await next_turn()

    assert [] == socket.calls


async def test_small_reads_do_not_count(transport: Transport, socket: Socket) -> None:
    transport.buffer_updated(READ_IN_A_TURN - 1)
    transport.buffer_updated(LARGE_READ - 1)

    assert [] == socket.calls


async def test_reading_that_was_paused_stays_paused(transport: Transport, socket: Socket) -> None:
    transport.buffer_updated(READ_IN_A_TURN)
    transport.pause_reading()

    await next_turn()
    while_paused = list(socket.calls)
    transport.resume_reading()

    assert (["pause"], ["pause", "resume"]) == (while_paused, socket.calls)


async def test_socket_that_is_closing_is_not_read(transport: Transport, socket: Socket) -> None:
    transport.buffer_updated(READ_IN_A_TURN)
    socket.closing = True

    await next_turn()

    assert ["pause"] == socket.calls
