"""The optional arguments of declarations and consumers: their validation and their comparison.

This package validates the arguments of exchange.declare, queue.declare and basic.consume, and compares
the arguments of a re-declaration with those of the existing queue or exchange. The texts of its errors
are in `errors`.
"""

from .checks import MAX_EXPIRY, age_milliseconds, validate_exchange_name
from .consumers import (
    StreamFilter,
    check_stream_offset_is_one,
    consumer_priority,
    consumer_timeout,
    stream_filter,
    validate_consumer_arguments,
)
from .equivalence import (
    assert_argument_equivalent,
    assert_field_equivalent,
    assert_queue_arguments_equivalent,
)
from .queues import (
    CLASSIC,
    MAX_SEGMENT_SIZE,
    QUORUM,
    STREAM,
    QueueSettings,
    queue_settings,
    queue_type_of,
    validate_queue_arguments,
    validate_queue_properties,
    validate_stream_sizes,
)

__all__ = [
    "CLASSIC",
    "MAX_EXPIRY",
    "MAX_SEGMENT_SIZE",
    "QUORUM",
    "STREAM",
    "QueueSettings",
    "StreamFilter",
    "age_milliseconds",
    "assert_argument_equivalent",
    "assert_field_equivalent",
    "assert_queue_arguments_equivalent",
    "check_stream_offset_is_one",
    "consumer_priority",
    "consumer_timeout",
    "queue_settings",
    "queue_type_of",
    "stream_filter",
    "validate_consumer_arguments",
    "validate_exchange_name",
    "validate_queue_arguments",
    "validate_queue_properties",
    "validate_stream_sizes",
]
