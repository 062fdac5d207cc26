"""What is done to a connection from outside while many tasks work on it, on each broker.

An administrator closes the connection; one of the tasks makes the server close the channel. A
queue that is deleted and declared anew under its consumer is in `test_alone`.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

import ammoo
from ammoo.exceptions import ConnectionForced, NotFound, PublishUnknown, StaleDelivery
from ammoo.recovery.events import ChannelReopened, Open, Recovering
from tests.client.brokers import Name
from tests.recovery.until import AT_ONCE, until
from tests.support.operator import Operator

MESSAGES = 200


class Port:
    """What the operator knows a connection by."""

    def __init__(self, connection: ammoo.Connection) -> None:
        socket = connection._require_live().transport._socket
        assert socket is not None
        self.local_port: int = socket.get_extra_info("sockname")[1]


@pytest.fixture
async def direct(broker_url: str, name: Name) -> AsyncIterator[ammoo.Connection]:
    """A connection with nothing between it and the broker; closed before its queues are deleted."""
    async with await ammoo.connect(broker_url, recovery=AT_ONCE) as connection:
        yield connection


async def publish(channel: ammoo.Channel, queue: str, number: int) -> None:
    """Publish a message until it is confirmed; one of unknown outcome may arrive twice."""
    try:
        await channel.publish("", queue, str(number).encode(), delivery_mode=2)
    except PublishUnknown as error:
        await error.recovered()
        await publish(channel, queue, number)


async def publish_all(channel: ammoo.Channel, queue: str) -> None:
    await asyncio.gather(*(publish(channel, queue, number) for number in range(MESSAGES)))


async def receive_all(consumer: ammoo.Consumer) -> set[int]:
    """Take and settle messages until each has come."""
    received: set[int] = set()
    while len(received) < MESSAGES:
        message = await anext(consumer)
        received.add(int(message.body))
        try:
            await message.ack()
        except StaleDelivery:
            continue  # it comes again
    return received


async def test_connection_that_the_administrator_closes_comes_back_with_its_work(
    direct: ammoo.Connection, operator: Operator, name: Name
) -> None:
    queue, events = name("orders"), direct.events()
    async with direct.channel(prefetch_count=20) as channel:
        await channel.declare_queue(queue, durable=True)
        await channel.select_confirm()
        async with channel.consume(queue) as consumer:
            await asyncio.to_thread(operator.close_connection, Port(direct), "for a test")
            _, received = await asyncio.gather(publish_all(channel, queue), receive_all(consumer))
            lost, opened = await until(events, Recovering), await until(events, Open)

    assert isinstance(lost.cause, ConnectionForced)
    assert () == opened.not_restored
    assert set(range(MESSAGES)) == received


async def test_channel_that_one_of_many_tasks_has_closed_comes_back_with_their_work(
    direct: ammoo.Connection, name: Name
) -> None:
    queue, nowhere, events = name("orders"), name("nowhere"), direct.events()
    async with direct.channel(prefetch_count=20, reopen=True) as channel:
        await channel.declare_queue(queue, durable=True)
        await channel.select_confirm()
        async with channel.consume(queue) as consumer:
            publishing = asyncio.create_task(publish_all(channel, queue))
            await anext(consumer)
            with pytest.raises(NotFound) as caught:
                await channel.assert_queue_exists(nowhere)
            received = await receive_all(consumer)
            await publishing
            reopened = await until(events, ChannelReopened)

    assert (reopened.channel, reopened.cause) == (channel, caught.value)
    assert set(range(MESSAGES)) == received
