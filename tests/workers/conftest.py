"""Brokers, and scripted servers, for what consumes in the caller's place."""

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
