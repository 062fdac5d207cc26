"""The optional arguments of declarations and consumers: what is allowed, and what is the same.

All validation of field tables that clients send with exchange.declare, queue.declare and
basic.consume happens here, with RabbitMQ's order of checks, and so does the comparison of a
re-declaration with what exists.
The words of the refusals are in `errors`; what the arguments do is the queue's affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import errors
from .profiles import Profile
from .terms import comparable, is_integer, print_bare, type_class, type_name

__all__ = [
    "QueueSettings",
    "age_milliseconds",
    "assert_field_equivalent",
    "assert_queue_arguments_equivalent",
    "consumer_priority",
    "parse_expiration",
    "queue_settings",
    "strip_line_breaks",
    "validate_alternate_exchange",
    "validate_consumer_arguments",
    "validate_dead_letter_exchange_type",
    "validate_queue_arguments",
]

_MAX_EXPIRY = 315_360_000_000  # ten years in milliseconds
_MAX_PRIORITY = 255

CLASSIC, QUORUM, STREAM = "classic", "quorum", "stream"

_ARGUMENTS_OF_TYPE = {
    CLASSIC: frozenset(
        (
            "x-expires",
            "x-message-ttl",
            "x-dead-letter-exchange",
            "x-dead-letter-routing-key",
            "x-max-length",
            "x-max-length-bytes",
            "x-max-priority",
            "x-overflow",
            "x-queue-mode",
            "x-queue-version",
            "x-single-active-consumer",
            "x-queue-type",
            "x-queue-master-locator",
        )
    ),
    QUORUM: frozenset(
        (
            "x-expires",
            "x-message-ttl",
            "x-dead-letter-exchange",
            "x-dead-letter-routing-key",
            "x-dead-letter-strategy",
            "x-max-length",
            "x-max-length-bytes",
            "x-max-in-memory-length",
            "x-max-in-memory-bytes",
            "x-overflow",
            "x-single-active-consumer",
            "x-queue-type",
            "x-quorum-initial-group-size",
            "x-delivery-limit",
            "x-queue-leader-locator",
        )
    ),
    STREAM: frozenset(
        (
            "x-max-length-bytes",
            "x-queue-type",
            "x-max-age",
            "x-stream-max-segment-size-bytes",
            "x-initial-cluster-size",
            "x-queue-leader-locator",
        )
    ),
}
_CONSUMER_ARGUMENTS_OF_TYPE = {
    CLASSIC: frozenset(("x-priority",)),
    QUORUM: frozenset(("x-priority",)),
    STREAM: frozenset(("x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered")),
}

# In this order RabbitMQ compares the arguments of a re-declaration.
_COMPARED = (
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
    "x-queue-leader-locator",
    "x-queue-master-locator",
)

Arguments = Mapping[str, Any]
_Check = Callable[[Any, Arguments], str | None]
"""Looks at a value (and the other arguments); gives what is wrong, in Erlang's notation."""

_ABSENT = object()


class QueueSettings(NamedTuple):
    """A queue's arguments once they are known to be valid; times in milliseconds."""

    queue_type: str = CLASSIC
    message_ttl: int | None = None
    expires: int | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: str = "drop-head"
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    max_priority: int | None = None
    single_active_consumer: bool = False
    delivery_limit: int | None = None
    max_age: int | None = None


def strip_line_breaks(name: str) -> str:
    """Clean a queue's or an exchange's name: RabbitMQ drops CR and LF wherever they stand."""
    if "\n" in name or "\r" in name:
        return name.replace("\n", "").replace("\r", "")
    return name


# -- queue.declare -----------------------------------------------------------------------------


def queue_type_of(arguments: Arguments) -> str:
    """Give the queue type that arguments ask for; anything odd is refused by validation."""
    value = arguments.get("x-queue-type", CLASSIC)
    return value if isinstance(value, str) else CLASSIC


def queue_settings(arguments: Arguments, profile: Profile) -> QueueSettings:
    """Read valid arguments."""
    queue_type = queue_type_of(arguments)
    return QueueSettings(
        queue_type=queue_type,
        message_ttl=arguments.get("x-message-ttl"),
        expires=arguments.get("x-expires"),
        max_length=arguments.get("x-max-length"),
        max_length_bytes=arguments.get("x-max-length-bytes"),
        overflow=arguments.get("x-overflow", "drop-head"),
        dead_letter_exchange=arguments.get("x-dead-letter-exchange"),
        dead_letter_routing_key=arguments.get("x-dead-letter-routing-key"),
        max_priority=_max_priority(arguments, profile),
        single_active_consumer=arguments.get("x-single-active-consumer", False),
        delivery_limit=_delivery_limit(arguments, profile),
        max_age=age_milliseconds(arguments.get("x-max-age")),
    )


