"""Servers for the client's tests: scripted ones, and brokers, fake and real."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import ammoo
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.conftest import RABBITMQ_URLS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `broker_url` on the fake in both profiles, and on RabbitMQs that are given."""
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
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that does what the test says."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def connection(server: ScriptedServer) -> AsyncIterator[ammoo.Connection]:
    """A connection to it, with nothing that is not usual."""
    async with await ammoo.connect(server.url) as connection:
        yield connection


@pytest.fixture
def peer(connection: ammoo.Connection, server: ScriptedServer) -> ScriptedPeer:
    """The server's end of that connection."""
    return server.peer


@pytest.fixture
async def channel(connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """Its first channel."""
    async with connection.channel() as channel:
        yield channel


@pytest.fixture
async def broker_connection(broker_url: str) -> AsyncIterator[ammoo.Connection]:
    """A connection to a broker."""
    async with await ammoo.connect(broker_url) as connection:
        yield connection


@pytest.fixture
async def broker_channel(broker_connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """A channel on a broker."""
    async with asyncio.timeout(50), broker_connection.channel() as channel:
        yield channel
