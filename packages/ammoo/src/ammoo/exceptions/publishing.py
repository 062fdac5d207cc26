"""The outcomes of published messages that were not confirmed, and of operations that were not sent.

::

    PublishFailed                             a message was not confirmed; the subclass says why
    ├── PublishNack                           the server refused it (basic.nack)
    │   └── PublishRefused                    the server closed channel or connection for it
    ├── PublishReturned                       the server could not route it
    ├── PublishNotSent                        it was not sent
    └── PublishUnknown                        it was sent; the connection ended before the confirm
    NotSent                                   an operation waited for recovery, and was not sent
    ├── NotSentInTime
    └── PublishNotSent
    StaleDelivery                             the message's channel is gone: nothing was sent

A confirmed message raises nothing. Only a message that was not sent can be sent again
without the risk that the server stores it twice.
"""

from typing import TYPE_CHECKING, Any

from .base import AmmooError, OperationTimeout

if TYPE_CHECKING:
    from ..messages import ReturnMessage

__all__ = [
    "NotSent",
    "NotSentInTime",
    "PublishFailed",
    "PublishNack",
    "PublishNotSent",
    "PublishRefused",
    "PublishReturned",
    "PublishUnknown",
    "StaleDelivery",
]


class PublishFailed(AmmooError):
    """A message was not confirmed; the subclass says why.

    Attributes:
        exchange_name: The exchange that it was published to; empty if not known.
        routing_key: The routing key; empty if not known.
        publish_sequence_number: The number of the message on its channel or publisher, counted
            from 1; 0 if it got no number.
    """

    exchange_name: str = ""
    routing_key: str = ""
    publish_sequence_number: int = 0

    def _message(self) -> str:
        """Return a name for the message, as far as it is known."""
        number = f" {self.publish_sequence_number}" if self.publish_sequence_number else ""
        if not (self.exchange_name or self.routing_key):
            return f"message{number}"
        return (
            f"message{number} to exchange {self.exchange_name!r}"
            f" with routing key {self.routing_key!r}"
        )


class PublishNack(PublishFailed):
    """The server did not take responsibility for a message (basic.nack).

    With RabbitMQ, a queue is full and rejects messages, or has failed. Other queues may have stored
    the message.
    """

    recoverable = True

    def __init__(self, publish_sequence_number: int = 0) -> None:
        super().__init__(publish_sequence_number)
        self.publish_sequence_number = publish_sequence_number

    def __str__(self) -> str:
        return (
            f"the server did not accept {self._message()} (basic.nack); with RabbitMQ, a queue is"
            " full and rejects messages, or has failed: publish it again later"
        )


class PublishRefused(PublishNack):
    """The server closed the channel or the connection because of this message.

    The client never sends it again by itself: the server would close the next channel, too.

    Attributes:
        exc: The exception that says why the server closed it.
    """

    recoverable = False

    def __init__(self, exc: Exception, publish_sequence_number: int = 0) -> None:
        super().__init__(publish_sequence_number)
        self.args: tuple[Any, ...] = (exc, publish_sequence_number)
        self.exc = exc

    def __str__(self) -> str:
        return f"the server refused {self._message()}: {self.exc}"


class PublishReturned(PublishFailed):
    """The server could not route a mandatory message, and returned it (basic.return).

    Attributes:
        message: The message as it was returned.
        reply_code: The reason, as a number: 312 for no route, 313 for no consumers.
        reply_text: The reason, in the server's words.
    """

    def __init__(self, message: "ReturnMessage", publish_sequence_number: int = 0) -> None:
        super().__init__(message, publish_sequence_number)
        self.message = message
        self.publish_sequence_number = publish_sequence_number
        self.reply_code: int = message.reply_code
        self.reply_text: str = message.reply_text
        self.exchange_name: str = message.exchange_name
        self.routing_key: str = message.routing_key

    def __str__(self) -> str:
        return (
            f"the message to exchange {self.message.exchange_name!r} with routing key"
            f" {self.message.routing_key!r} was returned: {self.reply_text} ({self.reply_code});"
            " bind a queue for it"
        )


class PublishUnknown(PublishFailed):
    """A message was sent, and the channel or connection ended before the server confirmed it.

    The server may have it. Publishing it again may store it twice. A publisher may have sent it
    again already (``republish=True``): then the server did not accept the second copy, and may have
    the first.

    Attributes:
        exc: The exception that ended the channel or the connection, or the outcome of the copy that
            was sent again.
    """

    recoverable = True

    def __init__(self, exc: Exception, publish_sequence_number: int = 0) -> None:
        super().__init__(exc, publish_sequence_number)
        self.exc = exc
        self.publish_sequence_number = publish_sequence_number

    def __str__(self) -> str:
        return (
            f"{self._message()} was sent and not confirmed; it is not known whether the server has it:"
            f" {self.exc}"
        )


class NotSent(AmmooError):
    """An operation waited for the connection to be open again, and was not sent.

    Attributes:
        operation: The method, ``queue.declare`` for example.
        reason: Why it was not sent.
    """

    recoverable = True

    def __init__(self, operation: str, reason: str = "") -> None:
        AmmooError.__init__(self, operation, reason)  # not the next class's: see NotSentInTime
        self.operation = operation
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.operation} was not sent: {self.reason}"


class NotSentInTime(NotSent, OperationTimeout):
    """The connection was not open again within the operation's time; nothing was sent.

    Attributes:
        timeout: How long the operation waited, in seconds.
    """

    def __init__(self, operation: str, timeout: float) -> None:
        NotSent.__init__(self, operation, f"the connection was not open again in {timeout:g} s")
        self.args: tuple[Any, ...] = (operation, timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return NotSent.__str__(self)


class PublishNotSent(NotSent, PublishFailed):
    """A message was not sent; it can be published again without being stored twice."""

    def __init__(self, reason: str = "") -> None:
        super().__init__("basic.publish", reason)
        self.args: tuple[Any, ...] = (reason,)

    def __str__(self) -> str:
        return f"{self._message()} was not sent: {self.reason}"


class StaleDelivery(AmmooError):
    """A message cannot be settled, because the channel that it came on is gone; nothing was sent.

    The server delivers the message again, to this consumer or to another one.

    Attributes:
        delivery_tag: The message's delivery tag.
    """

    def __init__(self, delivery_tag: int = 0) -> None:
        super().__init__(delivery_tag)
        self.delivery_tag = delivery_tag

    def __str__(self) -> str:
        return (
            f"delivery {self.delivery_tag} came on a channel that is gone, so it cannot be settled;"
            " nothing was sent, and the server delivers the message again"
        )