def _delivery_limit(arguments: Arguments, profile: Profile) -> int | None:
    """Read the delivery limit, whose value RabbitMQ never checks."""
    limit = arguments.get("x-delivery-limit")
    if limit is None or not is_integer(limit):
        limit = profile.default_delivery_limit
    if limit is not None and limit < 0 and profile.negative_delivery_limit_is_none:
        return None
    return limit


def _max_priority(arguments: Arguments, profile: Profile) -> int | None:
    if "x-max-priority" not in arguments:
        return None
    return max(int(arguments["x-max-priority"]), profile.lowest_max_priority)


def validate_dead_letter_exchange_type(arguments: Arguments, resource: str) -> None:
    """Check, before anything else, that a dead-letter exchange is named by a string.

    Raises:
        ProtocolError: 406, it is not.
    """
    _validate_exchange_name(arguments, "x-dead-letter-exchange", resource)


def validate_queue_arguments(arguments: Arguments, resource: str, profile: Profile) -> None:
    """Check the arguments of a queue that is about to be created.

    Raises:
        ProtocolError: 406, for the first argument that is not allowed.
    """
    _check_values(arguments, (("x-queue-type", _check_queue_type),), resource)
    queue_type = queue_type_of(arguments)
    _check_what_crashes(arguments, queue_type, profile)
    own = _ARGUMENTS_OF_TYPE[queue_type]
    if queue_type == CLASSIC and profile.classic_queues_check_leader_locator:
        own |= {"x-queue-leader-locator"}
    _check_values(arguments, [check for check in _QUEUE_CHECKS if check[0] in own], resource)
    foreign = frozenset().union(*_ARGUMENTS_OF_TYPE.values()) - own
    _check_names(arguments, foreign, resource, queue_type)
    if queue_type == STREAM and profile.streams_have_filters:
        _check_stream_filter_size(arguments)


def _check_what_crashes(arguments: Arguments, queue_type: str, profile: Profile) -> None:
    """Refuse what RabbitMQ does not check either, but dies of (541)."""
    max_age = arguments.get("x-max-age", "1s")
    if queue_type == STREAM and isinstance(max_age, str) and not max_age[:1].isdigit():
        raise errors.internal_error()
    locator = arguments.get("x-queue-master-locator", "random")
    if queue_type == CLASSIC and profile.queues_have_masters and locator not in _MASTER_LOCATORS:
        raise errors.internal_error()


_MASTER_LOCATORS = ("client-local", "min-masters", "random")


def _check_stream_filter_size(arguments: Arguments) -> None:
    size = arguments.get("x-stream-filter-size-bytes", 16)
    if not is_integer(size) or not 16 <= size <= 255:
        raise errors.invalid_stream_filter_size()


def validate_queue_properties(
    queue_type: str, resource: str, *, durable: bool, exclusive: bool, auto_delete: bool
) -> None:
    """Check that the queue's type can be what the flags of queue.declare ask for.

    Raises:
        ProtocolError: 406, a quorum queue or a stream cannot.
    """
    if queue_type == CLASSIC:
        return
    if auto_delete:
        raise errors.invalid_property("auto-delete", resource)
    if exclusive:
        raise errors.invalid_property("exclusive-owner", resource)
    if not durable:
        raise errors.invalid_property("non-durable", resource)


def _check_values(
    arguments: Arguments,
    checks: tuple[tuple[str, _Check], ...] | list[tuple[str, _Check]],
    resource: str,
) -> None:
    for name, check in checks:
        if name in arguments:
            detail = check(arguments[name], arguments)
            if detail is not None:
                raise errors.invalid_argument(name, resource, detail)


def _check_names(
    arguments: Arguments, foreign: frozenset[str], resource: str, queue_type: str
) -> None:
    for name in arguments:
        if name in foreign:
            raise errors.argument_not_for_queue_type(name, resource, queue_type)


def _check_integer(value: Any, arguments: Arguments) -> str | None:
    if not is_integer(value):
        return f'"expected integer, got {type_name(value)}"'
    return None


def _check_not_negative(value: Any, arguments: Arguments) -> str | None:
    detail = _check_integer(value, arguments)
    if detail is None and value < 0:
        return f"{{value_negative,{int(value)}}}"
    return detail


