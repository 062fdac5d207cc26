"""The small rooms by themselves: confirms, returns, arguments, exceptions' sentences."""

import importlib
import pickle
from typing import Any

import pytest

from ammoo import exceptions
from ammoo.arguments import binding, consume_arguments, exchange_arguments, queue_arguments
from ammoo.exceptions.base import OperationTimeout
from ammoo.exceptions.channel import (
    AccessRefused,
    ChannelUnanswered,
    ContentTooLarge,
    EmptyQueue,
    NotFound,
    PreconditionFailed,
    PublishNack,
    ResourceLocked,
    ServerClosedChannel,
    server_closed_channel,
)
from ammoo.exceptions.connection import (
    ChannelNumberError,
    CommandInvalid,
    ConnectionBlocked,
    ConnectionClosed,
    ConnectionForced,
    ConnectionLost,
    HeartbeatTimeout,
    InternalError,
    InvalidPath,
    LoginRefused,
    MethodNotImplemented,
    NotAllowed,
    ResourceError,
    ServerClosedConnection,
    TooManyChannels,
    server_closed_connection,
)
from ammoo.exceptions.consumer import ServerCancelledConsumer
from ammoo.live.confirms import Confirms

# --- confirms ---


def settled(confirms: Confirms[str], number: int, multiple: bool = False) -> str:
    return "".join(token for _, token in confirms.settle(number, multiple))


@pytest.fixture
def confirms() -> Confirms[str]:
    confirms: Confirms[str] = Confirms()
    for token in "abcdef":
        confirms.add(token)
    return confirms


def test_confirms_number_from_one(confirms: Confirms[str]) -> None:
    assert 7 == confirms.add("g")
    assert 8 == confirms.next_number
    assert 7 == len(confirms)


def test_confirms_settle_in_any_order(confirms: Confirms[str]) -> None:
    assert "d" == settled(confirms, 4)
    assert "a" == settled(confirms, 1)
    assert "bce" == settled(confirms, 5, multiple=True)
    assert "" == settled(confirms, 3, multiple=True)
    assert "f" == settled(confirms, 0, multiple=True)
    assert 0 == len(confirms)


def test_confirms_that_repeat_settle_nothing(confirms: Confirms[str]) -> None:
    assert "b" == settled(confirms, 2)
    assert "" == settled(confirms, 2)


@pytest.mark.parametrize(("number", "multiple"), [(7, False), (7, True), (0, False), (-1, True)])
def test_confirms_refuse_what_was_not_sent(
    confirms: Confirms[str], number: int, multiple: bool
) -> None:
    with pytest.raises(ValueError, match="6 were sent"):
        confirms.settle(number, multiple)


def test_confirms_can_be_emptied(confirms: Confirms[str]) -> None:
    assert confirms.take_all() == list("abcdef")
    assert "" == settled(confirms, 6, multiple=True)


# --- arguments ---


def test_queue_arguments_have_their_keys() -> None:
    assert {
        "x-own": 1,
        "x-message-ttl": 1,
        "x-expires": 5,
        "x-max-length": 2,
        "x-max-length-bytes": 3,
        "x-dead-letter-exchange": "dlx",
        "x-dead-letter-routing-key": "key",
        "x-max-priority": 4,
        "x-queue-type": "quorum",
        "x-delivery-limit": 6,
        "x-overflow": "reject-publish",
        "x-single-active-consumer": False,
    } == queue_arguments(
        {"x-own": 1, "x-expires": 5},
        ttl=1,
        expires=5,
        max_length=2,
        max_length_bytes=3,
        dead_letter_exchange="dlx",
        dead_letter_routing_key="key",
        max_priority=4,
        queue_type="quorum",
        delivery_limit=6,
        overflow="reject-publish",
        single_active_consumer=False,
    )
    assert {} == queue_arguments(None, ttl=None)


def test_arguments_given_twice_must_agree() -> None:
    with pytest.raises(ValueError, match="'x-message-ttl' is 1 in arguments, and 2"):
        queue_arguments({"x-message-ttl": 1}, ttl=2)


def test_other_arguments() -> None:
    assert {} == exchange_arguments(None, None)
    assert {"a": 1, "alternate-exchange": "ae"} == exchange_arguments({"a": 1}, "ae")
    assert {"x-priority": 5, "x-stream-offset": "first"} == consume_arguments(None, 5, "first")
    assert {"a": 1} == consume_arguments({"a": 1}, None, None)


