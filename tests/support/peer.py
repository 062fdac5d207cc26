"""A client of tests/behaviour: a blocking AMQP peer that hides nothing.

It cuts and joins frames by itself and uses `ammoo_wire` only to encode and decode methods,
properties and tables. So it can say what no decent client would, sees what a client would keep
from its user (the frames' sizes, a heartbeat, what still arrives on a channel that is being
closed), and does not share the mistakes of `ammoo_wire.Protocol`, which the fake broker uses.

A peer answers nothing by itself. Every wait ends at the peer's one deadline, with an error
that says what was awaited and what had arrived.
"""

import socket
import struct
import time
from collections import deque
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import unquote, urlsplit

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicNackParameters,
    BasicPublishParameters,
    BasicQosParameters,
    BasicRejectParameters,
    BasicReturnParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
    ConfirmSelectParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    decode_properties,
    encode_properties,
    method_of,
    method_with_id,
    methods,
)

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
DEFAULT_SECONDS = 15.0
FILLING_CHANNEL = 90
CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}

T = TypeVar("T")


class Frame(NamedTuple):
    """A frame as it was on the wire."""

    frame_type: int
    channel_number: int
    payload: bytes


class Message(NamedTuple):
    """A method that has content, with its content."""

    parameters: Any
    properties: BasicHeaderProperties
    body: bytes


class ServerClosedChannel(AssertionError):
    """The server closed a channel that a test expected to go on."""


class ServerClosedConnection(AssertionError):
    """The server closed a connection that a test expected to go on."""


class EndOfStream(AssertionError):
    """The server closed the socket while a test expected something to arrive."""


