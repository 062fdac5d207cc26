"""What queues are declared with, right and wrong."""

from hypothesis import strategies as st

from ammoo_wire import Int64

from .drawing import one_of, table, weighted

LONG = 3_600_000
"""Milliseconds that nothing lives to see the end of."""

classic = table(
    (3, "x-max-length", 2),
    (2, "x-max-length", 1),
    (2, "x-max-length", 0),
    (1, "x-max-length", Int64(2)),
    (1, "x-max-length", -1),
    (1, "x-max-length", "2"),
    (2, "x-max-length-bytes", 5),
    (1, "x-max-length-bytes", -1),
    (2, "x-overflow", "reject-publish"),
    (1, "x-overflow", "drop-head"),
    (1, "x-overflow", "reject-publish-dlx"),
    (1, "x-overflow", "other"),
    (1, "x-overflow", 1),
    (5, "x-dead-letter-exchange", "e0"),
    (2, "x-dead-letter-exchange", ""),
    (1, "x-dead-letter-exchange", "e9"),
    (1, "x-dead-letter-exchange", 5),
    (3, "x-dead-letter-routing-key", "q1"),
    (1, "x-dead-letter-routing-key", "a"),
    (1, "x-dead-letter-routing-key", 7),
    (2, "x-message-ttl", LONG),
    (2, "x-message-ttl", 0),
    (1, "x-message-ttl", "0"),
    (1, "x-message-ttl", -1),
    (1, "x-expires", LONG),
    (1, "x-expires", 0),
    (3, "x-max-priority", 3),
    (1, "x-max-priority", 0),
    (1, "x-max-priority", 256),
    (2, "x-single-active-consumer", True),
    (1, "x-single-active-consumer", False),
    (1, "x-single-active-consumer", "yes"),
    (1, "x-queue-mode", "lazy"),
    (1, "x-queue-mode", "other"),
    (1, "x-queue-type", "classic"),
    (1, "x-queue-type", "other"),
    (1, "x-queue-type", ""),
    (1, "x-queue-type", 1),
    (1, "x-queue-version", 1),
    (1, "x-queue-version", 2),
    (1, "x-queue-version", 3),
    (1, "x-unknown", {"k": [1.5, None]}),
)
# An unknown type of a queue without a name crashes RabbitMQ up to 4.0.
server_named = classic.map(
    lambda arguments: {
        name: value
        for name, value in arguments.items()
        if name != "x-queue-type" or value == "classic"
    }
)
good = table(
    (4, "x-max-length", 2),
    (2, "x-max-length", 1),
    (1, "x-max-length", 0),
    (2, "x-max-length-bytes", 7),
    (2, "x-overflow", "reject-publish"),
    (2, "x-overflow", "reject-publish-dlx"),
    (5, "x-dead-letter-exchange", "e0"),
    (3, "x-dead-letter-exchange", ""),
    (2, "x-message-ttl", LONG),
    (1, "x-message-ttl", 0),
    (3, "x-max-priority", 3),
    (3, "x-single-active-consumer", True),
)
quorum = table(
    (3, "x-delivery-limit", 1),
    (1, "x-delivery-limit", 0),
    (2, "x-max-length", 2),
    (2, "x-dead-letter-exchange", "e0"),
    (1, "x-overflow", "reject-publish"),
    (2, "x-single-active-consumer", True),
    (1, "x-consumer-timeout", LONG),
    (2, "x-delayed-retry-type", "all"),
    (1, "x-delayed-retry-type", "failed"),
    (1, "x-delayed-retry-type", "returned"),
    (3, "x-delayed-retry-min", LONG),
    (1, "x-delayed-retry-max", 2 * LONG),
).map(lambda arguments: {"x-queue-type": "quorum", **arguments})
stream = table(
    (2, "x-max-length-bytes", 5_000_000),
    (1, "x-max-age", "7D"),
    (1, "x-stream-max-segment-size-bytes", 500_000),
).map(lambda arguments: {"x-queue-type": "stream", **arguments})
dead_letter = table(
    (2, "x-max-length", 1),
    (2, "x-overflow", "reject-publish-dlx"),
    (1, "x-overflow", "reject-publish"),
    (2, "x-message-ttl", 0),
    (1, "x-message-ttl", LONG),
    (2, "x-dead-letter-routing-key", "q1"),
    (2, "x-dead-letter-routing-key", "q2"),
    (2, "x-dead-letter-routing-key", "a"),
    (1, "x-max-priority", 3),
).flatmap(
    lambda arguments: weighted((3, "e0"), (2, "")).map(
        lambda exchange: {"x-dead-letter-exchange": exchange, **arguments}
    )
)

