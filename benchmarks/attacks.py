"""What attacks on the fake broker cost: its memory, and what a client beside the attacker notices.

    hatch run bench:attacks

Each attack runs against a broker in a process of its own. Meanwhile another client publishes a message
with a confirm every few milliseconds: the longest time that one of them took is the worst that the attack
did to it. Where memory is said to be bounded, the figure shows by how much it has grown at the most.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import ammoo
from ammoo_wire import (
    PROTOCOL_HEADER,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    ChannelOpenParameters,
    ConfirmSelectParameters,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionTuneOkParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    encode_command,
    encode_frame,
    plain_response,
)

__all__ = ["main"]

MIB: Final = 1 << 20
_PAUSE: Final = 0.005
_SETTLE: Final = 0.5
_SERVE: Final = """
import sys
from ammoo_fakebroker import FakeBroker
with FakeBroker(compatibility=sys.argv[1], memory_limit=int(sys.argv[2])) as broker:
    print(broker.url, flush=True)
    sys.stdin.read()
"""


class Broker(NamedTuple):
    """A fake broker in a process of its own."""

    url: str
    pid: int

    def memory(self) -> int:
        """Return how much memory the process holds, in octets; 0 where Linux does not tell."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0


@contextmanager
def _broker(memory_limit: int) -> Iterator[Broker]:
    # 3.10 takes messages of 128 MiB and topic patterns with any number of wildcards.
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, "3.10", str(memory_limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Broker(process.stdout.readline().strip(), process.pid)
        process.stdin.close()


# --- the attacker -----------------------------------------------------------------------------


class Attacker:
    """A client that sends what it likes, and reads only when it is told to.

    Args:
        broker: Whom to attack.
    """

    def __init__(self, broker: Broker) -> None:
        parts = urlsplit(broker.url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 0), timeout=60)
        login = ConnectionStartOkParameters({}, "PLAIN", plain_response("guest", "guest"), "en_US")
        self.socket.sendall(
            PROTOCOL_HEADER
            + encode_command(0, login)
            + encode_command(0, ConnectionTuneOkParameters(2047, 131072, 0))
            + encode_command(0, ConnectionOpenParameters("/"))
            + encode_command(1, ChannelOpenParameters())
            + encode_command(1, ConfirmSelectParameters())
        )

    def send(self, parameters: Any, *content: Any) -> None:
        """Send a method, with properties and body if it has any."""
        self.socket.sendall(encode_command(1, parameters, *content))

    def publish(self, key: str, body: bytes, exchange: str = "", **properties: Any) -> None:
        """Publish a message."""
        self.send(BasicPublishParameters(exchange, key), BasicHeaderProperties(**properties), body)

    def declare(self, name: str, **arguments: Any) -> None:
        """Declare a queue."""
        self.send(QueueDeclareParameters(name, arguments=arguments))

    def wait(self, pause: float = _SETTLE) -> None:
        """Read until the broker says nothing for a while."""
        self.socket.settimeout(pause)
        with suppress(TimeoutError, ConnectionResetError):
            while self.socket.recv(MIB):
                pass
        self.socket.settimeout(60)

    def close(self) -> None:
        """Close the socket without a word."""
        self.socket.close()


def _nothing(broker: Broker, scale: float) -> None:
    time.sleep(_SETTLE)


def _gets_unread(broker: Broker, scale: float) -> None:
    attacker = Attacker(broker)
    attacker.declare("large")
    for _ in range(int(200 * scale)):
        attacker.publish("large", bytes(MIB))
    attacker.wait()
    attacker.socket.settimeout(1)
    with suppress(TimeoutError):
        for _ in range(int(200 * scale)):
            attacker.send(BasicGetParameters("large", no_ack=True))
    time.sleep(_SETTLE)
    attacker.close()


def _deliveries_unread(broker: Broker, scale: float) -> None:
    attacker = Attacker(broker)
    attacker.declare("small")
    attacker.send(BasicConsumeParameters("small", no_ack=True))
    attacker.socket.settimeout(1)
    with suppress(TimeoutError):
        for _ in range(int(30_000 * scale)):
            attacker.publish("small", bytes(1000))
    time.sleep(_SETTLE)
    attacker.close()


def _topics(broker: Broker, scale: float) -> None:
    attacker = Attacker(broker)
    attacker.declare("topics")
    for number in range(64):
        words = ["*"] * 120
        words[number] = words[number + 50] = "#"
        attacker.send(QueueBindParameters("topics", "amq.topic", ".".join(words)))
    attacker.wait()
    keys = [".".join(["a"] * 120) + f".{number}" for number in range(int(400 * scale))]
    attacker.publish(keys[0], b"", "amq.topic", headers={"CC": keys[1:]})
    attacker.wait()
    attacker.close()


