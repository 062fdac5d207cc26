"""What differs between the RabbitMQ releases that the broker can stand in for.

A profile is data: code that behaves differently under two releases asks the profile, by the name of
the fact and never by the version. A newer release is the one before it with some facts replaced.
Every fact was seen on a live node of that release (3.10.8, 4.0.5 and 4.3.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ammoo_wire import PROTOCOL_HEADER

__all__ = ["PROFILES", "Profile", "profile_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One release of RabbitMQ, as far as AMQP 0-9-1 shows it."""

    name: str
    version: str
    platform: str
    copyright: str
    information: str
    mechanisms: tuple[str, ...]
    """The SASL mechanisms that are offered if nothing else is asked for."""
    unknown_header_reply: bytes
    """What a client hears that does not speak AMQP 0-9-1."""
    header_replies: Mapping[bytes, bytes]
    """Protocol headers that are answered otherwise."""
    unknown_exchange_type_closes_connection: bool
    refusals_name_the_permission: bool
    """Whether a refusal speaks of write access, or just of access."""
    deleted_virtualhost_word: str
    """What clients of a deleted virtual host hear of it. 4.0 says either word, which is a race."""
    accepted_headers: Mapping[bytes, tuple[int, int]]
    """The protocol headers that are taken, and the version that they are answered with."""
    smallest_frame_max: int
    """The smallest frames that a client may agree to; its first methods may be as large, too."""
    checks_body_sizes: bool
    """Whether a body longer than announced, or announced with more than 512 MiB, is refused at
    once."""
    checks_delivery_mode: bool
    sorts_headers: bool
    """Whether consumers get a message's headers in the order of their names."""
    channel_limit_names_the_node: bool
    """Whether who has too many channels is called by the name of the node."""
    channel_limit_in_parentheses: bool
    """Whether the number of channels that a user may have stands in parentheses."""
    new_secrets_cancel_consumers: bool
    """Whether connection.update-secret cancels consumers of queues that may not be read any more."""
    topic_permissions_check_all_keys: bool
    """Whether a topic permission is needed for the routing keys in CC and BCC, too."""
    passive_declares_need_permission: bool
    """Whether a passive declare needs some permission, be it to configure, to write or to read."""
    checks_queue_limit_first: bool
    """Whether a virtual host's limit of queues comes before the arguments of a new one."""
    checks_user_id_first: bool
    """Whether a wrong user-id is noticed before a wrong expiration or CC header."""
    missing_exchange_types: frozenset[str]
    invalid_exchange_types: frozenset[str]
    """Types that are called invalid, not unknown: the node was seen to know these words (atoms)."""
    has_log_exchange: bool
    """Whether the default virtual host has the internal topic exchange amq.rabbitmq.log."""
    most_topic_wildcards: int | None
    """How many words ``#`` a binding key of a topic exchange may have."""
    headers_compare_numbers_by_value: bool
    """Whether 1 matches 1.0 in a headers exchange, and timestamps each other."""
    void_queue_type_crashes: bool
    empty_queue_type_is_classic: bool
    queue_modes: tuple[str, ...]
    """What x-queue-mode may be; anything if empty."""
    queue_versions: tuple[int, ...]
    """What x-queue-version may be."""
    further_arguments: Mapping[str, tuple[str, ...]]
    """Arguments that queues of a type have in this release beside those of all releases, in the
    order of comparison."""
    queue_type_is_always_an_argument: bool
    """Whether a queue declared without x-queue-type has it as ``classic``."""
    leader_locators: tuple[str, ...]
    """What x-queue-leader-locator may be."""
    last_death_headers: bool
    """Whether x-last-death-reason, -queue and -exchange are added."""
    explicit_dead_letter_key_drops_cc: bool
    removes_first_of_equal_routing_keys: bool
    """Which of a routing key in CC and the same in BCC is left out of x-death."""
    honours_published_deaths: bool
    """Whether an x-death header that a client made counts as history."""
    nobody_takes_over_after_requeue: bool
    """Whether a single active consumer that has requeued its last delivery has no successor yet."""
    single_active_consumer_by_priority: bool
    """Whether a quorum queue's newcomer of higher priority takes over."""
    lowest_max_priority: int
    """What x-max-priority is taken for if it is lower."""
    default_delivery_limit: int | None
    negative_delivery_limit_is_none: bool
    """Whether a negative x-delivery-limit means that there is no limit."""
    quorum_queues_have_priorities: bool
    """Whether quorum queues prefer messages of a priority above 4."""
    quorum_consumers_return_by_age: bool
    """Whether what a channel leaves behind comes back in the order of its consumers' ages.

    Otherwise it comes in the order of their tags.
    """
    classic_queues_count_failures: bool
    """Whether a classic queue counts failed deliveries, and calls a dead letter that has some
    redelivered."""
    quorum_queues_retry: bool
    """Whether quorum queues tell failed deliveries from returned ones, have 32 priorities, delay
    retries and time their consumers out."""
    dead_letters_keep_failed_deliveries: bool
    """Whether a quorum queue tells of those in the quorum queues that a message died in before."""
    first_get_tells_delivery_count: bool
    """Whether basic.get on a quorum queue tells of a count of 0."""
    queues_have_masters: bool
    """Whether classic queues can be mirrored, and have x-cancel-on-ha-failover."""
    refuses_master_locators: bool
    """Whether x-queue-master-locator is refused, as a deprecated feature."""
    global_qos_is_per_consumer: bool
    """Whether a global prefetch is taken for that of each later consumer."""
    commits_look_queues_up: bool
    """Whether tx.commit looks up by name the queues that publishes were routed to; else a queue
    that is deleted, or declared anew, makes the commit fail."""
    commits_fail_without_queues: bool
    """Whether a queue that is gone at tx.commit costs the connection."""
    reply_names_are_queues: bool
    """Whether names for direct replies are called queues (volatile ones): a reply is routed then,
    and counts as a delivery."""
    accepts_cancel_ok: bool
    """Whether a client may send basic.cancel-ok, which ends a consumer as basic.cancel does."""
    master_locators: tuple[str, ...]
    """What a policy may have for its queue-master-locator."""
    policy_targets: tuple[str, ...]
    """What a policy can apply to."""
    policy_keys: frozenset[str]
    """What a policy can decide."""
    operator_policy_keys: frozenset[str]
    """What an operator policy can decide."""
    policy_keys_foreign_to: Mapping[str, frozenset[str]]
    """What keeps a policy from applying to queues of a type."""
    policies_overrule: Mapping[str, frozenset[str]]
    """What a policy decides for queues of a type even if they have it as an argument."""
    queues_have_consumer_timeouts: bool
    consumers_have_timeouts: bool
    """Whether quorum queues measure how long deliveries stay unsettled, and cancel the consumer.

    Otherwise channels measure, for queues of every type, and are closed.
    """
    streams_have_filters: bool
    streams_watch_age: bool
    """Whether streams look by themselves for what has become too old."""
    streams_refuse_rejections: bool
    """Whether basic.nack and basic.reject are refused on a stream, and how its refusals sound."""
    streams_have_annotations: bool
    """Whether streams keep arrays and tables in headers whose names begin with x-, and in CC."""
    streams_check_offsets: bool
    """Whether an x-stream-offset that is no offset is refused; else the connection dies of it."""
    stream_filter_size_error: str
    """How a wrong x-stream-filter-size-bytes is refused."""
    streams_set_delivery_mode: bool
    """Whether what comes from a stream always says whether it was persistent."""
    max_message_size: int

    def answer_to_header(self, header: bytes) -> bytes:
        """Give what a client hears whose protocol header is not taken."""
        return self.header_replies.get(header, self.unknown_header_reply)

    def server_properties(self, cluster_name: str, version: tuple[int, int]) -> dict[str, Any]:
        """Give the table that connection.start carries; AMQP 0-8 knew no capabilities."""
        capabilities = CAPABILITIES if version == (0, 9) else ()
        return {
            "capabilities": dict.fromkeys(capabilities, True),
            "cluster_name": cluster_name,
            "copyright": self.copyright,
            "information": self.information,
            "platform": self.platform,
            "product": "RabbitMQ",
            "version": self.version,
        }


