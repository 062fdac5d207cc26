"""Run a program on two brokers, step by step, and find where they differ.

The fake does each step first: it is quick and does everything in one go, so what it shows is what
RabbitMQ is awaited to show. RabbitMQ is looked at until it has shown the same; what it has not
shown in time, or shown beside it, is a divergence. RabbitMQ is right, then.

Some programs make RabbitMQ's processes race, and end one way or the other. A divergence therefore
counts only if the program diverges each time it is run.
"""

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from difflib import ndiff
from pprint import pformat
from typing import NamedTuple

from ammoo_wire import BasicGetParameters, ChannelCloseParameters, ConnectionCloseParameters

from .program import OPENED_CHANNELS, Call, HangUp, Program, Step, show
from .session import Observation, Session

PATIENCE = 1.0
"""Seconds that RabbitMQ is given to show what the fake has shown."""
REPETITIONS = 24
"""How often a program must diverge. RabbitMQ's processes race, and long programs have several races
in a row: six times were too few for one with a global prefetch limit, of which 3.10's channels hear
from a process of its own."""
LAST_CONNECTION = 8
"""The connection that looks at what is left in the queues after the program."""

_numbers = itertools.count()


class Divergence(AssertionError):
    """Two brokers that were told the same have shown different things."""


class Disagreement(NamedTuple):
    """Where two runs differed: the steps up to there, and what each broker showed."""

    steps: tuple[Step, ...]
    fake: Observation
    rabbitmq: Observation

    def __str__(self) -> str:
        steps = "\n".join(f"    {show(step)}," for step in self.steps)
        compared = ndiff(_lines(self.fake), _lines(self.rabbitmq))
        shown = "\n".join(line for line in compared if not line.startswith("?"))
        return f"program:\n{steps}\nafter it (- the fake, + RabbitMQ):\n{shown}"


def _lines(observation: Observation) -> list[str]:
    parts = {
        **{f"connection {c}, channel {n}": x for (c, n), x in observation.events.items()},
        **{f"confirms of {c}, {n}": x for (c, n), x in observation.settled.items()},
        "counts": observation.counts,
    }
    return pformat(parts, width=160, sort_dicts=False).splitlines()


def check(
    program: Program,
    fake_url: str,
    rabbitmq_url: str,
    *,
    other_fake_urls: Sequence[str] = (),
    patience: float = PATIENCE,
) -> int:
    """Run a program on both brokers until they agree.

    Args:
        program: What to run.
        fake_url: Where the fake broker listens.
        rabbitmq_url: Where the broker listens that is right.
        other_fake_urls: Where fakes listen whose choices are as good; the runs take turns on them.
        patience: Seconds that this one is given after each step.

    Returns:
        How many runs it took.

    Raises:
        Divergence: They never agreed.
    """
    fakes = itertools.cycle((fake_url, *other_fake_urls))
    for attempt, url in zip(range(1, REPETITIONS + 1), fakes, strict=False):
        disagreement = run(program, url, rabbitmq_url, patience)
        if disagreement is None:
            return attempt
    raise Divergence(str(disagreement))


def run(
    program: Program, fake_url: str, rabbitmq_url: str, patience: float = PATIENCE
) -> Disagreement | None:
    """Run a program on both brokers, up to its first step that shows different things."""
    prefix = f"{os.getpid():x}.{next(_numbers):x}."
    fake = Session(fake_url, prefix)
    rabbitmq = Session(rabbitmq_url, prefix)
    done: list[Step] = []
    try:
        for step in _one_channel_at_a_time(_with_the_end(program, fake), fake):
            done.append(step)
            fake.perform(step)
            expected = _settled(fake)
            rabbitmq.perform(step)
            observed = _awaited(rabbitmq, expected, patience)
            if observed != expected:
                return Disagreement(tuple(done), expected, observed)
            fake.end_step()
            rabbitmq.end_step()
    finally:
        fake.tidy_up()
        rabbitmq.tidy_up()
    return None


def _with_the_end(program: Program, session: Session) -> Iterator[Step]:
    """Close everything after a program, then fetch what is left in the queues.

    The channels go one by one: those of a connection that is closed end all at once in RabbitMQ,
    and what one gives back may or may not be delivered to another that is still there.
    """
    yield from program
    places = {(step.connection, getattr(step, "channel", 0)) for step in program}
    for connection, channel in sorted(places):
        if channel in OPENED_CHANNELS:
            yield Call(connection, channel, ChannelCloseParameters(200, "end of the program"))
    for connection in sorted({connection for connection, _ in places}):
        yield Call(connection, 0, ConnectionCloseParameters(200, "end of the program"))
    for queue_name, count in session.observe().counts.items():
        for _ in range(count[0] if isinstance(count, tuple) else 0):
            yield Call(LAST_CONNECTION, 1, BasicGetParameters(queue_name, no_ack=True))


def _one_channel_at_a_time(steps: Iterator[Step], session: Session) -> Iterator[Step]:
    """Close all channels of a connection but one before a step that will end it, or may.

    In RabbitMQ the channels of such a connection end at once, each as a process: whose messages
    are back first, and whether they are delivered to another one on the way, is a toss-up (seen
    4 to 4 on 3.10.8 and 4.0.5). Only a channel that is at fault itself ends before the others.
    """
    for step in steps:
        if isinstance(step, HangUp) or step.channel not in OPENED_CHANNELS:
            for channel in session.open_channels(step.connection)[1:]:
                yield Call(step.connection, channel, ChannelCloseParameters(200, "one by one"))
        yield step


def _settled(session: Session) -> Observation:
    """Look until nothing changes any more."""
    before = session.observe()
    while (after := session.observe()) != before:
        before = after
    return after


def _awaited(session: Session, expected: Observation, patience: float) -> Observation:
    """Look until there is to see what was expected, or for as long as we have patience."""
    deadline = time.monotonic() + patience
    while (observed := session.observe()) != expected:
        if time.monotonic() > deadline:
            break
    return observed