# Where two queues in a row let go of everything at once, what a closed channel gives back races with
# itself on two ways to a third: 14 runs of one program had 9 ends on 4.0.5.
lasting_dead_letter = dead_letter.map(
    lambda arguments: {
        name: LONG if name == "x-message-ttl" else value for name, value in arguments.items()
    }
)
quorum_dead_letter = table(
    (2, "x-delivery-limit", 0),
    (1, "x-delivery-limit", 1),
    (2, "x-max-length", 1),
    (1, "x-overflow", "reject-publish"),
    (2, "x-dead-letter-routing-key", "q1"),
    (2, "x-dead-letter-routing-key", "q2"),
    (1, "x-dead-letter-routing-key", "a"),
    (1, "x-single-active-consumer", True),
).flatmap(
    lambda arguments: weighted((3, "e0"), (2, "")).map(
        lambda exchange: {
            "x-queue-type": "quorum",
            "x-dead-letter-exchange": exchange,
            **arguments,
        }
    )
)
_of_any_type = (
    (1, "x-max-length", 3),
    (1, "x-max-length", -1),
    (1, "x-max-length-bytes", 5_000_000),
    (1, "x-max-length-bytes", "5"),
    (1, "x-message-ttl", LONG),
    (1, "x-message-ttl", True),
    (1, "x-expires", LONG),
    (1, "x-expires", -1),
    (1, "x-overflow", "drop-head"),
    (1, "x-overflow", "reject-publish"),
    (1, "x-overflow", "reject-publish-dlx"),
    (1, "x-dead-letter-exchange", "e0"),
    (1, "x-dead-letter-exchange", None),
    (1, "x-dead-letter-routing-key", "a"),
    (1, "x-dead-letter-strategy", "at-most-once"),
    (1, "x-dead-letter-strategy", "other"),
    (1, "x-max-priority", 3),
    (1, "x-single-active-consumer", True),
    (1, "x-single-active-consumer", 1),
    (1, "x-queue-mode", "lazy"),
    (1, "x-queue-mode", "default"),
    (1, "x-queue-version", 2),
    (1, "x-delivery-limit", 3),
    (1, "x-delivery-limit", -1),
    (1, "x-delivery-limit", "3"),
    (1, "x-max-in-memory-length", 5),
    (1, "x-max-in-memory-bytes", -5),
    (1, "x-quorum-initial-group-size", 1),
    (1, "x-quorum-initial-group-size", 0),
    (1, "x-queue-leader-locator", "client-local"),
    (1, "x-queue-leader-locator", "other"),
    (1, "x-max-age", "7D"),
    (1, "x-max-age", "7X"),
    (1, "x-stream-max-segment-size-bytes", 500_000),
    (1, "x-stream-max-segment-size-bytes", "1"),
    (1, "x-initial-cluster-size", 1),
    (1, "x-consumer-timeout", LONG),
    (1, "x-consumer-timeout", -1),
    (1, "x-consumer-timeout", "1"),
    (1, "x-consumer-disconnected-timeout", LONG),
    (1, "x-consumer-disconnected-timeout", 1.5),
    (1, "x-delayed-retry-type", "all"),
    (1, "x-delayed-retry-type", "other"),
    (1, "x-delayed-retry-type", 1),
    (1, "x-delayed-retry-min", LONG),
    (1, "x-delayed-retry-min", "1"),
    (1, "x-delayed-retry-max", LONG),
    (1, "x-delayed-retry-max", -1),
    (1, "x-unknown", 1),
)
of_any_type = st.builds(
    lambda queue_type, arguments: {**queue_type, **arguments},
    weighted(
        (3, {}),
        (1, {"x-queue-type": "classic"}),
        (4, {"x-queue-type": "quorum"}),
        (3, {"x-queue-type": "stream"}),
        (1, {"x-queue-type": None}),
    ),
    one_of((2, table(*_of_any_type)), (3, st.just({}))),
)
