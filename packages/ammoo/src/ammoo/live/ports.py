"""What the modules of `live` ask of each other, and of the user's objects above them.

Each Protocol has the part of a neighbour that one module uses. A channel puts a consumer's
deliveries into an `Inbox`, sends through a `Sender`, and uses its connection as a `ChannelHost`.
The parts of a channel use the channel as a `ChannelHead`. Therefore `live` imports nothing from
the modules above it, and a test can replace each neighbour.
"""

from asyncio import AbstractEventLoop, Event, Future
from collections.abc import Awaitable
from typing import Any, Protocol

from ammoo_wire import ClientProtocol, ContentHead, FieldTable

from ..messages import DeliverMessage, Origin, ReturnMessage
from ..publish_options import Outgoing
from .blocking import Blocking
from .flow_control import FlowControl
from .replies import OnReply, Reply
from .transport import Transport

__all__ = [
    "ChannelHead",
    "ChannelHost",
    "ConfirmWaiter",
    "Inbox",
    "PublishingPort",
    "Sender",
    "SuccessorPort",
]


class Inbox(Protocol):
    """Receives the deliveries of one consumer; the user's `Consumer` reads them from it."""

    @property
    def no_ack(self) -> bool:
        """Whether the server expects no acknowledgements from the consumer."""
        ...

    @property
    def is_waiting(self) -> bool:
        """Whether a task waits for a message."""
        ...

    def deliver(self, message: DeliverMessage) -> None:
        """Add a message that arrived."""

    def cancelled_by_server(self) -> None:
        """End the consumer; messages that have arrived can still be read."""

    def fail(self, error: Exception) -> None:
        """End the consumer, because its channel has ended with this error."""


class Sender(Protocol):
    """Sends on a channel: the wire's protocol, or the `CommitBuffer` that replaces it."""

    def is_channel_closing(self, channel_number: int) -> bool:
        """Return whether channel.close was sent and channel.close-ok has not arrived."""
        ...

    def send(self, channel_number: int, parameters: tuple[Any, ...]) -> None:
        """Send a method without content."""

    def send_method(self, channel_number: int, payload: bytes) -> None:
        """Send a method that is encoded already."""

    def send_content_behind(
        self, head: ContentHead, properties: bytes, body: bytes | bytearray
    ) -> int:
        """Send a method with content, and return how many octets are queued."""
        ...


class ConfirmWaiter(Protocol):
    """Receives the outcome of a publish: an asyncio.Future, or a publisher's `Confirmation`."""

    def done(self) -> bool:
        """Return whether it accepts no outcome: it has one, or was cancelled."""
        ...

    def set_result(self, result: None, /) -> None:
        """Record that the server has confirmed the message."""

    def set_exception(self, exception: Exception, /) -> None:
        """Record why the message was not confirmed."""


class PublishingPort(Protocol):
    """Publishes on a channel: the live channel's `Publishing`, or an object that waits for one."""

    @property
    def is_publishable(self) -> bool:
        """Whether a message would be sent at once."""
        ...

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        mandatory: bool = False,
        immediate: bool = False,
        raise_returned: bool = False,
        waiter: ConfirmWaiter | None = None,
        /,
    ) -> Awaitable[None] | None:
        """Send a message, now if possible, and return an awaitable, or None.

        Args:
            exchange_name: The exchange; the fields of an `Outgoing` follow it.
            waiter: Receives the outcome instead of a future; only while `is_publishable`.
        """

    def publish_nowait(self, exchange_name: str, *message: Any) -> "Future[None]":
        """Send a message now, and return the future of its confirm."""
        ...

    async def wait_publishable(self) -> None:
        """Wait until the server and the socket accept messages."""

    async def next_returned(self) -> ReturnMessage:
        """Wait for the next returned message."""
        ...


class SuccessorPort(PublishingPort, Protocol):
    """Publishes when a channel has ended, the messages included that waited on it."""

    async def publish_by(
        self, deadline: float | None, exchange_name: str, message: Outgoing
    ) -> None:
        """Send a message as soon as possible, and await its outcome, until a deadline."""


class ChannelHost(Protocol):
    """What a channel asks of its connection."""

    loop: AbstractEventLoop
    protocol: ClientProtocol
    transport: Transport
    blocking: Blocking
    flow_control: FlowControl
    closing_exc: Exception | None
    operation_timeout: float | None
    blocked_timeout: float | None
    unconfirmed_at_end: int

    @property
    def server_capabilities(self) -> FieldTable:
        """The capabilities in the server's properties; empty if it sent none."""
        ...

    @property
    def is_unresponsive(self) -> bool:
        """Whether the server has not answered a cancel or close within its time limit."""
        ...

    def note_unanswered_close(self, ended: Event) -> None:
        """Record that the server has not answered a cancel or close within its time limit.

        Args:
            ended: Set when the answer comes.
        """

    def close_for(self, frame: object) -> None:
        """Close the connection because the server sent a frame that it must not send."""

    def free_channel_number(self, number: int, *, closed_by_server: bool) -> None:
        """Forget a channel that both sides have finished with."""


class ChannelHead(Origin, Protocol):
    """What the parts of a channel (publishing, consuming, acknowledgements) ask of it."""

    host: ChannelHost
    number: int
    transport: Transport
    sender: Sender
    closing_exc: Exception | None
    is_stale: bool
    successor: SuccessorPort | None

    def raise_if_closed(self) -> None:
        """Raise the error that ended the channel, if it has ended."""

    def drain(self) -> Awaitable[None]:
        """Return an awaitable that waits while the socket's buffer is full and the channel is open."""
        ...

    def raise_unless_settleable(self, delivery_tag: int) -> None:
        """Raise an error if a delivery can no longer be settled: the channel has ended."""

    def call(
        self,
        request: tuple[Any, ...],
        *replies: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> Awaitable[Reply]:
        """Send a request at once, and return an awaitable of its reply."""
        ...

    def send_request(
        self,
        request: tuple[Any, ...],
        *replies: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> "Future[Reply]":
        """Send a request at once, and return the future of its reply."""
        ...

    def watch(self, waiter: "Future[Reply]", method: str) -> None:
        """Close the channel if the server does not answer a request that no task awaits."""
