"""The brokers that tests run on: each profile of the fake, and every RabbitMQ that was named.

A test that asks for `broker` (or for anything made of it) runs once for each profile of the fake
broker and once for each RabbitMQ that was named with ``--rabbitmq``. Where releases of RabbitMQ
differ, a test carries the mark `rabbitmq_version` with the releases that it is for (">=4.0"), or
looks the difference up with ``broker.value_on``. What needs somebody with power over the broker, or its certificates, runs on
the fakes and on brokers of `.ci/rabbitmq`. There is no other reason for a test not to run on one.

The fixtures are for conftests to import, `parametrise` is their `pytest_generate_tests`.
"""

import fcntl
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_wire import ExchangeDeclareParameters
from tests.conftest import RABBITMQ_URLS
from tests.support.brokers import Broker, add_users
from tests.support.operator import FakeOperator, Operator, RabbitmqOperator, is_operated
from tests.support.peer import Peer, ServerClosedChannel, ServerClosedConnection
from tests.support.releases import FAKE_RELEASES, is_among, release_of

__all__ = [
    "Leg",
    "MortalBroker",
    "broker",
    "fake_limits",
    "legs_of",
    "mortal_broker",
    "operator",
    "parametrise",
    "parametrise_on",
]

PLUGINS = ("rabbitmq_consistent_hash_exchange", "rabbitmq_delayed_message_exchange")
NEED_OPERATION = {"faults", "mortal_broker", "operator", "tls_broker"}
"""Fixtures that only a broker can give that we have power over."""


MAY_SHUT_DOWN = "AMMOO_TEST_SHUTDOWN"
"""The variable that says, if it is 1, that nobody else needs the RabbitMQs that are named."""


class Leg(NamedTuple):
    """A broker before it is started, or as it was named.

    Attributes:
        name: What it is called in the names of tests.
        version: The release, such as "4.0".
        url: Where it listens; None for a fake.
    """

    name: str
    version: str
    url: str | None


_LEGS = pytest.StashKey[list[Leg]]()


def parametrise(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a broker once for each."""
    parametrise_on(metafunc, legs_of(metafunc.config))


def parametrise_on(metafunc: pytest.Metafunc, legs: list[Leg]) -> None:
    """Run what asks for a broker once for each of these that suits its marks and fixtures."""
    asked_for = [
        name for name in ("broker", "mortal_broker", "tls_broker") if name in metafunc.fixturenames
    ]
    if not asked_for:
        return
    mark = metafunc.definition.get_closest_marker("rabbitmq_version")
    if mark is not None:
        legs = [leg for leg in legs if is_among(leg.version, *mark.args)]
    exchange_type = metafunc.definition.get_closest_marker("exchange_type")
    if exchange_type is not None:
        legs = [leg for leg in legs if leg.url is None or _has_type(leg.url, *exchange_type.args)]
    if NEED_OPERATION & set(metafunc.fixturenames):
        legs = [leg for leg in legs if leg.url is None or is_operated(leg.version, leg.url)]
    if "mortal_broker" in asked_for and os.environ.get(MAY_SHUT_DOWN) != "1":
        legs = [leg for leg in legs if leg.url is None]
    each = [[leg] * len(asked_for) for leg in legs]
    metafunc.parametrize(asked_for, each, indirect=True, ids=[leg.name for leg in legs])


@cache
def _has_type(url: str, exchange_type: str) -> bool:
    """Return whether a RabbitMQ has a type of exchanges: whether its plugin is enabled."""
    name = f"ammoo.{uuid.uuid4().hex[:8]}"
    with Peer.connect(url) as peer:
        declared = ExchangeDeclareParameters(
            name, exchange_type, arguments={"x-delayed-type": "fanout"}
        )
        try:
            channel = peer.channel()
            channel.call(declared)
            channel.delete_exchange(name)
        except (ServerClosedChannel, ServerClosedConnection):
            return False
        peer.close()
    return True


def legs_of(config: pytest.Config) -> list[Leg]:
    """Return all brokers of this run: a fake of each release, and the RabbitMQs named."""
    legs = config.stash.get(_LEGS, None)
    if legs is None:
        fakes = [Leg(f"fake-{version}", version, None) for version in FAKE_RELEASES]
        legs = fakes + [_rabbitmq_leg(url) for url in config.stash[RABBITMQ_URLS]]
        config.stash[_LEGS] = legs
    return legs


def _rabbitmq_leg(url: str) -> Leg:
    try:
        with Peer.connect(url) as peer:
            assert peer.start is not None
            version: str = peer.start.server_properties["version"]
            peer.close()
    except (OSError, AssertionError) as error:
        raise pytest.UsageError(f"no RabbitMQ answers at a URL given: {error}") from error
    return Leg(f"rabbitmq-{version}", release_of(version), url)


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker; a fake one is fresh."""
    leg: Leg = request.param
    if leg.url is not None:
        yield Broker(leg.url, leg.version, None)
        return
    with FakeBroker(compatibility=leg.version, **fake_limits(request)) as fake:
        add_users(fake)
        yield Broker(fake.url, leg.version, fake)


def fake_limits(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of a fake broker that a test asks for, by marks.

    They are the limits in the mark `fake_limits`, and the plugins for the mark `exchange_type`.
    """
    mark = request.node.get_closest_marker("fake_limits")
    options = {} if mark is None else dict(mark.kwargs)
    if request.node.get_closest_marker("exchange_type") is not None:
        options["plugins"] = PLUGINS
    return options


class MortalBroker(NamedTuple):
    """A broker that a test may shut down."""

    url: str
    shut_down: Callable[[], None]


@pytest.fixture
def mortal_broker(request: pytest.FixtureRequest) -> Iterator[MortalBroker]:
    """A broker that nobody else needs for now; a RabbitMQ runs again in the end."""
    leg: Leg = request.param
    if leg.url is not None:
        rabbitmq_operator = RabbitmqOperator(leg.version)
        yield MortalBroker(leg.url, rabbitmq_operator.stop_node)
        rabbitmq_operator.start_node()
        return
    with ExitStack() as stack:
        fake = stack.enter_context(FakeBroker(compatibility=leg.version))
        yield MortalBroker(fake.url, stack.close)


@pytest.fixture
def operator(broker: Broker) -> Iterator[Operator]:
    """Somebody with power over the broker; an alarm that a test leaves behind is ended.

    One at a time has it over a RabbitMQ, whichever process of this machine the test runs in: what
    one of them ends may be the alarm that another one waits for.
    """
    if broker.fake is not None:
        yield FakeOperator(broker.fake)
        return
    port = urlsplit(broker.url).port
    with Path(tempfile.gettempdir(), f"ammoo-operator-{port}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rabbitmq_operator = RabbitmqOperator(broker.version)
        yield rabbitmq_operator
        rabbitmq_operator.clear_alarm()
