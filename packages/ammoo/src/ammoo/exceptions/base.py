"""What all our exceptions have in common, and what a server's refusal looks like.

A refusal carries the four fields of ``channel.close`` or ``connection.close`` as
attributes; its sentence is made of them only when somebody reads it. Reply codes
are mapped to classes in the modules beside this one.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from ammoo_wire import method_with_id

__all__ = ["AmmooError", "OperationTimeout", "ServerRefusal"]


class AmmooError(Exception):
    """Base of every exception that is ours.

    Attributes:
        recoverable: Whether the same could succeed on a connection or channel opened anew,
            without anything being changed by the caller.
    """

    recoverable: bool = False
    _ends_its_owner: ClassVar[bool] = False
    """Whether a connection, channel or consumer has ended with the error."""
    _restored: Callable[[], Awaitable[None]] | None = None
    """Waits until what has ended is there again; set where recovery will try."""

    async def recovered(self) -> None:
        """Wait until what ended with this error is usable again.

        Returns at once if it is already, or if nothing has ended.

        Raises:
            AmmooError: It will not be usable again; the error says why. Without recovery it
                is this one.
        """
        if self._restored is not None:
            await self._restored()
        elif self._ends_its_owner:
            raise self.with_traceback(None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out what belongs to this process."""
        kept = {name: value for name, value in self.__dict__.items() if name != "_restored"}
        return (type(self), self.args, kept)


class OperationTimeout(AmmooError, TimeoutError):
    """The server did not answer an operation in time.

    The answer, if it comes, is dealt with as if the operation had been cancelled:
    the channel stays usable and later answers go where they belong. If the server owes
    nothing else for a minute, and still does not answer, the channel is closed with
    `ChannelUnanswered`. A confirm may come as late as it likes.

    Attributes:
        operation: The method that was not answered, ``queue.declare`` for example.
        timeout: For how many seconds it was waited.
    """

    recoverable = True

    def __init__(self, operation: str, timeout: float) -> None:
        super().__init__(operation, timeout)
        self.operation = operation
        self.timeout = timeout

    def __str__(self) -> str:
        return f"the server did not answer {self.operation} within {self.timeout:g} s"


class ServerRefusal(AmmooError):
    """The fields of a close that the server sent. Not raised by itself.

    Attributes:
        reply_code: Why, as a number (section 1.1.2).
        reply_text: Why, in the server's words.
        class_id: Class of the method that caused it; 0 if none did.
        method_id: The method that caused it; 0 if none did.
    """

    advice: ClassVar[str] = ""
    """What whoever reads the error can do."""

    def __init__(self, reply_code: int, reply_text: str, class_id: int, method_id: int) -> None:
        super().__init__(reply_code, reply_text, class_id, method_id)
        self.reply_code = reply_code
        self.reply_text = reply_text
        self.class_id = class_id
        self.method_id = method_id

    def _sentence(self, subject: str) -> str:
        """Say what happened to `subject`, why, and what to do about it."""
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


# Where the code alone says too little: what RabbitMQ's text holds, and what to do then.
_ADVICE_BY_CLUE = {
    "transient_nonexcl_queues": (
        "this RabbitMQ takes no queue that is neither durable nor exclusive:"
        " pass durable=True (or exclusive=True) to declare_queue"
    ),
    "global_qos": "this RabbitMQ takes no qos with global_=True: pass global_=False",
    "queue_master_locator": "drop x-queue-master-locator from the arguments",
    "inequivalent arg": (
        "it exists with other properties: declare it as it is, or delete it first"
    ),
    "unknown delivery tag": (
        "a message can be settled once, on the channel it came on, and not at all with no_ack"
    ),
    "requeue=false": "RabbitMQ only knows recover(requeue=True)",
    "immediate=true": "RabbitMQ does not know immediate; use expiration and a dead letter exchange",
    "prefetch_size": "RabbitMQ does not know prefetch_size; use prefetch_count",
    "active=false": "RabbitMQ cannot be told to stop; use qos, or cancel the consumer",
    "connection limit": "close other connections, or have the limit raised",
    "reuse consumer tag": "leave the tag to the client, which makes one of its own",
    "negotiated frame_max": "pass frame_max=8192 or more to connect",
    "exchange type '": "check the exchange's type, and that the server has the plugin for it",
    "in exclusive use": "wait until the consumer that has the queue alone is gone",
    "message size": "send less at once, or raise the server's max_message_size",
    "timed out. Timeout value": ("settle messages sooner, or raise the server's consumer_timeout"),
}
