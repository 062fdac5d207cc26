"""Why a connection ended, or was not opened.

::

    ConnectionClosed
    ├── ConnectionLost                        the socket broke, or the server closed it
    │   └── LoginFrameTooLarge                after a login that was too large
    ├── HeartbeatTimeout                      nothing came from the server for too long
    ├── ConnectionTimeout                     the server did not complete the handshake in time
    ├── ServerClosedConnection                the server sent connection.close
    │   └── ConnectionForced, InvalidPath, LoginRefused, CommandInvalid, ChannelNumberError,
    │       ResourceError, NotAllowed, MethodNotImplemented, InternalError
    ├── AuthenticationError                   the server refused the login
    │   ├── LoginRefused
    │   └── NoChallengesAuthenticationError
    ├── ServerAuthMechanismsNotSupportedError
    ├── ServerLocalesNotSupportedError
    ├── InvalidServerFrame                    the server sent data that is not valid AMQP
    │   └── WrongProtocol                     from the first octet on
    ├── UnexpectedFrame                       the server sent a command that it must not
    ├── CredentialsUnavailable                the function that returns credentials failed
    ├── RecoveryFailed                        the client stopped trying to connect again
    └── ClientClosedConnection                the client closed it
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
    "CredentialsUnavailable",
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
    """The connection is closed; the subclass says by which side and why."""

    _ends_its_owner = True


class ConnectionLost(ConnectionClosed):
    """The socket broke, or the server closed it without connection.close.

    Attributes:
        exc: The operating system's error; None if the server closed the socket.
        address: The server's address, as a URL without user and password; empty if not known.
    """

    recoverable = True

    def __init__(self, exc: Exception | None = None, address: str = "") -> None:
        super().__init__(exc, address)
        self.exc = exc
        self.address = address

    def __str__(self) -> str:
        return self._loss() + ("; its log may say why" if self.exc is None else "")

    def _loss(self) -> str:
        """Return what happened to the socket."""
        at = f" at {self.address}" if self.address else ""
        if self.exc is None:
            return f"the server{at} closed the socket without closing the AMQP connection"
        return f"the connection to the server{at} was lost: {self.exc!r}"


class LoginFrameTooLarge(ConnectionLost):
    """The server closed the socket after a login that is larger than it accepts.

    Until the limits of a connection are negotiated, RabbitMQ accepts frames of 4096 octets (8192
    from 4.1 on). It closes the socket when it receives a larger frame.

    Attributes:
        method: The method that was sent: ``connection.start-ok`` or ``connection.secure-ok``.
        size: The size of its frame, in octets.
        limit: The largest frame that RabbitMQ accepts by default, in octets.
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
            f"{self._loss()}, after a login of {self.size} octets ({self.method}); RabbitMQ"
            f" accepts {self.limit} by default: send less (password or token, client_properties), or"
            " raise initial_frame_max in the server's configuration"
        )


