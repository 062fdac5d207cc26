"""Exclusive and auto-delete queues: who may use them, and when they go.

Specification: class queue. RabbitMQ: https://www.rabbitmq.com/docs/queues#temporary-queues
"""

from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    QueueUnbindOkParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.closes import locked

DECLARE, BIND, PURGE, DELETE = (50, 10), (50, 20), (50, 30), (50, 40)
CONSUME, GET = (60, 20), (60, 70)


def await_gone(channel: Channel, queue_name: str) -> None:
    while channel.has_queue(queue_name):
        channel.peer.pause(f"for queue {queue_name!r} to go")


# --- exclusive queues -------------------------------------------------------------------------


@pytest.fixture
def exclusive(connect: Connect, unique: Unique) -> str:
    """The name of an exclusive queue of another connection."""
    return connect().channel().declare_queue(unique("exclusive"), exclusive=True)


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (QueueDeclareParameters(), DECLARE),
        (QueueDeclareParameters(exclusive=True), DECLARE),
        (QueueDeclareParameters(passive=True), DECLARE),
        (QueueBindParameters(exchange_name="amq.direct"), BIND),
        (QueuePurgeParameters(), PURGE),
        (QueueDeleteParameters(), DELETE),
        (BasicConsumeParameters(), CONSUME),
        (BasicGetParameters(), GET),
    ],
)
def test_exclusive_queue_is_locked_for_other_connections(
    channel: Channel, exclusive: str, parameters: Any, ids: tuple[int, int]
) -> None:
    refused = channel.refusal(parameters._replace(queue_name=exclusive))

    assert refused == locked(exclusive, *ids)


def test_refusal_that_is_too_long_for_a_reply_text_is_cut(
    channel: Channel, connect: Connect, unique: Unique
) -> None:
    name = connect().channel().declare_queue(unique("x" * 100), exclusive=True)

    refused = channel.refusal(QueuePurgeParameters(name))

    assert 255 == len(refused.reply_text)
    assert refused == locked(name, *PURGE)


def test_exclusive_queue_is_not_locked_for_unbinding_nothing(
    channel: Channel, exclusive: str
) -> None:
    unbound = channel.call(QueueUnbindParameters(exclusive, "amq.direct", "key"))

    assert QueueUnbindOkParameters() == unbound


def test_exclusive_queue_is_open_for_publishing(
    channel: Channel, connect: Connect, unique: Unique
) -> None:
    owner = connect().channel()
    name = owner.declare_queue(unique("exclusive"), exclusive=True)
    channel.select_confirm()

    channel.confirmed_publish("", name, b"from outside")

    assert b"from outside" == owner.get_message(name).body


def test_exclusive_queue_is_open_for_all_channels_of_its_connection(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_queue(unique("exclusive"), exclusive=True)

    other = channel.peer.channel(2)

    assert name == other.declare_queue(name, exclusive=True)


def test_exclusive_queue_outlives_the_channel_that_declared_it(
    channel: Channel, unique: Unique
) -> None:
    declaring = channel.peer.channel(2)
    name = declaring.declare_queue(unique("exclusive"), exclusive=True)

    declaring.close()

    assert channel.has_queue(name)


def test_exclusive_queue_is_gone_before_the_connection_is_closed(
    channel: Channel, connect: Connect, unique: Unique
) -> None:
    owner = connect()
    name = owner.channel().declare_queue(unique("exclusive"), exclusive=True)

    owner.close()

    assert not channel.has_queue(name)


def test_exclusive_queue_goes_when_the_socket_breaks(
    channel: Channel, connect: Connect, unique: Unique
) -> None:
    owner = connect()
    name = owner.channel().declare_queue(unique("exclusive"), exclusive=True)

    owner.drop()

    assert QueueDeclareOkParameters(name, 0, 0) == declare_when_free(channel.peer.channel(2), name)


def declare_when_free(channel: Channel, name: str) -> Any:
    """Declare a queue as soon as its name is free, and return the reply.

    While an exclusive queue is still there it is locked, as it is for its whole life: that it is
    gone shows when another can take its name.
    """
    channel.send(QueueDeclareParameters(name))
    while isinstance(reply := channel.receive(), ChannelCloseParameters):
        assert 405 == reply.reply_code
        channel.peer.pause(f"for queue {name!r} to go")
        channel.send(ChannelCloseOkParameters())
        channel.reopen()
        channel.send(QueueDeclareParameters(name))
    return reply


# --- auto-delete queues -----------------------------------------------------------------------


@pytest.fixture
def auto_delete(channel: Channel, unique: Unique) -> str:
    return channel.declare_queue(unique("auto"), auto_delete=True)


def test_auto_delete_queue_goes_with_its_last_consumer(channel: Channel, auto_delete: str) -> None:
    first = channel.consume(auto_delete)
    second = channel.consume(auto_delete)

    channel.cancel(first)
    after_one = channel.has_queue(auto_delete)
    channel.cancel(second)

    assert after_one
    await_gone(channel, auto_delete)


def test_auto_delete_queue_goes_with_its_consumers_channel(
    channel: Channel, auto_delete: str
) -> None:
    consuming = channel.peer.channel(2)
    consuming.consume(auto_delete)

    consuming.close()

    await_gone(channel, auto_delete)


def test_auto_delete_queue_goes_with_its_consumers_connection(
    channel: Channel, connect: Connect, auto_delete: str
) -> None:
    consuming = connect()
    consuming.channel().consume(auto_delete)

    consuming.close()

    await_gone(channel, auto_delete)


def test_auto_delete_queue_stays_while_it_never_had_a_consumer(
    channel: Channel, connect: Connect, unique: Unique
) -> None:
    declarer = connect()
    declaring = declarer.channel()
    name = declaring.declare_queue(unique("auto"), auto_delete=True)
    assert declaring.get(name) is None

    declarer.close()

    assert channel.has_queue(name)
