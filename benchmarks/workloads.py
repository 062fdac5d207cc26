"""What `compare` measures: the workloads, how much of each, and how good ammoo wants to be at it.

It knows no client and no broker.
"""

from typing import Final, NamedTuple

__all__ = ["IN_FLIGHT", "LARGE", "LIMIT", "PEER", "PREFETCH", "WORKLOADS", "Workload"]

IN_FLIGHT: Final = 256
"""So many publishes wait for their confirms at a time."""
PREFETCH: Final = 200
LARGE: Final = 1 << 20
LIMIT: Final = "rabbitmq-c"
"""Whose cost the first ratio is taken to."""
PEER: Final = "aio-pika"
"""Whose cost the second ratio is taken to."""


class Workload(NamedTuple):
    """Something that programs do with a broker."""

    name: str
    """What the function is called that does it, in each of `benchmarks.clients`."""
    title: str
    size: int
    """How many messages a run has."""
    of_limit: float
    """The goal: at most so many times the CPU time of `LIMIT`."""
    below_peer: float
    """The goal: at least so many times less CPU time than `PEER`."""
    stretch: float | None = None
    """What would be better than the goal, in multiples of `LIMIT`."""
    stretch_rate: float | None = None
    """And so many times the messages a second of `LIMIT`."""
    body_size: int = 100
    is_filled: bool = False
    """Whether the messages are in the queue when it begins."""
    has_properties: bool = False
    """Whether those have 4 properties and 2 headers."""
    compared_with: str = ""
    """The workload of the others that it is compared with, if it is ammoo's alone."""
    is_round_trip: bool = False
    """Whether each message is waited for. Some clients poll, so they are given fewer."""


WORKLOADS: Final = (
    Workload("publish_fire", "publish, no confirms", 30_000, 0.5, 80, 0.35),
    Workload(
        "publish_confirm_each", "publish, confirm each", 2_000, 2.2, 4.5, 1.6, is_round_trip=True
    ),
    Workload("publish_confirm_gathered", "publish, 256 gathered", 10_240, 2.2, 14, 1.6),
    Workload(
        "publish_nowait",
        "the same, publish_nowait",
        10_240,
        1.5,
        20,
        1.0,
        compared_with="publish_confirm_gathered",
    ),
    Workload("publish_properties_gathered", "gathered, 6 properties", 10_240, 2.6, 11, 2.0),
    Workload("consume_ack", "consume, ack each", 20_000, 1.1, 24, 0.75, 1.3, is_filled=True),
    Workload(
        "consume_ack_properties",
        "the same, properties read",
        20_000,
        1.3,
        18,
        0.85,
        is_filled=True,
        has_properties=True,
    ),
    Workload("consume_no_ack", "consume, no_ack", 20_000, 2.0, 25, 1.5, is_filled=True),
    Workload("get_loop", "get, no_ack", 2_000, 2.7, 6, 2.0, is_filled=True, is_round_trip=True),
    Workload("rpc", "RPC, direct reply-to", 2_000, 3.0, 5, 2.2, is_round_trip=True),
    Workload("publish_large", "publish 1 MiB, confirm", 100, 1.8, 2.8, 1.0, body_size=LARGE),
    Workload(
        "consume_large", "consume 1 MiB, ack", 100, 1.5, 2.8, 1.0, body_size=LARGE, is_filled=True
    ),
    Workload("connect", "connect, channel, close", 60, 3.0, 2.7, is_round_trip=True),
)
