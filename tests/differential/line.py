"""A connection as programs use it: everything that arrives is noted, nothing is judged.

It answers what a client must answer (a close, with close-ok), knows which channels are open, and
can wait until the broker has looked at everything that was sent (channel.flow is answered by each
channel in its turn; RabbitMQ and we give it no other meaning). What that says about effects in
queues is the business of `session`.
"""

import struct
from collections import deque
from typing import Any, NamedTuple

from ammoo_wire import (
    BasicHeaderProperties,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    TxCommitOkParameters,
    decode_properties,
    method_of,
    method_with_id,
)
from tests.support.peer import BODY, HEADER, METHOD, EndOfStream, Message, Peer

PATIENCE = 10.0
"""Seconds that a whole program may take; only a broker that does not answer needs them."""


class Arrival(NamedTuple):
    """Something that the broker sent: parameters, a `Message`, or a word for the end of all."""

    channel: int
    what: Any


STREAM_ENDED = "end of stream"
SILENCE = "no answer"
_ENDS_OF_COMMIT = (TxCommitOkParameters, ChannelCloseParameters, ConnectionCloseParameters)


class Line:
    """A connection.

    Args:
        url: Where the broker listens.
        capabilities: What the client announces; all that clients can by default.

    Attributes:
        arrivals: What has arrived and was not taken away.
        open_channels: Which channels are open, as far as the client can know.
        is_open: Whether anything can be sent.
    """

    def __init__(self, url: str, capabilities: dict[str, bool] | None = None) -> None:
        self._peer = Peer.connect(url, seconds=PATIENCE, capabilities=capabilities)
        self._contents: dict[int, list[Any]] = {}
        # For each open channel, which of the flow-oks to come are answers to a barrier.
        self._flows: dict[int, deque[bool]] = {}
        self._changing: set[int] = set()  # channels whose opening or closing is to be answered
        self.arrivals: list[Arrival] = []
        self.is_open = True
        self._is_closing = False

    @property
    def open_channels(self) -> list[int]:
        return list(self._flows)

    # --- sending ------------------------------------------------------------------------------

    def send(self, channel: int, parameters: Any) -> None:
        """Send a method as a step of the program."""
        if channel in self._flows:
            if isinstance(parameters, ChannelFlowParameters):
                self._flows[channel].append(False)
            elif isinstance(parameters, ChannelCloseParameters):
                del self._flows[channel]
                self._changing.add(channel)
        elif isinstance(parameters, ChannelOpenParameters):
            self._changing.add(channel)
        self._send(channel, parameters)

    def send_content(
        self, channel: int, parameters: Any, properties: BasicHeaderProperties, body: bytes
    ) -> None:
        self._guarded(lambda: self._peer.send_content(channel, parameters, properties, body))

    def send_frame(self, frame_type: int, channel: int, payload: bytes) -> None:
        self._guarded(lambda: self._peer.send_frame(frame_type, channel, payload))

    def open_channel(self, channel: int) -> None:
        """Open a channel, and keep that to ourselves unless it goes wrong."""
        self.send(channel, ChannelOpenParameters())
        self.await_arrival(channel, ChannelOpenOkParameters)

    def hang_up(self) -> None:
        """Close the socket without a word. May be repeated."""
        self._peer.drop()
        self._end()

    def _send(self, channel: int, parameters: Any) -> None:
        self._guarded(lambda: self._peer.send(channel, parameters))

    def _guarded(self, send: Any) -> None:
        try:
            send()
        except OSError:  # the broker has closed the socket; reading will show what it said
            self.await_end()
        except AssertionError:  # the deadline has come
            self._give_up(SILENCE)

    # --- waiting ------------------------------------------------------------------------------

    def send_barrier(self) -> None:
        """Ask every open channel to answer when it has come so far."""
        for channel, flows in list(self._flows.items()):
            flows.append(True)
            self._send(channel, ChannelFlowParameters(True))

    def await_barrier(self) -> None:
        """Wait until all channels that are still open have answered all that was asked."""
        while self.is_open and (self._is_closing or self._changing or any(self._flows.values())):
            self._receive()

    def await_end(self) -> None:
        """Wait until the stream has ended, or the broker has answered a connection.close."""
        while self.is_open:
            self._receive()

    def await_commit(self, channel: int) -> None:
        """Wait until a transaction is over.

        RabbitMQ closes the connection when it meets anything else on the channel before.
        """
        while self.is_open and not any(
            number in (channel, 0) and isinstance(what, _ENDS_OF_COMMIT)
            for number, what in self.arrivals
        ):
            self._receive()

    def await_arrival(self, channel: int, *types: type[Any]) -> Any:
        """Take the next arrival of these types on a channel; None if the connection ends."""
        while self.is_open:
            for index, (number, what) in enumerate(self.arrivals):
                if number == channel and isinstance(what, types):
                    del self.arrivals[index]
                    return what
            self._receive()
        return None

    # --- receiving ----------------------------------------------------------------------------

    def _receive(self) -> None:
        """Take one frame."""
        try:
            frame_type, channel, payload = self._peer.read_frame()
        except EndOfStream:
            self._give_up(STREAM_ENDED)
            return
        except AssertionError:  # the deadline has come
            self._give_up(SILENCE)
            return
        if frame_type == METHOD:
            self._receive_method(channel, payload)
        elif frame_type in (HEADER, BODY):
            self._receive_content(channel, frame_type, payload)

    def _give_up(self, reason: str) -> None:
        self.arrivals.append(Arrival(0, reason))
        self.hang_up()

    def _receive_method(self, channel: int, payload: bytes) -> None:
        method = method_with_id(int.from_bytes(payload[:4], "big"))
        assert method is not None, f"the server sent an unknown method: {payload[:4]!r}"
        parameters = method.decode(payload, 4, len(payload))
        if method.has_content:
            self._contents[channel] = [parameters]
        elif not self._is_barrier(channel, parameters):
            self.arrivals.append(Arrival(channel, parameters))
            self._follow(channel, parameters)

    def _receive_content(self, channel: int, frame_type: int, payload: bytes) -> None:
        content = self._contents[channel]
        if frame_type == HEADER:
            (body_size,) = struct.unpack_from(">Q", payload, 4)
            content += [body_size, decode_properties(payload[12:]), b""]
        else:
            content[3] += payload
        parameters, body_size, properties, body = content
        if len(body) == body_size:
            del self._contents[channel]
            self.arrivals.append(Arrival(channel, Message(parameters, properties, body)))

    def _is_barrier(self, channel: int, parameters: Any) -> bool:
        return isinstance(parameters, ChannelFlowOkParameters) and self._flows[channel].popleft()

    def _follow(self, channel: int, parameters: Any) -> None:
        """Do what a client has to do, and note what is open."""
        match parameters:
            case ChannelOpenOkParameters():
                self._flows[channel] = deque()
                self._changing.discard(channel)
            case ChannelCloseOkParameters():
                self._changing.discard(channel)
            case ChannelCloseParameters():
                self._flows.pop(channel, None)
                self._send(channel, ChannelCloseOkParameters())
            case ConnectionCloseParameters():
                self._send(0, ConnectionCloseOkParameters())
                self._flows.clear()
                self._is_closing = True
            case ConnectionCloseOkParameters():
                self.hang_up()

    def _end(self) -> None:
        self.is_open = False
        self._flows.clear()


def name_of(parameters: Any) -> str:
    """Name a method as the specification does."""
    return method_of(parameters).name
