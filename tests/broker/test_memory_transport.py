"""Connections in memory behave as asyncio's transports do over a socket."""

import asyncio
from typing import Any

import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.network.memory_transport import MemoryTransport, open_memory_connection


class Recorder(asyncio.Protocol):
    """A protocol that records what it is called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.keeps_open = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")
        assert isinstance(transport, MemoryTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.calls.append(data)

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return self.keeps_open

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append(exc if exc is None else type(exc))
        self.lost.set_result(None)

    @property
    def received(self) -> bytes:
        return b"".join(call for call in self.calls if isinstance(call, bytes))


async def connected() -> tuple[Recorder, Recorder]:
    """Connect two protocols; the second one's transport ends with a reset, as the broker's does."""
    server = Recorder()
    _, client = await open_memory_connection(
        Recorder, lambda: server, client_address=("client", 1), server_address=("server", 2)
    )
    return client, server


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_both_ends_are_connected_and_know_their_addresses() -> None:
    client, server = await connected()

    assert ["made"] == client.calls == server.calls
    assert ("server", 2) == client.transport.get_extra_info("peername")
    assert ("client", 1) == client.transport.get_extra_info("sockname")
    assert ("client", 1) == server.transport.get_extra_info("peername")
    assert client.transport.get_extra_info("socket") is None


async def test_octets_arrive_in_a_later_turn_and_as_one_stream() -> None:
    client, server = await connected()

    client.transport.write(b"one ")
    client.transport.writelines([b"two ", b"three"])
    assert ["made"] == server.calls
    await settle()

    assert ["made", b"one two three"] == server.calls


async def test_each_direction_has_its_own_octets() -> None:
    client, server = await connected()

    client.transport.write(b"question")
    server.transport.write(b"answer")
    await settle()

    assert b"question" == server.received
    assert b"answer" == client.received


async def test_buffered_protocol_reads_as_much_as_its_buffer_holds() -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(4)
            self.reads: list[bytes] = []

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.reads.append(bytes(self.buffer[:nbytes]))

    server = Buffered()
    transport, _ = await open_memory_connection(
        Recorder, lambda: server, client_address=("client", 1), server_address=("server", 2)
    )

    transport.write(b"abcdefghij")
    await settle()

    assert [b"abcd", b"efgh", b"ij"] == server.reads


async def test_end_that_pauses_reads_nothing_until_it_resumes() -> None:
    client, server = await connected()

    server.transport.pause_reading()
    client.transport.write(b"later")
    await settle()
    assert (b"", False) == (server.received, server.transport.is_reading())
    server.transport.resume_reading()
    await settle()

    assert (b"later", True) == (server.received, server.transport.is_reading())


async def test_writer_is_paused_when_the_far_end_does_not_read_and_resumed_when_it_has() -> None:
    client, server = await connected()

    server.transport.pause_reading()
    client.transport.write(bytes(262_144 + 65_536))
    assert ["made"] == client.calls
    client.transport.write(b"more")
    assert ["made", "pause"] == client.calls
    assert 65_540 == client.transport.get_write_buffer_size()
    server.transport.resume_reading()
    await settle()

    assert ["made", "pause", "resume"] == client.calls
    assert 0 == client.transport.get_write_buffer_size()
    assert 262_144 + 65_540 == len(server.received)


async def test_write_limits_can_be_set() -> None:
    client, server = await connected()

    client.transport.set_write_buffer_limits(high=10)
    server.transport.pause_reading()
    client.transport.write(bytes(262_144 + 11))

    assert (2, 10) == client.transport.get_write_buffer_limits()
    assert ["made", "pause"] == client.calls
    with pytest.raises(ValueError, match="high is 1 and low 2"):
        client.transport.set_write_buffer_limits(high=1, low=2)


async def test_close_lets_the_far_end_read_first_and_ends_both() -> None:
    client, server = await connected()

    client.transport.write(b"goodbye")
    client.transport.close()
    client.transport.write(b"too late")
    await settle()

    assert ["made", b"goodbye", "eof", None] == server.calls
    assert ["made", None] == client.calls
    assert client.transport.is_closing()
    assert server.transport.is_closing()


async def test_close_of_the_brokers_end_is_a_reset() -> None:
    client, server = await connected()

    server.transport.write(b"goodbye")
    server.transport.close()
    await settle()

    assert ["made", b"goodbye", ConnectionResetError] == client.calls
    assert ["made", None] == server.calls


async def test_abort_loses_what_the_far_end_had_no_room_for() -> None:
    client, server = await connected()

    server.transport.pause_reading()
    client.transport.write(bytes(300_000))
    client.transport.abort()
    server.transport.resume_reading()
    await settle()

    assert 262_144 == len(server.received)
    assert ConnectionResetError is server.calls[-1]
    assert ["made", None] == [client.calls[0], client.calls[-1]]


async def test_eof_ends_one_direction() -> None:
    client, server = await connected()
    server.keeps_open = True

    client.transport.write_eof()
    await settle()
    server.transport.write(b"answer")
    await settle()

    assert client.transport.can_write_eof()
    assert ["made", "eof"] == server.calls
    assert b"answer" == client.received
    with pytest.raises(RuntimeError, match="after write_eof"):
        client.transport.write(b"more")
    client.transport.abort()
    await server.lost


async def test_end_that_does_not_read_learns_of_the_far_ends_end_when_it_writes() -> None:
    client, server = await connected()

    client.transport.pause_reading()
    server.transport.abort()
    await settle()
    assert ["made"] == client.calls
    client.transport.write(b"anyone there?")
    await settle()

    assert ["made", ConnectionResetError] == client.calls


async def test_protocol_that_fails_is_reported_and_its_connection_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, server = await connected()
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(
        loop, "call_exception_handler", lambda context: reported.append(context["exception"])
    )

    def fail(data: bytes) -> None:
        raise LookupError("no such octets")

    monkeypatch.setattr(server, "data_received", fail)
    client.transport.write(b"x")
    await settle()

    assert ["LookupError('no such octets')"] == list(map(repr, reported))
    assert ["made", LookupError] == server.calls
    assert ["made", ConnectionResetError] == client.calls


async def test_protocol_can_be_replaced() -> None:
    client, server = await connected()
    heir = Recorder()

    server.transport.set_protocol(heir)
    client.transport.write(b"to the heir")
    await settle()

    assert heir is server.transport.get_protocol()
    assert (b"", b"to the heir") == (server.received, heir.received)


async def test_cancelled_connecting_leaves_nothing_behind() -> None:
    server = Recorder()
    connecting = asyncio.create_task(
        open_memory_connection(
            Recorder, lambda: server, client_address=("client", 1), server_address=("server", 2)
        )
    )
    await asyncio.sleep(0)

    connecting.cancel()
    await asyncio.wait([connecting])
    await settle()

    assert connecting.cancelled()
    assert ["made", ConnectionResetError] == server.calls


async def test_broker_that_is_stopped_or_elsewhere_cannot_be_connected_to() -> None:
    with FakeBroker() as in_thread, pytest.raises(RuntimeError, match="does not run in this"):
        await in_thread.open_transport(Recorder)
    with pytest.raises(RuntimeError, match="does not run in this event loop"):
        await FakeBroker().open_transport(Recorder)
    async with FakeBroker() as broker:
        with pytest.raises(ValueError, match="not encrypted"):
            await broker.open_transport(Recorder, ssl=True)
    with pytest.raises(ConnectionRefusedError):
        await broker.open_transport(Recorder)
