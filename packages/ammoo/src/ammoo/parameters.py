"""What a connection needs in order to be opened, and to be opened again.

`ammoo.uri` makes the parameters of a URL and keyword arguments; `ammoo.live`
opens a connection by them. This module imports neither.
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
    """Everything that a connection needs to be opened, or opened again."""

    host: str
    """Name or address; a path, beginning with a slash, for a Unix socket."""
    port: int
    virtualhost: str
    ssl_context: SSLContext | None
    """None for no encryption."""
    server_hostname: str | None
    """Whose certificate to expect; None for the host's."""
    auth: Authentication | AuthenticationMechanism
    heartbeat_interval: int | None
    """In seconds; None for what the server proposes, 0 for none."""
    frame_max: int
    channel_max: int
    connection_timeout: float | None
    """In seconds, for socket and handshake together; None for no limit."""
    operation_timeout: float | None
    """In seconds, for the answer to one operation; None for no limit."""
    blocked_timeout: float | None
    """In seconds, for how long a publish is held back; None for no limit."""
    client_properties: dict[str, Any]
    open_transport: OpenTransport | None = None
    """What connects, in place of the event loop; None for the event loop."""
    address_timeout: float | None = None
    """In seconds, for one address of several; None for an equal share of connection_timeout."""

    def __repr__(self) -> str:
        return f"<ConnectionParameters {self.address} virtualhost={self.virtualhost!r}>"

    @property
    def address(self) -> str:
        """Where the server is, as a URL without user and password."""
        scheme = "amqp" if self.ssl_context is None else "amqps"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}" if host.startswith("/") else f"{scheme}://{host}:{self.port}"
