"""The brokers that every behaviour is stated for, and the peers that talk to them.

A test that asks for `broker` (or for anything made of it) runs once for each profile of the fake
broker and once for each RabbitMQ that was named with ``--rabbitmq``. Where versions of RabbitMQ
differ, a test carries the mark `rabbitmq_version`, or looks the difference up by
``broker.version``; there is no other reason for a test not to run on a broker.
"""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from ammoo_fakebroker import FakeBroker
from tests.conftest import RABBITMQ_URLS
from tests.support.brokers import Broker, Connect, Unique, add_users
from tests.support.channel import Channel
from tests.support.operator import FakeOperator, Operator, RabbitmqOperator, is_operated
from tests.support.peer import Peer

FAKE_PROFILES = ("4.0", "3.10")


class _Leg(NamedTuple):
    name: str
    version: str
    url: str | None


def _legs(config: pytest.Config) -> list[_Leg]:
    legs = config.stash.get(_LEGS, None)
    if legs is None:
        fakes = [_Leg(f"fake-{version}", version, None) for version in FAKE_PROFILES]
        legs = fakes + [_rabbitmq_leg(url) for url in config.stash[RABBITMQ_URLS]]
        config.stash[_LEGS] = legs
    return legs


_LEGS = pytest.StashKey[list[_Leg]]()


def _rabbitmq_leg(url: str) -> _Leg:
    try:
        with Peer.connect(url) as peer:
            assert peer.start is not None
            version: str = peer.start.server_properties["version"]
            peer.close()
    except (OSError, AssertionError) as error:
        raise pytest.UsageError(f"no RabbitMQ answers at a URL given: {error}") from error
    return _Leg(f"rabbitmq-{version}", ".".join(version.split(".")[:2]), url)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "broker" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("rabbitmq_version")
    legs = [leg for leg in _legs(metafunc.config) if mark is None or leg.version in mark.args]
    if "operator" in metafunc.fixturenames:
        legs = [leg for leg in legs if leg.url is None or is_operated(leg.version, leg.url)]
    metafunc.parametrize("broker", legs, indirect=True, ids=[leg.name for leg in legs])


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker; a fake one is fresh."""
    leg: _Leg = request.param
    if leg.url is not None:
        yield Broker(leg.url, leg.version, None)
        return
    with FakeBroker(compatibility=leg.version) as fake:
        add_users(fake)
        yield Broker(fake.url, leg.version, fake)


@pytest.fixture
def operator(broker: Broker) -> Iterator[Operator]:
    """Somebody with power over the broker; an alarm that a test leaves behind is ended."""
    if broker.fake is not None:
        yield FakeOperator(broker.fake)
        return
    rabbitmq_operator = RabbitmqOperator(broker.version)
    yield rabbitmq_operator
    rabbitmq_operator.clear_alarm()


@pytest.fixture
def unique(broker: Broker) -> Iterator[Unique]:
    """Make names that nobody else uses; queues and exchanges so named are deleted in the end."""
    stem = uuid.uuid4().hex[:8]
    names: list[str] = []

    def make(label: str) -> str:
        names.append(f"{stem}.{label}")
        return names[-1]

    yield make
    if names and broker.fake is None:
        _delete(broker, names)


def _delete(broker: Broker, names: list[str]) -> None:
    with Peer.connect(broker.url) as peer:
        channel = peer.channel()
        for name in names:
            channel.delete_queue(name)
            channel.delete_exchange(name)
        peer.close()


@pytest.fixture
def connect(broker: Broker, unique: object) -> Iterator[Connect]:
    """Open connections (see `Peer.connect`); those that a test leaves open are closed."""
    with ExitStack() as stack:

        def make(url: str | None = None, **keywords: Any) -> Peer:
            peer = Peer.connect(url or broker.url, **keywords)
            stack.callback(_close, peer)
            return peer

        yield make


def _close(peer: Peer) -> None:
    if not peer.is_dropped:
        peer.close()


@pytest.fixture
def dial(broker: Broker) -> Iterator[Connect]:
    """Open sockets, and leave everything behind that to the test."""
    with ExitStack() as stack:

        def make(url: str | None = None, **keywords: Any) -> Peer:
            return stack.enter_context(Peer(url or broker.url, **keywords))

        yield make


@pytest.fixture
def peer(connect: Connect) -> Peer:
    """An open connection."""
    return connect()


@pytest.fixture
def channel(peer: Peer) -> Channel:
    """Channel 1 of an open connection."""
    return peer.channel()


@pytest.fixture
def queue(channel: Channel, unique: Unique) -> str:
    """The name of a queue that has just been declared, without anything special."""
    return channel.declare_queue(unique("queue"))
