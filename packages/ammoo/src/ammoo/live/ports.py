"""What the rooms of `live` ask of one another, and of what the user holds above them.

Each Protocol is the view that one room has of its neighbour: a consumer's deliveries
go to an `Inbox`, a channel sends through a `Sender` and asks its connection for no
more than `ChannelHost` says, and the parts of a channel ask it for no more than
`ChannelHead`. So nothing in `live` imports the storey above, and each part can be
tested with a stand-in for its neighbour.
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
    """Where the deliveries of one consumer go; the user's `Consumer` reads them from there."""

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
    """What sends on a channel: the wire's protocol, or the `CommitBuffer` in its place."""

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
    """What gets the outcome of a publish: an asyncio.Future, or a publisher's `Confirmation`."""

    def done(self) -> bool:
        """Return whether it takes no outcome any more."""
        ...

    def set_result(self, result: None, /) -> None:
        """Take that the server has confirmed the message."""

    def set_exception(self, exception: Exception, /) -> None:
        """Take why the message was not confirmed."""


class PublishingPort(Protocol):
    """What publishes on a channel: the live channel's `Publishing`, or what waits for one."""

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
        """Send a message, now if possible, and return what to await, or None.

        Args:
            exchange_name: The exchange; what follows it are the fields of an `Outgoing`.
            waiter: What gets the outcome, instead of a future; only while `is_publishable`.
        """

    def publish_nowait(self, exchange_name: str, *message: Any) -> "Future[None]":
        """Send a message now, and return the future of its confirm."""
        ...

    async def wait_publishable(self) -> None:
        """Wait until the server and the socket take messages."""

    async def next_returned(self) -> ReturnMessage:
        """Wait for the next returned message."""
        ...


class SuccessorPort(PublishingPort, Protocol):
    """What publishes when a channel has ended, and goes on with what waited on it."""

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
        """Whether the server has left a cancel or close unanswered for as long as is waited."""
        ...

    def note_unanswered_close(self, ended: Event) -> None:
        """Record that a cancel or close was not answered in its time.

        Args:
            ended: Set when the answer comes.
        """

    def close_for(self, frame: object) -> None:
        """Close the connection because the server sent what it must not."""

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
        """Raise what ended the channel, if it has ended."""

    def raise_unless_settleable(self, delivery_tag: int) -> None:
        """Raise why a delivery can be settled no more, if the channel has ended."""

    def call(
        self,
        request: tuple[Any, ...],
        *replies: type[Any],
        on_reply: OnReply | None = None,
        on_late_reply: OnReply | None = None,
        consumer_tag: str | None = None,
    ) -> Awaitable[Reply]:
        """Send a request at once, and return what its reply is awaited with."""
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
