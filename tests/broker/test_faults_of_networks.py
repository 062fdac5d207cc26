"""Faults of networks: refused, ignored, cut, silent, slow and broken connections, over real sockets."""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

import pika  # type: ignore[import-untyped]  # it ships no types
import pika.exceptions  # type: ignore[import-untyped]  # it ships no types
import pytest

import ammoo
from ammoo.exceptions import AmmooError
from ammoo_fakebroker import FakeBroker
from ammoo_wire import (
    ChannelOpenParameters,
    ClientProtocol,
    ConnectionState,
    QueueDeclareParameters,
    plain_response,
)

_CUT = (ConnectionResetError, BrokenPipeError)


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker(heartbeat=0) as broker:
        yield broker


class Client:
    """A client that reads octets by itself.

    Attributes:
        socket: Its socket.
        reads: The sizes of what it has read so far.
    """

    def __init__(self, broker: FakeBroker, name: str = "") -> None:
        self.socket = socket.create_connection((broker.host, broker.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.protocol = ClientProtocol(
            mechanism=lambda start: ("PLAIN", plain_response("guest", "guest")),
            client_properties={"connection_name": name},
        )
        self.reads: list[int] = []

    def write(self) -> None:
        self.socket.sendall(self.protocol.data_to_send())

    def read(self) -> int:
        """Read once; return how many octets came, 0 at the end."""
        octets = self.socket.recv(65_536)
        self.reads.append(len(octets))
        self.protocol.receive_data(octets)
        return len(octets)

    def exchange(self, times: int) -> None:
        """Write and read once, so often."""
        for _ in range(times):
            self.write()
            self.read()

    def read_at_least(self, count: int) -> None:
        """Read until so many octets have come in all."""
        while sum(self.reads) < count:
            self.read()

    def open(self) -> "Client":
        while self.protocol.state is not ConnectionState.RUNNING:
            self.write()
            self.read()
        self.protocol.send(1, ChannelOpenParameters())
        self.write()
        self.read()
        self.reads.clear()
        return self

    def declare(self, *queue_names: str) -> None:
        for queue_name in queue_names:
            self.protocol.send(1, QueueDeclareParameters(queue_name))
        self.write()

    def read_to_end(self) -> bytes:
        octets = b""
        while piece := self.socket.recv(65_536):
            octets += piece
        return octets


@pytest.fixture
def connect(broker: FakeBroker) -> Iterator[Callable[..., Client]]:
    """Return a function that opens a connection."""
    clients: list[Client] = []

    def connect(name: str = "", *, is_open: bool = True) -> Client:
        client = Client(broker, name)
        clients.append(client)
        return client.open() if is_open else client

    yield connect
    for client in clients:
        client.socket.close()


# -- who may connect ---------------------------------------------------------------------------


def test_connections_are_refused_and_open_ones_live_on(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    client = connect()

    with broker.faults.refuse_connections():
        with pytest.raises(ConnectionRefusedError):
            connect()
        with pytest.raises(ConnectionRefusedError):
            connect()
        client.declare("queue")
        assert client.read()
    connect().declare("other")

    assert ["other", "queue"] == sorted(broker.queues())


def test_connections_are_refused_from_the_start_on() -> None:
    broker = FakeBroker()
    fault = broker.faults.refuse_connections()
    with broker:
        with pytest.raises(ConnectionRefusedError):
            Client(broker)
        fault.remove()
        Client(broker).socket.close()


def test_a_number_of_connections_is_refused(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    fault = broker.faults.refuse_connections(times=2)

    with pytest.raises(_CUT):
        connect()
    with pytest.raises(_CUT):
        connect()
    connect()

    assert 2 == fault.count


def test_refusals_of_two_faults_end_with_the_last(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    first, second = broker.faults.refuse_connections(), broker.faults.refuse_connections()

    first.remove()
    with pytest.raises(ConnectionRefusedError):
        connect()
    second.remove()

    connect().declare("again")


@pytest.mark.parametrize(("after", "frames"), [("accept", 0), ("start", 1), ("tune", 2)])
def test_connections_are_ignored(
    broker: FakeBroker, connect: Callable[..., Client], after: str, frames: int
) -> None:
    fault = broker.faults.add("ignore_connections", {"after": after})
    client = connect(is_open=False)
    client.exchange(frames)
    client.write()
    client.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.read()
    client.socket.settimeout(20)

    fault.remove()

    with pytest.raises(ConnectionResetError):
        client.read()
    assert 1 == fault.count
    connect().declare("again")


# -- connections that end ----------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
def test_connection_is_cut_after_octets(
    broker: FakeBroker, connect: Callable[..., Client], reset: bool
) -> None:
    client = connect()
    fault = broker.faults.cut(after_octets=5, reset=reset)
    client.declare("queue")

    assert 5 == client.read()
    ended = pytest.raises(ConnectionResetError) if reset else pytest.raises(_EndOfFile)
    with ended:
        read_end(client)
    assert 1 == fault.count


class _EndOfFile(Exception):
    """The broker has closed the socket with a FIN."""


def read_end(client: Client) -> None:
    if not client.socket.recv(1):
        raise _EndOfFile


def test_connection_is_cut_behind_a_frame_and_inside_one(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    behind, inside, untouched = connect("behind"), connect("inside"), connect("other")
    broker.faults.cut(after_frames=1, connection="behind")
    broker.faults.cut(after_frames=1, inside_frame=True, connection="inside")
    behind.declare("a", "b")
    inside.declare("a", "b")
    untouched.declare("a", "b")

    octets = [client.read_to_end() for client in (behind, inside)]

    sizes = [struct.unpack(">xxxI", each[:7])[0] + 8 for each in octets]
    assert len(octets[0]) == sizes[0]
    assert sizes[1] < len(octets[1]) < 2 * sizes[1]
    assert untouched.read()


def test_what_a_client_sends_is_cut(broker: FakeBroker, connect: Callable[..., Client]) -> None:
    with broker.faults.cut(after_frames=1, towards="broker", times=1):
        client = connect(is_open=False)
        client.write()
        client.read()
        client.write()
        with pytest.raises(_EndOfFile):
            read_end(client)

    connect().declare("again")


# -- octets that come late or never ------------------------------------------------------------


def test_silent_connection_is_cut_when_the_silence_ends(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    silent, other = connect("silent"), connect("other")
    with broker.faults.silence(connection="silent") as fault:
        silent.declare("lost")
        other.declare("heard")
        assert other.read()

    with pytest.raises(_CUT):
        silent.read()
    assert (["heard"], 1) == (list(broker.queues()), fault.count)


def test_silence_that_lost_nothing_leaves_connections_alone(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    client = connect()
    broker.faults.silence().remove()
    client.declare("queue")

    assert client.read()


def test_ignored_client_is_not_told_that_the_broker_has_given_up() -> None:
    with FakeBroker(handshake_timeout=0.01) as broker, broker.faults.ignore_connections():
        client = Client(broker)
        client.write()
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.read()
        client.socket.close()


def test_held_octets_are_released_in_order(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    client = connect()
    with broker.faults.hold(towards="broker") as fault:
        client.declare("a")
        client.declare("b")
        assert ([], True) == (list(broker.queues()), fault.held_size > 0)
        fault.release()
        assert (["a", "b"], 0) == (list(broker.queues()), fault.held_size)
        client.declare("c")
    assert ["a", "b", "c"] == list(broker.queues())


def test_octets_are_split(broker: FakeBroker, connect: Callable[..., Client]) -> None:
    client = connect()
    with broker.faults.split(size=3, towards="broker"):
        client.declare("a" * 100)
        client.read_at_least(100)

    assert ["a" * 100] == list(broker.queues())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("slow", {"octets_per_second": 5000}),
        ("split", {"size": 7}),
        ("coalesce", {"seconds": 0.01}),
        ("hold", {}),
        ("stop_reading", {}),
    ],
)
def test_nothing_is_lost_at_removal(
    broker: FakeBroker,
    connect: Callable[..., Client],
    name: str,
    options: dict[str, object],
) -> None:
    client = connect()
    fault = broker.faults.add(name, options)
    client.declare("b" * 200)
    fault.remove()
    client.declare("c" * 200)
    client.read_at_least(400)

    assert ["b" * 200, "c" * 200] == list(broker.queues())
    assert 1 == fault.matched


def test_what_is_not_read_is_not_executed(
    broker: FakeBroker, connect: Callable[..., Client]
) -> None:
    client = connect()
    with broker.faults.stop_reading():
        client.declare("queue")
        assert {} == broker.queues()
    client.read()

    assert ["queue"] == list(broker.queues())


async def test_faults_strike_connections_in_memory() -> None:
    async with FakeBroker() as broker:
        broker.faults.refuse_connections()
        with pytest.raises(ConnectionRefusedError):
            await open_in_memory(broker)
        broker.faults.clear()
        with pytest.raises(AmmooError):
            await cut_in_memory(broker)


async def open_in_memory(broker: FakeBroker) -> None:
    async with await ammoo.connect(broker.url, open_transport=broker.open_transport):
        pass


async def cut_in_memory(broker: FakeBroker) -> None:
    connection = await ammoo.connect(broker.url, open_transport=broker.open_transport)
    async with connection, connection.channel() as channel:
        broker.faults.cut(after_octets=3, reset=True)
        await channel.declare_queue("queue")


def octets_to_the_end(client: socket.socket) -> bytes:
    octets = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while read := client.recv(100):
            octets += read
    return bytes(octets)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("split", {"size": 3}),
        ("slow", {"octets_per_second": 1000}),
        ("coalesce", {"seconds": 0.001}),
        ("cut", {"after_octets": 1000}),
    ],
)
def test_broker_closes_sockets_while_a_fault_is_in_force(
    broker: FakeBroker, name: str, options: dict[str, int]
) -> None:
    broker.faults.add(name, options)
    with socket.create_connection((broker.host, broker.port), timeout=20) as client:
        client.sendall(b"GET / HT")

        assert b"AMQP\x03\x01\x00\x00" == octets_to_the_end(client)


def test_pika_is_told_that_its_connection_is_lost(broker: FakeBroker) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()

    with (
        broker.faults.cut(after_frames=0, times=1),
        pytest.raises(pika.exceptions.AMQPConnectionError),
    ):
        channel.queue_declare("queue")


def test_what_faults_keep_keeps_a_broker_from_being_idle(broker: FakeBroker) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()
    channel.queue_declare("queue")
    channel._impl.confirm_delivery(lambda frame: None)
    confirms = broker.faults.hold_confirms()
    channel._impl.basic_publish("", "queue", b"1")
    connection.process_data_events()

    with pytest.raises(AssertionError, match="waits for a confirm"):
        broker.wait_for_idle(timeout=0.01)
    confirms.remove()
    broker.faults.drop_confirms()
    channel._impl.basic_publish("", "queue", b"2")
    connection.process_data_events()
    broker.wait_for_idle()
    connection.close()


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("cut", {"after_octets": 1, "after_frames": 1}, "both after_octets and after_frames"),
        ("cut", {"after_octets": 1, "inside_frame": True}, "inside_frame needs after_frames"),
        ("cut", {"after_octets": -1}, "after_octets is -1; expected an integer from 0 on"),
        ("silence", {"towards": "server"}, "towards is 'server'; expected 'client' or 'broker'"),
        ("split", {"size": 0}, "size is 0; expected an integer from 1 on"),
        ("slow", {"octets_per_second": "x"}, "octets_per_second is 'x'; expected an integer"),
        ("ignore_connections", {"after": "open"}, "after is 'open'; expected 'accept', 'start'"),
        ("refuse_connections", {"user": "guest"}, "refuse_connections has no option 'user'"),
    ],
)
def test_options_of_networks_are_checked(
    broker: FakeBroker, name: str, options: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        broker.faults.add(name, options)


def test_wait_for_refusals_that_cannot_be_counted_is_refused(fakebroker: FakeBroker) -> None:
    with (
        fakebroker.faults.refuse_connections() as fault,
        pytest.raises(
            RuntimeError,
            match=r"does not listen meanwhile; give the fault a limit, such as times=2",
        ),
    ):
        fault.wait()
