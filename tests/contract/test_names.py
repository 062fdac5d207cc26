"""The documented names, signatures, defaults and field orders, and those of 1.0.0b1 beside them."""

import asyncio
import importlib
import inspect
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

import ammoo
from ammoo.auth.abc import Authentication, AuthenticationMechanism
from ammoo.auth.mechanisms.amqplain import AMQPlainAuth
from ammoo.auth.mechanisms.sasl_plain import SaslPlainAuth
from ammoo.auth.password import PasswordAuthentication
from ammoo.wire.frames.header import BasicHeaderProperties
from ammoo.wire.frames.method.queue import QueueDeclareOkParameters


def _words(text: str) -> list[str]:
    return text.split()


REQUIRED = inspect.Parameter.empty
LEFT_OUT = "left out"  # by a default that is no value of AMQP's

# Each documented function: its parameters in order, and how each may be given.
PARAMETERS: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = {
    ammoo.connect: (
        {"url": None},
        dict.fromkeys(
            _words(
                "host port virtualhost ssl ssl_context heartbeat_interval auth login password"
                " frame_max loop connection_factory"
            )
        ),
    ),
    ammoo.Connection.channel: ({}, {"prefetch_size": None, "prefetch_count": None}),
    ammoo.Channel.consume: (
        {"queue_name": REQUIRED},
        {"no_ack": False, "no_local": False, "exclusive": False, "priority": None},
    ),
    ammoo.Channel.get: ({"queue_name": REQUIRED}, {"no_ack": False}),
    ammoo.Channel.ack: ({"delivery_tag": REQUIRED}, {}),
    ammoo.Channel.reject: ({"delivery_tag": REQUIRED, "requeue": REQUIRED}, {}),
    ammoo.Channel.qos: ({"prefetch_size": 0, "prefetch_count": 0, "global_": False}, {}),
    ammoo.Channel.recover: ({"requeue": REQUIRED}, {}),
    ammoo.Channel.publish: (
        {"exchange_name": REQUIRED, "route": REQUIRED, "body": LEFT_OUT},
        {
            "json": LEFT_OUT,
            "mandatory": False,
            "immediate": False,
            **dict.fromkeys(
                _words(
                    "encoding correlation_id reply_to expiration cc bcc priority delivery_mode"
                    " timestamp content_encoding content_type message_id type_ type user_id app_id"
                )
            ),
        },
    ),
    ammoo.Channel.select_confirm: ({}, {}),
    ammoo.Channel.get_next_returned_message: ({}, {}),
    ammoo.Channel.declare_exchange: (
        {"exchange_name": REQUIRED, "exchange_type": REQUIRED},
        {"durable": False, "auto_delete": False, "alternate_exchange_name": None},
    ),
    ammoo.Channel.delete_exchange: ({"exchange_name": REQUIRED}, {"if_unused": False}),
    ammoo.Channel.assert_exchange_exists: ({"exchange_name": REQUIRED}, {}),
    ammoo.Channel.bind_exchange: (
        {"destination": REQUIRED, "source": REQUIRED, "routing_key": REQUIRED},
        {},
    ),
    ammoo.Channel.declare_queue: (
        {"queue_name": REQUIRED},
        {
            "exclusive": False,
            "durable": False,
            "auto_delete": False,
            **dict.fromkeys(
                _words(
                    "ttl expires max_length max_length_bytes dead_letter_exchange"
                    " dead_letter_routing_key max_priority"
                )
            ),
        },
    ),
    ammoo.Channel.delete_queue: (
        {"queue_name": REQUIRED},
        {"if_unused": False, "if_empty": False},
    ),
    ammoo.Channel.purge_queue: ({"queue_name": REQUIRED}, {}),
    ammoo.Channel.bind_queue: (
        {"queue_name": REQUIRED, "exchange_name": REQUIRED, "routing_key": REQUIRED},
        {},
    ),
    ammoo.Channel.unbind_queue: (
        {"queue_name": REQUIRED, "exchange_name": REQUIRED, "routing_key": REQUIRED},
        {},
    ),
    ammoo.Channel.assert_queue_exists: ({"queue_name": REQUIRED}, {}),
    ammoo.Message.decode: ({"encoding": None}, {}),
    ammoo.Message.json: ({"encoding": None}, {}),
    ammoo.ExpectedMessage.ack: ({}, {}),
    ammoo.ExpectedMessage.reject: ({"requeue": REQUIRED}, {}),
    ammoo.ExpectedMessage.reply: ({"body": LEFT_OUT}, {}),
    PasswordAuthentication: ({"login": REQUIRED, "password": REQUIRED}, {}),
    AMQPlainAuth: ({"login": REQUIRED, "password": REQUIRED}, {}),
    SaslPlainAuth: ({"authcid": REQUIRED, "passwd": REQUIRED, "authzid": None}, {}),
    AuthenticationMechanism.name: ({}, {}),
    AuthenticationMechanism.build_start_ok_response: (
        {"encoding": REQUIRED, "rabbitmq": REQUIRED},
        {},
    ),
    AuthenticationMechanism.challenge: ({"challenge": REQUIRED}, {}),
    Authentication.select_mechanism: ({"server_mechanisms": REQUIRED}, {}),
}


