"""Whether a message costs more when there is more of everything else.

    hatch run bench:growth

Each line is one thing that grows, each column a size, each cell nanoseconds of CPU a message. The last
column says how many times dearer the largest size is than the smallest. For bodies it is
microseconds a body, with a plain copy of it beside: nothing can cost less.

The client is measured against a peer in memory, the broker against a client in memory, so no
socket and no other process is in the figures. Objects that are there before a measurement are
hidden from the garbage collector, whose full passes would otherwise be what is seen.
"""

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import ammoo
import ammoo_wire as wire
from ammoo_wire.outgoing_frames import CommandWriter
from benchmarks import readme, results
from benchmarks.calibration import Calibration
from benchmarks.replay import BODY, MESSAGES, PER_READ, Peer, client
from benchmarks.wired import Wire, frames, reads, wired

__all__ = ["main"]

ENCODE_DELIVER: Final = wire.method_of(wire.BasicDeliverParameters).encode
ENCODE_ACK: Final = wire.method_of(wire.BasicAckParameters).encode


class Case(NamedTuple):
    """Something that grows."""

    name: str
    sizes: tuple[int, ...]
    measure: Callable[[int], float]
    """Gives the nanoseconds a message, at a size."""
    unit: str = "ns"


@contextmanager
def settled() -> Iterator[None]:
    """Hide what is there from the garbage collector."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# --- the client, against a peer in memory -----------------------------------------------------


def ack_frames(tags: range) -> list[bytes]:
    """Encode the server's confirms."""
    writer = CommandWriter(frame_max=131072)
    encoded = []
    for tag in tags:
        writer.method(1, ENCODE_ACK(tag, False))
        encoded.append(bytes(writer.take()))
    return encoded


def delivery_frames(tags: range, deliveries: list[tuple[int, str]]) -> list[bytes]:
    """Encode deliveries, to channels and consumers in turn."""
    writer = CommandWriter(frame_max=131072)
    encoded = []
    for tag in tags:
        channel_number, consumer_tag = deliveries[tag % len(deliveries)]
        payload = ENCODE_DELIVER(consumer_tag, tag, False, "exchange", "routing_key")
        writer.content(channel_number, payload, b"\0\0", BODY)
        encoded.append(bytes(writer.take()))
    return encoded


