"""An asyncio client for RabbitMQ and other servers of AMQP 0-9-1.

::

    import ammoo

    async with await ammoo.connect("amqp://localhost/") as connection:
        async with connection.channel() as channel:
            await channel.publish("", "my_queue", "text body")

`connect` gives a `Connection`, which gives a `Channel`, on which all else is done.
Exceptions are in `ammoo.exceptions`, ways to log in in `ammoo.auth`.
"""

from . import auth, exceptions
from .channel import Channel
from .connection import Connection, connect
from .consumer import Consumer
from .credentials import Credentials
from .exceptions.channel import ChannelClosed, EmptyQueue
from .exceptions.connection import ConnectionClosed
from .instrumentation import Hooks
from .messages import DeliverMessage, ExpectedMessage, GetMessage, Message, ReturnMessage
from .publisher import Confirmation, Publisher
from .recovery import Recovery
from .rpc.caller import Rpc
from .rpc.server import RpcServer
from .version import __version__
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
