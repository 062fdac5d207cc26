"""Setting a broker up without a client: what is declared, published and taken away by a test."""

from collections.abc import Iterator

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker, ManualClock


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


@pytest.fixture
def channel(broker: FakeBroker) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        yield connection.channel()


def test_topology_is_declared(broker: FakeBroker) -> None:
    name = broker.declare_queue("orders", durable=True, arguments={"x-max-length": 5})
    generated = broker.declare_queue(auto_delete=True)
    broker.declare_exchange("in", "topic", durable=True)
    broker.declare_exchange("all", "fanout")
    broker.bind_exchange("all", "in", "#")
    broker.bind_queue("orders", "all", arguments={"note": 1})

    queue = broker.queue("orders")
    assert ("orders", True) == (name, generated.startswith("amq.gen-"))
    assert (True, 5) == (queue.durable, queue.arguments["x-max-length"])
    assert [("all", "", {"note": 1})] == [
        (binding.source, binding.routing_key, binding.arguments)
        for binding in queue.bindings
        if binding.source
    ]
    assert ("orders",) == broker.publish("in", "any", b"1")


def test_broker_is_set_up_before_it_starts() -> None:
    broker = FakeBroker()
    broker.declare_queue("orders")
    broker.put("orders", "early")

    with broker:
        assert [b"early"] == [message.body for message in broker.messages("orders")]


def test_refusals_are_value_errors_with_rabbitmqs_text(broker: FakeBroker) -> None:
    broker.declare_queue("orders")

    with pytest.raises(ValueError, match="PRECONDITION_FAILED - inequivalent arg 'durable'"):
        broker.declare_queue("orders", durable=True)
    with pytest.raises(ValueError, match="NOT_FOUND - no exchange 'no' in vhost '/'"):
        broker.bind_queue("orders", "no")
    with pytest.raises(ValueError, match="NOT_FOUND - no exchange 'no' in vhost '/'"):
        broker.publish("no", "orders", b"")
    with pytest.raises(ValueError, match="NOT_FOUND - no queue 'no' in vhost '/'"):
        broker.purge_queue("no")
    with pytest.raises(LookupError, match="no virtual host 'no'"):
        broker.declare_queue("orders", virtualhost="no")


def test_messages_are_put_with_their_properties(broker: FakeBroker) -> None:
    broker.declare_queue("orders")

    broker.put("orders", json={"id": 7}, message_id="1", headers={"a": 1}, delivery_mode=2)
    broker.put("orders", "text", user_id="somebody")
    first, second = broker.messages("orders")

    assert {"id": 7} == first.json()
    assert ("application/json", "1", {"a": 1}, 2) == (
        first.properties.content_type,
        first.properties.message_id,
        first.properties.headers,
        first.properties.delivery_mode,
    )
    assert (b"text", "somebody") == (second.body, second.properties.user_id)


def test_message_that_nothing_takes_is_an_error(broker: FakeBroker) -> None:
    broker.declare_queue("orders", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    broker.bind_queue("orders", "amq.direct", "created")

    with pytest.raises(ValueError, match=r"no queue 'order' .*; its queues are 'orders'"):
        broker.put("order")
    with pytest.raises(ValueError, match=r"for key 'create'; its bindings are 'created' to 'ord"):
        broker.publish("amq.direct", "create", b"")
    broker.publish("amq.direct", "created", b"")
    with pytest.raises(ValueError, match="queue 'orders' is full, and refuses the message"):
        broker.publish("amq.direct", "created", b"")


def test_history_knows_no_client_and_no_confirm_of_a_test(broker: FakeBroker) -> None:
    broker.declare_queue("orders")
    broker.put("orders", b"1")

    (event,) = broker.published()
    assert (None, b"1") == (event.connection, event.body)
    assert not broker.confirmed()


def test_misspelt_property_is_an_error(broker: FakeBroker) -> None:
    broker.declare_queue("orders")

    with pytest.raises(TypeError, match="no property 'mesage_id'; did you mean 'message_id'"):
        broker.put("orders", mesage_id="1")
    with pytest.raises(TypeError, match="both body and json"):
        broker.put("orders", b"", json={})
    with pytest.raises(ValueError, match="priority"):
        broker.put("orders", priority=1000)


def test_queues_are_purged_and_deleted(broker: FakeBroker) -> None:
    broker.declare_queue("orders")
    broker.declare_exchange("in")
    broker.put("orders")
    broker.put("orders")

    with pytest.raises(ValueError, match="not empty"):
        broker.delete_queue("orders", if_empty=True)
    purged = broker.purge_queue("orders")
    broker.put("orders")
    deleted = broker.delete_queue("orders")
    broker.delete_exchange("in")

    assert (2, 1, {}) == (purged, deleted, broker.queues())
    assert "in" not in broker.exchanges()
    assert 0 == broker.delete_queue("orders")


def test_consumer_is_cancelled_and_its_client_is_told(
    broker: FakeBroker, channel: pika.adapters.blocking_connection.BlockingChannel
) -> None:
    cancelled = []
    channel.queue_declare("orders")
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    channel.basic_consume("orders", lambda *_: None, consumer_tag="one")

    assert ("one",) == broker.cancel_consumer(queue_name="orders")
    channel.connection.process_data_events(time_limit=10)

    assert ["one"] == cancelled
    assert 0 == broker.queue("orders").consumer_count
    with pytest.raises(
        LookupError, match="no consumer 'one' of queue 'x'; no queue has a consumer"
    ):
        broker.cancel_consumer("one", queue_name="x")
    with pytest.raises(TypeError, match="neither consumer_tag nor queue_name"):
        broker.cancel_consumer()


def test_messages_that_clients_hold_are_requeued(
    broker: FakeBroker, channel: pika.adapters.blocking_connection.BlockingChannel
) -> None:
    broker.declare_queue("orders")
    broker.put("orders", b"1")
    broker.put("orders", b"2")
    first, _, _ = channel.basic_get("orders")
    channel.basic_get("orders")

    assert 2 == broker.requeue("orders")
    channel.basic_ack(first.delivery_tag)
    again, _, body = channel.basic_get("orders")
    channel.basic_ack(again.delivery_tag)

    assert (b"1", True) == (body, again.redelivered)
    assert 1 == broker.queue("orders").message_count
    with pytest.raises(LookupError, match="no queue 'no'"):
        broker.requeue("no")


def test_publish_to_an_exchange_that_delays_it() -> None:
    """It reaches no queue yet, which is no error, and nothing else waits in the exchange."""
    clock = ManualClock()
    plugins = ["rabbitmq_delayed_message_exchange"]
    with FakeBroker(clock=clock, plugins=plugins) as broker:
        broker.declare_exchange(
            "later", "x-delayed-message", arguments={"x-delayed-type": "fanout"}
        )
        broker.declare_queue("orders")
        broker.bind_queue("orders", "later")

        delayed = broker.publish("later", "", b"1", headers={"x-delay": 1000})
        at_once = broker.publish("later", "", b"2")
        clock.advance(1)

        assert ((), ("orders",)) == (delayed, at_once)
        assert [b"2", b"1"] == [message.body for message in broker.messages("orders")]