async def confirms(size: int, *, newest_first: bool) -> float:
    """Confirm publishes while others stay outstanding; all are published as they are confirmed."""
    async with client() as (peer, channel):
        await channel.select_confirm()
        peer.is_deaf = True
        loop = asyncio.get_running_loop()

        def publish(count: int) -> list[asyncio.Task[None]]:
            return [loop.create_task(channel.publish("", "key", BODY)) for _ in range(count)]

        outstanding = publish(size)
        await asyncio.sleep(0)
        first = size + 1 if newest_first else 1
        chunks = reads(ack_frames(range(first, first + MESSAGES)))
        with settled():
            started = time.process_time_ns()
            for chunk in chunks:
                outstanding += publish(PER_READ)
                await asyncio.sleep(0)
                peer.feed(chunk)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            spent = time.process_time_ns() - started
        left = [task for task in outstanding if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return spent / MESSAGES


async def unacked(size: int, *, newest_first: bool) -> float:
    """Receive and acknowledge messages while others stay unacknowledged."""
    async with client() as (peer, channel), channel.consume("queue") as consumer:
        peer.is_deaf = True
        tag = [(1, consumer.consumer_tag)]
        held: list[ammoo.DeliverMessage] = []
        for chunk in reads(delivery_frames(range(1, size + 1), tag)):
            peer.feed(chunk)
            held += [await anext(consumer) for _ in range(min(PER_READ, size - len(held)))]
        chunks = reads(delivery_frames(range(size + 1, size + MESSAGES + 1), tag))
        with settled():
            started = time.process_time_ns()
            oldest = iter(held)
            fresh: list[ammoo.DeliverMessage] = []
            for chunk in chunks:
                peer.feed(chunk)
                for _ in range(PER_READ):
                    message = await anext(consumer)
                    if not newest_first:
                        fresh.append(message)
                        message = next(oldest, None) or fresh.pop(0)
                    await message.ack()
                await asyncio.sleep(0)
            spent = time.process_time_ns() - started
        peer.is_deaf = False
        return spent / MESSAGES


async def consumers(size: int) -> float:
    """Receive and acknowledge for many consumers of one channel, in turn."""
    async with client() as (peer, channel), AsyncExitStack() as stack:
        entered = [await stack.enter_async_context(channel.consume("queue")) for _ in range(size)]
        peer.is_deaf = True
        spent = await receive(peer, [(1, consumer.consumer_tag) for consumer in entered], entered)
        peer.is_deaf = False
        for consumer in entered:
            consumer._inbox.cancelled_by_server()  # ten thousand cancels are not what is measured
        return spent


async def channels(size: int) -> float:
    """Receive and acknowledge on many channels, in turn."""
    async with client() as (peer, channel), AsyncExitStack() as stack:
        connection = channel.connection
        entered, addresses = [], []
        for _ in range(size):
            another = await stack.enter_async_context(connection.channel())
            consumer = await stack.enter_async_context(another.consume("queue"))
            entered.append(consumer)
            addresses.append((another.channel_id, consumer.consumer_tag))
        peer.is_deaf = True
        spent = await receive(peer, addresses, entered)
        peer.is_deaf = False
        return spent


async def receive(
    peer: Peer, addresses: list[tuple[int, str]], consumers: list[ammoo.Consumer]
) -> float:
    """Have consumers be sent messages in turn, and acknowledge each."""
    chunks = reads(delivery_frames(range(MESSAGES), addresses))
    chunks_again = reads(delivery_frames(range(MESSAGES, 2 * MESSAGES), addresses))
    spent = 0
    with settled():
        for first, round_of_chunks in ((0, chunks), (MESSAGES, chunks_again)):
            number = first
            started = time.process_time_ns()
            for chunk in round_of_chunks:
                peer.feed(chunk)
                for _ in range(PER_READ):
                    message = await anext(consumers[number % len(consumers)])
                    await message.ack()
                    number += 1
                await asyncio.sleep(0)
            spent = time.process_time_ns() - started
    return spent / MESSAGES


async def publish_body(size: int) -> float:
    """Publish bodies."""
    body = b"x" * size
    count = repetitions(size)
    async with client() as (peer, channel):
        peer.is_deaf = True
        started = time.process_time_ns()
        for _ in range(count):
            await channel.publish("", "key", body)
            await asyncio.sleep(0)
        return (time.process_time_ns() - started) / count / 1000


async def deliver_body(size: int) -> float:
    """Receive bodies, 64 KiB a read as from a socket."""
    count = repetitions(size)
    async with client() as (peer, channel), channel.consume("queue", no_ack=True) as consumer:
        peer.is_deaf = True
        writer = CommandWriter(frame_max=131072)
        payload = ENCODE_DELIVER(consumer.consumer_tag, 1, False, "exchange", "routing_key")
        writer.content(1, payload, b"\0\0", b"x" * size)
        octets = bytes(writer.take())
        parts = [octets[first : first + 65536] for first in range(0, len(octets), 65536)]
        started = time.process_time_ns()
        for _ in range(count):
            for part in parts:
                peer.feed(part)
            await anext(consumer)
        spent = time.process_time_ns() - started
        peer.is_deaf = False
        return spent / count / 1000


def copy_body(size: int) -> float:
    """Copy a body, for a yardstick."""
    body = b"x" * size
    count = repetitions(size)
    started = time.process_time_ns()
    for _ in range(count):
        bytearray(body)
    return (time.process_time_ns() - started) / count / 1000


def repetitions(size: int) -> int:
    """Tell how many bodies are measured: few large ones."""
    return max(4, min(MESSAGES, (64 << 20) // max(size, 1)))


def in_loop(measured: Callable[[int], Coroutine[Any, Any, float]]) -> Callable[[int], float]:
    """Make a measurement of a coroutine."""
    return lambda size: asyncio.run(measured(size))


# --- the broker, against a client in memory ---------------------------------------------------


def timed(broker: Wire, chunks: list[bytes]) -> float:
    """Feed what was encoded; gives nanoseconds a message."""
    with settled():
        started = time.process_time_ns()
        for chunk in chunks:
            broker.feed(chunk)
        return (time.process_time_ns() - started) / MESSAGES


async def bindings(size: int, exchange_type: str, distinct_keys: int = 100) -> float:
    """Publish to an exchange with many bindings; each message is routed by one of them."""
    async with wired() as broker:
        broker.call(wire.ExchangeDeclareParameters("exchange", exchange_type))
        for number in range(min(size, 100)):
            broker.call(wire.QueueDeclareParameters(f"queue-{number}"))
        pattern = "some.{}.*.#" if exchange_type == "topic" else "some.{}.key.more"
        for number in range(size):
            broker.call(
                wire.QueueBindParameters(
                    f"queue-{number % 100}", "exchange", pattern.format(number)
                )
            )
        used = [f"some.{number * 7919 % size}.key.more" for number in range(distinct_keys)]
        keys = (used * MESSAGES)[:MESSAGES]
        publishes = [wire.BasicPublishParameters("exchange", key) for key in keys]
        chunks = reads(frames(publishes, with_content=True))
        timed(broker, chunks)  # what is remembered of a key has to be learnt first
        return timed(broker, chunks)


async def depth(size: int) -> float:
    """Publish to and get from a queue that holds many messages."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        publish = frames([wire.BasicPublishParameters("", "queue")], with_content=True)[0]
        for _ in range(size // PER_READ):
            broker.feed(publish * PER_READ)
        broker.feed(publish * (size % PER_READ))
        get = frames([wire.BasicGetParameters("queue", True)])[0]
        return timed(broker, [(publish + get) * PER_READ] * (MESSAGES // PER_READ))


async def broker_unacked(size: int) -> float:
    """Deliver and settle, newest first, while many deliveries stay unsettled."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        broker.call(wire.BasicConsumeParameters("queue"))
        publish = frames([wire.BasicPublishParameters("", "queue")], with_content=True)[0]
        for _ in range(size):
            broker.feed(publish)
        acks = frames([wire.BasicAckParameters(size + 1 + n) for n in range(MESSAGES)])
        chunks = [publish * PER_READ + acked for acked in reads(acks)]
        return timed(broker, chunks)


async def broker_consumers(size: int) -> float:
    """Deliver to one queue's many consumers, in turn."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        for number in range(size):
            broker.call(wire.BasicConsumeParameters("queue", f"consumer-{number}", no_ack=True))
        publish = frames([wire.BasicPublishParameters("", "queue")], with_content=True)[0]
        return timed(broker, [publish * PER_READ] * (MESSAGES // PER_READ))


async def busy_consumers(size: int) -> float:
    """Deliver to the last of many consumers: all others have their hands full."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        broker.call(wire.BasicQosParameters(0, 1, False))
        publish = frames([wire.BasicPublishParameters("", "queue")], with_content=True)[0]
        for number in range(size):
            broker.call(wire.BasicConsumeParameters("queue", f"consumer-{number}"))
            broker.feed(publish)
        broker.call(wire.BasicQosParameters(0, 0, False))
        broker.call(wire.BasicConsumeParameters("queue", "idle", no_ack=True))
        broker.feed(publish)  # finds once that all others are still busy, for basic.qos woke them
        return timed(broker, [publish * PER_READ] * (MESSAGES // PER_READ))


async def broker_channels(size: int) -> float:
    """Publish on many channels, in turn."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        for number in range(2, size + 1):
            broker.call(wire.ChannelOpenParameters(), number)
        publishes = [wire.BasicPublishParameters("", "queue")] * MESSAGES
        return timed(broker, reads(frames(publishes, with_content=True, channels=size)))


async def broker_body(size: int) -> float:
    """Publish bodies to the broker, and get them."""
    count = repetitions(size)
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        writer = CommandWriter(frame_max=131072)
        payload = wire.method_of(wire.BasicPublishParameters).encode("", "queue", False, False)
        writer.content(1, payload, b"\0\0", b"x" * size)
        octets = bytes(writer.take())
        parts = [octets[first : first + 65536] for first in range(0, len(octets), 65536)]
        parts += frames([wire.BasicGetParameters("queue", True)])
        started = time.process_time_ns()
        for _ in range(count):
            for part in parts:
                broker.feed(part)
        return (time.process_time_ns() - started) / count / 1000


BODIES: Final = (100, 4096, 65_536, 1 << 20, 16 << 20)
CASES: Final = (
    Case(
        "client: outstanding confirms, oldest first",
        (50, 1000, 10_000, 100_000),
        in_loop(lambda size: confirms(size, newest_first=False)),
    ),
    Case(
        "client: outstanding confirms, newest first",
        (50, 1000, 10_000, 100_000),
        in_loop(lambda size: confirms(size, newest_first=True)),
    ),
    Case(
        "client: unacked, oldest first",
        (1, 1000, 10_000, 100_000),
        in_loop(lambda size: unacked(size, newest_first=False)),
    ),
    Case(
        "client: unacked, newest first",
        (1, 1000, 10_000, 100_000),
        in_loop(lambda size: unacked(size, newest_first=True)),
    ),
    Case("client: consumers of a channel", (1, 100, 1000, 10_000), in_loop(consumers)),
    Case("client: channels", (1, 10, 100, 1000), in_loop(channels)),
    Case("copy of a body", BODIES, copy_body, "us"),
    Case("client: publish a body", BODIES, in_loop(publish_body), "us"),
    Case("client: receive a body", BODIES, in_loop(deliver_body), "us"),
    Case("broker: publish and get a body", BODIES, in_loop(broker_body), "us"),
    *(
        Case(
            f"broker: bindings of a {exchange_type} exchange",
            (100, 1000, 10_000),
            in_loop(partial(bindings, exchange_type=exchange_type)),
        )
        for exchange_type in ("direct", "topic")
    ),
    Case(
        "broker: different routing keys, 10,000 topic bindings",
        (1, 100, 1000, 2000),
        in_loop(lambda size: bindings(10_000, "topic", distinct_keys=size)),
    ),
    Case("broker: queue depth", (1, 1000, 100_000, 1_000_000), in_loop(depth)),
    Case("broker: unacked, newest first", (1, 1000, 10_000, 100_000), in_loop(broker_unacked)),
    Case("broker: consumers of a queue", (1, 100, 1000, 10_000), in_loop(broker_consumers)),
    Case("broker: busy consumers of a queue", (1, 100, 1000, 10_000), in_loop(busy_consumers)),
    Case("broker: channels", (1, 10, 100, 1000), in_loop(broker_channels)),
)


def measured(
    cases: list[Case], rounds: int, largest: int, calibration: Calibration
) -> dict[str, dict[int, float]]:
    """Measure all cases at all sizes, in turns; the minimum of each."""
    best: dict[str, dict[int, float]] = {case.name: {} for case in cases}
    for _ in range(rounds):
        for case in cases:
            calibration.sample()
            for size in case.sizes:
                if size <= largest:
                    known = best[case.name].get(size, float("inf"))
                    best[case.name][size] = min(known, case.measure(size))
    return best


def table(cases: list[Case], best: dict[str, dict[int, float]]) -> list[str]:
    """Write what a message costs at each size, and how many times dearer the largest is."""
    columns = max((len(row) for row in best.values()), default=0)
    rows = []
    for case in cases:
        row = best[case.name]
        cells = [f"{size:,}: {value:,.0f}" for size, value in row.items()]
        cells += [""] * (columns - len(row))
        is_flat = case.unit == "ns" and row
        cells.append(f"x {row[max(row)] / row[min(row)]:.2f}" if is_flat else "")
        rows.append([f"{case.name}, {case.unit}", *cells])
    titles = ["a message's cost, by size", *[""] * columns, "largest by smallest"]
    return results.table(titles, rows)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:growth", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their name")
    parser.add_argument("--largest", type=int, default=1 << 30, help="leave larger sizes out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--readme", action="store_true", help="write the table into benchmarks/")
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if options.only in case.name]
    calibration = Calibration()
    best = measured(cases, options.rounds, options.largest, calibration)
    about = {"rounds": str(options.rounds), "calibration": str(calibration)}
    provenance = readme.provenance("growth", arguments, about)
    lines = [*table(cases, best), "", provenance]
    print("\n".join(lines))
    if options.json is not None:
        options.json.write_text(json.dumps(best, indent=1) + "\n")
    if options.readme:
        readme.write_section("growth", lines, calibration)


if __name__ == "__main__":
    main()