class HeartbeatTimeout(ConnectionClosed):
    """Nothing came from the server for two heartbeat intervals.

    Attributes:
        timeout: Twice the interval, in seconds.
        address: The server's address; empty if not known.
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
    """The server accepted the socket, but did not complete the handshake in time.

    Attributes:
        timeout: How long the client waited, in seconds.
        address: The server's address; empty if not known.
    """

    recoverable = True

    def __init__(self, timeout: float, address: str = "") -> None:
        super().__init__(timeout, address)
        self.timeout = timeout
        self.address = address

    def __str__(self) -> str:
        at = f" at {self.address}" if self.address else ""
        return (
            f"the server{at} did not open the connection within {self.timeout:g} s; it may be"
            " overloaded, or may not be an AMQP server"
        )


class CredentialsUnavailable(ConnectionClosed):
    """The function that returns credentials has failed, so the client could not log in.

    Attributes:
        exc: The exception that the function raised.
    """

    recoverable = True

    def __init__(self, exc: Exception) -> None:
        super().__init__(exc)
        self.exc = exc

    def __str__(self) -> str:
        return f"no credentials to log in with: the function that returns them failed: {self.exc!r}"


class RecoveryFailed(ConnectionClosed):
    """The client stopped trying to connect: again, or for the first time if that was retried.

    Attributes:
        exc: The error of the last attempt, or another one after which no attempt can succeed.
        attempts: How many rounds of attempts there were.
        outage: How long the connection was down, in seconds.
    """

    def __init__(self, exc: Exception, attempts: int = 0, outage: float = 0.0) -> None:
        super().__init__(exc, attempts, outage)
        self.exc = exc
        self.attempts = attempts
        self.outage = outage

    def __str__(self) -> str:
        attempts = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"the connection could not be opened in {attempts} within {self.outage:.1f} s: {self.exc}"


class ConnectionBlocked(AmmooError, TimeoutError):
    """The connection stayed blocked by the server for the whole blocked_timeout or operation_timeout.

    The server is short of memory or disk space. The message was not sent. The connection stays
    open.

    Attributes:
        reason: The server's reason.
        timeout: How long the publish waited, in seconds.
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
    """As many channels are open as were negotiated. No channel was opened.

    Attributes:
        channel_max: How many channels may be open.
    """

    def __init__(self, channel_max: int) -> None:
        super().__init__(channel_max)
        self.channel_max = channel_max

    def __str__(self) -> str:
        return (
            f"all {self.channel_max} channels that the connection may have (channel_max) are open;"
            " close one, or open another connection"
        )


# --- closed by the server ------------------------------------------------------------------


class ServerClosedConnection(ServerRefusal, ConnectionClosed):
    """The server closed the connection; `ServerRefusal` has the reason."""

    def __str__(self) -> str:
        return self._sentence("the connection")


class ConnectionForced(ServerClosedConnection):
    """An operator closed the connection, or the server is being shut down (320)."""

    recoverable = True
    advice = "connect again, after a pause"


class InvalidPath(ServerClosedConnection):
    """The virtual host does not exist (402); RabbitMQ sends 530 instead."""

    advice = "check the virtual host's name"


class CommandInvalid(ServerClosedConnection):
    """The server does not accept the method with these arguments (503)."""

    advice = "change the argument that the server's text names"


class ChannelNumberError(ServerClosedConnection):
    """A method came on a channel that is not open (504)."""

    advice = "report this as a fault of the client"


class ResourceError(ServerClosedConnection):
    """The server ran out of a resource (506)."""

    recoverable = True
    advice = "connect again, after a pause"


class NotAllowed(ServerClosedConnection):
    """No user may do this (530): an unknown virtual host, a consumer tag in use."""

    advice = "the server's text says what is not allowed"

    def _advice(self) -> str:
        advice = super()._advice()
        if advice is self.advice and (self.class_id, self.method_id) == _CONNECTION_OPEN:
            return "check the virtual host's name and the user's permissions on it"
        return advice


class MethodNotImplemented(ServerClosedConnection):
    """The server does not implement the method, or one of its options (540)."""

    advice = "leave out the option that the server's text names"


class InternalError(ServerClosedConnection):
    """An error occurred inside the server (541)."""

    advice = "see the server's log"


# --- the opening ---------------------------------------------------------------------------


