"""What a node asks of its clients' connections and channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ammoo_wire import ProtocolError

    from ..auth.login import Peer
    from ..auth.users import User
    from ..history.event_fields import Identity
    from ..messages.message import Message
    from ..queues.delivery import Unacked
    from .virtual_host import VirtualHost

__all__ = ["Client", "ClientChannel", "ReplyReceiver"]


class ClientChannel(Protocol):
    """What a node asks of a channel that is open or closing."""

    @property
    def number(self) -> int:
        """The channel's number on its connection."""
        ...

    def memory_size(self) -> int:
        """Return how much memory unacked and uncommitted messages take, in octets."""
        ...

    def all_unacked(self) -> dict[int, Unacked]:
        """Return the unsettled deliveries by delivery tag."""
        ...


class ReplyReceiver(Protocol):
    """What a node asks of a consumer of direct replies."""

    def deliver(self, message: Message) -> None:
        """Deliver a reply."""


class Client(Protocol):
    """What a node asks of a connection; the user and the virtual host are valid once it is open."""

    @property
    def peer(self) -> Peer:
        """The address that the client connects from."""
        ...

    @property
    def identity(self) -> Identity:
        """The names of the connection."""
        ...

    @property
    def user(self) -> User:
        """The user that is logged in."""
        ...

    @property
    def virtualhost(self) -> VirtualHost:
        """The virtual host that the client has opened."""
        ...

    @property
    def client_properties(self) -> Mapping[str, Any]:
        """The properties that the client sent in connection.start-ok."""
        ...

    @property
    def channels(self) -> Mapping[int, ClientChannel]:
        """The open channels by number."""
        ...

    def all_channels(self) -> Iterable[ClientChannel]:
        """Yield the channels that may have unsettled deliveries: the closing and the open ones."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether the client has opened a virtual host, and the connection is not closing."""
        ...

    @property
    def is_blocked(self) -> bool:
        """Whether the client published during an alarm, so the broker does not read on."""
        ...

    def memory_size(self) -> int:
        """Return how much memory messages to and from the client take, in octets."""
        ...

    def unblock(self) -> None:
        """Resume reading: the alarm is over."""

    def stop_deliveries(self) -> None:
        """Stop deliveries: the node goes down."""

    def disconnected(self) -> None:
        """Leave channels and queues: the socket is closed, or will be at once."""

    def close(self, error: ProtocolError) -> None:
        """Close the connection because of an error (connection.close)."""
