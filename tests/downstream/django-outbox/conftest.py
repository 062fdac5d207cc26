"""Settings that Django reads when it is imported, replaced for each test."""

import pytest


@pytest.fixture
def broker(fakebroker, settings):
    """A broker that the settings point to."""
    settings.AMQP_URL = f"{fakebroker.url}?connection_attempts=1"
    fakebroker.declare_queue("orders", durable=True)
    return fakebroker
