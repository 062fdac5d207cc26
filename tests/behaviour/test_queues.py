"""Queues: declaring, binding, purging and deleting them.

Specification: section 3.1.2 and class queue. RabbitMQ: https://www.rabbitmq.com/docs/queues
"""

import re
from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    ChannelCloseParameters,
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteOkParameters,
    QueueDeleteParameters,
    QueuePurgeOkParameters,
    QueuePurgeParameters,
    QueueUnbindOkParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import Unique
from tests.support.channel import Channel
from tests.support.closes import locked, no_queue

DECLARE, BIND, PURGE, DELETE, UNBIND = (50, 10), (50, 20), (50, 30), (50, 40), (50, 50)
CONSUME, GET = (60, 20), (60, 70)


# --- names ------------------------------------------------------------------------------------


def test_server_makes_up_a_name(channel: Channel) -> None:
    first = channel.declare_queue("", exclusive=True)
    second = channel.declare_queue("", exclusive=True)

    assert re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", first)
    assert re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", second)
    assert first != second


def test_reserved_prefix_cannot_be_declared(channel: Channel) -> None:
    refused = channel.refusal(QueueDeclareParameters("amq.x"))

    assert (
        ChannelCloseParameters(
            403, "ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'", *DECLARE
        )
        == refused
    )


def test_server_named_queue_cannot_be_declared_again_by_its_name(channel: Channel) -> None:
    name = channel.declare_queue("", exclusive=True)

    refused = channel.refusal(QueueDeclareParameters(name, exclusive=True))

    assert (
        ChannelCloseParameters(
            403,
            f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'",
            *DECLARE,
        )
        == refused
    )


@pytest.mark.rabbitmq_version(">=4.3")
def test_server_named_queue_of_an_unknown_type_is_refused(channel: Channel) -> None:
    """Up to 4.0, RabbitMQ's channel crashes."""
    parameters = QueueDeclareParameters(arguments={"x-queue-type": "qourum"})

    refused = channel.refusal(parameters)

    text = "PRECONDITION_FAILED - unknown queue type 'qourum'"
    assert ChannelCloseParameters(406, text, 50, 10) == refused


@pytest.mark.rabbitmq_version(">=4.3")
def test_server_named_queue_of_an_empty_type_is_a_classic_one(channel: Channel) -> None:
    name = channel.declare_queue(exclusive=True, x_queue_type="")

    assert name.startswith("amq.gen-")


def test_server_named_queue_can_be_declared_passively(channel: Channel) -> None:
    name = channel.declare_queue("", exclusive=True)

    assert name == channel.declare_queue(name, passive=True)


def test_line_breaks_are_removed_from_queue_names(channel: Channel, unique: Unique) -> None:
    name = unique("ab")

    declared = channel.declare_queue(f"\r{name[:-1]}\r\n{name[-1]}\n")

    assert name == declared
    channel.bind(f"{name}\n", "amq.topic", name)
    channel.publish("amq.topic", name, b"!")
    assert [b"!"] == channel.get_bodies(name)
    channel.delete_queue(f"{name}\r")
    assert not channel.has_queue(name)


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (QueuePurgeParameters(), PURGE),
        (BasicGetParameters(), GET),
        (BasicConsumeParameters(), CONSUME),
    ],
)
def test_line_breaks_are_not_removed_where_a_queue_is_only_used(
    channel: Channel, queue: str, parameters: Any, ids: tuple[int, int]
) -> None:
    refused = channel.refusal(parameters._replace(queue_name=f"{queue}\n"))

    assert refused == no_queue(f"{queue}\n", *ids)


@pytest.mark.parametrize("label", ["größe 'ß' 日本", "x" * 246])
def test_queue_name_may_be_any_text(channel: Channel, unique: Unique, label: str) -> None:
    name = unique(label)

    assert name == channel.declare_queue(name)


# --- declaring --------------------------------------------------------------------------------


def test_declare_ok_counts_messages_and_consumers(channel: Channel, unique: Unique) -> None:
    name = unique("q")

    declared = channel.call(QueueDeclareParameters(name))

    assert QueueDeclareOkParameters(name, 0, 0) == declared


