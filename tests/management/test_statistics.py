"""Statistics in the management API: counts of messages and octets, and samples of them."""

from itertools import pairwise
from typing import Any

import pika  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.support.management_api import ManagementApi

Counts = dict[str, int]

NO_DELIVERIES = dict.fromkeys(
    (
        "ack",
        "deliver",
        "deliver_get",
        "deliver_no_ack",
        "get",
        "get_empty",
        "get_no_ack",
        "redeliver",
    ),
    0,
)
NO_PUBLISHES = dict.fromkeys(("confirm", "drop_unroutable", "publish", "return_unroutable"), 0)


def counts(item: dict[str, Any]) -> Counts:
    """Return the counts of an object, without their rates."""
    stats = item.get("message_stats", {})
    return {name: count for name, count in stats.items() if not name.endswith("_details")}


def counts_when(api: ManagementApi, path: str, expected: Counts) -> Counts:
    """Return the counts of an object once they are complete: RabbitMQ's are seconds old."""
    total = sum(expected.values())
    return counts(api.get_when(path, lambda item: sum(counts(item).values()) >= total))


def channel_counts_when(
    api: ManagementApi, virtualhost: str, number: int, expected: Counts
) -> Counts:
    """Return the counts of the channel with a number once they are complete."""

    def found(items: list[dict[str, Any]]) -> Counts:
        return next((counts(item) for item in items if item["number"] == number), {})

    total = sum(expected.values())
    items = api.get_when(
        f"vhosts/{virtualhost}/channels", lambda items: sum(found(items).values()) >= total
    )
    return found(items)


@pytest.fixture
def traffic(connection: pika.BlockingConnection) -> None:
    """Publish, get and consume in every way.

    Channel 1 publishes with confirms, channel 2 gets and consumes, channel 3 publishes and consumes
    without acknowledgements.
    """
    publisher, consumer, careless = (connection.channel() for _ in range(3))
    publisher.confirm_delivery()
    publisher.exchange_declare("events", "fanout")
    publisher.exchange_declare("void", "fanout")
    for queue in ("orders", "audit"):
        publisher.queue_declare(queue, durable=True)
        publisher.queue_bind(queue, "events")
    for number in range(4):
        publisher.basic_publish("events", "", f"order {number}".encode())
    with pytest.raises(pika.exceptions.UnroutableError):
        publisher.basic_publish("void", "", b"returned", mandatory=True)
    careless.basic_publish("void", "", b"dropped")

    taken, _, _ = consumer.basic_get("orders")
    consumer.basic_ack(taken.delivery_tag)
    consumer.basic_get("orders", auto_ack=True)
    returned, _, _ = consumer.basic_get("orders")
    consumer.basic_nack(returned.delivery_tag, requeue=True)
    # The requeued message comes first, and is delivered again.
    deliveries = consumer.consume("orders", inactivity_timeout=60)
    first, _, _ = next(deliveries)
    second, _, _ = next(deliveries)
    consumer.basic_reject(first.delivery_tag, requeue=False)
    consumer.basic_ack(second.delivery_tag)
    assert consumer.basic_get("orders") == (None, None, None)

    heard = careless.consume("audit", auto_ack=True, inactivity_timeout=60)
    assert [b"order 0", b"order 1", b"order 2", b"order 3"] == [next(heard)[2] for _ in range(4)]


@pytest.mark.usefixtures("traffic")
def test_messages_are_counted(api: ManagementApi, virtualhost: str) -> None:
    published = {"publish": 5, "confirm": 5, "return_unroutable": 1, "drop_unroutable": 0}
    consumed = {
        "ack": 2,
        "deliver": 2,
        "deliver_get": 5,
        "deliver_no_ack": 0,
        "get": 2,
        "get_empty": 1,
        "get_no_ack": 1,
        "redeliver": 1,
    }
    careless_publishes = {**NO_PUBLISHES, "publish": 1, "drop_unroutable": 1}
    careless_deliveries = {**NO_DELIVERIES, "deliver_get": 4, "deliver_no_ack": 4}
    total = {
        **published,
        "publish": 6,
        "drop_unroutable": 1,
        **consumed,
        "deliver_get": 9,
        "deliver_no_ack": 4,
    }

    expected_of_channels: dict[int, Counts] = {
        1: published,
        2: consumed,
        3: careless_publishes | careless_deliveries,
    }
    expected: dict[str, Counts] = {
        f"vhosts/{virtualhost}": total,
        f"queues/{virtualhost}/orders": {**consumed, "publish": 4},
        f"queues/{virtualhost}/audit": {**careless_deliveries, "publish": 4},
        f"exchanges/{virtualhost}/events": {"publish_in": 4, "publish_out": 8},
        f"exchanges/{virtualhost}/void": {"publish_in": 2},
        f"exchanges/{virtualhost}/amq.topic": {},
    }

    assert expected == {path: counts_when(api, path, each) for path, each in expected.items()}
    assert expected_of_channels == {
        number: channel_counts_when(api, virtualhost, number, each)
        for number, each in expected_of_channels.items()
    }


