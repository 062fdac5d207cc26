"""A connection as it is on the wire: one socket, from the handshake to the end.

`Connection` is what the user holds, and what the user asked for; this is what
came of it, and ends with its socket. It opens and closes, hands commands to
their channels, gives out channel numbers, and knows whether the server has
blocked us. What is on a channel is the business of `LiveChannel`.
"""

import asyncio
import heapq
from collections.abc import Callable
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
    ProtocolError,
    ReplyCode,
)

from ..exceptions.base import OperationTimeout
from ..exceptions.connection import (
    AuthenticationError,
    ClientClosedConnectionError,
    ConnectionBlocked,
    ConnectionLost,
    ConnectionTimeout,
    HeartbeatTimeout,
    InvalidServerFrame,
    TooManyChannels,
    UnexpectedFrame,
    server_closed_connection,
)
from .channel import RECEIVERS, LiveChannel
from .handshake import LOCALE, Opening, client_properties
from .replies import Replies, Reply
from .reply_timeouts import UNANSWERED_TIMEOUT, ReplyTimeouts
from .transport import Transport

if TYPE_CHECKING:
    from ..consumer import Consumer
    from ..parameters import ConnectionParameters

__all__ = ["LiveConnection"]

FAULT_TIMEOUT: Final = 3.0
"""How long the socket stays open after a close that nobody waits for, in seconds."""

COALESCE_FROM: Final = 8
"""Reading may be paced when so many commands come in one read."""
COALESCE_MAX_CONSUMERS: Final = 16
"""And there are no more consumers than that, nor channels."""