def test_unacked_messages_are_not_counted(channel: Channel, queue: str) -> None:
    channel.select_confirm()
    channel.confirmed_publish("", queue, b"1")
    channel.confirmed_publish("", queue, b"2")
    channel.consume(queue)
    channel.deliveries(2)
    channel.confirmed_publish("", queue, b"3")

    assert QueueDeclareOkParameters(queue, 0, 1) == channel.call(QueueDeclareParameters(queue))


def test_ready_messages_are_counted(channel: Channel, queue: str) -> None:
    channel.select_confirm()
    channel.confirmed_publish("", queue, b"1")
    channel.confirmed_publish("", queue, b"2")
    channel.get_message(queue, no_ack=False)

    assert (1, 0) == channel.counts(queue)


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ({}, {"durable": True}, "'durable' {}: received 'true' but current is 'false'"),
        ({}, {"auto_delete": True}, "'auto_delete' {}: received 'true' but current is 'false'"),
        ({"durable": True}, {}, "'durable' {}: received 'false' but current is 'true'"),
        (
            {},
            {"durable": True, "auto_delete": True, "arguments": {"x-message-ttl": 1}},
            "'durable' {}: received 'true' but current is 'false'",
        ),
        (
            {},
            {"auto_delete": True, "arguments": {"x-message-ttl": 1}},
            "'auto_delete' {}: received 'true' but current is 'false'",
        ),
    ],
)
def test_queue_is_not_declared_again_with_other_flags(
    channel: Channel,
    unique: Unique,
    first: dict[str, Any],
    second: dict[str, Any],
    complaint: str,
) -> None:
    name = unique("q")
    channel.call(QueueDeclareParameters(name)._replace(**first))

    refused = channel.refusal(QueueDeclareParameters(name)._replace(**second))

    detail = complaint.format(f"for queue '{name}' in vhost '/'")
    assert (
        ChannelCloseParameters(406, f"PRECONDITION_FAILED - inequivalent arg {detail}", *DECLARE)
        == refused
    )


def test_exclusive_differs_when_declared_again(channel: Channel, queue: str) -> None:
    refused = channel.refusal(QueueDeclareParameters(queue, exclusive=True))

    assert refused == locked(queue, *DECLARE)


def test_exclusive_is_left_out_when_declared_again(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("q"), exclusive=True)

    refused = channel.refusal(QueueDeclareParameters(name))

    assert refused == locked(name, *DECLARE)


def test_passive_declare_of_a_missing_queue(channel: Channel, unique: Unique) -> None:
    name = unique("missing")

    refused = channel.refusal(QueueDeclareParameters(name, passive=True))

    assert refused == no_queue(name, *DECLARE)


def test_passive_declare_without_a_name(channel: Channel, queue: str) -> None:
    refused = channel.refusal(QueueDeclareParameters("", passive=True))

    assert refused == no_queue("", *DECLARE)


def test_passive_declare_looks_at_the_name_only(channel: Channel, queue: str) -> None:
    declare = QueueDeclareParameters(
        queue, passive=True, durable=True, auto_delete=True, arguments={"x-message-ttl": "?"}
    )

    assert QueueDeclareOkParameters(queue, 0, 0) == channel.call(declare)


def test_declare_with_no_wait_is_not_answered(channel: Channel, unique: Unique) -> None:
    name = unique("q")

    channel.send(QueueDeclareParameters(name, no_wait=True))

    assert [] == channel.arrived()
    assert channel.has_queue(name)


def test_refused_declare_with_no_wait_closes_the_channel(channel: Channel, queue: str) -> None:
    refused = channel.refusal(QueueDeclareParameters(queue, durable=True, no_wait=True))

    assert 406 == refused.reply_code


# --- the queue declared last ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (QueueBindParameters("", "amq.direct", "key"), BIND),
        (QueueUnbindParameters("", "amq.direct", "key"), UNBIND),
        (QueuePurgeParameters(""), PURGE),
        (QueueDeleteParameters(""), DELETE),
        (BasicConsumeParameters(""), CONSUME),
        (BasicGetParameters(""), GET),
    ],
)
def test_no_queue_was_declared_before(
    channel: Channel, parameters: Any, ids: tuple[int, int]
) -> None:
    refused = channel.refusal(parameters)

    assert ChannelCloseParameters(404, "NOT_FOUND - no previously declared queue", *ids) == refused


