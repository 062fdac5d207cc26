"""The messages of one consumer that have arrived, and that the program has not read yet.

An `Inbox` belongs to the user's `Consumer`; the live channel delivers to it
(`live.ports.Inbox`). Messages wait in a deque, and each task that waits for one
has one future: an asyncio.Queue costs more than twice as much for a message.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ammoo_wire import BasicConsumeParameters, FieldTable

from .exceptions.consumer import ConsumerOverflow, ServerCancelledConsumer
from .live.channel import LiveChannel
from .messages import DeliverMessage
from .stream_progress import StreamProgress

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "BACKLOG_MESSAGES",
    "BACKLOG_OCTETS",
    "OVERFLOW_MESSAGES",
    "OVERFLOW_OCTETS",
    "Inbox",
    "LastingInbox",
]

BACKLOG_MESSAGES: Final = 1000
"""With more unread messages than this, the inbox asks the connection to stop reading."""
BACKLOG_OCTETS: Final = 16 * 1024 * 1024
"""The same for the octets of large bodies."""
OVERFLOW_MESSAGES: Final = 100_000
"""With more unread messages than this, the inbox cancels the consumer: reading did not stop."""
OVERFLOW_OCTETS: Final = 256 * 1024 * 1024
"""The same for the octets of large bodies."""
LARGE_BODY: Final = 4096
"""Only the octets of bodies of at least this size count; the number of messages limits the rest."""


class Inbox:
    """Receives the deliveries of one consumer, and passes them to the tasks that wait for them.

    Args:
        request: The request of the consumer.
        on_overflow: Called when the consumer is cancelled because it has too many unread messages.

    Attributes:
        closing_exc: The error that ended the consumer; None while it has not ended.
        consumer_tag: The consumer's tag on its live channel; empty before it is started.
        live: The live channel that delivers; None before the consumer is started.
        messages: The unread messages, the oldest first.
        needs_accounting: Whether `account_for` must be called for each message that is read.
        no_ack: Whether the server expects no acknowledgements.
        queue_name: The queue.
    """

    __slots__ = (
        "_is_backlogged",
        "_is_overflowing",
        "_large_octets",
        "_on_overflow",
        "_waiters",
        "closing_exc",
        "consumer_tag",
        "live",
        "messages",
        "needs_accounting",
        "no_ack",
        "queue_name",
    )

    def __init__(
        self, request: BasicConsumeParameters, on_overflow: Callable[[], object] | None = None
    ) -> None:
        self.no_ack: bool = request.no_ack
        self.queue_name: str = request.queue_name
        self.consumer_tag: str = ""
        self.live: LiveChannel | None = None
        self.closing_exc: Exception | None = None
        self.messages: deque[DeliverMessage] = deque()
        self.needs_accounting: bool = False
        self._large_octets = 0
        self._is_backlogged = False
        self._is_overflowing = False
        self._on_overflow = on_overflow
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def is_waiting(self) -> bool:
        """Whether a task waits for a message."""
        return bool(self._waiters)

    # --- what the live channel calls ---

    def deliver(self, message: DeliverMessage) -> None:
        """Add a message that arrived."""
        if self.closing_exc is not None:
            self._requeue((message,))
            return
        messages = self.messages
        messages.append(message)
        size = len(message.body)
        if size >= LARGE_BODY:
            self._large_octets += size
            self.needs_accounting = True
        if self._waiters:
            self._wake_one()
        elif len(messages) > BACKLOG_MESSAGES or self._large_octets > BACKLOG_OCTETS:
            self._add_to_backlog()

    def cancelled_by_server(self) -> None:
        """End the consumer; messages that have arrived can still be read."""
        self.close(ServerCancelledConsumer(self.consumer_tag, self.queue_name))

    def fail(self, error: Exception) -> None:
        """End the consumer, because its channel has ended with this error.

        Messages that have arrived can no longer be settled, and the server delivers them
        again, so they are dropped. With no_ack they can still be read.
        """
        self.end(error)

    # --- what the consumer calls ---

    def begin(self, live: LiveChannel, consumer_tag: str) -> None:
        """Record where the consumer is being started, and by which tag."""
        self.consumer_tag = consumer_tag

    def started(self) -> None:
        """Record that the server has started the consumer."""

    async def wait(self) -> None:
        """Wait until there may be a message.

        Raises:
            ConsumerCancelled, ChannelClosed, ConnectionClosed: The consumer has ended.
        """
        if self.closing_exc is not None:
            raise self.closing_exc.with_traceback(None)
        assert self.live is not None
        self.live.transport.require_loop()
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.live.transport.resume_reading_soon()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif self.messages:
                self._wake_one()  # the message goes to the next task
            raise

    def account_for(self, message: DeliverMessage) -> None:
        """Subtract a message that was read from the backlog."""
        if len(message.body) >= LARGE_BODY:
            self._large_octets -= len(message.body)
        if self._is_backlogged and self._is_low():
            self._end_backlog()
        self.needs_accounting = self._is_backlogged or bool(self._large_octets)

    def close(self, error: Exception) -> None:
        """End the consumer with an error, in all tasks that wait; only the first error counts."""
        if self.closing_exc is None:
            self.closing_exc = error
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._is_backlogged:
            self._end_backlog()

    def end(self, error: Exception) -> None:
        """End the consumer, and drop the messages that can no longer be settled."""
        if not self.no_ack:
            self._drop_unread()
        self.close(error)

    def _drop_unread(self) -> None:
        self.messages.clear()
        self._large_octets = 0
        self.needs_accounting = self._is_backlogged

    def requeue_unread(self) -> None:
        """Put all unread messages back into their queue."""
        messages = list(self.messages)
        self.messages.clear()
        self._requeue(messages)

    def _requeue(self, messages: Iterable[DeliverMessage]) -> None:
        """Put unread messages back into their queue, except those of a stream.

        A stream keeps its messages, and RabbitMQ 3.10 closes a connection that rejects one (540).
        A message in another queue may have a stream's header, too, if it came from a stream;
        RabbitMQ requeues it when the channel is closed.
        """
        live = self.live
        if not self.no_ack and live is not None:
            live.acknowledgements.requeue(
                message.delivery_tag - live.tag_offset
                for message in messages
                if not message.is_from_stream
            )

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    # --- backlog ---

    def _is_low(self) -> bool:
        return (
            len(self.messages) < BACKLOG_MESSAGES // 2 and self._large_octets < BACKLOG_OCTETS // 2
        )

    def _add_to_backlog(self) -> None:
        """Ask the connection to stop reading; if messages still arrive, cancel the consumer."""
        live = self.live
        if live is None:
            return
        if not self._is_backlogged:
            self._is_backlogged = self.needs_accounting = True
            live.host.flow_control.add_backlogged(self)
        elif not self._is_overflowing and (
            len(self.messages) > OVERFLOW_MESSAGES or self._large_octets > OVERFLOW_OCTETS
        ):
            self._is_overflowing = True
            self._overflow(live)

    def _overflow(self, live: LiveChannel) -> None:
        """Cancel the consumer; the program can still read the messages that have arrived.

        Messages that arrive before the server has stopped are requeued. With no_ack the server
        cannot requeue them, so the program can read them, too.
        """
        error = ConsumerOverflow(
            self.consumer_tag, self.queue_name, len(self.messages), self._large_octets
        )
        if self._on_overflow is not None:
            self._on_overflow()
        live.consuming.begin_cancel(self.consumer_tag, lambda: self.close(error))
        if not self.no_ack:
            self.close(error)

    def _end_backlog(self) -> None:
        self._is_backlogged = False
        if self.live is not None:
            self.live.host.flow_control.remove_backlogged(self)


class LastingInbox(Inbox):
    """An inbox that survives its live channel, until recovery replaces the channel.

    Args:
        request: The request of the consumer.
        lasts: Returns whether recovery will bring the consumer back.
        on_cancel: Called to start the consumer again when the server has cancelled it.
        on_overflow: As in `Inbox`.

    Attributes:
        on_lost: Called when the live channel is lost and recovery will replace it; None for no call.
        source: The live channel that delivers, from before the server has started the consumer.
    """

    __slots__ = ("_lasts", "_on_cancel", "_progress", "_started_at", "on_lost", "source")

    def __init__(
        self,
        request: BasicConsumeParameters,
        lasts: Callable[[], bool],
        on_cancel: Callable[[], None],
        on_overflow: Callable[[], object],
    ) -> None:
        super().__init__(request, on_overflow)
        self._lasts = lasts
        self._on_cancel = on_cancel
        self.on_lost: Callable[[Exception], None] | None = None
        self.source: LiveChannel | None = None
        self._progress: StreamProgress | None = None
        self._started_at: datetime | None = None

    def begin(self, live: LiveChannel, consumer_tag: str) -> None:
        """Record the live channel and the tag at once: messages may come before the answer."""
        super().begin(live, consumer_tag)
        self.source = live

    def started(self) -> None:
        """Record when the consumer was started for the first time."""
        from datetime import UTC, datetime  # 1 ms at import

        self._started_at = self._started_at or datetime.now(UTC)

    def deliver(self, message: DeliverMessage) -> None:
        """Add a message that arrived; drop one of a stream that was settled before a loss."""
        if message.is_from_stream and not self.no_ack and not self._is_news(message):
            return
        super().deliver(message)

    def _is_news(self, message: DeliverMessage) -> bool:
        live, offset = self.source, (message.properties.headers or {}).get("x-stream-offset")
        if live is None or not isinstance(offset, int):
            return True
        if self._progress is None:
            self._progress = StreamProgress()
        tag = message.delivery_tag - live.tag_offset
        if self._progress.deliver(tag, offset, live.acknowledgements.unacked.lowest):
            return True
        live.ack(tag, False)  # unacked, it would count towards the prefetch limit
        return False

    def cancelled_by_server(self) -> None:
        """Ask recovery to start the consumer again if it lasts; else end it."""
        if self.closing_exc is None and self._lasts():
            self.lose()
            self._on_cancel()
        else:
            super().cancelled_by_server()

    def fail(self, error: Exception) -> None:
        """Drop messages that can no longer be settled; end the consumer unless it lasts."""
        if self.closing_exc is None and self._lasts():
            self.lose()
            if not self.no_ack:
                self._drop_unread()
            if self._is_backlogged:
                self._end_backlog()
            if self.on_lost is not None:
                self.on_lost(error)
        else:
            super().fail(error)

    def lose(self) -> None:
        """Record how far the consumer has come on a stream: its live channel is lost."""
        if self._progress is not None and self.source is not None:
            self._progress.lose(self.source.acknowledgements.unacked.tags())

    def resume(self, arguments: FieldTable) -> FieldTable:
        """Return the arguments with which the consumer continues where it was.

        A consumer at the end of a stream that has received no message continues from the time of
        its start. It may then also receive messages from just before its start, but misses none.
        """
        offset: int | datetime | None = None
        if self._progress is not None:
            offset = self._progress.resume_at
        elif arguments.get("x-stream-offset") == "next":
            offset = self._started_at
        return arguments if offset is None else {**arguments, "x-stream-offset": offset}

    def adopt(self, other: Inbox) -> None:
        """Replace another inbox, and take over its messages."""
        assert other.live is not None
        self.live: LiveChannel | None = other.live
        self.source = other.live
        self.consumer_tag: str = other.consumer_tag
        if other._is_backlogged:
            other._end_backlog()
        if other.closing_exc is None:
            other.live.consumers[self.consumer_tag] = self
        for message in other.messages:
            self.deliver(message)
        if other.closing_exc is not None:
            self.cancelled_by_server()  # that was while others were restored
