"""A client of tests/behaviour: a blocking AMQP peer that hides nothing.

It cuts and joins frames by itself and takes only the codec from `ammoo_wire`. So it can say what
no decent client would, sees what a client would keep from its user (the frames' sizes, a
heartbeat, what still arrives on a channel that is being closed), and does not share the mistakes
of `ammoo_wire.Protocol`, which the fake broker uses.

A peer answers nothing by itself. Every wait ends when the peer has used up its patience, with an
error that says what was awaited and what had arrived. What a test does between its waits, however
long it takes, uses up none: a run of rabbitmqctl on a busy machine takes many seconds.
"""

import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

from ammoo_wire import (
    BasicHeaderProperties,
    ChannelCloseParameters,
    ChannelOpenParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    decode_properties,
    method_of,
    plain_response,
)
from tests.support.channel import Channel
from tests.support.frames import (
    BODY,
    HEADER,
    HEARTBEAT,
    METHOD,
    PROTOCOL_HEADER,
    EndOfStream,
    Frame,
    Message,
    ServerClosedChannel,
    ServerClosedConnection,
    WaitedTooLong,
    decode_method,
    encode_frame,
    encode_header,
    encode_method,
)
from tests.support.passing_time import time_at

# What a user of `Peer` meets in its hands stands here too.
__all__ = [
    "BODY",
    "CAPABILITIES",
    "HEADER",
    "METHOD",
    "Channel",
    "EndOfStream",
    "Frame",
    "Message",
    "Peer",
    "ServerClosedChannel",
    "ServerClosedConnection",
    "encode_header",
]

DEFAULT_SECONDS = 45.0
"""Below the minute that pytest-timeout gives a test, because what a peer says is of more use."""
CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}

T = TypeVar("T")


