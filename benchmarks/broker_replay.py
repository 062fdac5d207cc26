"""What a message costs the fake broker, without a network: commands replayed into it in memory.

Octets in, routing, queue, octets out; `gate` and `fakebroker` run these. Nanoseconds of CPU a
message, as in `replay`.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import ammoo_wire as wire
from benchmarks.replay import MESSAGES, PER_READ, Case
from benchmarks.wired import Wire, frames, reads, wired

__all__ = ["CASES"]

PREFETCH: Final = 200
PUBLISH: Final = frames([wire.BasicPublishParameters("", "queue")], with_content=True)[0]


def timed(broker: Wire, chunks: list[bytes]) -> int:
    """Feed what was encoded; gives nanoseconds."""
    started = time.process_time_ns()
    for chunk in chunks:
        broker.feed(chunk)
    return time.process_time_ns() - started


async def publish(*, confirms: bool) -> int:
    """Publish to a queue."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        if confirms:
            broker.call(wire.ConfirmSelectParameters())
        return timed(broker, [PUBLISH * PER_READ] * (MESSAGES // PER_READ))


async def deliver(*, each_acked: int) -> int:
    """Deliver from a full queue, room being made by acks of so many messages each."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        for _ in range((MESSAGES + PREFETCH) // PER_READ):
            broker.feed(PUBLISH * PER_READ)
        broker.call(wire.BasicQosParameters(0, PREFETCH, False))
        broker.call(wire.BasicConsumeParameters("queue"))
        is_multiple = each_acked > 1
        tags = range(each_acked, MESSAGES + 1, each_acked)
        acks = frames([wire.BasicAckParameters(tag, is_multiple) for tag in tags])
        return timed(broker, acks if is_multiple else reads(acks))


async def pass_on() -> int:
    """Publish to a consumer that takes everything."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        broker.call(wire.BasicConsumeParameters("queue", no_ack=True))
        return timed(broker, [PUBLISH * PER_READ] * (MESSAGES // PER_READ))


async def get() -> int:
    """Get from a full queue, one request a read."""
    async with wired() as broker:
        broker.call(wire.QueueDeclareParameters("queue"))
        for _ in range(MESSAGES // PER_READ):
            broker.feed(PUBLISH * PER_READ)
        return timed(broker, frames([wire.BasicGetParameters("queue", True)]) * MESSAGES)


def in_loop(measured: Callable[[], Coroutine[Any, Any, int]]) -> Callable[[], int]:
    """Make a run of a coroutine that measures itself."""
    return lambda: asyncio.run(measured())


CASES: Final = [
    Case("broker: publish, no confirms", None, in_loop(lambda: publish(confirms=False))),
    Case("broker: publish, 50 confirmed at once", None, in_loop(lambda: publish(confirms=True))),
    Case("broker: deliver and take an ack", None, in_loop(lambda: deliver(each_acked=1))),
    Case("broker: the same, 20 acked at once", None, in_loop(lambda: deliver(each_acked=20))),
    Case("broker: publish to a consumer, no_ack", None, in_loop(pass_on)),
    Case("broker: get, no_ack", None, in_loop(get)),
]
"""What the broker does all day."""
