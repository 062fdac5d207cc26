"""Ten thousand entities that come back on a RabbitMQ of the test's own; it prints how long it takes.

Run with AMMOO_TEST_KILLS, as `test_killed` is.
"""

import os

import pytest

import ammoo
from ammoo.recovery.events import Open
from tests.recovery.batches import in_batches
from tests.recovery.network import Network
from tests.recovery.private_node import PrivateNode
from tests.recovery.until import AT_ONCE, until

RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "3.10")


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
