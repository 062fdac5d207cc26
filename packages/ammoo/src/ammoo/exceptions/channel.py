"""Why a channel ended, or a single operation on it failed.

::

    ChannelClosed
    ├── ServerClosedChannel                   the server sent channel.close
    │   └── ContentTooLarge, AccessRefused, NotFound, ResourceLocked, PreconditionFailed
    └── ClientClosedChannel                   the client closed it
        ├── ClientClosedChannelOK
        └── ClientClosedChannelError
            └── ChannelUnanswered             the server never answered a cancelled operation
    ChannelInactive                           the server accepted no messages for too long
    EmptyQueue                                an answer, not a failure
    PublishNotReady                           publish_nowait would have to wait
    SocketFull                                the socket's buffer was full for too long

`ammoo.exceptions.publishing` has the outcomes of published messages.
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
    """The channel is closed; the subclass says by which side and why."""

    _ends_its_owner = True


class ServerClosedChannel(ServerRefusal, ChannelClosed):
    """The server closed the channel; `ServerRefusal` has the reason.

    The connection and its other channels stay open.

    Attributes:
        channel_id: The channel's number; 0 if it is not known.
    """

    channel_id = 0

    def __str__(self) -> str:
        return self._sentence(f"channel {self.channel_id}" if self.channel_id else "the channel")


class ContentTooLarge(ServerClosedChannel):
    """A message is larger than the server accepts (311); RabbitMQ sends 406 instead."""

    advice = "send smaller messages"


class AccessRefused(ServerClosedChannel):
    """A permission is missing, a name is reserved, or a queue has an exclusive consumer (403)."""

    advice = "check the user's permissions on the virtual host, and the name"


class NotFound(ServerClosedChannel):
    """The queue or exchange does not exist (404)."""

    advice = "declare it first, and check its name and the virtual host"


class ResourceLocked(ServerClosedChannel):
    """The queue is exclusive to another connection (405)."""

    recoverable = True
    advice = "wait until the other connection is gone, or use a queue that is not exclusive"


class PreconditionFailed(ServerClosedChannel):
    """A queue or exchange has different properties, or an argument is invalid (406)."""

    advice = "change the argument or property that the server's text names"


class ClientClosedChannel(ChannelClosed):
    """The client closed the channel."""


class ClientClosedChannelOK(ClientClosedChannel):
    """The client closed the channel, and nothing was wrong."""

    def __str__(self) -> str:
        return "the channel was closed by the client (close, drain, or the end of its block)"


class ClientClosedChannelError(ClientClosedChannel):
    """The client closed the channel because of an exception.

    Attributes:
        exc: The exception that left the channel's ``async with`` block.
    """

    def __init__(self, exc: BaseException) -> None:
        super().__init__(exc)
        self.exc = exc

    def __str__(self) -> str:
        return f"the channel was closed by the client because of {self.exc!r}"


class ChannelUnanswered(ClientClosedChannelError):
    """The client closed the channel, because the server never answered a cancelled operation.

    Attributes:
        exc: An `OperationTimeout` that names the operation.
    """

    recoverable = True

    def __str__(self) -> str:
        return (
            f"the channel was closed by the client: {self.exc}, so operations behind it would wait"
            " for ever; open another channel, or connect again"
        )


class ChannelInactive(AmmooError, TimeoutError):
    """The server accepted no messages (channel.flow) for the whole blocked_timeout or operation_timeout.

    The message was not sent. The channel stays open.

    Attributes:
        timeout: How long the publish waited, in seconds.
    """

    recoverable = True

    def __init__(self, timeout: float = 0.0) -> None:
        super().__init__(timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"the server has accepted no messages on this channel (channel.flow) for more than"
            f" {self.timeout:g} s; the message was not sent"
        )


class SocketFull(AmmooError, TimeoutError):
    """The socket's buffer stayed full for the whole blocked_timeout or operation_timeout.

    The server does not read, or the network is slow or gone. The message was not sent. The channel
    stays open.

    Attributes:
        timeout: How long the publish waited, in seconds.
    """

    recoverable = True

    def __init__(self, timeout: float = 0.0) -> None:
        super().__init__(timeout)
        self.timeout: float = timeout

    def __str__(self) -> str:
        return (
            f"the socket's buffer was full for {self.timeout:g} s, so the message was not sent:"
            " the server does not read, or the network is too slow"
        )


class EmptyQueue(AmmooError):
    """The queue has no message that is ready.

    Attributes:
        queue_name: The queue.
    """

    def __init__(self, queue_name: str = "") -> None:
        super().__init__(queue_name)
        self.queue_name = queue_name

    def __str__(self) -> str:
        return f"queue {self.queue_name!r} has no message to get"


class PublishNotReady(AmmooError):
    """`Channel.publish_nowait` was called while `Channel.publish` would wait.

    The message was not sent.

    Attributes:
        reason: The reason why `Channel.publish` would wait.
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
    """Return the exception for a channel.close, of the reply code's class if it has one."""
    cls = _BY_REPLY_CODE.get(reply_code, ServerClosedChannel)
    error = cls(reply_code, reply_text, class_id, method_id)
    error.channel_id = channel_id
    return error