def test_binding() -> None:
    assert ("key", {"a": 1}) == binding("key", {"a": 1})
    assert ("", {"x-match": "any", "a": 1}) == binding({"x-match": "any"}, {"a": 1})
    with pytest.raises(TypeError, match="routing_key is 5"):
        binding(5)  # type: ignore[arg-type]  # the mistake is the point


# --- exceptions ---


@pytest.mark.parametrize("room", ["base", "channel", "connection", "consumer"])
def test_exceptions_are_all_in_one_place_too(room: str) -> None:
    module = importlib.import_module(f"ammoo.exceptions.{room}")
    classes = [name for name in module.__all__ if isinstance(getattr(module, name), type)]

    assert classes
    assert [getattr(module, name) for name in classes] == [
        getattr(exceptions, name) for name in classes
    ]
    assert set() == set(classes) - set(exceptions.__all__)


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (311, ContentTooLarge),
        (403, AccessRefused),
        (404, NotFound),
        (405, ResourceLocked),
        (406, PreconditionFailed),
        (399, ServerClosedChannel),
    ],
)
def test_channel_errors_by_code(code: int, cls: type) -> None:
    assert type(server_closed_channel(code, "TEXT", 0, 0, 3)) is cls
    assert issubclass(cls, ServerClosedChannel)


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (320, ConnectionForced),
        (402, InvalidPath),
        (403, LoginRefused),
        (503, CommandInvalid),
        (504, ChannelNumberError),
        (506, ResourceError),
        (530, NotAllowed),
        (540, MethodNotImplemented),
        (541, InternalError),
        (501, ServerClosedConnection),
    ],
)
def test_connection_errors_by_code(code: int, cls: type) -> None:
    assert type(server_closed_connection(code, "TEXT", 0, 0)) is cls
    assert issubclass(cls, ServerClosedConnection)
    assert issubclass(cls, ConnectionClosed)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            server_closed_channel(404, "NOT_FOUND - no queue 'q' in vhost '/'", 50, 10, 3),
            (
                "channel 3 was closed by the server: NOT_FOUND - no queue 'q' in vhost '/'"
                " (404, answering queue.declare); declare it first, and check its name and the"
                " virtual host"
            ),
        ),
        (
            server_closed_channel(399, "ODD", 0, 0),
            "the channel was closed by the server: ODD (399)",
        ),
        (
            server_closed_connection(
                541,
                "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.",
                50,
                10,
            ),
            (
                "the connection was closed by the server: INTERNAL_ERROR - Feature"
                " `transient_nonexcl_queues` is deprecated. (541, answering queue.declare); this"
                " RabbitMQ does not support queues that are neither durable nor exclusive: pass"
                " durable=True (or exclusive=True) to declare_queue"
            ),
        ),
        (
            ConnectionLost(None),
            (
                "the server closed the socket without closing the AMQP connection; its log may say"
                " why"
            ),
        ),
        (
            ConnectionLost(OSError("x")),
            "the connection to the server was lost: OSError('x')",
        ),
        (EmptyQueue("q"), "queue 'q' has no message to get"),
        (
            ChannelUnanswered(OperationTimeout("queue.declare", 60)),
            (
                "the channel was closed by the client: the server did not answer queue.declare"
                " within 60 s, so operations behind it would wait for ever; open another"
                " channel, or connect again"
            ),
        ),
    ],
)
def test_sentences(error: Exception, sentence: str) -> None:
    assert sentence == str(error)


@pytest.mark.parametrize(
    "error",
    [
        server_closed_channel(404, "NOT_FOUND", 50, 10),
        server_closed_connection(403, "ACCESS_REFUSED", 0, 0, "PLAIN"),
        HeartbeatTimeout(4),
        OperationTimeout("queue.declare", 1.5),
        ConnectionBlocked("low on memory", 2),
        TooManyChannels(3),
        PublishNack(7),
        ServerCancelledConsumer("tag", "queue"),
    ],
)
def test_exceptions_survive_pickling(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))


@pytest.mark.parametrize(
    ("error", "recoverable"),
    [
        (ConnectionLost(), True),
        (server_closed_connection(320, "", 0, 0), True),
        (server_closed_connection(403, "", 0, 0), False),
        (server_closed_channel(404, "", 0, 0), False),
        (server_closed_channel(405, "", 0, 0), True),
        (ChannelUnanswered(OperationTimeout("queue.declare", 60)), True),
    ],
)
def test_errors_say_whether_trying_again_may_help(error: Any, recoverable: bool) -> None:
    assert error.recoverable is recoverable
