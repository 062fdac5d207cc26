"""Brokers, a network that tests cut, and a scripted server, for what publishers do."""

import os
from collections.abc import AsyncIterator

import pytest

import ammoo
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name, broker_channel, broker_connection, broker_url, name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.recovery.network import Network
from tests.recovery.until import AT_ONCE
from tests.support.broker_matrix import broker, operator, parametrise

__all__ = ["broker", "broker_channel", "broker_connection", "broker_url", "name", "operator"]

pytest_generate_tests = parametrise

# It starts a RabbitMQ of its own, and kills it as often as the variable says.
collect_ignore = [] if "AMMOO_TEST_KILLS" in os.environ else ["test_killed_publisher.py"]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that does what the test says."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def scripted(server: ScriptedServer) -> AsyncIterator[ammoo.Channel]:
    """A channel on it, without recovery."""
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        yield channel


@pytest.fixture
def peer(scripted: ammoo.Channel, server: ScriptedServer) -> ScriptedPeer:
    """The server's end of its connection."""
    return server.peer


@pytest.fixture
async def network(broker_url: str) -> AsyncIterator[Network]:
    """What lies between the client and a broker."""
    async with Network(broker_url) as network:
        yield network


@pytest.fixture
async def connection(network: Network, name: Name) -> AsyncIterator[ammoo.Connection]:
    """A connection that recovers without delay."""
    async with await ammoo.connect(network.url, recovery=AT_ONCE) as connection:
        yield connection


@pytest.fixture
def events(connection: ammoo.Connection) -> EventListener:
    """What happens to that connection."""
    return connection.events()


@pytest.fixture
async def channel(connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """Its first channel, which is opened again when the server closes it."""
    async with connection.channel(reopen=True) as channel:
        yield channel
