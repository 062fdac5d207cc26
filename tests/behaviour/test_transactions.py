"""Transactions on one channel: publishes and acknowledgements that wait for tx.commit.

Specification: class tx. RabbitMQ: https://www.rabbitmq.com/docs/semantics#tx
"""

from typing import Any

import pytest

from ammoo_wire import (
    BasicAckParameters,
    ChannelCloseParameters,
    TxCommitOkParameters,
    TxCommitParameters,
    TxRollbackOkParameters,
    TxRollbackParameters,
    TxSelectOkParameters,
    TxSelectParameters,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import Message

COMMIT, ROLLBACK = TxCommitParameters(), TxRollbackParameters()


@pytest.fixture
def transactional(peer: object, channel: Channel) -> Channel:
    """A channel on which a transaction has begun; `channel` is another one."""
    opened = channel.peer.channel(2)
    opened.call(TxSelectParameters())
    return opened


def test_selecting_twice_is_fine(channel: Channel) -> None:
    assert TxSelectOkParameters() == channel.call(TxSelectParameters())
    assert TxSelectOkParameters() == channel.call(TxSelectParameters())


def test_empty_transaction_is_fine(transactional: Channel) -> None:
    assert TxCommitOkParameters() == transactional.call(COMMIT)
    assert TxRollbackOkParameters() == transactional.call(ROLLBACK)


@pytest.mark.parametrize(
    ("parameters", "method_id"), [(COMMIT, 20), (ROLLBACK, 30)], ids=["commit", "rollback"]
)
def test_channel_that_is_not_transactional(
    channel: Channel, parameters: object, method_id: int
) -> None:
    refused = channel.refusal(parameters)

    assert (
        ChannelCloseParameters(
            406, "PRECONDITION_FAILED - channel is not transactional", 90, method_id
        )
        == refused
    )


def test_publishes_wait_for_commit(channel: Channel, transactional: Channel, queue: str) -> None:
    transactional.publish("", queue, b"1")
    transactional.publish("", queue, b"2")
    transactional.arrived()
    before = channel.get(queue)

    transactional.call(COMMIT)

    assert before is None
    assert [b"1", b"2"] == channel.get_bodies(queue)


def test_rollback_drops_publishes(channel: Channel, transactional: Channel, queue: str) -> None:
    transactional.publish("", queue, b"dropped")

    transactional.call(ROLLBACK)
    transactional.publish("", queue, b"kept")
    transactional.call(COMMIT)

    assert [b"kept"] == channel.get_bodies(queue)


def test_publish_is_routed_at_once(transactional: Channel, unique: Unique) -> None:
    name = unique("missing")

    transactional.publish(name, "key")

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'", 60, 40)
        == transactional.refusal()
    )


def test_returns_come_at_commit_before_commit_ok(transactional: Channel, unique: Unique) -> None:
    transactional.publish("", unique("nowhere"), b"!", mandatory=True)
    before = transactional.arrived()

    transactional.send(COMMIT)

    assert [] == before
    assert b"!" == transactional.returned().body
    assert TxCommitOkParameters() == transactional.receive()


def test_rollback_drops_returns(transactional: Channel, unique: Unique) -> None:
    transactional.publish("", unique("nowhere"), b"!", mandatory=True)

    transactional.call(ROLLBACK)

    assert [] == transactional.arrived()


def test_acks_wait_for_commit(channel: Channel, transactional: Channel, queue: str) -> None:
    channel.fill(queue, b"!")
    transactional.consume(queue, "tag")
    tag = transactional.delivery().parameters.delivery_tag
    transactional.cancel("tag")

    transactional.ack(tag)
    transactional.call(COMMIT)
    transactional.close()

    assert channel.get(queue) is None


def test_ack_that_was_not_committed_is_forgotten_with_the_channel(
    channel: Channel, transactional: Channel, queue: str
) -> None:
    channel.fill(queue, b"!")
    tag = transactional.get_message(queue, no_ack=False).parameters.delivery_tag

    transactional.ack(tag)
    transactional.close()

    message = channel.get_message(queue)
    assert (b"!", True) == (message.body, message.parameters.redelivered)


