"""Looking at a broker right after a client has written to it."""

import asyncio
import copy
import socket
from collections.abc import Iterator

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest
from pika.adapters.blocking_connection import (  # type: ignore[import-untyped]  # as above
    BlockingChannel,
)

import ammoo
from ammoo_fakebroker import FakeBroker
from ammoo_wire import ChannelCloseParameters, QueueDeclareParameters
from tests.support.peer import Peer


@pytest.fixture
def channel(fakebroker: FakeBroker) -> Iterator[BlockingChannel]:
    properties = {"connection_name": "looker"}
    parameters = pika.URLParameters(fakebroker.url)
    parameters.client_properties = properties
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        yield channel


def count_behind_publish(broker: FakeBroker, channel: BlockingChannel, body: bytes) -> int:
    """Publish, and return at once how many messages there are."""
    channel.basic_publish("", "orders", body)
    return len(broker.messages("orders"))


async def count_when_settled(broker: FakeBroker, channel: ammoo.Channel) -> int:
    """Publish, let the broker settle, and return how many messages there are."""
    await channel.publish("", "orders", b"x")
    await broker.settle()
    return len(broker.messages("orders"))


@pytest.mark.parametrize("size", [1, 300_000])
def test_look_sees_what_a_client_has_sent(
    fakebroker: FakeBroker, channel: BlockingChannel, size: int
) -> None:
    seen = [count_behind_publish(fakebroker, channel, b"x" * size) for _ in range(30)]

    assert list(range(1, 31)) == seen


def test_call_comes_after_what_a_client_has_sent(
    fakebroker: FakeBroker, channel: BlockingChannel
) -> None:
    channel.basic_publish("", "orders", b"before")
    fakebroker.set_permissions("guest", write="^$")

    assert 1 == fakebroker.queue("orders").message_count


def test_look_does_not_wait_for_a_client_that_stops_in_the_middle(fakebroker: FakeBroker) -> None:
    with socket.create_connection((fakebroker.host, fakebroker.port)) as client:
        client.sendall(b"AMQP")

        assert () == fakebroker.connections


def test_look_in_the_loop_sees_what_was_sent_once_the_broker_has_settled() -> None:
    async def look() -> list[int]:
        async with (
            FakeBroker() as broker,
            await ammoo.connect(broker.url) as connection,
            connection.channel() as channel,
        ):
            await channel.declare_queue("orders")
            return [await count_when_settled(broker, channel) for _ in range(30)]

    assert list(range(1, 31)) == asyncio.run(look())


def test_settling_lets_clients_of_another_loop_write_first(fakebroker: FakeBroker) -> None:
    async def look() -> list[int]:
        async with (
            await ammoo.connect(fakebroker.url) as connection,
            connection.channel() as channel,
        ):
            await channel.declare_queue("orders")
            return [await count_when_settled(fakebroker, channel) for _ in range(30)]

    assert list(range(1, 31)) == asyncio.run(look())


def test_messages_with_clients_are_seen(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    channel.basic_publish("", "orders", b"two")
    channel.basic_publish("", "orders", b"three")
    channel.basic_get("orders")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")

    everything = fakebroker.messages("orders", including_unacknowledged=True)

    assert [
        (b"one", "looker", 1, 1, None),
        (b"two", "looker", 1, 2, "worker"),
        (b"three", None, None, None, None),
    ] == [
        (each.body, each.connection, each.channel_number, each.delivery_tag, each.consumer_tag)
        for each in everything
    ]
    assert [b"three"] == [each.body for each in fakebroker.messages("orders")]


def test_one_look_stays_as_it_was(fakebroker: FakeBroker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    channel.basic_get("orders")

    look = fakebroker.look()
    channel.queue_delete("orders")

    assert ("/",) == look.virtualhosts
    assert 1 == len(look.connections)
    assert 1 == look.queue("orders").unacknowledged_count
    assert ["orders"] == list(look.queues())
    assert [] == look.messages("orders")
    (message,) = look.messages("orders", including_unacknowledged=True)
    assert b"one" == message.body
    assert "amq.topic" in look.exchanges()
    with pytest.raises(LookupError, match="no queue 'other' in virtual host '/'"):
        look.messages("other")
    with pytest.raises(LookupError, match="no virtual host 'other'"):
        look.queues("other")


def test_messages_of_a_closing_channel_are_seen(fakebroker: FakeBroker) -> None:
    """After an error, a channel keeps messages until its client has answered."""
    fakebroker.declare_queue("orders", durable=True, arguments={"x-queue-type": "quorum"})
    fakebroker.put("orders", b"one")
    with Peer.connect(fakebroker.url) as peer:
        channel = peer.channel(7)
        channel.get_unacked("orders", 1)
        channel.send(QueueDeclareParameters("missing", passive=True))
        channel.expect(ChannelCloseParameters)

        (message,) = fakebroker.messages("orders", including_unacknowledged=True)

    assert (b"one", 7, 1) == (message.body, message.channel_number, message.delivery_tag)


def test_changes_of_what_a_look_returns_leave_the_broker_as_it_is(fakebroker: FakeBroker) -> None:
    fakebroker.declare_exchange("events", arguments={"x": [1]})
    fakebroker.declare_queue("orders", arguments={"x": [1]})
    fakebroker.bind_queue("orders", "events", arguments={"x": [1]})
    before = copy.deepcopy((fakebroker.exchanges(), fakebroker.queues()))

    fakebroker.exchanges()["events"].arguments["x"].append(2)
    fakebroker.queue("orders").arguments["x"].append(2)
    fakebroker.queue("orders").bindings[0].arguments["x"].append(2)

    assert before == (fakebroker.exchanges(), fakebroker.queues())
