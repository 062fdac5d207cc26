"""The brokers that other clients are tried on: the fake in both profiles, and real RabbitMQs.

A test that asks for `url` does nothing but what a client can do, so that RabbitMQ can be the judge
of it: name one that `.ci/rabbitmq` started, and the test runs there too, in a virtual host of its
own::

    pytest tests/interop --rabbitmq "$(.ci/rabbitmq url 4.0)"

A test that arranges or looks at something asks for `fakebroker`.
"""

import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from ammoo_fakebroker import FakeBroker
from tests.conftest import RABBITMQ_URLS
from tests.support.operator import RabbitmqOperator, is_operated

VERSIONS = ("4.0", "3.10")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "url" in metafunc.fixturenames:
        legs = [(version, None) for version in VERSIONS] + _rabbitmq_legs(metafunc.config)
        ids = [f"{'rabbitmq' if url else 'fake'}-{version}" for version, url in legs]
        metafunc.parametrize("url", legs, indirect=True, ids=ids)


def _rabbitmq_legs(config: pytest.Config) -> list[tuple[str, str | None]]:
    urls = config.stash[RABBITMQ_URLS]
    return [(version, url) for url in urls for version in VERSIONS if is_operated(version, url)]


@pytest.fixture
def url(
    request: pytest.FixtureRequest, make_fakebroker: Callable[..., FakeBroker]
) -> Iterator[str]:
    """Where a broker listens that has nothing in it yet."""
    version, rabbitmq = request.param
    if rabbitmq is None:
        yield make_fakebroker(compatibility=version).url
        return
    operator = RabbitmqOperator(version)
    virtualhost = f"ammoo-interop-{uuid.uuid4().hex[:8]}"
    operator.add_virtualhost(virtualhost, user=urlsplit(rabbitmq).username or "guest")
    yield f"{rabbitmq.rstrip('/')}/{virtualhost}"
    operator.delete_virtualhost(virtualhost)
