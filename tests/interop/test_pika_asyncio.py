"""pika's asyncio adapter, unmodified: callbacks in the event loop of the test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.channel  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest
from pika.adapters.asyncio_connection import (  # type: ignore[import-untyped]  # no types
    AsyncioConnection,
)

from ammoo_fakebroker import FakeBroker


async def answer(method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call what answers through a callback, and await the answer."""
    answered = asyncio.get_running_loop().create_future()
    method(*arguments, callback=answered.set_result, **keywords)
    return await answered


async def connect(url: str) -> AsyncioConnection:
    opened = asyncio.get_running_loop().create_future()
    AsyncioConnection(
        pika.URLParameters(url),
        on_open_callback=opened.set_result,
        on_open_error_callback=lambda _, error: opened.set_exception(error),
    )
    return await opened


def closing(room: Any) -> asyncio.Future[Exception]:
    """Get the reason for which a connection or a channel will have closed."""
    closed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    room.add_on_close_callback(lambda _, reason: closed.set_result(reason))
    return closed


async def channel_of(connection: AsyncioConnection) -> pika.channel.Channel:
    opened = asyncio.get_running_loop().create_future()
    connection.channel(on_open_callback=opened.set_result)
    return await opened


@pytest.fixture
async def connection(url: str) -> AsyncIterator[AsyncioConnection]:
    connection = await connect(url)
    closed = closing(connection)
    yield connection
    connection.close()
    await closed


@pytest.fixture
async def channel(connection: AsyncioConnection) -> pika.channel.Channel:
    return await channel_of(connection)


def publish_numbers(channel: pika.channel.Channel, count: int) -> None:
    """Publish messages whose header and correlation_id are their numbers from 0 on."""
    for number in range(count):
        properties = pika.BasicProperties(headers={"number": number}, correlation_id=f"{number}")
        channel.basic_publish("", "queue", b"body", properties)


async def test_published_messages_are_consumed_in_order(channel: pika.channel.Channel) -> None:
    consumed: asyncio.Queue[tuple[int, bytes, str]] = asyncio.Queue()

    def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        consumed.put_nowait((properties.headers["number"], body, properties.correlation_id))
        channel.basic_ack(method.delivery_tag)

    await answer(channel.queue_declare, "queue")
    await answer(channel.basic_qos, prefetch_count=3)
    publish_numbers(channel, 10)
    channel.basic_consume("queue", on_message, consumer_tag="mine")

    got = [await consumed.get() for _ in range(10)]
    await answer(channel.basic_cancel, "mine")
    left = (await answer(channel.queue_declare, "queue", passive=True)).method

    assert [(number, b"body", f"{number}") for number in range(10)] == got
    assert (0, 0) == (left.message_count, left.consumer_count)


async def test_confirms_and_returns(channel: pika.channel.Channel) -> None:
    told: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    await answer(channel.queue_declare, "full", arguments={
        "x-max-length": 1, "x-overflow": "reject-publish"
    })  # fmt: skip
    await answer(
        channel.confirm_delivery,
        lambda frame: told.put_nowait((frame.method.NAME, frame.method.delivery_tag)),
    )
    channel.add_on_return_callback(
        lambda _, method, __, body: told.put_nowait((method.reply_text, body))
    )

    async def told_of(routing_key: str, answers: int) -> list[tuple[str, Any]]:
        channel.basic_publish("", routing_key, b"body", mandatory=True)
        return [await told.get() for _ in range(answers)]

    assert [("Basic.Ack", 1)] == await told_of("full", answers=1)
    assert [("Basic.Nack", 2)] == await told_of("full", answers=1)
    assert [("NO_ROUTE", b"body"), ("Basic.Ack", 3)] == await told_of("nowhere", answers=2)


async def test_error_closes_the_channel_and_leaves_the_connection(
    connection: AsyncioConnection, channel: pika.channel.Channel
) -> None:
    closed = closing(channel)

    channel.queue_bind("missing", "amq.direct", "key")
    reason = await closed
    other = await channel_of(connection)

    assert isinstance(reason, pika.exceptions.ChannelClosedByBroker)
    assert (404, "NOT_FOUND - no queue 'missing' in vhost") == (
        reason.reply_code,
        reason.reply_text.rpartition(" ")[0],
    )
    assert "works" == (await answer(other.queue_declare, "works")).method.queue


async def test_deleted_queue_cancels_its_consumer(
    connection: AsyncioConnection, channel: pika.channel.Channel
) -> None:
    cancelled = asyncio.get_running_loop().create_future()
    other = await channel_of(connection)
    await answer(channel.queue_declare, "queue")
    channel.add_on_cancel_callback(lambda frame: cancelled.set_result(frame.method.consumer_tag))
    tag = channel.basic_consume("queue", lambda *_: None)

    await answer(other.queue_delete, "queue")

    assert tag == await cancelled


async def test_transaction(channel: pika.channel.Channel) -> None:
    await answer(channel.queue_declare, "queue")
    await answer(channel.tx_select)

    channel.basic_publish("", "queue", b"dropped")
    await answer(channel.tx_rollback)
    channel.basic_publish("", "queue", b"kept")
    await answer(channel.tx_commit)

    got = asyncio.get_running_loop().create_future()
    channel.basic_get("queue", lambda _, method, __, body: got.set_result((method, body)), True)
    method, body = await got
    assert (b"kept", 0) == (body, method.message_count)


async def test_wrong_password_is_refused(url: str) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        await connect(url.replace(":guest@", ":guess@"))


async def test_blocked_publisher_is_told(fakebroker: FakeBroker) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    connection = await connect(fakebroker.url)
    closed = closing(connection)
    channel = await channel_of(connection)
    connection.add_on_connection_blocked_callback(
        lambda _, frame: told.put_nowait(frame.method.reason)
    )
    connection.add_on_connection_unblocked_callback(lambda _, __: told.put_nowait("over"))

    fakebroker.block("low on disk")
    channel.basic_publish("", "nowhere", b"later")
    blocked = await told.get()
    fakebroker.unblock()

    assert ["low on disk", "over"] == [blocked, await told.get()]
    connection.close()
    await closed


async def test_broker_that_goes_away_is_noticed(fakebroker: FakeBroker) -> None:
    connection = await connect(fakebroker.url)
    closed = closing(connection)

    fakebroker.close_connections("shutdown")
    reason = await closed

    assert isinstance(reason, pika.exceptions.ConnectionClosedByBroker)
    assert (320, "CONNECTION_FORCED - shutdown") == (reason.reply_code, reason.reply_text)
