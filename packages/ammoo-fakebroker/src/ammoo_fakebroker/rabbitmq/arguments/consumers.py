"""The arguments of basic.consume."""

from __future__ import annotations

from typing import NamedTuple

from .. import errors
from ..erlang_terms import is_integer, print_binary, type_class
from ..profiles import Profile
from .checks import (
    Arguments,
    Check,
    age_milliseconds,
    check_bool,
    check_integer,
    check_names,
    check_not_negative,
    check_values,
)
from .queues import CLASSIC, QUORUM, STREAM

__all__ = [
    "check_stream_offset_is_one",
    "consumer_priority",
    "consumer_timeout",
    "validate_consumer_arguments",
]

_ARGUMENTS_OF_TYPE = {
    CLASSIC: frozenset(("x-priority", "x-cancel-on-ha-failover")),
    QUORUM: frozenset(("x-priority", "x-consumer-timeout")),
    STREAM: frozenset(("x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered")),
}


_MIRRORED = frozenset(("x-cancel-on-ha-failover",))
_TIMEOUTS = frozenset(("x-consumer-timeout",))
_FILTERING = frozenset(("x-stream-filter", "x-stream-match-unfiltered"))


def validate_consumer_arguments(
    arguments: Arguments, resource: str, queue_type: str, profile: Profile
) -> None:
    """Check the arguments of a consumer.

    Raises:
        ProtocolError: 406, an argument is not allowed; the text names the first one.
    """
    known = frozenset().union(*_ARGUMENTS_OF_TYPE.values())
    known -= _FILTERING if profile.queues_have_masters else _MIRRORED
    if not profile.consumers_have_timeouts:
        known -= _TIMEOUTS
    own = known & _ARGUMENTS_OF_TYPE[queue_type]
    check_values(arguments, [(name, check) for name, check in _CHECKS if name in own], resource)
    if queue_type == STREAM:
        _check_stream_offset_is_known(arguments, resource, profile)
    check_names(arguments, known - own, resource, queue_type)
    if queue_type == STREAM:
        stream_filter(arguments, profile)


class StreamFilter(NamedTuple):
    """The filter of a stream's consumer."""

    values: frozenset[str]
    takes_unfiltered: bool
    """Whether it also accepts messages without a filter value."""

    def takes(self, value: str) -> bool:
        """Return whether it accepts a message; an empty value means that the message has none."""
        return value in self.values if value else self.takes_unfiltered


def stream_filter(arguments: Arguments, profile: Profile) -> StreamFilter | None:
    """Return the filter of a stream's consumer, or None if it takes all messages.

    Values that are not strings are ignored. An empty string stands for messages without a filter
    value, but only as the last value: RabbitMQ does not check the others.

    Raises:
        ProtocolError: 541, the argument is an array without a string.
    """
    wanted = arguments.get("x-stream-filter")
    if not profile.streams_have_filters or not isinstance(wanted, str | list):
        return None
    named = [wanted] if isinstance(wanted, str) else wanted
    values = [value for value in named if isinstance(value, str)]
    if not values:
        raise errors.internal_error()
    takes_unfiltered = arguments.get("x-stream-match-unfiltered") is True or not values[-1]
    return StreamFilter(frozenset(values), takes_unfiltered)


def consumer_priority(arguments: Arguments) -> int:
    """Return a consumer's priority: x-priority, or 0."""
    value = arguments.get("x-priority", 0)
    return int(value) if is_integer(value) else 0


def consumer_timeout(arguments: Arguments) -> int | None:
    """Return the consumer timeout of x-consumer-timeout in milliseconds; None without it."""
    value = arguments.get("x-consumer-timeout")
    return None if value is None else int(value)


_OFFSET_WORDS = ("first", "last", "next")


def _check_stream_offset_is_known(arguments: Arguments, resource: str, profile: Profile) -> None:
    """Check an offset that is a string.

    Raises:
        ProtocolError: 406, it is neither one of the words nor an age; 541, it does not begin with a
            digit, and the release crashes when it writes the text of the error.
    """
    offset = arguments.get("x-stream-offset", "next")
    if not isinstance(offset, str) or offset in _OFFSET_WORDS or age_milliseconds(offset):
        return
    if not offset[:1].isdigit() and not profile.streams_check_offsets:
        raise errors.internal_error()
    detail = f"{{invalid_stream_offset_arg,{{longstr,{print_binary(offset)}}}}}"
    raise errors.invalid_argument("x-stream-offset", resource, detail)


def check_stream_offset_is_one(arguments: Arguments) -> None:
    """Check the type of an offset; RabbitMQ crashes on a wrong one, after all other checks.

    Raises:
        ProtocolError: 541, the offset is neither a string nor an integer nor a timestamp.
    """
    offset = arguments.get("x-stream-offset", "next")
    if not isinstance(offset, str) and type_class(offset) not in ("int", "timestamp"):
        raise errors.internal_error()


_CHECKS: tuple[tuple[str, Check], ...] = (
    ("x-priority", check_integer),
    ("x-cancel-on-ha-failover", check_bool),
    ("x-consumer-timeout", check_not_negative),
)
