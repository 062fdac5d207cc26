"""Brokers for the parts of the contract that can only be seen on one."""

from tests.client.brokers import broker_channel, broker_connection, broker_url, name
from tests.support.certified import tls_broker
from tests.support.legs import broker, operator, parametrise

__all__ = [
    "broker",
    "broker_channel",
    "broker_connection",
    "broker_url",
    "name",
    "operator",
    "tls_broker",
]

pytest_generate_tests = parametrise