CAPABILITIES = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)

_POLICY_KEYS = frozenset(
    (
        "alternate-exchange",
        "dead-letter-exchange",
        "dead-letter-routing-key",
        "dead-letter-strategy",
        "delivery-limit",
        "expires",
        "initial-cluster-size",
        "max-age",
        "max-in-memory-bytes",
        "max-in-memory-length",
        "max-length",
        "max-length-bytes",
        "message-ttl",
        "overflow",
        "queue-leader-locator",
        "queue-master-locator",
        "queue-mode",
        "queue-version",
        "stream-max-segment-size-bytes",
    )
)
_MIRRORING_KEYS = frozenset(
    (
        "ha-mode",
        "ha-params",
        "ha-promote-on-failure",
        "ha-promote-on-shutdown",
        "ha-sync-batch-size",
        "ha-sync-mode",
    )
)
_OPERATOR_POLICY_KEYS = frozenset(
    (
        "delivery-limit",
        "expires",
        "max-in-memory-bytes",
        "max-in-memory-length",
        "max-length",
        "max-length-bytes",
        "message-ttl",
    )
)
_CLASSIC_KEYS = frozenset(("queue-master-locator", "queue-mode")) | _MIRRORING_KEYS - {
    "ha-sync-batch-size"
}
_STREAM_KEYS = frozenset(("initial-cluster-size", "max-age", "stream-max-segment-size-bytes"))
_KEYS_FOREIGN_TO_STREAMS = _CLASSIC_KEYS | {
    "dead-letter-exchange",
    "dead-letter-routing-key",
    "dead-letter-strategy",
    "delivery-limit",
    "expires",
    "max-in-memory-bytes",
    "max-in-memory-length",
    "max-length",
    "message-ttl",
    "overflow",
}
_OVERRULED_OF_STREAMS = _STREAM_KEYS | {"max-length-bytes"}
_KEYS_FOREIGN_TO_CLASSIC = _STREAM_KEYS | {"dead-letter-strategy", "delivery-limit"}

