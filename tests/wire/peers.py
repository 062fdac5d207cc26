"""Peers without a network, and frames made by hand.

`Peers` joins a client and a server in memory. The frames here are put together from the
specification (section 4.2.3) and not by the code under test, which is to read them.
"""

from typing import Any

from ammoo_wire import (
    NO_PROPERTIES,
    Accepted,
    Challenge,
    ClientProtocol,
    ConnectionStartParameters,
    ConnectionState,
    Parameters,
    Protocol,
    Refused,
    ServerProtocol,
    encode_method,
    method_of,
)
from tests.support.commands import Command, named


def frame(frame_type: int, channel_number: int, payload: bytes) -> bytes:
    """Make a frame."""
    head = bytes((frame_type,)) + channel_number.to_bytes(2) + len(payload).to_bytes(4)
    return head + payload + b"\xce"


def method_frame(channel_number: int, parameters: Parameters) -> bytes:
    """Make the frame of a method."""
    return frame(1, channel_number, encode_method(parameters))


def header_frame(
    channel_number: int,
    body_size: int,
    properties: bytes = NO_PROPERTIES,
    *,
    class_id: int = 60,
    weight: int = 0,
) -> bytes:
    """Make a content header frame."""
    sizes = class_id.to_bytes(2) + weight.to_bytes(2) + body_size.to_bytes(8)
    return frame(2, channel_number, sizes + properties)


def body_frame(channel_number: int, octets: bytes) -> bytes:
    """Make a content body frame."""
    return frame(3, channel_number, octets)


def content_frames(
    channel_number: int,
    parameters: Parameters,
    properties: bytes,
    body: bytes,
    *,
    frame_max: int = 4096,
) -> list[bytes]:
    """Make the frames of a method with its content."""
    size = frame_max - 8
    return [
        method_frame(channel_number, parameters),
        header_frame(
            channel_number, len(body), properties, class_id=method_of(parameters).class_id
        ),
        *(body_frame(channel_number, body[i : i + size]) for i in range(0, len(body), size)),
    ]


HEARTBEAT = frame(8, 0, b"")


def accept_all(mechanism: str, response: bytes) -> Accepted | Challenge | Refused:
    """Accept every login."""
    return Accepted()


def log_in_plainly(start: ConnectionStartParameters) -> tuple[str, bytes]:
    """Choose PLAIN, whatever is offered."""
    return "PLAIN", b"\x00guest\x00guest"


def open_any(virtualhost: str) -> None:
    """Have every virtual host."""


def new_client(**options: Any) -> ClientProtocol:
    """Make a client that needs no options."""
    defaults: dict[str, Any] = {"mechanism": log_in_plainly, "client_properties": {}}
    return ClientProtocol(**defaults | options)


def new_server(**options: Any) -> ServerProtocol:
    """Make a server that needs no options."""
    defaults: dict[str, Any] = {
        "server_properties": {},
        "mechanisms": ["PLAIN", "AMQPLAIN"],
        "authenticate": accept_all,
        "open_virtualhost": open_any,
    }
    return ServerProtocol(**defaults | options)


class Peers:
    """A client and a server, joined in memory.

    Attributes:
        client: The client.
        server: The server.
        to_client: The commands that the client has received.
        to_server: The commands that the server has received.
    """

    def __init__(
        self, client: ClientProtocol | None = None, server: ServerProtocol | None = None
    ) -> None:
        self.client = client or new_client()
        self.server = server or new_server()
        self.to_client: list[Command] = []
        self.to_server: list[Command] = []

    def exchange(self, *, by_octet: bool = False) -> None:
        """Carry octets to and fro until neither has more to say; then close the client's socket
        if it is done with.
        """
        while self.client.has_data_to_send or self.server.has_data_to_send:
            for piece in _pieces(self.client.data_to_send(), by_octet):
                self.to_server += named(self.server.receive_data(piece))
            for piece in _pieces(self.server.data_to_send(), by_octet):
                self.to_client += named(self.client.receive_data(piece))
        if self.client.state is ConnectionState.CLOSED:
            self.server.receive_eof()

    @property
    def states(self) -> tuple[ConnectionState, ConnectionState]:
        """The client's state, and the server's."""
        return self.client.state, self.server.state


def _pieces(octets: bytearray, by_octet: bool) -> list[bytes]:
    return [bytes((octet,)) for octet in octets] if by_octet else [bytes(octets)]


def send_all(protocol: Protocol, commands: list[Command]) -> None:
    """Have a peer send commands."""
    for number, parameters, properties, body in commands:
        if properties is None or body is None:
            protocol.send_method(number, encode_method(parameters))
        else:
            protocol.send_content(number, encode_method(parameters), properties, body)


def state_of(protocol: Protocol) -> ConnectionState:
    """Give a state, for tests that see several: a type checker takes an attribute for constant."""
    return protocol.state


def running_peers(
    client: ClientProtocol | None = None, server: ServerProtocol | None = None
) -> Peers:
    """Make peers whose connection is open."""
    peers = Peers(client, server)
    peers.exchange()
    assert (ConnectionState.RUNNING, ConnectionState.RUNNING) == peers.states
    return peers


def running_client(**options: Any) -> ClientProtocol:
    """Make a client whose connection is open."""
    return running_peers(client=new_client(**options)).client


def running_server(**options: Any) -> ServerProtocol:
    """Make a server whose connection is open."""
    return running_peers(server=new_server(**options)).server


def receive_into_buffer(protocol: Protocol, octets: bytes) -> list[Command]:
    """Have a protocol receive octets as `asyncio.BufferedProtocol` does: read into its buffer."""
    commands: list[Command] = []
    while octets:
        room = protocol.get_buffer(65536)
        count = min(len(room), len(octets))
        room[:count] = octets[:count]
        commands += named(protocol.buffer_updated(count))
        octets = octets[count:]
    return commands
