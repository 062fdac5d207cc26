"""Ten thousand entities that come back on a RabbitMQ of the test's own; it prints how long it takes.

Run with AMMOO_TEST_KILLS, as `test_killed` is. The second test prints what the server can do:
as many queues, declared over some numbers of channels with 64 requests in flight on each, on a
server that is idle, and on one that deletes as many queues of a connection that was lost.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Iterable

import pytest

import ammoo
from ammoo.live.channel import LiveChannel
from ammoo.live.replies import Reply
from ammoo.recovery.events import Open, Restored
from ammoo_wire import QueueDeclareOkParameters, QueueDeclareParameters
from tests.recovery.batches import in_batches
from tests.recovery.network import Network
from tests.recovery.private_node import PrivateNode
from tests.recovery.until import AT_ONCE, until

RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "3.10")
ENTITIES = int(os.environ.get("AMMOO_TEST_ENTITIES", "10000"))
IN_FLIGHT = 64


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
        await declare_all(channel, ENTITIES, exclusive=exclusive)
        events = connection.events()
        network.cut()
        opened = await until(events, Open, seconds=200)
        late = [await until(events, Restored, seconds=200) for _ in opened.not_restored]

    last = max([opened.time, *(each.time for each in late)]) - opened.time
    print(
        f"\nRabbitMQ {RELEASE}: {opened.restored} entities back after {opened.outage:.2f} s,"
        f" {len(late)} more after {opened.outage + last:.2f} s"
    )
    assert ENTITIES + 1 == opened.restored + len(late)
    assert {each.entity for each in opened.not_restored} == {each.entity for each in late}


async def declare_raw(live: LiveChannel, names: Iterable[str]) -> None:
    """Declare exclusive queues with some requests in flight, and nothing else."""
    in_flight: deque[asyncio.Future[Reply]] = deque()
    for name in names:
        request = QueueDeclareParameters(name, exclusive=True)
        in_flight.append(live.send_request(request, QueueDeclareOkParameters))
        if len(in_flight) == IN_FLIGHT:
            await in_flight.popleft()
    await asyncio.gather(*in_flight)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("channels", [1, 16, 64])
@pytest.mark.parametrize("lost", [0, ENTITIES * 19 // 40], ids=["idle", "deleting"])
async def test_what_the_server_can_do(channels: int, lost: int) -> None:
    queues = [f"raw.q{number}" for number in range(ENTITIES * 19 // 40)]
    async with (
        PrivateNode(RELEASE) as node,
        await ammoo.connect(node.url, heartbeat_interval=0) as other,
        await ammoo.connect(node.url, heartbeat_interval=0) as connection,
    ):
        async with other.channel() as channel:
            await declare_raw(channel._require_live(), [f"lost.q{n}" for n in range(lost)])
        other._require_live().transport.abort()
        opened = [await connection.channel().__aenter__() for _ in range(channels)]
        began = time.monotonic()
        await asyncio.gather(
            *(
                declare_raw(channel._require_live(), queues[number::channels])
                for number, channel in enumerate(opened)
            )
        )
        seconds = time.monotonic() - began

    print(
        f"\nRabbitMQ {RELEASE}, {channels} channels, {lost} queues to delete:"
        f" {len(queues)} new queues in {seconds:.2f} s"
    )
