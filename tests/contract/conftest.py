"""Brokers for the parts of the contract that can only be seen on one."""

from tests.client.brokers import (
    broker_channel,
    broker_connection,
    broker_url,
    name,
    parametrise_broker,
)

__all__ = ["broker_channel", "broker_connection", "broker_url", "name"]

pytest_generate_tests = parametrise_broker
