"""An asyncio client for RabbitMQ and other servers of AMQP 0-9-1.

::

    import ammoo

    async with ammoo.connect("amqp://localhost/") as connection:
        async with connection.channel() as channel:
            await channel.publish("", "my_queue", "text body")

`connect` returns a `Connection`, whose method `channel` returns a `Channel`, which has all other
operations. Exceptions are in `ammoo.exceptions`, login mechanisms in `ammoo.auth`.
"""

from typing import TYPE_CHECKING

from . import auth, exceptions
from .channel import Channel
from .connecting import connect
from .connection import Connection
from .consumer import Consumer
from .credentials import Credentials
from .exceptions.channel import ChannelClosed, EmptyQueue
from .exceptions.connection import ConnectionClosed
from .instrumentation import Hooks
from .messages import DeliverMessage, ExpectedMessage, GetMessage, Message, ReturnMessage
from .recovery import Recovery
from .version import __version__

if TYPE_CHECKING:
    from .publisher import Confirmation, Publisher
    from .rpc.caller import Rpc
    from .rpc.server import RpcServer
    from .workers.batches import Batch
    from .workers.signals import drain_on_signals

__all__ = [
    "Batch",
    "Channel",
    "ChannelClosed",
    "Confirmation",
    "Connection",
    "ConnectionClosed",
    "Consumer",
    "Credentials",
    "DeliverMessage",
    "EmptyQueue",
    "ExpectedMessage",
    "GetMessage",
    "Hooks",
    "Message",
    "Publisher",
    "Recovery",
    "ReturnMessage",
    "Rpc",
    "RpcServer",
    "__version__",
    "auth",
    "connect",
    "drain_on_signals",
    "exceptions",
]


def __getattr__(name: str) -> object:
    """Import a name that most programs do not use, when it is first used (3 ms in all).

    Raises:
        AttributeError: There is no such name.
    """
    found: object
    if name == "Publisher":
        from .publisher import Publisher as found
    elif name == "Confirmation":
        from .publisher import Confirmation as found
    elif name == "Rpc":
        from .rpc.caller import Rpc as found
    elif name == "RpcServer":
        from .rpc.server import RpcServer as found
    elif name == "Batch":
        from .workers.batches import Batch as found
    elif name == "drain_on_signals":
        from .workers.signals import drain_on_signals as found
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
