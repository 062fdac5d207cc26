"""A broker behind a network that tests cut, and connections through it that recover."""

import os
from collections.abc import AsyncIterator

import pytest

import ammoo
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name, broker_channel, broker_connection, broker_url, name
from tests.client.script import ScriptedServer
from tests.recovery.network import Network
from tests.recovery.until import AT_ONCE
from tests.support.broker_matrix import broker, operator, parametrise

__all__ = ["broker", "broker_channel", "broker_connection", "broker_url", "name", "operator"]

pytest_generate_tests = parametrise

# These start RabbitMQs of their own; two of them kill them, as often as the variable says.
collect_ignore = (
    []
    if "AMMOO_TEST_KILLS" in os.environ
    else ["test_killed.py", "test_cluster.py", "test_ten_thousand.py"]
)


@pytest.fixture
async def network(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    """What lies between the client and a broker.

    A RabbitMQ on a busy machine may take longer than recovery waits before it goes on without an
    entity: for the exclusive queues of a lost connection to be deleted, or for one answer while it
    gives others. `test_losses` is about these limits.
    """
    monkeypatch.setattr("ammoo.recovery.restoring.locked_pauses.LOCKED_PATIENCE", 30.0)
    monkeypatch.setattr("ammoo.recovery.restoring.topology_replay.STUCK_AFTER", 30.0)
    monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 30.0)
    async with Network(broker_url) as network:
        yield network


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that does what the test says."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def connection(network: Network, name: Name) -> AsyncIterator[ammoo.Connection]:
    """A connection that recovers without delay; closed before what it declared is deleted."""
    async with await ammoo.connect(network.url, recovery=AT_ONCE) as connection:
        yield connection


@pytest.fixture
def events(connection: ammoo.Connection) -> EventListener:
    """What happens to that connection."""
    return connection.events()


@pytest.fixture
async def channel(connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """Its first channel."""
    async with connection.channel() as channel:
        yield channel
