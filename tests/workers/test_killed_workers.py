"""Workers on a RabbitMQ that is killed again and again, and drained in the end.

Run with AMMOO_TEST_KILLS=3, for example; AMMOO_TEST_KILL_RELEASE names the release. A publisher
sends again what is unknown; ten handlers at a time keep the order in which the messages of each of
eight keys were delivered. That is not always the order in which they were published: a quorum queue
may deliver newer messages before those that the lost consumer held.
"""

import asyncio
import os
from collections import Counter
from contextlib import suppress

import pytest

import ammoo
from ammoo import Recovery
from tests.recovery.private_node import PrivateNode

KILLS = int(os.environ["AMMOO_TEST_KILLS"])  # the conftest leaves this file out without it
RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "3.10")
KEYS = 8
MESSAGES = 1000
"""So many are handled before each kill."""


def key_of(message: ammoo.DeliverMessage) -> int:
    return int(message.decode()) % KEYS


class Handled:
    """A handler that records what it has handled, and how often a key was handled twice at once.

    Attributes:
        numbers: Those that were handled.
        overlaps: How often two handlers of a key ran at once.
        repeats: How many numbers were handled again.
        tags: The delivery tags of each key's messages, as they were handled; later ones are higher.
    """

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.overlaps = 0
        self.repeats = 0
        self.tags: list[list[int]] = [[] for _ in range(KEYS)]
        self._running: Counter[int] = Counter()
        self._came = asyncio.Event()

    async def __call__(self, message: ammoo.DeliverMessage) -> None:
        number, key = int(message.decode()), key_of(message)
        self.overlaps += self._running[key]
        self._running[key] += 1
        await asyncio.sleep(0.001)
        self._running[key] -= 1
        self.repeats += number in self.numbers
        self.numbers.add(number)
        self.tags[key].append(message.delivery_tag)
        self._came.set()

    async def until(self, count: int) -> None:
        """Wait until so many numbers have been handled."""
        async with asyncio.timeout(120):
            while len(self.numbers) < count:
                self._came.clear()
                await self._came.wait()


async def publish(connection: ammoo.Connection, queue: str, is_over: asyncio.Event) -> int:
    """Publish numbers until the event is set; return how many."""
    count = 0
    async with (
        connection.channel(persistent=True) as channel,
        channel.publisher(max_in_flight=100, republish=True) as publisher,
    ):
        while not is_over.is_set():
            await publisher.publish("", queue, str(count))
            count += 1
            await asyncio.sleep(0)
    return count


async def kill_repeatedly(node: PrivateNode, handled: Handled) -> None:
    """Kill the node, as often as is asked, each time when so many messages more were handled."""
    for kill in range(1, KILLS + 1):
        await handled.until(kill * MESSAGES)
        await node.kill_and_resume()


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
async def test_every_message_is_handled_in_the_order_of_delivery(queue_type: str) -> None:
    limit = {"x-delivery-limit": -1} if queue_type == "quorum" and RELEASE != "3.10" else None
    queue, handled, is_over = f"killed.work.{queue_type}", Handled(), asyncio.Event()
    async with (
        PrivateNode(RELEASE) as node,
        await ammoo.connect(node.url, recovery=Recovery()) as connection,
        connection.channel(prefetch_count=40) as channel,
    ):
        with suppress(ammoo.exceptions.NotFound):
            async with connection.channel() as cleaning:
                await cleaning.delete_queue(queue)
        await channel.declare_queue(queue, durable=True, queue_type=queue_type, arguments=limit)
        publishing = asyncio.create_task(publish(connection, queue, is_over))
        async with channel.consume(queue) as consumer:
            running = asyncio.create_task(consumer.run(handled, concurrency=10, ordered_by=key_of))
            await kill_repeatedly(node, handled)
            is_over.set()
            published = await publishing
            await handled.until(published)
            is_in_time = await consumer.drain(60)
            await running
        async with connection.channel() as looking:
            left = (await looking.assert_queue_exists(queue)).message_count
            await looking.delete_queue(queue)

    print(f"\nRabbitMQ {RELEASE}, {queue_type}: {published} published, {handled.repeats} repeated")
    assert (True, 0) == (is_in_time, left)
    assert {*range(published)} == handled.numbers
    assert [sorted(tags) for tags in handled.tags] == handled.tags
    assert 0 == handled.overlaps
