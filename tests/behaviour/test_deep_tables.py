"""Field tables that are nested more deeply than anybody needs.

Specification: section 4.2.5.5, which sets no limit. RabbitMQ has none but the size of a frame:
a table takes 6 octets and its neighbour's value, 131072 of them hold 21,800.
"""

from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    ChannelCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueUnbindOkParameters,
    QueueUnbindParameters,
    encode_table,
    plain_response,
)
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import PROTOCOL_HEADER

DEPTHS = pytest.mark.parametrize("depth", [129, 20_000])
DEPTHS_OF_BINDINGS = pytest.mark.parametrize("depth", [129, 2_000])
"""A binding whose arguments are some ten thousand deep ends Erlang's virtual machine."""
AS_TABLE_OR_ARRAY = pytest.mark.parametrize("as_array", [False, True], ids=["tables", "arrays"])


def nested(depth: int, innermost: object = "!", *, as_array: bool = False) -> dict[str, Any]:
    """Make a table of tables (or arrays) so deep, with a value in the innermost."""
    value: Any = innermost
    for _ in range(depth - 1):
        value = [value] if as_array else {"": value}
    return {"deep": value}


@AS_TABLE_OR_ARRAY
@DEPTHS
def test_headers_arrive_however_deep(
    channel: Channel, queue: str, depth: int, as_array: bool
) -> None:
    headers = nested(depth, as_array=as_array)

    channel.publish("", queue, headers=headers)

    arrived = channel.await_message(queue).properties.headers
    assert arrived is not None
    assert encode_table(headers) == encode_table(arrived)


@DEPTHS
def test_headers_arrive_dead_however_deep(channel: Channel, unique: Unique, depth: int) -> None:
    """Where they are written anew, with what the broker adds."""
    dead, queue = channel.declare_queue(unique("dead")), unique("queue")
    channel.declare_queue(
        queue, x_dead_letter_exchange="", x_dead_letter_routing_key=dead, x_max_length=0
    )
    headers = nested(depth)

    channel.publish("", queue, headers=headers)

    arrived = channel.await_message(dead).properties.headers
    assert arrived is not None
    assert encode_table(headers) == encode_table({"deep": arrived["deep"]})
    assert "x-death" in arrived


@AS_TABLE_OR_ARRAY
@DEPTHS
def test_arguments_of_declarations_may_be_as_deep(
    channel: Channel, unique: Unique, depth: int, as_array: bool
) -> None:
    queue, exchange = unique("queue"), unique("exchange")
    arguments = nested(depth, as_array=as_array)

    declare_queue = QueueDeclareParameters(queue, arguments=arguments)
    declare_exchange = ExchangeDeclareParameters(exchange, "fanout", arguments=arguments)

    assert QueueDeclareOkParameters(queue, 0, 0) == channel.call(declare_queue)
    assert QueueDeclareOkParameters(queue, 0, 0) == channel.call(declare_queue)
    assert ExchangeDeclareOkParameters() == channel.call(declare_exchange)
    assert ExchangeDeclareOkParameters() == channel.call(declare_exchange)


@DEPTHS
def test_arguments_of_a_consumer_may_be_as_deep(channel: Channel, queue: str, depth: int) -> None:
    consume = BasicConsumeParameters(queue, "tag", arguments=nested(depth))

    assert BasicConsumeOkParameters("tag") == channel.call(consume)


@AS_TABLE_OR_ARRAY
@DEPTHS_OF_BINDINGS
def test_headers_are_compared_to_the_bottom(
    channel: Channel, queue: str, unique: Unique, depth: int, as_array: bool
) -> None:
    exchange = channel.declare_exchange(unique("exchange"), "headers")
    arguments = nested(depth, "this", as_array=as_array)
    assert QueueBindOkParameters() == channel.call(
        QueueBindParameters(queue, exchange, "", arguments=arguments)
    )

    channel.publish(exchange, "", b"other", headers=nested(depth, "other", as_array=as_array))
    channel.publish(exchange, "", b"less", headers=nested(depth - 1, "this", as_array=as_array))
    channel.publish(exchange, "", b"same", headers=nested(depth, "this", as_array=as_array))

    assert b"same" == channel.await_message(queue).body


@DEPTHS_OF_BINDINGS
def test_bindings_differ_at_the_bottom(
    channel: Channel, queue: str, unique: Unique, depth: int
) -> None:
    exchange = channel.declare_exchange(unique("exchange"), "fanout")
    channel.bind(queue, exchange, "", nested(depth, "this"))
    channel.bind(queue, exchange, "", nested(depth, "other"))
    channel.bind(queue, exchange, "", nested(depth, "this"))

    assert QueueUnbindOkParameters() == channel.call(
        QueueUnbindParameters(queue, exchange, "", nested(depth, "this"))
    )

    channel.publish(exchange, "", b"still bound")
    assert b"still bound" == channel.await_message(queue).body
    channel.call(QueueUnbindParameters(queue, exchange, "", nested(depth, "other")))
    channel.publish(exchange, "", b"bound no more", mandatory=True)
    assert b"bound no more" == channel.returned().body


@DEPTHS
def test_refusal_names_the_type(channel: Channel, unique: Unique, depth: int) -> None:
    name = unique("queue")

    refused = channel.refusal(
        QueueDeclareParameters(name, arguments={"x-max-length": nested(depth)})
    )

    assert (
        ChannelCloseParameters(
            406,
            f"PRECONDITION_FAILED - invalid arg 'x-max-length' for queue '{name}' in vhost '/':"
            ' "expected integer, got table"',
            50,
            10,
        )
        == refused
    )


def test_client_properties_may_be_as_deep_as_a_frame_of_the_opening_holds(dial: Connect) -> None:
    peer = dial()
    peer.send_octets(PROTOCOL_HEADER)
    peer.expect(0, ConnectionStartParameters)

    peer.send(
        0,
        ConnectionStartOkParameters(
            nested(600), "PLAIN", plain_response("guest", "guest"), "en_US"
        ),
    )

    peer.expect(0, ConnectionTuneParameters)
    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))
    peer.send(0, ConnectionOpenParameters("/"))
    peer.expect(0, ConnectionOpenOkParameters)
    peer.close()
