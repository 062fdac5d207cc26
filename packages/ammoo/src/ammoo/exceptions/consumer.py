"""Why a consumer ended while its channel stays open.

::

    ConsumerCancelled
    ├── ServerCancelledConsumer               the server sent basic.cancel: the queue is gone
    └── ClientCancelledConsumer               the client cancelled it
        ├── ClientCancelledConsumerOK
        ├── ConsumerOverflow                  too many messages were unread
        └── ClientCancelledConsumerError
"""

from typing import Any

from .base import AmmooError

__all__ = [
    "ClientCancelledConsumer",
    "ClientCancelledConsumerError",
    "ClientCancelledConsumerOK",
    "ConsumerCancelled",
    "ConsumerOverflow",
    "ServerCancelledConsumer",
]


class ConsumerCancelled(AmmooError):
    """The consumer receives no more messages; the subclass says which side cancelled it.

    Attributes:
        consumer_tag: The consumer's tag.
        queue_name: The queue.
    """

    _ends_its_owner = True

    def __init__(self, consumer_tag: str = "", queue_name: str = "") -> None:
        super().__init__(consumer_tag, queue_name)
        self.consumer_tag = consumer_tag
        self.queue_name = queue_name


class ServerCancelledConsumer(ConsumerCancelled):
    """The server cancelled the consumer: with RabbitMQ, the queue was deleted or moved."""

    recoverable = True

    def __str__(self) -> str:
        return (
            f"the server cancelled consumer {self.consumer_tag!r} on queue {self.queue_name!r};"
            " the queue was deleted, or its node is gone; the channel is open, consume again"
        )


class ClientCancelledConsumer(ConsumerCancelled):
    """The client cancelled the consumer."""


class ClientCancelledConsumerOK(ClientCancelledConsumer):
    """The client cancelled the consumer, and nothing was wrong."""

    def __str__(self) -> str:
        return (
            f"consumer {self.consumer_tag!r} on queue {self.queue_name!r} was cancelled by the client"
            " (cancel, drain, or the end of its block)"
        )


class ClientCancelledConsumerError(ClientCancelledConsumer):
    """The client cancelled the consumer because of an exception.

    Attributes:
        exc: The exception that left the consumer's ``async with`` block.
    """

    def __init__(self, exc: BaseException, consumer_tag: str = "", queue_name: str = "") -> None:
        super().__init__(consumer_tag, queue_name)
        self.args: tuple[Any, ...] = (exc, consumer_tag, queue_name)
        self.exc = exc

    def __str__(self) -> str:
        return (
            f"consumer {self.consumer_tag!r} on queue {self.queue_name!r} was cancelled by the client"
            f" because of {self.exc!r}"
        )


class ConsumerOverflow(ClientCancelledConsumer):
    """The client cancelled the consumer, because too many of its messages were unread.

    The client stops reading the socket while a consumer has 1000 unread messages, but not while
    another task waits for the server: the answer may come after those messages. So without a
    prefetch limit unread messages can accumulate, up to this limit. The messages that have
    arrived can still be read before this is raised; the others are in the queue.

    Attributes:
        unread: How many messages were unread.
        unread_octets: How many octets the large ones among these messages have.
    """

    def __init__(
        self,
        consumer_tag: str = "",
        queue_name: str = "",
        unread: int = 0,
        unread_octets: int = 0,
    ) -> None:
        super().__init__(consumer_tag, queue_name)
        self.args: tuple[Any, ...] = (consumer_tag, queue_name, unread, unread_octets)
        self.unread: int = unread
        self.unread_octets: int = unread_octets

    def __str__(self) -> str:
        return (
            f"consumer {self.consumer_tag!r} on queue {self.queue_name!r} was cancelled by the"
            f" client: {self.unread} of its messages ({self.unread_octets} octets of large ones)"
            " were unread, and other tasks waited for the server; limit them with"
            " channel.qos(prefetch_count=…), which does not work with no_ack, or read faster"
        )
