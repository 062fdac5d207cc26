"""Class queue (50): declaring, binding, purging and deleting queues."""

from ...fields import EMPTY_TABLE, Bit, Long, ShortStr, Table
from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = [
    "QueueBindOkParameters",
    "QueueBindParameters",
    "QueueDeclareOkParameters",
    "QueueDeclareParameters",
    "QueueDeleteOkParameters",
    "QueueDeleteParameters",
    "QueuePurgeOkParameters",
    "QueuePurgeParameters",
    "QueueUnbindOkParameters",
    "QueueUnbindParameters",
]


@method(50, 10, reserved_short=True, replies=("queue.declare-ok",))
class QueueDeclareParameters(LightNamedTuple):
    """Create a queue, or check that one like it exists."""

    queue_name: ShortStr = ""
    """The name; the server makes one up if it is empty."""
    passive: Bit = False
    """Whether only to check that the queue exists."""
    durable: Bit = False
    """Whether it outlives a restart of the server."""
    exclusive: Bit = False
    """Whether it is for this connection alone, and deleted with it."""
    auto_delete: Bit = False
    """Whether it is deleted with its last consumer."""
    no_wait: Bit = False
    """Whether the server sends no answer."""
    arguments: Table = EMPTY_TABLE


@method(50, 11)
class QueueDeclareOkParameters(LightNamedTuple):
    """The queue exists."""

    queue_name: ShortStr
    """The name, which the server made up if it was not given."""
    message_count: Long
    """Messages that are ready to be delivered."""
    consumer_count: Long


@method(50, 20, reserved_short=True, replies=("queue.bind-ok",))
class QueueBindParameters(LightNamedTuple):
    """Bind a queue to an exchange."""

    queue_name: ShortStr = ""
    exchange_name: ShortStr = ""
    routing_key: ShortStr = ""
    no_wait: Bit = False
    """Whether the server sends no answer."""
    arguments: Table = EMPTY_TABLE


@method(50, 21)
class QueueBindOkParameters(LightNamedTuple):
    """The binding exists."""


@method(50, 30, reserved_short=True, replies=("queue.purge-ok",))
class QueuePurgeParameters(LightNamedTuple):
    """Drop the messages that are ready in a queue."""

    queue_name: ShortStr = ""
    no_wait: Bit = False
    """Whether the server sends no answer."""


@method(50, 31)
class QueuePurgeOkParameters(LightNamedTuple):
    """The queue was purged."""

    message_count: Long
    """Messages that were dropped."""


@method(50, 40, reserved_short=True, replies=("queue.delete-ok",))
class QueueDeleteParameters(LightNamedTuple):
    """Delete a queue."""

    queue_name: ShortStr = ""
    if_unused: Bit = False
    """Whether to delete it only if it has no consumers."""
    if_empty: Bit = False
    """Whether to delete it only if it is empty."""
    no_wait: Bit = False
    """Whether the server sends no answer."""


@method(50, 41)
class QueueDeleteOkParameters(LightNamedTuple):
    """The queue does not exist any more."""

    message_count: Long
    """Messages that were dropped with it."""


@method(50, 50, reserved_short=True, replies=("queue.unbind-ok",))
class QueueUnbindParameters(LightNamedTuple):
    """Remove a binding of a queue."""

    queue_name: ShortStr = ""
    exchange_name: ShortStr = ""
    routing_key: ShortStr = ""
    arguments: Table = EMPTY_TABLE


@method(50, 51)
class QueueUnbindOkParameters(LightNamedTuple):
    """The binding does not exist any more."""
