"""What both peers of a connection do: octets in, commands out, and the reverse.

`Protocol` does no input or output, knows no clock and has no tasks. A shell
around it, on any loop or thread, follows three rules:

1.  Octets that were read go to `receive_data`, or straight into `get_buffer` and
    then `buffer_updated`. Either returns the commands that are complete, and never
    raises because of a fault of the peer: `failure` keeps the fault.
2.  After that, and after anything was sent, `data_to_send` returns the octets to
    write.
3.  When `state` is CLOSED and nothing is left to write, the shell closes the
    socket; and when the socket is gone, the shell calls `receive_eof`.

When a fault follows good commands in one read, the good ones are returned, and
the ``connection.close`` goes behind the answers to them. So does the answer to the
peer's own close.

`ClientProtocol` and `ServerProtocol` add their halves of the opening.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from enum import Enum
from typing import Final, TypeVar

from .command import Command, encode_method
from .constants import FRAME_MIN_SIZE, ReplyCode
from .exceptions import EncodeError, FramingLost, ProtocolError, shorten, show
from .fields import as_octets
from .frames.method.basic import (
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicPublishParameters,
    BasicReturnParameters,
)
from .frames.method.channel import (
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
)
from .frames.method.connection import ConnectionCloseOkParameters, ConnectionCloseParameters
from .incoming_frames import CommandAssembler
from .method_codecs import Parameters, method_of
from .outgoing_frames import CommandWriter, ContentHead, DiscardingWriter

__all__ = ["ConnectionState", "Protocol", "check_callable", "check_frame_max"]

Opening = Generator[None, Parameters, None]
"""One peer's half of the opening: it is sent each method on channel 0, until it ends."""

_WITH_CONTENT: Final = {
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicPublishParameters,
    BasicReturnParameters,
}
_ParametersT = TypeVar("_ParametersT", bound=Parameters)


class ConnectionState(Enum):
    """The states of a connection, by RabbitMQ's names.

    ::

        protocol.receive_eof()
        assert protocol.state is ConnectionState.CLOSED
    """

    STARTING = "starting"
    """Until connection.start-ok."""
    SECURING = "securing"
    """While the client logs in."""
    TUNING = "tuning"
    """While the peers agree on limits (connection.tune)."""
    OPENING = "opening"
    """While the client asks for a virtual host (connection.open)."""
    RUNNING = "running"
    """The connection is open."""
    CLOSING = "closing"
    """This peer has sent a close, or a server has answered the client's close. Everything that
    arrives is dropped, except closes and the answers to them."""
    CLOSED = "closed"
    """No more octets are received; queued ones may still be written."""


