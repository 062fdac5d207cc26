"""Why a channel ended, and what became of a single operation on it.

::

    ChannelClosed
    ├── ServerClosedChannel                   the server said channel.close
    │   └── ContentTooLarge, AccessRefused, NotFound, ResourceLocked, PreconditionFailed
    └── ClientClosedChannel                   we closed it
        ├── ClientClosedChannelOK
        └── ClientClosedChannelError
            └── ChannelUnanswered             the server never answered what was given up
    ChannelInactive                           the server asked for silence, for too long
    EmptyQueue                                an answer, not a failure
    PublishNotReady                           a message would have had to wait
    SocketFull                                a message waited for the socket, for too long

What became of a message that was published is in `ammoo.exceptions.publishing`.
"""

from .base import AmmooError, ServerRefusal
from .publishing import PublishNack, PublishReturned

__all__ = [
    "AccessRefused",
    "ChannelClosed",
    "ChannelInactive",
    "ChannelUnanswered",
    "ClientClosedChannel",
    "ClientClosedChannelError",
    "ClientClosedChannelOK",
    "ContentTooLarge",
    "EmptyQueue",
    "NotFound",
    "PreconditionFailed",
    "PublishNack",
    "PublishNotReady",
    "PublishReturned",
    "ResourceLocked",
    "ServerClosedChannel",
    "SocketFull",
    "server_closed_channel",
]


class ChannelClosed(AmmooError):
    """The channel is closed; the subclass tells by whom and why."""

    _ends_its_owner = True


class ServerClosedChannel(ServerRefusal, ChannelClosed):
    """The server closed the channel and said why; `ServerRefusal` names the fields.

    The connection and its other channels go on.

    Attributes:
        channel_id: The channel's number; 0 if it is not known.
    """

    channel_id = 0

    def __str__(self) -> str:
        return self._sentence(f"channel {self.channel_id}" if self.channel_id else "the channel")


class ContentTooLarge(ServerClosedChannel):
    """A message is larger than the server takes (311); RabbitMQ says 406 instead."""

    advice = "send less at once"


class AccessRefused(ServerClosedChannel):
    """The user lacks a permission, the name is reserved, or the queue is in exclusive use (403)."""

    advice = "check the user's permissions on the virtual host, and the name"


class NotFound(ServerClosedChannel):
    """There is no such queue or exchange (404)."""

    advice = "declare it first, and check its name and the virtual host"


class ResourceLocked(ServerClosedChannel):
    """The queue belongs to another connection alone (405)."""

    recoverable = True
    advice = "wait until the other connection is gone, or use a queue that is not exclusive"


class PreconditionFailed(ServerClosedChannel):
    """What was asked for does not fit what there is (406)."""

    advice = "the server's words tell which argument does not fit"


class ClientClosedChannel(ChannelClosed):
    """The channel was closed from this side."""


class ClientClosedChannelOK(ClientClosedChannel):
    """The channel was closed from this side, and nothing was wrong."""

    def __str__(self) -> str:
        return "the channel was closed by the client"


class ClientClosedChannelError(ClientClosedChannel):
    """The channel was closed from this side because of an exception.

    Attributes:
        exc: What left the channel's ``async with`` block.
    """

    def __init__(self, exc: BaseException) -> None:
        super().__init__(exc)
        self.exc = exc

    def __str__(self) -> str:
        return f"the channel was closed by the client because of {self.exc!r}"


class ChannelUnanswered(ClientClosedChannelError):
    """An operation was given up, and the server never answered it, so the channel was closed.

    Attributes:
        exc: An `OperationTimeout` that names the operation.
    """

    recoverable = True

    def __str__(self) -> str:
        return (
            f"the channel was closed by the client: {self.exc}, and whoever waits behind it would"
            " wait for ever; open another channel, or connect again"
        )


class ChannelInactive(AmmooError, TimeoutError):
    """The server asked for no more messages (channel.flow), and the time to wait is over.

    The message was not sent. The channel stays open.

    Attributes:
        timeout: For how many seconds it was waited.
    """

    recoverable = True

    def __init__(self, timeout: float = 0.0) -> None:
        super().__init__(timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"the server takes no messages on this channel (channel.flow) for more than"
            f" {self.timeout:g} s; the message was not sent"
        )


class SocketFull(AmmooError, TimeoutError):
    """The socket took no more octets, and the time to wait is over.

    The server does not read, or the network is slow or gone. The message was not sent. The
    channel stays open.

    Attributes:
        timeout: For how many seconds it was waited.
    """

    recoverable = True

    def __init__(self, timeout: float = 0.0) -> None:
        super().__init__(timeout)
        self.timeout: float = timeout

    def __str__(self) -> str:
        return (
            f"the socket took no more for {self.timeout:g} s, so the message was not sent:"
            " the server does not read, or the network is too slow"
        )


class EmptyQueue(AmmooError):
    """There was no message to get.

    Attributes:
        queue_name: The queue that was asked.
    """

    def __init__(self, queue_name: str = "") -> None:
        super().__init__(queue_name)
        self.queue_name = queue_name

    def __str__(self) -> str:
        return f"queue {self.queue_name!r} has no message to get"


class PublishNotReady(AmmooError):
    """`Channel.publish_nowait` was called where `Channel.publish` would have held a message back.

    The message was not sent.

    Attributes:
        reason: What it would have had to wait for.
    """

    recoverable = True

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the message was not sent: {self.reason};"
            " await channel.wait_publishable() and publish it again"
        )


_BY_REPLY_CODE: dict[int, type[ServerClosedChannel]] = {
    311: ContentTooLarge,
    403: AccessRefused,
    404: NotFound,
    405: ResourceLocked,
    406: PreconditionFailed,
}


def server_closed_channel(
    reply_code: int, reply_text: str, class_id: int, method_id: int, channel_id: int = 0
) -> ServerClosedChannel:
    """Make the exception for a channel.close: the code's own class, or the general one."""
    cls = _BY_REPLY_CODE.get(reply_code, ServerClosedChannel)
    error = cls(reply_code, reply_text, class_id, method_id)
    error.channel_id = channel_id
    return error
