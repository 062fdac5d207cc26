"""The client's half of the opening (section 2.2.4).

The protocol does not know what a mechanism answers: it asks. The first response
comes from a function; a challenge is returned as a command, so that the shell may
take its time to answer it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from .command import Command, encode_method
from .constants import (
    DEFAULT_CHANNEL_MAX,
    DEFAULT_FRAME_MAX,
    DEFAULT_MAX_BODY_SIZE,
    FRAME_MIN_SIZE,
    PROTOCOL_HEADER,
    FrameType,
    ReplyCode,
)
from .exceptions import CommandInvalid, ForeignProtocol, FramingLost, ProtocolError
from .frames.method.connection import (
    ConnectionBlockedParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionSecureOkParameters,
    ConnectionSecureParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretOkParameters,
)
from .method_codecs import Parameters, method_of
from .protocol import ConnectionState, Opening, Protocol, check_callable, check_frame_max

__all__ = ["ClientProtocol"]

_EXPECTED = (
    ConnectionBlockedParameters,
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretOkParameters,
)


_FRAME_TYPES: Final = frozenset(FrameType)
_FRAME_HEAD_SIZE: Final = 7
"""How many octets a server must have sent before the client can recognise its protocol."""


class ClientProtocol(Protocol):
    """A client's side of a connection. The protocol header is queued at once.

    ::

        protocol = ClientProtocol(
            mechanism=lambda start: ("PLAIN", plain_response("guest", "guest")),
            client_properties={"product": "my client"},
        )
        connection.sendall(protocol.data_to_send())
        commands = protocol.receive_data(connection.recv(65536))

    The page "Write a client or a server" of the documentation has whole clients, with a plain
    socket and with asyncio's streams.

    Args:
        mechanism: A function of the server's connection.start that returns the name of a
            mechanism and its first response. If it raises, `opening_error` keeps the
            exception and the state becomes CLOSED; nothing is sent to the server.
        virtualhost: The virtual host to open.
        client_properties: How the client describes itself to the server.
        locale: The locale to ask for.
        channel_max: The highest channel number to agree to; 2047 by default, 0 for the server's
            limit.
        frame_max: The largest frame to agree to, in octets; 131072 by default, 0 for the server's
            limit.
        heartbeat_interval: In seconds; 0 for no heartbeats; None, the default, for what the server
            proposes.
        max_body_size: The largest message body to accept, in octets; 512 MiB by
            default.

    Attributes:
        server_start: The server's connection.start, or None before it came.
        opening_error: The exception that `mechanism` raised, or None.

    Raises:
        EncodeError: frame_max is below 4096, max_body_size is no number of octets, or an argument
            cannot be sent.
        TypeError: mechanism is not a function.
    """

    def __init__(
        self,
        *,
        mechanism: Callable[[ConnectionStartParameters], tuple[str, bytes]],
        virtualhost: str = "/",
        client_properties: Mapping[str, Any],
        locale: str = "en_US",
        channel_max: int = DEFAULT_CHANNEL_MAX,
        frame_max: int = DEFAULT_FRAME_MAX,
        heartbeat_interval: int | None = None,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
    ) -> None:
        check_callable(mechanism, "mechanism")
        super().__init__(
            receive_frame_max=frame_max, send_frame_max=frame_max, max_body_size=max_body_size
        )
        check_frame_max(frame_max)
        # Encoded once here, so that a value that cannot be sent is an error here, and not in the opening.
        encode_method(ConnectionStartOkParameters(client_properties, "", b"", locale))  # type: ignore[arg-type]  # of any mapping
        encode_method(ConnectionTuneOkParameters(channel_max, frame_max, heartbeat_interval or 0))
        self._open_parameters = ConnectionOpenParameters(virtualhost)
        encode_method(self._open_parameters)
        self._choose_mechanism = mechanism
        self._client_properties = dict(client_properties)
        self._locale = locale
        self._proposed_channel_max = channel_max
        self._proposed_frame_max = frame_max
        self._proposed_heartbeat = heartbeat_interval
        self.server_start: ConnectionStartParameters | None = None
        self.opening_error: Exception | None = None
        self._writer.queued += PROTOCOL_HEADER
        self._begin()

    def receive_eof(self) -> None:
        """Record that the server will send nothing more; see `Protocol.receive_eof`."""
        if self._is_foreign():
            self._keep_failure(ForeignProtocol(self._first_octets()))
        super().receive_eof()

    def answer_challenge(self, response: bytes) -> None:
        """Answer a connection.secure that `receive_data` returned.

        Args:
            response: The mechanism's response to the challenge.
        """
        self.send(0, ConnectionSecureOkParameters(response))

    def _fail(self, error: ProtocolError) -> None:
        is_foreign = isinstance(error, FramingLost) and self._is_foreign()
        super()._fail(ForeignProtocol(self._first_octets()) if is_foreign else error)

    def _is_foreign(self) -> bool:
        """Return whether the server's first octets do not begin a frame of AMQP 0-9-1."""
        octets = self._first_octets() if self._state is ConnectionState.STARTING else b""
        return octets != b"" and octets[0] not in _FRAME_TYPES

    def _first_octets(self) -> bytes:
        return self._assembler.peek(_FRAME_HEAD_SIZE)

    def _open(self) -> Opening:
        start = yield from self._expect(ConnectionStartParameters)
        self.server_start = start
        try:
            mechanism, response = self._choose_mechanism(start)
            properties = self._client_properties
            self.send(0, ConnectionStartOkParameters(properties, mechanism, response, self._locale))
        except Exception as error:  # noqa: BLE001  kept for the shell to raise
            self.opening_error = error
            self._set_state(ConnectionState.CLOSED)
            return
        self._set_state(ConnectionState.SECURING)
        tune: Parameters = ()
        while not isinstance(tune, ConnectionTuneParameters):
            tune = yield from self._expect(ConnectionSecureParameters, ConnectionTuneParameters)
        self._set_state(ConnectionState.TUNING)
        self._settle_limits(tune)
        self.send(
            0,
            ConnectionTuneOkParameters(self.channel_max, self.frame_max, self.heartbeat_interval),
        )
        self.send(0, self._open_parameters)
        self._set_state(ConnectionState.OPENING)
        yield from self._expect(ConnectionOpenOkParameters)
        self._set_state(ConnectionState.RUNNING)

    def _settle_limits(self, tune: ConnectionTuneParameters) -> None:
        """Settle on the lower of both limits, where 0 is none; the client decides on heartbeats."""
        if 0 < tune.frame_max < FRAME_MIN_SIZE:
            raise ProtocolError(
                ReplyCode.NOT_ALLOWED,
                f"frame_max {tune.frame_max} is below {FRAME_MIN_SIZE}",
                method_of(tune).id,
            )
        heartbeat = self._proposed_heartbeat
        self._agree(
            _lower_limit(self._proposed_channel_max, tune.channel_max),
            _lower_limit(self._proposed_frame_max, tune.frame_max),
            tune.heartbeat if heartbeat is None else heartbeat,
        )

    def _receive_control(self, commands: list[Command], parameters: Parameters) -> None:
        super()._receive_control(commands, parameters)
        is_challenge = type(parameters) is ConnectionSecureParameters
        if is_challenge and self.state is ConnectionState.SECURING:
            commands.append((0, parameters, None, None))

    def _is_expected(self, parameters: Parameters) -> bool:
        return isinstance(parameters, _EXPECTED)

    def _unexpected(self, parameters: Parameters) -> ProtocolError:
        method = method_of(parameters)
        return CommandInvalid(
            f"unexpected {method.name} on channel 0 while {self.state.value}", method.id
        )


def _lower_limit(ours: int, theirs: int) -> int:
    return min(ours, theirs) if ours and theirs else ours or theirs
