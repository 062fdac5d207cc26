"""What recovery asks of the caller's channels and consumers, which stand above it."""

from typing import Protocol

from ammoo_wire import FieldTable

from ..channel_settings import ChannelSettings
from ..inbox import Inbox
from ..live.channel import LiveChannel

__all__ = ["LastingChannel", "LastingConsumer"]


class LastingChannel(Protocol):
    """The caller's `Channel`: it survives its live channels."""

    @property
    def body_encoding(self) -> str:
        """How text becomes a body where nothing else says so."""
        ...

    @property
    def settings(self) -> ChannelSettings:
        """What the caller has asked of the channel."""
        ...

    def attach(self, live: LiveChannel) -> None:
        """Go on with a live channel that has been opened and set up."""

    def gate_cleared(self) -> None:
        """Publish without asking the gate: nothing waits there any more."""

    def reopened(self) -> None:
        """Let what waited for the channel alone go on."""

    def close_for_good(self, error: Exception) -> None:
        """End the channel with an error; its consumers end with it."""


class LastingConsumer(Protocol):
    """The caller's `Consumer`: it survives its live channel."""

    def resume(self, arguments: FieldTable) -> FieldTable:
        """Return the arguments with which the consumer goes on where it was."""
        ...

    def attach(self, inbox: Inbox) -> None:
        """Go on with what a live channel delivers to another inbox."""

    def close_for_good(self, error: Exception) -> None:
        """End the consumer with an error."""
