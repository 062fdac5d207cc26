"""The ladder takes an hour and eleven minutes, and its tests milliseconds."""

from collections.abc import Callable, Iterator

import pika
import pytest
import retry_ladder
from pika.adapters.blocking_connection import BlockingChannel

from ammoo_fakebroker import FakeBroker, ManualClock


class Handler:
    """Fails some times, and records when it was called."""

    def __init__(self, clock: ManualClock, failures: int) -> None:
        self.times: list[float] = []
        self._clock = clock
        self._failures = failures

    def __call__(self, body: bytes) -> None:
        self.times.append(self._clock.time())
        if len(self.times) <= self._failures:
            raise OSError("the mail server does not answer")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def broker(clock: ManualClock, make_fakebroker: Callable[..., FakeBroker]) -> FakeBroker:
    return make_fakebroker(clock=clock)


@pytest.fixture
def channel(broker: FakeBroker) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        retry_ladder.declare(channel)
        channel.basic_publish("", retry_ladder.JOBS, b"mail 1")
        yield channel


def test_job_is_tried_again_after_1_and_10_and_60_minutes(
    broker: FakeBroker, clock: ManualClock, channel: BlockingChannel
) -> None:
    handler = Handler(clock, failures=3)

    with broker.auto_advance(limit=7200) as advance:
        retry_ladder.work(channel, handler, deliveries=4)

    assert [0, 60, 660, 4260] == handler.times
    assert 4260 == advance.moved


def test_job_that_fails_a_fourth_time_is_parked(
    broker: FakeBroker, clock: ManualClock, channel: BlockingChannel
) -> None:
    with broker.auto_advance(limit=7200):
        retry_ladder.work(channel, Handler(clock, failures=4), deliveries=4)

    (parked,) = broker.messages(retry_ladder.PARKED)
    assert (b"mail 1", {"failures": 4}) == (parked.body, parked.properties.headers)


def test_job_that_succeeds_is_not_tried_again(
    broker: FakeBroker, clock: ManualClock, channel: BlockingChannel
) -> None:
    handler = Handler(clock, failures=0)

    with broker.auto_advance() as advance:
        retry_ladder.work(channel, handler, deliveries=1)

    assert [0] == handler.times
    assert 0 == advance.moved
