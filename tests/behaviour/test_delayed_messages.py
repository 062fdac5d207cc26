"""The exchange x-delayed-message: when a message is routed, and what is refused.

It comes with the plugin rabbitmq_delayed_message_exchange, which RabbitMQ does not ship; these tests
run on a RabbitMQ that has it, and follow the plugin's source otherwise.
"""

from typing import Any

import pytest

from ammoo_wire import ExchangeDeclareParameters
from tests.support.brokers import Unique
from tests.support.channel import Channel

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


def test_message_is_routed_after_its_delay(channel: Channel, exchange: str, bound: str) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": 200})
    assert channel.get(bound) is None

    message = channel.await_message(bound)

    assert b"late" == message.body
    assert {"x-delay": -200} == message.properties.headers


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


@pytest.mark.parametrize("delay", ["200", 200.9])
def test_delay_as_text_or_with_a_fraction(
    channel: Channel, exchange: str, bound: str, delay: Any
) -> None:
    channel.publish(exchange, "key", b"late", headers={"x-delay": delay})
    assert channel.get(bound) is None

    assert {"x-delay": -200} == channel.await_message(bound).properties.headers


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
    channel: Channel, exchange: str, bound: str
) -> None:
    channel.publish(exchange, "key", b"lost", headers={"x-delay": 50})
    channel.delete_exchange(exchange)

    channel.publish("", bound, b"waits", expiration="100")
    channel.await_count(bound, 0)

    assert [] == channel.get_bodies(bound)


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


def test_delay_that_is_no_number_crashes_the_channel(
    channel: Channel, exchange: str, bound: str
) -> None:
    channel.publish(exchange, "key", b"lost", headers={"x-delay": "soon"})

    assert 541 == channel.fatal().reply_code
