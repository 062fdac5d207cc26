"""The differences between the RabbitMQ releases that the broker can imitate.

A profile is data. Code that behaves differently for two releases asks the profile for a fact by its
name, and never for the version. Each fact was seen on a live node of the release (3.10.8, 4.0.5 and
4.3.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ammoo_wire import PROTOCOL_HEADER

__all__ = ["PROFILES", "Profile", "profile_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One release of RabbitMQ, as AMQP 0-9-1 shows it."""

    name: str
    version: str
    platform: str
    copyright: str
    information: str
    mechanisms: tuple[str, ...]
    """The SASL mechanisms that are offered by default."""
    unknown_header_reply: bytes
    """The answer to a protocol header that is not AMQP 0-9-1."""
    header_replies: Mapping[bytes, bytes]
    """The answers to particular protocol headers that are not accepted."""
    unknown_exchange_type_closes_connection: bool
    refusals_name_the_permission: bool
    """Whether a 403 names the missing permission, as in ``write access``."""
    deleted_virtualhost_word: str
    """The word in the 320 for clients of a deleted virtual host; in 4.0 a race decides about it."""
    accepted_headers: Mapping[bytes, tuple[int, int]]
    """The protocol headers that are accepted, and the version in the answer."""
    smallest_frame_max: int
    """The smallest frame_max that a client may choose, and the limit before tuning, in octets."""
    checks_body_sizes: bool
    """Whether a body longer than announced, or announced with more than 512 MiB, is refused at
    once."""
    checks_delivery_mode: bool
    sorts_headers: bool
    """Whether consumers get the headers of a message sorted by name."""
    rewrites_expiration: bool
    """Whether consumers get an expiration as a plain number, such as ``100`` for ``0100``."""
    channel_limit_names_the_node: bool
    """Whether the 530 for too many channels has the node's name in place of the user's."""
    channel_limit_in_parentheses: bool
    """Whether the limit of a user's channels is in parentheses in the error."""
    new_secrets_cancel_consumers: bool
    """Whether connection.update-secret cancels consumers whose queues may no longer be read."""
    transient_exchanges_survive_restart: bool
    """Whether exchanges that are not durable exist after a restart."""
    restart_runs_auto_delete: bool
    """Whether an auto-delete exchange is deleted if a restart deletes its last binding."""
    restart_forgets_redelivery: bool
    """Whether a restart clears the redelivered flag of messages that are ready in a classic queue."""
    closes_expired_connections: bool
    """Whether connections are closed when their token of OAuth 2 expires; otherwise methods fail."""
    topic_permissions_check_all_keys: bool
    """Whether the routing keys in CC and BCC need a topic permission as well."""
    passive_declares_need_permission: bool
    """Whether a passive declare needs a permission: configure, write or read."""
    checks_queue_limit_first: bool
    """Whether the limit of queues is checked before the arguments of a new queue."""
    checks_user_id_first: bool
    """Whether the user-id is checked before the expiration and the CC header."""
    feature_flags: tuple[str, ...]
    """The feature flags of the release and its management plugin."""
    deprecated_features: Mapping[str, str]
    """The deprecated features, and the phase of each; empty if the release has no list of them."""
    shows_deprecated_states: bool
    """Whether the list of deprecated features states whether each one is permitted."""
    erlang_version: str
    """The release of Erlang that it was compared on, which the management API names."""
    api_shows_drains_and_timeouts: bool
    """Whether the management API shows being_drained of nodes and consumer_timeout of consumers."""
    clusters_have_tags: bool
    """Whether there is a global parameter cluster_tags."""
    missing_exchange_types: frozenset[str]
    queues_have_type_arguments: bool
    """Whether each queue has the argument x-queue-type in definitions, declared or not."""
    most_hash_weight: int | None
    """The highest weight of a binding of a consistent hash exchange; None for no limit."""
    hashes_header_types: bool
    """Whether a consistent hash exchange hashes the type of a header with its value."""
    delays_are_annotations: bool
    """Whether RabbitMQ stores x-delay as an annotation of the message and not as a header.

    If so, consumers get the negated delay as a long instead of the published value, a byte array of
    digits is a delay, a signed byte is none, and a void value crashes the channel.
    """
    streams_get_delayed_messages: bool
    """Whether streams receive delayed messages."""
    invalid_exchange_types: frozenset[str]
    """Names that the error for an unknown exchange type calls invalid: they are atoms in the node."""
    has_log_exchange: bool
    """Whether the default virtual host has the internal topic exchange amq.rabbitmq.log."""
    most_topic_wildcards: int | None
    """How many words ``#`` a binding key of a topic exchange may have; None for no limit."""
    headers_compare_numbers_by_value: bool
    """Whether 1 matches 1.0 in a headers exchange, and equal timestamps match."""
    empty_queue_type_is_classic: bool
    queue_modes: tuple[str, ...]
    """The values of x-queue-mode; empty if it is not checked."""
    queue_versions: tuple[int, ...]
    """The values of x-queue-version."""
    further_arguments: Mapping[str, tuple[str, ...]]
    """Arguments that queues of a type have in this release beside those of all releases, in the
    order of comparison."""
    queue_type_is_always_an_argument: bool
    """Whether a declaration without x-queue-type gets the argument ``classic``."""
    leader_locators: tuple[str, ...]
    """The values of x-queue-leader-locator."""
    last_death_headers: bool
    """Whether x-last-death-reason, -queue and -exchange are added."""
    explicit_dead_letter_key_drops_cc: bool
    removes_first_of_equal_routing_keys: bool
    """Whether x-death leaves out a key in CC, not in BCC, if it is in both."""
    honours_published_deaths: bool
    """Whether the broker continues an x-death header that a client has published."""
    handover_waits_after_requeue: bool
    """Whether no consumer takes over when a single active consumer requeues its last delivery."""
    single_active_consumer_by_priority: bool
    """Whether a new consumer of higher priority becomes the single active one of a quorum queue."""
    lowest_max_priority: int
    """The lowest effective x-max-priority."""
    default_delivery_limit: int | None
    negative_delivery_limit_is_none: bool
    """Whether a negative x-delivery-limit means that there is no limit."""
    quorum_queues_have_priorities: bool
    """Whether quorum queues prefer messages of a priority above 4."""
    quorum_consumers_return_by_age: bool
    """Whether a closed channel's messages return in the order of its consumers' ages.

    Otherwise they return in the order of the consumer tags.
    """
    classic_queues_count_failures: bool
    """Whether a classic queue counts failed deliveries, and marks a dead letter that has failed
    deliveries as redelivered."""
    refusals_print_queue_type: bool
    """Whether the refusal of basic.get with a single active consumer prints the queue type as an
    Erlang term."""
    quorum_queues_retry: bool
    """Whether quorum queues distinguish failed deliveries from returned ones, have 32 priorities,
    delayed retries and consumer timeouts."""
    dead_letters_keep_failed_deliveries: bool
    """Whether x-delivery-count includes the failures in queues that dead-lettered the message."""
    first_get_states_delivery_count: bool
    """Whether basic.get on a quorum queue adds an x-delivery-count of 0."""
    queues_have_masters: bool
    """Whether classic queues can be mirrored, and have x-cancel-on-ha-failover."""
    refuses_master_locators: bool
    """Whether x-queue-master-locator is refused, as a deprecated feature."""
    global_qos_is_per_consumer: bool
    """Whether a global prefetch is the prefetch of each later consumer, and not a shared one."""
    commits_look_queues_up: bool
    """Whether tx.commit looks up by name the queues that publishes were routed to. Otherwise the
    commit fails if such a queue was deleted, even if it was declared again."""
    commits_fail_without_queues: bool
    """Whether tx.commit closes the connection if a queue does not exist any more."""
    reply_names_are_queues: bool
    """Whether the names for direct replies are volatile queues: a reply is then routed to a queue,
    and counts as a delivery."""
    accepts_cancel_ok: bool
    """Whether a client may send basic.cancel-ok, which cancels a consumer."""
    master_locators: tuple[str, ...]
    """The values of queue-master-locator in a policy."""
    policy_targets: tuple[str, ...]
    """The values of a policy's apply_to."""
    policy_keys: frozenset[str]
    """The keys of a policy's definition."""
    operator_policy_keys: frozenset[str]
    """The keys of an operator policy's definition."""
    policy_keys_foreign_to: Mapping[str, frozenset[str]]
    """By queue type, the keys with which a policy does not apply."""
    policies_overrule: Mapping[str, frozenset[str]]
    """By queue type, the keys that override a queue's own argument."""
    queues_have_consumer_timeouts: bool
    consumers_have_timeouts: bool
    """Whether quorum queues enforce the consumer timeout, and cancel the consumer.

    Otherwise channels enforce it, for queues of all types, and are closed.
    """
    streams_have_filters: bool
    streams_watch_age: bool
    """Whether streams check for old segments at regular intervals."""
    streams_refuse_rejections: bool
    """Whether streams refuse basic.nack and basic.reject; if so, their errors have older texts."""
    streams_have_annotations: bool
    """Whether streams keep arrays and tables in headers whose names begin with x-, and in CC.

    Such a release also converts byte arrays to strings, and sets a missing delivery mode to 1.
    """
    streams_take_dead_letters: bool
    """Whether a dead letter arrives in a stream; otherwise it is lost."""
    streams_check_offsets: bool
    """Whether an invalid x-stream-offset is refused (406); otherwise it closes the connection."""
    stream_filter_size_error: str
    """The text of the error for an invalid x-stream-filter-size-bytes."""
    max_message_size: int

    def answer_to_header(self, header: bytes) -> bytes:
        """Return the answer to a protocol header that is not accepted."""
        return self.header_replies.get(header, self.unknown_header_reply)

    def server_properties(self, cluster_name: str, version: tuple[int, int]) -> dict[str, Any]:
        """Return the server properties of connection.start; AMQP 0-8 has no capabilities."""
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

