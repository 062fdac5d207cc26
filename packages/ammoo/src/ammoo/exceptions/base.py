"""The base of all exceptions of the client, and the base of the server's refusals.

A refusal has the four fields of ``channel.close`` or ``connection.close`` as attributes; its text is
made of them when it is shown. The other modules of this package map reply codes to classes.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar

from ammoo_wire import method_with_id

__all__ = [
    "AmmooError",
    "OperationTimeout",
    "ServerRefusal",
    "mark_as_reported",
    "raise_unreported",
]


class AmmooError(Exception):
    """The base of all exceptions of the client.

    Attributes:
        recoverable: Whether the same operation could succeed on a new connection or channel,
            without any change by the caller.
    """

    recoverable: bool = False
    _ends_its_owner: ClassVar[bool] = False
    """Whether a connection, channel or consumer has ended with the error."""
    _restored: Callable[[], Awaitable[None]] | None = None
    """Waits until the connection, channel or consumer is restored; set if recovery tries that."""

    async def recovered(self) -> None:
        """Wait until the connection, channel or consumer that ended with this error is usable again.

        Return at once if it is usable already, or if the error has ended nothing.

        Raises:
            AmmooError: It will not be usable again; the error says why. Without recovery this is
                the error on which the method was called.
        """
        if self._restored is not None:
            await self._restored()
        elif self._ends_its_owner:
            raise self.with_traceback(None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out attributes that are valid only in this process (pickle)."""
        kept = {name: value for name, value in self.__dict__.items() if name != "_restored"}
        return (type(self), self.args, kept)


class OperationTimeout(AmmooError, TimeoutError):
    """The server did not answer an operation in time.

    A reply that still comes is treated as if the operation had been cancelled: the channel stays
    usable, and later replies go to their callers. The server answers the operations of a channel in
    order. If the missing reply is the next one, and does not come for a minute, the client closes
    the channel with `ChannelUnanswered`. A missing confirm closes nothing.

    Attributes:
        operation: The method that was not answered, ``queue.declare`` for example.
        timeout: How long the operation waited, in seconds.
    """

    recoverable = True

    def __init__(self, operation: str, timeout: float) -> None:
        super().__init__(operation, timeout)
        self.operation = operation
        self.timeout = timeout

    def __str__(self) -> str:
        return f"the server did not answer {self.operation} within {self.timeout:g} s"


class ServerRefusal(AmmooError):
    """The fields of the server's channel.close or connection.close; only subclasses are raised.

    Attributes:
        reply_code: The reason, as a number (section 1.1.2 of the specification).
        reply_text: The reason, in the server's words.
        class_id: The class of the method that caused it; 0 if none did.
        method_id: The method that caused it; 0 if none did.
    """

    advice: ClassVar[str] = ""
    """What the user can do about it; empty if there is no advice for the whole class."""

    def __init__(self, reply_code: int, reply_text: str, class_id: int, method_id: int) -> None:
        super().__init__(reply_code, reply_text, class_id, method_id)
        self.reply_code = reply_code
        self.reply_text = reply_text
        self.class_id = class_id
        self.method_id = method_id

    def _sentence(self, subject: str) -> str:
        """Return what happened to `subject`, why, and what to do about it."""
        method = method_with_id(self.class_id << 16 | self.method_id)
        answering = f", answering {method.name}" if method is not None else ""
        advice = self._advice()
        return (
            f"{subject} was closed by the server: {self.reply_text} ({self.reply_code}{answering})"
            + (f"; {advice}" if advice else "")
        )

    def _advice(self) -> str:
        for clue, advice in _ADVICE_BY_CLUE.items():
            if clue in self.reply_text:
                return advice
        return self.advice


# Advice where the reply code is not specific enough, by a part of RabbitMQ's reply text.
_ADVICE_BY_CLUE = {
    "transient_nonexcl_queues": (
        "this RabbitMQ does not support queues that are neither durable nor exclusive:"
        " pass durable=True (or exclusive=True) to declare_queue"
    ),
    "global_qos": "this RabbitMQ does not support qos with global_=True: pass global_=False",
    "queue_master_locator": "drop x-queue-master-locator from the arguments",
    "inequivalent arg": (
        "it exists with different properties: declare it with the same ones, or delete it first"
    ),
    "unknown delivery tag": (
        "settle each message once, on the channel that it came on, and none with no_ack"
    ),
    "requeue=false": "RabbitMQ supports only recover(requeue=True)",
    "immediate=true": "RabbitMQ does not support immediate; use expiration and a dead letter exchange",
    "prefetch_size": "RabbitMQ does not support prefetch_size; use prefetch_count",
    "active=false": "RabbitMQ does not support flow(False); use qos, or cancel the consumer",
    "connection limit": "close other connections, or raise the limit",
    "reuse consumer tag": "do not choose consumer tags: the client makes unique ones",
    "negotiated frame_max": "pass frame_max=8192 or more to connect",
    "exchange type '": "check the exchange's type, and that the server has the plugin for it",
    "in exclusive use": "wait until the queue's exclusive consumer is gone",
    "' in use": "remove its consumers or bindings first, or leave if_unused out",
    "' not empty": "purge it first, or leave if_empty out",
    "to tx mode": "a channel has either confirms or transactions: use another channel",
    "to confirm mode": "a channel has either confirms or transactions: use another channel",
    "reserved prefix": "choose a name that does not begin with 'amq.'",
    "system exchange": "the server's own exchanges, whose names begin with 'amq.', cannot be deleted",
    "default exchange": "it routes to each queue by its name, and can be neither bound nor deleted",
    "message size": "send smaller messages, or raise the server's max_message_size",
    "timed out. Timeout value": ("settle messages sooner, or raise the server's consumer_timeout"),
}


def raise_unreported(error: Exception | None) -> None:
    """Raise the server's reason for a close, unless an operation has raised it already.

    An exception that was raised has a traceback.
    """
    if isinstance(error, ServerRefusal) and error.__traceback__ is None:
        raise error


def mark_as_reported(error: Exception) -> None:
    """Keep `raise_unreported` from raising an error, because another exception says the same."""
    if error.__traceback__ is None:
        with suppress(type(error)):
            raise error
