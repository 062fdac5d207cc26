"""Settling deliveries: ack, nack, reject, recover, and where a message goes that comes back.

Specification: class basic. RabbitMQ: https://www.rabbitmq.com/docs/confirms#acknowledgement-modes
and https://www.rabbitmq.com/docs/nack
"""

from typing import Any

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicNackParameters,
    BasicRecoverAsyncParameters,
    BasicRecoverOkParameters,
    BasicRecoverParameters,
    BasicRejectParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import Message

ACK, REJECT, NACK = (60, 80), (60, 90), (60, 120)


def unknown(delivery_tag: int, ids: tuple[int, int]) -> ChannelCloseParameters:
    return ChannelCloseParameters(
        406, f"PRECONDITION_FAILED - unknown delivery tag {delivery_tag}", *ids
    )


@pytest.fixture
def held(channel: Channel, queue: str) -> list[Message]:
    """Five messages that `channel` got from `queue` and has not settled: tags 1 to 5."""
    channel.fill(queue, b"1", b"2", b"3", b"4", b"5")
    return [channel.get_message(queue, no_ack=False) for _ in range(5)]


def left_after_close(channel: Channel, queue: str) -> list[bytes]:
    """Close the channel, and give what comes back to the queue."""
    channel.close()
    return channel.peer.channel(2).get_bodies(queue)


# --- which are settled ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settling", "left"),
    [
        (BasicAckParameters(2), [b"1", b"3", b"4", b"5"]),
        (BasicAckParameters(5), [b"1", b"2", b"3", b"4"]),
        (BasicAckParameters(3, multiple=True), [b"4", b"5"]),
        (BasicAckParameters(5, multiple=True), []),
        (BasicAckParameters(0, multiple=True), []),
        (BasicRejectParameters(2, requeue=False), [b"1", b"3", b"4", b"5"]),
        (BasicNackParameters(2, requeue=False), [b"1", b"3", b"4", b"5"]),
        (BasicNackParameters(3, multiple=True, requeue=False), [b"4", b"5"]),
        (BasicNackParameters(0, multiple=True, requeue=False), []),
    ],
)
@pytest.mark.usefixtures("held")
def test_settled_messages_do_not_come_back(
    channel: Channel, queue: str, settling: Any, left: list[bytes]
) -> None:
    channel.send(settling)

    assert left == left_after_close(channel, queue)


@pytest.mark.usefixtures("held")
def test_tags_may_be_settled_in_any_order(channel: Channel, queue: str) -> None:
    channel.ack(4)
    channel.ack(1)
    channel.ack(5)
    channel.ack(3, multiple=True)

    assert [] == left_after_close(channel, queue)


# --- unknown tags -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settling", "ids"),
    [
        (BasicAckParameters(6), ACK),
        (BasicAckParameters(6, multiple=True), ACK),
        (BasicAckParameters(0), ACK),
        (BasicRejectParameters(6, requeue=True), REJECT),
        (BasicRejectParameters(0, requeue=True), REJECT),
        (BasicNackParameters(6), NACK),
        (BasicNackParameters(6, multiple=True), NACK),
        (BasicNackParameters(0), NACK),
    ],
)
@pytest.mark.usefixtures("held")
def test_tag_that_was_never_issued(channel: Channel, settling: Any, ids: tuple[int, int]) -> None:
    assert unknown(settling.delivery_tag, ids) == channel.refusal(settling)


@pytest.mark.parametrize(
    ("settling", "ids"),
    [
        (BasicAckParameters(2), ACK),
        (BasicRejectParameters(2, requeue=False), REJECT),
        (BasicNackParameters(2), NACK),
    ],
)
@pytest.mark.usefixtures("held")
def test_settling_twice(channel: Channel, settling: Any, ids: tuple[int, int]) -> None:
    channel.ack(2)

    assert unknown(2, ids) == channel.refusal(settling)


@pytest.mark.usefixtures("held")
def test_settling_what_multiple_covered(channel: Channel) -> None:
    channel.ack(3, multiple=True)

    assert unknown(2, ACK) == channel.refusal(BasicAckParameters(2))


@pytest.mark.usefixtures("held")
def test_multiple_up_to_a_tag_that_is_settled(channel: Channel, queue: str) -> None:
    """Where RabbitMQ minds, it minds about the tag alone."""
    channel.ack(3)

    channel.ack(2, multiple=True)

    assert [] == channel.arrived()
    assert [b"4", b"5"] == left_after_close(channel, queue)


