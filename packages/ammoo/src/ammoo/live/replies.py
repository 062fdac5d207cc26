"""Who awaits which answer of the server, in order.

The server answers the requests on a channel in the order in which they came,
save that ``basic.consume-ok`` may come after the answers to requests pipelined
behind it. So an answer belongs to the oldest request that it can be an answer to.

A caller that is cancelled leaves its slot behind: its answer still comes, and
must not be taken for the next one's. What is to be done with an answer that
nobody awaits any more (give a message back, cancel a consumer) is kept in the slot.

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
    """A NamedTuple of the wire, one of the types that were awaited."""
    properties: bytes | None = None
    body: bytearray | None = None


OnReply = Callable[[Reply], None]
"""What is done with an answer: as it arrives, or when nobody awaits it any more."""


class _Slot:
    """A request that has not been answered."""

    __slots__ = ("answers", "consumer_tag", "on_late_reply", "on_reply", "waiter")

    def __init__(
        self,
        waiter: "Future[Reply]",
        answers: tuple[type[Any], ...],
        on_reply: OnReply | None,
        on_late_reply: OnReply | None,
        consumer_tag: str | None,
    ) -> None:
        self.waiter = waiter
        self.answers = answers
        self.on_reply = on_reply
        self.on_late_reply = on_late_reply
        self.consumer_tag = consumer_tag

    def takes(self, parameters: object) -> bool:
        return type(parameters) in self.answers and (
            self.consumer_tag is None
            or self.consumer_tag == getattr(parameters, "consumer_tag", None)
        )


class Replies:
    """The answers that are awaited on one channel.

    Args:
        loop: The loop that the callers run in.
    """

    __slots__ = ("_loop", "_slots")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: deque[_Slot] = deque()

    def __len__(self) -> int:
        return len(self._slots)

    def expect(
        self,
        *answers: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> "Future[Reply]":
        """Take a place in the row, in the same stretch of code that sends the request.

        Args:
            answers: The types that the answer may have.
            on_reply: What to do as the answer arrives, before anything behind it is looked at.
            on_late_reply: What to do with the answer if the caller is gone by then.
            consumer_tag: For answers that hold one: the right one.

        Returns:
            A future for the answer.
        """
        waiter: Future[Reply] = self._loop.create_future()
        self._slots.append(_Slot(waiter, answers, on_reply, on_late_reply, consumer_tag))
        return waiter

    @property
    def next_waiter(self) -> "Future[Reply] | None":
        """The future of the oldest request that is not answered, cancelled or not."""
        return self._slots[0].waiter if self._slots else None

    def waiters(self) -> "set[Future[Reply]]":
        """Give the futures whose answers are still to come, cancelled or not."""
        return {slot.waiter for slot in self._slots}

    def resolve(self, answer: Reply) -> bool:
        """Give an answer to whom it belongs.

        Returns:
            False if nobody ever asked for it.
        """
        for index, slot in enumerate(self._slots):
            if slot.takes(answer.parameters):
                del self._slots[index]
                try:
                    if slot.on_reply is not None:
                        slot.on_reply(answer)
                finally:
                    self._settle(slot, answer)
                return True
        return False

    def fail(self, error: Exception) -> None:
        """Raise the same exception in all who wait; they will get no answer any more."""
        slots, self._slots = self._slots, deque()
        for slot in slots:
            if not slot.waiter.done():
                slot.waiter.set_exception(error)

    @staticmethod
    def _settle(slot: _Slot, answer: Reply) -> None:
        if not slot.waiter.done():
            slot.waiter.set_result(answer)
        elif slot.on_late_reply is not None:
            slot.on_late_reply(answer)
