"""Waiting for what a connection tells, and options that make it recover without delay."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import ammoo
from ammoo import Recovery
from ammoo.recovery.events import Open, Recovering
from ammoo.recovery.listener import EventListener
from tests.recovery.network import Network

__all__ = ["AT_ONCE", "lose_all_of", "lost_in_flight", "settle", "until", "until_consumers"]

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
    network.go_down()
    await until(events, Recovering)
    await until_consumers(other, queue, 0)
    network.go_up()
    await until(events, Open)


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
