"""What a message costs without a network: octets replayed into and out of the wire and the client.

    hatch run bench:replay

Nanoseconds of CPU a message, the minimum over many rounds that take turns, in one process.
Absolute figures are this machine's; the last column, in units of a calibration loop (one
addition and one append to a list), can be compared with another run. The budget is that of a
throw-away prototype with few checks (CPython 3.11, another machine).
"""

import argparse
import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import ammoo
import ammoo_wire as wire
from ammoo.live.connection import LiveConnection
from ammoo.uri import connection_parameters
from ammoo_wire.incoming_frames import CommandAssembler
from ammoo_wire.outgoing_frames import CommandWriter
from benchmarks.calibration import Calibration

MESSAGES = 2000
PER_READ = 50
BODY = b"x" * 100
EXCHANGE, ROUTING_KEY, CONSUMER_TAG = (
    "my_exchange",
    "my_routing_key",
    "amq.ctag-u7cNPSvqIb0oQmzYQ8Yx3A",
)
PLAIN = wire.BasicHeaderProperties(content_type="text/plain", delivery_mode=2)
RICH = PLAIN._replace(
    correlation_id="a-correlation-id", message_id="a-message-id", headers={"a": 1, "b": "text"}
)


class Case(NamedTuple):
    """Something to measure."""

    name: str
    budget: int | None
    """Nanoseconds that the prototype needed, if it was measured."""
    run: Callable[[], int | None]
    """Does it for `MESSAGES` messages; may give the nanoseconds of the part that counts."""


# --- the wire ------------------------------------------------------------------------------


def deliveries(
    properties: wire.BasicHeaderProperties,
    *,
    keys: int = 1,
    channels: int = 1,
    consumer_tag: str = CONSUMER_TAG,
) -> list[bytes]:
    """Make the octets of basic.deliver, cut as they would be read."""

    def deliver(number: int) -> wire.Parameters:
        key = ROUTING_KEY + "x" * (number % keys)
        return wire.BasicDeliverParameters(consumer_tag, number, False, EXCHANGE, key)

    return reads_of(deliver, properties, channels=channels)


def reads_of(
    make: Callable[[int], wire.Parameters],
    properties: wire.BasicHeaderProperties,
    *,
    channels: int = 1,
) -> list[bytes]:
    """Make the octets of methods by their numbers, with content if they have any, as read."""
    encoded = wire.encode_properties(properties)
    writer, reads = CommandWriter(frame_max=131072), []
    for number in range(1, MESSAGES + 1):
        parameters, channel_number = make(number), 1 + number % channels
        if wire.method_of(parameters).has_content:
            writer.content(channel_number, wire.encode_method(parameters), encoded, BODY)
        else:
            writer.method(channel_number, wire.encode_method(parameters))
        if number % PER_READ == 0:
            reads.append(bytes(writer.take()))
    return reads


def unlike(number: int) -> wire.Parameters:
    """Make a delivery with a routing key of its own."""
    key = f"{ROUTING_KEY}.{number:05}"
    return wire.BasicDeliverParameters(CONSUMER_TAG, number, False, EXCHANGE, key)


def got(number: int) -> wire.Parameters:
    """Make an answer to basic.get."""
    return wire.BasicGetOkParameters(number, False, EXCHANGE, ROUTING_KEY, MESSAGES - number)


def receive(reads: list[bytes], *, decode: bool = False) -> Callable[[], None]:
    """Make a run that takes commands in, and reads their properties if asked."""

    def run() -> None:
        assembler = CommandAssembler(frame_max=131072, max_body_size=1 << 29)
        assembler.takes_channels = True
        for read in reads:
            commands: list[wire.Command] = []
            assembler.get_buffer()[: len(read)] = read
            assembler.buffer_updated(len(read))
            assembler.assemble(commands)
            if decode:
                for _, _, encoded, _ in commands:
                    assert encoded is not None
                    wire.decode_properties(encoded)

    return run