def test_empty_name_means_the_queue_declared_last(channel: Channel, unique: Unique) -> None:
    exchange = channel.declare_exchange(unique("e"))
    channel.declare_queue(unique("first"))
    name = channel.declare_queue(unique("second"))

    channel.bind("", exchange, "key")
    channel.publish(exchange, "key", b"get")
    channel.publish(exchange, "key", b"consume")

    assert b"get" == channel.get_message("").body
    channel.consume("", no_ack=True)
    assert b"consume" == channel.delivery().body
    assert QueuePurgeOkParameters(0) == channel.call(QueuePurgeParameters(""))
    assert QueueUnbindOkParameters() == channel.call(QueueUnbindParameters("", exchange, "key"))
    assert QueueDeleteOkParameters(0) == channel.call(QueueDeleteParameters(""))
    assert not channel.has_queue(name)


def test_passive_declare_counts_as_the_last(channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("first"))
    channel.declare_queue(unique("second"))

    channel.declare_queue(name, passive=True)
    channel.call(QueueDeleteParameters(""))

    assert not channel.has_queue(name)


def test_queue_declared_last_is_the_channels_own_matter(channel: Channel, queue: str) -> None:
    other = channel.peer.channel(2)

    refused = other.refusal(QueuePurgeParameters(""))

    assert (
        ChannelCloseParameters(404, "NOT_FOUND - no previously declared queue", *PURGE) == refused
    )


def test_binding_without_name_and_key_uses_the_name_as_key(
    channel: Channel, unique: Unique
) -> None:
    exchange = channel.declare_exchange(unique("e"))
    name = channel.declare_queue(unique("q"))

    channel.bind("", exchange, "")
    channel.publish(exchange, name, b"by name")
    channel.publish(exchange, "", b"by nothing")

    assert [b"by name"] == channel.get_bodies(name)


# --- binding ----------------------------------------------------------------------------------


def test_binding_twice_is_one_binding(channel: Channel, queue: str, unique: Unique) -> None:
    exchange = channel.declare_exchange(unique("e"))
    bind = QueueBindParameters(queue, exchange, "key")

    assert QueueBindOkParameters() == channel.call(bind)
    assert QueueBindOkParameters() == channel.call(bind)
    channel.call(QueueUnbindParameters(queue, exchange, "key"))
    channel.publish(exchange, "key", b"unbound", mandatory=True)

    assert b"unbound" == channel.returned().body


def test_binding_to_a_missing_exchange(channel: Channel, queue: str, unique: Unique) -> None:
    name = unique("missing")

    refused = channel.refusal(QueueBindParameters(queue, name))

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'", *BIND)
        == refused
    )


def test_binding_a_missing_queue(channel: Channel, unique: Unique) -> None:
    name = unique("missing")

    assert no_queue(name, *BIND) == channel.refusal(QueueBindParameters(name, "amq.direct"))


def test_binding_what_is_missing_on_both_sides_names_the_exchange(
    channel: Channel, unique: Unique
) -> None:
    exchange, queue = unique("exchange"), unique("queue")

    refused = channel.refusal(QueueBindParameters(queue, exchange))

    assert (
        ChannelCloseParameters(404, f"NOT_FOUND - no exchange '{exchange}' in vhost '/'", *BIND)
        == refused
    )


@pytest.mark.parametrize(
    ("queue_label", "exchange_name"),
    [(None, "amq.direct"), (None, "no such exchange"), ("missing", "amq.direct")],
    ids=["binding", "exchange", "queue"],
)
def test_unbinding_what_is_missing_is_fine(
    channel: Channel, queue: str, unique: Unique, queue_label: str | None, exchange_name: str
) -> None:
    name = unique(queue_label) if queue_label else queue

    unbound = channel.call(QueueUnbindParameters(name, exchange_name, "key"))

    assert QueueUnbindOkParameters() == unbound