class Protocol(ABC):
    """One peer's side of a connection; the two subclasses are the peers.

    ::

        for command in protocol.receive_data(octets):
            print(command)
        connection.sendall(protocol.data_to_send())

    Args:
        receive_frame_max: The largest frame to accept until limits are agreed on, in octets.
        send_frame_max: The largest frame to send until limits are agreed on, in octets.
        max_body_size: The largest message body to accept, in octets.
        checks_body_sizes: Whether to refuse at once a content that announces more than 512 MiB,
            and a body frame longer than announced. False by default.

    Attributes:
        failure: The first thing that the peer did wrong, or None.
        close_sent: The connection.close that we sent, or None.
        close_received: The connection.close that the peer sent, or None.
        crossed_closes: The channel.close that the peer sent on channels that we were closing, by
            channel number. The shell may remove an entry when its channel is closed.
        has_lost_framing: Whether the peer's octets can no longer be cut into frames. If so, no
            answer to a close will be recognised, and the shell has to close the socket.
        channel_max: The highest channel number that was agreed on; 0 for no limit.
        frame_max: The largest frame that was agreed on, in octets; 0 for no limit.
        heartbeat_interval: The interval that was agreed on, in seconds; 0 for no heartbeats.
    """

    def __init__(
        self,
        *,
        receive_frame_max: int,
        send_frame_max: int,
        max_body_size: int,
        checks_body_sizes: bool = False,
    ) -> None:
        self._state = ConnectionState.STARTING
        self._assembler = CommandAssembler(
            frame_max=receive_frame_max,
            max_body_size=max_body_size,
            checks_body_sizes=checks_body_sizes,
        )
        self._writer = CommandWriter(frame_max=send_frame_max)
        self._closing_frame = b""  # a close or close-ok that goes behind all that is queued
        self._is_discarding = False  # whether octets that arrive are dropped unread
        self._closing_channels: set[int] = set()
        self._opening_channels: set[int] = set()
        self.crossed_closes: dict[int, ChannelCloseParameters] = {}
        self._opening: Opening | None = None
        self.failure: ProtocolError | None = None
        self.close_sent: ConnectionCloseParameters | None = None
        self.close_received: ConnectionCloseParameters | None = None
        self.has_lost_framing: bool = False
        self.channel_max: int = 0
        self.frame_max: int = send_frame_max
        self.heartbeat_interval: int = 0

    @property
    def state(self) -> ConnectionState:
        """The state of the connection."""
        return self._state

    # --- octets in, commands out ---

    def get_buffer(self, sizehint: int = -1) -> memoryview:
        """Return room for the next octets, as `asyncio.BufferedProtocol` does; it is never empty.

        Args:
            sizehint: Not used.
        """
        return self._assembler.get_buffer()

    def buffer_updated(self, count: int) -> list[Command]:
        """Process octets that were read into the buffer of `get_buffer`.

        Args:
            count: The number of octets.

        Returns:
            The commands that are now complete, as `receive_data` does.
        """
        assembler = self._assembler
        assembler.buffer_updated(count)
        commands: list[Command] = []
        while not self._is_discarding:
            try:
                self._assemble(commands)
                break
            except ProtocolError as error:
                self._fail(error)
        if self._is_discarding:
            assembler.discard()
        if self._closing_channels or self._opening_channels:
            return self._without_unopened_channels(commands)
        return commands

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Command]:
        """Process octets that the peer wrote, in pieces of any size, and return the commands.

        ::

            for channel_number, parameters, properties, body in protocol.receive_data(octets):
                ...

        Args:
            data: The octets.

        Returns:
            The commands that are now complete, except those of the opening and closing of
            the connection, heartbeats, and commands on a channel that we are closing or opening.
        """
        commands: list[Command] = []
        view = as_octets(data)
        while view:
            count = self._assembler.copy_in(view)
            commands += self.buffer_updated(count)
            view = view[count:]
        return commands

    def receive_eof(self) -> None:
        """Record that the peer will send nothing more, and drop incomplete commands."""
        self._set_state(ConnectionState.CLOSED)
        self._assembler.release()

    # --- commands in, octets out ---

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send` would return anything."""
        return bool(self._writer.queued or self._closing_frame)

    @property
    def queued_size(self) -> int:
        """The number of octets that wait to be sent."""
        return len(self._writer.queued)

    @property
    def unfinished_size(self) -> int:
        """How many octets have arrived of bodies that are not complete."""
        return self._assembler.unfinished_size

    def data_to_send(self) -> bytearray:
        """Take and return the octets to write; empty if there are none."""
        octets = self._writer.take()
        if self._closing_frame:
            octets += self._closing_frame
            self._closing_frame = b""
            self._writer = DiscardingWriter(frame_max=0)
        return octets

    def send(self, channel_number: int, parameters: Parameters) -> None:
        """Queue a method that has no content.

        Args:
            channel_number: The channel's number; 0 for methods of the connection.
            parameters: The method, for example a `QueueDeclareParameters`.

        Raises:
            EncodeError: An argument cannot be encoded, or the method has content; nothing was
                queued.
        """
        if type(parameters) in _WITH_CONTENT:
            raise EncodeError(
                f"{method_of(parameters).name} has content, which must follow it; expected a method"
                " without content here, and this one in send_content"
            )
        self._writer.method(channel_number, encode_method(parameters))
        if type(parameters) is ChannelCloseParameters:
            self._closing_channels.add(channel_number)
            self._opening_channels.discard(channel_number)
        elif type(parameters) is ChannelOpenParameters:
            self._opening_channels.add(channel_number)

    def send_method(self, channel_number: int, payload: bytes) -> None:
        """Queue a method without content that is encoded already.

        A ``channel.close`` must go through `send`, because the protocol then has to drop later
        commands on the channel.

        Args:
            channel_number: The channel's number.
            payload: The method, encoded: ids, then arguments.

        Raises:
            EncodeError: It is larger than a frame may be; nothing was queued.
        """
        self._writer.method(channel_number, payload)

    def send_content(
        self,
        channel_number: int,
        payload: bytes,
        properties: bytes,
        body: bytes | bytearray | memoryview,
    ) -> None:
        """Queue a method with its content, all of it at once.

        Args:
            channel_number: The channel's number.
            payload: The method, encoded: ids, then arguments.
            properties: The properties, encoded.
            body: The body, of any size; it is cut into frames, and copied.

        Raises:
            EncodeError: Method or properties are larger than a frame may be; nothing was queued.
        """
        self._writer.content(channel_number, payload, properties, body)

    def content_head(self, channel_number: int, payload: bytes) -> ContentHead:
        """Encode a method once that is to be sent with many contents; see `send_content_behind`.

        Args:
            channel_number: The channel's number.
            payload: The method, encoded: ids, then arguments.

        Raises:
            EncodeError: It is larger than a frame may be.
        """
        return self._writer.content_head(channel_number, payload)

    def send_content_behind(
        self, head: ContentHead, properties: bytes, body: bytes | bytearray | memoryview
    ) -> int:
        """Queue a method with its content, in half the time that `send_content` takes.

        Args:
            head: The method.
            properties: As in `send_content`.
            body: As in `send_content`.

        Returns:
            The number of octets that wait to be sent.

        Raises:
            EncodeError: The properties are larger than a frame may be; nothing was queued.
        """
        return self._writer.content_behind(head, properties, body)

    def new_writer(self) -> CommandWriter:
        """Return a writer for commands that are to be sent later; see `send_written`."""
        return CommandWriter(frame_max=self._writer.frame_max)

    def send_written(self, octets: bytes | bytearray) -> None:
        """Queue the octets that a writer of `new_writer` has made.

        Args:
            octets: The octets that `CommandWriter.take` has returned.
        """
        self._writer.written(octets)

    def send_heartbeat(self) -> None:
        """Queue a heartbeat."""
        self._writer.heartbeat()

    def is_channel_closing(self, channel_number: int) -> bool:
        """Return whether we have sent channel.close and its answer has not come.

        Args:
            channel_number: The channel's number.
        """
        return channel_number in self._closing_channels

    def close(
        self,
        reply_code: int = ReplyCode.REPLY_SUCCESS,
        reply_text: str = "",
        class_id: int = 0,
        method_id: int = 0,
    ) -> None:
        """Close the connection (connection.close), behind all that is queued.

        Does nothing if it is being closed already.

        Args:
            reply_code: The reason as a number (`ReplyCode`); 200 for no fault.
            reply_text: The reason in words; cut to 255 octets.
            class_id: Class of the method at fault, or 0.
            method_id: Method at fault, or 0.

        Raises:
            EncodeError: A number does not fit into its field; nothing was queued.
        """
        if not self._may_close():
            return
        close = ConnectionCloseParameters(reply_code, shorten(reply_text), class_id, method_id)
        self._send_last(close)
        self.close_sent = close
        self._set_state(ConnectionState.CLOSING)

    # --- the subclasses' part ---

    @abstractmethod
    def _open(self) -> Opening:
        """Go through our half of the opening (section 2.2.4), as a generator."""

    @abstractmethod
    def _is_expected(self, parameters: Parameters) -> bool:
        """Return whether the peer may send this on channel 0 of an open connection."""

    @abstractmethod
    def _unexpected(self, parameters: Parameters) -> ProtocolError:
        """Return the error for a method that has no place on channel 0 now."""

    def _may_close(self) -> bool:
        """Return whether a close may still be sent."""
        return self._state not in (ConnectionState.CLOSING, ConnectionState.CLOSED)

    def _begin(self) -> None:
        """Start our half of the opening."""
        self._opening = self._open()
        next(self._opening)

    def _expect(self, *types: type[_ParametersT]) -> Generator[None, Parameters, _ParametersT]:
        """Wait, within `_open`, for one of these methods."""
        parameters = yield
        if isinstance(parameters, types):
            return parameters
        raise self._unexpected(parameters)

    def _agree(self, channel_max: int, frame_max: int, heartbeat_interval: int) -> None:
        """Put limits in force that both peers have agreed on."""
        self.channel_max = channel_max
        self.frame_max = frame_max
        self.heartbeat_interval = heartbeat_interval
        self._assembler.frame_max = frame_max
        self._writer.frame_max = frame_max

    def _set_state(self, state: ConnectionState) -> None:
        """Change the state; the only place that does."""
        if self._state is ConnectionState.CLOSED:
            return
        self._state = state
        self._assembler.takes_channels = state is ConnectionState.RUNNING
        if state is ConnectionState.CLOSING:
            self._assembler.drop_channels()
        elif state is ConnectionState.CLOSED:
            self._is_discarding = True

    def _fail(self, error: ProtocolError) -> None:
        """Close the connection because of a fault of the peer.

        Only the first fault counts. When the framing is lost, the peer's answer to our
        close cannot be recognised either; it is left to the shell to stop waiting.
        """
        if isinstance(error, FramingLost):
            self._is_discarding = True
            self.has_lost_framing = True
        if self._state is not ConnectionState.CLOSING:
            self._keep_failure(error)
            self.close(error.reply_code, error.reply_text, error.class_id, error.method_id)

    def _keep_failure(self, error: ProtocolError) -> None:
        """Keep the first fault of the peer."""
        self.failure = self.failure or error

    def _keep_close(self, close: ConnectionCloseParameters) -> None:
        """Keep the peer's first connection.close."""
        self.close_received = self.close_received or close

    # --- processing commands ---

    def _assemble(self, commands: list[Command]) -> None:
        while self._assembler.assemble(commands):
            self._receive_control(commands, commands.pop()[1])
            if self._is_discarding:
                return

    def _receive_control(self, commands: list[Command], parameters: Parameters) -> None:
        """Act on a method on channel 0, or append it to the commands."""
        if type(parameters) is ConnectionCloseParameters:
            self._receive_close(parameters)
        elif self._state is ConnectionState.CLOSING:
            if type(parameters) is ConnectionCloseOkParameters:
                self._set_state(ConnectionState.CLOSED)
        elif self._opening is not None:
            self._continue_opening(parameters)
        elif self._is_expected(parameters):
            commands.append((0, parameters, None, None))
        else:
            raise self._unexpected(parameters)

    def _receive_close(self, close: ConnectionCloseParameters) -> None:
        """Answer the peer's close, and receive nothing more."""
        self._keep_close(close)
        self._send_last(ConnectionCloseOkParameters())
        self._set_state(ConnectionState.CLOSED)

    def _continue_opening(self, parameters: Parameters) -> None:
        assert self._opening is not None
        try:
            self._opening.send(parameters)
        except StopIteration:
            self._opening = None

    def _without_unopened_channels(self, commands: list[Command]) -> list[Command]:
        """Drop commands on channels that we are closing (section 1.5.2.5) or opening.

        On a channel that we are closing, the answer to our close is kept, which frees the number,
        and a channel.open, because that is a fault to which RabbitMQ reacts. When the peer's close
        crosses ours it is answered, and ours still needs its answer.

        On one that we are opening, commands before the answer belong to the channel that had the
        number before: RabbitMQ 4.3 delivers messages behind its channel.close.
        """
        kept: list[Command] = []
        for command in commands:
            number, parameters, _, _ = command
            if number in self._opening_channels:
                if type(parameters) in (ChannelOpenOkParameters, ChannelCloseParameters):
                    self._opening_channels.discard(number)
                    kept.append(command)
            elif number not in self._closing_channels or type(parameters) is ChannelOpenParameters:
                kept.append(command)
            elif type(parameters) is ChannelCloseOkParameters:
                self._closing_channels.discard(number)
                kept.append(command)
            elif type(parameters) is ChannelCloseParameters:
                self.crossed_closes[number] = parameters
                self.send(number, ChannelCloseOkParameters())
        return kept

    def _send_last(self, parameters: Parameters) -> None:
        """Queue a method behind all that is queued; nothing may follow it."""
        writer = CommandWriter(frame_max=0)
        writer.method(0, encode_method(parameters))
        self._closing_frame += bytes(writer.take())


def check_callable(value: object, name: str) -> None:
    """Check an argument that a peer calls during the opening.

    Raises:
        TypeError: It cannot be called.
    """
    if not callable(value):
        raise TypeError(f"{name} is {show(value)}; expected a function")


def check_frame_max(frame_max: int) -> None:
    """Check the limit that a peer proposes: no connection may have a lower one (section 4.2.3).

    Raises:
        EncodeError: It is below 4096, and not 0.
    """
    if 0 < frame_max < FRAME_MIN_SIZE:
        raise EncodeError(
            f"frame_max is {frame_max}; expected at least {FRAME_MIN_SIZE}, or 0 for no limit"
        )