def _deaths(broker: Broker, scale: float) -> None:
    attacker, count = Attacker(broker), int(1_600 * scale)
    for number in range(count):
        attacker.declare(
            f"q{number}",
            **{
                "x-max-length": 0,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": f"q{number + 1}",
            },
        )
    attacker.declare(f"q{count}")
    attacker.wait()
    attacker.publish("q0", b"dies")
    attacker.wait()
    attacker.close()


def _full(broker: Broker, scale: float) -> None:
    attacker = Attacker(broker)
    attacker.declare("full")
    attacker.socket.settimeout(1)
    with suppress(TimeoutError):
        for _ in range(int(1_000 * scale)):
            attacker.publish("full", bytes(MIB))
    time.sleep(_SETTLE)
    attacker.close()


def _halves(broker: Broker, scale: float) -> None:
    attackers = [Attacker(broker) for _ in range(4)]
    for attacker in attackers:
        attacker.send(BasicPublishParameters("", "nowhere"), None, b"")
        attacker.socket.sendall(
            encode_command(1, BasicPublishParameters("", "nowhere"), None, b"", body_size=100 * MIB)
        )
        attacker.socket.settimeout(1)
        with suppress(TimeoutError):
            for _ in range(int(700 * scale)):
                attacker.socket.sendall(encode_frame(3, 1, bytes(131_000)))
    for attacker in attackers:
        attacker.close()
    time.sleep(_SETTLE)


def _garbage(broker: Broker, scale: float) -> None:
    parts = urlsplit(broker.url)
    for number in range(int(500 * scale)):
        with socket.create_connection((parts.hostname, parts.port or 0), timeout=60) as garbage:
            garbage.sendall(PROTOCOL_HEADER + bytes((number % 256,)) * 2000)
    time.sleep(_SETTLE)


class Attack(NamedTuple):
    """One way to harm the broker."""

    name: str
    run: Callable[[Broker, float], None]


ATTACKS: Final = (
    Attack("none", _nothing),
    Attack("200 gets of 1 MiB, never read", _gets_unread),
    Attack("30,000 deliveries of 1 kB, never read", _deliveries_unread),
    Attack("64 topic patterns, 400 routing keys", _topics),
    Attack("1,600 dead letter queues in a row", _deaths),
    Attack("1 GB into a queue, limit 256 MiB", _full),
    Attack("4 messages of 100 MiB, cut off", _halves),
    Attack("500 connections that send garbage", _garbage),
)


# --- the client beside it ---------------------------------------------------------------------


class Noticed(NamedTuple):
    """What an attack did."""

    memory_growth: int
    """Octets that the broker held more than before, at the most."""
    memory_left: int
    """Octets that it still holds more when the attacker is gone."""
    median: float
    """Milliseconds that a confirmed publish of the other client took."""
    longest: float
    """Milliseconds that the longest took."""
    was_blocked: bool
    """Whether one waited for seconds: the broker blocks all publishers while memory is short."""


def measure(attack: Attack, scale: float) -> Noticed:
    """Attack a broker, and watch what a client beside the attacker notices."""
    with _broker(memory_limit=256 * MIB) as broker:
        return asyncio.run(_watch(broker, attack, scale))


async def _watch(broker: Broker, attack: Attack, scale: float) -> Noticed:
    before = most = broker.memory()
    times: list[float] = []
    was_blocked = False
    async with await ammoo.connect(broker.url) as connection, connection.channel() as channel:
        await channel.declare_queue("beside", max_length=1)
        await channel.select_confirm()
        attacking = threading.Thread(target=attack.run, args=(broker, scale))
        attacking.start()
        while attacking.is_alive():
            began = time.perf_counter()
            try:
                async with asyncio.timeout(10):
                    await channel.publish("", "beside", b"x")
            except TimeoutError:
                was_blocked = True
            times.append(1000 * (time.perf_counter() - began))
            most = max(most, broker.memory())
            await asyncio.sleep(_PAUSE)
        attacking.join()
        left = broker.memory() - before
    times.sort()
    return Noticed(most - before, left, times[len(times) // 2], times[-1], was_blocked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how much of each attack to do")
    options = parser.parse_args()
    print("| attack | memory at the most, MiB | left, MiB | publish beside it, ms | longest, ms |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for attack in ATTACKS:
        noticed = measure(attack, options.scale)
        longest = "blocked" if noticed.was_blocked else f"{noticed.longest:.0f}"
        print(
            f"| {attack.name} | {noticed.memory_growth / MIB:.0f} |"
            f" {noticed.memory_left / MIB:.0f} | {noticed.median:.1f} | {longest} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
