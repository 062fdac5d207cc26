"""Which reply of the server belongs to which request, in order.

The server answers the requests on a channel in the order in which they came,
except that ``basic.consume-ok`` may come after the replies to requests pipelined
behind it. So a reply belongs to the oldest request that it can be a reply to.

A caller that is cancelled leaves its slot behind, because its reply still comes and must not
be taken for the next caller's. The slot knows what to do with such a late reply: requeue a
message, cancel a consumer, close a channel.

This module knows futures and types; it sends nothing.
"""

from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["OnReply", "Replies", "Reply"]


class Reply(NamedTuple):
    """A command of the server that answers a request."""

    parameters: Any
    """The method's parameters, of one of the types that were expected."""
    properties: bytes | None = None
    body: bytearray | None = None


OnReply = Callable[[Reply], None]
"""Called with a reply: as it arrives, or because no caller awaits it any more."""


class _Slot:
    """A request that has not been answered."""

    __slots__ = ("consumer_tag", "on_late_reply", "on_reply", "types", "waiter")

    def __init__(
        self,
        waiter: "Future[Reply]",
        types: tuple[type[Any], ...],
        on_reply: OnReply | None,
        on_late_reply: OnReply | None,
        consumer_tag: str | None,
    ) -> None:
        self.waiter = waiter
        self.types = types
        self.on_reply = on_reply
        self.on_late_reply = on_late_reply
        self.consumer_tag = consumer_tag

    def takes(self, parameters: object) -> bool:
        return type(parameters) in self.types and (
            self.consumer_tag is None
            or self.consumer_tag == getattr(parameters, "consumer_tag", None)
        )


class Replies:
    """The replies that are expected on one channel.

    Args:
        loop: The event loop of the callers.
    """

    __slots__ = ("_loop", "_slots")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: deque[_Slot] = deque()

    def __len__(self) -> int:
        return len(self._slots)

    def expect(
        self,
        *types: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> "Future[Reply]":
        """Add a slot; the caller sends the request without an await in between.

        Args:
            types: The types that the reply may have.
            on_reply: Called as the reply arrives, before any command behind it is processed.
            on_late_reply: Called with the reply if the caller has stopped waiting.
            consumer_tag: The consumer tag that the reply must hold; None for any.

        Returns:
            The future of the reply.
        """
        waiter: Future[Reply] = self._loop.create_future()
        self._slots.append(_Slot(waiter, types, on_reply, on_late_reply, consumer_tag))
        return waiter

    def expects(self, kind: type[Any]) -> bool:
        """Return whether a request is unanswered whose reply may have this type."""
        return any(kind in slot.types for slot in self._slots)

    @property
    def next_waiter(self) -> "Future[Reply] | None":
        """The future of the oldest request that is not answered, cancelled or not."""
        return self._slots[0].waiter if self._slots else None

    def waiters(self) -> "set[Future[Reply]]":
        """Return the futures of all requests that are not answered, cancelled or not."""
        return {slot.waiter for slot in self._slots}

    def resolve(self, reply: Reply) -> bool:
        """Set the result of the future of the request that a reply belongs to.

        Returns:
            Whether there is such a request.
        """
        for index, slot in enumerate(self._slots):
            if slot.takes(reply.parameters):
                del self._slots[index]
                try:
                    if slot.on_reply is not None:
                        slot.on_reply(reply)
                finally:
                    self._settle(slot, reply)
                return True
        return False

    def fail(self, error: Exception) -> None:
        """Raise the same exception in all callers: no reply will come."""
        slots, self._slots = self._slots, deque()
        for slot in slots:
            if not slot.waiter.done():
                slot.waiter.set_exception(error)

    @staticmethod
    def _settle(slot: _Slot, reply: Reply) -> None:
        if not slot.waiter.done():
            slot.waiter.set_result(reply)
        elif slot.on_late_reply is not None:
            slot.on_late_reply(reply)
