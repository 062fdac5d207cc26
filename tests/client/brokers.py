"""Fixtures that give a connection to a broker: the fake in both profiles, and real RabbitMQs.

Real ones are named with ``--rabbitmq``, as for tests/behaviour. Names of queues and exchanges are
made unique, and what was declared under them is deleted in the end.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

import ammoo
from tests.conftest import RABBITMQ_URLS

__all__ = ["broker_channel", "broker_connection", "broker_url", "name", "parametrise_broker"]

Name = Callable[[str], str]
"""Makes a name that nobody else uses out of a label."""


def parametrise_broker(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `broker_url` once for each broker."""
    if "broker_url" in metafunc.fixturenames:
        legs = ["fake-4.0", "fake-3.10", *metafunc.config.stash[RABBITMQ_URLS]]
        ids = [leg.rpartition("@")[2] for leg in legs]
        metafunc.parametrize("broker_url", legs, indirect=True, ids=ids)


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a broker listens."""
    leg: str = request.param
    if not leg.startswith("fake-"):
        yield leg
        return
    from ammoo_fakebroker import FakeBroker

    with FakeBroker(compatibility=leg.removeprefix("fake-")) as broker:
        yield broker.url


@pytest.fixture
async def broker_connection(broker_url: str) -> AsyncIterator[ammoo.Connection]:
    """A connection to a broker."""
    async with asyncio.timeout(50), await ammoo.connect(broker_url) as connection:
        yield connection


@pytest.fixture
async def broker_channel(broker_connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """A channel on a broker."""
    async with broker_connection.channel() as channel:
        yield channel


@pytest.fixture
async def name(broker_url: str) -> AsyncIterator[Name]:
    """Make names; queues and exchanges that got one are deleted in the end."""
    stem = uuid.uuid4().hex[:8]
    names: list[str] = []

    def make(label: str) -> str:
        names.append(f"{stem}.{label}")
        return names[-1]

    yield make
    async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
        for each in names:
            await channel.delete_queue(each)
            await channel.delete_exchange(each)