def _check_message_ttl(value: Any, arguments: Arguments) -> str | None:
    detail = _check_not_negative(value, arguments)
    if detail is None and value > _MAX_EXPIRY:
        return f"{{value_too_large,{int(value)}}}"
    return detail


def _check_expires(value: Any, arguments: Arguments) -> str | None:
    return _check_not_zero(value) or _check_message_ttl(value, arguments)


def _check_positive(value: Any, arguments: Arguments) -> str | None:
    return _check_not_zero(value) or _check_not_negative(value, arguments)


def _check_not_zero(value: Any) -> str | None:
    return "{value_zero,0}" if is_integer(value) and value == 0 else None


def _check_max_priority(value: Any, arguments: Arguments) -> str | None:
    detail = _check_not_negative(value, arguments)
    if detail is None and value > _MAX_PRIORITY:
        return f"{{max_value_exceeded,{int(value)}}}"
    return detail


def _check_string(value: Any, arguments: Arguments) -> str | None:
    return None if isinstance(value, str) else f"{{unacceptable_type,{type_name(value)}}}"


def _check_bool(value: Any, arguments: Arguments) -> str | None:
    return None if isinstance(value, bool) else f"{{unacceptable_type,{type_name(value)}}}"


def _check_dead_letter_routing_key(value: Any, arguments: Arguments) -> str | None:
    detail = _check_string(value, arguments)
    if detail is None and "x-dead-letter-exchange" not in arguments:
        return "routing_key_but_no_dlx_defined"
    return detail


def _one_of(words: tuple[str, ...], detail: str) -> _Check:
    def check(value: Any, arguments: Arguments) -> str | None:
        return _check_string(value, arguments) or (None if value in words else detail)

    return check


def _supported(what: str, words: tuple[str, ...]) -> _Check:
    def check(value: Any, arguments: Arguments) -> str | None:
        detail = _check_string(value, arguments)
        if detail is None and value not in words:
            return f"\"unsupported {what} '{value}'\""
        return detail

    return check


def _check_queue_version(value: Any, arguments: Arguments) -> str | None:
    detail = _check_not_negative(value, arguments)
    if detail is None and value not in (1, 2):
        return f"\"unsupported queue version '{int(value)}'\""
    return detail


def _check_max_age(value: Any, arguments: Arguments) -> str | None:
    detail = _check_string(value, arguments)
    if detail is None and age_milliseconds(value) is None:
        return "invalid_max_age"
    return detail


_UNITS = {
    "Y": 365 * 86_400_000,
    "M": 30 * 86_400_000,
    "D": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
}