_FEATURE_FLAGS = (
    "classic_mirrored_queue_version",
    "drop_unroutable_metric",
    "empty_basic_get_metric",
    "implicit_default_bindings",
    "maintenance_mode_status",
    "quorum_queue",
    "stream_queue",
    "user_limits",
    "virtual_host_metadata",
)
_LATER_FEATURE_FLAGS = (
    "classic_queue_type_delivery_support",
    "detailed_queues_endpoint",
    "direct_exchange_routing_v2",
    "feature_flags_v2",
    "khepri_db",
    "listener_records_in_ets",
    "message_containers",
    "message_containers_deaths_v2",
    "quorum_queue_non_voters",
    "rabbit_exchange_type_local_random",
    "rabbitmq_4.0.0",
    "restart_streams",
    "stream_filtering",
    "stream_sac_coordinator_unblock_group",
    "stream_single_active_consumer",
    "stream_update_config_command",
    "tracking_records_in_ets",
)
_LATEST_FEATURE_FLAGS = (
    "rabbitmq_4.1.0",
    "rabbitmq_4.2.0",
    "rabbitmq_4.3.0",
    "tie_binding_to_dest_with_keep_while_cond",
    "topic_binding_projection_v4",
    "topic_binding_projection_v5",
    "track_qq_members_uids",
)

