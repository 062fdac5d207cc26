"""Exchanges: declaring and deleting them, and when they go by themselves.

Specification: section 3.1 and class exchange. RabbitMQ: https://www.rabbitmq.com/docs/exchanges
"""

from typing import Any

import pytest

from ammoo_wire import (
    ChannelCloseParameters,
    ConnectionCloseParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteOkParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.closes import no_exchange

ON_DEFAULT_EXCHANGE = "ACCESS_REFUSED - operation not permitted on the default exchange"


@pytest.fixture
def exchange(channel: Channel, unique: Unique) -> str:
    """The name of a direct exchange that has just been declared."""
    return channel.declare_exchange(unique("exchange"))


# --- declaring --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "exchange_type"),
    [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ],
)
def test_exchanges_that_are_there_from_the_start(
    channel: Channel, name: str, exchange_type: str
) -> None:
    declared = channel.call(ExchangeDeclareParameters(name, exchange_type, durable=True))

    assert ExchangeDeclareOkParameters() == declared


def test_trace_exchange_is_internal_and_durable(channel: Channel) -> None:
    declared = channel.call(
        ExchangeDeclareParameters("amq.rabbitmq.trace", "topic", durable=True, internal=True)
    )

    assert ExchangeDeclareOkParameters() == declared


@pytest.mark.parametrize("exchange_type", ["direct", "fanout", "topic", "headers"])
def test_exchange_is_declared_again_identically(
    channel: Channel, unique: Unique, exchange_type: str
) -> None:
    declare = ExchangeDeclareParameters(unique("e"), exchange_type, auto_delete=True, durable=True)

    assert ExchangeDeclareOkParameters() == channel.call(declare)
    assert ExchangeDeclareOkParameters() == channel.call(declare)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"exchange_type": "fanout"}, "'type' {}: received 'fanout' but current is 'direct'"),
        ({"durable": True}, "'durable' {}: received 'true' but current is 'false'"),
        ({"auto_delete": True}, "'auto_delete' {}: received 'true' but current is 'false'"),
        ({"internal": True}, "'internal' {}: received 'true' but current is 'false'"),
        (
            {"arguments": {"alternate-exchange": "foo"}},
            (
                "'alternate-exchange' {}: received the value 'foo' of type 'longstr'"
                " but current is none"
            ),
        ),
        (
            {"exchange_type": "topic", "durable": True, "internal": True},
            "'type' {}: received 'topic' but current is 'direct'",
        ),
        (
            {"durable": True, "auto_delete": True, "internal": True},
            "'durable' {}: received 'true' but current is 'false'",
        ),
        (
            {"auto_delete": True, "internal": True, "arguments": {"alternate-exchange": "foo"}},
            "'auto_delete' {}: received 'true' but current is 'false'",
        ),
    ],
)
def test_exchange_is_not_declared_again_differently(
    channel: Channel, exchange: str, change: dict[str, Any], complaint: str
) -> None:
    refused = channel.refusal(ExchangeDeclareParameters(exchange)._replace(**change))

    detail = complaint.format(f"for exchange '{exchange}' in vhost '/'")
    assert (
        ChannelCloseParameters(406, f"PRECONDITION_FAILED - inequivalent arg {detail}", 40, 10)
        == refused
    )


def test_alternate_exchange_cannot_be_left_out_when_declaring_again(
    channel: Channel, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("e"), alternate_exchange="foo")

    refused = channel.refusal(ExchangeDeclareParameters(name))

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange '{name}'"
            " in vhost '/': received none but current is the value 'foo' of type 'longstr'",
            40,
            10,
        )
        == refused
    )


def test_unknown_arguments_are_not_compared(channel: Channel, exchange: str) -> None:
    declare = ExchangeDeclareParameters(exchange, arguments={"x-anything": 1})

    assert ExchangeDeclareOkParameters() == channel.call(declare)


def test_alternate_exchange_must_be_a_string(channel: Channel, unique: Unique) -> None:
    name = unique("e")

    refused = channel.refusal(ExchangeDeclareParameters(name, arguments={"alternate-exchange": 5}))

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in"
            f" exchange '{name}' in vhost '/'",
            40,
            10,
        )
        == refused
    )