def test_rollback_makes_deliveries_unacked_again(
    channel: Channel, transactional: Channel, queue: str
) -> None:
    channel.fill(queue, b"!")
    tag = transactional.get_message(queue, no_ack=False).parameters.delivery_tag

    transactional.ack(tag)
    transactional.call(ROLLBACK)

    assert channel.get(queue) is None
    transactional.ack(tag)
    transactional.call(COMMIT)
    transactional.close()
    assert channel.get(queue) is None


def test_rejects_wait_for_commit(channel: Channel, transactional: Channel, queue: str) -> None:
    channel.fill(queue, b"!")
    tag = transactional.get_message(queue, no_ack=False).parameters.delivery_tag

    transactional.reject(tag, requeue=True)
    transactional.arrived()
    before = channel.get(queue)
    transactional.call(COMMIT)

    assert before is None
    assert b"!" == channel.get_message(queue).body


def test_unknown_delivery_tag_is_found_at_once(transactional: Channel) -> None:
    refused = transactional.refusal(BasicAckParameters(5))

    assert (
        ChannelCloseParameters(406, "PRECONDITION_FAILED - unknown delivery tag 5", 60, 80)
        == refused
    )


def test_transaction_is_rolled_back_when_the_channel_closes(
    channel: Channel, transactional: Channel, queue: str
) -> None:
    transactional.publish("", queue, b"dropped")

    transactional.close()

    assert channel.get(queue) is None


def test_transaction_is_rolled_back_when_the_connection_closes(
    channel: Channel, connect: Connect, queue: str
) -> None:
    other = connect()
    other_channel = other.channel()
    other_channel.call(TxSelectParameters())
    other_channel.publish("", queue, b"dropped")

    other.close()

    assert channel.get(queue) is None


def test_returns_come_before_what_the_commit_delivers(
    transactional: Channel, queue: str, unique: Unique
) -> None:
    transactional.consume(queue, no_ack=True)
    transactional.publish("", queue, b"delivered")
    transactional.publish("", unique("nowhere"), b"returned", mandatory=True)

    transactional.send(COMMIT)

    assert b"returned" == transactional.returned().body
    # RabbitMQ mostly delivers before it answers, but not always.
    behind = [transactional.peer.receive(transactional.number) for _ in range(2)]
    assert {Message, TxCommitOkParameters} == {type(each) for each in behind}


def test_commit_that_no_queue_takes_part_in_is_answered_before_redeliveries(
    channel: Channel, transactional: Channel, queue: str, unique: Unique
) -> None:
    transactional.consume(queue)
    channel.fill(queue, b"!")
    tag = transactional.delivery().parameters.delivery_tag
    transactional.publish("", unique("nowhere"), b"dropped")
    transactional.reject(tag, requeue=True)

    transactional.send(COMMIT)

    assert TxCommitOkParameters() == transactional.receive()
    assert b"!" == transactional.delivery().body


# --- queues that come and go before the commit ------------------------------------------------


PARTIAL = ChannelCloseParameters(406, "PRECONDITION_FAILED - partial tx completion", 90, 20)


def publish_to_deleted(
    channel: Channel, transactional: Channel, queue: str, **options: Any
) -> None:
    """Publish to a queue in a transaction, and delete the queue then."""
    transactional.publish("", queue, b"!", **options)
    transactional.arrived()
    channel.delete_queue(queue)


@pytest.mark.rabbitmq_version("<4.0")
def test_publish_to_a_deleted_queue_is_unroutable_up_to_3_10(
    channel: Channel, transactional: Channel, queue: str
) -> None:
    """The commit looks the queue up again, by its name."""
    publish_to_deleted(channel, transactional, queue, mandatory=True)

    transactional.send(COMMIT)

    assert b"!" == transactional.returned().body
    assert TxCommitOkParameters() == transactional.receive()