class Peer:
    """A connection to a broker, opened or not yet.

    Args:
        url: Where the broker listens; login, password and virtual host are taken from it.
        seconds: How long this peer may wait, all its waits together.

    Attributes:
        start: The server's connection.start, once it has come.
        tune: The server's connection.tune, once it has come.
        frame_max: The largest frame to be sent; what the server proposed, once tuned.
        has_ended: Whether the server was seen to end the socket.
        was_reset: Whether it did so with a reset.
        time: How time passes for the broker.
    """

    def __init__(self, url: str, *, seconds: float = DEFAULT_SECONDS) -> None:
        parts = urlsplit(url)
        self._login = unquote(parts.username or "guest")
        self._password = unquote(parts.password or "guest")
        self._virtualhost = unquote(parts.path[1:]) if len(parts.path) > 1 else "/"
        self._patience = seconds
        self._socket = socket.create_connection(
            (parts.hostname, parts.port or 5672), timeout=seconds
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.time = time_at(parts.port or 5672)
        self._octets = bytearray()
        self._inboxes: dict[int, deque[Any]] = {}
        self._contents: dict[int, list[Any]] = {}
        self.start: ConnectionStartParameters | None = None
        self.tune: ConnectionTuneParameters | None = None
        self.frame_max = 131072
        self.has_ended = False
        self.was_reset = False

    # --- life ---------------------------------------------------------------------------------

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        seconds: float = DEFAULT_SECONDS,
        capabilities: dict[str, bool] | None = None,
        channel_max: int | None = None,
        frame_max: int | None = None,
        heartbeat: int = 0,
    ) -> Self:
        """Open a connection, with heartbeats off and the server's other proposals by default."""
        peer = cls(url, seconds=seconds)
        try:
            peer.begin(capabilities=CAPABILITIES if capabilities is None else capabilities)
            tune = peer.expect(0, ConnectionTuneParameters)
            peer.tune = tune
            peer.frame_max = frame_max or tune.frame_max
            peer.send(
                0,
                ConnectionTuneOkParameters(
                    tune.channel_max if channel_max is None else channel_max,
                    peer.frame_max,
                    heartbeat,
                ),
            )
            peer.send(0, ConnectionOpenParameters(peer._virtualhost))
            peer.expect(0, ConnectionOpenOkParameters)
        except BaseException:
            peer.drop()
            raise
        return peer

    def greet(self) -> None:
        """Say hello."""
        self.send_octets(PROTOCOL_HEADER)
        self.start = self.expect(0, ConnectionStartParameters)

    def begin(
        self,
        *,
        capabilities: dict[str, bool] = CAPABILITIES,
        mechanism: str = "PLAIN",
        response: bytes | None = None,
    ) -> None:
        """Say hello and log in; what the server answers to that is still to come."""
        self.greet()
        self.send(
            0,
            ConnectionStartOkParameters(
                {"capabilities": capabilities},
                mechanism,
                plain_response(self._login, self._password) if response is None else response,
                "en_US",
            ),
        )

    def close(self) -> None:
        """Close the connection as AMQP has it, then the socket."""
        self._patience = max(self._patience, DEFAULT_SECONDS)
        try:
            self.send(0, ConnectionCloseParameters(200, "goodbye"))
            self.await_type(0, ConnectionCloseOkParameters)
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the socket without a word. May be repeated."""
        self._socket.close()

    def cut(self, *, reset: bool) -> None:
        """Close the socket with a reset, or as `drop` does."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop()

    def end_sending(self) -> None:
        """Send nothing more, but go on receiving."""
        self._socket.shutdown(socket.SHUT_WR)

    def await_hang_up(self) -> None:
        """Wait until the server has closed the socket, and receive nothing meanwhile."""
        poll = select.poll()
        poll.register(self._socket, 0)  # POLLERR and POLLHUP come unasked
        purpose = "until the server hangs up"
        while not self._has_hung_up(poll, purpose):
            self.pause(purpose)

    def _has_hung_up(self, poll: select.poll, purpose: str) -> bool:
        with self._waiting(purpose) as seconds:
            return bool(poll.poll(0 if self.time.is_moved_by_hand else 1000 * seconds))

    @property
    def local_port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def is_dropped(self) -> bool:
        return self._socket.fileno() == -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.drop()

    # --- sending ------------------------------------------------------------------------------

    def send_octets(self, octets: bytes) -> None:
        with self._waiting("to send") as seconds:
            self._socket.settimeout(seconds)
            self._socket.sendall(octets)

    def send_pieces(self, octets: bytes, size: int) -> None:
        """Send octets in pieces."""
        for start in range(0, len(octets), size):
            self.send_octets(octets[start : start + size])

    def send_frame(self, frame_type: int, channel_number: int, payload: bytes) -> None:
        self.send_octets(encode_frame(frame_type, channel_number, payload))

    def send(self, channel_number: int, parameters: Any) -> None:
        self.send_frame(METHOD, channel_number, encode_method(parameters))

    def send_content(
        self, channel_number: int, parameters: Any, properties: BasicHeaderProperties, body: bytes
    ) -> None:
        """Send a method with its content, in one piece; the body is cut to fit frame_max."""
        room = self.frame_max - 8
        self.send_octets(
            encode_frame(METHOD, channel_number, encode_method(parameters))
            + encode_frame(HEADER, channel_number, encode_header(len(body), properties))
            + b"".join(
                encode_frame(BODY, channel_number, body[i : i + room])
                for i in range(0, len(body), room)
            )
        )

    # --- receiving ----------------------------------------------------------------------------

    def read_octets(self, count: int) -> bytes:
        """Take exactly `count` octets off the stream."""
        while len(self._octets) < count:
            purpose = f"for {count} octets"
            self._let_time_pass(purpose)
            try:
                with self._waiting(purpose) as seconds:
                    self._socket.settimeout(seconds)
                    chunk = self._socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
                self.was_reset = True
            except TimeoutError:
                continue
            if not chunk:
                self.has_ended = True
                raise EndOfStream(f"the server closed the socket after {bytes(self._octets)!r}")
            self._octets += chunk
        octets = bytes(self._octets[:count])
        del self._octets[:count]
        return octets

    def read_frame(self) -> Frame:
        frame_type, channel_number, size = struct.unpack(">BHI", self.read_octets(7))
        payload = self.read_octets(size)
        end = self.read_octets(1)
        assert b"\xce" == end, f"a frame ends with {end!r}"
        return Frame(frame_type, channel_number, payload)

    def expect_end_of_stream(self) -> bytes:
        """Wait until the server closes the socket; give what it wrote before that."""
        octets = bytearray()
        while True:
            try:
                octets += self.read_octets(1)
            except EndOfStream:
                return bytes(octets)

    def frames_until_end_of_stream(self) -> list[Frame]:
        """Give all frames up to where the server closes the socket."""
        frames: list[Frame] = []
        while True:
            try:
                frames.append(self.read_frame())
            except EndOfStream:
                return frames

    def receive(self, channel_number: int) -> Any:
        """Give what arrived next on a channel: parameters, or a `Message`.

        Raises:
            ServerClosedConnection: A connection.close came while this is about another channel.
        """
        inbox = self._inbox(channel_number)
        while not inbox:
            self._dispatch(self.read_frame())
            control = self._inbox(0)
            if channel_number and control and isinstance(control[0], ConnectionCloseParameters):
                raise ServerClosedConnection(control[0])
        return inbox.popleft()

    def has_received(self, channel_number: int) -> bool:
        """Whether something is there to be received, of what was read up to now."""
        return bool(self._inbox(channel_number))

    def expect(self, channel_number: int, expected: type[T]) -> T:
        """Give what arrived next on a channel, which must be of a type."""
        arrived = self.receive(channel_number)
        assert isinstance(arrived, expected), f"expected {expected.__name__}, got {arrived!r}"
        return arrived

    def await_type(self, channel_number: int, *expected: type[Any]) -> Any:
        """Give the first that arrives of these types; what came before it stays to be received."""
        passed: list[Any] = []
        try:
            while True:
                arrived = self.receive(channel_number)
                if isinstance(_method_part(arrived), expected):
                    return arrived
                passed.append(arrived)
                if isinstance(arrived, ChannelCloseParameters):
                    raise ServerClosedChannel(arrived)
        finally:
            self._inbox(channel_number).extendleft(reversed(passed))

    def expect_connection_close(self) -> ConnectionCloseParameters:
        """Wait for the server's connection.close, answer it and see the socket closed."""
        close: ConnectionCloseParameters = self.await_type(0, ConnectionCloseParameters)
        self.send(0, ConnectionCloseOkParameters())
        self.expect_end_of_stream()
        self.drop()
        return close

    def channel(self, number: int = 1) -> Channel:
        """Open a channel."""
        channel = Channel(self, number)
        channel.call(ChannelOpenParameters())
        return channel

    def pause(self, purpose: str) -> None:
        """Let a moment pass between two looks at something, if there is patience left."""
        with self._waiting(purpose):
            self.time.pause()

    # --- inside -------------------------------------------------------------------------------

    def _let_time_pass(self, purpose: str) -> None:
        """Move the time of a fake broker until there is something to read."""
        if not self.time.is_moved_by_hand or self._is_readable():
            return
        self.time.settle()
        while not self._is_readable():
            self.pause(purpose)

    def _is_readable(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])

    @contextmanager
    def _waiting(self, purpose: str) -> Iterator[float]:
        """Count what is waited for here, which may take the seconds that are left."""
        if self._patience <= 0:
            arrived = {number: list(inbox) for number, inbox in self._inboxes.items() if inbox}
            raise WaitedTooLong(f"waited too long {purpose}; not yet looked at: {arrived!r}")
        began = time.monotonic()
        try:
            yield self._patience
        finally:
            self._patience -= time.monotonic() - began

    def _inbox(self, channel_number: int) -> deque[Any]:
        return self._inboxes.setdefault(channel_number, deque())

    def _dispatch(self, frame: Frame) -> None:
        """Put a method, or a message with the frame that completes it, into the inbox."""
        frame_type, channel_number, payload = frame
        if frame_type == HEARTBEAT:
            return
        if frame_type == METHOD:
            parameters = decode_method(payload)
            if method_of(parameters).has_content:
                self._contents[channel_number] = [parameters]
            else:
                self._inbox(channel_number).append(parameters)
            return
        content = self._contents[channel_number]
        if frame_type == HEADER:
            (body_size,) = struct.unpack_from(">Q", payload, 4)
            content += [body_size, decode_properties(payload[12:]), b""]
        else:
            content[3] += payload
        parameters, body_size, properties, body = content
        if len(body) == body_size:
            del self._contents[channel_number]
            self._inbox(channel_number).append(Message(parameters, properties, body))


def _method_part(arrived: Any) -> Any:
    return arrived.parameters if isinstance(arrived, Message) else arrived