@pytest.mark.parametrize("function", PARAMETERS, ids=lambda f: f.__qualname__)
def test_documented_parameters(function: Any) -> None:
    positional, keyword = PARAMETERS[function]
    actual = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    }

    in_place = [n for n, p in actual.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert list(positional) == in_place[: len(positional)]
    documented = {**positional, **keyword}
    assert set() == set(documented) - set(actual)
    told = {name: default for name, default in documented.items() if default is not LEFT_OUT}
    assert told == {name: actual[name].default for name in told}
    assert [] == [
        name for name in documented.keys() - told.keys() if actual[name].default is REQUIRED
    ]
    added = set(actual) - set(positional) - set(keyword)
    assert [] == [n for n in added if actual[n].default is REQUIRED and actual[n].kind < 3]
    assert {actual[n].kind for n in keyword} <= {inspect.Parameter.KEYWORD_ONLY}


COROUTINES = [
    *(getattr(ammoo.Channel, name) for name in _words("get ack reject qos recover publish select_confirm declare_exchange delete_exchange"
        " assert_exchange_exists bind_exchange declare_queue delete_queue purge_queue bind_queue"
        " unbind_queue assert_queue_exists get_next_returned_message")),
    ammoo.ExpectedMessage.ack,
    ammoo.ExpectedMessage.reject,
    ammoo.ExpectedMessage.reply,
]  # fmt: skip


@pytest.mark.parametrize("function", COROUTINES, ids=lambda f: f.__qualname__)
def test_documented_coroutines_are_such(function: Any) -> None:
    assert inspect.iscoroutinefunction(function)


def test_connect_returns_a_coroutine() -> None:
    """Programs pass it to create_task; it can be entered too, so no async def makes it."""
    connecting = ammoo.connect()

    assert isinstance(connecting, Coroutine)
    assert asyncio.iscoroutine(connecting)
    connecting.close()


ATTRIBUTES: list[tuple[type, type, str]] = [
    (ammoo.Message, object, "body exchange_name routing_key properties decode json"),
    (ammoo.ReturnMessage, ammoo.Message, "reply_code reply_text"),
    (ammoo.ExpectedMessage, ammoo.Message, "delivery_tag redelivered ack reject reply"),
    (ammoo.DeliverMessage, ammoo.ExpectedMessage, "consumer_tag"),
    (ammoo.GetMessage, ammoo.ExpectedMessage, "message_count"),
    (ammoo.Connection, object, "heartbeat_interval frame_max entered closing closing_exc"),
    (ammoo.Channel, object, "channel_id body_encoding entered closing closing_exc"),
    (ammoo.Consumer, object, "closing_exc"),
]


@pytest.mark.parametrize(("cls", "base", "attributes"), ATTRIBUTES)
def test_documented_classes(cls: type, base: type, attributes: str) -> None:
    assert issubclass(cls, base)
    assert [] == [name for name in attributes.split() if not hasattr(cls, name)]


def test_fields_of_named_tuples_are_in_the_documented_order() -> None:
    properties = (
        "content_type content_encoding headers delivery_mode priority correlation_id reply_to"
        " expiration message_id timestamp type_ user_id app_id cluster_id"
    )
    assert BasicHeaderProperties._fields == tuple(properties.split())
    assert ("queue_name", "message_count", "consumer_count") == QueueDeclareOkParameters._fields


REPLY = "reply_code reply_text class_id method_id"
EXCEPTIONS = [
    ("connection", "ConnectionClosed", "", None),
    ("connection", "ConnectionLost", "exc", "ConnectionClosed"),
    ("connection", "ServerClosedConnection", REPLY, "ConnectionClosed"),
    ("connection", "ClientClosedConnection", "", "ConnectionClosed"),
    ("connection", "ClientClosedConnectionOK", "", "ClientClosedConnection"),
    ("connection", "ClientClosedConnectionError", "exc", "ClientClosedConnection"),
    ("connection", "ServerAuthMechanismsNotSupportedError", "", "ConnectionClosed"),
    ("connection", "AuthenticationError", "mechanism", "ConnectionClosed"),
    ("connection", "NoChallengesAuthenticationError", "", "ConnectionClosed"),
    ("connection", "ServerLocalesNotSupportedError", "server_locales", "ConnectionClosed"),
    ("connection", "HeartbeatTimeout", "timeout", "ConnectionClosed"),
    ("connection", "InvalidServerFrame", "parse_exc", "ConnectionClosed"),
    ("connection", "UnexpectedFrame", "frame", "ConnectionClosed"),
    ("channel", "ChannelClosed", "", None),
    ("channel", "ServerClosedChannel", REPLY, "ChannelClosed"),
    ("channel", "ClientClosedChannel", "", "ChannelClosed"),
    ("channel", "ClientClosedChannelOK", "", "ClientClosedChannel"),
    ("channel", "ClientClosedChannelError", "exc", "ClientClosedChannel"),
    ("channel", "EmptyQueue", "", None),
    ("channel", "PublishNack", "", None),
    ("channel", "ChannelInactive", "", None),
    ("consumer", "ConsumerCancelled", "", None),
    ("consumer", "ServerCancelledConsumer", "", "ConsumerCancelled"),
    ("consumer", "ClientCancelledConsumer", "", "ConsumerCancelled"),
    ("consumer", "ClientCancelledConsumerOK", "", "ClientCancelledConsumer"),
    ("consumer", "ClientCancelledConsumerError", "exc", "ClientCancelledConsumer"),
]


@pytest.mark.parametrize(
    ("room", "name", "base"), [(room, name, base) for room, name, _, base in EXCEPTIONS]
)
def test_exceptions_of_1_0_0b1(room: str, name: str, base: str | None) -> None:
    module = importlib.import_module(f"ammoo.exceptions.{room}")
    cls = getattr(module, name)

    assert issubclass(cls, Exception if base is None else getattr(module, base))


@pytest.mark.parametrize(("room", "name", "fields"), [each[:3] for each in EXCEPTIONS if each[2]])
def test_exceptions_with_fields_take_them_first(room: str, name: str, fields: str) -> None:
    cls = getattr(importlib.import_module(f"ammoo.exceptions.{room}"), name)

    parameters = list(inspect.signature(cls).parameters)

    assert fields.split() == parameters[: len(fields.split())]


@pytest.mark.parametrize(
    ("room", "name"), [(room, name) for room, name, fields, _ in EXCEPTIONS if not fields]
)
def test_exceptions_without_fields_are_made_without_arguments(room: str, name: str) -> None:
    error = getattr(importlib.import_module(f"ammoo.exceptions.{room}"), name)()

    assert isinstance(str(error), str)


def test_package_shows_what_1_0_0b1_did() -> None:
    names = (
        "connect Connection Channel Consumer Message ExpectedMessage DeliverMessage GetMessage"
        " ReturnMessage ConnectionClosed ChannelClosed EmptyQueue __version__"
    )
    assert [] == [name for name in names.split() if name not in ammoo.__all__]
    assert [] == [name for name in ammoo.__all__ if not hasattr(ammoo, name)]


def test_import_pulls_in_nothing_that_is_not_needed() -> None:
    code = (
        "import asyncio, sys; before = set(sys.modules); import ammoo;"
        "print(*sorted(n for n in set(sys.modules) - before if not n.startswith('ammoo')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    # Nothing else that asyncio has not; since Python 3.14 it has no typing, since 3.15 no struct.
    needed = {"typing", "struct"}
    assert set(shown.stdout.split()) <= needed | {f"_{name}" for name in needed}


@pytest.mark.parametrize("package", ["ammoo", "ammoo_wire", "ammoo_fakebroker"])
def test_editors_are_offered_what_is_exported(package: str) -> None:
    """Also what is imported when it is first asked for, and no submodule that is imported already."""
    program = f"import {package} as package; assert sorted(package.__all__) == dir(package)"

    subprocess.run([sys.executable, "-c", program], check=True)
