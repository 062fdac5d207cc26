"""What differs between the RabbitMQ releases that the broker can stand in for.

A profile is data: whoever behaves differently under 3.10 and 4.0 asks the profile, by the name of
the fact and never by the version.
Every fact was seen on a live node of that release (3.10.8 and 4.0.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    fate_of_virtualhosts: str
    """What clients of a deleted virtual host hear of it. 4.0 says either word, which is a race."""
    accepted_headers: Mapping[bytes, tuple[int, int]]
    """The protocol headers that are taken, and the version that they are answered with."""
    checks_delivery_mode: bool
    sorts_headers: bool
    """Whether consumers get a message's headers in the order of their names."""
    channel_limit_names_the_node: bool
    """Whether who has too many channels is called by the name of the node."""
    checks_queue_limit_first: bool
    """Whether a virtual host's limit of queues comes before the arguments of a new one."""
    checks_user_id_first: bool
    """Whether a wrong user-id is noticed before a wrong expiration or CC header."""
    missing_exchange_types: frozenset[str]
    headers_compare_numbers_by_value: bool
    """Whether 1 matches 1.0 in a headers exchange, and timestamps each other."""
    dies_of_void_queue_type: bool
    queue_type_is_always_an_argument: bool
    """Whether a queue declared without x-queue-type has it as ``classic``."""
    classic_queues_check_leader_locator: bool
    last_death_headers: bool
    """Whether x-last-death-reason, -queue and -exchange are added."""
    explicit_dead_letter_key_drops_cc: bool
    removes_first_of_equal_routing_keys: bool
    """Which of a routing key in CC and the same in BCC is left out of x-death."""
    honours_published_deaths: bool
    """Whether an x-death header that a client made counts as history."""
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
    dead_letters_keep_failed_deliveries: bool
    """Whether a quorum queue tells of those in the quorum queues that a message died in before."""
    first_get_tells_delivery_count: bool
    """Whether basic.get on a quorum queue tells of a count of 0."""
    queues_have_masters: bool
    """Whether x-queue-master-locator is looked at."""
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
    streams_have_filters: bool
    streams_watch_age: bool
    """Whether streams look by themselves for what has become too old."""
    streams_refuse_rejections: bool
    """Whether basic.nack and basic.reject are refused on a stream, and how its refusals sound."""
    streams_have_annotations: bool
    """Whether streams keep arrays and tables in headers whose names begin with x-, and in CC."""
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

_HEADERS = {PROTOCOL_HEADER: (0, 9), b"AMQP\x01\x01\x00\x09": (0, 9)}

PROFILES = {
    "3.10": Profile(
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
        fate_of_virtualhosts="deleted",
        accepted_headers={**_HEADERS, b"AMQP\x01\x01\x08\x00": (8, 0)},
        checks_delivery_mode=True,
        sorts_headers=False,
        channel_limit_names_the_node=False,
        checks_queue_limit_first=True,
        checks_user_id_first=True,
        missing_exchange_types=frozenset(("x-local-random",)),
        headers_compare_numbers_by_value=True,
        dies_of_void_queue_type=True,
        queue_type_is_always_an_argument=False,
        classic_queues_check_leader_locator=False,
        last_death_headers=False,
        explicit_dead_letter_key_drops_cc=True,
        removes_first_of_equal_routing_keys=False,
        honours_published_deaths=True,
        single_active_consumer_by_priority=False,
        lowest_max_priority=0,
        default_delivery_limit=None,
        negative_delivery_limit_is_none=False,
        quorum_queues_have_priorities=False,
        quorum_consumers_return_by_age=False,
        dead_letters_keep_failed_deliveries=False,
        first_get_tells_delivery_count=True,
        queues_have_masters=True,
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
        streams_have_filters=False,
        streams_watch_age=False,
        streams_refuse_rejections=True,
        streams_have_annotations=False,
        streams_set_delivery_mode=False,
        max_message_size=134_217_728,
    ),
    "4.0": Profile(
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
        fate_of_virtualhosts="down",
        accepted_headers=_HEADERS,
        checks_delivery_mode=False,
        sorts_headers=True,
        channel_limit_names_the_node=True,
        checks_queue_limit_first=False,
        checks_user_id_first=False,
        missing_exchange_types=frozenset(),
        headers_compare_numbers_by_value=False,
        dies_of_void_queue_type=False,
        queue_type_is_always_an_argument=True,
        classic_queues_check_leader_locator=True,
        last_death_headers=True,
        explicit_dead_letter_key_drops_cc=False,
        removes_first_of_equal_routing_keys=True,
        honours_published_deaths=False,
        single_active_consumer_by_priority=True,
        lowest_max_priority=1,
        default_delivery_limit=20,
        negative_delivery_limit_is_none=True,
        quorum_queues_have_priorities=True,
        quorum_consumers_return_by_age=True,
        dead_letters_keep_failed_deliveries=True,
        first_get_tells_delivery_count=False,
        queues_have_masters=False,
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
        streams_have_filters=True,
        streams_watch_age=True,
        streams_refuse_rejections=False,
        streams_have_annotations=True,
        streams_set_delivery_mode=True,
        max_message_size=16_777_216,
    ),
}


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
