"""What the rooms of `workers` ask of the consumer whose messages they read; it stands above them."""

import asyncio
from typing import Protocol, Self

from ..inbox import Inbox
from ..messages import DeliverMessage

__all__ = ["DrainedConsumer", "ReadConsumer"]


class ReadConsumer(Protocol):
    """A `Consumer`, as what reads its messages in the program's place sees it."""

    @property
    def queue_name(self) -> str:
        """The queue's name."""
        ...

    @property
    def prefetch_count(self) -> int:
        """How many unacked messages the server lets the consumer have; 0 for no limit."""
        ...

    @property
    def closing_exc(self) -> Exception | None:
        """Why the consumer has ended; None while it has not."""
        ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> DeliverMessage: ...


class DrainedConsumer(Protocol):
    """A `Consumer`, as its orderly end sees it."""

    _inbox: Inbox

    @property
    def consumer_tag(self) -> str:
        """The name of the consumer on its channel."""
        ...

    @property
    def is_on_stream(self) -> bool:
        """Whether the consumer was given a place in a stream."""
        ...

    def _begin_leaving(self, exc: BaseException | None) -> asyncio.Event | None:
        """Cancel the consumer; return what is set when the server has stopped it."""
