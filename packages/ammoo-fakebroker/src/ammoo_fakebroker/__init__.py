"""A broker for tests that answers as RabbitMQ does, in your process and in pure Python.

    async with FakeBroker() as broker:      # in the running event loop
        connection = await connect(broker.url)

    with FakeBroker() as broker:            # in a thread of its own
        connection = pika.BlockingConnection(pika.URLParameters(broker.url))

Under pytest, the fixture ``fakebroker`` is a new broker for each test.

The names below are loaded when they are first used, because pytest imports this package at every
start in an environment that has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .broker import FakeBroker
    from .clock import ManualClock
    from .snapshots import ConnectionSnapshot, ExchangeSnapshot, MessageSnapshot, QueueSnapshot
    from .virtual_time import VirtualTimeLoop

__all__ = [
    "ConnectionSnapshot",
    "ExchangeSnapshot",
    "FakeBroker",
    "ManualClock",
    "MessageSnapshot",
    "QueueSnapshot",
    "VirtualTimeLoop",
    "__version__",
]

__version__ = "1.0.0"


def __getattr__(name: str) -> object:
    if name == "ManualClock":
        from . import clock as module
    elif name == "FakeBroker":
        from . import broker as module  # type: ignore[no-redef]  # one name for each module
    elif name == "VirtualTimeLoop":
        from . import virtual_time as module  # type: ignore[no-redef]  # as above
    elif name in __all__:
        from . import snapshots as module  # type: ignore[no-redef]  # as above
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
