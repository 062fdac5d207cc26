"""Topic exchanges: which patterns match which routing keys.

Specification: section 3.1.3.3. RabbitMQ counts an empty word between two dots as a word, and
none at all in an empty key: https://www.rabbitmq.com/docs/exchanges#topic
"""

from typing import Any

import pytest

from ammoo_wire import (
    ChannelCloseParameters,
    ExchangeBindParameters,
    QueueBindParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import Unique
from tests.support.channel import Channel

KEYS = [
    "",
    "a",
    "b",
    "a.b",
    "a.c",
    "a.b.c",
    "a.x.y.c",
    "a..b",
    ".",
    "a.",
    ".a",
    "a.x.b",
    "A.b",
    "..",
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("#", KEYS),
        ("#.#", KEYS),
        ("*", ["a", "b"]),
        ("a", ["a"]),
        ("a.*", ["a.b", "a.c", "a."]),
        ("a.#", ["a", "a.b", "a.c", "a.b.c", "a.x.y.c", "a..b", "a.", "a.x.b"]),
        ("#.b", ["b", "a.b", "a..b", "a.x.b", "A.b"]),
        ("*.b", ["a.b", "A.b"]),
        ("a.*.c", ["a.b.c"]),
        ("a.*.b", ["a..b", "a.x.b"]),
        ("a.#.c", ["a.c", "a.b.c", "a.x.y.c"]),
        ("*.#", KEYS[1:]),
        ("#.*", KEYS[1:]),
        ("*.*", ["a.b", "a.c", ".", "a.", ".a", "A.b"]),
        ("*.*.*", ["a.b.c", "a..b", "a.x.b", ".."]),
        (".*", [".", ".a"]),
        ("a.#.#.b", ["a.b", "a..b", "a.x.b"]),
        ("a*", []),
        ("", [""]),
        ("..", [".."]),
    ],
)
def test_topic_pattern_matches(
    channel: Channel, queue: str, unique: Unique, pattern: str, expected: list[str]
) -> None:
    exchange = channel.declare_exchange(unique("topic"), "topic")
    channel.bind(queue, exchange, pattern)

    channel.publish_under_each(exchange, KEYS)

    assert expected == [body.decode() for body in channel.get_bodies(queue)]


def test_topic_bindings_are_unbound_one_by_one(
    channel: Channel, queue: str, unique: Unique
) -> None:
    exchange = channel.declare_exchange(unique("topic"), "topic")
    channel.bind(queue, exchange, "a.*")
    channel.bind(queue, exchange, "a.#")

    channel.call(QueueUnbindParameters(queue, exchange, "a.#"))
    channel.publish(exchange, "a.b", b"one word")
    channel.publish(exchange, "a.b.c", b"two words")

    assert [b"one word"] == channel.get_bodies(queue)


@pytest.mark.rabbitmq_version("<4.3")
def test_binding_key_may_have_any_number_of_wildcards_before_4_3(
    channel: Channel, queue: str
) -> None:
    channel.bind(queue, "amq.topic", "#.a.#.b.#.c.#")


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize(
    ("bind", "ids"),
    [
        (QueueBindParameters(exchange_name="amq.topic"), (50, 20)),
        (ExchangeBindParameters("amq.direct", "amq.topic"), (40, 30)),
    ],
)
def test_binding_key_has_two_words_that_match_any_number_at_most_from_4_3_on(
    channel: Channel, queue: str, bind: Any, ids: tuple[int, int]
) -> None:
    """What is inside of a word does not count; unbinding such a key is fine."""
    channel.bind(queue, "amq.topic", "#.a#.#.#b")
    channel.call(QueueUnbindParameters(queue, "amq.topic", "#.a.#.b.#"))

    refused = channel.refusal(with_key(bind, queue, "#.a.#.b.#"))

    text = (
        "PRECONDITION_FAILED - Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are"
        " allowed"
    )
    assert ChannelCloseParameters(406, text, *ids) == refused


def with_key(bind: Any, queue: str, routing_key: str) -> Any:
    is_for_queue = isinstance(bind, QueueBindParameters)
    return bind._replace(routing_key=routing_key, **({"queue_name": queue} if is_for_queue else {}))
