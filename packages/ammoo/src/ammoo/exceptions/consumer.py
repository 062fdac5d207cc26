"""Why a consumer ended while its channel goes on.

::

    ConsumerCancelled
    ├── ServerCancelledConsumer               the server sent basic.cancel: the queue is gone
    └── ClientCancelledConsumer               the client cancelled it
        ├── ClientCancelledConsumerOK
        └── ClientCancelledConsumerError
"""

from typing import Any

from .base import AmmooError

__all__ = [
    "ClientCancelledConsumer",
    "ClientCancelledConsumerError",
    "ClientCancelledConsumerOK",
    "ConsumerCancelled",
    "ServerCancelledConsumer",
]


class ConsumerCancelled(AmmooError):
    """The consumer gets no more messages; the subclass says which side cancelled it.

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
        return f"consumer {self.consumer_tag!r} on queue {self.queue_name!r} was cancelled by the client"


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
        return f"consumer {self.consumer_tag!r} was cancelled by the client because of {self.exc!r}"
