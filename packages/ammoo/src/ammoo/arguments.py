"""Named arguments of declarations, bindings and consumers, as the x-arguments they stand for.

RabbitMQ's extensions travel in the ``arguments`` table of a method. Here their
documented names are mapped to the keys in that table. What the values may be is
the server's business: it is the one that knows its version.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Union

from ammoo_wire import FieldTable, FieldValue

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Arguments",
    "Overflow",
    "QueueType",
    "StreamOffset",
    "binding",
    "consume_arguments",
    "exchange_arguments",
    "queue_arguments",
]

Arguments = Mapping[str, FieldValue]
"""A table of arguments, as every method with one takes it beside the named ones."""

QueueType = Literal["classic", "quorum", "stream"]
Overflow = Literal["drop-head", "reject-publish", "reject-publish-dlx"]
# Not with a bar: `datetime` is not imported here, for that takes 1.7 ms.
StreamOffset = Union[Literal["first", "last", "next"], int, "datetime", str]
"""Where in a stream to begin: a place, an offset, a time, or an interval such as ``"1h"``."""

_QUEUE_KEYS = {
    "ttl": "x-message-ttl",
    "expires": "x-expires",
    "max_length": "x-max-length",
    "max_length_bytes": "x-max-length-bytes",
    "dead_letter_exchange": "x-dead-letter-exchange",
    "dead_letter_routing_key": "x-dead-letter-routing-key",
    "max_priority": "x-max-priority",
    "queue_type": "x-queue-type",
    "delivery_limit": "x-delivery-limit",
    "overflow": "x-overflow",
    "single_active_consumer": "x-single-active-consumer",
}


def queue_arguments(arguments: Arguments | None, **named: FieldValue) -> FieldTable:
    """Make the table for queue.declare.

    Args:
        arguments: The user's own table; the named ones are added to it.
        named: By the names of `Channel.declare_queue`; None for what is not asked for.

    Raises:
        ValueError: Something is given twice, with two values.
    """
    return _merge(
        arguments, {_QUEUE_KEYS[name]: value for name, value in named.items() if value is not None}
    )


def exchange_arguments(
    arguments: Arguments | None, alternate_exchange_name: str | None
) -> FieldTable:
    """Make the table for exchange.declare; see `queue_arguments`."""
    if alternate_exchange_name is None:
        return _merge(arguments, {})
    return _merge(arguments, {"alternate-exchange": alternate_exchange_name})


def consume_arguments(
    arguments: Arguments | None, priority: int | None, stream_offset: StreamOffset | None
) -> FieldTable:
    """Make the table for basic.consume; see `queue_arguments`."""
    named: FieldTable = {}
    if priority is not None:
        named["x-priority"] = priority
    if stream_offset is not None:
        named["x-stream-offset"] = stream_offset
    return _merge(arguments, named)


def binding(
    routing_key: str | Arguments, arguments: Arguments | None = None
) -> tuple[str, FieldTable]:
    """Make routing key and table of a binding.

    Args:
        routing_key: The key; or, for a headers exchange, the headers to match.
        arguments: The user's own table.

    Raises:
        TypeError: The key is neither a str nor a mapping.
    """
    if isinstance(routing_key, str):
        return routing_key, dict(arguments or {})
    if isinstance(routing_key, Mapping):
        return "", _merge(arguments, routing_key)
    raise TypeError(
        f"routing_key is {routing_key!r}; expected a str, or a mapping for a headers exchange"
    )


def _merge(arguments: Arguments | None, named: Arguments) -> FieldTable:
    merged = dict(arguments or {})
    for key, value in named.items():
        if merged.setdefault(key, value) != value:
            raise ValueError(
                f"{key!r} is {merged[key]!r} in arguments, and {value!r} by its own name"
            )
    return merged
