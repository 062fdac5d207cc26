"""A connection: one client, from its first octet to its last.

It stands between the wire (`ServerProtocol`: octets, framing, opening and closing) and the channels.
It logs the client in, opens a virtual host, executes commands with their handlers, closes the channel
or the connection when a handler raises an error, and stops deliveries to a client that does not read.
It knows no socket: a `Transport` moves the octets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    Accepted,
    BasicPublishParameters,
    Command,
    ConnectionBlockedParameters,
    ConnectionOpenParameters,
    ConnectionState,
    ConnectionUnblockedParameters,
    EncodeError,
    OversizedContent,
    ProtocolError,
    Refused,
    ReplyCode,
    ServerProtocol,
    method_of,
)

from ..auth.login import Login, Peer, Verdict
from ..history.event_fields import Identity
from ..rabbitmq import errors
from .channel_table import ChannelTable
from .closing import Closing, describe_end
from .command_backlog import CommandBacklog, PauseReason
from .consumer_timeouts import ConsumerTimeouts
from .heartbeats import Heartbeats
from .methods import HANDLERS, publish
from .strike_points import StrikePoints
from .timers import Timers
from .traffic import Traffic
from .unhandled_commands import execute_unhandled

if TYPE_CHECKING:
    from ..auth.users import User
    from ..node.node import Node
    from ..node.virtual_host import VirtualHost
    from .channel import Channel
    from .ports import ConfirmingChannel
    from .transport import Transport

__all__ = ["Connection"]

_CODES_WITHOUT_METHOD = frozenset((ReplyCode.INTERNAL_ERROR, ReplyCode.CONNECTION_FORCED))

_DELIVERY_LIMIT = 262_144
"""Octets that may be queued for a client before the consumers of its connection are blocked."""

_REPLY_LIMIT = 4_194_304
"""Octets that may be queued, here or in the transport, before the client's commands wait."""


class _Stage(Enum):
    """The stage of a connection; a connection never returns to a former stage."""

    OPENING = auto()
    OPEN = auto()
    OVER = auto()
    """The connection has left its channels and queues; queued output may still be written."""


