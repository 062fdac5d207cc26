"""Why a connection ended, or never came to be.

::

    ConnectionClosed
    ├── ConnectionLost                        the socket broke
    │   └── LoginFrameTooLarge                and the login was larger than the server takes
    ├── HeartbeatTimeout                      the server fell silent
    ├── ConnectionTimeout                     the server did not finish the opening in time
    ├── ServerClosedConnection                the server said connection.close
    │   └── ConnectionForced, InvalidPath, LoginRefused, CommandInvalid, ChannelNumberError,
    │       ResourceError, NotAllowed, MethodNotImplemented, InternalError
    ├── AuthenticationError                   the server did not let us in
    │   ├── LoginRefused
    │   └── NoChallengesAuthenticationError
    ├── ServerAuthMechanismsNotSupportedError
    ├── ServerLocalesNotSupportedError
    ├── InvalidServerFrame                    the server sent what is no AMQP
    │   └── WrongProtocol                     from the first octet on
    ├── UnexpectedFrame                       the server sent what has no place there
    ├── RecoveryFailed                        the client gave up connecting again
    └── ClientClosedConnection                we closed it
        ├── ClientClosedConnectionOK
        └── ClientClosedConnectionError
"""

from collections.abc import Iterable
from typing import Any

from .base import AmmooError, ServerRefusal

__all__ = [
    "AuthenticationError",
    "ChannelNumberError",
    "ClientClosedConnection",
    "ClientClosedConnectionError",
    "ClientClosedConnectionOK",
    "CommandInvalid",
    "ConnectionBlocked",
    "ConnectionClosed",
    "ConnectionForced",
    "ConnectionLost",
    "ConnectionTimeout",
    "HeartbeatTimeout",
    "InternalError",
    "InvalidPath",
    "InvalidServerFrame",
    "LoginFrameTooLarge",
    "LoginRefused",
    "MethodNotImplemented",
    "NoChallengesAuthenticationError",
    "NotAllowed",
    "RecoveryFailed",
    "ResourceError",
    "ServerAuthMechanismsNotSupportedError",
    "ServerClosedConnection",
    "ServerLocalesNotSupportedError",
    "TooManyChannels",
    "UnexpectedFrame",
    "WrongProtocol",
    "server_closed_connection",
]


_CONNECTION_OPEN = (10, 40)  # class and method id


class ConnectionClosed(AmmooError):
    """The connection is closed; the subclass tells by whom and why."""

    _ends_its_owner = True


class ConnectionLost(ConnectionClosed):
    """The socket was closed or broke without a word of AMQP.

    Attributes:
        exc: What the operating system said, or None if the server just closed it.
        address: Where the server is, as a URL without user and password; empty if not known.
    """

    recoverable = True

    def __init__(self, exc: Exception | None = None, address: str = "") -> None:
        super().__init__(exc, address)
        self.exc = exc
        self.address = address

    def __str__(self) -> str:
        at = f" at {self.address}" if self.address else ""
        if self.exc is None:
            return f"the server{at} closed the socket without closing the AMQP connection"
        return f"the connection to the server{at} was lost: {self.exc!r}"


class LoginFrameTooLarge(ConnectionLost):
    """The server closed the socket on a login that is larger than it takes.

    Until the limits of a connection are agreed on, RabbitMQ takes frames of 4096 octets
    (8192 from 4.1 on) and closes the socket on larger ones without a word.

    Attributes:
        method: The method that was sent: ``connection.start-ok`` or ``connection.secure-ok``.
        size: How large its frame was, in octets.
        limit: How large RabbitMQ takes it by default, in octets.
    """

    recoverable = False

    def __init__(
        self,
        method: str,
        size: int,
        limit: int,
        exc: Exception | None = None,
        address: str = "",
    ) -> None:
        super().__init__(exc, address)
        self.args: tuple[Any, ...] = (method, size, limit, exc, address)
        self.method = method
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{super().__str__()}, on a login of {self.size} octets ({self.method}); RabbitMQ"
            f" takes {self.limit} by default: send less (password or token, client_properties), or"
            " raise initial_frame_max in the server's configuration"
        )


