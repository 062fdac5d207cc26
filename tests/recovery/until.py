"""Waiting for what a connection tells, and options that make it recover without delay."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import ammoo
from ammoo import Recovery
from ammoo.recovery.events import Open, Recovering
from ammoo.recovery.listener import EventListener
from tests.recovery.network import Network

__all__ = [
    "AT_ONCE",
    "bring_down",
    "bring_up",
    "lose",
    "lose_all_of",
    "lost_in_flight",
    "round_trips_until",
    "settle",
    "until",
    "until_consumers",
    "until_filled",
]

AT_ONCE = Recovery(random=lambda: 0.0)
"""Every delay is 0."""

EventT = TypeVar("EventT")
T = TypeVar("T")


async def until(events: EventListener, kind: type[EventT], seconds: float = 40) -> EventT:
    """Wait for the next event of a kind; longer than so many seconds means that none comes."""
    async with asyncio.timeout(seconds):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the connection was closed; {kind.__name__} was awaited")


async def bring_down(network: Network, events: EventListener) -> None:
    """Cut the connection, let no other one through, and wait until the client has noticed."""
    network.go_down()
    await until(events, Recovering)


async def bring_up(network: Network, events: EventListener) -> None:
    """Let connections through again, and wait until the client has recovered."""
    network.go_up()
    await until(events, Open)


async def lose(network: Network, events: EventListener) -> None:
    """Cut the connection, and wait until the client has recovered."""
    network.cut()
    await until(events, Open)


async def round_trips_until(
    condition: Callable[[], object], channel: ammoo.Channel, queue: str
) -> None:
    """Wait for what the client does and tells nobody: what it has read by the end of a round trip."""
    while not condition():
        await channel.assert_queue_exists(queue)


async def until_filled(channel: ammoo.Channel, queue: str) -> None:
    """Wait until a queue has a message: RabbitMQ tells no client, so it is asked again and again."""
    while not (await channel.assert_queue_exists(queue)).message_count:
        pass  # a round trip


async def until_consumers(channel: ammoo.Channel, queue: str, count: int) -> None:
    """Wait until a queue has so many consumers.

    A client may be back before RabbitMQ has noticed that it was gone: till then the consumer that
    it lost is there too, and has its messages.
    """
    async with asyncio.timeout(40):
        while (await channel.assert_queue_exists(queue)).consumer_count != count:
            pass  # a round trip


async def lose_all_of(
    network: Network, events: EventListener, other: ammoo.Channel, queue: str
) -> None:
    """Lose the connection; it comes back when the queue has got back all that the client had.

    Otherwise messages that are younger may come first, in RabbitMQ.

    Args:
        network: What lies between the client and the broker.
        events: The client's.
        other: A channel of another connection.
        queue: The queue that the client consumes alone.
    """
    await bring_down(network, events)
    await until_consumers(other, queue, 0)
    await bring_up(network, events)


async def lost_in_flight(network: Network, operation: Coroutine[Any, Any, T]) -> T:
    """Begin an operation, and cut the connection before its answer arrives."""
    network.hold()
    task = asyncio.create_task(operation)
    await settle()
    network.cut()
    network.release()
    return await task


async def settle() -> None:
    """Let tasks go on that are ready."""
    for _ in range(10):
        await asyncio.sleep(0)