def test_settling_what_needed_no_ack(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"!")
    tag = channel.get_message(queue, no_ack=True).parameters.delivery_tag

    assert unknown(tag, ACK) == channel.refusal(BasicAckParameters(tag))


@pytest.mark.usefixtures("held")
def test_settling_on_another_channel(channel: Channel) -> None:
    other = channel.peer.channel(2)

    assert unknown(1, ACK) == other.refusal(BasicAckParameters(1))


@pytest.mark.parametrize(
    "settling", [BasicAckParameters(0, multiple=True), BasicNackParameters(0, multiple=True)]
)
def test_settling_all_of_nothing_is_fine(channel: Channel, settling: Any) -> None:
    channel.send(settling)

    assert [] == channel.arrived()


@pytest.mark.usefixtures("held")
def test_refused_settlement_gives_everything_back(channel: Channel, queue: str) -> None:
    channel.refusal(BasicAckParameters(9))

    bodies = channel.peer.channel(2).get_bodies(queue)
    assert [b"1", b"2", b"3", b"4", b"5"] == bodies


# --- redelivery -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settling",
    [
        BasicRejectParameters(1, requeue=True),
        BasicNackParameters(1, requeue=True),
        BasicNackParameters(0, multiple=True, requeue=True),
    ],
)
def test_requeued_message_is_redelivered(channel: Channel, queue: str, settling: Any) -> None:
    channel.fill(queue, b"!")
    assert not channel.get_message(queue, no_ack=False).parameters.redelivered

    channel.send(settling)

    message = channel.get_message(queue)
    assert (b"!", True) == (message.body, message.parameters.redelivered)


def test_message_never_delivered_is_not_redelivered(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"1", b"2")
    channel.get_message(queue, no_ack=False)

    channel.reject(1, requeue=True)

    redelivered = [channel.get_message(queue).parameters.redelivered for _ in range(2)]
    assert [True, False] == redelivered


@pytest.mark.usefixtures("held")
def test_channel_close_gives_back_what_was_not_settled(channel: Channel, queue: str) -> None:
    channel.close()

    other = channel.peer.channel(2)
    messages = [other.get_message(queue) for _ in range(5)]
    assert [b"1", b"2", b"3", b"4", b"5"] == [message.body for message in messages]
    assert all(message.parameters.redelivered for message in messages)


def test_connection_close_gives_back_what_was_not_settled(
    channel: Channel, connect: Connect, queue: str
) -> None:
    channel.fill(queue, b"1", b"2")
    other = connect()
    other.channel().get_message(queue, no_ack=False)

    other.close()

    messages = [channel.await_message(queue), channel.await_message(queue)]
    assert [(b"1", True), (b"2", False)] == [
        (message.body, message.parameters.redelivered) for message in messages
    ]


def test_broken_socket_gives_back_what_was_not_settled(
    channel: Channel, connect: Connect, queue: str
) -> None:
    channel.fill(queue, b"!")
    other = connect()
    other.channel().get_message(queue, no_ack=False)

    other.drop()

    message = channel.await_message(queue)
    assert (b"!", True) == (message.body, message.parameters.redelivered)


def test_what_needed_no_ack_does_not_come_back(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"1", b"2")
    channel.consume(queue, no_ack=True)
    channel.deliveries(2)

    assert [] == left_after_close(channel, queue)


# --- where it comes back to -------------------------------------------------------------------


def test_requeued_message_goes_back_to_its_place(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"1", b"2", b"3", b"4")
    channel.get_unacked(queue, 3)

    channel.reject(2, requeue=True)

    assert [b"2", b"4"] == channel.get_bodies(queue)


def test_requeued_messages_keep_their_order(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"1", b"2", b"3", b"4", b"5")
    channel.get_unacked(queue, 4)

    channel.reject(3, requeue=True)
    channel.reject(1, requeue=True)
    channel.nack(4, multiple=True, requeue=True)

    assert [b"1", b"2", b"3", b"4", b"5"] == channel.get_bodies(queue)


def test_requeued_message_may_come_back_to_the_same_consumer(channel: Channel, queue: str) -> None:
    channel.qos(1)
    channel.fill(queue, b"1", b"2")
    channel.consume(queue)
    channel.reject(channel.delivery().parameters.delivery_tag, requeue=True)

    message = channel.delivery()

    assert (b"1", 2, True) == (
        message.body,
        message.parameters.delivery_tag,
        message.parameters.redelivered,
    )


# --- recover ----------------------------------------------------------------------------------