@pytest.mark.usefixtures("traffic")
def test_octets_of_a_connection_are_counted(
    api: ManagementApi, virtualhost: str, connection: pika.BlockingConnection
) -> None:
    path = f"vhosts/{virtualhost}/connections"
    (before,) = api.get_when(
        path, lambda items: items and {"recv_oct", "recv_cnt"} <= set(items[0])
    )
    connection.channel().basic_publish("", "nowhere", bytes(100_000))

    # RabbitMQ takes octets and reads from two tables, one of which may be older.
    (after,) = api.get_when(
        path,
        lambda items: (
            items
            and items[0]["recv_oct"] >= before["recv_oct"] + 100_000
            and items[0]["recv_cnt"] > before["recv_cnt"]
        ),
    )

    names = ("recv_oct", "recv_cnt", "send_oct", "send_cnt")
    assert [int] * 4 == [type(after[name]) for name in names]
    assert after["send_oct"] >= before["send_oct"]
    assert after["send_cnt"] >= before["send_cnt"] > 0
    home = api.get_when(
        f"vhosts/{virtualhost}", lambda item: item.get("recv_oct", 0) >= after["recv_oct"]
    )
    assert home["send_oct"] >= after["send_oct"]


def test_virtual_host_without_messages_has_no_counts(api: ManagementApi, virtualhost: str) -> None:
    api.put(f"queues/{virtualhost}/orders", {})

    shown = [
        api.get(path).json
        for path in (
            f"vhosts/{virtualhost}",
            f"queues/{virtualhost}/orders",
            f"exchanges/{virtualhost}/amq.topic",
        )
    ]

    assert [False, False, False] == ["message_stats" in item for item in shown]


# -- samples -----------------------------------------------------------------------------------


@pytest.fixture
def message(connection: pika.BlockingConnection) -> None:
    """A message in a queue: without one, a node that has just started shows no totals."""
    channel = connection.channel()
    channel.queue_declare("orders", durable=True)
    channel.basic_publish("", "orders", b"order 1")


def overview_when_counted(api: ManagementApi, query: str) -> Any:
    """Return the overview once it has totals: RabbitMQ's are seconds old."""
    return api.get_when(f"overview?{query}", has_totals)


def has_totals(overview: Any) -> bool:
    """Return whether an overview has the totals that the tests read."""
    return (
        "messages_details" in overview["queue_totals"]
        and "disk_reads_details" in overview["message_stats"]
    )


@pytest.mark.usefixtures("message")
def test_samples_are_shown_when_a_query_asks_for_them(api: ManagementApi) -> None:
    overview = overview_when_counted(api, "lengths_age=60&lengths_incr=5")
    details = overview["queue_totals"]["messages_details"]

    assert ["avg", "avg_rate", "rate", "samples"] == sorted(details)
    times = [sample["timestamp"] for sample in details["samples"]]
    assert [5_000] * 12 == [later - sooner for later, sooner in pairwise(times)]
    assert ["sample", "timestamp"] == sorted(details["samples"][0])
    assert ["rate"] == list(overview["message_stats"]["disk_reads_details"])


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("query", ["lengths_age=60", "lengths_age=a&lengths_incr=5"])
def test_samples_are_not_shown_unless_age_and_step_are_integers(
    api: ManagementApi, query: str
) -> None:
    overview = overview_when_counted(api, query)

    assert ["rate"] == list(overview["queue_totals"]["messages_details"])


@pytest.mark.parametrize(("age", "step"), [(501, 1), (60, 0), (0, 5), (-5, 5)])
@pytest.mark.parametrize("kind", ["lengths", "msg_rates"])
def test_range_of_samples_has_limits(api: ManagementApi, kind: str, age: int, step: int) -> None:
    reply = api.get(f"overview?{kind}_age={age}&{kind}_incr={step}")

    expected = f"Invalid range parameters: age {age}, incr {step}"
    assert (400, "bad_request", expected) == reply.problem