class HeartbeatTimeout(ConnectionClosed):
    """Nothing came from the server for two heartbeat intervals.

    Attributes:
        timeout: For how many seconds: twice the interval.
        address: Where the server is; empty if not known.
    """

    recoverable = True

    def __init__(self, timeout: float, address: str = "") -> None:
        super().__init__(timeout, address)
        self.timeout = timeout
        self.address = address

    def __str__(self) -> str:
        at = f" at {self.address}" if self.address else ""
        return (
            f"nothing came from the server{at} for {self.timeout:g} s, two heartbeat intervals;"
            " the server or the network is gone, or this event loop was blocked that long"
        )


class ConnectionTimeout(ConnectionClosed, TimeoutError):
    """The server took the socket, but did not finish the opening of the connection in time.

    Attributes:
        timeout: For how many seconds it was waited.
        address: Where the server is; empty if not known.
    """

    recoverable = True

    def __init__(self, timeout: float, address: str = "") -> None:
        super().__init__(timeout, address)
        self.timeout = timeout
        self.address = address

    def __str__(self) -> str:
        at = f" at {self.address}" if self.address else ""
        return f"the server{at} did not open the connection within {self.timeout:g} s"


class RecoveryFailed(ConnectionClosed):
    """The connection was lost, and the client gave up connecting again.

    Attributes:
        exc: Why the last attempt failed, or what cannot be retried.
        attempts: How many rounds there were.
        outage: For how many seconds the connection was down.
    """

    def __init__(self, exc: Exception, attempts: int = 0, outage: float = 0.0) -> None:
        super().__init__(exc, attempts, outage)
        self.exc = exc
        self.attempts = attempts
        self.outage = outage

    def __str__(self) -> str:
        return (
            f"the connection was not recovered in {self.attempts} attempts within"
            f" {self.outage:.1f} s: {self.exc}"
        )


class ConnectionBlocked(AmmooError, TimeoutError):
    """The server takes no messages for want of memory or disk, and the time to wait is over.

    The message was not sent. The connection stays open.

    Attributes:
        reason: What the server is short of, in its words.
        timeout: For how many seconds it was waited.
    """

    recoverable = True

    def __init__(self, reason: str, timeout: float) -> None:
        super().__init__(reason, timeout)
        self.reason = reason
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"the server has blocked this connection ({self.reason}) for more than"
            f" {self.timeout:g} s; the message was not sent"
        )


class TooManyChannels(AmmooError):
    """As many channels are open as were agreed on; this one was not asked for.

    Attributes:
        channel_max: How many may be open.
    """

    def __init__(self, channel_max: int) -> None:
        super().__init__(channel_max)
        self.channel_max = channel_max

    def __str__(self) -> str:
        return (
            f"all {self.channel_max} channels of the connection are open (channel_max);"
            " close one, or open another connection"
        )


# --- closed by the server ------------------------------------------------------------------


class ServerClosedConnection(ServerRefusal, ConnectionClosed):
    """The server closed the connection and said why; `ServerRefusal` names the fields."""

    def __str__(self) -> str:
        return self._sentence("the connection")


class ConnectionForced(ServerClosedConnection):
    """An operator closed the connection, or the server is being shut down (320)."""

    recoverable = True
    advice = "connect again, after a pause"


class InvalidPath(ServerClosedConnection):
    """The virtual host is unknown (402); RabbitMQ says 530 instead."""

    advice = "check the virtual host's name"


class CommandInvalid(ServerClosedConnection):
    """The server does not take the method as it was sent (503)."""

    advice = "the server's words tell what it does not take"


class ChannelNumberError(ServerClosedConnection):
    """A method came on a channel that is not open (504)."""

    advice = "this is a fault of the client library, or of whoever wrote past it"


class ResourceError(ServerClosedConnection):
    """The server ran out of something (506)."""

    recoverable = True
    advice = "connect again, after a pause"


class NotAllowed(ServerClosedConnection):
    """The server forbids it whoever asks (530): an unknown virtual host, a consumer tag in use."""

    advice = "the server's words tell what it forbids"

    def _advice(self) -> str:
        advice = super()._advice()
        if advice is self.advice and (self.class_id, self.method_id) == _CONNECTION_OPEN:
            return "check the virtual host's name and the user's permissions on it"
        return advice


