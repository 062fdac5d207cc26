"""`Publisher.publish_many`: an item is taken when there is room, and the source is closed."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import ammoo
from ammoo.publisher import Publication, Publisher
from ammoo_wire import BasicAckParameters, BasicPublishParameters
from tests.client.script import ScriptedPeer
from tests.support.tasks import count_turns


class Source:
    """Yields messages, and records how many were taken and whether it was closed."""

    def __init__(self, count: int) -> None:
        self.taken = 0
        self.is_closed = False
        self._count = count

    def plain(self) -> Iterator[Publication]:
        try:
            while self.taken < self._count:
                self.taken += 1
                yield "", f"key {self.taken}", b"body"
        finally:
            self.is_closed = True

    async def asynchronous(self) -> AsyncIterator[Publication]:
        for each in self.plain():
            yield each


async def test_messages_of_an_iterable_are_published(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    async with scripted.publisher() as publisher:
        messages: list[Publication] = [
            ("", "a", b"body"),
            ("", "b", "text", {"content_type": True}),
        ]

        assert 2 == await publisher.publish_many(messages)

        assert b"\x00\x00" == (await peer.expect_command(BasicPublishParameters)).properties
        assert (
            b"\x80\x00\x0atext/plain"
            == (await peer.expect_command(BasicPublishParameters)).properties
        )
        peer.send(BasicAckParameters(2, True))


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
async def test_item_is_taken_only_when_there_is_room(
    scripted: ammoo.Channel, peer: ScriptedPeer, kind: str
) -> None:
    source = Source(3)
    async with scripted.publisher(max_in_flight=2) as publisher:
        feeding = asyncio.create_task(publisher.publish_many(getattr(source, kind)()))
        await peer.expect(BasicPublishParameters)
        await peer.expect(BasicPublishParameters)
        await peer.synchronise(scripted)
        assert 2 == source.taken

        peer.send(BasicAckParameters(1, False))
        await peer.expect(BasicPublishParameters)
        peer.send(BasicAckParameters(3, True))

        assert 3 == await feeding
    assert source.is_closed


async def publish_all(publisher: Publisher, source: Source) -> None:
    await publisher.publish_many(source.asynchronous())


async def test_source_is_closed_when_the_caller_is_cancelled(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    source = Source(3)
    async with scripted.publisher(max_in_flight=1) as publisher:
        feeding = asyncio.create_task(publish_all(publisher, source))
        await peer.expect(BasicPublishParameters)
        await peer.synchronise(scripted)
        feeding.cancel()
        await asyncio.wait({feeding})
        peer.send(BasicAckParameters(1, False))

    assert (1, True) == (source.taken, source.is_closed)
    assert feeding.cancelled()


async def test_source_that_raises_ends_the_call_and_is_not_masked(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    def source() -> Iterator[Publication]:
        yield "", "a", b"body"
        raise LookupError("the source")

    async with scripted.publisher() as publisher:
        with pytest.raises(LookupError, match="the source"):
            await publisher.publish_many(source())
        await peer.expect(BasicPublishParameters)
        peer.send(BasicAckParameters(1, False))

    assert 1 == publisher.confirmed


async def test_long_source_lets_other_tasks_go_on(
    scripted: ammoo.Channel, peer: ScriptedPeer
) -> None:
    turns: list[None] = []
    async with scripted.publisher() as publisher:
        task = asyncio.create_task(count_turns(turns))
        await publisher.publish_many(("", "a", bytes(65536)) for _ in range(5))
        task.cancel()
        await asyncio.wait({task})
        seen = [await peer.expect(BasicPublishParameters) for _ in range(5)]
        peer.send(BasicAckParameters(5, True))

    assert 5 == len(seen)
    assert 4 <= len(turns)
