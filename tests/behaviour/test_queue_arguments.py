"""Arguments of queue.declare: which are legal, and when two declarations are the same.

RabbitMQ: https://www.rabbitmq.com/docs/queues#optional-arguments
"""

from typing import Any

import pytest

from ammoo_wire import (
    ChannelCloseParameters,
    Float32,
    Int8,
    Int16,
    Int64,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    UInt8,
    UInt16,
    UInt32,
)
from tests.support.brokers import Broker, Unique
from tests.support.channel import Channel


def refusal_text(channel: Channel, name: str, arguments: dict[str, Any], **flags: Any) -> str:
    """Declare a queue in vain; give the reason, with NAME in place of the queue's name."""
    declare = QueueDeclareParameters(name, arguments=arguments)._replace(**flags)
    refused = channel.refusal(declare)
    assert refused == ChannelCloseParameters(406, refused.reply_text, 50, 10)
    return refused.reply_text.replace(name, "NAME")


# --- what is legal ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-message-ttl": 0},
        {"x-message-ttl": 4294967295},
        {"x-expires": 60_000},
        {"x-max-length": 0},
        {"x-max-length-bytes": 0},
        {"x-max-priority": 0},
        {"x-max-priority": 255},
        {"x-overflow": "drop-head"},
        {"x-overflow": "reject-publish"},
        {"x-overflow": "reject-publish-dlx"},
        {"x-dead-letter-exchange": "no such exchange"},
        {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "key"},
        {"x-queue-mode": "default"},
        {"x-queue-mode": "lazy"},
        {"x-queue-type": "classic"},
        {"x-queue-version": 2},
        {"x-single-active-consumer": True},
        {"x-anything-else": "whatever"},
        {"anything": {"nested": [1, 2.5, None, True]}},
    ],
    ids=str,
)
def test_legal_argument(channel: Channel, unique: Unique, arguments: dict[str, Any]) -> None:
    name = unique("q")

    declared = channel.call(QueueDeclareParameters(name, arguments=arguments))

    assert name == declared.queue_name


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({"x-message-ttl": -1}, "{value_negative,-1}"),
        ({"x-message-ttl": "1000"}, '"expected integer, got longstr"'),
        ({"x-message-ttl": 1000.0}, '"expected integer, got double"'),
        ({"x-expires": 0}, "{value_zero,0}"),
        ({"x-expires": -1}, "{value_negative,-1}"),
        ({"x-expires": True}, '"expected integer, got bool"'),
        ({"x-max-length": -1}, "{value_negative,-1}"),
        ({"x-max-length": "1"}, '"expected integer, got longstr"'),
        ({"x-max-length-bytes": -5}, "{value_negative,-5}"),
        ({"x-max-priority": 256}, "{max_value_exceeded,256}"),
        ({"x-max-priority": -1}, "{value_negative,-1}"),
        ({"x-max-priority": "9"}, '"expected integer, got longstr"'),
        ({"x-overflow": "foo"}, "invalid_overflow"),
        ({"x-dead-letter-routing-key": "key"}, "routing_key_but_no_dlx_defined"),
        ({"x-queue-version": 3}, "\"unsupported queue version '3'\""),
        ({"x-single-active-consumer": "true"}, "{unacceptable_type,longstr}"),
    ],
    ids=str,
)
def test_illegal_argument(
    channel: Channel, unique: Unique, arguments: dict[str, Any], detail: str
) -> None:
    (argument,) = arguments

    text = refusal_text(channel, unique("q"), arguments)

    assert (
        f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'NAME' in vhost '/': {detail}"
        == text
    )


@pytest.mark.rabbitmq_version("<4.3")
def test_illegal_queue_mode(channel: Channel, unique: Unique) -> None:
    text = refusal_text(channel, unique("q"), {"x-queue-mode": "foo"})

    assert (
        "PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'NAME' in vhost '/':"
        " \"unsupported queue mode 'foo'\"" == text
    )


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("mode", ["foo", 5])
def test_queue_mode_may_be_anything_from_4_3_on(
    channel: Channel, unique: Unique, mode: Any
) -> None:
    """It does nothing, but is compared."""
    name = channel.declare_queue(unique("q"), x_queue_mode=mode)

    assert "inequivalent arg 'x-queue-mode'" in refusal_text(channel, name, {})


@pytest.mark.rabbitmq_version("<4.3")
def test_queue_version_1_is_legal_before_4_3(channel: Channel, unique: Unique) -> None:
    assert channel.declare_queue(unique("q"), x_queue_version=1)


@pytest.mark.rabbitmq_version(">=4.3")
def test_queue_version_1_is_unsupported_from_4_3_on(channel: Channel, unique: Unique) -> None:
    text = refusal_text(channel, unique("q"), {"x-queue-version": 1})

    assert (
        "PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'NAME' in vhost '/':"
        " \"unsupported queue version '1'\"" == text
    )


