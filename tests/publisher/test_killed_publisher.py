"""Publishers on a RabbitMQ that is killed again and again: every outcome is accounted for.

Run with AMMOO_TEST_KILLS=3, for example; AMMOO_TEST_KILL_RELEASE names the release. One publisher
sends again what is unknown, and one does not.
"""

import asyncio
import os
from contextlib import suppress

import pytest

import ammoo
from ammoo import Recovery
from ammoo.exceptions import PublishFailed, PublishUnknown
from ammoo.publisher import Confirmation
from tests.recovery.private_node import PrivateNode

KILLS = int(os.environ["AMMOO_TEST_KILLS"])  # the conftest leaves this file out without it
RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "3.10")
IN_FLIGHT = 1000
QUEUES = {"killed.once": False, "killed.again": True}


class Work:
    """Publishes numbers to a queue until it is told to stop.

    Attributes:
        confirmations: Those of the messages, in the order of their bodies.
    """

    def __init__(self, connection: ammoo.Connection, queue: str, *, republish: bool) -> None:
        self.confirmations: list[Confirmation] = []
        self._connection = connection
        self._queue = queue
        self._republish = republish
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        async with self._connection.channel(persistent=True) as channel:
            await channel.declare_queue(self._queue, durable=True)
            await channel.purge_queue(self._queue)
            with suppress(ExceptionGroup):  # the confirmations tell the same
                await self._publish(channel)

    async def _publish(self, channel: ammoo.Channel) -> None:
        options = {"max_in_flight": IN_FLIGHT, "republish": self._republish}
        async with channel.publisher(**options) as publisher:  # type: ignore[arg-type]  # see above
            while not self._is_over.is_set():
                number = str(len(self.confirmations))
                with suppress(ExceptionGroup):  # so many failed that publish raises them
                    self.confirmations.append(await publisher.publish("", self._queue, number))
                await asyncio.sleep(0)

    async def goes_on(self) -> None:
        """Wait until a message is confirmed that was published after this call."""
        while True:
            try:
                await self.confirmations[-1]
            except PublishUnknown as error:
                await error.recovered()
                await asyncio.sleep(0.01)  # until there is a newer one
            else:
                return

    def stop(self) -> None:
        self._is_over.set()

    @property
    def confirmed(self) -> set[int]:
        return {n for n, each in enumerate(self.confirmations) if each.exception() is None}

    @property
    def failures(self) -> list[PublishFailed]:
        outcomes = [each.exception() for each in self.confirmations]
        return [error for error in outcomes if error is not None]

    async def arrived(self) -> list[int]:
        """Take all messages out of the queue."""
        async with self._connection.channel(prefetch_count=1000) as channel:
            left = (await channel.assert_queue_exists(self._queue)).message_count
            async with channel.consume(self._queue, no_ack=True) as consumer:
                return [int((await anext(consumer)).decode()) for _ in range(left)]


async def kill(node: PrivateNode, works: list[Work]) -> None:
    """Kill the node while messages are in flight, and wait until some are confirmed again."""
    await node.kill_and_resume()
    await asyncio.gather(*(work.goes_on() for work in works))


async def kill_repeatedly(node: PrivateNode, works: list[Work], *, times: int) -> None:
    for _ in range(times):
        await kill(node, works)


@pytest.mark.timeout(120 + 60 * KILLS)
async def test_confirmed_messages_are_there_and_the_others_are_accounted_for() -> None:
    async with (
        PrivateNode(RELEASE) as node,
        await ammoo.connect(node.url, recovery=Recovery()) as connection,
    ):
        works = [Work(connection, queue, republish=again) for queue, again in QUEUES.items()]
        once, again = works
        tasks = [asyncio.create_task(work.run()) for work in works]
        await asyncio.sleep(1)
        await kill_repeatedly(node, works, times=KILLS)
        once.stop()
        again.stop()
        await asyncio.gather(*tasks)
        arrived_once, arrived_again = [await work.arrived() for work in works]

    print(
        f"\nRabbitMQ {RELEASE}, {KILLS} kills",
        f"once: {len(once.confirmed)} confirmed, {len(once.failures)} unknown,"
        f" {len(set(arrived_once) - once.confirmed)} of them arrived",
        f"again: {len(again.confirmations)} confirmed,"
        f" {len(arrived_again) - len(set(arrived_again))} arrived twice",
        sep="\n",
    )
    assert once.confirmed <= set(arrived_once)
    assert {PublishUnknown} == {type(each) for each in once.failures}
    assert [] == again.failures
    assert list(range(len(again.confirmations))) == sorted(set(arrived_again))
    last_places = {number: place for place, number in enumerate(arrived_again)}
    assert sorted(last_places) == sorted(last_places, key=last_places.__getitem__)
