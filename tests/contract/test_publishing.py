"""Publishing on brokers: every publish has its own outcome, and nothing that it holds is lost."""

import asyncio
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest

import ammoo
from ammoo.exceptions.channel import PublishNack, PublishReturned
from ammoo.exceptions.connection import ConnectionBlocked
from ammoo_wire import EncodeError, Float32, Timestamp
from tests.client.brokers import Name
from tests.contract.queues import drain, publish
from tests.support.operator import Operator
from tests.support.tasks import started

# --- outcomes ---


async def test_two_publishes_with_one_message_id_each_have_their_outcome(
    broker_channel: ammoo.Channel, queue: str
) -> None:
    await broker_channel.select_confirm()
    options: dict[str, Any] = {
        "raise_returned": True,
        "message_id": "the same",
        "headers": {"a": 1, "b": [b"\x00", 1.5]},
        "bcc": "nobody",
    }

    outcomes = await asyncio.gather(
        broker_channel.publish("", "no such queue", b"body", **options),
        broker_channel.publish("", queue, b"body", **options),
        broker_channel.publish("", "no such queue", b"body", **options),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [
        PublishReturned,
        type(None),
        PublishReturned,
    ]


async def test_publishes_that_differ_in_their_headers_alone_each_have_their_outcome(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    exchange = name("headers")
    await broker_channel.declare_exchange(exchange, "headers")
    await broker_channel.bind_queue(queue, exchange, {"to": "queue"})
    await broker_channel.select_confirm()

    outcomes = await asyncio.gather(
        *(
            broker_channel.publish(
                exchange,
                {"z": 1, "to": to, "a": [b"\x00", {"y": 1, "b": 2}]},
                b"body",
                raise_returned=True,
                bcc="nobody",
            )
            for to in ("queue", "nowhere", "queue", "nowhere")
        ),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        PublishReturned,
        type(None),
        PublishReturned,
    ]


async def test_many_publishes_at_once_each_have_their_outcome(
    broker_channel: ammoo.Channel, queue: str, name: Name
) -> None:
    """Confirmed, refused and returned, in whatever order and groups the broker says so."""
    durable, full = name("durable"), name("full")
    await broker_channel.declare_queue(durable, durable=True)
    await broker_channel.declare_queue(full, max_length=1, overflow="reject-publish")
    await publish(broker_channel, full, "the one that fits")
    outcomes = {queue: type(None), durable: type(None), full: PublishNack, "": PublishReturned}
    keys = random.Random(0).choices(list(outcomes), k=400)

    actual = await asyncio.gather(
        *(
            broker_channel.publish("", key, str(i), delivery_mode=2, raise_returned=True)
            for i, key in enumerate(keys)
        ),
        return_exceptions=True,
    )

    assert [outcomes[key] for key in keys] == [type(outcome) for outcome in actual]
    expected = {key: [str(i) for i, each in enumerate(keys) if each == key] for key in outcomes}
    assert expected[queue] == await drain(broker_channel, queue)
    assert expected[durable] == await drain(broker_channel, durable)


@pytest.mark.parametrize(
    "options",
    [
        {"expiration": "0100"},
        {"expiration": "+100"},
        {"expiration": "00"},
        {"headers": {"b": 1, "a": {"z": 1, "y": [2]}}, "bcc": "nowhere"},
        {"headers": {"short": Float32(1.5), "none": None}, "priority": 0, "message_id": ""},
        {"timestamp": 2**40, "cluster_id": "c", "content_encoding": ""},
    ],
)
async def test_message_that_is_rewritten_on_its_way_back_is_still_known(
    broker_channel: ammoo.Channel, name: Name, options: dict[str, Any]
) -> None:
    await broker_channel.select_confirm()

    publishing = [
        broker_channel.publish("", name("nowhere"), str(i), raise_returned=True, **options)
        for i in range(3)
    ]
    outcomes = await asyncio.gather(*publishing, return_exceptions=True)

    assert [PublishReturned] * 3 == [type(outcome) for outcome in outcomes]


async def test_properties_of_a_message_read_can_be_published_again(
    broker_channel: ammoo.Channel, queue: str
) -> None:
    await publish(
        broker_channel,
        queue,
        "ä",
        headers={"a": [1, {"b": None}]},
        delivery_mode=2,
        priority=3,
        expiration=60000,
        cluster_id="c",
        type_="t",
        content_type="text/plain",
        content_encoding="utf-8",
    )
    first = await broker_channel.get(queue, no_ack=True)

    await publish(broker_channel, queue, bytes(first.body), **first.properties._asdict())

    second = await broker_channel.get(queue, no_ack=True)
    assert (first.body, first.properties) == (second.body, second.properties)


# --- values of headers ---


async def test_headers_round_trip_exactly(broker_channel: ammoo.Channel, queue: str) -> None:
    headers = {
        "float": 1.1,
        "short float": Float32(1.5),
        "bytes": b"\xff\x00",
        "decimal": Decimal("12.50"),
        "negative decimal": Decimal("-0.001"),
        "nested": {"list": [1, "a", None, True, {"x": 2**40, "y": [b"\x00", 2.5]}]},
        "negative": -5,
        "none": None,
        "time": datetime(2026, 1, 1, tzinfo=UTC),
    }
    await publish(broker_channel, queue, "1", headers=headers)

    arrived = (await broker_channel.get(queue, no_ack=True)).properties.headers

    assert headers == arrived
    assert arrived is not None
    assert {k: type(v) for k, v in arrived.items()} == {k: type(v) for k, v in headers.items()}


@pytest.mark.parametrize(
    "seconds",
    [2**64 - 1, 1_700_000_000_000, 2**64 - 62_135_596_800],
    ids=["largest", "milliseconds", "negative"],
)
async def test_timestamps_that_are_no_date_cost_nothing(
    broker_channel: ammoo.Channel, queue: str, seconds: int
) -> None:
    """Other clients write milliseconds, and dates before 1970 with a sign that AMQP has not."""
    headers = {"at": Timestamp(seconds), "in a list": [Timestamp(seconds)]}
    await publish(broker_channel, queue, "1", headers=headers, timestamp=seconds)

    async with broker_channel.consume(queue) as consumer:
        properties = (await anext(consumer)).properties

    assert (headers, seconds) == (properties.headers, properties.timestamp)
    assert broker_channel.connection.closing_exc is None


async def test_date_before_1970_is_refused_before_a_byte_leaves(
    broker_channel: ammoo.Channel, queue: str
) -> None:
    with pytest.raises(EncodeError, match=r"headers\['at'\] .*without a sign"):
        await publish(broker_channel, queue, "1", headers={"at": datetime(1969, 12, 31)})

    await publish(broker_channel, queue, "2")
    assert ["2"] == await drain(broker_channel, queue)


# --- while the broker takes no messages ---


async def test_publishes_wait_while_the_broker_is_short_of_memory(
    broker_channel: ammoo.Channel,
    queue: str,
    operator: Operator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = broker_channel.connection
    told: list[str | None] = []
    connection.add_blocked_callback(told.append)
    await broker_channel.select_confirm()
    operator.raise_alarm()
    # The broker tells those who publish, and the first one cannot know.
    first = asyncio.create_task(broker_channel.publish("", queue, "1"))
    assert "low on memory" == await connection.wait_blocked()
    socket = broker_channel._require_live().transport._socket
    assert socket is not None
    write = Mock(wraps=socket.write)
    monkeypatch.setattr(socket, "write", write)

    held = [asyncio.create_task(broker_channel.publish("", queue, str(i))) for i in range(2, 5)]
    given_up = await started(broker_channel.publish("", queue, "given up"))
    given_up.cancel()
    await asyncio.wait({given_up})

    assert not any(task.done() for task in (first, *held))
    assert not write.called

    operator.clear_alarm()
    await connection.wait_unblocked()
    await asyncio.gather(first, *held)

    assert connection.blocked is None
    assert ["low on memory", None] == told
    assert ["1", "2", "3", "4"] == await drain(broker_channel, queue)


async def test_publish_that_waits_too_long_was_not_sent(
    broker_url: str, queue: str, broker_channel: ammoo.Channel, operator: Operator
) -> None:
    async with (
        await ammoo.connect(broker_url, blocked_timeout=0.05) as connection,
        connection.channel() as channel,
    ):
        operator.raise_alarm()
        await channel.publish("", queue, "1")
        await connection.wait_blocked()

        with pytest.raises(ConnectionBlocked, match=r"low on memory.* 0\.05 s"):
            await channel.publish("", queue, "too late")

        operator.clear_alarm()
        await connection.wait_unblocked()
        await publish(channel, queue, "2")
        assert ["1", "2"] == await drain(channel, queue)