class MethodNotImplemented(ServerClosedConnection):
    """The server does not implement what was asked for (540)."""

    advice = "do without it"


class InternalError(ServerClosedConnection):
    """Something went wrong inside the server (541)."""

    advice = "the server's log has more"


# --- the opening ---------------------------------------------------------------------------


class AuthenticationError(ConnectionClosed):
    """The server did not let us in.

    Attributes:
        mechanism: The name of the mechanism that was used.
    """

    def __init__(self, mechanism: str) -> None:
        super().__init__(mechanism)
        self.mechanism = mechanism

    def __str__(self) -> str:
        return (
            f"the server refused the login, using {self.mechanism};"
            " check login and password, and that the user may log in from this host"
        )


class LoginRefused(AuthenticationError, ServerClosedConnection):
    """The server refused the login and said so (403)."""

    def __init__(
        self,
        reply_code: int,
        reply_text: str,
        class_id: int = 0,
        method_id: int = 0,
        mechanism: str = "",
    ) -> None:
        ServerClosedConnection.__init__(self, reply_code, reply_text, class_id, method_id)
        self.args: tuple[Any, ...] = (reply_code, reply_text, class_id, method_id, mechanism)
        self.mechanism = mechanism

    advice = "check login and password, and that the user may log in from this host"

    def __str__(self) -> str:
        return self._sentence("the connection")


class NoChallengesAuthenticationError(AuthenticationError):
    """The server sent a challenge, and the mechanism knows none."""

    def __init__(self, mechanism: str = "") -> None:
        super().__init__(mechanism)

    def __str__(self) -> str:
        return f"the server sent a challenge, which the mechanism {self.mechanism} does not know"


class ServerAuthMechanismsNotSupportedError(ConnectionClosed):
    """The server offers no mechanism that we may use.

    Attributes:
        server_mechanisms: What it offers.
        client_mechanisms: What we could use.
    """

    def __init__(
        self, server_mechanisms: Iterable[str] = (), client_mechanisms: Iterable[str] = ()
    ) -> None:
        super().__init__(server_mechanisms, client_mechanisms)
        self.server_mechanisms: frozenset[str] = frozenset(server_mechanisms)
        self.client_mechanisms: tuple[str, ...] = tuple(client_mechanisms)

    def __str__(self) -> str:
        ours = ", ".join(self.client_mechanisms) or "none of them"
        theirs = ", ".join(sorted(self.server_mechanisms)) or "that were not told"
        return f"the server offers the mechanisms {theirs}; the client can use {ours}; pass another auth= to connect"


class ServerLocalesNotSupportedError(ConnectionClosed):
    """The server does not offer the locale en_US, the only one we know.

    Attributes:
        server_locales: What it offers.
    """

    def __init__(self, server_locales: Iterable[str]) -> None:
        super().__init__(server_locales)
        self.server_locales: frozenset[str] = frozenset(server_locales)

    def __str__(self) -> str:
        offered = ", ".join(sorted(self.server_locales)) or "none"
        return f"the server offers the locales {offered}; expected en_US among them"


# --- the server's faults -------------------------------------------------------------------


class InvalidServerFrame(ConnectionClosed):
    """The server sent octets that are no AMQP, so the connection was closed.

    Attributes:
        parse_exc: What is wrong with them.
    """

    recoverable = True

    def __init__(self, parse_exc: Exception) -> None:
        super().__init__(parse_exc)
        self.parse_exc = parse_exc

    def __str__(self) -> str:
        return f"the server sent what cannot be read: {self.parse_exc}"


class WrongProtocol(InvalidServerFrame):
    """What listens there does not speak AMQP 0-9-1.

    Attributes:
        octets: With what it begins: seven octets at most.
        protocol: What it seems to speak; empty if that is not known.
    """

    recoverable = False

    def __init__(self, parse_exc: Exception, octets: bytes, address: str = "") -> None:
        super().__init__(parse_exc)
        self.args: tuple[Any, ...] = (parse_exc, octets, address)
        self.octets = octets
        self.address = address
        self.protocol: str
        self.protocol, self._remedy = _protocol_of(octets)

    def __str__(self) -> str:
        at = f" at {self.address}" if self.address else ""
        speaks = f"speaks {self.protocol}" if self.protocol else "does not speak AMQP 0-9-1"
        return f"the server{at} {speaks} (it began with {self.octets!r}); {self._remedy}"


