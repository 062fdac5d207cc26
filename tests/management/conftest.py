"""The management interfaces of brokers: each profile of the fake, and every RabbitMQ that has one."""

import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika  # type: ignore[import-untyped]  # it has no types
import pytest

from ammoo_fakebroker import FakeBroker
from tests.support.broker_matrix import Leg, legs_of, parametrise_on
from tests.support.brokers import Broker
from tests.support.management_api import ManagementApi, segment
from tests.support.operator import is_operated


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on the fakes, and on those RabbitMQs that have a management interface."""
    legs = legs_of(metafunc.config)
    parametrise_on(metafunc, [leg for leg in legs if leg.url is None or has_management(leg)])


@cache
def has_management(leg: Leg) -> bool:
    """Return whether a RabbitMQ has its management interface; those of `.ci/rabbitmq` must."""
    assert leg.url is not None
    try:
        api_of_rabbitmq(leg.url).get("whoami")
    except OSError as error:
        if is_operated(leg.version, leg.url):
            message = f"the management interface of {leg.url} does not answer: {error}"
            raise pytest.UsageError(message) from error
        return False
    return True


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests of RabbitMQ's own tool where no RabbitMQ 3.10 is named to fetch it from."""
    if collection_path.name != "test_rabbitmqadmin.py":
        return None
    return not any(leg.url and leg.version == "3.10" for leg in legs_of(config)) or None


MANAGEMENT_PORTS_HIGHER = 10_000
"""How far above AMQP's the management port of a broker of `.ci/rabbitmq` is."""


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker; a fake one is fresh."""
    leg: Leg = request.param
    if leg.url is not None:
        yield Broker(leg.url, leg.version, None)
        return
    with FakeBroker(compatibility=leg.version, management_port=0) as fake:
        yield Broker(fake.url, leg.version, fake)


@pytest.fixture
def api(broker: Broker) -> ManagementApi:
    """The management API of the broker."""
    if broker.fake is not None:
        return ManagementApi(broker.fake.management_url)
    return api_of_rabbitmq(broker.url)


def api_of_rabbitmq(url: str) -> ManagementApi:
    """Return the management API of a RabbitMQ whose AMQP URL is known."""
    parts = urlsplit(url)
    assert parts.port is not None
    return ManagementApi(f"http://{parts.hostname}:{parts.port + MANAGEMENT_PORTS_HIGHER}")


@pytest.fixture
def virtualhost(api: ManagementApi) -> Iterator[str]:
    """A virtual host of the test's own, in which guest may do everything; ready for a path."""
    name = f"management/{uuid.uuid4().hex[:8]}"
    api.put(f"vhosts/{segment(name)}")
    yield segment(name)
    api.delete(f"vhosts/{segment(name)}")


@pytest.fixture
def user(api: ManagementApi) -> Iterator[str]:
    """A user of the test's own with the password secret, without tags and permissions."""
    name = f"management-{uuid.uuid4().hex[:8]}"
    api.put(f"users/{name}", {"password": "secret", "tags": ""})
    yield name
    api.delete(f"users/{name}")


@pytest.fixture
def connection(broker: Broker, virtualhost: str) -> Iterator[pika.BlockingConnection]:
    """A client's connection to the virtual host."""
    parameters = pika.URLParameters(broker.url_in(virtualhost))
    properties: dict[str, Any] = {"connection_name": "worker"}
    parameters.client_properties = properties
    connection = pika.BlockingConnection(parameters)
    yield connection
    if connection.is_open:
        connection.close()
