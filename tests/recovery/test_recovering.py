"""Connections that are lost, and come back with all that was on them."""

import asyncio
import logging
import re

import pytest

import ammoo
from ammoo import Recovery
from ammoo.exceptions import (
    ClientClosedConnectionOK,
    ConnectionLost,
    PublishNotSent,
    RecoveryFailed,
    StaleDelivery,
)
from ammoo.recovery.events import Closed, Connecting, Open, Recovering
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name
from tests.recovery.network import Network
from tests.recovery.until import AT_ONCE, lost_in_flight, settle, until

# --- the loss ------------------------------------------------------------------------------------


async def test_channel_queue_and_consumer_come_back(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    await channel.select_confirm()
    async with channel.consume(queue) as consumer:
        network.cut()
        opened = await until(events, Open)
        await channel.publish("", queue, b"after")
        message = await anext(consumer)
        await message.ack()

    assert b"after" == message.body
    assert (2, (), {}) == (opened.epoch, opened.not_restored, dict(opened.renamed))


async def test_events_tell_of_loss_attempt_and_return(
    network: Network, connection: ammoo.Connection, events: EventListener
) -> None:
    network.cut()
    recovering = await until(events, Recovering)
    connecting = await until(events, Connecting)
    opened = await until(events, Open)
    await connection.close()
    closed = await until(events, Closed)

    assert isinstance(recovering.cause, ConnectionLost)
    assert (1, 0.0, 1) == (recovering.epoch, recovering.delay, recovering.attempt)
    assert (f"amqp://127.0.0.1:{network.port}", 1) == (connecting.address, connecting.attempt)
    assert (opened.address, opened.epoch, opened.attempts) == (connecting.address, 2, 1)
    assert (closed.epoch, type(closed.error)) == (2, ClientClosedConnectionOK)


async def test_connection_comes_back_again_and_again(
    network: Network, channel: ammoo.Channel, events: EventListener
) -> None:
    epochs = [await lose(network, events) for _ in range(20)]

    assert epochs == list(range(2, 22))
    await channel.declare_queue("", exclusive=True)


async def lose(network: Network, events: EventListener) -> int:
    network.cut()
    return (await until(events, Open)).epoch


async def test_channel_that_no_variable_holds_is_restored(
    network: Network, connection: ammoo.Connection, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    consumer = await consumer_on_forgotten_channel(connection, queue)

    network.cut()
    await until(events, Open)

    async with connection.channel() as channel:
        await channel.publish("", queue, b"body")
    assert b"body" == (await anext(consumer)).body


async def consumer_on_forgotten_channel(connection: ammoo.Connection, queue: str) -> ammoo.Consumer:
    channel = await connection.channel().__aenter__()
    await channel.declare_queue(queue, durable=True)
    return await channel.consume(queue).__aenter__()


async def test_server_that_resets_each_attempt_is_tried_until_it_does_not(
    network: Network, connection: ammoo.Connection, events: EventListener
) -> None:
    network.go_down()
    await network.attempted(5)
    network.go_up()

    opened = await until(events, Open)

    assert opened.attempts >= 4
    assert 2 == connection.epoch


async def test_two_lines_are_logged(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "ammoo")
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    async with channel.consume(queue):
        network.go_down()
        await network.attempted(4)
        network.go_up()
        await until(events, Open)

    lost, recovered = caplog.records
    assert ("WARNING", "INFO") == (lost.levelname, recovered.levelname)
    assert lost.message.startswith(f"lost amqp://127.0.0.1:{network.port}: ")
    assert lost.message.endswith("; recovering 1 channels, 1 consumers")
    on = f"recovered on amqp://127.0.0.1:{network.port}"
    assert re.match(rf"{re.escape(on)} after \d+\.\d", recovered.message)
    assert recovered.message.endswith("; not restored: nothing")


async def test_error_says_when_the_connection_is_back(
    network: Network, channel: ammoo.Channel, name: Name
) -> None:
    queue = name("orders")
    with pytest.raises(ConnectionLost) as caught:
        await lost_in_flight(network, channel.declare_queue(queue, durable=True))
    assert caught.value.recoverable

    await caught.value.recovered()

    await channel.declare_queue(queue, durable=True)
    await caught.value.recovered()  # at once: a newer one is open


# --- the first connect ---------------------------------------------------------------------------


async def test_first_connect_is_not_retried(network: Network) -> None:
    network.go_down()

    with pytest.raises((ConnectionLost, OSError)):
        async with await ammoo.connect(network.url, recovery=AT_ONCE):
            pass

    assert 1 == network.attempts


async def test_first_connect_is_retried_if_asked(network: Network) -> None:
    network.go_down()
    recovery = Recovery(retry_first=True, random=lambda: 0.0)
    opening = asyncio.create_task(opened_and_closed(network.url, recovery))
    await network.attempted(3)

    network.go_up()

    assert 1 == await opening
    assert network.attempts >= 4


async def opened_and_closed(url: str, recovery: Recovery) -> int:
    async with await ammoo.connect(url, recovery=recovery) as connection:
        return connection.epoch


async def test_first_connect_gives_up_after_as_many_rounds_as_allowed(network: Network) -> None:
    network.go_down()
    recovery = Recovery(retry_first=True, max_attempts=4, random=lambda: 0.0)

    with pytest.raises(RecoveryFailed) as caught:
        await opened_and_closed(network.url, recovery)

    assert 5 == network.attempts == caught.value.attempts  # the first, and four more
    assert isinstance(caught.value.__cause__, ConnectionLost | OSError)


async def test_first_connect_with_no_time_for_rounds_is_tried_once(network: Network) -> None:
    network.go_down()

    with pytest.raises(RecoveryFailed, match="could not be opened in 1 attempt within"):
        await opened_and_closed(network.url, Recovery(retry_first=True, deadline=0))

    assert 1 == network.attempts


async def test_several_hosts_are_tried_on_the_first_connect(
    network: Network, broker_url: str
) -> None:
    network.go_down()
    urls = [network.url, broker_url]

    async with await ammoo.connect(urls) as connection, connection.channel() as channel:
        await channel.declare_queue("", exclusive=True)

    assert network.attempts <= 1


async def test_next_host_comes_first_after_a_loss(
    network: Network, broker_url: str, name: Name
) -> None:
    async with Network(broker_url) as other:
        urls = [network.url, other.url]
        async with await ammoo.connect(urls, recovery=AT_ONCE) as connection:
            events = connection.events()
            first, second = sorted((network, other), key=lambda each: not each.attempts)
            first.go_down()
            opened = await until(events, Open)
            expected = f"amqp://127.0.0.1:{second.port}"

    assert expected == opened.address
    assert (1, 1) == (first.attempts, second.attempts)


# --- giving up -----------------------------------------------------------------------------------


async def test_everything_raises_when_the_attempts_are_used_up(
    network: Network, name: Name
) -> None:
    recovery = Recovery(max_attempts=3, random=lambda: 0.0)
    async with await ammoo.connect(network.url, recovery=recovery) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            queue = name("orders")
            await channel.declare_queue(queue, durable=True)
            async with channel.consume(queue) as consumer:
                waiting = [
                    asyncio.ensure_future(each)
                    for each in (anext(consumer), connection.ready(), events_after(events))
                ]
                await settle()
                network.go_down()
                errors = await asyncio.gather(*waiting, return_exceptions=True)
                with pytest.raises(RecoveryFailed) as caught:
                    await channel.declare_queue(queue, durable=True)
                with pytest.raises(PublishNotSent):
                    await channel.publish("", queue, b"body")
                await connection.wait_closed()
                await channel.wait_closed()

    failed = caught.value
    assert errors[0] is failed
    assert connection.closing_exc is channel.closing_exc is consumer.closing_exc is failed
    assert 3 == failed.attempts
    assert isinstance(failed.exc, ConnectionLost | OSError)


async def events_after(events: EventListener) -> list[object]:
    return [event async for event in events]


# --- settling ------------------------------------------------------------------------------------


async def test_message_of_a_lost_channel_cannot_be_settled_and_comes_again(
    network: Network, channel: ammoo.Channel, events: EventListener, name: Name
) -> None:
    queue = name("orders")
    await channel.declare_queue(queue, durable=True)
    async with channel.consume(queue) as consumer:
        await channel.publish("", queue, b"body")
        old = await anext(consumer)
        network.go_down()
        await until(events, Recovering)
        with pytest.raises(StaleDelivery):
            await old.ack()
        with pytest.raises(StaleDelivery):
            await channel.ack(old.delivery_tag)
        network.go_up()
        await until(events, Open)
        with pytest.raises(StaleDelivery):
            await old.ack()
        with pytest.raises(StaleDelivery):
            await channel.ack(old.delivery_tag)
        new = await anext(consumer)
        await channel.ack(new.delivery_tag)

    assert (b"body", True) == (bytes(new.body), new.redelivered)
    assert new.delivery_tag > old.delivery_tag
    assert 0 == (await channel.assert_queue_exists(queue)).message_count
