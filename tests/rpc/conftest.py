"""Brokers, and scripted servers, for requests and replies."""

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