_DEPRECATED_IN_4_0 = {
    **dict.fromkeys(
        (
            "amqp_address_v1",
            "global_qos",
            "management_metrics_collection",
            "queue_master_locator",
            "ram_node_type",
            "transient_nonexcl_queues",
        ),
        "permitted_by_default",
    ),
    "classic_queue_mirroring": "removed",
}
_DEPRECATED_IN_4_3 = {
    **dict.fromkeys(
        ("amqp_address_v1", "amqp_filter_set_bug", "global_qos", "queue_master_locator"),
        "denied_by_default",
    ),
    **dict.fromkeys(
        ("management_metrics_collection", "transient_nonexcl_queues"), "permitted_by_default"
    ),
    **dict.fromkeys(("classic_queue_mirroring", "ram_node_type"), "removed"),
}

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
    rewrites_expiration=False,
    channel_limit_names_the_node=False,
    channel_limit_in_parentheses=True,
    new_secrets_cancel_consumers=False,
    transient_exchanges_survive_restart=False,
    restart_runs_auto_delete=False,
    restart_forgets_redelivery=False,
    closes_expired_connections=False,
    topic_permissions_check_all_keys=False,
    passive_declares_need_permission=False,
    checks_queue_limit_first=True,
    checks_user_id_first=True,
    feature_flags=_FEATURE_FLAGS,
    deprecated_features={},
    shows_deprecated_states=False,
    erlang_version="25.2.3",
    api_shows_drains_and_timeouts=False,
    clusters_have_tags=False,
    missing_exchange_types=frozenset(("x-local-random", "x-modulus-hash")),
    queues_have_type_arguments=False,
    most_hash_weight=None,
    hashes_header_types=True,
    delays_are_annotations=False,
    streams_get_delayed_messages=False,
    invalid_exchange_types=_KNOWN_WORDS,
    has_log_exchange=False,
    most_topic_wildcards=None,
    headers_compare_numbers_by_value=True,
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
    handover_waits_after_requeue=True,
    single_active_consumer_by_priority=False,
    lowest_max_priority=0,
    default_delivery_limit=None,
    negative_delivery_limit_is_none=False,
    quorum_queues_have_priorities=False,
    quorum_consumers_return_by_age=False,
    classic_queues_count_failures=False,
    refusals_print_queue_type=False,
    quorum_queues_retry=False,
    dead_letters_keep_failed_deliveries=False,
    first_get_states_delivery_count=True,
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
    streams_take_dead_letters=False,
    streams_check_offsets=False,
    stream_filter_size_error="Invalid value for  x-stream-filter-size-bytes",
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
    rewrites_expiration=True,
    channel_limit_names_the_node=True,
    channel_limit_in_parentheses=True,
    new_secrets_cancel_consumers=False,
    transient_exchanges_survive_restart=False,
    restart_runs_auto_delete=False,
    restart_forgets_redelivery=False,
    closes_expired_connections=False,
    topic_permissions_check_all_keys=True,
    passive_declares_need_permission=False,
    checks_queue_limit_first=False,
    checks_user_id_first=False,
    feature_flags=_FEATURE_FLAGS + _LATER_FEATURE_FLAGS,
    deprecated_features=_DEPRECATED_IN_4_0,
    shows_deprecated_states=False,
    erlang_version="27.3.4.1",
    api_shows_drains_and_timeouts=True,
    clusters_have_tags=True,
    missing_exchange_types=frozenset(("x-modulus-hash",)),
    queues_have_type_arguments=True,
    most_hash_weight=None,
    hashes_header_types=False,
    delays_are_annotations=True,
    streams_get_delayed_messages=True,
    invalid_exchange_types=_KNOWN_WORDS,
    has_log_exchange=False,
    most_topic_wildcards=None,
    headers_compare_numbers_by_value=False,
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
    handover_waits_after_requeue=True,
    single_active_consumer_by_priority=True,
    lowest_max_priority=1,
    default_delivery_limit=20,
    negative_delivery_limit_is_none=True,
    quorum_queues_have_priorities=True,
    quorum_consumers_return_by_age=True,
    classic_queues_count_failures=False,
    refusals_print_queue_type=False,
    quorum_queues_retry=False,
    dead_letters_keep_failed_deliveries=True,
    first_get_states_delivery_count=False,
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
    streams_take_dead_letters=True,
    streams_check_offsets=False,
    stream_filter_size_error="Invalid value for  x-stream-filter-size-bytes",
    max_message_size=16_777_216,
)