_RETRY_KEYS = frozenset(("delayed-retry-type", "delayed-retry-min", "delayed-retry-max"))

_HEADERS = {PROTOCOL_HEADER: (0, 9), b"AMQP\x01\x01\x00\x09": (0, 9)}

_KNOWN_WORDS = frozenset(("", "badtype", "error", "foo", "ok", "queue", "rabbit"))

_3_10 = Profile(
    name="3.10",
    version="3.10.8",
    platform="Erlang/OTP 25.2.3",
    copyright="Copyright (c) 2007-2022 VMware, Inc. or its affiliates.",
    information="Licensed under the MPL 2.0. Website: https://rabbitmq.com",
    mechanisms=("PLAIN", "AMQPLAIN"),
    unknown_header_reply=PROTOCOL_HEADER,
    header_replies={},
    unknown_exchange_type_closes_connection=True,
    refusals_name_the_permission=False,
    deleted_virtualhost_word="deleted",
    accepted_headers={**_HEADERS, b"AMQP\x01\x01\x08\x00": (8, 0)},
    smallest_frame_max=4096,
    checks_body_sizes=False,
    checks_delivery_mode=True,
    sorts_headers=False,
    channel_limit_names_the_node=False,
    channel_limit_in_parentheses=True,
    new_secrets_cancel_consumers=False,
    topic_permissions_check_all_keys=False,
    passive_declares_need_permission=False,
    checks_queue_limit_first=True,
    checks_user_id_first=True,
    missing_exchange_types=frozenset(("x-local-random", "x-modulus-hash")),
    invalid_exchange_types=_KNOWN_WORDS,
    has_log_exchange=False,
    most_topic_wildcards=None,
    headers_compare_numbers_by_value=True,
    void_queue_type_crashes=True,
    empty_queue_type_is_classic=False,
    queue_modes=("default", "lazy"),
    queue_versions=(1, 2),
    further_arguments={},
    queue_type_is_always_an_argument=False,
    leader_locators=("client-local", "balanced", "random", "least-leaders"),
    last_death_headers=False,
    explicit_dead_letter_key_drops_cc=True,
    removes_first_of_equal_routing_keys=False,
    honours_published_deaths=True,
    nobody_takes_over_after_requeue=True,
    single_active_consumer_by_priority=False,
    lowest_max_priority=0,
    default_delivery_limit=None,
    negative_delivery_limit_is_none=False,
    quorum_queues_have_priorities=False,
    quorum_consumers_return_by_age=False,
    classic_queues_count_failures=False,
    quorum_queues_retry=False,
    dead_letters_keep_failed_deliveries=False,
    first_get_tells_delivery_count=True,
    queues_have_masters=True,
    refuses_master_locators=False,
    global_qos_is_per_consumer=False,
    commits_look_queues_up=True,
    commits_fail_without_queues=False,
    reply_names_are_queues=False,
    accepts_cancel_ok=False,
    master_locators=("client-local", "min-masters", "random"),
    policy_targets=("all", "queues", "exchanges"),
    policy_keys=_POLICY_KEYS | _MIRRORING_KEYS,
    operator_policy_keys=_OPERATOR_POLICY_KEYS,
    policy_keys_foreign_to={
        "classic": _KEYS_FOREIGN_TO_CLASSIC | {"queue-leader-locator"},
        "quorum": _CLASSIC_KEYS | _STREAM_KEYS,
        "stream": _KEYS_FOREIGN_TO_STREAMS,
    },
    policies_overrule={
        "classic": frozenset(),
        "quorum": frozenset(("expires", "overflow")),
        "stream": _OVERRULED_OF_STREAMS,
    },
    queues_have_consumer_timeouts=False,
    consumers_have_timeouts=False,
    streams_have_filters=False,
    streams_watch_age=False,
    streams_refuse_rejections=True,
    streams_have_annotations=False,
    streams_check_offsets=False,
    stream_filter_size_error="Invalid value for  x-stream-filter-size-bytes",
    streams_set_delivery_mode=False,
    max_message_size=134_217_728,
)

