"""The arguments of queue.declare: their validation for each type of queue, and the settings.

The order of the checks is RabbitMQ's: the queue type, the values, then arguments that only other types
have. The queue applies the settings.
See https://www.rabbitmq.com/docs/queues#optional-arguments
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from .. import errors
from ..erlang_terms import is_integer
from ..profiles import Profile
from .checks import (
    MAX_EXPIRY,
    Arguments,
    Check,
    age_milliseconds,
    check_bool,
    check_names,
    check_not_negative,
    check_not_zero,
    check_positive,
    check_string,
    check_values,
    one_of,
    supported,
)

__all__ = [
    "CLASSIC",
    "MAX_SEGMENT_SIZE",
    "QUORUM",
    "STREAM",
    "QueueSettings",
    "arguments_of_type",
    "queue_settings",
    "queue_type_of",
    "validate_queue_arguments",
    "validate_queue_properties",
    "validate_stream_sizes",
]

_MAX_PRIORITY = 255
MAX_SEGMENT_SIZE = 3_000_000_000

CLASSIC, QUORUM, STREAM = "classic", "quorum", "stream"

# RabbitMQ compares the arguments of a re-declaration in this order.
_ARGUMENTS_OF_TYPE: dict[str, tuple[str, ...]] = {
    CLASSIC: (
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
    ),
    QUORUM: (
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-dead-letter-strategy",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-overflow",
        "x-single-active-consumer",
        "x-queue-type",
        "x-quorum-initial-group-size",
        "x-delivery-limit",
        "x-message-ttl",
        "x-queue-leader-locator",
    ),
    STREAM: (
        "x-max-length-bytes",
        "x-queue-type",
        "x-max-age",
        "x-stream-max-segment-size-bytes",
        "x-initial-cluster-size",
        "x-queue-leader-locator",
    ),
}


class DelayedRetry(NamedTuple):
    """How long a message waits in a quorum queue before it is delivered again.

    Attributes:
        failed: Whether messages wait after failed deliveries.
        returned: Whether messages wait after other returned deliveries.
        shortest: The delay after the first failed delivery, in milliseconds; later delays are
            multiples of it.
        longest: The longest delay, in milliseconds.
    """

    failed: bool
    returned: bool
    shortest: int
    longest: int


class QueueSettings(NamedTuple):
    """The settings of a queue: its valid arguments, merged with policies; times in milliseconds."""

    queue_type: str = CLASSIC
    message_ttl: int | None = None
    expires: int | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: str = "drop-head"
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    dead_letter_strategy: str = "at-most-once"
    max_priority: int | None = None
    single_active_consumer: bool = False
    delivery_limit: int | None = None
    max_age: int | None = None
    max_segment_size: int | None = None

    @property
    def dead_letters_at_least_once(self) -> bool:
        """Whether dead letters are kept until they have arrived.

        RabbitMQ ignores the strategy in queues that drop messages when they are full.
        """
        return (
            self.dead_letter_strategy == "at-least-once"
            and self.dead_letter_exchange is not None
            and self.overflow == "reject-publish"
        )

    consumer_timeout: int | None = None
    delayed_retry: DelayedRetry | None = None


def queue_type_of(arguments: Arguments) -> str:
    """Return the queue type of arguments; validation refuses an unknown one."""
    value = arguments.get("x-queue-type")
    return value if value and isinstance(value, str) else CLASSIC


def arguments_of_type(queue_type: str, profile: Profile) -> tuple[str, ...]:
    """Return the arguments of a type of queue, in the order in which they are compared."""
    return (*_ARGUMENTS_OF_TYPE[queue_type], *profile.further_arguments.get(queue_type, ()))


def queue_settings(arguments: Arguments, profile: Profile) -> QueueSettings:
    """Return the settings for valid arguments."""
    queue_type = queue_type_of(arguments)
    return QueueSettings(
        queue_type=queue_type,
        message_ttl=arguments.get("x-message-ttl"),
        expires=arguments.get("x-expires"),
        max_length=arguments.get("x-max-length"),
        max_length_bytes=arguments.get("x-max-length-bytes"),
        overflow=_overflow(arguments, queue_type),
        dead_letter_exchange=arguments.get("x-dead-letter-exchange"),
        dead_letter_routing_key=arguments.get("x-dead-letter-routing-key"),
        dead_letter_strategy=arguments.get("x-dead-letter-strategy", "at-most-once"),
        max_priority=_max_priority(arguments, profile),
        single_active_consumer=arguments.get("x-single-active-consumer", False),
        delivery_limit=_delivery_limit(arguments, profile),
        max_age=age_milliseconds(arguments.get("x-max-age")),
        max_segment_size=arguments.get("x-stream-max-segment-size-bytes"),
        consumer_timeout=_consumer_timeout(arguments, profile),
        delayed_retry=_delayed_retry(arguments, profile),
    )


def _overflow(arguments: Arguments, queue_type: str) -> str:
    """Read x-overflow; quorum queues accept reject-publish-dlx, and treat it as drop-head."""
    overflow: str = arguments.get("x-overflow", "drop-head")
    is_unknown = queue_type == QUORUM and overflow == "reject-publish-dlx"
    return "drop-head" if is_unknown else overflow


def _delivery_limit(arguments: Arguments, profile: Profile) -> int | None:
    """Read the delivery limit, which RabbitMQ does not validate."""
    limit = arguments.get("x-delivery-limit")
    if limit is None or not is_integer(limit):
        limit = profile.default_delivery_limit
    if limit is not None and limit < 0 and profile.negative_delivery_limit_is_none:
        return None
    return limit


def _consumer_timeout(arguments: Arguments, profile: Profile) -> int | None:
    """Read the consumer timeout, which RabbitMQ does not validate."""
    timeout = arguments.get("x-consumer-timeout")
    if timeout is None or not is_integer(timeout) or not profile.queues_have_consumer_timeouts:
        return None
    return int(timeout)


def _delayed_retry(arguments: Arguments, profile: Profile) -> DelayedRetry | None:
    """Read the delayed retry; RabbitMQ ignores invalid values."""
    kind = arguments.get("x-delayed-retry-type")
    shortest, longest = (
        _positive(arguments.get(f"x-delayed-retry-{bound}")) for bound in ("min", "max")
    )
    is_known = profile.quorum_queues_retry and kind in ("all", "failed", "returned")
    if not is_known or shortest is None:
        return None
    return DelayedRetry(
        kind in ("all", "failed"), kind in ("all", "returned"), shortest, longest or shortest
    )


def _positive(value: Any) -> int | None:
    return int(value) if value is not None and is_integer(value) and value > 0 else None


def _max_priority(arguments: Arguments, profile: Profile) -> int | None:
    if "x-max-priority" not in arguments:
        return None
    return max(int(arguments["x-max-priority"]), profile.lowest_max_priority)


def validate_queue_arguments(arguments: Arguments, resource: str, profile: Profile) -> None:
    """Check the arguments of a queue that is about to be created.

    Raises:
        ProtocolError: 406, an argument is not allowed; the text names the first one.
    """
    if arguments.get("x-queue-type") != "" or not profile.empty_queue_type_is_classic:
        check_values(arguments, (("x-queue-type", _check_queue_type),), resource)
    queue_type = queue_type_of(arguments)
    own = arguments_of_type(queue_type, profile)
    checks = [(name, check) for name, check in _checks_of(profile) if name in own]
    check_values(arguments, checks, resource)
    of_any_type = {name for each in _ARGUMENTS_OF_TYPE for name in arguments_of_type(each, profile)}
    check_names(arguments, frozenset(of_any_type.difference(own)), resource, queue_type)


def _checks_of(profile: Profile) -> list[tuple[str, Check]]:
    """List the checks of values that a release makes, in its order."""
    checks = dict(_QUEUE_CHECKS)
    if not profile.queue_modes:
        del checks["x-queue-mode"]
    checks["x-queue-leader-locator"] = one_of(profile.leader_locators, "invalid_queue_locator_arg")
    checks["x-queue-version"] = partial(_check_queue_version, known=profile.queue_versions)
    return list(checks.items())


def validate_stream_sizes(queue_type: str, arguments: Arguments, profile: Profile) -> None:
    """Check the sizes of a stream, after the checks for queues of any type.

    Raises:
        ProtocolError: 406, a size is not allowed.
    """
    if queue_type != STREAM:
        return
    if arguments.get("x-stream-max-segment-size-bytes", 0) > MAX_SEGMENT_SIZE:
        raise errors.stream_segment_too_large()
    size = arguments.get("x-stream-filter-size-bytes", 16)
    if profile.streams_have_filters and (not is_integer(size) or not 16 <= size <= 255):
        raise errors.invalid_stream_filter_size(profile.stream_filter_size_error)


def validate_queue_properties(
    queue_type: str, resource: str, *, durable: bool, exclusive: bool, auto_delete: bool
) -> None:
    """Check that the queue's type supports the flags of queue.declare.

    Raises:
        ProtocolError: 406, the type is quorum or stream, which does not support a flag.
    """
    if queue_type == CLASSIC:
        return
    if auto_delete:
        raise errors.invalid_property("auto-delete", resource)
    if exclusive:
        raise errors.invalid_property("exclusive-owner", resource)
    if not durable:
        raise errors.invalid_property("non-durable", resource)


def _check_message_ttl(value: Any, arguments: Arguments) -> str | None:
    detail = check_not_negative(value, arguments)
    if detail is None and value > MAX_EXPIRY:
        return f"{{value_too_large,{int(value)}}}"
    return detail


def _check_expires(value: Any, arguments: Arguments) -> str | None:
    return check_not_zero(value) or _check_message_ttl(value, arguments)


def _check_max_priority(value: Any, arguments: Arguments) -> str | None:
    detail = check_not_negative(value, arguments)
    if detail is None and value > _MAX_PRIORITY:
        return f"{{max_value_exceeded,{int(value)}}}"
    return detail


def _check_dead_letter_routing_key(value: Any, arguments: Arguments) -> str | None:
    detail = check_string(value, arguments)
    if detail is None and "x-dead-letter-exchange" not in arguments:
        return "routing_key_but_no_dlx_defined"
    return detail


def _check_queue_version(value: Any, arguments: Arguments, *, known: tuple[int, ...]) -> str | None:
    detail = check_not_negative(value, arguments)
    if detail is None and value not in known:
        return f"\"unsupported queue version '{int(value)}'\""
    return detail


def _check_max_age(value: Any, arguments: Arguments) -> str | None:
    detail = check_string(value, arguments)
    if detail is None and age_milliseconds(value) is None:
        return "invalid_max_age"
    return detail


_check_queue_type = supported("queue type", (CLASSIC, QUORUM, STREAM))

# RabbitMQ checks the values of a new queue's arguments in this order.
_QUEUE_CHECKS: tuple[tuple[str, Check], ...] = (
    ("x-expires", _check_expires),
    ("x-message-ttl", _check_message_ttl),
    ("x-dead-letter-exchange", check_string),
    ("x-dead-letter-routing-key", _check_dead_letter_routing_key),
    (
        "x-dead-letter-strategy",
        one_of(("at-most-once", "at-least-once"), "invalid_dlx_strategy"),
    ),
    ("x-max-length", check_not_negative),
    ("x-max-length-bytes", check_not_negative),
    ("x-max-in-memory-length", check_not_negative),
    ("x-max-in-memory-bytes", check_not_negative),
    ("x-max-priority", _check_max_priority),
    (
        "x-overflow",
        one_of(("drop-head", "reject-publish", "reject-publish-dlx"), "invalid_overflow"),
    ),
    ("x-queue-mode", supported("queue mode", ("default", "lazy"))),
    ("x-queue-version", check_not_negative),
    ("x-single-active-consumer", check_bool),
    ("x-consumer-timeout", check_not_negative),
    ("x-consumer-disconnected-timeout", check_not_negative),
    ("x-quorum-initial-group-size", check_positive),
    ("x-max-age", _check_max_age),
    ("x-stream-max-segment-size-bytes", check_not_negative),
    ("x-stream-filter-size-bytes", check_not_negative),
    ("x-initial-cluster-size", check_positive),
    ("x-queue-leader-locator", check_string),
)