NO_TLS: Final = {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
"""What OpenSSL calls an answer that is no TLS; which one depends on its version."""


class LiveConnection:
    """One connection on the wire.

    Args:
        loop: The loop.
        parameters: Where to connect, and how.
        blocked_changed: Called with why the server takes no messages any more, or with None
            when it takes them again.

    Attributes:
        blocked: Why the server takes no messages, or None if it does.
        channels: The open channels by their numbers.
        closing_exc: What ended the connection, or None.
        protocol: The wire's side.
        backlogged_consumers: Those whose messages pile up.
        transport: The socket's side.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        parameters: "ConnectionParameters",
        blocked_changed: Callable[[str | None], None],
    ) -> None:
        self.loop = loop
        self.parameters = parameters
        self._blocked_changed = blocked_changed
        self.operation_timeout = parameters.operation_timeout
        self._opening = Opening(loop, parameters)
        self.protocol = ClientProtocol(
            mechanism=self._opening.choose_mechanism,
            virtualhost=parameters.virtualhost,
            client_properties=client_properties(parameters),
            locale=LOCALE,
            channel_max=parameters.channel_max,
            frame_max=parameters.frame_max,
            heartbeat_interval=parameters.heartbeat_interval,
        )
        self.transport = Transport(loop, self.protocol, self)
        self.channels: dict[int, LiveChannel] = {}
        self.closing_exc: Exception | None = None
        self.blocked: str | None = None
        self.backlogged_consumers: set[Consumer] = set()
        self._replies = Replies(loop)
        self._reply_timeouts = ReplyTimeouts(loop, self._replies, self.is_blocked, self._give_up)
        self._blocked_waiters: list[asyncio.Future[None]] = []
        self._closed = asyncio.Event()
        self._unanswered: asyncio.Event | None = None
        self._abort_timer: asyncio.TimerHandle | None = None
        self._free_numbers: list[int] = []
        self._next_number = 1

    # --- opening ---

    async def open_socket(self) -> None:
        """Connect the socket, TLS included, and say nothing yet.

        Raises:
            OSError: It cannot be connected; `ssl.SSLError` is one too.
        """
        parameters = self.parameters
        timeout = parameters.connection_timeout
        try:
            async with asyncio.timeout(timeout):
                await self._connect_socket()
        except TimeoutError as error:
            if error.errno is not None:
                raise  # the operating system's own, and lost patience before we did
            raise TimeoutError(
                f"the socket to {parameters.address} was not connected within {timeout:g} s"
            ) from None
        except OSError as error:
            if getattr(error, "reason", None) in NO_TLS:
                error.add_note(
                    "The server does not seem to speak TLS there: amqps:// is usually port 5671,"
                    f" amqp:// 5672 (here it was {parameters.address})."
                )
            raise

    async def _connect_socket(self) -> None:
        parameters, context = self.parameters, self.parameters.ssl_context
        hostname = None if context is None else parameters.server_hostname
        if parameters.host.startswith("/"):
            await self.loop.create_unix_connection(
                lambda: self.transport,
                parameters.host,
                ssl=context,
                server_hostname=hostname if context is None else hostname or "",
            )
        else:
            await self.loop.create_connection(
                lambda: self.transport,
                parameters.host,
                parameters.port,
                ssl=context,
                server_hostname=hostname,
            )

    async def open(self) -> None:
        """Go through the handshake; on failure nothing stays open.

        Raises:
            ConnectionClosed: The server did not let us in, or what it said is no AMQP.
        """
        timeout = self.parameters.connection_timeout
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                await self._open()
        except BaseException as error:
            # With both at once the cancellation counts, or it would be lost.
            is_late = scope.expired() and isinstance(error, TimeoutError)
            if timeout is not None and is_late:
                self.fail(ConnectionTimeout(timeout))
            elif isinstance(error, Exception):
                self.fail(error)
            else:
                self.fail(ClientClosedConnectionError(error))
            self.transport.abort()
            if is_late:
                self.raise_if_closed()
            raise

    async def _open(self) -> None:
        if self.parameters.ssl_context is not None:
            # With TLS 1.3 our half of the handshake is over before the server looks at our
            # certificate. If it has refused already, its alert is read within two turns; a write
            # before that would meet the reset behind it, and the reason would be lost: every
            # second time with RabbitMQ 3.10, now every hundredth.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self.raise_if_closed()
        self.transport.flush()
        while (response := await self._opening.next_response()) is not None:
            self.raise_if_closed()
            self.protocol.answer_challenge(response)
            self.transport.flush()

    # --- what the transport tells ---

    def receive(self, commands: list[Command]) -> None:
        """Hand commands to their channels; see `transport.Receiver`."""
        channels, receivers = self.channels, RECEIVERS  # locals: this loop is the hot path
        for channel_number, parameters, properties, body in commands:
            channel = channels.get(channel_number)
            if channel is not None:
                receivers[type(parameters)](channel, parameters, properties, body)
            elif channel_number == 0:
                self._receive_control(parameters)
            # else: the channel is gone, and what is still said on it is said to nobody
        if self.backlogged_consumers:
            if self._may_stop_reading():
                self.transport.pause_reading()
        elif len(commands) >= COALESCE_FROM and self._may_coalesce_reads():
            self.transport.coalesce_reads()

    def state_changed(self, state: ConnectionState) -> None:
        """Follow the protocol; see `transport.Receiver`."""
        protocol = self.protocol
        if state is ConnectionState.RUNNING:
            if protocol.heartbeat_interval:
                self.transport.start_heartbeats(protocol.heartbeat_interval)
            self._opening.succeed()
        elif state is ConnectionState.CLOSING and protocol.failure is not None:
            error = _exception_for(protocol.failure)
            self._note_if_no_amqp_came(error)
            self.fail(error)
            self._close_socket_soon()
        elif state is ConnectionState.CLOSED:
            self._fail_for_what_was_said()
            self.transport.close()
            self._close_socket_soon()

    def heartbeat_timed_out(self, timeout: float) -> None:
        """Give the server up; see `transport.Receiver`."""
        self.fail(HeartbeatTimeout(timeout))
        self.transport.abort()

    def lost(self, error: Exception | None) -> None:
        """Take note that the socket is closed; see `transport.Receiver`."""
        if self.closing_exc is None:
            self.fail(self._reason_of_loss(error))
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self._closed.set()

    def _reason_of_loss(self, error: Exception | None) -> Exception:
        """Find out what it means that the server has hung up without a word."""
        protocol, mechanism = self.protocol, self._opening.mechanism
        if protocol.failure is not None:
            return _exception_for(protocol.failure)
        if protocol.state is ConnectionState.SECURING and mechanism is not None:
            # Before authentication_failure_close a server could only hang up (section 2.2.4).
            return AuthenticationError(mechanism.name())
        lost = ConnectionLost(error)
        if protocol.state is ConnectionState.STARTING and self.parameters.ssl_context is not None:
            lost.add_note(
                "It hung up behind the TLS handshake, before a word of AMQP: as a server does that"
                " does not take the client's certificate, or misses one. Check certfile and keyfile,"
                " or what ssl_context has loaded; the server's log has its reason."
            )
        self._note_if_no_amqp_came(lost)
        if protocol.state is ConnectionState.OPENING:
            lost.add_note(
                f"It hung up on the limits that were agreed: frame_max={protocol.frame_max},"
                f" channel_max={protocol.channel_max}. RabbitMQ takes no frame_max below 8192 from"
                " 4.1 on."
            )
        return lost

    def _note_if_no_amqp_came(self, error: Exception) -> None:
        if self.protocol.server_start is None and self.parameters.ssl_context is None:
            error.add_note(
                "Nothing of AMQP came before: as from a server that expects TLS, which is amqps://"
                f" and usually port 5671 (here it was {self.parameters.address}), or from none of"
                " AMQP at all."
            )

    def _receive_control(self, parameters: Any) -> None:
        """Act on a method on channel 0."""
        kind = type(parameters)
        if kind is ConnectionBlockedParameters:
            self._set_blocked(parameters.reason)
        elif kind is ConnectionUnblockedParameters:
            self._set_blocked(None)
        elif kind is ConnectionSecureParameters:
            self._opening.challenged(parameters.challenge)
        elif not self._replies.resolve(Reply(parameters)):
            self.fault(parameters)

    def _fail_for_what_was_said(self) -> None:
        protocol = self.protocol
        closed = protocol.close_received
        if protocol.opening_error is not None:
            self.fail(protocol.opening_error)
        elif closed is not None:
            mechanism = self._opening.mechanism
            self.fail(server_closed_connection(*closed, mechanism.name() if mechanism else ""))

    # --- operations ---

    @property
    def server_properties(self) -> FieldTable:
        """What the server told of itself; empty before it did."""
        start = self.protocol.server_start
        return {} if start is None else start.server_properties

    @property
    def server_capabilities(self) -> FieldTable:
        """What the server says it can do; empty if it says nothing."""
        capabilities = self.server_properties.get("capabilities")
        return capabilities if isinstance(capabilities, dict) else {}

    def raise_if_closed(self) -> None:
        """Raise what ended the connection, if anything did."""
        if self.closing_exc is not None:
            raise self.closing_exc.with_traceback(None)

    def reserve_number(self) -> int:
        """Give the number for a new channel: the lowest that was used and is free, or the next.

        Raises:
            TooManyChannels: As many are open as were agreed on.
            ConnectionClosed: The connection is closed.
        """
        self.raise_if_closed()
        channel_max = self.protocol.channel_max
        if channel_max and len(self.channels) >= channel_max:
            raise TooManyChannels(channel_max)
        if self._free_numbers:
            return heapq.heappop(self._free_numbers)
        number = self._next_number
        if number > (channel_max or 65535):
            raise TooManyChannels(channel_max or 65535)
        self._next_number = number + 1
        return number

    def release_number(self, number: int) -> None:
        """Take a number back; only when the server is known to have done with the channel."""
        if self.channels.pop(number, None) is not None:
            heapq.heappush(self._free_numbers, number)

    async def update_secret(self, new_secret: str, reason: str) -> None:
        """Send connection.update-secret and await the answer."""
        self.raise_if_closed()
        parameters = ConnectionUpdateSecretParameters(new_secret.encode(), reason)
        self.protocol.send(0, parameters)
        waiter = self._replies.expect(ConnectionUpdateSecretOkParameters)
        self.transport.flush_soon()
        self.transport.resume_reading()
        await self._reply_timeouts.answered(parameters, waiter, self.operation_timeout)

    def _give_up(self, method: str) -> None:
        """Close the connection: the server will never answer what is asked behind that either."""
        self.transport.flush()  # acknowledgements may be waiting for it
        self.fail(ClientClosedConnectionError(OperationTimeout(method, UNANSWERED_TIMEOUT)))
        self.protocol.close()
        self.transport.flush_soon()
        self._close_socket_soon()

    # --- blocked ---

    def is_blocked(self) -> bool:
        """Whether the server has blocked us, and so reads nothing."""
        return self.blocked is not None

    def _set_blocked(self, reason: str | None) -> None:
        self.blocked = reason
        self._wake_blocked_waiters()
        self._blocked_changed(reason)

    async def wait_blocked(self) -> str:
        """Wait until the server has blocked the connection, and give its reason."""
        while self.blocked is None:
            await self._wait_for_blocked_change()
        return self.blocked

    async def wait_unblocked(self) -> None:
        """Wait until the server takes messages."""
        while self.blocked is not None:
            await self._wait_for_blocked_change()

    async def hold_while_blocked(self) -> None:
        """Wait until the server takes messages, for a limited time.

        Raises:
            ConnectionBlocked: The time is over.
        """
        timeout = self.parameters.blocked_timeout
        reason = self.blocked or ""
        try:
            async with asyncio.timeout(timeout):
                await self.wait_unblocked()
        except TimeoutError:
            assert timeout is not None
            raise ConnectionBlocked(reason, timeout) from None

    async def _wait_for_blocked_change(self) -> None:
        self.raise_if_closed()
        waiter = self.loop.create_future()
        self._blocked_waiters.append(waiter)
        self.transport.resume_reading()
        try:
            await waiter
        finally:
            if waiter in self._blocked_waiters:
                self._blocked_waiters.remove(waiter)

    def _wake_blocked_waiters(self, error: Exception | None = None) -> None:
        for channel in self.channels.values():
            channel.blocked_changed()
        self._reply_timeouts.restart()
        waiters, self._blocked_waiters = self._blocked_waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    # --- backpressure of consumers ---

    def _may_stop_reading(self) -> bool:
        """Tell whether reading may stop for a while.

        Never while anybody waits for anything that the server may say: what is
        waited for may stand behind what piles up, and the one who is behind may be
        the one who waits.
        """
        return not (
            self._replies
            or self._blocked_waiters
            or any(channel.is_awaiting_server for channel in self.channels.values())
        )

    def _may_coalesce_reads(self) -> bool:
        """Tell whether messages come so fast that nobody misses the next ones for a moment.

        RabbitMQ sends them a few at a time, and a read costs as much as ten messages do: with
        five times as many in each, a message without acknowledgement takes a fifth less.
        """
        channels = self.channels
        return (
            len(channels) <= COALESCE_MAX_CONSUMERS  # for all of them are asked, and all consumers
            and sum(len(channel.consumers) for channel in channels.values())
            <= COALESCE_MAX_CONSUMERS
            and self.closing_exc is None
            and all(channel.allows_read_coalescing for channel in channels.values())
            and self._may_stop_reading()
        )

    def consumer_caught_up(self, consumer: "Consumer") -> None:
        """Take note that a consumer's messages do not pile up any more."""
        self.backlogged_consumers.discard(consumer)
        if not self.backlogged_consumers:
            self.transport.resume_reading_soon()

    # --- the end ---

    def fault(self, frame: object) -> None:
        """Close the connection for something that the server sent, and that we can read."""
        self.fail(UnexpectedFrame(frame))
        self.protocol.close(ReplyCode.UNEXPECTED_FRAME, f"UNEXPECTED_FRAME - {frame!r:.200}")
        self.transport.flush_soon()
        self._close_socket_soon()

    def fail(self, error: Exception) -> None:
        """End everything on the connection with one exception. Only the first counts."""
        if self.closing_exc is not None:
            return
        self.closing_exc = error
        self.transport.stop_heartbeats()
        for channel in list(self.channels.values()):
            channel.fail(error)
        self._replies.fail(error)
        self._reply_timeouts.clear()
        self._wake_blocked_waiters(error)
        self.backlogged_consumers.clear()
        self.transport.resume_reading()
        self._opening.fail(error)

    @property
    def is_unresponsive(self) -> bool:
        """Whether a block was left with its cancel or close unanswered, and it still is."""
        return self._unanswered is not None and not self._unanswered.is_set()

    def note_unanswered_close(self, ended: asyncio.Event) -> None:
        """Take note of a block that was left, its cancel or close unanswered in its time.

        Args:
            ended: What is set when the answer comes; nothing is noted if it has.
        """
        if not ended.is_set():
            self._unanswered = ended

    async def close(self, error: Exception, seconds: float, *, leaving: bool = False) -> None:
        """Close the connection, in bounded time, whatever state it is in.

        Args:
            error: What users of the connection shall see from now on.
            seconds: For how long the server is waited for.
            leaving: Whether a block is left; then a server that is silent is not waited for.
        """
        if leaving and self.is_unresponsive:  # to be asked before what waits ends
            seconds = 0
        if self.closing_exc is None:
            is_running = self.protocol.state is ConnectionState.RUNNING
            if is_running:
                self.transport.flush()  # acknowledgements may be waiting for it
            self.fail(error)
            if is_running:
                self.protocol.close()
                self.transport.flush()
            else:
                self.transport.abort()  # there is no AMQP connection to be closed
        if self.blocked is not None or not seconds:
            # Such a server would not answer: one that has blocked us does not read.
            self.transport.close()
        try:
            async with asyncio.timeout(seconds):
                await self.wait_closed()
        except TimeoutError:
            self.transport.abort()
            await self.wait_closed()
        except BaseException:
            self.transport.abort()
            raise

    async def wait_closed(self) -> None:
        """Wait until the socket is closed."""
        await self._closed.wait()

    def _close_socket_soon(self) -> None:
        """See to it that the socket is closed even if the server keeps it open."""
        if self._abort_timer is None and not self._closed.is_set():
            self._abort_timer = self.loop.call_later(FAULT_TIMEOUT, self.transport.abort)


def _exception_for(failure: ProtocolError) -> Exception:
    """Make our exception of what the wire found wrong with the server."""
    if failure.reply_code in (
        ReplyCode.COMMAND_INVALID,
        ReplyCode.CHANNEL_ERROR,
        ReplyCode.UNEXPECTED_FRAME,
    ):
        error: Exception = UnexpectedFrame(failure)
    else:
        error = InvalidServerFrame(failure)
    error.__cause__ = failure
    return error