_4_0 = Profile(
    name="4.0",
    version="4.0.5",
    platform="Erlang/OTP 27.3.4.1",
    copyright="Copyright (c) 2007-2024 Broadcom Inc and/or its subsidiaries",
    information="Licensed under the MPL 2.0. Website: https://rabbitmq.com",
    mechanisms=("PLAIN", "AMQPLAIN", "ANONYMOUS"),
    unknown_header_reply=b"AMQP\x03\x01\x00\x00",
    header_replies={b"AMQP\x00\x00\x09\x00": PROTOCOL_HEADER},
    unknown_exchange_type_closes_connection=False,
    refusals_name_the_permission=True,
    deleted_virtualhost_word="down",
    accepted_headers=_HEADERS,
    smallest_frame_max=4096,
    checks_body_sizes=False,
    checks_delivery_mode=False,
    sorts_headers=True,
    channel_limit_names_the_node=True,
    channel_limit_in_parentheses=True,
    new_secrets_cancel_consumers=False,
    topic_permissions_check_all_keys=True,
    passive_declares_need_permission=False,
    checks_queue_limit_first=False,
    checks_user_id_first=False,
    missing_exchange_types=frozenset(("x-modulus-hash",)),
    invalid_exchange_types=_KNOWN_WORDS,
    has_log_exchange=False,
    most_topic_wildcards=None,
    headers_compare_numbers_by_value=False,
    void_queue_type_crashes=False,
    empty_queue_type_is_classic=False,
    queue_modes=("default", "lazy"),
    queue_versions=(1, 2),
    further_arguments={"classic": ("x-queue-leader-locator",)},
    queue_type_is_always_an_argument=True,
    leader_locators=("client-local", "balanced", "random", "least-leaders", "min-masters"),
    last_death_headers=True,
    explicit_dead_letter_key_drops_cc=False,
    removes_first_of_equal_routing_keys=True,
    honours_published_deaths=False,
    nobody_takes_over_after_requeue=True,
    single_active_consumer_by_priority=True,
    lowest_max_priority=1,
    default_delivery_limit=20,
    negative_delivery_limit_is_none=True,
    quorum_queues_have_priorities=True,
    quorum_consumers_return_by_age=True,
    classic_queues_count_failures=False,
    quorum_queues_retry=False,
    dead_letters_keep_failed_deliveries=True,
    first_get_tells_delivery_count=False,
    queues_have_masters=False,
    refuses_master_locators=False,
    global_qos_is_per_consumer=False,
    commits_look_queues_up=False,
    commits_fail_without_queues=False,
    reply_names_are_queues=False,
    accepts_cancel_ok=False,
    master_locators=("client-local", "balanced", "random", "least-leaders", "min-masters"),
    policy_targets=(
        "all",
        "queues",
        "classic_queues",
        "quorum_queues",
        "streams",
        "exchanges",
    ),
    policy_keys=_POLICY_KEYS
    | {"consumer-timeout", "stream-filter-size-bytes", "target-group-size"},
    operator_policy_keys=_OPERATOR_POLICY_KEYS
    | {"overflow", "queue-master-locator", "queue-version", "target-group-size"},
    policy_keys_foreign_to={
        "classic": _KEYS_FOREIGN_TO_CLASSIC
        | {"max-in-memory-bytes", "max-in-memory-length", "target-group-size"},
        "quorum": _CLASSIC_KEYS | _STREAM_KEYS,
        "stream": _KEYS_FOREIGN_TO_STREAMS | {"target-group-size"},
    },
    policies_overrule={
        "classic": frozenset(),
        "quorum": frozenset(("overflow",)),
        "stream": _OVERRULED_OF_STREAMS,
    },
    queues_have_consumer_timeouts=True,
    consumers_have_timeouts=False,
    streams_have_filters=True,
    streams_watch_age=True,
    streams_refuse_rejections=False,
    streams_have_annotations=True,
    streams_check_offsets=False,
    stream_filter_size_error="Invalid value for  x-stream-filter-size-bytes",
    streams_set_delivery_mode=True,
    max_message_size=16_777_216,
)