_CHECK_PORT = "check host and port: RabbitMQ takes AMQP 0-9-1 on 5672, with TLS on 5671"
_PROTOCOLS = {
    b"AMQP\x00\x00\x09": (
        "AMQP 0-9-1, but refused this client's protocol header",
        "something between client and server changes what is sent: check proxies",
    ),
    b"AMQP\x00\x01": (
        "AMQP 1.0",
        "use a client of AMQP 1.0, or a server that speaks AMQP 0-9-1, as RabbitMQ does",
    ),
    b"AMQP\x03\x01": (
        "AMQP 1.0 and wants a login by SASL",
        "use a client of AMQP 1.0, or a server that speaks AMQP 0-9-1, as RabbitMQ does",
    ),
    b"AMQP\x02\x01": (
        "AMQP 1.0 and wants TLS",
        "use a client of AMQP 1.0, or a server that speaks AMQP 0-9-1, as RabbitMQ does",
    ),
    b"AMQP": ("another version of AMQP", "use a server that speaks 0-9-1, as RabbitMQ does"),
    b"HTTP/": ("HTTP", f"{_CHECK_PORT}; 15672 is its management"),
    b"\x15\x03": ("TLS", "connect with amqps://, usually port 5671"),
    b"SSH-": ("SSH", _CHECK_PORT),
    b"-ERR": ("Redis' protocol", _CHECK_PORT),
    b"+OK": ("POP3", _CHECK_PORT),
    b"220": ("SMTP or FTP", _CHECK_PORT),
    b"* OK": ("IMAP", _CHECK_PORT),
    b"ERROR": ("STOMP or memcached's protocol", _CHECK_PORT),
}
"""What the first octets of a server stand for, and what to do; the first that fits counts."""


def _protocol_of(octets: bytes) -> tuple[str, str]:
    """Return what a server speaks that begins with these octets, and what to do."""
    for beginning, known in _PROTOCOLS.items():
        if octets.startswith(beginning):
            return known
    return "", _CHECK_PORT


class UnexpectedFrame(ConnectionClosed):
    """The server sent what has no place where it came, so the connection was closed.

    Attributes:
        frame: What came: a method's parameters, or what the wire made of it.
    """

    recoverable = True

    def __init__(self, frame: object) -> None:
        super().__init__(frame)
        self.frame = frame

    def __str__(self) -> str:
        return f"the server sent what was not expected: {self.frame}"


# --- closed by us --------------------------------------------------------------------------


class ClientClosedConnection(ConnectionClosed):
    """The connection was closed from this side."""


class ClientClosedConnectionOK(ClientClosedConnection):
    """The connection was closed from this side, and nothing was wrong."""

    def __str__(self) -> str:
        return "the connection was closed by the client"


class ClientClosedConnectionError(ClientClosedConnection):
    """The connection was closed from this side because of an exception.

    Attributes:
        exc: What left the connection's ``async with`` block.
    """

    def __init__(self, exc: BaseException) -> None:
        super().__init__(exc)
        self.exc = exc

    def __str__(self) -> str:
        return f"the connection was closed by the client because of {self.exc!r}"


_BY_REPLY_CODE: dict[int, type[ServerClosedConnection]] = {
    320: ConnectionForced,
    402: InvalidPath,
    403: LoginRefused,
    503: CommandInvalid,
    504: ChannelNumberError,
    506: ResourceError,
    530: NotAllowed,
    540: MethodNotImplemented,
    541: InternalError,
}


def server_closed_connection(
    reply_code: int, reply_text: str, class_id: int, method_id: int, mechanism: str = ""
) -> ServerClosedConnection:
    """Make the exception for a connection.close: the code's own class, or the general one."""
    cls: type[ServerClosedConnection] = _BY_REPLY_CODE.get(reply_code, ServerClosedConnection)
    if cls is LoginRefused:
        return LoginRefused(reply_code, reply_text, class_id, method_id, mechanism)
    return cls(reply_code, reply_text, class_id, method_id)
