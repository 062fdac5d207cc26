"""`EventListener`: the events of a connection, for one reader.

A listener holds a bounded number of events. When its reader is too slow, the oldest are dropped
and counted; the last, `events.Closed`, is never dropped.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from .events import Event

__all__ = ["MOST_EVENTS", "EventListener"]

MOST_EVENTS: Final = 100
"""How many events a listener keeps."""


class EventListener:
    """The events of a connection since the listener was made, as an asynchronous iterator.

    The iteration ends after `Closed`.

    Attributes:
        dropped: How many events were dropped because too many waited.
    """

    def __init__(self) -> None:
        self.dropped: int = 0
        self._events: deque[Event] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._has_ended = False

    def put(self, event: "Event", *, is_last: bool = False) -> None:
        """Add an event, and drop the oldest if there are too many; the last is never dropped.

        Args:
            event: The event.
            is_last: Whether no other event follows.
        """
        self._events.append(event)
        self._has_ended = is_last
        if len(self._events) > MOST_EVENTS:
            self._events.popleft()
            self.dropped += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def __aiter__(self) -> Self:
        """Return the listener."""
        return self

    async def __anext__(self) -> "Event":
        """Return the next event; wait for it if there is none.

        Raises:
            StopAsyncIteration: The last event was returned: the connection is closed for good.
        """
        while not self._events:
            if self._has_ended:
                raise StopAsyncIteration
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        return self._events.popleft()