@pytest.mark.rabbitmq_version(">=4.3")
def test_empty_queue_type_is_classic_from_4_3_on(channel: Channel, unique: Unique) -> None:
    """It is another word for it, though: the two are not the same to a second declaration."""
    name = channel.declare_queue(unique("q"), x_queue_type="")

    assert name == channel.declare_queue(name, x_queue_type="")
    assert refusal_text(channel, name, {}).endswith("received 'classic' but current is ''")


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("locator", ["random", "min-masters", 5])
def test_master_locator_costs_the_connection_from_4_3_on(
    channel: Channel, unique: Unique, locator: Any
) -> None:
    """Feature by feature, RabbitMQ refuses what is deprecated by an internal error."""
    arguments = {"x-queue-master-locator": locator}

    refused = channel.fatal(QueueDeclareParameters(unique("q"), arguments=arguments))

    assert (541, 50, 10) == (refused.reply_code, refused.class_id, refused.method_id)
    assert refused.reply_text == (
        "INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.\n"
        "By default, this feature is not permitted anymore.\n"
        "The feature will be removed from a future major RabbitMQ version, regardless of the"
        " configuration; actual version to be determined.\nTo con..."
    )


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize(
    "argument",
    [
        "x-consumer-timeout",
        "x-consumer-disconnected-timeout",
        "x-delayed-retry-type",
        "x-delayed-retry-min",
        "x-delayed-retry-max",
    ],
)
@pytest.mark.parametrize("queue_type", ["classic", "stream"])
def test_argument_of_quorum_queues_is_refused_by_others_from_4_3_on(
    channel: Channel, unique: Unique, queue_type: str, argument: str
) -> None:
    arguments = {"x-queue-type": queue_type, argument: 1000}

    text = refusal_text(channel, unique("q"), arguments, durable=True)

    assert (
        f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'NAME' in vhost '/'"
        f" of queue type rabbit_{queue_type}_queue" == text
    )


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize("argument", ["x-consumer-timeout", "x-consumer-disconnected-timeout"])
@pytest.mark.parametrize(
    ("value", "detail"),
    [(-1, "{value_negative,-1}"), ("1", '"expected integer, got longstr"')],
)
def test_illegal_timeout_of_a_quorum_queue(
    channel: Channel, unique: Unique, argument: str, value: Any, detail: str
) -> None:
    arguments = {"x-queue-type": "quorum", argument: value}

    text = refusal_text(channel, unique("q"), arguments, durable=True)

    assert text.endswith(f"'{argument}' for queue 'NAME' in vhost '/': {detail}")


@pytest.mark.rabbitmq_version(">=4.3")
@pytest.mark.parametrize(
    ("argument", "value", "other"),
    [
        ("x-consumer-timeout", 60_000, 50_000),
        ("x-consumer-disconnected-timeout", 60_000, 50_000),
        ("x-delayed-retry-type", "all", 5),
        ("x-delayed-retry-min", 1000, "1000"),
        ("x-delayed-retry-max", 1000, 2000),
    ],
)
def test_new_argument_of_a_quorum_queue_is_compared(
    channel: Channel, unique: Unique, argument: str, value: Any, other: Any
) -> None:
    """Those about delayed retries are not even checked."""
    arguments = {"x-queue-type": "quorum", argument: value}
    name = unique("q")
    channel.call(QueueDeclareParameters(name, durable=True, arguments=arguments))

    text = refusal_text(channel, name, arguments | {argument: other}, durable=True)

    assert f"inequivalent arg '{argument}'" in text


def test_illegal_queue_type(channel: Channel, unique: Unique) -> None:
    text = refusal_text(channel, unique("q"), {"x-queue-type": "foo"})

    assert (
        "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'NAME' in vhost '/':"
        " \"unsupported queue type 'foo'\"" == text
    )


def test_dead_letter_exchange_must_be_a_string(channel: Channel, unique: Unique) -> None:
    text = refusal_text(channel, unique("q"), {"x-dead-letter-exchange": 5})

    assert (
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange'"
        " in queue 'NAME' in vhost '/'" == text
    )


def test_illegal_leader_locator(broker: Broker, channel: Channel, unique: Unique) -> None:
    text = refusal_text(channel, unique("q"), {"x-queue-leader-locator": "foo"})

    detail = broker.value_of(
        {
            "3.10": " of queue type rabbit_classic_queue",
            "4.0": ": invalid_queue_locator_arg",
        }
    )
    assert (
        "PRECONDITION_FAILED - invalid arg 'x-queue-leader-locator' for queue 'NAME'"
        f" in vhost '/'{detail}" == text
    )