_4_3 = replace(
    _4_0,
    name="4.3",
    version="4.3.6",
    platform="Erlang/OTP 29.1.1",
    copyright="Copyright (c) 2007-2026 Broadcom Inc and/or its subsidiaries",
    # The order differs from node start to node start. With this one a client fails that takes the
    # first mechanism.
    mechanisms=("ANONYMOUS", "PLAIN", "AMQPLAIN"),
    smallest_frame_max=8192,
    checks_body_sizes=True,
    channel_limit_names_the_node=False,
    channel_limit_in_parentheses=False,
    new_secrets_cancel_consumers=True,
    transient_exchanges_survive_restart=True,
    restart_runs_auto_delete=True,
    restart_forgets_redelivery=True,
    closes_expired_connections=True,
    passive_declares_need_permission=True,
    feature_flags=_FEATURE_FLAGS + _LATER_FEATURE_FLAGS + _LATEST_FEATURE_FLAGS,
    deprecated_features=_DEPRECATED_IN_4_3,
    shows_deprecated_states=True,
    erlang_version="29.1.1",
    api_shows_drains_and_timeouts=True,
    clusters_have_tags=True,
    missing_exchange_types=frozenset(),
    queues_have_type_arguments=True,
    most_hash_weight=10_000,
    hashes_header_types=False,
    delays_are_annotations=True,
    streams_get_delayed_messages=True,
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
    refusals_print_queue_type=True,
    quorum_queues_retry=True,
    handover_waits_after_requeue=False,
    streams_check_offsets=True,
    stream_filter_size_error="Invalid value for x-stream-filter-size-bytes",
)

PROFILES = {profile.name: profile for profile in (_3_10, _4_0, _4_3)}


def profile_named(compatibility: str) -> Profile:
    """Return the profile of a release, such as ``4.3``.

    Raises:
        ValueError: There is no profile of that name.
    """
    try:
        return PROFILES[compatibility]
    except KeyError:
        known = " or ".join(repr(name) for name in PROFILES)
        raise ValueError(f"compatibility is {compatibility!r}; expected {known}") from None
