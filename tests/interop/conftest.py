"""The brokers that other clients are tried on: each profile of the fake, and real RabbitMQs.

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
from tests.support.broker_matrix import Leg, legs_of
from tests.support.operator import RabbitmqOperator, is_operated


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "url" in metafunc.fixturenames:
        legs = [
            leg
            for leg in legs_of(metafunc.config)
            if leg.url is None or is_operated(leg.version, leg.url)
        ]
        metafunc.parametrize("url", legs, indirect=True, ids=[leg.name for leg in legs])


@pytest.fixture
def url(
    request: pytest.FixtureRequest, make_fakebroker: Callable[..., FakeBroker]
) -> Iterator[str]:
    """Where a broker listens that has nothing in it yet."""
    leg: Leg = request.param
    if leg.url is None:
        yield make_fakebroker(compatibility=leg.version).url
        return
    operator = RabbitmqOperator(leg.version)
    virtualhost = f"ammoo-interop-{uuid.uuid4().hex[:8]}"
    operator.add_virtualhost(virtualhost, user=urlsplit(leg.url).username or "guest")
    yield f"{leg.url.rstrip('/')}/{virtualhost}"
    operator.delete_virtualhost(virtualhost)
