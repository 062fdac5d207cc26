"""Heartbeats on brokers: who is silent for two intervals is given up, and nobody before."""

import asyncio

import pytest

import ammoo
from ammoo.exceptions.connection import HeartbeatTimeout
from tests.support.clock import LoopClock
from tests.support.relay import Relay

HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"


@pytest.mark.parametrize(("wanted", "agreed"), [(None, 60), (5, 5)])
async def test_silent_broker_is_noticed_within_two_intervals(
    broker_url: str, monkeypatch: pytest.MonkeyPatch, wanted: int | None, agreed: int
) -> None:
    """The interval is the broker's, unless the user wants another one."""
    async with (
        Relay(broker_url) as relay,
        await ammoo.connect(relay.url, heartbeat_interval=wanted) as connection,
        connection.channel() as channel,
    ):
        assert agreed == connection.heartbeat_interval
        relay.silence()
        clock = LoopClock(monkeypatch)
        waiting = asyncio.create_task(channel.declare_queue("", exclusive=True))
        await clock.advance(2 * agreed - 1)
        assert connection.closing_exc is None
        await clock.advance(1)

        with pytest.raises(HeartbeatTimeout) as caught:
            await waiting

        assert 2 * agreed == caught.value.timeout
        assert connection.closing_exc is channel.closing_exc is caught.value


async def test_heartbeats_are_sent_where_nothing_else_is(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        Relay(broker_url) as relay,
        await ammoo.connect(relay.url, heartbeat_interval=10) as connection,
    ):
        clock = LoopClock(monkeypatch)
        await relay.carried_to_broker()

        await clock.advance(5)
        first = await relay.carried_to_broker()
        await clock.advance(5)
        second = await relay.carried_to_broker()

        assert (HEARTBEAT, HEARTBEAT) == (first, second)
        assert connection.closing_exc is None


async def test_no_heartbeats_if_the_user_wants_none(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await ammoo.connect(broker_url, heartbeat_interval=0) as connection:
        clock = LoopClock(monkeypatch)
        await clock.advance(10_000)

        async with connection.channel() as channel:
            await channel.assert_exchange_exists("amq.direct")