_4_3 = replace(
    _4_0,
    name="4.3",
    version="4.3.6",
    platform="Erlang/OTP 29.1.1",
    copyright="Copyright (c) 2007-2026 Broadcom Inc and/or its subsidiaries",
    # Any order was seen, one for each start of a node; this one punishes who takes the first.
    mechanisms=("ANONYMOUS", "PLAIN", "AMQPLAIN"),
    smallest_frame_max=8192,
    checks_body_sizes=True,
    channel_limit_names_the_node=False,
    channel_limit_in_parentheses=False,
    new_secrets_cancel_consumers=True,
    passive_declares_need_permission=True,
    missing_exchange_types=frozenset(),
    invalid_exchange_types=_KNOWN_WORDS | {"x-random"},
    has_log_exchange=True,
    most_topic_wildcards=2,
    empty_queue_type_is_classic=True,
    queue_modes=(),
    queue_versions=(2,),
    further_arguments={
        "classic": ("x-queue-leader-locator",),
        "quorum": (
            "x-consumer-disconnected-timeout",
            "x-consumer-timeout",
            "x-delayed-retry-type",
            "x-delayed-retry-min",
            "x-delayed-retry-max",
        ),
        "stream": ("x-stream-filter-size-bytes",),
    },
    refuses_master_locators=True,
    policy_keys=_4_0.policy_keys - {"queue-master-locator"}
    | _RETRY_KEYS
    | {"consumer-disconnected-timeout"},
    operator_policy_keys=_4_0.operator_policy_keys - {"queue-master-locator"} | _RETRY_KEYS,
    policies_overrule={
        **_4_0.policies_overrule,
        "quorum": frozenset(("overflow", "delayed-retry-type")),
    },
    global_qos_is_per_consumer=True,
    commits_fail_without_queues=True,
    reply_names_are_queues=True,
    accepts_cancel_ok=True,
    consumers_have_timeouts=True,
    classic_queues_count_failures=True,
    quorum_queues_retry=True,
    nobody_takes_over_after_requeue=False,
    streams_check_offsets=True,
    stream_filter_size_error="Invalid value for x-stream-filter-size-bytes",
)

PROFILES = {profile.name: profile for profile in (_3_10, _4_0, _4_3)}


def profile_named(compatibility: str) -> Profile:
    """Look a profile up.

    Raises:
        ValueError: There is none of that name.
    """
    try:
        return PROFILES[compatibility]
    except KeyError:
        known = " or ".join(repr(name) for name in PROFILES)
        raise ValueError(f"compatibility is {compatibility!r}; expected {known}") from None
