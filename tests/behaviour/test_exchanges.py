"""Exchanges: declaring, deleting and binding them; direct, fanout and default routing.

Specification: section 3.1 and class exchange. RabbitMQ: https://www.rabbitmq.com/docs/exchanges,
https://www.rabbitmq.com/docs/e2e and https://www.rabbitmq.com/docs/ae
"""

from typing import Any

import pytest

from ammoo_wire import (
    BasicHeaderProperties,
    BasicPublishParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    ExchangeBindOkParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteOkParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindOkParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import BODY, HEADER, encode_header

ON_DEFAULT_EXCHANGE = "ACCESS_REFUSED - operation not permitted on the default exchange"


def no_exchange(name: str, *ids: int) -> ChannelCloseParameters:
    return ChannelCloseParameters(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'", *ids)


@pytest.fixture
def exchange(channel: Channel, unique: Unique) -> str:
    """The name of a direct exchange that has just been declared."""
    return channel.declare_exchange(unique("exchange"))


def exists(channel: Channel, exchange_name: str) -> bool:
    """Ask on a channel of its own, because the answer may close it."""
    asking = channel.peer.channel(99)
    asking.send(ExchangeDeclareParameters(exchange_name, passive=True))
    reply = asking.receive()
    if isinstance(reply, ChannelCloseParameters):
        asking.send(ChannelCloseOkParameters())
        return False
    asking.close()
    return True


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


@pytest.mark.rabbitmq_version("3.10")
@pytest.mark.parametrize(
    ("exchange_type", "word"),
    [("x-nonsense-type", "unknown"), ("Direct", "unknown"), ("queue", "invalid"), ("", "invalid")],
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


@pytest.mark.rabbitmq_version("4.0")
@pytest.mark.parametrize(
    ("exchange_type", "word"),
    [("x-nonsense-type", "unknown"), ("Direct", "unknown"), ("queue", "invalid"), ("", "invalid")],
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


def test_line_breaks_are_removed_from_exchange_names(channel: Channel, unique: Unique) -> None:
    name = unique("ab")

    channel.declare_exchange(f"\r{name[:-1]}\r\n{name[-1]}\n")

    assert exists(channel, name)


def test_line_breaks_are_not_removed_when_publishing(channel: Channel, exchange: str) -> None:
    channel.publish(f"{exchange}\n", "key")

    assert no_exchange(f"{exchange}\n", 60, 40) == channel.refusal()


def test_exchange_name_may_be_any_text(channel: Channel, unique: Unique) -> None:
    name = unique("größe 'ß' 日本")

    channel.declare_exchange(name)

    assert exists(channel, name)


def test_passive_declare_of_a_missing_exchange(channel: Channel, unique: Unique) -> None:
    name = unique("missing")

    refused = channel.refusal(ExchangeDeclareParameters(name, passive=True))

    assert no_exchange(name, 40, 10) == refused


def test_passive_declare_looks_at_the_name_only(channel: Channel, exchange: str) -> None:
    declare = ExchangeDeclareParameters(
        exchange, "no such type", passive=True, durable=True, arguments={"alternate-exchange": 1}
    )

    assert ExchangeDeclareOkParameters() == channel.call(declare)


def test_declare_with_no_wait_is_not_answered(channel: Channel, unique: Unique) -> None:
    name = unique("e")

    channel.send(ExchangeDeclareParameters(name, no_wait=True))

    assert [] == channel.arrived()
    assert exists(channel, name)


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

    assert not exists(channel, exchange)


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
    after_one = exists(channel, name)
    channel.call(QueueUnbindParameters(queue, name, "2"))

    assert (True, False) == (after_one, exists(channel, name))


def test_auto_delete_exchange_goes_with_the_queue_that_was_bound_to_it(
    channel: Channel, queue: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("auto"), auto_delete=True)
    channel.bind(queue, name)

    channel.delete_queue(queue)

    assert not exists(channel, name)


def test_auto_delete_exchange_goes_with_the_exchange_that_was_bound_to_it(
    channel: Channel, exchange: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("auto"), auto_delete=True)
    channel.bind_exchange(exchange, name)

    channel.delete_exchange(exchange)

    assert not exists(channel, name)


def test_auto_delete_exchange_goes_with_the_owner_of_an_exclusive_queue(
    channel: Channel, connect: Connect, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("auto"), auto_delete=True)
    owner = connect()
    owner_channel = owner.channel()
    owner_channel.bind(owner_channel.declare_queue(exclusive=True), name)

    owner.close()

    assert not exists(channel, name)


def test_auto_delete_exchange_stays_while_it_never_was_a_source(
    channel: Channel, exchange: str, connect: Connect, unique: Unique
) -> None:
    declarer = connect()
    name = declarer.channel().declare_exchange(unique("auto"), auto_delete=True)
    channel.bind_exchange(name, exchange)

    channel.delete_exchange(exchange)
    declarer.close()

    assert exists(channel, name)


# --- publishing -------------------------------------------------------------------------------


def test_publishing_to_a_missing_exchange(channel: Channel, unique: Unique) -> None:
    name = unique("missing")

    channel.publish(name, "key", b"lost")

    assert no_exchange(name, 60, 40) == channel.refusal()


def test_publishing_to_a_missing_exchange_is_refused_once_the_content_is_complete(
    channel: Channel, unique: Unique
) -> None:
    name = unique("missing")
    channel.send(BasicPublishParameters(name, "key"))
    channel.peer.send_frame(HEADER, 1, encode_header(1, BasicHeaderProperties()))
    channel.peer.channel(2)  # nothing has been refused up to here

    channel.peer.send_frame(BODY, 1, b"x")

    assert no_exchange(name, 60, 40) == channel.refusal()


def test_publishing_to_an_internal_exchange(channel: Channel, unique: Unique) -> None:
    name = channel.declare_exchange(unique("internal"), internal=True)

    channel.publish(name, "key", b"lost")

    assert (
        ChannelCloseParameters(
            403,
            f"ACCESS_REFUSED - cannot publish to internal exchange '{name}' in vhost '/'",
            60,
            40,
        )
        == channel.refusal()
    )


def test_internal_exchange_routes_what_comes_from_another(
    channel: Channel, queue: str, exchange: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("internal"), "fanout", internal=True)
    channel.bind(queue, name)
    channel.bind_exchange(name, exchange, "key")

    channel.publish(exchange, "key", b"through")

    assert b"through" == channel.get_message(queue).body


# --- direct and fanout routing ----------------------------------------------------------------


def test_direct_exchange_routes_by_the_exact_key(
    channel: Channel, queue: str, exchange: str
) -> None:
    channel.bind(queue, exchange, "key")

    channel.publish(exchange, "KEY", b"upper")
    channel.publish(exchange, "key.more", b"longer")
    channel.publish(exchange, "", b"empty")
    channel.publish(exchange, "key", b"exact")

    assert [b"exact"] == channel.get_bodies(queue)


def test_direct_exchange_reaches_all_queues_of_a_key(
    channel: Channel, exchange: str, unique: Unique
) -> None:
    queues = [channel.declare_queue(unique(label)) for label in "abc"]
    for name in queues[:2]:
        channel.bind(name, exchange, "key")

    channel.publish(exchange, "key", b"!")

    assert [[b"!"], [b"!"], []] == [channel.get_bodies(name) for name in queues]


def test_fanout_exchange_ignores_the_key(channel: Channel, queue: str, unique: Unique) -> None:
    name = channel.declare_exchange(unique("fanout"), "fanout")
    channel.bind(queue, name, "key", {"an": "argument"})

    channel.publish(name, "another key", b"!")

    assert [b"!"] == channel.get_bodies(queue)


def test_fanout_bindings_differ_by_key_all_the_same(
    channel: Channel, queue: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("fanout"), "fanout")
    channel.bind(queue, name, "1")
    channel.bind(queue, name, "2")

    channel.call(QueueUnbindParameters(queue, name, "1"))
    channel.publish(name, "", b"!")

    assert [b"!"] == channel.get_bodies(queue)


def test_queue_gets_one_copy_however_many_bindings_match(
    channel: Channel, queue: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("topic"), "topic")
    for pattern in ("#", "*", "key"):
        channel.bind(queue, name, pattern)

    channel.publish(name, "key", b"once")

    assert [b"once"] == channel.get_bodies(queue)


# --- exchange to exchange ---------------------------------------------------------------------


def test_binding_exchanges_twice_is_one_binding(
    channel: Channel, queue: str, exchange: str, unique: Unique
) -> None:
    destination = channel.declare_exchange(unique("destination"), "fanout")
    channel.bind(queue, destination)
    bind = ExchangeBindParameters(destination, exchange, "key")

    assert ExchangeBindOkParameters() == channel.call(bind)
    assert ExchangeBindOkParameters() == channel.call(bind)
    channel.call(ExchangeUnbindParameters(destination, exchange, "key"))
    channel.publish(exchange, "key", b"unbound")

    assert [] == channel.get_bodies(queue)


def test_unbinding_exchanges_that_are_missing_is_fine(channel: Channel, unique: Unique) -> None:
    unbind = ExchangeUnbindParameters(unique("missing"), unique("missing too"), "key")

    assert ExchangeUnbindOkParameters() == channel.call(unbind)


def test_binding_to_a_missing_source(channel: Channel, exchange: str, unique: Unique) -> None:
    missing = unique("missing")

    refused = channel.refusal(ExchangeBindParameters(exchange, missing))

    assert no_exchange(missing, 40, 30) == refused


def test_binding_a_missing_destination(channel: Channel, exchange: str, unique: Unique) -> None:
    missing = unique("missing")

    refused = channel.refusal(ExchangeBindParameters(missing, exchange))

    assert no_exchange(missing, 40, 30) == refused


def test_exchanges_may_be_bound_in_a_circle(channel: Channel, queue: str, unique: Unique) -> None:
    first, second = (channel.declare_exchange(unique(label), "fanout") for label in "ab")
    channel.bind_exchange(first, second)
    channel.bind_exchange(second, first)
    channel.bind_exchange(first, first)
    channel.bind(queue, first)
    channel.bind(queue, second)

    channel.publish(second, "", b"once")

    assert [b"once"] == channel.get_bodies(queue)


def test_message_keeps_its_exchange_and_key_on_its_way(
    channel: Channel, queue: str, exchange: str, unique: Unique
) -> None:
    destination = channel.declare_exchange(unique("destination"), "topic")
    channel.bind_exchange(destination, exchange, "key")
    channel.bind(queue, destination, "#")

    channel.publish(exchange, "key")

    parameters = channel.get_message(queue).parameters
    assert (exchange, "key") == (parameters.exchange_name, parameters.routing_key)


# --- alternate exchanges ----------------------------------------------------------------------


@pytest.fixture
def alternate(channel: Channel, queue: str, unique: Unique) -> str:
    """The name of a fanout exchange that `queue` is bound to; internal, which does not matter."""
    name = channel.declare_exchange(unique("alternate"), "fanout", internal=True)
    channel.bind(queue, name)
    return name


def test_alternate_exchange_takes_what_was_not_routed(
    channel: Channel, queue: str, alternate: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("e"), alternate_exchange=alternate)

    channel.publish(name, "key", b"!", mandatory=True)

    assert [] == channel.arrived()
    message = channel.get_message(queue)
    assert (b"!", name, "key") == (
        message.body,
        message.parameters.exchange_name,
        message.parameters.routing_key,
    )


def test_alternate_exchange_does_not_take_what_was_routed(
    channel: Channel, queue: str, alternate: str, unique: Unique
) -> None:
    name = channel.declare_exchange(unique("e"), alternate_exchange=alternate)
    channel.bind(channel.declare_queue(unique("other")), name, "key")

    channel.publish(name, "key")

    assert [] == channel.get_bodies(queue)


def test_alternate_exchanges_form_a_chain(
    channel: Channel, queue: str, alternate: str, unique: Unique
) -> None:
    middle = channel.declare_exchange(unique("middle"), alternate_exchange=alternate)
    name = channel.declare_exchange(unique("e"), alternate_exchange=middle)

    channel.publish(name, "key", b"!")

    assert [b"!"] == channel.get_bodies(queue)


def test_alternate_exchanges_may_form_a_circle(channel: Channel, unique: Unique) -> None:
    first, second = unique("first"), unique("second")
    channel.declare_exchange(first, alternate_exchange=second)
    channel.declare_exchange(second, alternate_exchange=first)

    channel.publish(first, "key", b"!", mandatory=True)

    assert b"!" == channel.returned().body


def test_missing_alternate_exchange_routes_nowhere(channel: Channel, unique: Unique) -> None:
    name = channel.declare_exchange(unique("e"), alternate_exchange=unique("missing"))

    channel.publish(name, "key", b"!", mandatory=True)

    assert b"!" == channel.returned().body


# --- CC and BCC -------------------------------------------------------------------------------


@pytest.mark.parametrize("exchange_type", ["", "direct", "topic"])
def test_cc_and_bcc_add_routing_keys(channel: Channel, unique: Unique, exchange_type: str) -> None:
    queues = [channel.declare_queue(unique(label)) for label in ("to", "cc", "bcc")]
    exchange_name = ""
    if exchange_type:
        exchange_name = channel.declare_exchange(unique("e"), exchange_type)
        for name in queues:
            channel.bind(name, exchange_name, name)
    to, cc, bcc = queues

    channel.publish(exchange_name, to, headers={"CC": [cc, 5], "BCC": [bcc], "k": "v"})

    messages = [channel.get_message(name) for name in queues]
    assert [to, to, to] == [message.parameters.routing_key for message in messages]
    assert [{"CC": [cc, 5], "k": "v"}] * 3 == [message.properties.headers for message in messages]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_cc_and_bcc_must_be_arrays(channel: Channel, header: str) -> None:
    channel.publish("", "nowhere", headers={header: "key"})

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - invalid message:"
            f' {{unacceptable_type_in_header,"{header}",longstr}}',
            60,
            40,
        )
        == channel.refusal()
    )


def test_bcc_is_removed_from_returned_messages(channel: Channel, unique: Unique) -> None:
    headers = {"CC": [unique("no"), unique("body")], "BCC": [unique("here")]}

    channel.publish("", unique("nowhere"), mandatory=True, headers=headers)

    assert {"CC": headers["CC"]} == channel.returned().properties.headers
