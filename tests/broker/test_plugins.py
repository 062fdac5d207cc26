"""The option plugins, and delays on the broker's clock."""

from collections.abc import Callable

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker, ManualClock

CONSISTENT_HASH = "rabbitmq_consistent_hash_exchange"
DELAYED = "rabbitmq_delayed_message_exchange"


def test_exchange_of_a_plugin_that_is_not_enabled_is_unknown(fakebroker: FakeBroker) -> None:
    with (
        pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection,
        pytest.raises(
            pika.exceptions.ChannelClosedByBroker, match="unknown exchange type 'x-consistent-hash'"
        ),
    ):
        connection.channel().exchange_declare("ring", "x-consistent-hash")


def test_unknown_plugin_is_refused_with_a_hint() -> None:
    with pytest.raises(
        ValueError, match=f"'consistent_hash_exchange'; did you mean {CONSISTENT_HASH!r}"
    ):
        FakeBroker(plugins=["consistent_hash_exchange"])
    with pytest.raises(
        ValueError, match=f"plugins has 'shovel'; expected some of {CONSISTENT_HASH}, {DELAYED}"
    ):
        FakeBroker(plugins=["shovel"])
    with pytest.raises(TypeError, match="expected a list of names"):
        FakeBroker(plugins=DELAYED)


def test_refused_exchange_names_the_plugin_that_has_its_type(fakebroker: FakeBroker) -> None:
    with pytest.raises(ValueError, match="unknown exchange type") as refused:
        fakebroker.declare_exchange("later", "x-delayed-message")

    hint = f"FakeBroker(plugins=['{DELAYED}']) has exchanges of this type"
    assert [hint] == refused.value.__notes__


def test_delay_of_an_hour_passes_with_the_clock(make_fakebroker: Callable[..., FakeBroker]) -> None:
    broker = make_fakebroker(plugins=[DELAYED], clock=ManualClock())
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        channel.exchange_declare(
            "later", "x-delayed-message", arguments={"x-delayed-type": "fanout"}
        )
        channel.queue_bind("orders", "later")
        channel.confirm_delivery()
        properties = pika.BasicProperties(headers={"x-delay": 3_600_000})
        channel.basic_publish("later", "", b"order 1", properties)

        broker.advance(3599)
        before = broker.messages("orders")
        broker.advance(1)

    assert [] == before
    assert [(b"order 1", {"x-delay": -3_600_000})] == [
        (message.body, message.properties.headers) for message in broker.messages("orders")
    ]


def test_auto_advance_moves_to_the_end_of_a_delay(
    make_fakebroker: Callable[..., FakeBroker],
) -> None:
    broker = make_fakebroker(plugins=[DELAYED], clock=ManualClock())
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        channel.exchange_declare(
            "later", "x-delayed-message", arguments={"x-delayed-type": "fanout"}
        )
        channel.queue_bind("orders", "later")
        channel.basic_publish("later", "", b"1", pika.BasicProperties(headers={"x-delay": 60_000}))

        with broker.auto_advance() as advance:
            next(channel.consume("orders", auto_ack=True))

    assert 60 == advance.moved
    assert (
        "<DelayedMessageExchange 'later'>: route messages whose delay is over" in advance.report()
    )
