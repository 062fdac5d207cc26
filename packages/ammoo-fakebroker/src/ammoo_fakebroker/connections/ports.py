"""What a channel and the handlers of its methods ask of their connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ammoo_wire import ProtocolError

    from ..auth.users import User
    from ..history.event_fields import Identity
    from ..node.node import Node
    from ..node.virtual_host import VirtualHost
    from .strike_points import StrikePoints

__all__ = ["ChannelConnection", "ConfirmingChannel", "DirectReplyConsumer"]


class ConfirmingChannel(Protocol):
    """A channel with publishes that are settled and not yet confirmed to the client."""

    def flush_confirms(self) -> None:
        """Send the acks and nacks that are due."""


class DirectReplyConsumer(Protocol):
    """The consumer of a channel's direct replies."""

    @property
    def tag(self) -> str:
        """The consumer tag."""
        ...

    @property
    def queue_name(self) -> str:
        """The generated name that requests carry in reply_to."""
        ...

    def cancel(self) -> None:
        """Stop the consumer; later replies are dropped."""


class ChannelConnection(Protocol):
    """What a channel asks of its connection."""

    @property
    def node(self) -> Node:
        """The node that the client is connected to."""
        ...

    @property
    def identity(self) -> Identity:
        """The names of the connection, for the history."""
        ...

    @property
    def virtualhost(self) -> VirtualHost:
        """The virtual host that the client has opened."""
        ...

    @property
    def user(self) -> User:
        """The user that is logged in."""
        ...

    @property
    def strike_points(self) -> StrikePoints:
        """The points at which scripted faults strike."""
        ...

    @property
    def channel_max(self) -> int:
        """The negotiated limit of open channels; 0 for no limit."""
        ...

    @property
    def is_deliverable(self) -> bool:
        """Whether the client reads fast enough to be sent more messages."""
        ...

    @property
    def confirming(self) -> list[ConfirmingChannel]:
        """The channels whose confirms are sent when the current commands are executed."""
        ...

    def client_can(self, capability: str) -> bool:
        """Return whether the client announced a capability."""
        ...

    def send(self, channel_number: int, parameters: tuple[Any, ...]) -> None:
        """Queue a method for the client."""

    def send_method(self, channel_number: int, payload: bytes) -> None:
        """Queue an encoded method for the client."""

    def send_content(
        self, channel_number: int, payload: bytes, properties: bytes, body: bytes | bytearray
    ) -> None:
        """Queue an encoded method with its content for the client."""

    def close_channel(self, channel_number: int) -> None:
        """Close a channel because its client asked for it."""

    def fail_channel(self, channel_number: int, error: ProtocolError) -> None:
        """Close a channel because of an error (channel.close)."""

    def close(self, error: ProtocolError) -> None:
        """Close the connection because of an error (connection.close)."""
