"""Brokers, and scripted servers, for what consumes in the caller's place."""

import os

from tests.client.conftest import (
    broker,
    broker_channel,
    broker_connection,
    broker_url,
    channel,
    connection,
    name,
    operator,
    peer,
    pytest_generate_tests,
    server,
)

__all__ = [
    "broker",
    "broker_channel",
    "broker_connection",
    "broker_url",
    "channel",
    "connection",
    "name",
    "operator",
    "peer",
    "pytest_generate_tests",
    "server",
]

# It starts a RabbitMQ of its own, and kills it as often as the variable says.
collect_ignore = [] if "AMMOO_TEST_KILLS" in os.environ else ["test_killed_workers.py"]
