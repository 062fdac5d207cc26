"""Why a connection was not opened, or was lost: choosing the exception.

A server that does not speak AMQP 0-9-1, rejects a certificate, or does not accept so large a login
usually just closes the socket. The exception then depends on the data that the server has sent,
and on the step that the handshake had reached.

This module knows errors and negotiated limits; it holds no socket.
"""

from typing import Final

from ammoo_wire import (
    ClientProtocol,
    ConnectionState,
    FieldTable,
    ForeignProtocol,
    ProtocolError,
    ReplyCode,
)

from ..exceptions.connection import (
    AuthenticationError,
    ConnectionLost,
    InvalidServerFrame,
    LoginFrameTooLarge,
    UnexpectedFrame,
    WrongProtocol,
)
from ..parameters import ConnectionParameters
from ..server_release import rabbitmq_release
from .handshake import Opening

__all__ = ["describe_socket_error", "exception_for", "loss_of"]

_NO_TLS: Final = {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
"""OpenSSL's names for an answer that is not TLS; which one depends on its version."""
_NO_VERSION: Final = {
    "NO_PROTOCOLS_AVAILABLE",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "WRONG_SSL_VERSION",
}
"""OpenSSL's names for having no version in common."""


def describe_socket_error(error: OSError, parameters: ConnectionParameters) -> None:
    """Add the address, and advice where there is any, to the error of a failed connect.

    Args:
        error: The operating system's or OpenSSL's error.
        parameters: The parameters of the connection.
    """
    address = parameters.address
    if not error.args and isinstance(error, TimeoutError):  # of open_transport
        error.args = (f"the socket to {address} was not connected in time",)
    elif not error.args:  # asyncio says nothing about a TLS handshake that the server ended
        text = (
            f"the server at {address} closed the socket during the TLS handshake; it may not"
            " accept the client's TLS versions or its certificate, or may not speak TLS"
        )
        error.args = (text,)
    elif address not in str(error):
        _append(error, address)
    if getattr(error, "reason", None) in _NO_TLS:
        error.add_note(
            f"The server at {address} does not seem to speak TLS: amqps:// is usually port 5671,"
            " amqp:// port 5672."
        )
    elif getattr(error, "reason", None) in _NO_VERSION:
        error.add_note(
            "Client and server have no TLS version in common: see minimum_version and"
            " maximum_version of ssl_context, and the server's ssl_options.versions."
        )


def _append(error: OSError, address: str) -> None:
    if error.strerror is None:
        error.args = (f"{error.args[0]} ({address})", *error.args[1:])
        return
    error.strerror = f"{error.strerror} ({address})"
    error.args = (error.errno, error.strerror)


def exception_for(failure: ProtocolError, parameters: ConnectionParameters) -> Exception:
    """Return the exception for a fault that the wire has found in the server's data."""
    error: Exception
    if isinstance(failure, ForeignProtocol):
        error = WrongProtocol(failure, failure.octets, parameters.address)
    elif failure.reply_code in (
        ReplyCode.COMMAND_INVALID,
        ReplyCode.CHANNEL_ERROR,
        ReplyCode.UNEXPECTED_FRAME,
    ):
        error = UnexpectedFrame(failure)
    else:
        error = InvalidServerFrame(failure)
    error.__cause__ = failure
    return error


def loss_of(
    protocol: ClientProtocol,
    opening: Opening,
    parameters: ConnectionParameters,
    error: Exception | None,
) -> Exception:
    """Return the exception for a socket that broke, or was closed without connection.close.

    Args:
        protocol: The wire's side, in the state in which the socket was lost.
        opening: The client's part in the handshake.
        parameters: The parameters of the connection.
        error: The operating system's error; None if the server closed the socket.
    """
    state = protocol.state
    protocol.receive_eof()  # this may show that the server speaks another protocol
    if protocol.failure is not None:
        return exception_for(protocol.failure, parameters)
    if state is ConnectionState.SECURING:
        return _loss_during_login(protocol, opening, parameters, error)
    lost = ConnectionLost(error, parameters.address)
    if protocol.server_start is None:
        lost.add_note(_note_on_silence(parameters))
    if state is ConnectionState.OPENING:
        lost.add_note(
            "The server closed the socket after the limits were negotiated: frame_max="
            f"{protocol.frame_max}, channel_max={protocol.channel_max}. RabbitMQ 4.1 and later"
            " reject a frame_max below 8192."
        )
    return lost


def _note_on_silence(parameters: ConnectionParameters) -> str:
    if parameters.ssl_context is not None:
        return (
            "The server closed the connection after the TLS handshake, before sending any AMQP"
            " data. Servers do this when they reject or require a client certificate: check"
            " certfile and keyfile, or what ssl_context has loaded; the server's log has its reason."
        )
    return (
        "The server sent no AMQP data. It may expect TLS (amqps://, usually port 5671; this"
        f" was {parameters.address}), or may not be an AMQP server."
    )


def _loss_during_login(
    protocol: ClientProtocol,
    opening: Opening,
    parameters: ConnectionParameters,
    error: Exception | None,
) -> Exception:
    properties = {} if protocol.server_start is None else protocol.server_start.server_properties
    limit = _initial_frame_max(properties)
    if opening.login_size > limit:
        return LoginFrameTooLarge(
            opening.login_method, opening.login_size, limit, error, parameters.address
        )
    capabilities = properties.get("capabilities")
    if isinstance(capabilities, dict) and capabilities.get("authentication_failure_close"):
        # A server with that extension answers a refused login with connection.close.
        return ConnectionLost(error, parameters.address)
    # Before that extension a server could only close the socket (section 2.2.4).
    mechanism = "" if opening.mechanism is None else opening.mechanism.name()
    return AuthenticationError(mechanism)


def _initial_frame_max(server_properties: FieldTable) -> int:
    """Return the largest frame that the server accepts before tuning, in octets."""
    release = rabbitmq_release(server_properties)
    # For other servers it is frame-min-size (section 4.2.3).
    return 8192 if release is not None and release >= (4, 1) else 4096
