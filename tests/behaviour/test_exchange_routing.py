"""Publishing to exchanges: direct and fanout routing, exchanges bound to exchanges, CC and BCC.

Topic and headers exchanges have files of their own. Specification: section 3.1.3. RabbitMQ:
https://www.rabbitmq.com/docs/exchanges, https://www.rabbitmq.com/docs/e2e,
https://www.rabbitmq.com/docs/ae and https://www.rabbitmq.com/docs/sender-selected
"""

import pytest

from ammoo_wire import (
    BasicHeaderProperties,
    BasicPublishParameters,
    ChannelCloseParameters,
    ExchangeBindOkParameters,
    ExchangeBindParameters,
    ExchangeUnbindOkParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import Unique
from tests.support.channel import Channel
from tests.support.closes import no_exchange
from tests.support.frames import BODY, HEADER, encode_header


@pytest.fixture
def exchange(channel: Channel, unique: Unique) -> str:
    """The name of a direct exchange that has just been declared."""
    return channel.declare_exchange(unique("exchange"))


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
    channel.bind_each(queues[:2], exchange, "key")

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
    channel.bind(queue, name, "#")
    channel.bind(queue, name, "*")
    channel.bind(queue, name, "key")

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

    assert refused == no_exchange(missing, 40, 30)


def test_binding_a_missing_destination(channel: Channel, exchange: str, unique: Unique) -> None:
    missing = unique("missing")

    refused = channel.refusal(ExchangeBindParameters(missing, exchange))

    assert refused == no_exchange(missing, 40, 30)


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


@pytest.fixture
def to_cc_bcc(channel: Channel, unique: Unique) -> list[str]:
    """Three queues."""
    return [channel.declare_queue(unique(label)) for label in ("to", "cc", "bcc")]


@pytest.fixture(params=["", "direct", "topic"])
def exchange_by_name(
    request: pytest.FixtureRequest, channel: Channel, unique: Unique, to_cc_bcc: list[str]
) -> str:
    """An exchange from which a routing key leads to the queue of that name."""
    if not request.param:
        return ""
    exchange_name: str = channel.declare_exchange(unique("e"), request.param)
    for name in to_cc_bcc:
        channel.bind(name, exchange_name, name)
    return exchange_name


def test_cc_and_bcc_add_routing_keys(
    channel: Channel, exchange_by_name: str, to_cc_bcc: list[str]
) -> None:
    to, cc, bcc = to_cc_bcc

    channel.publish(exchange_by_name, to, headers={"CC": [cc, 5], "BCC": [bcc], "k": "v"})

    messages = [channel.get_message(name) for name in to_cc_bcc]
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


# --- one queue of many ------------------------------------------------------------------------


@pytest.mark.rabbitmq_version(">=4.0")
def test_local_random_exchange_takes_one_queue(channel: Channel, unique: Unique) -> None:
    exchange = channel.declare_exchange(unique("random"), "x-local-random")
    queues = [channel.declare_queue(unique(name)) for name in ("a", "b")]
    channel.bind_each(queues, exchange)
    channel.select_confirm()

    channel.publish_each(exchange, "any key", *[b""] * 64)
    channel.settlements(64)

    counts = [channel.message_count(name) for name in queues]
    assert 64 == sum(counts)
    assert 0 not in counts


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize(
    ("queue_type", "key", "text"),
    [
        ("classic", "key", "Non empty binding 'key' key not permitted"),
        ("quorum", "", "Queue type rabbit_quorum_queue not valid for this exchange type"),
    ],
)
def test_local_random_exchange_refuses_bindings(
    channel: Channel, unique: Unique, queue_type: str, key: str, text: str
) -> None:
    exchange = channel.declare_exchange(unique("random"), "x-local-random")
    name = channel.declare_queue(unique("queue"), durable=True, x_queue_type=queue_type)

    refused = channel.refusal(QueueBindParameters(name, exchange, key))

    assert ChannelCloseParameters(406, f"PRECONDITION_FAILED - {text}", 50, 20) == refused


@pytest.mark.rabbitmq_version(">=4.0")
def test_local_random_exchange_is_not_bound_to_exchanges(channel: Channel, unique: Unique) -> None:
    exchange = channel.declare_exchange(unique("random"), "x-local-random")

    refused = channel.refusal(ExchangeBindParameters("amq.fanout", exchange))

    assert (
        ChannelCloseParameters(406, "PRECONDITION_FAILED - Destination not found", 40, 30)
        == refused
    )


@pytest.mark.rabbitmq_version(">=4.3")
def test_modulus_hash_exchange_takes_the_same_queue_for_the_same_key(
    channel: Channel, unique: Unique
) -> None:
    """Binding keys do not matter."""
    exchange = channel.declare_exchange(unique("hash"), "x-modulus-hash")
    queues = [channel.declare_queue(unique(name)) for name in ("a", "b")]
    channel.bind_each(queues, exchange, "any key")
    channel.select_confirm()

    channel.publish_under_each(exchange, [f"key {number}" for number in range(64)] * 2)
    channel.settlements(128)

    bodies = [channel.get_bodies(name) for name in queues]
    assert [True, True] == [0 < len(each) < 128 for each in bodies]
    assert set() == set(bodies[0]) & set(bodies[1])


@pytest.mark.rabbitmq_version(">=4.3")
def test_modulus_hash_exchange_without_a_binding_routes_nowhere(
    channel: Channel, unique: Unique
) -> None:
    exchange = channel.declare_exchange(unique("hash"), "x-modulus-hash")

    channel.publish(exchange, "key", b"!", mandatory=True)

    assert b"!" == channel.returned().body
