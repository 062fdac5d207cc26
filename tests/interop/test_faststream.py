"""FastStream's RabbitMQ broker, unmodified; it stands on aio-pika's robust connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aio_pika.exceptions import DeliveryError
from faststream import AckPolicy
from faststream.rabbit import (
    Channel,
    ExchangeType,
    QueueType,
    RabbitBroker,
    RabbitExchange,
    RabbitMessage,
    RabbitQueue,
    TestRabbitBroker,
)
from pydantic import BaseModel

SECONDS = 30


class Order(BaseModel):
    number: int
    customer: str = "nobody"


@pytest.fixture
async def broker(url: str) -> AsyncIterator[RabbitBroker]:
    """A broker that is not started: subscribers come first."""
    broker = RabbitBroker(url)
    yield broker
    await broker.stop()


async def test_subscriber_gets_a_model(broker: RabbitBroker) -> None:
    got: asyncio.Queue[Order] = asyncio.Queue()

    @broker.subscriber("orders")
    async def handle(order: Order) -> None:
        got.put_nowait(order)

    await broker.start()
    await broker.publish(Order(number=1, customer="Ann"), "orders")
    await broker.publish({"number": 2}, "orders")

    assert [1, 2] == [(await got.get()).number for _ in range(2)]


async def test_publisher_passes_on_what_a_subscriber_returns(broker: RabbitBroker) -> None:
    got: asyncio.Queue[int] = asyncio.Queue()

    @broker.subscriber("numbers")
    @broker.publisher("squares")
    async def square(number: int) -> int:
        return number * number

    @broker.subscriber("squares")
    async def collect(number: int) -> None:
        got.put_nowait(number)

    await broker.start()
    await broker.publish(0, "numbers")
    await broker.publish(1, "numbers")
    await broker.publish(2, "numbers")

    assert [0, 1, 4] == sorted([await got.get() for _ in range(3)])


async def test_request_is_answered_through_direct_reply_to(broker: RabbitBroker) -> None:
    @broker.subscriber("requests")
    async def shout(text: str) -> str:
        return text.upper()

    await broker.start()
    answer = await broker.request("hello", "requests", timeout=SECONDS)

    assert "HELLO" == await answer.decode()


async def test_topic_exchange_routes(broker: RabbitBroker) -> None:
    got: asyncio.Queue[str] = asyncio.Queue()
    events = RabbitExchange("events", type=ExchangeType.TOPIC, auto_delete=True)

    @broker.subscriber(RabbitQueue("errors", routing_key="*.error", exclusive=True), events)
    async def handle(text: str) -> None:
        got.put_nowait(text)

    await broker.start()
    await broker.publish("full", exchange=events, routing_key="disk.info", mandatory=False)
    await broker.publish("broken", exchange=events, routing_key="disk.error")

    assert "broken" == await got.get()
    assert got.empty()


async def test_headers_exchange_and_quorum_queue(broker: RabbitBroker) -> None:
    got: asyncio.Queue[str] = asyncio.Queue()
    exchange = RabbitExchange("by-kind", type=ExchangeType.HEADERS)
    queue = RabbitQueue(
        "queue",
        queue_type=QueueType.QUORUM,
        durable=True,
        bind_arguments={"kind": "order", "x-match": "all"},
    )

    @broker.subscriber(queue, exchange, channel=Channel(prefetch_count=1))
    async def handle(text: str) -> None:
        got.put_nowait(text)

    await broker.start()
    await broker.publish("no", exchange=exchange, headers={"kind": "bill"}, mandatory=False)
    await broker.publish("yes", exchange=exchange, headers={"kind": "order"})

    assert "yes" == await got.get()
    assert got.empty()


async def test_failing_message_is_rejected(broker: RabbitBroker) -> None:
    got: asyncio.Queue[Any] = asyncio.Queue()
    queue = RabbitQueue(
        "queue", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    )

    @broker.subscriber(queue, ack_policy=AckPolicy.REJECT_ON_ERROR)
    async def fail(text: str) -> None:
        raise ValueError(text)

    @broker.subscriber("dead")
    async def bury(text: str, message: RabbitMessage) -> None:
        got.put_nowait((text, message.headers["x-death"][0]["reason"]))

    await broker.start()
    await broker.publish("unwanted", "queue")

    assert ("unwanted", "rejected") == await got.get()


async def nack_once(message: RabbitMessage) -> None:
    await (message.ack() if message.raw_message.redelivered else message.nack())


async def raise_once(message: RabbitMessage) -> None:
    if not message.raw_message.redelivered:
        raise ValueError("not yet")


@pytest.mark.parametrize(
    ("policy", "fail_once"),
    [(AckPolicy.NACK_ON_ERROR, raise_once), (AckPolicy.MANUAL, nack_once)],
)
async def test_failing_message_comes_again(
    broker: RabbitBroker,
    policy: AckPolicy,
    fail_once: Callable[[RabbitMessage], Awaitable[None]],
) -> None:
    got: asyncio.Queue[bool | None] = asyncio.Queue()

    @broker.subscriber("queue", ack_policy=policy)
    async def handle(message: RabbitMessage) -> None:
        got.put_nowait(message.raw_message.redelivered)
        await fail_once(message)

    await broker.start()
    await broker.publish("body", "queue")

    assert [False, True] == [await got.get() for _ in range(2)]


async def test_message_acknowledged_first_does_not_come_again(broker: RabbitBroker) -> None:
    got: asyncio.Queue[str] = asyncio.Queue()

    @broker.subscriber("queue", ack_policy=AckPolicy.ACK_FIRST)
    async def fail(text: str) -> None:
        got.put_nowait(text)
        raise ValueError(text)

    await broker.start()
    await broker.publish("one", "queue")
    await broker.publish("two", "queue")

    assert ["one", "two"] == [await got.get() for _ in range(2)]
    await broker.stop()
    assert got.empty()


async def test_unroutable_message_comes_back(url: str) -> None:
    async with RabbitBroker(url, default_channel=Channel(on_return_raises=True)) as broker:
        with pytest.raises(DeliveryError):
            await broker.publish("lost", "nowhere")


async def test_its_own_test_client_on_a_broker(broker: RabbitBroker) -> None:
    @broker.subscriber("requests")
    async def double(number: int) -> int:
        return 2 * number

    async with TestRabbitBroker(broker, with_real=True) as tested:
        await tested.publish(21, "requests")
        await double.wait_call(timeout=SECONDS)

        assert double.mock is not None
        double.mock.assert_called_once_with(21)
        assert await tested.ping(timeout=SECONDS)