def age_milliseconds(value: Any) -> int | None:
    """Read an age such as ``7D``; None if it is none."""
    match = re.fullmatch(r"(\d+)([YMDhms])", value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        return None
    return int(match[1]) * _UNITS[match[2]]


_check_queue_type = _supported("queue type", (CLASSIC, QUORUM, STREAM))

# In this order RabbitMQ checks the values of a new queue's arguments.
_QUEUE_CHECKS: tuple[tuple[str, _Check], ...] = (
    ("x-expires", _check_expires),
    ("x-message-ttl", _check_message_ttl),
    ("x-dead-letter-exchange", _check_string),
    ("x-dead-letter-routing-key", _check_dead_letter_routing_key),
    (
        "x-dead-letter-strategy",
        _one_of(("at-most-once", "at-least-once"), "invalid_dlx_strategy"),
    ),
    ("x-max-length", _check_not_negative),
    ("x-max-length-bytes", _check_not_negative),
    ("x-max-in-memory-length", _check_not_negative),
    ("x-max-in-memory-bytes", _check_not_negative),
    ("x-max-priority", _check_max_priority),
    (
        "x-overflow",
        _one_of(("drop-head", "reject-publish", "reject-publish-dlx"), "invalid_overflow"),
    ),
    ("x-queue-mode", _supported("queue mode", ("default", "lazy"))),
    ("x-queue-version", _check_queue_version),
    ("x-single-active-consumer", _check_bool),
    ("x-quorum-initial-group-size", _check_positive),
    ("x-max-age", _check_max_age),
    ("x-stream-max-segment-size-bytes", _check_not_negative),
    ("x-initial-cluster-size", _check_positive),
    (
        "x-queue-leader-locator",
        _one_of(
            ("client-local", "balanced", "random", "least-leaders"), "invalid_queue_locator_arg"
        ),
    ),
)


# -- exchange.declare --------------------------------------------------------------------------


def validate_alternate_exchange(arguments: Arguments, resource: str) -> None:
    """Check that an alternate exchange is named by a string; it need not exist.

    Raises:
        ProtocolError: 406, it is not.
    """
    _validate_exchange_name(arguments, "alternate-exchange", resource)


def _validate_exchange_name(arguments: Arguments, argument: str, resource: str) -> None:
    if argument in arguments and not isinstance(arguments[argument], str):
        raise errors.invalid_argument_type(argument, resource, type_name(arguments[argument]))


# -- equivalence -------------------------------------------------------------------------------


def assert_field_equivalent(field: str, resource: str, received: Any, current: Any) -> None:
    """Compare a flag (or the type) of a re-declaration with what exists.

    Raises:
        ProtocolError: 406, they differ.
    """
    if received != current:
        raise errors.inequivalent_argument(field, resource, _quoted(received), _quoted(current))


def assert_queue_arguments_equivalent(
    received: Arguments, current: Arguments, resource: str
) -> None:
    """Compare the arguments of a queue's re-declaration with those it was made with.

    Raises:
        ProtocolError: 406, for the first that differs.
    """
    for name in _COMPARED:
        if name == "x-queue-type" and {
            received.get(name, CLASSIC),
            current.get(name, CLASSIC),
        } == {CLASSIC}:
            continue
        assert_argument_equivalent(name, received, current, resource)


def assert_argument_equivalent(
    name: str, received: Arguments, current: Arguments, resource: str
) -> None:
    """Compare one argument of a re-declaration with what exists.

    Raises:
        ProtocolError: 406, they differ.
    """
    new, old = received.get(name, _ABSENT), current.get(name, _ABSENT)
    if new is _ABSENT and old is _ABSENT:
        return
    if new is _ABSENT or old is _ABSENT:
        raise errors.inequivalent_argument(name, resource, _described(new), _described(old))
    if comparable(new) != comparable(old):
        raise errors.inequivalent_argument(name, resource, _quoted(new), _quoted(old))


def _quoted(value: Any) -> str:
    return "none" if value is None else f"'{print_bare(value)}'"


def _described(value: Any) -> str:
    if value is _ABSENT:
        return "none"
    return f"the value '{print_bare(value)}' of type '{type_name(value)}'"


# -- basic.consume -----------------------------------------------------------------------------


def validate_consumer_arguments(arguments: Arguments, resource: str, queue_type: str) -> None:
    """Check the arguments of a consumer.

    Raises:
        ProtocolError: 406, for the first argument that is not allowed.
    """
    own = _CONSUMER_ARGUMENTS_OF_TYPE[queue_type]
    _check_values(arguments, [check for check in _CONSUMER_CHECKS if check[0] in own], resource)
    foreign = frozenset().union(*_CONSUMER_ARGUMENTS_OF_TYPE.values()) - own
    _check_names(arguments, foreign, resource, queue_type)


def consumer_priority(arguments: Arguments) -> int:
    """Give a consumer's priority: x-priority, or 0."""
    value = arguments.get("x-priority", 0)
    return int(value) if is_integer(value) else 0


_OFFSET_WORDS = ("first", "last", "next")


def _check_stream_offset(value: Any, arguments: Arguments) -> str | None:
    if type_class(value) in ("int", "timestamp"):
        return None
    if isinstance(value, str) and (value in _OFFSET_WORDS or age_milliseconds(value) is not None):
        return None
    raise errors.internal_error()  # RabbitMQ dies wording its refusal


_CONSUMER_CHECKS: tuple[tuple[str, _Check], ...] = (
    ("x-priority", _check_integer),
    ("x-stream-offset", _check_stream_offset),
)


# -- properties of messages --------------------------------------------------------------------


def parse_expiration(expiration: str) -> int:
    """Read a message's expiration property: decimal digits, milliseconds.

    Raises:
        ProtocolError: 406, it is not a number or not one that can be waited for.
    """
    match = re.match(r"[+-]?[0-9]+", expiration)
    if match is None:
        raise errors.invalid_expiration(expiration, "no_integer")
    rest = expiration[match.end() :]
    if rest:
        raise errors.invalid_expiration(expiration, f'{{leftover_string,"{rest}"}}')
    milliseconds = int(match[0])
    if milliseconds < 0:
        raise errors.invalid_expiration(expiration, f"{{value_negative,{milliseconds}}}")
    if milliseconds > _MAX_EXPIRY:
        raise errors.invalid_expiration(expiration, f"{{value_too_large,{milliseconds}}}")
    return milliseconds
