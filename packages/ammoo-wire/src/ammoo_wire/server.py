"""The server's half of the opening (section 2.2.4), as RabbitMQ goes through it.

The protocol does not know who may log in and which virtual hosts there are: it
asks functions. Differences between versions of RabbitMQ are options.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from .command import Command, encode_method
from .constants import (
    DEFAULT_CHANNEL_MAX,
    DEFAULT_FRAME_MAX,
    DEFAULT_MAX_BODY_SIZE,
    FRAME_MIN_SIZE,
    PROTOCOL_HEADER,
    ReplyCode,
)
from .exceptions import (
    ChannelError,
    EncodeError,
    InternalError,
    ProtocolError,
    UnreadableField,
    show,
)
from .fields import FieldTable, check_size
from .frames.method.connection import (
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionSecureOkParameters,
    ConnectionSecureParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ConnectionUpdateSecretParameters,
)
from .incoming_frames import UnknownMethod
from .method_codecs import Parameters, method_of
from .protocol import ConnectionState, Opening, Protocol, check_callable, check_frame_max

__all__ = ["Accepted", "Challenge", "Refused", "ServerProtocol"]

ACCEPTED_HEADERS: Final[Mapping[bytes, tuple[int, int]]] = {
    PROTOCOL_HEADER: (0, 9),
    b"AMQP\x01\x01\x00\x09": (0, 9),
}
"""The protocol headers that are accepted, and the version in the connection.start that answers."""


class Accepted(NamedTuple):
    """The client has proved who it is.

    ::

        def authenticate(mechanism, response):
            return Accepted() if response == b"a token" else Refused("no such token")

        assert isinstance(authenticate("TOKEN", b"a token"), Accepted)
    """


class Challenge(NamedTuple):
    """The mechanism needs another response from the client.

    ::

        def authenticate(mechanism, response):
            return Accepted() if response == b"42" else Challenge(b"6 * 7")

        assert authenticate("SUM", b"") == Challenge(b"6 * 7")
    """

    challenge: bytes


class Refused(NamedTuple):
    """The client may not log in.

    ::

        def authenticate(mechanism, response):
            return Accepted() if response == b"a token" else Refused("no such token")

        assert authenticate("TOKEN", b"another") == Refused("no such token")
    """

    text: str | None
    """The reason, which is sent to a client that announced ``authentication_failure_close``. None
    for no reason; then nothing is sent to any client."""


class ServerProtocol(Protocol):
    """A server's side of a connection.

    ::

        protocol = ServerProtocol(
            server_properties={"product": "my server"},
            mechanisms=["PLAIN"],
            authenticate=lambda mechanism, response: Accepted(),
            open_virtualhost=lambda virtualhost: None,
        )
        commands = protocol.receive_data(connection.recv(65536))
        connection.sendall(protocol.data_to_send())

    The page "Write a client or a server" of the documentation has a whole server.

    Args:
        server_properties: How the server describes itself to the client, or a function that
            returns these properties for the version with which the protocol header is answered,
            (0, 9).
        mechanisms: Names of the mechanisms to offer.
        authenticate: A function of a mechanism's name and a response. It is called with the
            first response, and with the response to each `Challenge` that it has returned.
        open_virtualhost: A function of a virtual host's name. It raises a `ProtocolError` to
            refuse the client.
        channel_max: The highest channel number to propose.
        frame_max: The largest frame to propose, in octets.
        heartbeat_interval: The interval to propose, in seconds.
        max_body_size: The largest message body to accept, in octets.
        accepted_headers: The protocol headers to accept, each with the version to answer.
        other_header_reply: The octets that answer any other header before the connection is
            closed, or a function of that header that returns them.
        smallest_frame_max: The smallest frame_max to agree to, in octets, and the largest frame to
            accept before that; 4096 by default. RabbitMQ uses 4096 up to 4.0, and 8192 from 4.1 on.
        checks_body_sizes: Whether to refuse at once a content that announces more than 512 MiB,
            and a body frame longer than announced, as RabbitMQ does from 4.3 on.

    Raises:
        EncodeError: frame_max is below 4096; or server_properties, mechanisms or a limit cannot be
            encoded.
        TypeError: authenticate or open_virtualhost is not a function.

    Attributes:
        client_properties: How the client describes itself.
        virtualhost: The virtual host that the client opened.
        login_pause: Whether to wait before the socket is closed, as RabbitMQ does after a refused
            login and after any fault before limits are agreed on. Meanwhile nothing is sent to the
            client, except the reason of a refused login if the client announced
            ``authentication_failure_close``.
    """

    def __init__(
        self,
        *,
        server_properties: Mapping[str, Any] | Callable[[tuple[int, int]], Mapping[str, Any]],
        mechanisms: Sequence[str],
        authenticate: Callable[[str, bytes], Accepted | Challenge | Refused],
        open_virtualhost: Callable[[str], None],
        channel_max: int = DEFAULT_CHANNEL_MAX,
        frame_max: int = DEFAULT_FRAME_MAX,
        heartbeat_interval: int = 60,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
        accepted_headers: Mapping[bytes, tuple[int, int]] = ACCEPTED_HEADERS,
        other_header_reply: bytes | Callable[[bytes], bytes] = PROTOCOL_HEADER,
        smallest_frame_max: int = FRAME_MIN_SIZE,
        checks_body_sizes: bool = False,
    ) -> None:
        check_size(smallest_frame_max, "smallest_frame_max")
        super().__init__(
            receive_frame_max=smallest_frame_max,
            send_frame_max=frame_max,
            max_body_size=max_body_size,
            checks_body_sizes=checks_body_sizes,
        )
        check_frame_max(frame_max)
        check_callable(authenticate, "authenticate")
        check_callable(open_virtualhost, "open_virtualhost")
        names = tuple(mechanisms)
        if isinstance(mechanisms, str) or not all(isinstance(name, str) for name in names):
            raise EncodeError(
                f"mechanisms is {show(mechanisms)}; expected a sequence of names, such as ['PLAIN']"
            )
        self._smallest_frame_max = smallest_frame_max
        self._server_properties = server_properties
        self._mechanisms = names
        self._authenticate = authenticate
        self._open_virtualhost = open_virtualhost
        self._offer = " ".join(self._mechanisms).encode()
        self._proposal = ConnectionTuneParameters(channel_max, frame_max, heartbeat_interval)
        # Encoded once here, so that a value that cannot be sent is an error here, and not in the opening.
        for version in accepted_headers.values():
            encode_method(self._start(version))
        encode_method(self._proposal)
        self._accepted_headers = accepted_headers
        self._other_header_reply = other_header_reply
        self._version: tuple[int, int] | None = None
        self.client_properties: FieldTable = {}
        self.virtualhost: str = ""
        self.login_pause: bool = False
        self._assembler.refuses_unreadable = True

    @property
    def client_capabilities(self) -> FieldTable:
        """The capabilities that the client announced."""
        capabilities = self.client_properties.get("capabilities")
        return capabilities if isinstance(capabilities, dict) else {}

    def _assemble(self, commands: list[Command]) -> None:
        if self._version is None and not self._take_header():
            return
        super()._assemble(commands)

    def _take_header(self) -> bool:
        """Read the protocol header (section 4.2.2); return whether the opening has begun."""
        header = self._assembler.take(len(PROTOCOL_HEADER))
        if header is None:
            return False
        self._version = self._accepted_headers.get(header)
        if self._version is None:
            reply = self._other_header_reply
            self._writer.queued += reply if isinstance(reply, bytes) else reply(header)
            self._set_state(ConnectionState.CLOSED)
            return False
        self._begin()
        return True

    def _open(self) -> Opening:
        assert self._version is not None
        self.send(0, self._start(self._version))
        start_ok = yield from self._expect(ConnectionStartOkParameters)
        self.client_properties = start_ok.client_properties
        self._set_state(ConnectionState.SECURING)
        if not (yield from self._log_in(start_ok.mechanism, start_ok.response)):
            return
        self._set_state(ConnectionState.TUNING)
        self.send(0, self._proposal)
        tune_ok = yield from self._expect(ConnectionTuneOkParameters)
        if not self._is_acceptable(tune_ok):
            self._leave_waiting()
            return
        self._agree(*tune_ok)
        self._set_state(ConnectionState.OPENING)
        open_ = yield from self._expect(ConnectionOpenParameters)
        self._open_virtualhost(open_.virtualhost)
        self.virtualhost = open_.virtualhost
        self.send(0, ConnectionOpenOkParameters())
        self._set_state(ConnectionState.RUNNING)

    def _start(self, version: tuple[int, int]) -> ConnectionStartParameters:
        properties = self._server_properties
        if callable(properties):
            properties = properties(version)
        return ConnectionStartParameters(*version, properties, self._offer, b"en_US")  # type: ignore[arg-type]  # of any mapping

    def _log_in(self, mechanism: str, response: bytes) -> Generator[None, Parameters, bool]:
        verdict: Accepted | Challenge | Refused = Refused(None)
        if mechanism in self._mechanisms:
            verdict = self._authenticate(mechanism, response)
        while isinstance(verdict, Challenge):
            self.send(0, ConnectionSecureParameters(verdict.challenge))
            secure_ok = yield from self._expect(ConnectionSecureOkParameters)
            verdict = self._authenticate(mechanism, secure_ok.response)
        if isinstance(verdict, Accepted):
            return True
        if not isinstance(verdict, Refused):
            raise TypeError(
                f"authenticate returned {show(verdict)}; expected Accepted(), a Challenge or a"
                " Refused"
            )
        can_be_told = self.client_capabilities.get("authentication_failure_close") is True
        if verdict.text is None or not can_be_told:
            self._leave_waiting()
            return False
        self.login_pause = True
        super()._fail(ProtocolError(ReplyCode.ACCESS_REFUSED, verdict.text))
        return False

    def _is_acceptable(self, tune_ok: ConnectionTuneOkParameters) -> bool:
        """Return whether limits are within the proposed ones; "none" (0) is not."""
        offered = self._proposal
        return _is_within(tune_ok.channel_max, 1, offered.channel_max) and _is_within(
            tune_ok.frame_max, self._smallest_frame_max, offered.frame_max
        )

    def _leave_waiting(self) -> None:
        self.login_pause = True
        self._set_state(ConnectionState.CLOSED)

    def _fail(self, error: ProtocolError) -> None:
        if isinstance(error, (UnknownMethod, UnreadableField)):
            self._keep_failure(error)
            self._set_state(ConnectionState.CLOSED)
        elif self._state in _SILENT_STATES or (
            self._state is ConnectionState.OPENING and isinstance(error, InternalError)
        ):
            self._keep_failure(error)
            self._leave_waiting()
        else:
            super()._fail(error)

    def _receive_close(self, close: ConnectionCloseParameters) -> None:
        """Answer the client's close, and each further one, until the client closes the socket."""
        if self._state not in (ConnectionState.RUNNING, ConnectionState.CLOSING):
            raise self._unexpected(close)
        self._keep_close(close)
        self._send_last(ConnectionCloseOkParameters())
        self._set_state(ConnectionState.CLOSING)

    def _may_close(self) -> bool:
        """Return whether a close may still be sent.

        If a client made a fault just before its own close, the server sends its close in place of
        the answer, as RabbitMQ's channels do (3.10 to 4.3).
        """
        if self.close_sent is None and self.close_received is not None and self._closing_frame:
            self._closing_frame = b""
            return True
        return super()._may_close()

    def _is_expected(self, parameters: Parameters) -> bool:
        return type(parameters) is ConnectionUpdateSecretParameters

    def _unexpected(self, parameters: Parameters) -> ProtocolError:
        return ChannelError(
            f"unexpected method in connection state {self.state.value}", method_of(parameters).id
        )


_SILENT_STATES = (ConnectionState.STARTING, ConnectionState.SECURING, ConnectionState.TUNING)
"""States in which nothing answers a client that does something wrong."""


def _is_within(value: int, lowest: int, offered: int) -> bool:
    return lowest <= value <= offered if offered else value == 0 or value >= lowest
