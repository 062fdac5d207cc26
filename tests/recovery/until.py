"""Waiting for what a connection tells, and options that make it recover without delay."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ammoo import Recovery
from ammoo.recovery.listener import EventListener
from tests.recovery.network import Network

__all__ = ["AT_ONCE", "lost_in_flight", "settle", "until"]

AT_ONCE = Recovery(random=lambda: 0.0)
"""Every delay is 0."""

EventT = TypeVar("EventT")
T = TypeVar("T")


async def until(events: EventListener, kind: type[EventT], seconds: float = 20) -> EventT:
    """Wait for the next event of a kind; longer than so many seconds means that none comes."""
    async with asyncio.timeout(seconds):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the connection was closed; {kind.__name__} was awaited")


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
