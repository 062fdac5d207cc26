"""A queue with messages, a channel that consumes them, and what is left in the queue."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import ammoo

__all__ = ["Handled", "Work", "ack_each", "bodies_left", "consuming", "filled", "publish"]

Work = Callable[[ammoo.DeliverMessage], object]


async def filled(channel: ammoo.Channel, queue: str, *bodies: str) -> str:
    """Declare a durable queue, and publish messages to it."""
    await channel.declare_queue(queue, durable=True)
    await publish(channel, queue, *bodies)
    return queue


async def publish(channel: ammoo.Channel, queue: str, *bodies: str) -> None:
    """Publish messages, and wait until the broker has them."""
    await channel.select_confirm()
    await asyncio.gather(*(channel.publish("", queue, body) for body in bodies))


async def ack_each(*messages: ammoo.DeliverMessage) -> None:
    for message in messages:
        await message.ack()


@asynccontextmanager
async def consuming(
    connection: ammoo.Connection, queue: str, prefetch_count: int
) -> AsyncIterator[ammoo.Consumer]:
    """Consume a queue on a channel with a prefetch limit."""
    async with (
        connection.channel(prefetch_count=prefetch_count) as channel,
        channel.consume(queue) as consumer,
    ):
        yield consumer


async def bodies_left(channel: ammoo.Channel, queue: str) -> list[str]:
    """Take all messages out of a queue, and return their bodies in order."""
    left = []
    count = (await channel.assert_queue_exists(queue)).message_count
    for _ in range(count):
        left.append((await channel.get(queue, no_ack=True)).decode())
    return left


class Handled:
    """A handler that records messages, and goes on when the test says so.

    Attributes:
        begun: The bodies of the messages, as their handling began.
        ended: Those whose handling has ended.
        running: How many are being handled.
        most_running: How many were handled at once at most.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.running = 0
        self.most_running = 0
        self._may_end: dict[str, asyncio.Event] = {}
        self._may_all_end = False
        self._changed = asyncio.Event()

    async def __call__(self, message: ammoo.DeliverMessage) -> None:
        body = message.decode()
        self.begun.append(body)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self._changed.set()
        try:
            if not self._may_all_end:
                await self._event(body).wait()
            self.ended.append(body)
        finally:
            self.running -= 1
            self._changed.set()

    def let_end(self, *bodies: str) -> None:
        """Let the handling of messages end."""
        for body in bodies:
            self._event(body).set()

    def let_all_end(self) -> None:
        """Let the handling of all messages end, those that come included."""
        self._may_all_end = True
        for event in self._may_end.values():
            event.set()

    async def until_begun(self, count: int) -> None:
        """Wait until the handling of so many messages has begun in all."""
        await self._until(lambda: len(self.begun) >= count)

    async def until_ended(self, count: int) -> None:
        """Wait until the handling of so many messages has ended in all."""
        await self._until(lambda: len(self.ended) >= count)

    async def until_all_ended(self, *bodies: str) -> None:
        """Wait until the handling of these messages has ended, as often as each is named."""
        awaited = Counter(bodies)
        await self._until(lambda: awaited <= Counter(self.ended))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    def _event(self, body: str) -> asyncio.Event:
        return self._may_end.setdefault(body, asyncio.Event())
