"""Named arguments of declarations, bindings and consumers, as the x-arguments they stand for.

RabbitMQ's extensions are in the ``arguments`` table of a method. This module maps their documented
names to the keys in that table. The server decides which values are allowed, because this depends
on its version. This module refuses only misspelt words, and types that no server accepts.
``arguments=`` accepts any table.
"""

from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, Union, get_args

from ammoo_wire import FieldTable, FieldValue, encode_table

from .python_values import as_milliseconds

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
    "refuses_lone_size",
]

_ArgumentsT = ParamSpec("_ArgumentsT")

Arguments = Mapping[str, FieldValue]
"""A table of x-arguments, in addition to the named ones."""

QueueType = Literal["classic", "quorum", "stream"]
Overflow = Literal["drop-head", "reject-publish", "reject-publish-dlx"]
# Not with a bar: `datetime` is not imported here, because that takes 1.7 ms.
StreamOffset = Union[Literal["first", "last", "next"], int, "datetime", str]
"""The position in a stream to begin at: a word, an offset, a time, or an interval like ``"1h"``."""

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


_WORDS: Final = {"queue_type": get_args(QueueType), "overflow": get_args(Overflow)}
"""The allowed words of each argument that is one of several words."""

_TEXTS: Final = ("dead_letter_exchange", "dead_letter_routing_key")
_MILLISECONDS: Final = ("ttl", "expires")


def queue_arguments(arguments: Arguments | None, **named: Any) -> FieldTable:
    """Return the table for queue.declare.

    Args:
        arguments: The user's own table; the named arguments are added to it.
        named: The arguments by their names in `Channel.declare_queue`; None if not given.

    Raises:
        ValueError: An argument is given twice, with two values, or a word is misspelt.
        TypeError: A named argument has a type that no version of RabbitMQ accepts, or `arguments` is
            no mapping.
    """
    for name in _MILLISECONDS:
        time = named.get(name)
        if time is not None:
            named[name] = as_milliseconds(time, name)
    for name, value in named.items():
        if value is not None:
            _check_named(name, value)
    return _merge(
        arguments, {_QUEUE_KEYS[name]: value for name, value in named.items() if value is not None}
    )


def exchange_arguments(
    arguments: Arguments | None, alternate_exchange_name: str | None
) -> FieldTable:
    """Return the table for exchange.declare; see `queue_arguments`."""
    if alternate_exchange_name is None:
        return _merge(arguments, {})
    return _merge(arguments, {"alternate-exchange": alternate_exchange_name})


def consume_arguments(
    arguments: Arguments | None, priority: int | None, stream_offset: StreamOffset | None
) -> FieldTable:
    """Return the table for basic.consume; see `queue_arguments`."""
    named: FieldTable = {}
    if priority is not None:
        named["x-priority"] = priority
    if stream_offset is not None:
        named["x-stream-offset"] = stream_offset
    return _merge(arguments, named)


def binding(
    routing_key: str | Arguments, arguments: Arguments | None = None
) -> tuple[str, FieldTable]:
    """Return the routing key and the table of a binding.

    Args:
        routing_key: The routing key; or the headers to match, for a headers exchange.
        arguments: The user's own table.

    Raises:
        TypeError: The routing key is neither a str nor a mapping, or `arguments` is no mapping.
    """
    if isinstance(routing_key, str):
        return routing_key, _merge(arguments, {})
    if isinstance(routing_key, Mapping):
        return "", _merge(arguments, routing_key)
    raise TypeError(
        f"routing_key is {routing_key!r}; expected a str, or a mapping for a headers exchange"
    )


def refuses_lone_size(
    qos: Callable[_ArgumentsT, Coroutine[Any, Any, None]],
) -> Callable[_ArgumentsT, Coroutine[Any, Any, None]]:
    """Make `Channel.qos` reject ``qos(10)``, which limits octets where messages are meant.

    Written as ``prefetch_size=10`` it is sent, and the server decides.
    """

    @wraps(qos)
    async def checked(*args: _ArgumentsT.args, **kwargs: _ArgumentsT.kwargs) -> None:
        if len(args) == 2 and args[1] and "prefetch_count" not in kwargs:  # args[0] is the channel
            raise ValueError(
                f"qos({args[1]!r}) would limit octets (prefetch_size), which RabbitMQ does not do;"
                f" write qos(prefetch_count={args[1]!r}) to limit messages"
            )
        await qos(*args, **kwargs)

    return checked


def _check_named(name: str, value: FieldValue) -> None:
    """Check a named argument of a queue.

    Raises:
        ValueError: It is none of the words that are allowed.
        TypeError: It has a wrong type.
    """
    words = _WORDS.get(name)
    if words is not None:
        if value not in words:
            raise ValueError(
                f"{name} is {value!r}; expected {', '.join(words[:-1])} or {words[-1]}"
                f" (for another value, use arguments={{{_QUEUE_KEYS[name]!r}: …}})"
            )
    elif name == "single_active_consumer":
        if not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}; expected True or False")
    elif name in _TEXTS:
        if not isinstance(value, str):
            raise TypeError(f"{name} is {value!r}; expected a str")
    elif isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; expected an int")


def _merge(arguments: Arguments | None, named: Arguments) -> FieldTable:
    """Merge two tables.

    Raises:
        TypeError: The user's table is no mapping.
        ValueError: A key is in both, with two values.
        EncodeError: A value that is to be compared cannot be sent.
    """
    if not (arguments is None or isinstance(arguments, Mapping)):
        raise TypeError(f"arguments is {arguments!r}; expected a mapping of str to field values")
    merged = dict(arguments or {})
    for key, value in named.items():
        # Encoded values are compared: in Python NaN is not equal to itself, comparing a signalling
        # NaN raises, and 1 is equal to True.
        if key in merged and encode_table({key: merged[key]}) != encode_table({key: value}):
            raise ValueError(
                f"{key!r} is {merged[key]!r} in arguments, and {value!r} by its own name"
            )
        merged[key] = value
    return merged
