"""Statistics of the fake broker that RabbitMQ does not have, or has after seconds only."""

from collections.abc import Callable, Iterator

import pika  # type: ignore[import-untyped]  # it has no types
import pika.exceptions  # type: ignore[import-untyped]  # as above
import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_wire import ChannelCloseParameters, QueueDeclareParameters
from tests.management.test_statistics import NO_PUBLISHES, counts
from tests.support.management_api import ManagementApi
from tests.support.peer import Peer


@pytest.fixture
def fake(make_fakebroker: Callable[..., FakeBroker]) -> FakeBroker:
    """A broker with a management API."""
    return make_fakebroker(management_port=0)


@pytest.fixture
def api(fake: FakeBroker) -> ManagementApi:
    """The API of the broker."""
    return ManagementApi(fake.management_url)


@pytest.fixture
def connection(fake: FakeBroker) -> Iterator[pika.BlockingConnection]:
    """A client's connection."""
    connection = pika.BlockingConnection(pika.URLParameters(fake.url))
    yield connection
    if connection.is_open:
        connection.close()


def test_sample_repeats_the_count(fake: FakeBroker, api: ManagementApi) -> None:
    fake.declare_queue("orders")
    fake.publish("", "orders", b"1")

    queue = api.get(
        "queues/%2F/orders?lengths_age=10&lengths_incr=5&msg_rates_age=5&msg_rates_incr=5"
    ).json

    assert [1, 1, 1] == [each["sample"] for each in queue["messages_details"]["samples"]]
    assert (1.0, 0.0, 0.0) == (
        queue["messages_details"]["avg"],
        queue["messages_details"]["avg_rate"],
        queue["messages_details"]["rate"],
    )
    samples = queue["message_stats"]["publish_details"]["samples"]
    assert [1, 1] == [each["sample"] for each in samples]


def test_closed_channels_are_still_counted_in_their_virtual_host(
    fake: FakeBroker, api: ManagementApi, connection: pika.BlockingConnection
) -> None:
    connection.channel().basic_publish("", "nowhere", b"1")
    connection.close()

    home = api.get("vhosts/%2F").json

    assert {**NO_PUBLISHES, "publish": 1, "drop_unroutable": 1} == counts(home)
    assert home["recv_oct"] > 300
    assert home["send_oct"] > 300


def test_publish_of_a_transaction_counts_when_it_is_committed(
    fake: FakeBroker, api: ManagementApi, connection: pika.BlockingConnection
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.tx_select()
    channel.basic_publish("", "orders", b"1")
    channel.tx_rollback()
    before = counts(api.get("queues/%2F/orders").json)
    channel.basic_publish("", "orders", b"2")
    channel.tx_commit()

    after = counts(api.get("queues/%2F/orders").json)

    assert ({}, {"publish": 1}) == (before, after)


def test_queue_and_exchange_of_an_old_name_begin_anew(fake: FakeBroker, api: ManagementApi) -> None:
    publish_to_new_exchange(fake)
    fake.delete_exchange("events")
    fake.delete_queue("orders")
    publish_to_new_exchange(fake)

    queue, exchange = api.get("queues/%2F/orders").json, api.get("exchanges/%2F/events").json

    assert {"publish": 1} == counts(queue)
    assert {"publish_in": 1, "publish_out": 1} == counts(exchange)


def publish_to_new_exchange(fake: FakeBroker) -> None:
    """Declare the exchange events and the queue orders, and publish a message."""
    fake.declare_exchange("events", "fanout")
    fake.declare_queue("orders")
    fake.bind_queue("orders", "events")
    fake.publish("events", "", b"1")


def test_virtual_host_of_an_old_name_begins_anew(fake: FakeBroker, api: ManagementApi) -> None:
    api.put("vhosts/short-lived")
    fake.declare_queue("orders", virtualhost="short-lived")
    fake.publish("", "orders", b"1", virtualhost="short-lived")
    api.delete("vhosts/short-lived")
    api.put("vhosts/short-lived")

    assert {} == counts(api.get("vhosts/short-lived").json)


def test_restart_clears_the_counts(fake: FakeBroker, api: ManagementApi) -> None:
    fake.declare_queue("orders", durable=True)
    fake.publish("", "orders", b"1", delivery_mode=2)

    fake.restart()

    queue = api.get("queues/%2F/orders").json
    assert (1, {}) == (queue["messages"], counts(queue))
    assert {"disk_reads": 0, "disk_writes": 0} == counts(api.get("overview").json)
    fake.publish("", "orders", b"2")
    assert {"publish": 1} == counts(api.get("queues/%2F/orders").json)


def test_counts_need_no_history(make_fakebroker: Callable[..., FakeBroker]) -> None:
    fake = make_fakebroker(management_port=0, history=0)
    fake.declare_queue("orders")
    fake.publish("", "orders", b"1")

    queue = ManagementApi(fake.management_url).get("queues/%2F/orders").json

    assert {"publish": 1} == counts(queue)
    with pytest.raises(RuntimeError, match="history is off"):
        fake.published()


def test_opened_and_closed_things_are_counted(
    fake: FakeBroker, api: ManagementApi, connection: pika.BlockingConnection
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.queue_declare("orders")
    channel.queue_delete("orders")
    connection.channel().close()
    connection.close()

    churn = api.get("overview").json["churn_rates"]

    assert {
        "channel_closed": 2,
        "channel_created": 2,
        "connection_closed": 1,
        "connection_created": 1,
        "queue_created": 1,
        "queue_declared": 2,
        "queue_deleted": 1,
    } == {name: count for name, count in churn.items() if not name.endswith("_details")}


def test_channels_that_end_with_their_connection_are_counted_once(
    make_fakebroker: Callable[..., FakeBroker],
) -> None:
    fake = make_fakebroker(management_port=0, compatibility="3.10")
    connection = pika.BlockingConnection(pika.URLParameters(fake.url))
    connection.channel()
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        connection.channel().exchange_declare("x", "nosuch")

    churn = ManagementApi(fake.management_url).get("overview").json["churn_rates"]

    assert (2, 2) == (churn["channel_created"], churn["channel_closed"])


def test_octets_that_a_closing_channel_has_are_unacknowledged(
    fake: FakeBroker, api: ManagementApi
) -> None:
    """After an error, a channel keeps messages until its client has answered."""
    fake.declare_queue("orders", durable=True, arguments={"x-queue-type": "quorum"})
    fake.put("orders", b"12345")
    with Peer.connect(fake.url) as peer:
        channel = peer.channel()
        channel.get_unacked("orders", 1)
        channel.send(QueueDeclareParameters("missing", passive=True))
        channel.expect(ChannelCloseParameters)

        queue = api.get("queues/%2F/orders").json

    assert (1, 5) == (queue["messages_unacknowledged"], queue["message_bytes_unacknowledged"])


def test_direct_reply_is_no_delivery(
    fake: FakeBroker, api: ManagementApi, connection: pika.BlockingConnection
) -> None:
    channel = connection.channel()
    channel.basic_consume("amq.rabbitmq.reply-to", lambda *_: None, auto_ack=True)
    properties = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to")
    channel.queue_declare("requests")
    channel.basic_publish("", "requests", b"question", properties)
    _, received, _ = channel.basic_get("requests", auto_ack=True)
    channel.basic_publish("", received.reply_to, b"answer")
    channel.queue_declare("requests", passive=True)

    assert 0 == counts(api.get("vhosts/%2F").json)["deliver_no_ack"]
