"""The parts of the user's channels and consumers that recovery uses."""

from typing import Protocol

from ammoo_wire import FieldTable

from ..inbox import Inbox

__all__ = ["LastingConsumer", "UserChannel"]


class UserChannel(Protocol):
    """The user's `Channel`, as an event reports it."""

    @property
    def channel_id(self) -> int:
        """The channel's number."""
        ...

    @property
    def body_encoding(self) -> str:
        """The encoding of text bodies where neither a message nor an argument names one."""
        ...


class LastingConsumer(Protocol):
    """The caller's `Consumer`, as an event reports it; it survives its live channel."""

    @property
    def consumer_tag(self) -> str:
        """The name of the consumer on its channel."""
        ...

    @property
    def queue_name(self) -> str:
        """The queue's name."""
        ...

    def _resume(self, arguments: FieldTable) -> FieldTable:
        """Return the arguments with which the consumer continues where it was."""
        ...

    def _attach(self, inbox: Inbox) -> None:
        """Continue with the messages that a live channel delivers to another inbox."""

    def _close_for_good(self, error: Exception) -> None:
        """End the consumer with an error."""
