"""What waits while the connection is down: in order, bounded, within its time, and sent once."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

import ammoo
from ammoo import Recovery
from ammoo.exceptions import (
    ClientClosedConnectionOK,
    ConnectionLost,
    NotSent,
    NotSentInTime,
    PublishNotSent,
    PublishUnknown,
)
from ammoo.recovery.events import Open, Recovering
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.until import lost_in_flight, settle, until, until_consumers


async def begin_down(
    network: Network, events: EventListener, *operations: Coroutine[Any, Any, Any]
) -> list[asyncio.Task[Any]]:
    """Take the network down, and begin operations while the connection is lost."""
    network.go_down()
    await until(events, Recovering)
    tasks = [asyncio.create_task(each) for each in operations]
    await settle()
    return tasks


async def bodies(channel: ammoo.Channel, queue: str) -> list[bytes]:
    """Take all messages out of a queue."""
    taken = []
    while (await channel.assert_queue_exists(queue)).message_count:
        taken.append(bytes((await channel.get(queue, no_ack=True)).body))
    return taken


async def test_declaration_waits_and_is_done_when_the_connection_is_back(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    (declaring,) = await begin_down(network, events, channel.declare_queue(queue, durable=True))
    assert not declaring.done()

    network.go_up()

    assert queue == (await declaring).queue_name


async def test_channel_and_consumer_are_entered_when_the_connection_is_back(
    network: Network,
    connection: ammoo.Connection,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    another = connection.channel()
    consumer = channel.consume(queue)
    entering = await begin_down(network, events, another.__aenter__(), consumer.__aenter__())

    network.go_up()
    await asyncio.gather(*entering)

    await another.publish("", queue, b"body")
    assert b"body" == (await anext(consumer)).body


async def test_operation_that_waits_for_too_long_is_never_sent(
    network: Network, name: Name
) -> None:
    recovery = Recovery(random=lambda: 0.0)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        lifetime: Any = channel._lifetime
        lifetime._operation_timeout = 0.1  # which all operations would have by an option
        (declaring,) = await begin_down(network, events, channel.declare_queue(name("orders")))
        with pytest.raises(NotSentInTime, match=r"queue\.declare was not sent"):
            await declaring
        network.go_up()
        await until(events, Open)
        names = len(connection._supervisor.topology)  # type: ignore[union-attr]

    assert 0 == names


async def test_publish_that_is_cancelled_while_it_waits_is_never_sent(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    await channel.select_confirm()
    publishes = [channel.publish("", queue, body) for body in (b"1", b"2", b"3")]
    tasks = await begin_down(network, events, *publishes)

    tasks[1].cancel()
    network.go_up()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert [b"1", b"3"] == await bodies(channel, queue)


async def test_publishes_that_waited_are_sent_in_order(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    await channel.select_confirm()
    expected = [str(number).encode() for number in range(100)]
    publishes = [channel.publish("", queue, body) for body in expected[:50]]
    tasks = await begin_down(network, events, *publishes)

    network.go_up()
    await until(events, Open)
    tasks += [asyncio.create_task(channel.publish("", queue, body)) for body in expected[50:]]
    await asyncio.gather(*tasks)

    assert expected == await bodies(channel, queue)


async def test_one_more_than_may_wait_is_refused_at_once(network: Network, name: Name) -> None:
    recovery = Recovery(max_waiting=3, random=lambda: 0.0)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        queue = name("orders")
        await channel.declare_queue(queue, durable=True)
        await channel.select_confirm()
        events = connection.events()
        publishes = [channel.publish("", queue, body) for body in (b"1", b"2", b"3", b"4")]
        tasks = await begin_down(network, events, *publishes)
        with pytest.raises(PublishNotSent, match="3 operations wait already") as caught:
            await tasks[3]
        with pytest.raises(NotSent):
            await channel.declare_queue(queue, durable=True)
        network.go_up()
        await asyncio.gather(*tasks[:3])
        left = await bodies(channel, queue)

    assert (caught.value.exchange_name, caught.value.routing_key) == ("", queue)
    assert [b"1", b"2", b"3"] == left


async def test_octets_that_may_wait_are_bounded(network: Network, name: Name) -> None:
    recovery = Recovery(max_waiting_bytes=10, random=lambda: 0.0)
    async with (
        await ammoo.connect(network.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        publish = channel.publish("", "nowhere", b"x" * 11)
        (task,) = await begin_down(network, events, publish)
        with pytest.raises(PublishNotSent, match="max_waiting_bytes"):
            await task


async def test_publish_that_was_sent_and_not_confirmed_has_an_unknown_outcome(
    network: Network, channel: ammoo.Channel, name: Name
) -> None:
    await channel.select_confirm()
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)

    with pytest.raises(PublishUnknown) as caught:
        await lost_in_flight(network, channel.publish("", queue, b"body"))

    unknown = caught.value
    assert isinstance(unknown.__cause__, ConnectionLost)
    assert (unknown.exchange_name, unknown.routing_key) == ("", queue)
    assert 1 == unknown.publish_sequence_number
    await unknown.recovered()
    await channel.publish("", queue, b"body")


async def test_loss_tells_how_many_outcomes_are_unknown(
    network: Network, channel: ammoo.Channel, events: EventListener
) -> None:
    await channel.select_confirm()
    network.hold()
    publishes = [channel.publish_nowait("", "nowhere", b"body") for _ in range(7)]
    network.cut()
    network.release()

    recovering = await until(events, Recovering)

    assert 7 == recovering.unknown
    assert [type(each.exception()) for each in publishes] == [PublishUnknown] * 7


async def test_deletion_in_flight_does_not_bring_the_queue_back(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)

    with pytest.raises(ConnectionLost):
        await lost_in_flight(network, channel.delete_queue(queue))
    await until(events, Open)
    await broker_channel.delete_queue(queue)
    network.cut()
    await until(events, Open)

    with pytest.raises(ammoo.exceptions.NotFound):
        await broker_channel.assert_queue_exists(queue)


async def test_closing_a_connection_that_is_down_takes_no_time_and_ends_all_that_waits(
    network: Network, name: Name
) -> None:
    async with await ammoo.connect(
        network.url, recovery=Recovery(random=lambda: 0.0)
    ) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            declare = channel.declare_queue(name("orders"))
            publish = channel.publish("", "nowhere", b"body")
            tasks = await begin_down(network, events, declare, publish, connection.ready())
            await connection.close()
            errors = await asyncio.gather(*tasks, return_exceptions=True)
            attempts = network.attempts
            network.go_up()
            await settle()

    assert [type(error) for error in errors] == [
        ClientClosedConnectionOK,
        PublishNotSent,
        ClientClosedConnectionOK,
    ]
    assert attempts == network.attempts


async def test_all_blocks_can_be_left_while_the_connection_is_down(
    network: Network, name: Name
) -> None:
    async with await ammoo.connect(
        network.url, recovery=Recovery(random=lambda: 0.0)
    ) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            queue = name("orders")
            await channel.declare_queue(queue, durable=True)
            async with channel.consume(queue) as consumer, connection.channel():
                network.go_down()
                await until(events, Recovering)

    assert isinstance(connection.closing_exc, ClientClosedConnectionOK)
    assert consumer.closing_exc is not None


async def test_what_was_left_while_the_connection_was_down_does_not_come_back(
    network: Network,
    connection: ammoo.Connection,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    async with connection.channel() as left, left.consume(queue), channel.consume(queue):
        network.go_down()
        await until(events, Recovering)

    network.go_up()
    await until(events, Open)

    await until_consumers(broker_channel, queue, 0)
    assert 1 == len(connection._live.channels)  # type: ignore[union-attr]


async def test_reader_of_events_may_declare_and_consume(
    network: Network, connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    queue = name("orders")

    async def set_up() -> ammoo.Consumer:
        await until(events, Open)
        channel = await connection.channel().__aenter__()
        await channel.declare_queue(queue, durable=True)
        return await channel.consume(queue).__aenter__()

    setting_up = asyncio.create_task(set_up())
    network.cut()
    consumer = await setting_up

    assert consumer.entered


async def test_ready_is_bounded_and_returns_when_the_connection_is_open(
    network: Network, connection: ammoo.Connection, events: EventListener
) -> None:
    await connection.ready()
    network.go_down()
    await until(events, Recovering)

    with pytest.raises(TimeoutError):
        await connection.ready(0.01)
    network.go_up()
    await connection.ready(20)

    assert 2 == connection.epoch


async def test_tasks_that_wait_for_publish_nowait_all_go_on(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    await channel.select_confirm()
    publishing = [publish_when_possible(channel, queue) for _ in range(20)]
    tasks = await begin_down(network, events, *publishing)

    network.go_up()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks)

    assert 20 == (await channel.assert_queue_exists(queue)).message_count


async def publish_when_possible(channel: ammoo.Channel, queue: str) -> None:
    while not channel.is_publishable:
        await channel.wait_publishable()
    await channel.publish_nowait("", queue, b"body")


async def test_publish_nowait_is_refused_while_the_connection_is_down(
    network: Network, channel: ammoo.Channel, events: EventListener
) -> None:
    network.go_down()
    await until(events, Recovering)

    assert not channel.is_publishable
    with pytest.raises(ammoo.exceptions.PublishNotReady, match="being recovered"):
        channel.publish_nowait("", "nowhere", b"body")

    network.go_up()
    await channel.wait_publishable()
    channel.publish_nowait("", "nowhere", b"body")


async def test_task_that_waits_to_publish_behind_a_loss_is_told_of_the_end(
    network: Network, connection: ammoo.Connection, channel: ammoo.Channel, events: EventListener
) -> None:
    tasks = await begin_down(
        network, events, channel.wait_publishable(), channel.wait_publishable()
    )

    await connection.close()
    errors = await asyncio.gather(*tasks, return_exceptions=True)

    assert [ClientClosedConnectionOK] * 2 == [type(error) for error in errors]
