"""Policies: optional arguments that an operator sets for queues and exchanges by their names.

There are policies and operator policies. At most one of each kind applies to a queue or exchange:
the one with the highest priority. This room finds it and merges it with the declared arguments; the
virtual host applies the result (`virtual_host.py`).
See https://www.rabbitmq.com/docs/policies
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..auth.users import check_pattern
from ..rabbitmq.arguments import CLASSIC, QUORUM, STREAM
from ..rabbitmq.erlang_terms import is_integer
from ..rabbitmq.profiles import Profile
from .policy_definitions import Definition, check_definition, check_priority

__all__ = ["AppliedPolicies", "Policies", "Policy"]

_QUEUES = {CLASSIC: "classic_queues", QUORUM: "quorum_queues", STREAM: "streams"}

_LOWEST_APPLIES = frozenset(
    (
        "consumer-disconnected-timeout",
        "consumer-timeout",
        "delayed-retry-max",
        "delayed-retry-min",
        "delivery-limit",
        "expires",
        "max-in-memory-bytes",
        "max-in-memory-length",
        "max-length",
        "max-length-bytes",
        "message-ttl",
    )
)


class Policy(NamedTuple):
    """A policy or an operator policy."""

    pattern: str
    """A regular expression that matches somewhere in the names."""
    definition: Definition
    priority: int
    apply_to: str

    def check(self, profile: Profile, *, by_operator: bool) -> None:
        """Check that a release of RabbitMQ accepts it, as a policy or as an operator policy.

        Raises:
            TypeError: The pattern is not a string.
            ValueError: The release refuses the policy; the text says why.
        """
        check_pattern("pattern", self.pattern)
        check_priority(self.priority)
        if self.apply_to not in profile.policy_targets:
            known = " or ".join(map(repr, profile.policy_targets))
            raise ValueError(f"apply_to is {self.apply_to!r}; expected {known}")
        known_keys = profile.operator_policy_keys if by_operator else profile.policy_keys
        check_definition(self.definition, known_keys, profile)

    def applies_to(self, name: str, *targets: str) -> bool:
        """Return whether the policy applies to a name, for one of these values of `apply_to`."""
        return self.apply_to in targets and re.search(self.pattern, name) is not None


class AppliedPolicies(NamedTuple):
    """The policies that apply to a queue."""

    policy: Policy | None
    operator_policy: Policy | None


class Policies:
    """The policies of a virtual host.

    Of several policies with the same priority the oldest applies; RabbitMQ does not define which.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._policies: dict[str, Policy] = {}
        self._operator_policies: dict[str, Policy] = {}

    def set(self, name: str, policy: Policy, *, by_operator: bool) -> None:
        """Add a valid policy, or replace the one of this name."""
        own_copy = policy._replace(definition=dict(policy.definition))
        self._of_kind(by_operator)[name] = own_copy

    def copy_from(self, other: Policies) -> None:
        """Have the policies of another virtual host, and no others."""
        self._policies = dict(other._policies)
        self._operator_policies = dict(other._operator_policies)

    def clear(self, name: str, *, by_operator: bool) -> None:
        """Remove a policy.

        Raises:
            LookupError: There is no such policy.
        """
        policies = self._of_kind(by_operator)
        if name not in policies:
            kind = "operator policy" if by_operator else "policy"
            known = ", ".join(map(repr, policies)) or "none"
            raise LookupError(f"the virtual host has no {kind} {name!r}; it has {known}")
        del policies[name]

    def by_name(self, *, by_operator: bool) -> Mapping[str, Policy]:
        """Return the policies, or the operator policies, by their names."""
        return self._of_kind(by_operator)

    def _of_kind(self, by_operator: bool) -> dict[str, Policy]:
        return self._operator_policies if by_operator else self._policies

    # -- which apply ---------------------------------------------------------------------------

    def of_queue(self, name: str, queue_type: str) -> AppliedPolicies:
        """Find the policies that apply to a queue.

        A policy with a key that queues of this type do not know does not apply at all.
        """
        foreign = self._profile.policy_keys_foreign_to[queue_type]

        def find(policies: Mapping[str, Policy]) -> Policy | None:
            return _highest(
                [
                    policy
                    for policy in policies.values()
                    if policy.applies_to(name, "all", "queues", _QUEUES[queue_type])
                    and foreign.isdisjoint(policy.definition)
                ]
            )

        return AppliedPolicies(find(self._policies), find(self._operator_policies))

    def of_exchange(self, name: str) -> Policy | None:
        """Find the policy that applies to an exchange; operator policies never do."""
        fitting = [
            each for each in self._policies.values() if each.applies_to(name, "all", "exchanges")
        ]
        return _highest(fitting)

    # -- merged with arguments -----------------------------------------------------------------

    def queue_arguments(
        self, name: str, queue_type: str, arguments: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the arguments of a queue, merged with the policies that apply to it."""
        definition = self.effective_definition(name, queue_type)
        effective = dict(arguments)
        for key, decided in definition.items():
            argument = f"x-{key}"
            if argument in arguments:
                effective[argument] = self._resolve(key, queue_type, decided, arguments[argument])
            else:
                effective[argument] = decided
        return effective

    def effective_definition(self, name: str, queue_type: str) -> Definition:
        """Return the merged definition of the policies that apply to a queue."""
        return self._merged(self.of_queue(name, queue_type))

    def alternate_exchange(self, name: str, arguments: Mapping[str, Any]) -> str | None:
        """Return the alternate exchange of an exchange: its argument, or else that of its policy."""
        policy = self.of_exchange(name)
        decided = None if policy is None else policy.definition.get("alternate-exchange")
        alternate: str | None = arguments.get("alternate-exchange", decided)
        return alternate

    def _merged(self, applying: AppliedPolicies) -> Definition:
        """Merge both policies: the lower of two numbers applies; else that of the operator policy."""
        policy, operator_policy = applying
        merged = {} if policy is None else dict(policy.definition)
        if operator_policy is not None:
            for key, decided in operator_policy.definition.items():
                is_shared = key in merged and key in _LOWEST_APPLIES
                merged[key] = self._merge(key, merged[key], decided) if is_shared else decided
        return merged

    def _resolve(self, key: str, queue_type: str, decided: Any, argument: Any) -> Any:
        """Choose between the value in the policies and a queue's own argument."""
        if key in self._profile.policies_overrule[queue_type]:
            return decided
        if key not in _LOWEST_APPLIES:
            return argument
        # RabbitMQ does not check the values of some arguments.
        return self._lower(key, decided, argument) if is_integer(argument) else decided

    def _merge(self, key: str, decided: int, by_operator: int) -> int:
        """Return the lower number of two policies, but the higher one for the shortest delay."""
        if key == "delayed-retry-min":
            return max(decided, by_operator)
        return self._lower(key, decided, by_operator)

    def _lower(self, key: str, decided: int, other: int) -> int:
        """Return the lower value; a negative delivery limit means no limit, so it is the higher one."""
        has_none = min(decided, other) < 0 and self._profile.negative_delivery_limit_is_none
        return max(decided, other) if key == "delivery-limit" and has_none else min(decided, other)


def _highest(fitting: list[Policy]) -> Policy | None:
    return max(fitting, key=lambda policy: policy.priority, default=None)