def test_first_of_two_foreign_arguments_is_named(
    broker: Broker, channel: Channel, unique: Unique
) -> None:
    """A release that adds x-queue-type to the arguments sorts them."""
    arguments = {"x-quorum-initial-group-size": 1, "x-delivery-limit": 1}

    text = refusal_text(channel, unique("q"), arguments)

    named = broker.value_of({"3.10": "x-quorum-initial-group-size", "4.0": "x-delivery-limit"})
    assert (
        f"PRECONDITION_FAILED - invalid arg '{named}' for queue 'NAME' in vhost '/'"
        " of queue type rabbit_classic_queue" == text
    )


@pytest.mark.rabbitmq_version(">=4.0")
@pytest.mark.parametrize("queue_type", ["classic", "quorum", "stream"])
def test_leader_may_be_located_by_the_least_masters(
    channel: Channel, unique: Unique, queue_type: str
) -> None:
    """The word is older than leaders, and stayed."""
    name = unique("q")

    assert name == channel.declare_queue(
        name, durable=True, x_queue_type=queue_type, x_queue_leader_locator="min-masters"
    )


# --- declaring again --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"x-message-ttl": 1000}, {"x-message-ttl": Int64(1000)}),
        ({"x-message-ttl": Int16(1000)}, {"x-message-ttl": UInt32(1000)}),
        ({"x-max-length": Int8(9)}, {"x-max-length": UInt8(9)}),
        ({"x-queue-type": "classic"}, {}),
        ({}, {"x-queue-type": "classic"}),
        ({"x-foo": 1}, {"x-foo": 2}),
        ({}, {"x-consumer-timeout": 60_000}),
        ({"x-overflow": "drop-head"}, {"x-overflow": "drop-head"}),
    ],
    ids=str,
)
def test_declarations_are_equivalent(
    channel: Channel, unique: Unique, first: dict[str, Any], second: dict[str, Any]
) -> None:
    name = unique("q")
    channel.call(QueueDeclareParameters(name, arguments=first))

    declared = channel.call(QueueDeclareParameters(name, arguments=second))

    assert name == declared.queue_name


@pytest.mark.parametrize(
    ("first", "second", "argument", "difference"),
    [
        (
            {},
            {"x-message-ttl": 1000},
            "x-message-ttl",
            "received the value '1000' of type 'signedint' but current is none",
        ),
        (
            {"x-message-ttl": 1000},
            {},
            "x-message-ttl",
            "received none but current is the value '1000' of type 'signedint'",
        ),
        (
            {"x-message-ttl": 1000},
            {"x-message-ttl": 2000},
            "x-message-ttl",
            "received '2000' but current is '1000'",
        ),
        (
            {"x-message-ttl": 1000},
            {"x-message-ttl": Int64(2000)},
            "x-message-ttl",
            "received '2000' but current is '1000'",
        ),
        (
            {"x-overflow": "drop-head"},
            {"x-overflow": "reject-publish"},
            "x-overflow",
            "received 'reject-publish' but current is 'drop-head'",
        ),
        (
            {},
            {"x-dead-letter-exchange": "dlx"},
            "x-dead-letter-exchange",
            "received the value 'dlx' of type 'longstr' but current is none",
        ),
        (
            {},
            {"x-single-active-consumer": True},
            "x-single-active-consumer",
            "received the value 'true' of type 'bool' but current is none",
        ),
        (
            {},
            {"x-max-priority": UInt8(5)},
            "x-max-priority",
            "received the value '5' of type 'unsignedbyte' but current is none",
        ),
        (
            {},
            {"x-max-length": UInt16(5)},
            "x-max-length",
            "received the value '5' of type 'unsignedshort' but current is none",
        ),
        (
            {},
            {"x-max-length": Int8(5)},
            "x-max-length",
            "received the value '5' of type 'byte' but current is none",
        ),
        (
            {},
            {"x-max-length": Int16(5)},
            "x-max-length",
            "received the value '5' of type 'short' but current is none",
        ),
        (
            {},
            {"x-max-length": UInt32(5)},
            "x-max-length",
            "received the value '5' of type 'unsignedint' but current is none",
        ),
        (
            {},
            {"x-max-length": Int64(5)},
            "x-max-length",
            "received the value '5' of type 'long' but current is none",
        ),
    ],
)
def test_declarations_differ_in_an_argument(
    channel: Channel,
    unique: Unique,
    first: dict[str, Any],
    second: dict[str, Any],
    argument: str,
    difference: str,
) -> None:
    name = unique("q")
    channel.call(QueueDeclareParameters(name, arguments=first))

    text = refusal_text(channel, name, second)

    assert (
        f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'NAME' in vhost '/':"
        f" {difference}" == text
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1000.0, "the value '1.0e3' of type 'double'"),
        (Float32(0.5), "the value '0.5' of type 'float'"),
        ("text", "the value 'text' of type 'longstr'"),
        (True, "the value 'true' of type 'bool'"),
        (b"octets", "the value 'octets' of type 'binary'"),
        (None, "the value 'undefined' of type 'void'"),
    ],
)
def test_difference_is_found_before_the_new_value_is_judged(
    channel: Channel, queue: str, value: Any, shown: str
) -> None:
    """A queue that exists is only compared with; its arguments were judged when it was made."""
    text = refusal_text(channel, queue, {"x-message-ttl": value})

    assert (
        "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'NAME' in vhost '/':"
        f" received {shown} but current is none" == text
    )


