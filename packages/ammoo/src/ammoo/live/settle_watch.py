"""Waiting until the deliveries that tasks hold are settled.

A channel has no counters for this. When the program drains a consumer, or the server cancels one,
the watch wraps the channel's functions that settle; they stay wrapped until the channel is closed.
"""

from asyncio import Event
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

from .acknowledgements import Acknowledgements

__all__ = ["SettleWatch"]

ResultT = TypeVar("ResultT")


class SettlingChannel(Protocol):
    """A live channel, whose functions that settle can be replaced."""

    ack: Callable[[int, bool], Awaitable[None] | None]
    nack: Callable[[int, bool, bool], Awaitable[None] | None]
    reject: Callable[[int, bool], Awaitable[None] | None]
    requeue: Callable[[Iterable[int]], None]
    closing_exc: Exception | None
    acknowledgements: Acknowledgements


class SettleWatch:
    """Waits until deliveries of a channel are settled.

    Args:
        channel: The channel; the watch wraps its functions that settle.
    """

    __slots__ = ("_channel", "_settled")

    def __init__(self, channel: SettlingChannel) -> None:
        self._channel = channel
        self._settled = Event()
        channel.ack = self._waking(channel.ack)
        channel.nack = self._waking(channel.nack)
        channel.reject = self._waking(channel.reject)
        channel.requeue = self._waking(channel.requeue)

    async def wait_settled(self, delivery_tags: Iterable[int]) -> None:
        """Wait until deliveries are settled or requeued, or the channel has ended."""
        unacked = self._channel.acknowledgements.unacked
        for tag in delivery_tags:
            while self._channel.closing_exc is None and tag in unacked:
                self._settled.clear()
                await self._settled.wait()

    def wake(self) -> None:
        """Check again: a delivery was settled, or the channel has ended."""
        self._settled.set()

    def _waking(self, settle: Callable[..., ResultT]) -> Callable[..., ResultT]:
        def settle_and_wake(*args: Any) -> ResultT:
            try:
                return settle(*args)
            finally:
                self.wake()

        return settle_and_wake
