"""The history of messages that an exchange delays."""

from collections.abc import Iterator

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest
from pika.adapters.blocking_connection import (  # type: ignore[import-untyped]  # as above
    BlockingChannel,
)

from ammoo_fakebroker import FakeBroker, ManualClock

DEAD_LETTERS = {"x-dead-letter-exchange": "later", "x-dead-letter-routing-key": "key"}
PLUGINS = ["rabbitmq_delayed_message_exchange"]


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    """A broker whose exchange "later" delays what goes to the queue "orders" with the key "key"."""
    with FakeBroker(clock=ManualClock(), plugins=PLUGINS) as broker:
        broker.declare_queue("orders")
        declare(broker, "later")
        broker.bind_queue("orders", "later", "key")
        yield broker


@pytest.fixture
def channel(broker: FakeBroker) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def declare(broker: FakeBroker, name: str, **arguments: object) -> None:
    broker.declare_exchange(
        name, "x-delayed-message", arguments={"x-delayed-type": "direct", **arguments}
    )


def publish(channel: BlockingChannel, exchange_name: str = "later", key: str = "key") -> None:
    properties = pika.BasicProperties(headers={"x-delay": 60_000})
    channel.basic_publish(exchange_name, key, b"order 1", properties)


def failure_of_wait(broker: FakeBroker) -> str:
    with pytest.raises(AssertionError) as caught:
        broker.wait_for_messages("orders", 1, timeout=0.01)
    return str(caught.value)


def test_life_of_a_delayed_message_goes_on_when_it_is_due(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    publish(channel)
    broker.advance(60)
    delivery, _, _ = channel.basic_get("orders")
    channel.basic_ack(delivery.delivery_tag)
    broker.acknowledged().wait()

    kinds = ("published", "delayed", "confirmed", "routed", "got", "acknowledged")
    assert kinds == broker.life_of(broker.published()[0]).kinds
    assert kinds == broker.life_of(broker.acknowledged()[0]).kinds


def test_event_says_by_which_exchange_and_until_when(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    broker.advance(100)
    publish(channel)

    (event,) = broker.history(kind="delayed")

    assert ("later", 60.0, 160.0) == (
        event.exchange_name,
        event.details["seconds"],
        event.details["due"],
    )
    assert repr(event).endswith(": message 1 delayed by exchange 'later' for 60.000 s>")


def test_delayed_message_has_its_number_in_the_queue(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    publish(channel)
    broker.advance(60)

    assert [1] == [message.message_number for message in broker.messages("orders")]
    broker.unroutable().assert_none()


def test_publish_of_the_test_is_not_returned_to_it(broker: FakeBroker) -> None:
    broker.publish("later", "key", b"order 1", headers={"x-delay": 60_000})
    broker.advance(60)

    assert ("published", "delayed", "routed") == broker.life_of(1).kinds


def test_mandatory_delayed_message_is_returned(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    properties = pika.BasicProperties(headers={"x-delay": 60_000})
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("later", "key", b"order 1", properties, mandatory=True)
    broker.advance(60)

    kinds = ("published", "delayed", "returned", "confirmed", "routed")
    assert kinds == broker.life_of(1).kinds


def test_message_that_reaches_no_queue_after_its_delay(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    publish(channel, key="unbound")
    broker.advance(60)

    assert ("published", "delayed", "confirmed", "unroutable") == broker.life_of(1).kinds
    assert "message 1 unroutable, dropped: exchange 'later'" in repr(broker.unroutable()[0])


def test_message_of_a_deleted_exchange_is_dropped(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    publish(channel)
    broker.delete_exchange("later")
    broker.advance(60)

    (event,) = broker.dropped()

    assert repr(event).endswith("dropped from exchange 'later' (it was deleted)>")


def test_message_that_is_routed_and_delayed(broker: FakeBroker, channel: BlockingChannel) -> None:
    broker.declare_queue("audit")
    broker.declare_exchange("all", "fanout")
    broker.bind_queue("audit", "all")
    channel.exchange_bind("later", "all", "")

    publish(channel, "all")

    assert ("published", "routed", "delayed", "confirmed") == broker.life_of(1).kinds


def test_message_that_two_exchanges_delay_in_turn(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    declare(broker, "much later", **{"alternate-exchange": "later"})

    publish(channel, "much later")

    assert ["much later", "later"] == [
        event.exchange_name for event in broker.history(kind="delayed")
    ]


def test_dead_letter_is_delayed(broker: FakeBroker, channel: BlockingChannel) -> None:
    broker.declare_queue("work", arguments=DEAD_LETTERS)
    publish(channel, "", "work")
    delivery, _, _ = channel.basic_get("work")
    channel.basic_reject(delivery.delivery_tag, requeue=False)
    broker.rejected().wait()
    broker.advance(60)

    assert ("dead_lettered", "delayed", "routed") == broker.life_of(1).kinds[-3:]
    broker.unroutable().assert_none()


@pytest.mark.parametrize("history", [0, 10_000])
def test_history_does_not_delay_a_dead_letter_twice(history: int) -> None:
    with FakeBroker(clock=ManualClock(), plugins=PLUGINS, history=history) as broker:
        broker.declare_queue("orders")
        declare(broker, "later")
        broker.bind_queue("orders", "later", "key")
        broker.declare_queue(
            "work",
            durable=True,
            arguments={
                **DEAD_LETTERS,
                "x-queue-type": "quorum",
                "x-message-ttl": 1000,
                "x-overflow": "reject-publish",
                "x-dead-letter-strategy": "at-least-once",
            },
        )
        broker.publish("", "work", b"order 1", headers={"x-delay": 60_000})

        broker.advance(1)
        noted = list(broker._node.virtualhosts["/"].delays.noted)
        broker.advance(60)

        assert ([], 1) == (noted, broker.queue("orders").message_count)


def test_failing_wait_says_until_when_a_message_is_delayed(
    broker: FakeBroker, channel: BlockingChannel
) -> None:
    publish(channel)
    broker.advance(15)

    assert (
        "  delayed: message 1, b'order 1', by exchange 'later' until the clock shows 60.000 s,"
        " 45.000 s from now: move the clock\n    'orders' is bound to 'later' with 'key'\n"
    ) in failure_of_wait(broker)


def test_failing_wait_proposes_a_clock_if_there_is_none() -> None:
    with FakeBroker(plugins=PLUGINS) as broker:
        declare(broker, "later")
        broker.declare_queue("orders")
        broker.publish("later", "key", b"order 1", headers={"x-delay": 60_000})

        text = failure_of_wait(broker)

    assert "s from now: FakeBroker(clock=ManualClock()) can pass this time" in text