def test_reserved_prefix_cannot_be_declared(channel: Channel) -> None:
    refused = channel.refusal(ExchangeDeclareParameters("amq.foo"))

    assert (
        ChannelCloseParameters(
            403,
            "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
            40,
            10,
        )
        == refused
    )


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize(
    ("exchange_type", "word"),
    [("x-nonsense-type", "unknown"), ("DIRECT", "unknown"), ("queue", "invalid"), ("", "invalid")],
)
def test_unknown_exchange_type_costs_the_connection_on_3_10(
    channel: Channel, unique: Unique, exchange_type: str, word: str
) -> None:
    """The word is another one where the type's name happens to be an atom of RabbitMQ's."""
    refused = channel.fatal(ExchangeDeclareParameters(unique("e"), exchange_type))

    assert (
        ConnectionCloseParameters(
            503, f"COMMAND_INVALID - {word} exchange type '{exchange_type}'", 40, 10
        )
        == refused
    )


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize(
    ("exchange_type", "word"),
    [("x-nonsense-type", "unknown"), ("DIRECT", "unknown"), ("queue", "invalid"), ("", "invalid")],
)
def test_unknown_exchange_type_costs_the_channel_on_4_0(
    channel: Channel, unique: Unique, exchange_type: str, word: str
) -> None:
    refused = channel.refusal(ExchangeDeclareParameters(unique("e"), exchange_type))

    assert (
        ChannelCloseParameters(
            406, f"PRECONDITION_FAILED - {word} exchange type '{exchange_type}'", 40, 10
        )
        == refused
    )


@pytest.mark.rabbitmq_version(">=4.0")
def test_type_of_a_plugin_is_invalid_where_the_node_knows_the_word(
    broker: Broker, channel: Channel, unique: Unique
) -> None:
    refused = channel.refusal(ExchangeDeclareParameters(unique("e"), "x-random"))

    word = broker.value_of({"4.0": "unknown", "4.3": "invalid"})
    assert refused.reply_text == f"PRECONDITION_FAILED - {word} exchange type 'x-random'"


@pytest.mark.rabbitmq_version(">=4.3")
def test_log_exchange_is_there_from_4_3_on(channel: Channel) -> None:
    """A topic exchange that clients do not publish to."""
    log = ExchangeDeclareParameters("amq.rabbitmq.log", "topic", durable=True, internal=True)
    channel.call(log)
    channel.call(log._replace(passive=True))

    channel.publish("amq.rabbitmq.log", "key")

    text = "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.log' in vhost '/'"
    assert ChannelCloseParameters(403, text, 60, 40) == channel.refusal()


def test_line_breaks_are_removed_from_exchange_names(channel: Channel, unique: Unique) -> None:
    name = unique("ab")

    channel.declare_exchange(f"\r{name[:-1]}\r\n{name[-1]}\n")

    assert channel.has_exchange(name)


def test_line_breaks_are_not_removed_when_publishing(channel: Channel, exchange: str) -> None:
    channel.publish(f"{exchange}\n", "key")

    assert no_exchange(f"{exchange}\n", 60, 40) == channel.refusal()


def test_exchange_name_may_be_any_text(channel: Channel, unique: Unique) -> None:
    name = unique("größe 'ß' 日本")

    channel.declare_exchange(name)

    assert channel.has_exchange(name)


def test_passive_declare_of_a_missing_exchange(channel: Channel, unique: Unique) -> None:
    name = unique("missing")

    refused = channel.refusal(ExchangeDeclareParameters(name, passive=True))

    assert refused == no_exchange(name, 40, 10)


def test_passive_declare_looks_at_the_name_only(channel: Channel, exchange: str) -> None:
    declare = ExchangeDeclareParameters(
        exchange, "no such type", passive=True, durable=True, arguments={"alternate-exchange": 1}
    )

    assert ExchangeDeclareOkParameters() == channel.call(declare)


def test_declare_with_no_wait_is_not_answered(channel: Channel, unique: Unique) -> None:
    name = unique("e")

    channel.send(ExchangeDeclareParameters(name, no_wait=True))

    assert [] == channel.arrived()
    assert channel.has_exchange(name)


def test_refused_declare_with_no_wait_closes_the_channel(channel: Channel, exchange: str) -> None:
    refused = channel.refusal(ExchangeDeclareParameters(exchange, "fanout", no_wait=True))

    assert 406 == refused.reply_code


# --- the default exchange ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (ExchangeDeclareParameters("", "direct", durable=True), (40, 10)),
        (ExchangeDeclareParameters("", passive=True), (40, 10)),
        (ExchangeDeleteParameters(""), (40, 20)),
        (ExchangeBindParameters("amq.direct", ""), (40, 30)),
        (ExchangeBindParameters("", "amq.direct"), (40, 30)),
        (ExchangeUnbindParameters("amq.direct", ""), (40, 40)),
    ],
)
def test_default_exchange_cannot_be_touched(
    channel: Channel, parameters: Any, ids: tuple[int, int]
) -> None:
    refused = channel.refusal(parameters)

    assert ChannelCloseParameters(403, ON_DEFAULT_EXCHANGE, *ids) == refused


