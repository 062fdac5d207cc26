"""The exchange x-consistent-hash: which queue a message goes to, and what is refused.

RabbitMQ ships it as the plugin rabbitmq_consistent_hash_exchange; these tests run on those that have
it enabled. The hash is the same everywhere, so the tests say to which queue each message goes.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from ammoo_wire import ExchangeDeclareParameters, QueueBindParameters, QueueUnbindParameters
from tests.support.brokers import Broker, Unique
from tests.support.channel import Channel

pytestmark = pytest.mark.exchange_type("x-consistent-hash")

KEYS = ("", "a", "b", "orders.1", "orders.2", "orders.3", "äöü", "x" * 255, "17", "18", "19", "20")


class Ring:
    """An exchange with queues bound to it, and where messages go from there."""

    def __init__(self, channel: Channel, unique: Unique, *weights: str, **arguments: Any) -> None:
        self.channel = channel
        self.exchange = unique("ring")
        channel.call(
            ExchangeDeclareParameters(
                self.exchange,
                "x-consistent-hash",
                arguments={name.replace("_", "-"): each for name, each in arguments.items()},
            )
        )
        self.queues = [channel.declare_queue(unique(f"queue{n}")) for n, _ in enumerate(weights)]
        for queue, weight in zip(self.queues, weights, strict=True):
            channel.bind(queue, self.exchange, weight)

    def publish(self, routing_key: str, **properties: Any) -> None:
        self.channel.publish(self.exchange, routing_key, **properties)

    def where(self) -> str:
        """Return the numbers of the queues in which messages are, in the order of publishing."""
        found = {
            int(body): str(number)
            for number, queue in enumerate(self.queues)
            for body in self.channel.get_bodies(queue)
        }
        return "".join(found[number] for number in sorted(found))

    def route_keys(self) -> str:
        for number, key in enumerate(KEYS):
            self.channel.publish(self.exchange, key, b"%d" % number)
        return self.where()

    def route_properties(self, *properties: dict[str, Any]) -> str:
        for number, each in enumerate(properties):
            self.channel.publish(self.exchange, "key", b"%d" % number, **each)
        return self.where()


def test_routing_key_chooses_one_queue(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "1", "1", "1")

    assert "011122022221" == ring.route_keys()


def test_weights_are_places_on_the_ring(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "1", "10", "+100")

    assert "222222222221" == ring.route_keys()


def test_single_place_takes_all(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "1")

    assert "0" * len(KEYS) == ring.route_keys()


def test_exchange_without_bindings_routes_nothing(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique)

    channel.publish(ring.exchange, "key", b"lost", mandatory=True)

    assert b"lost" == channel.returned().body


def test_second_binding_of_a_queue_counts_for_nothing(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "1", "1", "1")
    channel.bind(ring.queues[0], ring.exchange, "50")

    assert "011122022221" == ring.route_keys()


def test_queue_that_loses_a_binding_loses_all_of_its_places(
    channel: Channel, unique: Unique
) -> None:
    ring = Ring(channel, unique, "1", "1", "1")
    channel.bind(ring.queues[0], ring.exchange, "50")
    channel.call(QueueUnbindParameters(ring.queues[0], ring.exchange, "50"))

    assert "122211122222" == ring.route_keys()


def test_ring_closes_behind_a_queue_that_is_deleted(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "1", "2", "3")
    channel.delete_queue(ring.queues.pop(0))
    ring.queues.insert(0, channel.declare_queue(unique("again")))
    channel.bind(ring.queues[0], ring.exchange, "1")

    assert "111102222221" == ring.route_keys()


@pytest.mark.parametrize("name", ["message_id", "correlation_id"])
def test_hash_of_a_property(channel: Channel, unique: Unique, name: str) -> None:
    ring = Ring(channel, unique, "3", "5", "7", hash_property=name)

    assert "0222210220220" == ring.route_properties({}, *({name: key} for key in KEYS))


def test_hash_of_a_timestamp(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "3", "5", "7", hash_property="timestamp")
    times = [datetime.fromtimestamp(1_700_000_000 + each, UTC) for each in range(8)]

    assert "020021020" == ring.route_properties({}, *({"timestamp": each} for each in times))


VALUES = ("a", "bb", "", 1, -7, 1 << 40, -(1 << 40), 1.5, True, None, b"octets")


def test_hash_of_a_header(broker: Broker, channel: Channel, unique: Unique) -> None:
    """3.10 hashes the type of a value as well."""
    ring = Ring(channel, unique, "3", "5", "7", hash_header="customer")
    headers = [{"customer": each} for each in VALUES]

    routed = ring.route_properties({}, {"headers": {}}, *({"headers": each} for each in headers))

    assert broker.value_of({"3.10": "0012021122102", "4.0": "0021210110001"}) == routed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"hash-header": "a", "hash-property": "message_id"},
            "hash-header and hash-property are mutually exclusive",
        ),
        ({"hash-property": "app_id"}, "Unsupported property: app_id"),
    ],
)
def test_refused_arguments(
    channel: Channel, unique: Unique, arguments: dict[str, Any], text: str
) -> None:
    declared = ExchangeDeclareParameters(unique("ring"), "x-consistent-hash", arguments=arguments)

    assert f"PRECONDITION_FAILED - {text}" == channel.refusal(declared).reply_text


def test_header_that_is_no_string_crashes_the_channel(channel: Channel, unique: Unique) -> None:
    declared = ExchangeDeclareParameters(
        unique("ring"), "x-consistent-hash", arguments={"hash-header": 5}
    )

    assert 541 == channel.fatal(declared).reply_code


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        ("", "The binding key must be an integer: <<>>"),
        ("heavy", 'The binding key must be an integer: <<"heavy">>'),
        ("1.5", 'The binding key must be an integer: <<"1.5">>'),
        (" 1", 'The binding key must be an integer: <<" 1">>'),
        ("1_0", 'The binding key must be an integer: <<"1_0">>'),
        ("0", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
    ],
)
def test_refused_weights(channel: Channel, unique: Unique, weight: str, text: str) -> None:
    ring = Ring(channel, unique, "1")

    close = channel.refusal(QueueBindParameters(ring.queues[0], ring.exchange, weight))

    assert (406, f"PRECONDITION_FAILED - {text}") == (close.reply_code, close.reply_text)


@pytest.mark.rabbitmq_version(">=4.3")
def test_highest_weight(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "10000")

    close = channel.refusal(QueueBindParameters(ring.queues[0], ring.exchange, "10001"))

    assert "PRECONDITION_FAILED - The binding key must not exceed 10000" == close.reply_text


@pytest.mark.rabbitmq_version("<4.3")
def test_weights_have_no_limit_before(channel: Channel, unique: Unique) -> None:
    ring = Ring(channel, unique, "10001", "1")

    assert "0" * len(KEYS) == ring.route_keys()
