"""The parameters with which a connection is opened, and opened again by recovery.

`ammoo.uri` makes them from a URL and keyword arguments; `ammoo.live` opens a connection with them.
This module imports neither.
"""

from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import Any, NamedTuple

from .auth.abc import Authentication, AuthenticationMechanism

__all__ = ["ConnectionParameters", "OpenTransport"]

OpenTransport = Callable[..., Awaitable[tuple[object, object]]]
"""A function like `asyncio.loop.create_connection`.

It is called with a factory of protocols, a host and a port, and by keyword with `ssl` and
`server_hostname`, both None without TLS. It returns the transport and the protocol.
"""


class ConnectionParameters(NamedTuple):
    """The server's address, the login and the options of a connection."""

    host: str
    """The name or address of the host; a path, which begins with a slash, for a Unix socket."""
    port: int
    virtualhost: str
    ssl_context: SSLContext | None
    """The TLS settings; None for no encryption."""
    server_hostname: str | None
    """The name to expect in the server's certificate; None for the host's."""
    auth: Authentication | AuthenticationMechanism
    heartbeat_interval: int | None
    """In seconds; None for the server's proposal, 0 for no heartbeats."""
    frame_max: int
    """In octets; 0 for no limit."""
    channel_max: int
    """How many channels may be open; 0 for no limit."""
    connection_timeout: float | None
    """In seconds, for socket and handshake together; None for no limit."""
    operation_timeout: float | None
    """In seconds, for the answer to one operation; None for no limit."""
    blocked_timeout: float | None
    """In seconds, for the wait of a publish that cannot be sent; None for no limit."""
    client_properties: dict[str, Any]
    open_transport: OpenTransport | None = None
    """A function that connects instead of the event loop; None for the event loop."""
    address_timeout: float | None = None
    """In seconds, for one address of several; None for an equal share of connection_timeout."""

    def __repr__(self) -> str:
        return f"<ConnectionParameters {self.address} virtualhost={self.virtualhost!r}>"

    @property
    def address(self) -> str:
        """The server's address, as a URL without user and password."""
        scheme = "amqp" if self.ssl_context is None else "amqps"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}" if host.startswith("/") else f"{scheme}://{host}:{self.port}"