def publish(properties: wire.BasicHeaderProperties | None, *, keys: int = 1) -> Callable[[], None]:
    """Make a run that encodes publishes from their parts, properties included if there are any.

    As the client does, it remembers the method's octets by exchange and key.
    """
    encode = wire.method_of(wire.BasicPublishParameters).encode
    used = [f"{ROUTING_KEY}{number}" for number in range(keys)] * (MESSAGES // keys)

    def run() -> None:
        writer = CommandWriter(frame_max=131072)
        heads: dict[tuple[str, str], wire.ContentHead] = {}
        for key in used:
            head = heads.get((EXCHANGE, key))
            if head is None:
                payload = encode(EXCHANGE, key, False, False)
                head = heads[EXCHANGE, key] = writer.content_head(1, payload)
            encoded = (
                wire.NO_PROPERTIES if properties is None else wire.encode_properties(properties)
            )
            writer.content_behind(head, encoded, BODY)

    return run


def acknowledge() -> None:
    """Encode acknowledgements."""
    encode = wire.method_of(wire.BasicAckParameters).encode
    writer = CommandWriter(frame_max=131072)
    for number in range(MESSAGES):
        writer.method(1, encode(number, False))


WIRE = [
    Case("wire: encode basic.publish, no properties", 350, publish(None)),
    Case("wire: encode basic.publish, 4 properties, 2 headers", 1890, publish(RICH)),
    Case(
        "wire: encode basic.publish, another key each",
        None,
        publish(None, keys=MESSAGES),
    ),
    Case("wire: encode basic.ack", 71, acknowledge),
    Case("wire: receive basic.deliver", 637, receive(deliveries(PLAIN))),
    Case("wire: the same, 5 routing keys in turn", 960, receive(deliveries(PLAIN, keys=5))),
    Case("wire: the same, another key each", None, receive(reads_of(unlike, PLAIN))),
    Case("wire: the same, 1,000 channels", None, receive(deliveries(PLAIN, channels=1000))),
    Case(
        "wire: the same, 4 properties, 2 headers, all read",
        2180,
        receive(deliveries(RICH), decode=True),
    ),
    Case("wire: receive basic.get-ok", None, receive(reads_of(got, PLAIN))),
    Case("wire: receive basic.ack", None, receive(reads_of(wire.BasicAckParameters, PLAIN))),
]


# --- a foreign codec, for a yardstick ------------------------------------------------------


def pamqp_cases() -> list[Case]:
    """Make the cases of pamqp, if it is there."""
    try:
        from pamqp import commands, frame, header
        from pamqp.body import ContentBody
    except ImportError:
        return []

    def run_publish(properties: dict[str, Any], *, keys: int = 1) -> Callable[[], None]:
        used = [f"{ROUTING_KEY}{number}" for number in range(keys)] * (MESSAGES // keys)

        def run() -> None:
            for key in used:
                described = commands.Basic.Properties(**properties)
                frame.marshal(commands.Basic.Publish(0, EXCHANGE, key), 1)
                frame.marshal(header.ContentHeader(0, len(BODY), described), 1)
                frame.marshal(ContentBody(BODY), 1)

        return run

    def run_ack() -> None:
        for number in range(MESSAGES):
            frame.marshal(commands.Basic.Ack(number), 1)

    def run_receive(reads: list[bytes]) -> Callable[[], None]:
        def run() -> None:
            for read in reads:
                rest = read
                while rest:
                    used, _, _ = frame.unmarshal(rest)
                    rest = rest[used:]

        return run

    rich = {
        "content_type": RICH.content_type,
        "delivery_mode": 2,
        "correlation_id": RICH.correlation_id,
        "message_id": RICH.message_id,
        "headers": RICH.headers,
    }
    return [
        Case("pamqp: encode basic.publish, no properties", None, run_publish({})),
        Case("pamqp: encode basic.publish, 4 properties, 2 headers", None, run_publish(rich)),
        Case(
            "pamqp: encode basic.publish, another key each",
            None,
            run_publish({}, keys=MESSAGES),
        ),
        Case("pamqp: encode basic.ack", None, run_ack),
        Case("pamqp: decode basic.deliver", None, run_receive(deliveries(PLAIN))),
        Case("pamqp: the same, 4 properties, 2 headers", None, run_receive(deliveries(RICH))),
    ]


# --- the client ----------------------------------------------------------------------------


class Peer(asyncio.Transport):
    """A server in memory at the other end of a client's socket: it answers, and records nothing.

    While `is_deaf`, what the client writes is dropped, so that only the client is measured. With
    `answers`, each write is answered by the next of them, a turn of the loop later.
    """

    def __init__(self, client: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._server = wire.ServerProtocol(
            server_properties={"product": "RabbitMQ"},
            mechanisms=("PLAIN",),
            authenticate=lambda mechanism, response: wire.Accepted(),
            open_virtualhost=lambda name: None,
        )
        self.is_deaf = False
        self.answers: Iterator[bytes] | None = None
        client.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what the client writes."""
        if self.answers is not None:
            self._loop.call_soon(self.feed, next(self.answers))
        elif not self.is_deaf:
            self._loop.call_soon(self._answer, bytes(data))

    def feed(self, octets: bytes | bytearray) -> None:
        """Let the client read."""
        while octets:
            buffer = memoryview(self._client.get_buffer(len(octets)))
            count = min(len(buffer), len(octets))
            buffer[:count] = octets[:count]
            self._client.buffer_updated(count)
            octets = octets[count:]

    def is_closing(self) -> bool:
        """Say that the socket is open."""
        return False

    def close(self) -> None:
        """Close the socket."""
        self._loop.call_soon(self._client.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        """Do nothing: what is fed is read."""

    resume_reading = pause_reading

    def _answer(self, octets: bytes) -> None:
        for channel_number, parameters, _, _ in self._server.receive_data(octets):
            answer = ANSWERS.get(type(parameters))
            if answer is not None:
                self._server.send(channel_number, answer(parameters))
        self.feed(self._server.data_to_send())


ANSWERS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    wire.ChannelOpenParameters: lambda asked: wire.ChannelOpenOkParameters(),
    wire.ChannelCloseParameters: lambda asked: wire.ChannelCloseOkParameters(),
    wire.ConfirmSelectParameters: lambda asked: wire.ConfirmSelectOkParameters(),
    wire.BasicConsumeParameters: lambda asked: wire.BasicConsumeOkParameters(asked.consumer_tag),
    wire.BasicCancelParameters: lambda asked: wire.BasicCancelOkParameters(asked.consumer_tag),
}


@asynccontextmanager
async def client() -> AsyncIterator[tuple[Peer, ammoo.Channel]]:
    """Open a channel of the client on a server in memory."""
    connection = ammoo.Connection(connection_parameters())
    live = LiveConnection(asyncio.get_running_loop(), connection_parameters(), lambda reason: None)
    peer = Peer(live.transport)
    connection._live = live  # in the place of opening a socket
    async with connection, connection.channel() as channel:
        yield peer, channel
        peer.is_deaf = False


async def publish_unconfirmed(properties: dict[str, Any]) -> int:
    """Await one publish after the other, without confirms."""
    async with client() as (peer, channel):
        peer.is_deaf = True
        started = time.process_time_ns()
        for _ in range(MESSAGES):
            await channel.publish(EXCHANGE, ROUTING_KEY, BODY, **properties)
        return time.process_time_ns() - started


async def publish_confirmed() -> int:
    """Gather 250 publishes at a time, which are then confirmed one by one."""
    encode = wire.method_of(wire.BasicAckParameters).encode
    in_flight, writer, acks = 250, CommandWriter(frame_max=131072), []
    for number in range(1, MESSAGES + 1):
        writer.method(1, encode(number, False))
        if number % in_flight == 0:
            acks.append(writer.take())
    async with client() as (peer, channel):
        await channel.select_confirm()
        peer.is_deaf = True
        loop = asyncio.get_running_loop()
        started = time.process_time_ns()
        for octets in acks:
            publishes = [
                loop.create_task(channel.publish(EXCHANGE, ROUTING_KEY, BODY))
                for _ in range(in_flight)
            ]
            await asyncio.sleep(0)  # they are sent in this turn of the loop
            peer.feed(octets)
            await asyncio.gather(*publishes)
        return time.process_time_ns() - started


async def confirm_each() -> int:
    """Publish, and await the confirm, one after the other."""
    encode = wire.method_of(wire.BasicAckParameters).encode
    writer = CommandWriter(frame_max=131072)
    acks = []
    for number in range(1, MESSAGES + 1):
        writer.method(1, encode(number, False))
        acks.append(bytes(writer.take()))
    async with client() as (peer, channel):
        await channel.select_confirm()
        peer.answers = iter(acks)
        started = time.process_time_ns()
        for _ in range(MESSAGES):
            await channel.publish(EXCHANGE, ROUTING_KEY, BODY)
        spent = time.process_time_ns() - started
        peer.answers = None
        return spent


async def get() -> int:
    """Get one message after the other."""
    encode = wire.method_of(wire.BasicGetOkParameters).encode
    properties = wire.encode_properties(PLAIN)
    writer, messages = CommandWriter(frame_max=131072), []
    for number in range(1, MESSAGES + 1):
        payload = encode(number, False, EXCHANGE, ROUTING_KEY, MESSAGES - number)
        writer.content(1, payload, properties, BODY)
        messages.append(bytes(writer.take()))
    async with client() as (peer, channel):
        peer.answers = iter(messages)
        started = time.process_time_ns()
        for _ in range(MESSAGES):
            await channel.get("queue", no_ack=True)
        spent = time.process_time_ns() - started
        peer.answers = None
        return spent


async def ask_and_answer() -> int:
    """Publish a request, and await the answer's delivery, one after the other."""
    async with client() as (peer, channel), channel.consume("queue", no_ack=True) as consumer:
        encode = wire.method_of(wire.BasicDeliverParameters).encode
        properties = wire.encode_properties(PLAIN)
        writer, answers = CommandWriter(frame_max=131072), []
        for number in range(1, MESSAGES + 1):
            payload = encode(consumer.consumer_tag, number, False, EXCHANGE, ROUTING_KEY)
            writer.content(1, payload, properties, BODY)
            answers.append(bytes(writer.take()))
        peer.answers = iter(answers)
        started = time.process_time_ns()
        for _ in range(MESSAGES):
            await channel.publish(EXCHANGE, ROUTING_KEY, BODY, reply_to="amq.rabbitmq.reply-to")
            await anext(consumer)
        spent = time.process_time_ns() - started
        peer.answers = None
        return spent


async def consume(*, no_ack: bool, keys: int = 1) -> int:
    """Iterate over deliveries that come 50 a read, and acknowledge each."""
    async with client() as (peer, channel), channel.consume("queue", no_ack=no_ack) as consumer:
        peer.is_deaf = True
        reads = deliveries(PLAIN, keys=keys, consumer_tag=consumer.consumer_tag)
        started = time.process_time_ns()
        for read in reads:
            peer.feed(read)
            for _ in range(PER_READ):
                message = await anext(consumer)
                if not no_ack:
                    await message.ack()
            await asyncio.sleep(0)  # a turn of the loop, in which the acks are written
        spent = time.process_time_ns() - started
        peer.is_deaf = False
        return spent


def in_loop(measured: Callable[[], Coroutine[Any, Any, int]]) -> Callable[[], int]:
    """Make a run of a coroutine that measures itself."""
    return lambda: asyncio.run(measured())


CLIENT = [
    Case("client: await publish, no confirms", 400, in_loop(lambda: publish_unconfirmed({}))),
    Case(
        "client: await publish, 2 properties",
        None,
        in_loop(lambda: publish_unconfirmed({"content_type": "text/plain", "delivery_mode": 2})),
    ),
    Case("client: gather 250 publishes, confirmed", 5000, in_loop(publish_confirmed)),
    Case("client: await publish, confirmed each", 8200, in_loop(confirm_each)),
    Case("client: await get, no_ack", None, in_loop(get)),
    Case("client: publish and await the answer", None, in_loop(ask_and_answer)),
    Case("client: async for, no_ack", 778, in_loop(lambda: consume(no_ack=True))),
    Case("client: async for, await ack()", 1100, in_loop(lambda: consume(no_ack=False))),
    Case(
        "client: the same, 5 routing keys in turn",
        1270,
        in_loop(lambda: consume(no_ack=False, keys=5)),
    ),
]


# --- measuring -----------------------------------------------------------------------------


def calibrate() -> None:
    """Do something that costs a few tens of nanoseconds a time."""
    numbers: list[int] = []
    for number in range(MESSAGES):
        numbers.append(number + 1)


def measure(cases: list[Case], rounds: int, quiet: Calibration | None = None) -> dict[str, float]:
    """Run all cases in turn, several times over; return each one's minimum in ns a message.

    Args:
        cases: What is measured.
        rounds: How often.
        quiet: Samples the machine before each round.
    """
    best = dict.fromkeys((case.name for case in cases), float("inf"))
    for _ in (quiet or Calibration()).rounds(rounds):
        for case in cases:
            gc.collect()
            started = time.process_time_ns()
            spent = case.run() or time.process_time_ns() - started
            best[case.name] = min(best[case.name], spent / MESSAGES)
    return best


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table or JSON."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:replay", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="print nanoseconds as JSON")
    options = parser.parse_args(arguments)
    calibration = Case("calibration", None, calibrate)
    cases = [calibration, *WIRE, *CLIENT, *pamqp_cases()]
    best = measure(cases, options.rounds)
    if options.json:
        print(json.dumps(best, indent=2))
        return
    unit = best[calibration.name]
    print(f"{'':<52}{'ns':>8}{'budget':>8}{'loops':>8}")
    for case in cases:
        budget = "" if case.budget is None else str(case.budget)
        nanoseconds = best[case.name]
        print(f"{case.name:<52}{nanoseconds:>8.0f}{budget:>8}{nanoseconds / unit:>8.1f}")


if __name__ == "__main__":
    main()