@pytest.mark.rabbitmq_version("<4.0")
def test_publish_through_an_alternate_exchange_to_a_deleted_queue_is_unroutable_up_to_3_10(
    channel: Channel, transactional: Channel, queue: str, unique: Unique
) -> None:
    alternate = channel.declare_exchange(unique("alternate"), "fanout")
    channel.bind(queue, alternate)
    exchange = channel.declare_exchange(unique("exchange"), alternate_exchange=alternate)
    transactional.publish(exchange, "key", b"!", mandatory=True)
    transactional.arrived()
    channel.delete_queue(queue)

    transactional.send(COMMIT)

    assert b"!" == transactional.returned().body
    assert TxCommitOkParameters() == transactional.receive()


@pytest.mark.rabbitmq_version("<4.0")
def test_queue_that_is_declared_before_the_commit_gets_the_message_up_to_3_10(
    channel: Channel, transactional: Channel, queue: str, unique: Unique
) -> None:
    """Be it declared anew, or for the first time: the default exchange knows its name."""
    late = unique("late")
    publish_to_deleted(channel, transactional, queue, headers={"CC": [late]})
    channel.declare_queue(queue)
    channel.declare_queue(late)

    transactional.call(COMMIT)

    assert [b"!", b"!"] == [channel.await_message(name).body for name in (queue, late)]


@pytest.mark.rabbitmq_version(">=4.0")
def test_queue_that_is_declared_for_the_first_time_before_the_commit_gets_nothing_from_4_0_on(
    channel: Channel, transactional: Channel, unique: Unique
) -> None:
    late = unique("late")
    transactional.publish("", late, b"!", mandatory=True)
    transactional.arrived()
    channel.declare_queue(late)

    transactional.send(COMMIT)

    assert b"!" == transactional.returned().body
    assert TxCommitOkParameters() == transactional.receive()
    assert 0 == channel.message_count(late)


@pytest.mark.rabbitmq_version(">=4.0,<4.3")
@pytest.mark.parametrize("mandatory", [True, False])
def test_publish_to_a_deleted_queue_makes_the_commit_fail_on_4_0(
    channel: Channel, transactional: Channel, queue: str, unique: Unique, mandatory: bool
) -> None:
    """Other queues have their messages, though."""
    other = channel.declare_queue(unique("other"))
    publish_to_deleted(channel, transactional, queue, mandatory=mandatory, headers={"CC": [other]})

    assert PARTIAL == transactional.refusal(COMMIT)
    assert b"!" == channel.await_message(other).body


@pytest.mark.rabbitmq_version(">=4.0")
def test_queue_that_is_declared_anew_before_the_commit_makes_it_fail_from_4_0_on(
    channel: Channel, transactional: Channel, queue: str
) -> None:
    publish_to_deleted(channel, transactional, queue)
    channel.declare_queue(queue)

    assert PARTIAL == transactional.refusal(COMMIT)
    assert 0 == channel.message_count(queue)


@pytest.mark.rabbitmq_version(">=4.3")
def test_publish_to_a_deleted_queue_costs_the_connection_at_the_commit_from_4_3_on(
    channel: Channel, connect: Connect, queue: str, unique: Unique
) -> None:
    """What was published before it is in its queues, what comes behind it is not."""
    other = channel.declare_queue(unique("other"))
    transactional = connect().channel()
    transactional.call(TxSelectParameters())
    transactional.publish("", other, b"before")
    transactional.publish("", queue, b"!", headers={"CC": [other]})
    transactional.publish("", other, b"behind")
    transactional.arrived()
    channel.delete_queue(queue)

    refused = transactional.fatal(COMMIT)

    assert (506, 90, 20) == (refused.reply_code, refused.class_id, refused.method_id)
    assert refused.reply_text == (
        "RESOURCE_ERROR - failed to deliver message: {not_found,\n"
        f'{" " * 31}{{resource,<<"/">>,queue,<<"{queue}">>}}}}'
    )
    assert b"before" == channel.await_message(other).body
    assert [] == channel.get_bodies(other)
