"""Many entities and channels: on the fake some hundreds, on a RabbitMQ of the test's own 10,000.

The latter is run with AMMOO_TEST_KILLS, as `test_killed` is, and prints how long it takes.
"""

import asyncio
import os
from collections.abc import Awaitable, Iterable

import pytest

import ammoo
from ammoo.exceptions import PreconditionFailed
from ammoo.recovery.events import Open, Recovering
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.private_node import PrivateNode
from tests.recovery.until import AT_ONCE, until

RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "3.10")
is_asked_for = pytest.mark.skipif(
    "AMMOO_TEST_KILLS" not in os.environ, reason="AMMOO_TEST_KILLS is not set"
)


async def in_batches(operations: Iterable[Awaitable[object]], size: int = 100) -> None:
    """Await operations, so many at a time."""
    batch: list[Awaitable[object]] = []
    for operation in operations:
        batch.append(operation)
        if len(batch) == size:
            await asyncio.gather(*batch)
            batch.clear()
    await asyncio.gather(*batch)


async def test_a_thousand_queues_of_which_one_is_refused(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queues = [f"{name('q')}.{number}" for number in range(1000)]
    await in_batches(channel.declare_queue(queue, durable=True) for queue in queues)
    network.go_down()
    await until(events, Recovering)
    await broker_channel.delete_queue(queues[517])
    await broker_channel.declare_queue(queues[517], durable=True, max_length=1)

    network.go_up()
    opened = await until(events, Open)

    assert 1000 == opened.restored  # 999 queues and the channel
    assert [PreconditionFailed] == [type(each.error) for each in opened.not_restored]
    await in_batches(broker_channel.delete_queue(queue) for queue in queues)


async def declare_all(channel: ammoo.Channel, count: int, *, exclusive: bool) -> None:
    """Declare a twentieth of a number of exchanges, queues, and a binding for each of the latter."""
    exchanges = [f"scale.x{number}" for number in range(count // 20)]
    queues = [f"scale.q{number}" for number in range((count - len(exchanges)) // 2)]
    await in_batches(channel.declare_exchange(each, "topic", durable=True) for each in exchanges)
    await in_batches(
        channel.declare_queue(each, durable=not exclusive, exclusive=exclusive) for each in queues
    )
    await in_batches(
        channel.bind_queue(each, exchanges[number % len(exchanges)], f"key.{number}")
        for number, each in enumerate(queues)
    )


@is_asked_for
@pytest.mark.timeout(300)
@pytest.mark.parametrize("exclusive", [False, True], ids=["existing", "new"])
async def test_ten_thousand_entities(exclusive: bool) -> None:
    async with (
        PrivateNode(RELEASE) as node,
        Network(node.url) as network,
        await ammoo.connect(network.url, recovery=AT_ONCE, heartbeat_interval=5) as connection,
        connection.channel() as channel,
    ):
        await declare_all(channel, 10_000, exclusive=exclusive)
        events = connection.events()
        network.cut()
        opened = await until(events, Open)

    print(f"\n{RELEASE}: 10,000 entities back after {opened.outage:.2f} s")
    assert (opened.restored, opened.not_restored) == (10_001, ())
