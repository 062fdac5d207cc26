"""What the modules of `workers` ask of the consumer whose messages they read."""

import asyncio
from typing import Protocol, Self

from ..inbox import Inbox
from ..messages import DeliverMessage

__all__ = ["DrainedConsumer", "ReadConsumer"]


class ReadConsumer(Protocol):
    """A `Consumer`, as the code sees it that reads its messages for the program."""

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
        """The exception that ended the consumer; None while it has not ended."""
        ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> DeliverMessage: ...


class DrainedConsumer(Protocol):
    """A `Consumer`, as a drain sees it."""

    _inbox: Inbox

    @property
    def consumer_tag(self) -> str:
        """The name of the consumer on its channel."""
        ...

    @property
    def _is_on_stream(self) -> bool:
        """Whether the consumer has an offset in a stream."""
        ...

    def _begin_leaving(self, exc: BaseException | None) -> asyncio.Event | None:
        """Cancel the consumer; return an event that is set when the server has stopped it."""
