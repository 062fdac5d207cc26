# pyright: strict
"""What type checkers see of the public interface; this file itself is checked by mypy and pyright."""

import asyncio
import inspect
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any, assert_type, get_args, get_type_hints
from uuid import UUID

import pytest

import ammoo
import ammoo.auth.abc
import ammoo.auth.mechanisms.amqplain
import ammoo.auth.mechanisms.external
import ammoo.auth.mechanisms.sasl_plain
import ammoo.auth.password
import ammoo.exceptions.base
import ammoo.exceptions.channel
import ammoo.exceptions.connection
import ammoo.exceptions.consumer
from ammoo.consumer import Consumer
from ammoo.parameters import ConnectionParameters
from ammoo.publisher import Confirmation, Publisher
from ammoo.rpc.caller import Rpc
from ammoo.rpc.server import RequestHandler, RpcServer
from ammoo.topology_records import Entity
from ammoo.wire.frames.header import BasicHeaderProperties
from ammoo.wire.frames.method.queue import QueueDeclareOkParameters
from ammoo.workers.batches import Batches
from ammoo.workers.drain import Drain, Flushable
from ammoo.workers.run import Handler, Key, Run
from ammoo_wire import FieldTable, FieldValue

MODULES = [
    ammoo,
    ammoo.auth.abc,
    ammoo.auth.mechanisms.amqplain,
    ammoo.auth.mechanisms.external,
    ammoo.auth.mechanisms.sasl_plain,
    ammoo.auth.password,
    ammoo.exceptions.base,
    ammoo.exceptions.channel,
    ammoo.exceptions.connection,
    ammoo.exceptions.consumer,
]

# What the modules import for type checkers only.
NAMES = {
    "ConnectionParameters": ConnectionParameters,
    "Connection": ammoo.Connection,
    "Channel": ammoo.Channel,
    "Consumer": Consumer,
    "Entity": Entity,
    "Batches": Batches,
    "Drain": Drain,
    "Flushable": Flushable,
    "Handler": Handler,
    "Key": Key,
    "Run": Run,
    "Rpc": Rpc,
    "RequestHandler": RequestHandler,
    "RpcServer": RpcServer,
    "ReturnMessage": ammoo.ReturnMessage,
    "FieldValue": FieldValue,
    "Publisher": Publisher,
    "UUID": UUID,
    "datetime": datetime,
    "timedelta": timedelta,
    "Decimal": Decimal,
}