def test_default_exchange_cannot_be_bound_to_a_queue(channel: Channel, queue: str) -> None:
    refused = channel.refusal(QueueBindParameters(queue, "", queue))

    assert ChannelCloseParameters(403, ON_DEFAULT_EXCHANGE, 50, 20) == refused


def test_default_exchange_cannot_be_unbound_from_a_queue(channel: Channel, queue: str) -> None:
    refused = channel.refusal(QueueUnbindParameters(queue, "", queue))

    assert ChannelCloseParameters(403, ON_DEFAULT_EXCHANGE, 50, 50) == refused


def test_default_exchange_routes_by_queue_name(channel: Channel, queue: str) -> None:
    channel.publish("", queue, b"here")

    message = channel.get_message(queue)
    assert (b"here", "", queue) == (
        message.body,
        message.parameters.exchange_name,
        message.parameters.routing_key,
    )


def test_empty_routing_key_on_the_default_exchange_is_nobodys(channel: Channel, queue: str) -> None:
    channel.publish("", "", b"lost", mandatory=True)

    assert "NO_ROUTE" == channel.returned().parameters.reply_text


# --- deleting ---------------------------------------------------------------------------------


def test_deleting_a_missing_exchange_is_fine(channel: Channel, unique: Unique) -> None:
    assert ExchangeDeleteOkParameters() == channel.call(ExchangeDeleteParameters(unique("missing")))


def test_deleted_exchange_is_gone(channel: Channel, exchange: str) -> None:
    channel.delete_exchange(exchange)

    assert not channel.has_exchange(exchange)


@pytest.mark.parametrize("name", ["amq.direct", "amq.never-was"])
def test_system_exchanges_cannot_be_deleted(channel: Channel, name: str) -> None:
    refused = channel.refusal(ExchangeDeleteParameters(name))

    assert (
        ChannelCloseParameters(
            403,
            f"ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed",
            40,
            20,
        )
        == refused
    )


def test_delete_if_unused_is_refused_while_something_is_bound_to_it(
    channel: Channel, exchange: str, queue: str
) -> None:
    channel.bind(queue, exchange, "key")

    refused = channel.refusal(ExchangeDeleteParameters(exchange, if_unused=True))

    assert (
        ChannelCloseParameters(
            406, f"PRECONDITION_FAILED - exchange '{exchange}' in vhost '/' in use", 40, 20
        )
        == refused
    )


def test_delete_if_unused_does_not_count_where_it_is_the_destination(
    channel: Channel, exchange: str
) -> None:
    channel.bind_exchange(exchange, "amq.direct", exchange)

    deleted = channel.call(ExchangeDeleteParameters(exchange, if_unused=True))

    assert ExchangeDeleteOkParameters() == deleted


# --- auto-delete ------------------------------------------------------------------------------


def test_auto_delete_exchange_lives_until_its_last_binding_goes(
    channel: Channel, queue: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("auto"), auto_delete=True)
    channel.bind(queue, name, "1")
    channel.bind(queue, name, "2")

    channel.call(QueueUnbindParameters(queue, name, "1"))
    after_one = channel.has_exchange(name)
    channel.call(QueueUnbindParameters(queue, name, "2"))

    assert (True, False) == (after_one, channel.has_exchange(name))


def test_auto_delete_exchange_goes_with_the_queue_that_was_bound_to_it(
    channel: Channel, queue: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("auto"), auto_delete=True)
    channel.bind(queue, name)

    channel.delete_queue(queue)

    assert not channel.has_exchange(name)


def test_auto_delete_exchange_goes_with_the_exchange_that_was_bound_to_it(
    channel: Channel, exchange: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("auto"), auto_delete=True)
    channel.bind_exchange(exchange, name)

    channel.delete_exchange(exchange)

    assert not channel.has_exchange(name)


def test_auto_delete_exchange_goes_with_the_owner_of_an_exclusive_queue(
    channel: Channel, connect: Connect, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("auto"), auto_delete=True)
    owner = connect()
    owner_channel = owner.channel()
    owner_channel.bind(owner_channel.declare_queue(exclusive=True), name)

    owner.close()

    await_gone(channel, name)


def await_gone(channel: Channel, exchange_name: str) -> None:
    """Wait until an exchange is gone: 4.3 answers before its last queue, and it, are."""
    while channel.has_exchange(exchange_name):
        channel.peer.pause(f"for exchange {exchange_name!r} to go")


def test_auto_delete_exchange_stays_while_it_never_was_a_source(
    channel: Channel, exchange: str, connect: Connect, unique: Unique
) -> None:
    declarer = connect()
    name = declarer.channel().declare_exchange(unique("auto"), auto_delete=True)
    channel.bind_exchange(name, exchange)

    channel.delete_exchange(exchange)
    declarer.close()

    assert channel.has_exchange(name)