@pytest.mark.parametrize(
    ("routing_key", "arguments"), [("another", {"a": 1}), ("key", {}), ("key", {"a": 2})]
)
def test_unbinding_needs_the_same_key_and_arguments(
    channel: Channel, queue: str, unique: Unique, routing_key: str, arguments: dict[str, Any]
) -> None:
    exchange = channel.declare_exchange(unique("e"))
    channel.bind(queue, exchange, "key", {"a": 1})

    channel.call(QueueUnbindParameters(queue, exchange, routing_key, arguments))
    channel.publish(exchange, "key", b"still bound")

    assert [b"still bound"] == channel.get_bodies(queue)


def test_bind_with_no_wait_is_not_answered(channel: Channel, queue: str, unique: Unique) -> None:
    exchange = channel.declare_exchange(unique("e"))

    channel.send(QueueBindParameters(queue, exchange, "key", no_wait=True))

    assert [] == channel.arrived()
    channel.publish(exchange, "key", b"bound")
    assert [b"bound"] == channel.get_bodies(queue)


# --- purging and deleting ---------------------------------------------------------------------


def test_purge_removes_ready_messages_only(channel: Channel, queue: str) -> None:
    channel.publish_each("", queue, b"1", b"2", b"3")
    unacked = channel.get_message(queue, no_ack=False)

    assert QueuePurgeOkParameters(2) == channel.call(QueuePurgeParameters(queue))
    channel.reject(unacked.parameters.delivery_tag, requeue=True)
    assert [b"1"] == channel.get_bodies(queue)


def test_purge_with_no_wait_is_not_answered(channel: Channel, queue: str) -> None:
    channel.publish("", queue, b"1")

    channel.send(QueuePurgeParameters(queue, no_wait=True))

    assert [] == channel.arrived()
    assert [] == channel.get_bodies(queue)


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (QueuePurgeParameters(), PURGE),
        (BasicGetParameters(), GET),
        (BasicConsumeParameters(), CONSUME),
    ],
)
def test_using_a_missing_queue(
    channel: Channel, unique: Unique, parameters: Any, ids: tuple[int, int]
) -> None:
    name = unique("missing")

    assert no_queue(name, *ids) == channel.refusal(parameters._replace(queue_name=name))


def test_deleting_a_missing_queue_is_fine(channel: Channel, unique: Unique) -> None:
    deleted = channel.call(QueueDeleteParameters(unique("missing")))

    assert QueueDeleteOkParameters(0) == deleted


def test_delete_ok_counts_ready_messages(channel: Channel, queue: str) -> None:
    channel.publish("", queue, b"1")
    channel.publish("", queue, b"2")
    channel.get_message(queue, no_ack=False)

    assert QueueDeleteOkParameters(1) == channel.call(QueueDeleteParameters(queue))


def test_deleted_queue_is_gone_with_its_bindings(channel: Channel, queue: str) -> None:
    channel.bind(queue, "amq.direct", queue)

    channel.delete_queue(queue)
    channel.declare_queue(queue)
    channel.publish("amq.direct", queue, b"unbound", mandatory=True)

    assert b"unbound" == channel.returned().body


def test_delete_if_unused_is_refused_while_there_are_consumers(
    channel: Channel, queue: str
) -> None:
    channel.consume(queue)

    refused = channel.refusal(QueueDeleteParameters(queue, if_unused=True))

    assert (
        ChannelCloseParameters(
            406, f"PRECONDITION_FAILED - queue '{queue}' in vhost '/' in use", *DELETE
        )
        == refused
    )


def test_delete_if_empty_is_refused_while_there_are_ready_messages(
    channel: Channel, queue: str
) -> None:
    channel.publish("", queue)

    refused = channel.refusal(QueueDeleteParameters(queue, if_empty=True))

    assert (
        ChannelCloseParameters(
            406, f"PRECONDITION_FAILED - queue '{queue}' in vhost '/' not empty", *DELETE
        )
        == refused
    )


def test_delete_if_empty_does_not_count_unacked_messages(channel: Channel, queue: str) -> None:
    channel.publish("", queue)
    channel.get_message(queue, no_ack=False)

    deleted = channel.call(QueueDeleteParameters(queue, if_empty=True, if_unused=True))

    assert QueueDeleteOkParameters(0) == deleted


def test_delete_with_no_wait_is_not_answered(channel: Channel, queue: str) -> None:
    channel.send(QueueDeleteParameters(queue, no_wait=True))

    assert [] == channel.arrived()
    assert not channel.has_queue(queue)