def public_functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Go through everything with annotations that a module shows."""
    for name in module.__all__:
        shown = getattr(module, name)
        if inspect.isfunction(shown):
            yield name, shown
        elif inspect.isclass(shown):
            yield name, shown
            for attribute, value in inspect.getmembers_static(shown):
                if attribute.startswith("_") and attribute not in ("__init__", "__aenter__"):
                    continue
                function = getattr(value, "fget", None) or getattr(value, "__func__", value)
                if inspect.isfunction(function) and function.__module__.startswith("ammoo."):
                    yield f"{name}.{attribute}", function


def holds_any(hint: object) -> bool:
    """Whether a type is Any, or made of it; field tables may be."""
    return hint is Any or (hint != FieldTable and any(map(holds_any, get_args(hint))))


PUBLIC = {
    f"{module.__name__}.{name}": shown
    for module in MODULES
    for name, shown in public_functions(module)
    if not name.endswith(
        ".json"
    )  # nothing is known of it, and a cast at each use would help little
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_interface_holds_no_any(name: str) -> None:
    hints = get_type_hints(PUBLIC[name], localns=NAMES)

    assert [] == [
        each for each, hint in hints.items() if holds_any(hint) and not each.startswith("_")
    ]


def test_json_is_any_as_in_the_standard_library() -> None:
    assert Any is get_type_hints(ammoo.Message.json)["return"]


def test_public_interface_is_looked_at_whole() -> None:
    assert {"ammoo.connect", "ammoo.Channel.publish", "ammoo.Message.properties"} <= set(PUBLIC)
    assert holds_any(list[dict[str, Any | None]])
    assert holds_any(Any)
    assert not holds_any(FieldTable)
    assert not holds_any(list[FieldTable] | None)


# --- a program of a user's ---


async def use_everything(url: str, done: list[str]) -> None:
    async with await ammoo.connect(url, heartbeat_interval=30, ssl=False) as connection:
        assert_type(connection, ammoo.Connection)
        assert_type(connection.closing_exc, Exception | None)
        assert_type(connection.blocked, str | None)
        connection.add_blocked_callback(lambda reason: done.append(reason or "again"))
        async with connection.channel(prefetch_count=5) as channel:
            assert_type(channel, ammoo.Channel)
            declared = await channel.declare_queue(
                "", exclusive=True, arguments={"x-max-length": 9}
            )
            assert_type(declared, QueueDeclareOkParameters)
            assert_type(declared.message_count, int)
            await channel.select_confirm()
            await channel.publish("", declared.queue_name, "text", headers={"a": [1, {"b": None}]})
            await channel.publish("amq.headers", {"k": 1}, json={"key": [1, 2.5, None]})
            await asyncio.gather(
                *(channel.publish("", declared.queue_name, b"octets", cc=["a"]) for _ in range(2))
            )
            message = await channel.get(declared.queue_name)
            assert_type(message, ammoo.GetMessage)
            assert_type(message.body, bytearray)
            assert_type(message.properties, BasicHeaderProperties)
            assert_type(message.properties.headers, FieldTable | None)
            assert_type(message.decode(), str)
            assert_type(message.headers, Mapping[str, FieldValue])
            await message.ack()
            async with channel.publisher(max_in_flight=10) as publisher:
                assert_type(publisher, Publisher)
                confirmation = await publisher.publish("amq.fanout", "", b"octets", persistent=True)
                assert_type(confirmation, Confirmation)
                assert_type(await publisher.publish_many([("amq.fanout", "", "text")]), int)
            await channel.publish("amq.fanout", "", message.body, **message.publish_options)
            async with channel.consume(declared.queue_name, priority=1) as consumer:
                assert_type(consumer, ammoo.Consumer)
                async for delivered in consumer:
                    assert_type(delivered, ammoo.DeliverMessage)
                    assert_type(delivered.delivery_tag, int)
                    await delivered.reject(requeue=False)
                    done.append(delivered.decode())
                    break
            assert_type(await channel.purge_queue(declared.queue_name), int)
            try:
                await channel.get("no such queue")
            except ammoo.EmptyQueue:
                done.append("empty")
            except ammoo.exceptions.channel.NotFound as error:
                assert_type(error.reply_code, int)
                assert_type(error.recoverable, bool)
                done.append(error.reply_text)


async def use_without_blocks(url: str) -> None:
    async with ammoo.connect(url) as connection:
        assert_type(connection, ammoo.Connection)
    another = await (await ammoo.connect(url)).open()
    assert_type(another, ammoo.Connection)
    channel = await another.channel(persistent=True, expiration=timedelta(seconds=1)).open()
    assert_type(channel, ammoo.Channel)
    await channel.close()
    await another.close()


async def only_checked(channel: ammoo.Channel) -> None:
    """Never runs: mypy reports each ignored line in which it finds no error."""
    assert_type((await channel.get("queue")).json()["key"], Any)
    await channel.publish("", "queue", b"body", json=1)  # type: ignore[call-overload]
    await channel.publish("", "queue")  # type: ignore[call-overload]
    await channel.publish("", "queue", b"body", headers={"a": object()})  # type: ignore[dict-item]
    await channel.publish("", {"a": object()}, b"body")  # type: ignore[dict-item]
    channel.publish_nowait("", "queue", b"body", json=1)  # type: ignore[call-overload]
    await channel.declare_queue("queue", arguments={"x-max-length": {1}})  # type: ignore[dict-item]
    await channel.bind_queue("queue", "exchange", {"key": range})  # type: ignore[dict-item]
    await ammoo.connect(client_properties={"key": object()})  # type: ignore[dict-item]


async def test_program_that_is_checked_runs(broker_url: str) -> None:
    done: list[str] = []
    await use_everything(broker_url, done)
    await use_without_blocks(broker_url)

    assert ["octets", "NOT_FOUND - no queue 'no such queue' in vhost '/'"] == done