class Connection:
    """A client's connection.

    Attributes:
        node: The node that the client is connected to.
        peer: The address that the client connects from.
        identity: The names by which a test knows the connection.
        channels: The open channels by number.
        confirming: The channels whose confirms are sent when the current commands are executed.
        is_deliverable: Whether the client reads fast enough to be sent more messages.
        connected_at: The time at which the client connected, in seconds since 1970.
        traffic: The counts of the octets that have come and gone; None if the node counts none.
        virtualhost: The virtual host that the client has opened; valid once it is open.
        user: The user that is logged in; valid once it is open.
        strike_points: The points at which scripted faults strike.
    """

    virtualhost: VirtualHost
    user: User

    def __init__(
        self,
        node: Node,
        transport: Transport,
        peer: Peer | None = None,
        strike_points: StrikePoints | None = None,
    ) -> None:
        self.node = node
        self.peer: Peer = peer or Peer()
        self.identity: Identity = Identity(self.peer.connection_name, self.peer.connection_name)
        self.strike_points: StrikePoints = strike_points or StrikePoints()
        self._channels = ChannelTable(self)
        self.channels: dict[int, Channel] = self._channels.open
        self.confirming: list[ConfirmingChannel] = []
        self.is_deliverable: bool = True
        self.connected_at: float = node.network_clock.timestamp()
        self.traffic: Traffic | None = Traffic() if node.counts_octets else None
        self._transport = transport
        self._login = Login(node.users, self.peer)
        self._protocol = ServerProtocol(
            server_properties=partial(node.profile.server_properties, node.cluster_name),
            mechanisms=node.mechanisms,
            authenticate=self._authenticate,
            open_virtualhost=self._enter,
            channel_max=node.limits.channel_max,
            frame_max=node.limits.frame_max,
            heartbeat_interval=node.limits.heartbeat,
            max_body_size=node.limits.max_message_size,
            accepted_headers=node.profile.accepted_headers,
            other_header_reply=node.profile.answer_to_header,
            smallest_frame_max=node.profile.smallest_frame_max,
            checks_body_sizes=node.profile.checks_body_sizes,
        )
        self.get_buffer: Callable[[int], memoryview] = self._protocol.get_buffer
        self._heartbeats: Heartbeats | None = None
        self._timers = Timers(node.network_clock)
        self._consumer_timeouts = ConsumerTimeouts(
            self._channels, self._timers, node.clock, node.limits
        )
        self._closing = Closing(self._protocol, transport, self._timers, node.limits)
        self._backlog = CommandBacklog(transport, self._execute)
        self._stage = _Stage.OPENING
        self._is_working = False
        self._is_paused = False
        self._reply_room = _REPLY_LIMIT
        self._unawaited_size: int | None = (
            None  # the octets that were queued when an error was the last of them
        )
        self._failure: ProtocolError | None = None  # the connection closes because of it, later
        self._failed_channels: set[int] = set()
        self._timers.call_later("handshake", node.limits.handshake_timeout, transport.abort)
        node.connections[self] = None

    def __repr__(self) -> str:
        return f"<Connection from {self.peer.host}:{self.peer.port}>"

    @property
    def is_open(self) -> bool:
        """Whether the client has opened a virtual host, and the connection is not closing."""
        return self._stage is _Stage.OPEN

    @property
    def is_opening(self) -> bool:
        """Whether the client has not opened a virtual host yet."""
        return self._stage is _Stage.OPENING

    @property
    def is_blocked(self) -> bool:
        """Whether the client published during an alarm, so the broker does not read on."""
        return PauseReason.ALARM in self._backlog.paused_by

    @property
    def client_properties(self) -> dict[str, Any]:
        """The properties that the client sent in connection.start-ok."""
        return self._protocol.client_properties

    @property
    def channel_max(self) -> int:
        """The negotiated limit of open channels; 0 for no limit."""
        return self._protocol.channel_max

    @property
    def awaits_octets(self) -> bool:
        """Whether the client has sent only a part of a message, and the broker reads on."""
        return self._protocol.unfinished_size > 0 and not self._backlog.paused_by

    @property
    def frame_max(self) -> int:
        """The negotiated size of the largest frame, in octets; 0 for no limit."""
        return self._protocol.frame_max

    @property
    def heartbeat(self) -> int:
        """The negotiated seconds between heartbeats; 0 for none."""
        return self._protocol.heartbeat_interval

    @property
    def mechanism_name(self) -> str:
        """The SASL mechanism with which the client has logged in; empty before it has chosen one."""
        return self._login.mechanism_name

    def all_channels(self) -> Iterator[Channel]:
        """Yield the channels that may have unsettled deliveries: the closing and the open ones."""
        yield from self._channels

    def client_can(self, capability: str) -> bool:
        """Return whether the client announced a capability."""
        return self._protocol.client_capabilities.get(capability) is True

    # -- octets in -----------------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray) -> None:
        """Receive octets from the client, and execute their commands."""
        if self.traffic is not None:
            self.traffic.received(len(data))
        self.node.memory.received(len(data))
        self._receive(self._protocol.receive_data(data))

    def buffer_updated(self, count: int) -> None:
        """Receive octets that were read into `get_buffer`, and execute their commands."""
        if self.traffic is not None:
            self.traffic.received(count)
        self.node.memory.received(count)
        self._receive(self._protocol.buffer_updated(count))

    def disconnected(self) -> None:
        """Leave channels and queues: the socket is closed."""
        self._protocol.receive_eof()
        self._detach()
        self._closing.stop()
        self._protocol.data_to_send()  # free the memory: queues may refer to the connection for long

    def _receive(self, commands: list[Command]) -> None:
        if self._heartbeats is not None:
            self._heartbeats.has_received = True
        self._is_working = True
        try:
            if self._backlog.paused_by:
                self._backlog.add(commands)
            else:
                self._execute(commands)
                if self.node.alarms.reason is not None and self._protocol.unfinished_size:
                    reason = self.node.alarms.reason_for(self)
                    if reason is not None:
                        self._block(reason)  # in the middle of a publish
            if self._protocol.state is not ConnectionState.RUNNING or self._stage is _Stage.OPENING:
                self._follow_state()
        finally:
            self._is_working = False
        if self._unawaited_size is not None and self._unawaited_size == self._protocol.queued_size:
            self._transport.wake_later()
        elif self._protocol.has_data_to_send:
            self._transport.wake()

    def _follow_state(self) -> None:
        """Open or end the connection if the protocol has done so."""
        state = self._protocol.state
        if state is ConnectionState.RUNNING and self._stage is _Stage.OPENING:
            self._begin()
        elif state in (ConnectionState.CLOSING, ConnectionState.CLOSED):
            self._detach()

    # -- commands ------------------------------------------------------------------------------

    def _execute(self, commands: Iterable[Command]) -> None:
        """Execute commands in order; when the connection is paused, the rest goes to the backlog."""
        channels = self.channels
        handlers = HANDLERS
        protocol = self._protocol
        alarms = self.node.alarms
        recorder = self.node.recorder
        strike = self.strike_points.method
        waiting = iter(commands)
        for command in waiting:
            number, parameters, properties, body = command
            channel = channels.get(number)
            if recorder is not None:
                recorder.actor = channel
            try:
                if strike is not None and strike(self, command):
                    pass
                elif type(parameters) is BasicPublishParameters and channel is not None:
                    if alarms.reason is not None and (reason := alarms.reason_for(self)):
                        self._block(reason)
                        self._backlog.add((command,))
                        break
                    publish(channel, parameters, properties or b"", body or b"")
                elif channel is not None and (handler := handlers.get(type(parameters))):
                    handler(channel, parameters)
                else:
                    execute_unhandled(self, self._channels, number, parameters)
            except ProtocolError as error:
                is_first = self._failure is None
                self._close_after_error(error, channel, number, parameters)
                if is_first and self._failure is not None:
                    self._close_behind(waiting, self._failure)
                    break
            if self._stage is _Stage.OVER:
                break
            if protocol.queued_size > self._reply_room:
                self._backlog.pause(PauseReason.UNREAD_OUTPUT)
                break
        if recorder is not None:
            recorder.actor = None
        if self._stage is not _Stage.OVER:
            self._backlog.add(waiting)
        while self.confirming:
            self.confirming.pop().flush_confirms()

    def _close_after_error(
        self,
        error: ProtocolError,
        channel: Channel | None,
        number: int,
        parameters: tuple[Any, ...],
    ) -> None:
        """Close the channel or the connection: the handler of a command has raised an error."""
        if isinstance(parameters, OversizedContent):
            parameters = parameters.parameters
        method = method_of(parameters)
        if error.reply_code not in _CODES_WITHOUT_METHOD and not error.class_id:
            error.class_id, error.method_id = method.id
        if channel is not None and not error.is_hard:
            self._channels.close(channel, error)
        elif number == 0:
            self.close(error)
        else:
            if channel is not None:
                self._channels.abort(channel)  # now: another channel may get its messages
            self._failed_channels.add(number)
            self._failure = self._failure or error
        if not method.replies:
            self._unawaited_size = self._protocol.queued_size

    def _close_behind(self, waiting: Iterable[Command], failure: ProtocolError) -> None:
        """Close the connection because of a channel's error, after the other channels have answered.

        RabbitMQ's reader passes on the commands of a read before it learns of the error (3.10 to 4.3).
        The channel that failed executes no further command.
        """
        for command in waiting:
            if command[0] not in self._failed_channels:
                self._execute((command,))
        self.close(failure)

    def execute_late(self, commands: Iterable[Command]) -> None:
        """Execute commands that a fault has kept; drop them if the connection is closing."""
        if self._stage is _Stage.OPEN:
            self._receive(list(commands))

    def close_channel(self, channel_number: int) -> None:
        """Close a channel because its client asked for it.

        If the same read holds a connection.close, only that is answered.
        """
        self._channels.close(
            self.channels[channel_number],
            None,
            is_answered=self._protocol.close_received is None,
        )

    def fail_channel(self, channel_number: int, error: ProtocolError) -> None:
        """Close a channel because of an error that no method of the client has caused."""
        channel = self.channels.get(channel_number)
        if channel is not None:
            self._channels.close(channel, error)

    # -- octets out ----------------------------------------------------------------------------

    def send(self, channel_number: int, parameters: tuple[Any, ...]) -> None:
        """Queue a method for the client."""
        self._protocol.send(channel_number, parameters)
        if not self._is_working:
            self._transport.wake()

    def send_method(self, channel_number: int, payload: bytes) -> None:
        """Queue an encoded method for the client."""
        self._protocol.send_method(channel_number, payload)
        if not self._is_working:
            self._transport.wake()

    def send_content(
        self,
        channel_number: int,
        payload: bytes,
        properties: bytes,
        body: bytes | bytearray,
    ) -> None:
        """Queue an encoded method with its content; stop deliveries if too much is queued."""
        protocol = self._protocol
        try:
            protocol.send_content(channel_number, payload, properties, body)
        except EncodeError:
            self._close_for_small_frames()
        if protocol.queued_size > _DELIVERY_LIMIT:
            self.is_deliverable = False
        if not self._is_working:
            self._transport.wake()

    def _close_for_small_frames(self) -> None:
        """Close the connection soon: its frames are too small for the headers of a message.

        RabbitMQ sends the frame nevertheless, and the client closes. The fake cannot close at once,
        because a queue is delivering.
        """
        self.is_deliverable = False
        self._timers.call_later("small frames", 0, lambda: self.close(errors.internal_error()))

    @property
    def has_data_to_send(self) -> bool:
        """Whether there is anything to write."""
        return self._protocol.has_data_to_send

    def data_to_send(self) -> bytes | bytearray:
        """Return the queued octets, and remove them."""
        data = self._protocol.data_to_send()
        if data and self._heartbeats is not None:
            self._heartbeats.data_sent()
        if data and self.traffic is not None:
            self.traffic.sent(len(data))
        self._unawaited_size = None
        return data

    def written(self) -> None:
        """Resume what has waited until queued output was written."""
        if self._stage is _Stage.OVER:
            return
        if self._is_paused:
            self._reply_room = max(_REPLY_LIMIT - self._transport.unwritten_size(), 0)
            return
        self._reply_room = _REPLY_LIMIT
        self._backlog.resume(PauseReason.UNREAD_OUTPUT)
        if not self.is_deliverable:
            self.is_deliverable = True
            for channel in list(self.channels.values()):
                channel.wake_consumers()

    def stop_deliveries(self) -> None:
        """Stop deliveries: the node goes down."""
        self.is_deliverable = False

    def pause_writing(self) -> None:
        """Stop deliveries to a client that reads too slowly; disconnect it if that lasts."""
        self._is_paused = True
        self.is_deliverable = False
        if self._stage is not _Stage.OVER:
            timeout = self.node.limits.send_timeout
            self._timers.call_later("sending", timeout, self._transport.abort)

    def resume_writing(self) -> None:
        """Resume deliveries: the client has read."""
        self._is_paused = False
        self._timers.cancel("sending")
        self.written()

    # -- memory and alarms ---------------------------------------------------------------------

    def memory_size(self) -> int:
        """Return how much memory messages to and from the client take, in octets."""
        protocol = self._protocol
        on_the_wire = protocol.unfinished_size + protocol.queued_size
        waiting = self._backlog.memory_size() + self._transport.unwritten_size()
        return on_the_wire + waiting + sum(each.memory_size() for each in self._channels)

    def _block(self, reason: str) -> None:
        """Stop reading from a publisher until the alarm is over."""
        if self.is_blocked:
            return
        self._backlog.pause(PauseReason.ALARM)
        if self.node.recorder is not None:
            self.node.recorder.record("connection_blocked", connection=self, reason=reason)
        if self.client_can("connection.blocked"):
            self.send(0, ConnectionBlockedParameters(reason))

    def unblock(self) -> None:
        """Resume reading: the alarm is over."""
        if self.is_blocked and self.node.recorder is not None:
            self.node.recorder.record("connection_unblocked", connection=self)
        if self.is_blocked and self.client_can("connection.blocked"):
            self.send(0, ConnectionUnblockedParameters())
        self._backlog.resume(PauseReason.ALARM)

    # -- opening -------------------------------------------------------------------------------

    def _authenticate(self, mechanism: str, response: bytes) -> Verdict:
        """Return the answer to a SASL response of the client."""
        verdict = self._login.answer(mechanism, response)
        strike = self.strike_points.login
        if strike is not None and isinstance(verdict, Accepted):
            text = strike(self, mechanism)
            if text is not None:
                return Refused(text)
        return verdict

    @property
    def login_name(self) -> str | None:
        """The name of the user that has logged in; None before that."""
        return None if self._login.user is None else self._login.user.name

    def _enter(self, name: str) -> None:
        """Open a virtual host for the user that is logged in."""
        assert self._login.user is not None
        self.user = self._login.user
        try:
            self.virtualhost = self.node.open_virtualhost(name, self.user)
        except ProtocolError as error:
            error.class_id, error.method_id = method_of(ConnectionOpenParameters).id
            raise

    def _begin(self) -> None:
        """Start heartbeats and checks: the connection is open."""
        self._stage = _Stage.OPEN
        self._timers.cancel("handshake")
        self._identify()
        if self.node.recorder is not None:
            self.node.recorder.record("connection_opened", connection=self)
        interval = self._protocol.heartbeat_interval
        if interval:
            self._heartbeats = Heartbeats(
                interval,
                self.node.network_clock,
                is_reading=lambda: not self._backlog.paused_by,
                send=self._send_heartbeat,
                disconnect=self._transport.abort,
            )
        if not self.node.profile.consumers_have_timeouts:
            self._consumer_timeouts.start()
        if self.strike_points.opened is not None:
            self.strike_points.opened(self)

    def _identify(self) -> None:
        """Set the names by which a test knows the connection."""
        peer_name = self.peer.connection_name
        given = self.client_properties.get("connection_name")
        self.identity = Identity(
            given if isinstance(given, str) and given else peer_name,
            peer_name,
            self.user.name,
            self.virtualhost.name,
        )

    # -- time ----------------------------------------------------------------------------------

    def _send_heartbeat(self) -> None:
        self._protocol.send_heartbeat()
        self._transport.wake()

    # -- the end -------------------------------------------------------------------------------

    def close(self, error: ProtocolError) -> None:
        """Close the connection because of an error (connection.close)."""
        self._protocol.close(error.reply_code, error.reply_text, error.class_id, error.method_id)
        self._detach()
        self._transport.wake()

    def _detach(self) -> None:
        """Leave channels and queues and cancel timers, once; let the socket be closed."""
        if self._stage is not _Stage.OVER:
            was_open = self.is_open
            self._stage = _Stage.OVER
            if self.node.recorder is not None:
                self.node.recorder.record(
                    "connection_closed", connection=self, **describe_end(self._protocol)
                )
            self.is_deliverable = False
            self._timers.cancel_all()
            if self._heartbeats is not None:
                self._heartbeats.stop()
            self._backlog.drop()
            self._channels.abort_all()
            if was_open:
                self.virtualhost.delete_exclusive_queues(self)
            self._transport.resume_reading()
        if self._protocol.state is ConnectionState.CLOSED:
            self.node.connections.pop(self, None)
        self._closing.follow()