COMPARED = {
    "x-expires": 60_000,
    "x-message-ttl": 60_000,
    "x-dead-letter-exchange": "dlx",
    "x-dead-letter-routing-key": "key",
    "x-max-length": 5,
    "x-max-length-bytes": 5,
    "x-max-priority": 5,
    "x-overflow": "drop-head",
    "x-queue-mode": "lazy",
    "x-single-active-consumer": True,
}


@pytest.mark.parametrize("position", range(len(COMPARED)), ids=list(COMPARED))
def test_arguments_are_compared_in_an_order_of_their_own(
    channel: Channel, queue: str, position: int
) -> None:
    arguments = dict(reversed(list(COMPARED.items())[position:]))

    text = refusal_text(channel, queue, arguments)

    assert f"inequivalent arg '{list(COMPARED)[position]}' for queue" in text


@pytest.mark.parametrize(
    ("queue_type", "arguments", "first"),
    [
        ("quorum", {"x-message-ttl": 60_000, "x-delivery-limit": 3}, "x-delivery-limit"),
        ("quorum", {"x-expires": 60_000, "x-dead-letter-exchange": ""}, "x-dead-letter-exchange"),
        ("stream", {"x-initial-cluster-size": 1, "x-max-age": "1D"}, "x-max-age"),
    ],
)
def test_each_type_of_queue_has_its_order(
    channel: Channel, unique: Unique, queue_type: str, arguments: dict[str, Any], first: str
) -> None:
    name = channel.declare_queue(unique("q"), durable=True, x_queue_type=queue_type)

    text = refusal_text(channel, name, {"x-queue-type": queue_type, **arguments}, durable=True)

    assert f"inequivalent arg '{first}' for queue" in text


@pytest.mark.parametrize(
    ("queue_type", "arguments"),
    [
        ("classic", {"x-delivery-limit": 3, "x-max-age": "1D", "x-initial-cluster-size": 0}),
        ("quorum", {"x-max-priority": -1, "x-queue-mode": "lazy"}),
        ("stream", {"x-expires": -1, "x-dead-letter-routing-key": 5}),
    ],
)
def test_arguments_of_other_types_of_queue_are_not_compared(
    channel: Channel, unique: Unique, queue_type: str, arguments: dict[str, Any]
) -> None:
    """They would be refused, were the queue not there."""
    name = channel.declare_queue(unique("q"), durable=True, x_queue_type=queue_type)

    again = QueueDeclareParameters(
        name, durable=True, arguments={"x-queue-type": queue_type, **arguments}
    )

    assert QueueDeclareOkParameters(name, 0, 0) == channel.call(again)


@pytest.mark.parametrize(
    ("queue_type", "described"),
    [
        ([], ("[]", "array")),
        ({}, ("[]", "table")),
        (5, ("5", "signedint")),
        (True, ("true", "bool")),
        (b"x", ("x", "binary")),
        (1.5, ("1.5", "double")),
    ],
    ids=str,
)
def test_queue_type_of_any_type_differs(
    broker: Broker, channel: Channel, unique: Unique, queue_type: Any, described: tuple[str, str]
) -> None:
    """Later releases have x-queue-type among the arguments of each queue."""
    name = channel.declare_queue(unique("q"), durable=True)
    value, type_name = described

    text = refusal_text(channel, name, {"x-queue-type": queue_type}, durable=True)

    before = f"received the value '{value}' of type '{type_name}' but current is none"
    since = f"received '{value}' but current is 'classic'"
    assert (
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'NAME' in vhost '/': "
        + broker.value_of({"3.10": before, "4.0": since})
    ) == (text)


def test_queue_type_differs(broker: Broker, channel: Channel, unique: Unique) -> None:
    name = channel.declare_queue(unique("q"), durable=True)

    text = refusal_text(channel, name, {"x-queue-type": "quorum"}, durable=True)

    difference = broker.value_of(
        {
            "3.10": "received the value 'quorum' of type 'longstr' but current is none",
            "4.0": "received 'quorum' but current is 'classic'",
        }
    )
    assert (
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'NAME' in vhost '/':"
        f" {difference}" == text
    )
