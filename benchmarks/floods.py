"""What the client does with more than its program takes: memory, and the time of another client.

    hatch run bench:floods --url amqp://guest:guest@127.0.0.1:5672

Each flood runs against a RabbitMQ, or against a fake broker in a process of its own if no URL is given.
Meanwhile a connection of its own publishes a message with a confirm every few milliseconds: the
longest time that one of them took is what the flood did to others.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import ammoo

__all__ = ["main"]

MIB: Final = 1 << 20
_PAUSE: Final = 0.005
_SERVE: Final = """
import sys
from ammoo_fakebroker import FakeBroker
with FakeBroker() as broker:
    print(broker.url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def _fake_broker() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _memory() -> int:
    """Return how much memory this process holds, in octets; 0 where Linux does not tell."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


# --- the floods -------------------------------------------------------------------------------


async def _filled(channel: ammoo.Channel, count: int, body: bytes) -> str:
    """Declare a queue, and fill it."""
    queue = (await channel.declare_queue("", exclusive=True)).queue_name
    await channel.select_confirm()
    for begin in range(0, count, 1000):
        size = min(1000, count - begin)
        await asyncio.gather(*[channel.publish_nowait("", queue, body) for _ in range(size)])
    return queue


async def _unread(channel: ammoo.Channel, scale: float) -> None:
    """Consume without a prefetch, and read nothing, while another consumer is idle."""
    queue = await _filled(channel, int(300_000 * scale), b"x" * 100)
    idle = (await channel.declare_queue("", exclusive=True)).queue_name
    async with channel.consume(idle), channel.consume(queue):
        await asyncio.sleep(8 * scale)


async def _given_back(channel: ammoo.Channel, scale: float) -> None:
    """Leave a consumer with thousands of unread messages."""
    queue = await _filled(channel, int(14_500 * scale), b"x" * 100)
    async with channel.consume(queue):
        await asyncio.sleep(2 * scale)


async def _unfetched_returns(channel: ammoo.Channel, scale: float) -> None:
    """Publish messages that come back, and fetch none of them."""
    await channel.select_confirm()
    for _ in range(int(20_000 * scale)):
        await channel.publish("", "nowhere", bytes(10_000), mandatory=True)


async def _rewritten_returns(channel: ammoo.Channel, scale: float) -> None:
    """Await the returns of messages whose expiration RabbitMQ rewrites."""
    await channel.select_confirm()
    await asyncio.gather(
        *[
            channel.publish("", "nowhere", b"", expiration="0100", raise_returned=True)
            for _ in range(int(2_000 * scale))
        ],
        return_exceptions=True,
    )


class Flood(NamedTuple):
    """One way in which more comes in than is taken."""

    name: str
    run: Callable[[ammoo.Channel, float], Awaitable[None]]


FLOODS: Final = (
    Flood("300,000 messages, unread for 8 s", _unread),
    Flood("14,500 unread messages given back", _given_back),
    Flood("20,000 returns of 10 kB, not fetched", _unfetched_returns),
    Flood("2,000 returns with a rewritten expiration", _rewritten_returns),
)


# --- what they cost ---------------------------------------------------------------------------


class Cost(NamedTuple):
    """What a flood cost."""

    seconds: float
    memory_growth: int
    """Octets that this process held more than before, at the most."""
    longest: float
    """Milliseconds that the longest confirmed publish beside it took."""


async def measure(flood: Flood, url: str, scale: float) -> Cost:
    """Run a flood, and publish beside it."""
    before = most = _memory()
    longest = 0.0
    async with (
        await ammoo.connect(url) as flooded,
        await ammoo.connect(url) as beside,
        flooded.channel() as channel,
        beside.channel() as publisher,
    ):
        await publisher.declare_queue("beside", exclusive=True, max_length=1)
        await publisher.select_confirm()
        began = time.perf_counter()
        running = asyncio.ensure_future(flood.run(channel, scale))
        while not running.done():
            published = time.perf_counter()
            await publisher.publish("", "beside", b"x")
            longest = max(longest, 1000 * (time.perf_counter() - published))
            most = max(most, _memory())
            await asyncio.sleep(_PAUSE)
        await running
        return Cost(time.perf_counter() - began, most - before, longest)


def main() -> None:
    parser = argparse.ArgumentParser(prog="hatch run bench:floods", description=__doc__)
    parser.add_argument("--url", help="a RabbitMQ; without it, a fake broker")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of each flood to do")
    options = parser.parse_args()
    print("| flood | s | memory at the most, MiB | longest publish beside it, ms |")
    print("| --- | ---: | ---: | ---: |")
    for flood in FLOODS:
        if options.url:
            cost = asyncio.run(measure(flood, options.url, options.scale))
        else:
            with _fake_broker() as url:
                cost = asyncio.run(measure(flood, url, options.scale))
        print(
            f"| {flood.name} | {cost.seconds:.1f} | {cost.memory_growth / MIB:.0f} |"
            f" {cost.longest:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