def encode_frame(frame_type: int, channel_number: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", frame_type, channel_number, len(payload)) + payload + b"\xce"


def encode_method(parameters: Any) -> bytes:
    """Encode a method frame's payload: the ids and the arguments."""
    payload: bytes = method_of(parameters).encode(*parameters)
    return payload


def encode_header(body_size: int, properties: BasicHeaderProperties, class_id: int = 60) -> bytes:
    return struct.pack(">HHQ", class_id, 0, body_size) + encode_properties(properties)


def plain_response(login: str, password: str) -> bytes:
    return f"\0{login}\0{password}".encode()


class Peer:
    """A connection to a broker, opened or not yet.

    Args:
        url: Where the broker listens; login, password and virtual host are taken from it.
        seconds: All that this peer may wait for must happen within this time.

    Attributes:
        start: The server's connection.start, once it has come.
        tune: The server's connection.tune, once it has come.
        frame_max: The largest frame to be sent; what the server proposed, once tuned.
    """

    def __init__(self, url: str, *, seconds: float = DEFAULT_SECONDS) -> None:
        parts = urlsplit(url)
        self._login = unquote(parts.username or "guest")
        self._password = unquote(parts.password or "guest")
        self._virtualhost = unquote(parts.path[1:]) if len(parts.path) > 1 else "/"
        self._deadline = time.monotonic() + seconds
        self._socket = socket.create_connection(
            (parts.hostname, parts.port or 5672), timeout=seconds
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._octets = bytearray()
        self._inboxes: dict[int, deque[Any]] = {}
        self._contents: dict[int, list[Any]] = {}
        self.start: ConnectionStartParameters | None = None
        self.tune: ConnectionTuneParameters | None = None
        self.frame_max = 131072

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

    def begin(
        self,
        *,
        capabilities: dict[str, bool] = CAPABILITIES,
        mechanism: str = "PLAIN",
        response: bytes | None = None,
    ) -> None:
        """Say hello and log in; what the server answers to that is still to come."""
        self.send_octets(PROTOCOL_HEADER)
        self.start = self.expect(0, ConnectionStartParameters)
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
        try:
            self.send(0, ConnectionCloseParameters(200, "goodbye"))
            self.await_type(0, ConnectionCloseOkParameters)
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the socket without a word. May be repeated."""
        self._socket.close()

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
        self._socket.settimeout(self._time_left("to send"))
        self._socket.sendall(octets)

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
            self._socket.settimeout(self._time_left(f"for {count} octets"))
            try:
                chunk = self._socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
            except TimeoutError:
                continue
            if not chunk:
                raise EndOfStream(f"the server closed the socket after {bytes(self._octets)!r}")
            self._octets += chunk
        octets = bytes(self._octets[:count])
        del self._octets[:count]
        return octets

    def read_frame(self) -> Frame:
        frame_type, channel_number, size = struct.unpack(">BHI", self.read_octets(7))
        payload = self.read_octets(size)
        end = self.read_octets(1)
        assert end == b"\xce", f"a frame ends with {end!r}"
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

    def channel(self, number: int = 1) -> "Channel":
        """Open a channel."""
        channel = Channel(self, number)
        channel.call(ChannelOpenParameters())
        return channel

    def pause(self, purpose: str) -> None:
        """Let a moment pass between two looks at something, unless the deadline has come."""
        self._time_left(purpose)
        time.sleep(0.005)

    # --- inside -------------------------------------------------------------------------------

    def _time_left(self, purpose: str) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            arrived = {number: list(inbox) for number, inbox in self._inboxes.items() if inbox}
            raise AssertionError(f"waited too long {purpose}; not yet looked at: {arrived!r}")
        return left

    def _inbox(self, channel_number: int) -> deque[Any]:
        return self._inboxes.setdefault(channel_number, deque())

    def _dispatch(self, frame: Frame) -> None:
        """Put a method, or a message with the frame that completes it, into the inbox."""
        frame_type, channel_number, payload = frame
        if frame_type == HEARTBEAT:
            return
        if frame_type == METHOD:
            parameters = _decode_method(payload)
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


def _decode_method(payload: bytes) -> Any:
    method = method_with_id(int.from_bytes(payload[:4], "big"))
    assert method is not None, f"the server sent an unknown method: {payload[:4]!r}"
    return method.decode(payload, 4, len(payload))


def _method_part(arrived: Any) -> Any:
    return arrived.parameters if isinstance(arrived, Message) else arrived


def _replies(parameters: Any) -> tuple[type[Any], ...]:
    return tuple(_BY_NAME[name] for name in method_of(parameters).replies)


_BY_NAME = {method.name: method.parameters for method in methods()}


class Channel:
    """A channel of a `Peer`: short words for what tests do most.

    Attributes:
        peer: The connection.
        number: The channel's number.
    """

    def __init__(self, peer: Peer, number: int) -> None:
        self.peer = peer
        self.number = number

    def send(self, parameters: Any) -> None:
        self.peer.send(self.number, parameters)

    def receive(self) -> Any:
        """Give what arrived next: parameters, or a `Message`."""
        return self.peer.receive(self.number)

    def expect(self, expected: type[T]) -> T:
        return self.peer.expect(self.number, expected)

    def call(self, parameters: Any) -> Any:
        """Send a method and wait for its reply; what comes before the reply stays to be received.

        Raises:
            ServerClosedChannel: The server closed the channel instead.
            ServerClosedConnection: The server closed the connection instead.
        """
        self.send(parameters)
        return self.peer.await_type(self.number, *_replies(parameters))

    def arrived(self) -> list[Any]:
        """Give all that the server sent up to now and that was not received yet.

        The server answers channel.flow by itself and in its turn, so this is also a barrier: it
        has looked at everything that was sent before.
        """
        flow_ok = self.call(ChannelFlowParameters(True))
        assert isinstance(flow_ok, ChannelFlowOkParameters)
        inbox = self.peer._inbox(self.number)
        everything = list(inbox)
        inbox.clear()
        return everything

    def refusal(self, parameters: Any = None) -> ChannelCloseParameters:
        """Send a method that makes the server close the channel; answer that and give it."""
        if parameters is not None:
            self.send(parameters)
        close: ChannelCloseParameters = self.peer.await_type(self.number, ChannelCloseParameters)
        self.send(ChannelCloseOkParameters())
        return close

    def fatal(self, parameters: Any = None) -> ConnectionCloseParameters:
        """Send a method that makes the server close the connection; answer that and give it."""
        if parameters is not None:
            self.send(parameters)
        return self.peer.expect_connection_close()

    def close(self) -> None:
        self.call(ChannelCloseParameters(200, "done"))

    def reopen(self) -> None:
        self.call(ChannelOpenParameters())

    # --- queues and exchanges -----------------------------------------------------------------

    def declare_queue(
        self,
        queue_name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        **arguments: Any,
    ) -> str:
        """Declare a queue and give its name. ``x_max_length=5`` is the argument x-max-length."""
        declare_ok: QueueDeclareOkParameters = self.call(
            QueueDeclareParameters(
                queue_name,
                passive=passive,
                durable=durable,
                exclusive=exclusive,
                auto_delete=auto_delete,
                arguments=as_arguments(arguments),
            )
        )
        return declare_ok.queue_name

    def counts(self, queue_name: str) -> tuple[int, int]:
        """Give a queue's ready messages and consumers.

        RabbitMQ's queues answer this before what is waiting in front of it: publishes that were
        not confirmed yet and settlements may or may not be counted.
        """
        declare_ok: QueueDeclareOkParameters = self.call(
            QueueDeclareParameters(queue_name, passive=True)
        )
        return declare_ok.message_count, declare_ok.consumer_count

    def message_count(self, queue_name: str) -> int:
        return self.counts(queue_name)[0]

    def delete_queue(self, queue_name: str) -> None:
        self.call(QueueDeleteParameters(queue_name))

    def delete_exchange(self, exchange_name: str) -> None:
        self.call(ExchangeDeleteParameters(exchange_name))

    def declare_exchange(
        self,
        exchange_name: str,
        exchange_type: str = "direct",
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        **arguments: Any,
    ) -> str:
        self.call(
            ExchangeDeclareParameters(
                exchange_name,
                exchange_type,
                durable=durable,
                auto_delete=auto_delete,
                internal=internal,
                arguments=as_arguments(arguments),
            )
        )
        return exchange_name

    def bind(
        self,
        queue_name: str,
        exchange_name: str,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
    ) -> None:
        self.call(
            QueueBindParameters(queue_name, exchange_name, routing_key, arguments=arguments or {})
        )

    def bind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
    ) -> None:
        self.call(ExchangeBindParameters(destination, source, routing_key, False, arguments or {}))

    # --- messages -----------------------------------------------------------------------------

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        body: bytes = b"",
        *,
        mandatory: bool = False,
        immediate: bool = False,
        **properties: Any,
    ) -> None:
        self.peer.send_content(
            self.number,
            BasicPublishParameters(exchange_name, routing_key, mandatory, immediate),
            BasicHeaderProperties(**properties),
            body,
        )

    def get(self, queue_name: str, *, no_ack: bool = False) -> Message | None:
        """Fetch a message; None if none is ready."""
        reply = self.call(BasicGetParameters(queue_name, no_ack))
        return reply if isinstance(reply, Message) else None

    def get_message(self, queue_name: str, *, no_ack: bool = True) -> Message:
        """Fetch a message that must be ready."""
        message = self.get(queue_name, no_ack=no_ack)
        assert message is not None, f"queue {queue_name!r} is empty"
        assert isinstance(message.parameters, BasicGetOkParameters)
        return message

    def await_count(self, queue_name: str, expected: int) -> None:
        """Wait until a queue has so many ready messages; for what RabbitMQ does by itself."""
        while (count := self.message_count(queue_name)) != expected:
            self.peer.pause(f"for {expected} messages in queue {queue_name!r}, there are {count}")

    def await_message(self, queue_name: str, *, no_ack: bool = True) -> Message:
        """Fetch a message that is on its way to the queue; for what RabbitMQ does by itself."""
        while True:
            message = self.get(queue_name, no_ack=no_ack)
            if message is not None:
                return message
            self.peer.pause(f"for a message in queue {queue_name!r}")

    def get_bodies(self, queue_name: str) -> list[bytes]:
        """Empty a queue."""
        bodies = []
        while (message := self.get(queue_name, no_ack=True)) is not None:
            bodies.append(message.body)
        return bodies

    def consume(
        self,
        queue_name: str,
        consumer_tag: str = "",
        *,
        no_local: bool = False,
        no_ack: bool = False,
        exclusive: bool = False,
        **arguments: Any,
    ) -> str:
        """Start a consumer and give its tag."""
        consume_ok = self.call(
            BasicConsumeParameters(
                queue_name,
                consumer_tag,
                no_local,
                no_ack,
                exclusive,
                False,
                as_arguments(arguments),
            )
        )
        tag: str = consume_ok.consumer_tag
        return tag

    def cancel(self, consumer_tag: str) -> None:
        cancel_ok = self.call(BasicCancelParameters(consumer_tag))
        assert cancel_ok == BasicCancelOkParameters(consumer_tag)

    def delivery(self) -> Message:
        """Give what arrived next, which must be a delivery."""
        message = self.expect(Message)
        assert isinstance(message.parameters, BasicDeliverParameters), message
        return message

    def returned(self) -> Message:
        """Give what arrived next, which must be a basic.return."""
        message = self.expect(Message)
        assert isinstance(message.parameters, BasicReturnParameters), message
        return message

    def deliveries(self, count: int) -> list[bytes]:
        """Give the bodies of the next deliveries; nothing else may arrive between them."""
        return [self.delivery().body for _ in range(count)]

    def ack(self, delivery_tag: int, *, multiple: bool = False) -> None:
        self.send(BasicAckParameters(delivery_tag, multiple))

    def nack(self, delivery_tag: int, *, multiple: bool = False, requeue: bool = True) -> None:
        self.send(BasicNackParameters(delivery_tag, multiple, requeue))

    def reject(self, delivery_tag: int, *, requeue: bool) -> None:
        self.send(BasicRejectParameters(delivery_tag, requeue))

    def qos(self, prefetch_count: int, *, global_: bool = False) -> None:
        self.call(BasicQosParameters(0, prefetch_count, global_))

    def select_confirm(self) -> None:
        self.call(ConfirmSelectParameters())

    def settlements(self, count: int) -> list[tuple[str, int]]:
        """Give how the next `count` publishes were confirmed, multiple ones taken apart.

        Returns:
            ("ack" or "nack", publish sequence number) in the order of their numbers.
        """
        settled: dict[int, str] = {}
        lowest = 1
        while len(settled) < count:
            verdict = self.peer.await_type(self.number, BasicAckParameters, BasicNackParameters)
            word = "ack" if isinstance(verdict, BasicAckParameters) else "nack"
            first = lowest if verdict.multiple else verdict.delivery_tag
            for tag in range(first, verdict.delivery_tag + 1):
                settled.setdefault(tag, word)
        return [(settled[tag], tag) for tag in sorted(settled)]

    def fill(self, queue_name: str, *bodies: bytes, **properties: Any) -> None:
        """Publish to a queue, and wait until it has the messages, whichever channel looks next."""
        filling = self.peer.channel(FILLING_CHANNEL)
        filling.select_confirm()
        for body in bodies:
            filling.publish("", queue_name, body, **properties)
        settled = filling.settlements(len(bodies))
        assert all(word == "ack" for word, _ in settled), settled
        filling.close()

    def confirmed_publish(self, *arguments: Any, **keywords: Any) -> None:
        """Publish on a channel in confirm mode and wait until the queues have the message."""
        self.publish(*arguments, **keywords)
        self.peer.await_type(self.number, BasicAckParameters, BasicNackParameters)


def as_arguments(keywords: dict[str, Any]) -> dict[str, Any]:
    """Make ``{"x-max-length": 5}`` of ``{"x_max_length": 5}``."""
    return {name.replace("_", "-"): value for name, value in keywords.items()}
