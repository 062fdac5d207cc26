"""Messages of a consumer in batches, limited by size and by time."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Self, overload

from ..exceptions.message import UnknownDelivery
from ..messages import DeliverMessage
from ..number_checks import check_above_zero, check_whole_number
from .ports import ReadConsumer
from .processing import OnError, Processing

__all__ = ["Batch", "Batches"]


class Batch(Sequence[DeliverMessage]):
    """Messages that are processed together; `Consumer.batches` returns them.

    A batch is a sequence of messages. Settling the batch skips the messages that were settled one
    by one.

    Args:
        messages: The messages, the oldest first.
    """

    __slots__ = ("_messages",)

    def __init__(self, messages: Sequence[DeliverMessage]) -> None:
        self._messages = tuple(messages)

    def __repr__(self) -> str:
        return f"<Batch of {len(self._messages)} messages>"

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, index: int) -> DeliverMessage: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[DeliverMessage, ...]: ...

    def __getitem__(self, index: int | slice) -> DeliverMessage | tuple[DeliverMessage, ...]:
        return self._messages[index]

    def __iter__(self) -> Iterator[DeliverMessage]:
        return iter(self._messages)

    async def ack(self) -> None:
        """Acknowledge all messages.

        A single basic.ack with `multiple` is enough if the channel has no older unacked messages. If
        the caller is cancelled while the socket's buffer is full, the later messages stay unacked.

        Raises:
            StaleDelivery: The channel was lost, and the server delivers them again (with
                ``recovery=``); nothing was sent.
            ChannelClosed, ConnectionClosed: The channel that they came on is closed.
        """
        for message in self._messages:
            with suppress(UnknownDelivery):  # it was settled alone
                await message.ack()

    async def reject(self, requeue: bool) -> None:
        """Reject all messages (basic.reject).

        If the caller is cancelled while the socket's buffer is full, the later messages stay unacked.

        Args:
            requeue: Whether to requeue them; if not, they are dropped or dead-lettered.

        Raises:
            StaleDelivery, ChannelClosed, ConnectionClosed: As in `ack`.
        """
        for message in self._messages:
            with suppress(UnknownDelivery):  # it was settled alone
                await message.reject(requeue)

    def process(self, *, on_error: OnError = "requeue") -> Processing[Self]:
        """Return a block that settles all messages when it is left; see `ExpectedMessage.process`.

        Args:
            on_error: What to do with the messages if an exception leaves the block: ``"requeue"``,
                the default, ``"reject"`` or ``"dead-letter"``.

        Raises:
            ValueError: `on_error` is none of these words.
        """
        return Processing(self, self._messages, on_error)


class Batches:
    """The batches of a consumer, as an asynchronous iterator.

    A task that is cancelled while it waits for a batch loses no message: those that have arrived
    belong to the next batch.

    Args:
        consumer: The consumer that receives the messages.
        size: The largest number of messages in a batch.
        seconds: How long a batch waits for more messages after its first, in seconds.
    """

    def __init__(self, consumer: ReadConsumer, size: int, seconds: float) -> None:
        self._consumer = consumer
        self._size = checked_size(size, consumer.prefetch_count)
        self._seconds = check_above_zero("seconds", seconds)
        self._deadline = 0.0
        self._open: list[DeliverMessage] = []

    def __aiter__(self) -> Self:
        """Return the iterator itself."""
        return self

    async def __anext__(self) -> Batch:
        """Return the next batch: a full one, or one whose time to wait is over.

        Raises:
            ConsumerCancelled, ChannelClosed, ConnectionClosed: The consumer has ended.
            StopAsyncIteration: The consumer was cancelled or drained by this program.
        """
        while True:
            if not self._open:
                self._add(await anext(self._consumer))
            await self._fill()
            if self._open:
                messages, self._open = self._open, []
                return Batch(messages)

    def give_back(self) -> None:
        """Requeue the messages of the batch that was not returned yet."""
        messages, self._open = self._open, []
        for message in messages:
            message._give_back()

    async def _fill(self) -> None:
        """Wait until the batch is full or its time to wait is over; drop it if it was lost."""
        scope = asyncio.timeout_at(self._deadline)
        try:
            async with scope:
                while len(self._open) < self._size:
                    self._add(await anext(self._consumer))
        except TimeoutError:
            if not scope.expired():
                raise
        except StopAsyncIteration:
            return  # the batch was given back
        except Exception:
            if self._open and not self._open[0].is_stale:
                return  # the messages can still be processed; the next call raises this again
            raise
        if self._open and self._open[0].is_stale:
            self._open = []

    def _add(self, message: DeliverMessage) -> None:
        """Add a message; one of a new channel begins a new batch, because the old one was lost."""
        if self._open and self._open[0].is_stale and not message.is_stale:
            self._open = []
        if not self._open:
            self._deadline = asyncio.get_running_loop().time() + self._seconds
        self._open.append(message)


def checked_size(size: int, prefetch_count: int) -> int:
    """Return the size of batches if the prefetch limit allows it.

    Raises:
        ValueError: The prefetch limit is smaller, so that no batch could ever be full.
    """
    check_whole_number("size", size, least=1)
    if prefetch_count and size > prefetch_count:
        raise ValueError(
            f"size={size} is more than prefetch_count={prefetch_count}: the server sends no more"
            f" messages before the first ones are settled; call channel.qos(prefetch_count={size})"
            " before the consumer is started"
        )
    return size
