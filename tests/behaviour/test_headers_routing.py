"""Headers exchanges: which bindings match which headers.

RabbitMQ: https://www.rabbitmq.com/docs/exchanges#headers
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ammoo_wire import (
    ChannelCloseParameters,
    Float32,
    Int8,
    Int64,
    QueueBindParameters,
    Timestamp,
    UInt32,
)
from tests.support.brokers import Broker, Unique
from tests.support.channel import Channel


@pytest.fixture
def headers_exchange(channel: Channel, unique: Unique) -> str:
    return channel.declare_exchange(unique("headers"), "headers")


@pytest.mark.parametrize(
    ("binding", "headers", "matches"),
    [
        # all, said and unsaid
        ({"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False),
        ({"x-match": "all", "a": 1, "b": 2}, {"a": 1, "b": 2}, True),
        ({"x-match": "all", "a": 1, "b": 2}, {"b": 2}, False),
        # any
        ({"x-match": "any", "a": 1, "b": 2}, {"b": 2}, True),
        ({"x-match": "any", "a": 1, "b": 2}, {"a": 2, "b": 1}, False),
        ({"x-match": "any", "a": 1, "b": 2}, {}, False),
        # nothing to compare
        ({}, {"a": 1}, True),
        ({}, {}, True),
        ({}, None, True),
        ({"x-match": "all"}, None, True),
        ({"x-match": "any"}, {"a": 1}, False),
        ({"x-match": "any"}, None, False),
        # names that begin with x-
        ({"x-other": 1, "a": 1}, {"a": 1}, True),
        ({"x-other": 1}, None, True),
        ({"x-match": "any", "x-other": 1}, {"x-other": 1}, False),
        ({"x-match": "all-with-x", "x-other": 1}, {"x-other": 1}, True),
        ({"x-match": "all-with-x", "x-other": 1}, {"a": 1}, False),
        ({"x-match": "any-with-x", "x-other": 1, "a": 1}, {"x-other": 1}, True),
        ({"x-match": "any-with-x", "x-other": 1}, {"x-other": 2}, False),
        # void: it is enough that the name is there
        ({"a": None}, {"a": "anything"}, True),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {"b": 1}, False),
        # case
        ({"a": 1}, {"A": 1}, False),
        ({"a": "v"}, {"a": "V"}, False),
        # values
        ({"a": 1}, {"a": Int64(1)}, True),
        ({"a": 1}, {"a": Int8(1)}, True),
        ({"a": 1}, {"a": UInt32(1)}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": True}, True),
        ({"a": True}, {"a": False}, False),
        ({"a": "text"}, {"a": "text"}, True),
        ({"a": "text"}, {"a": b"text"}, True),
        ({"a": 1.5}, {"a": 1.5}, True),
        ({"a": 1.5}, {"a": Float32(1.5)}, True),
        ({"a": Decimal("1.5")}, {"a": Decimal("1.5")}, True),
        ({"a": {"b": [1, "x"]}}, {"a": {"b": [1, "x"]}}, True),
        ({"a": {"b": [1, "x"]}}, {"a": {"b": [1, "y"]}}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
    ],
)
def test_headers_binding_matches(
    channel: Channel,
    queue: str,
    headers_exchange: str,
    binding: dict[str, Any],
    headers: dict[str, Any] | None,
    matches: bool,
) -> None:
    channel.bind(queue, headers_exchange, "the routing key is ignored", binding)

    channel.publish(headers_exchange, "another key", b"!", headers=headers)

    assert ([b"!"] if matches else []) == channel.get_bodies(queue)


def test_integers_and_floats_were_equal_up_to_3_10(
    broker: Broker, channel: Channel, queue: str, headers_exchange: str
) -> None:
    channel.bind(queue, headers_exchange, "", {"a": 1})

    channel.publish(headers_exchange, "", b"!", headers={"a": 1.0})

    assert broker.value_of({"3.10": [b"!"], "4.0": []}) == channel.get_bodies(queue)


def test_timestamps_match_up_to_3_10(
    broker: Broker, channel: Channel, queue: str, headers_exchange: str
) -> None:
    """Version 4.0 compares a message's milliseconds with a binding's seconds."""
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    channel.bind(queue, headers_exchange, "", {"a": moment})

    channel.publish(headers_exchange, "", b"!", headers={"a": moment})

    assert broker.value_of({"3.10": [b"!"], "4.0": []}) == channel.get_bodies(queue)


@pytest.mark.parametrize(("bound", "published"), [({}, []), ([], {})])
def test_empty_table_matches_an_empty_array(
    channel: Channel, queue: str, headers_exchange: str, bound: Any, published: Any
) -> None:
    channel.bind(queue, headers_exchange, "", {"a": bound})

    channel.publish(headers_exchange, "", b"!", headers={"a": published})

    assert [b"!"] == channel.get_bodies(queue)


@pytest.mark.parametrize(("bound", "published"), [(0.0, -0.0), (-0.0, 0.0), ([0.0], [-0.0])])
def test_zeros_of_both_signs_match_up_to_3_10(
    broker: Broker,
    channel: Channel,
    queue: str,
    headers_exchange: str,
    bound: Any,
    published: Any,
) -> None:
    """Erlang tells them apart since its release 27."""
    channel.bind(queue, headers_exchange, "", {"a": bound})

    channel.publish(headers_exchange, "", b"!", headers={"a": published})

    assert broker.value_of({"3.10": [b"!"], "4.0": []}) == channel.get_bodies(queue)


def test_timestamp_that_is_no_date_matches_up_to_3_10(
    broker: Broker, channel: Channel, queue: str, headers_exchange: str
) -> None:
    moment = Timestamp(2**40)
    channel.bind(queue, headers_exchange, "", {"a": moment})

    channel.publish(headers_exchange, "", b"!", headers={"a": moment})

    assert broker.value_of({"3.10": [b"!"], "4.0": []}) == channel.get_bodies(queue)


def test_unknown_x_match(channel: Channel, queue: str, headers_exchange: str) -> None:
    refused = channel.refusal(
        QueueBindParameters(queue, headers_exchange, arguments={"x-match": "foo"})
    )

    assert (
        ChannelCloseParameters(
            406,
            'PRECONDITION_FAILED - Invalid x-match field value <<"foo">>;'
            " expected all, any, all-with-x, or any-with-x",
            50,
            20,
        )
        == refused
    )


def test_x_match_that_is_no_string(channel: Channel, queue: str, headers_exchange: str) -> None:
    refused = channel.refusal(
        QueueBindParameters(queue, headers_exchange, arguments={"x-match": 1})
    )

    assert (
        ChannelCloseParameters(
            406,
            "PRECONDITION_FAILED - Invalid x-match field type signedint (value 1);"
            " expected longstr",
            50,
            20,
        )
        == refused
    )
