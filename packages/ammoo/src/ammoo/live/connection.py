"""A connection as it is on the wire: one socket, from the handshake to the end.

The user's `Connection` keeps the user's settings; a `LiveConnection` belongs to one socket, and
ends with it. It opens and closes, passes each command of the server to its channel, and holds
the parts that all channels share: channel numbers, blocking, flow control.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ammoo_wire import (
    ClientProtocol,
    Command,
    ConnectionBlockedParameters,
    ConnectionSecureParameters,
    ConnectionState,
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
    FieldTable,
    ReplyCode,
)

from ..auth.secrets import encode_secret
from ..exceptions.base import OperationTimeout
from ..exceptions.connection import (
    ClientClosedConnectionError,
    ClientClosedConnectionOK,
    ConnectionTimeout,
    HeartbeatTimeout,
    InvalidServerFrame,
    ServerClosedConnection,
    UnexpectedFrame,
    server_closed_connection,
)
from ..instrumentation.instruments import Instruments
from ..parameters import ConnectionParameters
from ..uncopyable import Uncopyable
from .blocking import Blocking
from .channel import RECEIVERS, LiveChannel
from .channel_numbers import ChannelNumbers
from .flow_control import COALESCE_FROM, FlowControl
from .handshake import LOCALE, Opening, client_properties
from .opening_failures import exception_for, loss_of
from .replies import Replies, Reply
from .reply_timeouts import UNANSWERED_TIMEOUT, ReplyTimeouts
from .sockets import connect_socket
from .transport import Transport

if TYPE_CHECKING:
    from ..instrumentation.frame_recorder import FrameRecorder

__all__ = ["LiveConnection"]

FAULT_TIMEOUT: Final = 3.0
"""How long the socket stays open after a close that no task awaits, in seconds."""


class LiveConnection(Uncopyable):
    """One connection on the wire.

    Args:
        loop: The event loop.
        parameters: Where to connect to, and how.
        on_blocked_changed: Called with the server's reason when it has blocked the connection,
            and with None when it has unblocked it.
        instruments: The user's instruments; None if there are none.

    Attributes:
        blocked_timeout: How long a publish waits while the server accepts none, in seconds.
        blocking: Whether the server has blocked the connection.
        channels: The open channels by their numbers.
        closing_exc: The error that ended the connection; None while it has not ended.
        flow_control: Decides when the socket is not read.
        on_end: Called with the error that ends the connection, before its channels end.
        operation_timeout: How long an operation waits for its reply, in seconds.
        protocol: The wire's side.
        transport: The socket's side.
        unconfirmed_at_end: How many publishes were not confirmed when the connection ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        parameters: ConnectionParameters,
        on_blocked_changed: Callable[[str | None], None],
        instruments: Instruments | None = None,
    ) -> None:
        self.loop = loop
        self.operation_timeout: float | None = parameters.operation_timeout
        self.blocked_timeout: float | None = parameters.blocked_timeout
        self.closing_exc: Exception | None = None
        self.unconfirmed_at_end: int = 0
        self.on_end: Callable[[Exception], None] | None = None
        self.channels: dict[int, LiveChannel] = {}
        self._parameters = parameters
        self._on_blocked_changed = on_blocked_changed
        self._opening = Opening(loop, parameters)
        self._receivers = RECEIVERS
        self._new_channel: Callable[[int, str], LiveChannel] = partial(LiveChannel, self)
        self._recorder: FrameRecorder | None = None
        new_protocol: Callable[..., ClientProtocol] = ClientProtocol
        if instruments is not None:
            new_protocol = self._instrument(instruments)
        self.protocol: ClientProtocol = new_protocol(
            mechanism=self._opening.choose_mechanism,
            virtualhost=parameters.virtualhost,
            client_properties=client_properties(parameters),
            locale=LOCALE,
            channel_max=parameters.channel_max,
            frame_max=parameters.frame_max,
            heartbeat_interval=parameters.heartbeat_interval,
        )
        self.transport: Transport = Transport(loop, self.protocol, self)
        self.blocking: Blocking = Blocking(
            loop, parameters.blocked_timeout, self._prepare_to_wait, self._expire_confirms
        )
        self.flow_control: FlowControl = FlowControl(self.transport, self.channels)
        self._numbers = ChannelNumbers()
        self._replies = Replies(loop)
        self._reply_timeouts = ReplyTimeouts(
            loop, self._replies, self.blocking, self._close_unanswered
        )
        self._closed = asyncio.Event()
        self._unanswered_close: asyncio.Event | None = None
        self._abort_timer: asyncio.TimerHandle | None = None

    def _instrument(self, instruments: Instruments) -> Callable[..., ClientProtocol]:
        """Let channels call hooks, and return a function that makes the wire's side."""
        hooks = instruments.hooks
        if hooks is not None:
            from .instrumented import INSTRUMENTED_RECEIVERS, InstrumentedChannel

            self._receivers = INSTRUMENTED_RECEIVERS
            self._new_channel = lambda number, encoding: InstrumentedChannel(
                self, number, encoding, hooks
            )
        if not instruments.record_frames:
            return ClientProtocol
        from ..instrumentation.frame_recorder import FrameRecorder, RecordingProtocol

        self._recorder = FrameRecorder(instruments.record_frames)
        return partial(RecordingProtocol, self._recorder)

    # --- opening ---

    async def open_socket(self, *, tries_each_address: bool = False) -> None:
        """Connect the socket, TLS included, and send nothing yet.

        Args:
            tries_each_address: If the host has several addresses, whether each of them gets a
                part of the time; by default the system decides.

        Raises:
            OSError: The socket cannot be connected; `ssl.SSLError` is a subclass.
        """
        await connect_socket(self.loop, self._parameters, self.transport, tries_each_address)

    async def open(self) -> None:
        """Do the handshake; if it fails, the socket is closed.

        Raises:
            ConnectionClosed: The server refused, or it does not speak AMQP.
        """
        self.transport.require_loop()
        timeout = self._parameters.connection_timeout
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                await self._open()
        except BaseException as error:
            # If the time is over and the caller is cancelled, only the cancellation is raised;
            # otherwise it would be lost.
            is_timeout = scope.expired() and isinstance(error, TimeoutError)
            if timeout is not None and is_timeout:
                self.fail(ConnectionTimeout(timeout, self._parameters.address))
            elif isinstance(error, Exception):
                self.fail(error)
            else:
                self.fail(ClientClosedConnectionError(error))
            self.transport.abort()
            if is_timeout:
                self.raise_if_closed()
            raise

    async def _open(self) -> None:
        if self._parameters.ssl_context is not None:
            # With TLS 1.3 the client's half of the handshake is over before the server looks at
            # the client's certificate. If the server has rejected it, its alert is read within
            # two turns; a write before that would meet the reset behind the alert, and the
            # reason would be lost: every second time with RabbitMQ 3.10, now every hundredth.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.raise_if_closed()
        self.transport.flush()
        while (response := await self._opening.next_response()) is not None:
            self.raise_if_closed()
            self.protocol.answer_challenge(response)
            self.transport.flush()

    # --- what the transport reports; see `transport.Receiver` ---

    def receive(self, commands: list[Command]) -> None:
        """Pass commands to their channels."""
        channels, receivers = self.channels, self._receivers  # locals: this loop is the hot path
        for channel_number, parameters, properties, body in commands:
            channel = channels.get(channel_number)
            if channel is not None:
                receivers[type(parameters)](channel, parameters, properties, body)
            elif channel_number == 0:
                self._receive_control(parameters)
            # else: both sides have closed the channel, and the command concerns nothing else
        if (len(commands) >= COALESCE_FROM and self.closing_exc is None) or (
            self.flow_control.backlogged
        ):
            self.flow_control.after_read(bool(self._replies) or self.blocking.has_waiters)

    def state_changed(self, state: ConnectionState) -> None:
        """Adapt to the protocol's new state."""
        protocol = self.protocol
        if state is ConnectionState.RUNNING:
            if protocol.heartbeat_interval:
                self.transport.start_heartbeats(protocol.heartbeat_interval)
            self._opening.succeed()
        elif state is ConnectionState.CLOSING and protocol.failure is not None:
            self.fail(exception_for(protocol.failure, self._parameters))
            self._close_socket_soon()
        elif state is ConnectionState.CLOSED:
            self._fail_as_peer_closed()
            self.transport.close()
            self._close_socket_soon()

    def heartbeat_timed_out(self, timeout: float) -> None:
        """End the connection: the server has sent nothing for two heartbeat intervals."""
        self.fail(HeartbeatTimeout(timeout, self._parameters.address))
        self.transport.reset()

    def lost(self, error: Exception | None) -> None:
        """End the connection: the socket is closed."""
        try:
            if self.closing_exc is None:
                self.fail(loss_of(self.protocol, self._opening, self._parameters, error))
            closed = self.protocol.close_received
            if closed is not None and isinstance(self.closing_exc, ClientClosedConnectionOK):
                self.closing_exc = server_closed_connection(
                    *closed
                )  # it crossed the client's close
        finally:  # closing waits for this without a limit
            if self._abort_timer is not None:
                self._abort_timer.cancel()
            self._closed.set()

    def _fail_as_peer_closed(self) -> None:
        """End the connection with the error of the opening, or the reason of connection.close."""
        closed, mechanism = self.protocol.close_received, self._opening.mechanism
        if self.protocol.opening_error is not None:
            self.fail(self.protocol.opening_error)
        elif closed is not None:
            self.fail(
                server_closed_connection(*closed, "" if mechanism is None else mechanism.name())
            )

    def _receive_control(self, parameters: Any) -> None:
        """Process a method on channel 0."""
        kind = type(parameters)
        if kind is ConnectionBlockedParameters:
            self._change_blocking(parameters.reason)
        elif kind is ConnectionUnblockedParameters:
            self._change_blocking(None)
        elif kind is ConnectionSecureParameters:
            self._opening.challenged(parameters.challenge)
        elif not self._replies.resolve(Reply(parameters)):
            self.close_for(parameters)

    def _change_blocking(self, reason: str | None) -> None:
        self.blocking.change(reason)
        for channel in self.channels.values():
            channel.blocked_changed()
        self._reply_timeouts.restart()
        self._on_blocked_changed(reason)

    def _expire_confirms(self, seconds: float, reason: str) -> None:
        """End the publishes that were sent before the server has blocked the connection."""
        for channel in self.channels.values():
            channel.publishing.expire_confirms(
                seconds, f"The server has blocked the connection ({reason})."
            )

    # --- operations ---

    @property
    def address(self) -> str:
        """The server's address, as a URL without user and password."""
        return self._parameters.address

    @property
    def server_properties(self) -> FieldTable:
        """The properties that the server sent; empty before it has sent them."""
        start = self.protocol.server_start
        return {} if start is None else start.server_properties

    @property
    def server_capabilities(self) -> FieldTable:
        """The capabilities in the server's properties; empty if it sent none."""
        capabilities = self.server_properties.get("capabilities")
        return capabilities if isinstance(capabilities, dict) else {}

    def raise_if_closed(self) -> None:
        """Raise the error that ended the connection, if it has ended."""
        if self.closing_exc is not None:
            raise self.closing_exc.with_traceback(None)

    def new_channel(self, body_encoding: str) -> LiveChannel:
        """Return a new channel, which is not open yet.

        Args:
            body_encoding: The encoding of text bodies where neither a message nor an argument
                names one.

        Raises:
            TooManyChannels: As many channels are open as were negotiated.
            ConnectionClosed: The connection is closed.
        """
        self.raise_if_closed()
        number = self._numbers.reserve(self.protocol.channel_max)
        channel = self.channels[number] = self._new_channel(number, body_encoding)
        return channel

    def free_channel_number(self, number: int, *, closed_by_server: bool) -> None:
        """Forget a channel that both sides have finished with."""
        if self.channels.pop(number, None) is not None:
            self._numbers.free(number, closed_by_server=closed_by_server)

    async def update_secret(self, new_secret: str, reason: str) -> None:
        """Send connection.update-secret and await the reply."""
        self.transport.require_loop()
        self.raise_if_closed()
        parameters = ConnectionUpdateSecretParameters(
            encode_secret(new_secret, "new_secret"), reason
        )
        self.protocol.send(0, parameters)
        waiter = self._replies.expect(ConnectionUpdateSecretOkParameters)
        self.transport.flush_soon()
        self.transport.resume_reading()
        await self._reply_timeouts.reply(parameters, waiter, self.operation_timeout)

    def _prepare_to_wait(self) -> None:
        """Read the socket again: it may hold the command that a task waits for."""
        self.transport.require_loop()
        self.raise_if_closed()
        self.transport.resume_reading()

    # --- the end ---

    def close_for(self, frame: object) -> None:
        """Close the connection because the server sent a frame that it must not send."""
        self._close_with(
            UnexpectedFrame(frame),
            ReplyCode.UNEXPECTED_FRAME,
            f"UNEXPECTED_FRAME - {frame!r:.200}",
        )

    def _close_unanswered(self, method: str) -> None:
        """Close the connection: while one reply is missing, no later one can be matched."""
        self.transport.flush()  # writes merged acknowledgements
        self._close_with(ClientClosedConnectionError(OperationTimeout(method, UNANSWERED_TIMEOUT)))

    def _close_with(self, error: Exception, *close: Any) -> None:
        """End the connection with an error, and send connection.close without awaiting it."""
        self.fail(error)
        self.protocol.close(*close)
        self.transport.flush_soon()
        self._close_socket_soon()

    def fail(self, error: Exception) -> None:
        """End everything on the connection with one exception; only the first one counts."""
        if self.closing_exc is not None:
            return
        self.closing_exc = error
        self.unconfirmed_at_end = sum(
            len(each.publishing.confirms or ()) for each in self.channels.values()
        )
        if self._recorder is not None and _is_protocol_error(error):
            error.add_note(str(self._recorder))
        if self.on_end is not None:
            self.on_end(error)
        self.transport.stop_heartbeats()
        for channel in list(self.channels.values()):
            channel.fail(error)
        self._replies.fail(error)
        self._reply_timeouts.clear()
        self.blocking.fail(error)
        self.flow_control.close()
        self._opening.fail(error)

    @property
    def is_unresponsive(self) -> bool:
        """Whether the server has not answered a cancel or close within its time limit."""
        return self._unanswered_close is not None and not self._unanswered_close.is_set()

    def note_unanswered_close(self, ended: asyncio.Event) -> None:
        """Record that the server has not answered a cancel or close within its time limit.

        Args:
            ended: Set when the answer comes; if it is set already, nothing is recorded.
        """
        if not ended.is_set():
            self._unanswered_close = ended

    async def close(self, error: Exception, seconds: float, *, leaving: bool = False) -> None:
        """Close the connection in any state, within a time limit.

        Args:
            error: The exception that operations on the connection raise from now on.
            seconds: How long to wait for the server.
            leaving: Whether an ``async with`` block is left. If so, the client does not wait for
                an unresponsive server.
        """
        if not self._closed.is_set():
            self.transport.require_loop()
        if leaving and self.is_unresponsive:  # before `fail` ends what is unanswered
            seconds = 0
        if self.closing_exc is None:
            is_running = self.protocol.state is ConnectionState.RUNNING
            if is_running:
                self.transport.flush()  # writes merged acknowledgements
            self.fail(error)
            if is_running:
                self.protocol.close()
                self.transport.flush()
            else:
                self.transport.abort()  # there is no AMQP connection to close
        if self.blocking.is_blocked or not seconds:
            self.transport.close()  # a server that has blocked the connection reads nothing
        try:
            async with asyncio.timeout(seconds):
                await self.wait_closed()
        except TimeoutError:
            self.transport.abort()
            await self.wait_closed()
        except BaseException:
            self.transport.abort()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether the socket is closed."""
        return self._closed.is_set()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed."""
        await self._closed.wait()

    def _close_socket_soon(self) -> None:
        """Close the socket in a few seconds, even if the server keeps it open."""
        if self._abort_timer is None and not self._closed.is_set():
            self._abort_timer = self.loop.call_later(FAULT_TIMEOUT, self.transport.abort)


def _is_protocol_error(error: Exception) -> bool:
    """Return whether a peer has closed because of a protocol error of the other one."""
    if isinstance(error, ServerClosedConnection):
        return error.reply_code >= 500
    return isinstance(error, InvalidServerFrame | UnexpectedFrame)
