"""What a channel publishes each message with, and values of Python's own types."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

import ammoo
from ammoo_wire import (
    BasicAckParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    EncodeError,
    decode_properties,
)
from tests.client.script import ScriptedPeer
from tests.support.commands import Command

IDENTIFIER = uuid.UUID("12345678-1234-5678-1234-567812345678")


async def published(peer: ScriptedPeer, channel_number: int = 2) -> BasicHeaderProperties:
    """Return the properties of the next publish."""
    command: Command = await peer.expect_command(BasicPublishParameters, channel_number)
    assert command.properties is not None
    return decode_properties(command.properties)


@asynccontextmanager
async def opened(connection: ammoo.Connection, **defaults: Any) -> AsyncIterator[ammoo.Channel]:
    """Open a channel, the second one, with defaults."""
    async with connection.channel(), connection.channel(**defaults) as channel:
        yield channel


async def test_defaults_apply_to_a_message_without_options(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with opened(connection, persistent=True, content_type=True, app_id="shop") as channel:
        await channel.publish("", "q", b"octets")
        await channel.publish("", "q", "text")
        await channel.publish("", "q", json=1)
        channel.publish_nowait("", "q", b"octets")

        kinds = [await published(peer) for _ in range(4)]

    assert [(2, "shop")] * 4 == [(each.delivery_mode, each.app_id) for each in kinds]
    assert [
        "application/octet-stream",
        "text/plain",
        "application/json",
        "application/octet-stream",
    ] == [each.content_type for each in kinds]


@pytest.mark.parametrize(
    ("options", "delivery_mode"),
    [
        ({"priority": 1}, 2),
        ({"persistent": False}, 1),
        ({"delivery_mode": 1}, 1),
        ({"delivery_mode": None}, None),
    ],
)
async def test_options_of_a_message_stand_before_the_defaults(
    connection: ammoo.Connection,
    peer: ScriptedPeer,
    options: dict[str, Any],
    delivery_mode: int | None,
) -> None:
    async with opened(connection, persistent=True) as channel:
        await channel.publish("", "q", b"octets", **options)

        assert delivery_mode == (await published(peer)).delivery_mode


async def test_defaults_apply_to_publishers(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with opened(connection, app_id="shop") as channel, channel.publisher() as publisher:
        await publisher.publish("", "q", b"octets")
        properties = await published(peer)
        peer.send(BasicAckParameters(1, False), channel_number=2)

    assert "shop" == properties.app_id


async def test_defaults_apply_to_replies_but_not_mandatory(
    connection: ammoo.Connection, peer: ScriptedPeer
) -> None:
    async with opened(connection, app_id="shop", mandatory=True) as channel:
        message = ammoo.GetMessage.of(channel._require_live(), None, b"\0\0", bytearray())  # type: ignore[arg-type]  # not read
        await message._origin.reply("replies", b"octets", {})
        command = await peer.expect_command(BasicPublishParameters, 2)

    assert ("", "replies", False, False) == command.parameters
    assert command.properties is not None
    assert "shop" == decode_properties(command.properties).app_id


async def test_mandatory_as_a_default_needs_confirms(connection: ammoo.Connection) -> None:
    async with opened(connection, mandatory=True) as channel:
        with pytest.raises(ValueError, match="confirm mode"):
            await channel.publish("", "q", b"octets")


@pytest.mark.parametrize(
    ("defaults", "error", "words"),
    [
        ({"persistant": True}, TypeError, "persistant"),
        ({"persistent": 2}, TypeError, "persistent is 2; expected True or False"),
        ({"delivery_mode": 3}, ValueError, "delivery_mode is 3"),
        ({"app_id": 1}, EncodeError, "app_id"),
    ],
)
async def test_default_that_no_message_can_have_is_refused(
    connection: ammoo.Connection, defaults: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        connection.channel(**defaults)


@pytest.mark.parametrize(("persistent", "delivery_mode"), [(True, 2), (False, 1), (None, None)])
async def test_persistent_stands_for_a_delivery_mode(
    channel: ammoo.Channel, peer: ScriptedPeer, persistent: bool | None, delivery_mode: int | None
) -> None:
    await channel.publish("", "q", b"octets", persistent=persistent)

    assert delivery_mode == (await published(peer, 1)).delivery_mode


async def test_persistent_and_another_delivery_mode_are_refused(channel: ammoo.Channel) -> None:
    with pytest.raises(TypeError, match="persistent=True is delivery_mode=2; give one of them"):
        await channel.publish("", "q", b"octets", persistent=True, delivery_mode=1)


@pytest.mark.parametrize("body", [b"octets", "text"])
async def test_identifiers_may_be_uuids(
    channel: ammoo.Channel, peer: ScriptedPeer, body: bytes | str
) -> None:
    await channel.publish("", "q", body, message_id=IDENTIFIER, correlation_id=IDENTIFIER)

    properties = await published(peer, 1)
    assert str(IDENTIFIER) == properties.message_id == properties.correlation_id


async def test_other_property_of_a_wrong_type_is_refused(channel: ammoo.Channel) -> None:
    with pytest.raises(EncodeError, match="app_id"):
        await channel.publish("", "q", b"octets", app_id=IDENTIFIER)  # type: ignore[call-overload]  # the test


async def test_expiration_may_be_a_timedelta(channel: ammoo.Channel, peer: ScriptedPeer) -> None:
    await channel.publish("", "q", b"octets", expiration=timedelta(seconds=1.5))

    assert "1500" == (await published(peer, 1)).expiration


async def test_headers_of_a_message_are_a_mapping(
    channel: ammoo.Channel, peer: ScriptedPeer
) -> None:
    plain = ammoo.Message.of(channel._require_live(), None, b"\0\0", bytearray())  # type: ignore[arg-type]  # not read
    await channel.publish("", "q", b"octets", headers={"retries": 3})
    command = await peer.expect_command(BasicPublishParameters)
    assert command.properties is not None
    with_headers = ammoo.Message.of(
        channel._require_live(),
        None,  # type: ignore[arg-type]  # not read
        command.properties,
        bytearray(),
    )

    assert {} == plain.headers
    assert {"retries": 3} == with_headers.headers


async def test_message_is_published_again_as_it_is(
    connection: ammoo.Connection, broker_channel: ammoo.Channel
) -> None:
    del connection
    queue = (await broker_channel.declare_queue("", exclusive=True)).queue_name
    await broker_channel.publish(
        "",
        queue,
        "text",
        content_type=True,
        content_encoding=True,
        headers={"retries": 3},
        persistent=True,
        priority=4,
        correlation_id=IDENTIFIER,
        reply_to="replies",
        expiration=timedelta(minutes=1),
        message_id="5",
        timestamp=1_700_000_000,
        type="order",
        app_id="shop",
    )
    message = await broker_channel.get(queue, no_ack=True)

    await broker_channel.publish("", queue, message.body, **message.publish_options)

    again = await broker_channel.get(queue, no_ack=True)
    assert message.body == again.body
    assert message.properties == again.properties
