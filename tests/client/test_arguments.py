"""The named arguments of declarations, put together with a table of the caller's."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import ammoo
from ammoo.arguments import binding, consume_arguments, exchange_arguments, queue_arguments
from ammoo_wire import BasicQosOkParameters, BasicQosParameters
from tests.client.script import ScriptedPeer


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        ({"queue_type": "qourum"}, ValueError, "'qourum'; expected classic, quorum or stream"),
        ({"queue_type": 1}, ValueError, "queue_type is 1"),
        ({"overflow": "drop-haed"}, ValueError, "drop-head, reject-publish or reject-publish-dlx"),
        ({"ttl": "1"}, TypeError, "expected milliseconds as an int, or a timedelta"),
        ({"expires": 1.5}, TypeError, "expires is 1.5; expected milliseconds"),
        ({"ttl": float("nan")}, TypeError, "ttl is nan"),
        ({"ttl": True}, TypeError, "ttl is True"),
        ({"max_length": Decimal("sNaN")}, TypeError, "max_length is"),
        ({"max_length_bytes": "1"}, TypeError, "expected an int"),
        ({"max_priority": object()}, TypeError, "max_priority"),
        ({"delivery_limit": None, "max_length": [1]}, TypeError, "max_length"),
        ({"dead_letter_exchange": b"x"}, TypeError, "expected a str"),
        ({"dead_letter_routing_key": 1}, TypeError, "expected a str"),
        ({"single_active_consumer": 1}, TypeError, "expected True or False"),
    ],
)
def test_named_argument_that_no_server_takes(
    named: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        queue_arguments(None, **named)


@pytest.mark.parametrize(
    "use",
    [
        queue_arguments,
        lambda arguments: exchange_arguments(arguments, None),
        lambda arguments: consume_arguments(arguments, None, None),
        lambda arguments: binding("key", arguments),
        lambda arguments: binding({"x-match": "any"}, arguments),
    ],
)
@pytest.mark.parametrize("arguments", [["x-expires"], "x-expires", 1])
def test_table_that_is_no_mapping(use: Callable[[Any], object], arguments: object) -> None:
    with pytest.raises(TypeError, match=r"arguments is .*; expected a mapping of str to field"):
        use(arguments)


def test_times_of_a_queue_may_be_timedeltas() -> None:
    table = queue_arguments(None, ttl=timedelta(minutes=1), expires=timedelta(microseconds=2500))

    assert {"x-message-ttl": 60_000, "x-expires": 2} == table


def test_other_types_of_queues_go_into_the_table() -> None:
    assert {"x-queue-type": "plugin"} == queue_arguments({"x-queue-type": "plugin"})


@pytest.mark.parametrize("value", [1, "first", 1.5, [1, {"a": None}], Decimal("1.5")])
def test_same_value_may_be_given_twice(value: Any) -> None:
    assert {"x-stream-offset": value} == consume_arguments({"x-stream-offset": value}, None, value)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, True), (1, 1.0), ("1", 1)])
def test_two_values_are_refused(one: Any, other: Any) -> None:
    with pytest.raises(ValueError, match="in arguments, and"):
        consume_arguments({"x-priority": one}, other, None)


@pytest.mark.parametrize("keywords", [{}, {"global_": True}])
async def test_number_of_messages_that_is_given_as_octets(
    channel: ammoo.Channel, peer: ScriptedPeer, keywords: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"write qos\(prefetch_count=10\)"):
        await channel.qos(10, **keywords)

    await peer.synchronise(channel)


@pytest.mark.parametrize(
    ("given", "keywords", "sent"),
    [
        ((), {"prefetch_size": 10}, (10, 0, False)),
        ((10, 5), {}, (10, 5, False)),
        ((10,), {"prefetch_count": 5}, (10, 5, False)),
        ((0,), {}, (0, 0, False)),
        ((0, 5, True), {}, (0, 5, True)),
    ],
)
async def test_other_limits_go_to_the_server(
    channel: ammoo.Channel,
    peer: ScriptedPeer,
    given: tuple[Any, ...],
    keywords: dict[str, Any],
    sent: tuple[int, int, bool],
) -> None:
    limiting = asyncio.create_task(channel.qos(*given, **keywords))

    assert sent == await peer.expect(BasicQosParameters)
    peer.send(BasicQosOkParameters())
    await limiting
