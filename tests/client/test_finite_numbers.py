"""Numbers that RabbitMQ cannot parse: refused where they are given, and nothing is sent."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

import ammoo
from ammoo_wire import EncodeError, Float32
from tests.client.script import ScriptedPeer, ScriptedServer

NAN, INFINITY = float("nan"), float("inf")
Use = Callable[[ammoo.Channel], Awaitable[Any]]


@pytest.mark.parametrize(
    "use",
    [
        lambda channel: channel.declare_queue("q", arguments={"deep": {"x": [1, NAN]}}),
        lambda channel: channel.declare_exchange("e", "direct", arguments={"x": INFINITY}),
        lambda channel: channel.bind_queue("q", "e", {"x": -INFINITY}),
        lambda channel: channel.unbind_exchange("d", "s", "k", arguments={"x": Float32(NAN)}),
        lambda channel: channel.publish("", "q", b"", headers={"x": NAN}),
        lambda channel: channel.publish("", {"x": INFINITY}, b""),
        lambda channel: channel.consume("q", arguments={"x": Decimal("NaN")}).__aenter__(),
        lambda channel: channel.consume("q", arguments={"x": Decimal("sNaN")}).__aenter__(),
    ],
)
async def test_number_that_is_not_finite_is_refused_and_nothing_is_sent(
    channel: ammoo.Channel, peer: ScriptedPeer, use: Use
) -> None:
    with pytest.raises(EncodeError, match=r"x"):
        await use(channel)

    await peer.synchronise(channel)


async def test_client_properties_that_are_not_finite_are_refused(server: ScriptedServer) -> None:
    with pytest.raises(EncodeError, match="x"):
        await ammoo.connect(server.url, client_properties={"x": {"y": NAN}})

    assert not server.peers