class AuthenticationError(ConnectionClosed):
    """The server refused the login.

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
    """The server refused the login with connection.close (403)."""

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
    """The server sent a challenge, and the mechanism does not answer challenges."""

    def __init__(self, mechanism: str = "") -> None:
        super().__init__(mechanism)

    def __str__(self) -> str:
        return (
            f"the server sent a challenge, but the mechanism {self.mechanism} answers no challenges"
        )


class ServerAuthMechanismsNotSupportedError(ConnectionClosed):
    """The server offers no mechanism that the client may use.

    Attributes:
        server_mechanisms: The names of the mechanisms that the server offers.
        client_mechanisms: The names of the mechanisms that the client may use.
    """

    def __init__(
        self, server_mechanisms: Iterable[str] = (), client_mechanisms: Iterable[str] = ()
    ) -> None:
        super().__init__(server_mechanisms, client_mechanisms)
        self.server_mechanisms: frozenset[str] = frozenset(server_mechanisms)
        self.client_mechanisms: tuple[str, ...] = tuple(client_mechanisms)

    def __str__(self) -> str:
        ours = ", ".join(self.client_mechanisms) or "none"
        theirs = ", ".join(sorted(self.server_mechanisms)) or "none"
        return (
            f"the server offers the mechanisms {theirs}; the client can use {ours};"
            " pass another auth= to connect"
        )


class ServerLocalesNotSupportedError(ConnectionClosed):
    """The server does not offer the locale en_US, the only one that the client supports.

    Attributes:
        server_locales: The locales that the server offers.
    """

    def __init__(self, server_locales: Iterable[str]) -> None:
        super().__init__(server_locales)
        self.server_locales: frozenset[str] = frozenset(server_locales)

    def __str__(self) -> str:
        offered = ", ".join(sorted(self.server_locales)) or "none"
        return f"the server offers the locales {offered}; expected en_US among them"


# --- the server's faults -------------------------------------------------------------------


class InvalidServerFrame(ConnectionClosed):
    """The server sent data that is not valid AMQP, so the client closed the connection.

    Attributes:
        parse_exc: What is wrong with the data.
    """

    recoverable = True

    def __init__(self, parse_exc: Exception) -> None:
        super().__init__(parse_exc)
        self.parse_exc = parse_exc

    def __str__(self) -> str:
        return f"the server sent data that is not valid AMQP: {self.parse_exc}"


class WrongProtocol(InvalidServerFrame):
    """The server does not speak AMQP 0-9-1.

    Attributes:
        octets: The first octets that the server sent, at most seven.
        protocol: The protocol that these octets belong to; empty if it is not known.
        address: The server's address; empty if not known.
    """

    recoverable = False

    def __init__(self, parse_exc: Exception, octets: bytes, address: str = "") -> None:
        super().__init__(parse_exc)
        self.args: tuple[Any, ...] = (parse_exc, octets, address)
        self.octets = octets
        self.address = address
        from .foreign_protocols import protocol_of  # few programs need it

        self.protocol: str
        self.protocol, self._remedy = protocol_of(octets)

    def __str__(self) -> str:
        at = f" at {self.address}" if self.address else ""
        speaks = f"speaks {self.protocol}" if self.protocol else "does not speak AMQP 0-9-1"
        return f"the server{at} {speaks} (it began with {self.octets!r}); {self._remedy}"


class UnexpectedFrame(ConnectionClosed):
    """The server sent a command that it must not send there, so the client closed the connection.

    Attributes:
        frame: The command: a method's parameters, or the error of the wire.
    """

    recoverable = True

    def __init__(self, frame: object) -> None:
        super().__init__(frame)
        self.frame = frame

    def __str__(self) -> str:
        return f"the server sent a command that was not expected: {self.frame}"


# --- closed by the client --------------------------------------------------------------------------


class ClientClosedConnection(ConnectionClosed):
    """The client closed the connection."""


class ClientClosedConnectionOK(ClientClosedConnection):
    """The client closed the connection, and nothing was wrong."""

    def __str__(self) -> str:
        return "the connection was closed by the client (close, or the end of its block)"


class ClientClosedConnectionError(ClientClosedConnection):
    """The client closed the connection because of an exception.

    Attributes:
        exc: The exception that left the connection's ``async with`` block.
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
    """Return the exception for a connection.close, of the reply code's class if it has one."""
    cls: type[ServerClosedConnection] = _BY_REPLY_CODE.get(reply_code, ServerClosedConnection)
    if cls is LoginRefused:
        return LoginRefused(reply_code, reply_text, class_id, method_id, mechanism)
    return cls(reply_code, reply_text, class_id, method_id)
