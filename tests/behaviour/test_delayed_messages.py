"""The exchange x-delayed-message: when a message is routed, and what is refused.

It comes with the plugin rabbitmq_delayed_message_exchange, which RabbitMQ does not ship; these tests
run on a RabbitMQ that has it. They were seen on 3.10.8 with the plugin's 3.10.2, and on 4.0.5 with
its 4.0.7; 4.3 cannot load it. RabbitMQ 3.10 shows consumers the header that was published.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ammoo_wire import (
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    Int8,
    LongString,
    field_type,
)
from tests.support.brokers import Unique
from tests.support.channel import Channel
from tests.support.frames import Message

pytestmark = pytest.mark.exchange_type("x-delayed-message")


@pytest.fixture
def exchange(channel: Channel, unique: Unique) -> str:
    """The name of a delayed exchange that routes as a direct one."""
    return declare(channel, unique("exchange"), "direct")


@pytest.fixture
def bound(channel: Channel, exchange: str, queue: str) -> str:
    """The name of a queue that is bound to it with the key ``key``."""
    channel.bind(queue, exchange, "key")
    return queue


def declare(channel: Channel, name: str, delayed_type: str, **arguments: Any) -> str:
    channel.call(
        ExchangeDeclareParameters(
            name,
            "x-delayed-message",
            arguments={"x-delayed-type": delayed_type, **arguments},
        )
    )
    return name


def header_of(message: Message) -> Any:
    """Return the delay that a message shows."""
    return (message.properties.headers or {})["x-delay"]


def test_message_is_routed_after_its_delay(channel: Channel, exchange: str, bound: str) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": 200})
    assert channel.get(bound) is None

    assert b"late" == channel.await_message(bound).body


@pytest.mark.rabbitmq_version(">=4.0")
def test_passed_delay_is_negative_and_a_long(channel: Channel, exchange: str, bound: str) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": 50})

    delay = header_of(channel.await_message(bound))

    assert (-50, "l") == (delay, field_type(delay))


@pytest.mark.rabbitmq_version("<4.0")
def test_consumer_gets_the_delay_as_it_was_published(
    channel: Channel, exchange: str, bound: str
) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": "+50"})

    assert "+50" == header_of(channel.await_message(bound))


def test_message_without_a_delay_is_routed_at_once(
    channel: Channel, exchange: str, bound: str
) -> None:
    channel.publish(exchange, "key", b"now")

    assert b"now" == channel.get_message(bound).body


@pytest.mark.parametrize("delay", [0, -5, 4_294_967_296, True])
def test_delay_that_is_none(channel: Channel, exchange: str, bound: str, delay: Any) -> None:
    channel.publish(exchange, "key", b"now", headers={"x-delay": delay})

    message = channel.get_message(bound)

    assert (b"now", {"x-delay": delay}) == (message.body, message.properties.headers)


def test_delay_of_so_many_digits_is_none(channel: Channel, exchange: str, bound: str) -> None:
    channel.publish(exchange, "key", b"now", headers={"x-delay": "9" * 5000})

    assert b"now" == channel.get_message(bound).body


@pytest.mark.parametrize("delay", ["200", 200.9])
def test_delay_as_text_or_with_a_fraction(
    channel: Channel, exchange: str, bound: str, delay: Any
) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": delay})
    assert channel.get(bound) is None

    assert b"late" == channel.await_message(bound).body


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize(
    ("delay", "expected"), [(b"50", -50), (LongString(b"50"), -50), (Int8(50), 50)]
)
def test_octets_are_a_delay_and_a_signed_byte_is_none(
    channel: Channel, exchange: str, bound: str, delay: Any, expected: int
) -> None:
    channel.publish(exchange, "key", b"order 1", headers={"x-delay": delay})

    assert expected == header_of(channel.await_message(bound))


@pytest.mark.rabbitmq_version("<4.0")
@pytest.mark.parametrize("delay", [b"50", None])
def test_octets_and_void_are_no_delay(
    channel: Channel, exchange: str, bound: str, delay: Any
) -> None:
    channel.publish(exchange, "key", b"now", headers={"x-delay": delay})

    assert b"now" == channel.get_message(bound).body


@pytest.mark.rabbitmq_version("<4.0")
def test_signed_byte_is_a_delay(channel: Channel, exchange: str, bound: str) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": Int8(100)})
    assert channel.get(bound) is None

    assert b"late" == channel.await_message(bound).body


def test_delay_that_has_passed_is_not_one_for_the_next_exchange(
    channel: Channel, unique: Unique, exchange: str, queue: str
) -> None:
    second = declare(channel, unique("second"), "fanout")
    channel.call(ExchangeBindParameters(second, exchange, "key"))
    channel.bind(queue, second)

    channel.publish(exchange, "key", b"late", headers={"x-delay": 50})

    assert b"late" == channel.await_message(queue).body


def test_headers_exchange_routes_by_the_passed_delay(
    channel: Channel, unique: Unique, queue: str
) -> None:
    exchange = declare(channel, unique("exchange"), "headers")
    channel.bind(queue, exchange, "", {"x-match": "all-with-x", "x-delay": -50})

    channel.publish(exchange, "", b"late", headers={"x-delay": 50})

    assert b"late" == channel.await_message(queue).body


def test_dead_letter_shows_the_passed_delay(
    channel: Channel, unique: Unique, exchange: str, queue: str
) -> None:
    dying = channel.declare_queue(
        unique("dying"),
        exclusive=True,
        x_message_ttl=0,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=queue,
    )
    channel.bind(dying, exchange, "key")

    channel.publish(exchange, "key", b"late", headers={"x-delay": 50})

    assert -50 == header_of(channel.await_message(queue))


def test_dead_letter_is_delayed_and_keeps_its_deaths(
    channel: Channel, unique: Unique, exchange: str, bound: str
) -> None:
    dying = channel.declare_queue(
        unique("dying"), exclusive=True, x_message_ttl=0, x_dead_letter_exchange=exchange
    )
    channel.bind(dying, exchange, "dying")
    channel.bind(bound, exchange, dying)

    channel.publish("", dying, b"late", headers={"x-delay": 50})
    message = channel.await_message(bound)

    assert [dying] == [death["queue"] for death in (message.properties.headers or {})["x-death"]]


def test_quorum_queue_shows_the_passed_delay(
    channel: Channel, unique: Unique, exchange: str
) -> None:
    queue = channel.declare_queue(unique("quorum"), durable=True, x_queue_type="quorum")
    channel.bind(queue, exchange, "key")

    channel.publish(exchange, "key", b"late", headers={"x-delay": 50})
    channel.await_message(queue, no_ack=False)
    channel.reject(1, requeue=True)

    assert -50 == header_of(channel.await_message(queue))
    channel.delete_queue(queue)


def test_blind_carbon_copy_shows_the_passed_delay(
    channel: Channel, exchange: str, bound: str
) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": 50, "BCC": ["elsewhere"]})

    assert -50 == header_of(channel.await_message(bound))


@pytest.fixture
def stream(channel: Channel, unique: Unique, exchange: str, bound: str) -> Iterator[str]:
    """The name of a stream, bound with the key ``key``, to which two messages were published."""
    stream = channel.declare_queue(unique("stream"), durable=True, x_queue_type="stream")
    channel.bind(stream, exchange, "key")
    channel.publish(exchange, "key", b"late", headers={"x-delay": 50})
    channel.await_message(bound)
    channel.publish(exchange, "key", b"at once")
    channel.await_message(bound)
    channel.qos(10)
    yield stream
    channel.delete_queue(stream)


@pytest.mark.rabbitmq_version("<4.0")
def test_stream_never_gets_a_delayed_message(channel: Channel, stream: str) -> None:
    channel.consume(stream, x_stream_offset="first")

    assert [b"at once"] == channel.deliveries(1)


@pytest.mark.rabbitmq_version(">=4.0")
def test_stream_gets_a_delayed_message(channel: Channel, stream: str) -> None:
    channel.consume(stream, x_stream_offset="first")

    assert [b"late", b"at once"] == channel.deliveries(2)


def test_messages_come_in_the_order_of_their_times(
    channel: Channel, exchange: str, bound: str
) -> None:
    channel.publish(exchange, "key", b"second", headers={"x-delay": 400})
    channel.publish(exchange, "key", b"first", headers={"x-delay": 200})

    assert b"first" == channel.await_message(bound).body
    assert b"second" == channel.await_message(bound).body


def test_delayed_type_decides_the_route(channel: Channel, unique: Unique, queue: str) -> None:
    exchange = declare(channel, unique("topics"), "topic")
    channel.bind(queue, exchange, "a.*")

    channel.publish(exchange, "a.b", b"matches", headers={"x-delay": 50})
    channel.publish(exchange, "b.b", b"does not", headers={"x-delay": 50})
    channel.publish(exchange, "a.c", b"last", headers={"x-delay": 100})

    assert b"matches" == channel.await_message(queue).body
    assert b"last" == channel.await_message(queue).body


def test_bindings_count_when_the_message_is_routed(
    channel: Channel, exchange: str, queue: str
) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": 200})
    channel.bind(queue, exchange, "key")

    assert b"late" == channel.await_message(queue).body


def test_delayed_message_is_returned_if_it_is_mandatory_and_routed_nevertheless(
    channel: Channel, exchange: str, bound: str
) -> None:
    channel.publish(exchange, "key", b"late", mandatory=True, headers={"x-delay": 200})

    assert b"late" == channel.returned().body
    assert b"late" == channel.await_message(bound).body


def test_alternate_exchange_gets_a_delayed_message_at_once(
    channel: Channel, unique: Unique, queue: str
) -> None:
    alternate = channel.declare_exchange(unique("alternate"), "fanout")
    channel.bind(queue, alternate)
    exchange = declare(channel, unique("exchange"), "fanout", **{"alternate-exchange": alternate})

    channel.publish(exchange, "key", b"late", headers={"x-delay": 60_000})

    assert b"late" == channel.get_message(queue).body


def test_delayed_message_is_confirmed_at_once(channel: Channel, exchange: str, bound: str) -> None:
    channel.select_confirm()

    channel.publish(exchange, "key", b"late", headers={"x-delay": 60_000})

    assert [("ack", 1)] == channel.settlements(1)


def test_message_of_a_deleted_exchange_is_dropped(
    channel: Channel, unique: Unique, exchange: str, bound: str
) -> None:
    other = declare(channel, unique("other"), "fanout")
    channel.bind(bound, other)
    channel.publish(exchange, "key", b"lost", headers={"x-delay": 50})
    channel.delete_exchange(exchange)

    channel.publish(other, "", b"later", headers={"x-delay": 100})

    assert b"later" == channel.await_message(bound).body


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {},
            "Invalid argument, 'x-delayed-type' must be an existing exchange type",
        ),
        (
            {"x-delayed-type": 5},
            "Invalid argument, 'x-delayed-type' must be an existing exchange type",
        ),
        (
            {"x-delayed-type": "x-delayed-message"},
            "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'",
        ),
    ],
)
def test_refused_arguments(
    channel: Channel, unique: Unique, arguments: dict[str, Any], text: str
) -> None:
    declared = ExchangeDeclareParameters(
        unique("exchange"), "x-delayed-message", arguments=arguments
    )

    assert f"PRECONDITION_FAILED - {text}" == channel.refusal(declared).reply_text


@pytest.mark.rabbitmq_version(">=4.0")
def test_unknown_delayed_type(channel: Channel, unique: Unique) -> None:
    declared = ExchangeDeclareParameters(
        unique("exchange"), "x-delayed-message", arguments={"x-delayed-type": "x-nosuch"}
    )

    assert "PRECONDITION_FAILED - unknown exchange type 'x-nosuch'" == (
        channel.refusal(declared).reply_text
    )


def test_other_type_is_named_in_quotes(channel: Channel, exchange: str) -> None:
    text = channel.refusal(ExchangeDeclareParameters(exchange, "direct")).reply_text

    assert text.endswith("received 'direct' but current is ''x-delayed-message''")


@pytest.mark.parametrize("delay", ["soon", "", " 50", LongString(b"\xff"), Decimal("50.5")])
def test_delay_that_is_no_number_crashes_the_channel(
    channel: Channel, exchange: str, bound: str, delay: Any
) -> None:
    channel.publish(exchange, "key", b"lost", headers={"x-delay": delay})

    assert 541 == channel.fatal().reply_code


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize("delay", [None, b"soon"])
def test_void_and_octets_that_are_no_number_crash_the_channel(
    channel: Channel, exchange: str, bound: str, delay: Any
) -> None:
    channel.publish(exchange, "key", b"lost", headers={"x-delay": delay})

    assert 541 == channel.fatal().reply_code