def test_recover_redelivers_after_recover_ok(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"1", b"2")
    channel.consume(queue)
    channel.deliveries(2)

    channel.send(BasicRecoverParameters(requeue=True))

    assert BasicRecoverOkParameters() == channel.receive()
    messages = [channel.delivery(), channel.delivery()]
    assert [(b"1", 3, True), (b"2", 4, True)] == [
        (message.body, message.parameters.delivery_tag, message.parameters.redelivered)
        for message in messages
    ]


def test_recover_async_is_not_answered(channel: Channel, queue: str) -> None:
    channel.fill(queue, b"!")
    channel.consume(queue)
    channel.delivery()

    channel.send(BasicRecoverAsyncParameters(requeue=True))

    message = channel.delivery()
    assert (b"!", True) == (message.body, message.parameters.redelivered)


@pytest.mark.usefixtures("held")
def test_recover_forgets_the_old_tags(channel: Channel) -> None:
    channel.call(BasicRecoverParameters(requeue=True))

    assert unknown(1, ACK) == channel.refusal(BasicAckParameters(1))


@pytest.mark.usefixtures("held")
def test_recover_is_the_channels_own_matter(channel: Channel, queue: str) -> None:
    channel.peer.channel(3).call(BasicRecoverParameters(requeue=True))

    channel.ack(5, multiple=True)
    assert [] == left_after_close(channel, queue)


def test_recover_of_nothing_is_fine(channel: Channel) -> None:
    recovered = channel.call(BasicRecoverParameters(requeue=True))

    assert BasicRecoverOkParameters() == recovered


# --- several at once --------------------------------------------------------------------------


def test_recover_gives_back_consumer_by_consumer(channel: Channel, unique: Unique) -> None:
    """Each part fits into the queue, for the one before has been delivered again."""
    name = channel.declare_queue(unique("short"), x_max_length=2)
    channel.consume(name, "b")
    channel.fill(name, b"1")
    channel.consume(name, "a", x_priority=1)
    channel.fill(name, b"2", b"3")
    channel.deliveries(3)

    channel.call(BasicRecoverParameters(True))

    assert [("a", b"2"), ("a", b"3"), ("a", b"1")] == [
        (message.parameters.consumer_tag, message.body)
        for message in (channel.delivery() for _ in range(3))
    ]


def test_multiple_ack_makes_room_consumer_by_consumer(channel: Channel, queue: str) -> None:
    channel.qos(2)
    channel.consume(queue, "b")
    channel.consume(queue, "a")
    channel.fill(queue, *(b"%d" % number for number in range(1, 9)))
    last = [channel.delivery() for _ in range(4)][-1]

    channel.ack(last.parameters.delivery_tag, multiple=True)

    assert [("a", b"5"), ("a", b"6"), ("b", b"7"), ("b", b"8")] == [
        (message.parameters.consumer_tag, message.body)
        for message in (channel.delivery() for _ in range(4))
    ]


def test_gets_are_given_back_one_by_one(channel: Channel, unique: Unique) -> None:
    graveyard = channel.declare_queue(unique("graveyard"))
    name = channel.declare_queue(
        unique("short"),
        x_max_length=1,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=graveyard,
    )
    channel.fill(name, b"1")
    channel.get_message(name, no_ack=False)
    channel.fill(name, b"2")
    channel.get_message(name, no_ack=False)

    channel.nack(2, multiple=True)

    channel.await_count(graveyard, 1)
    assert b"1" == channel.get_message(graveyard).body
    assert b"2" == channel.get_message(name).body


# --- a channel that closes --------------------------------------------------------------------


def test_no_consumer_of_a_closing_channel_is_served_by_its_end(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_queue(unique("single"), x_single_active_consumer=True)
    other = channel.peer.channel(2)
    other.qos(1)
    other.consume(name, "active")
    other.consume(name, "waiting")
    channel.fill(name, b"1", b"2")
    other.deliveries(1)

    other.send(ChannelCloseParameters(200, "done"))

    assert ChannelCloseOkParameters() == other.receive()
    first, second = channel.await_message(name), channel.await_message(name)
    assert [(b"1", True), (b"2", False)] == [
        (message.body, message.parameters.redelivered) for message in (first, second)
    ]


def test_next_in_line_gets_what_a_closed_channel_had_first(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_queue(unique("single"), x_single_active_consumer=True)
    other = channel.peer.channel(2)
    other.qos(1)
    other.consume(name)
    channel.consume(name)
    channel.fill(name, b"1", b"2")
    other.deliveries(1)

    other.close()

    assert [b"1", b"2"] == channel.deliveries(2)
