"""A broker for tests that answers as RabbitMQ does, in your process and in pure Python.

    with FakeBroker() as broker:            # in a thread
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))

    async with FakeBroker() as broker:      # in the running event loop
        async with ammoo.connect(broker.url) as connection:
            ...

Under pytest, the fixture ``fakebroker`` is a new broker for each test.

The names below are loaded when they are first used, because pytest imports this package at every
start in an environment that has it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .broker import FakeBroker
    from .broker_snapshots import BrokerSnapshot
    from .clocks.clock import ManualClock
    from .clocks.virtual_time import VirtualTimeLoop
    from .faults.confirms import HeldConfirms
    from .faults.connections import HeldOctets
    from .faults.deliveries import HeldDeliveries
    from .faults.fault import Fault
    from .faults.faults import Faults
    from .faults.strikes import Strike
    from .history.criteria import exactly
    from .history.events import Event
    from .history.message_life import Life
    from .history.queries import Events, HistoryLost
    from .interruptions import Alarm
    from .responders import Responder
    from .snapshots import ConnectionSnapshot, ExchangeSnapshot, MessageSnapshot, QueueSnapshot
    from .state_queries import Look
    from .testing.test_case import FakeBrokerTestCase

__all__ = [
    "Alarm",
    "BrokerSnapshot",
    "ConnectionSnapshot",
    "Event",
    "Events",
    "ExchangeSnapshot",
    "FakeBroker",
    "FakeBrokerTestCase",
    "Fault",
    "Faults",
    "HeldConfirms",
    "HeldDeliveries",
    "HeldOctets",
    "HistoryLost",
    "Life",
    "Look",
    "ManualClock",
    "MessageSnapshot",
    "QueueSnapshot",
    "Responder",
    "Strike",
    "VirtualTimeLoop",
    "__version__",
    "exactly",
]

__version__ = "1.0.0"

_HOMES = {
    "Alarm": "interruptions",
    "BrokerSnapshot": "broker_snapshots",
    "ConnectionSnapshot": "snapshots",
    "Event": "history.events",
    "Events": "history.queries",
    "ExchangeSnapshot": "snapshots",
    "FakeBroker": "broker",
    "FakeBrokerTestCase": "testing.test_case",
    "Fault": "faults.fault",
    "Faults": "faults.faults",
    "HeldConfirms": "faults.confirms",
    "HeldDeliveries": "faults.deliveries",
    "HeldOctets": "faults.connections",
    "HistoryLost": "history.queries",
    "Life": "history.message_life",
    "Look": "state_queries",
    "ManualClock": "clocks.clock",
    "MessageSnapshot": "snapshots",
    "QueueSnapshot": "snapshots",
    "Responder": "responders",
    "Strike": "faults.strikes",
    "VirtualTimeLoop": "clocks.virtual_time",
    "exactly": "history.criteria",
}
"""The module of each name."""


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
