"""The refusals of invalid policies, with a line for each mistake, as RabbitMQ writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from .erlang_texts import erlang_list, erlang_value
from .refusals import Refusal, bad_request

if TYPE_CHECKING:
    from ..node.policies import Policy
    from ..rabbitmq.profiles import Profile
    from .call import Call

__all__ = ["check_policy"]


def check_policy(call: Call, policy: Policy, *, by_operator: bool) -> None:
    """Check that the imitated RabbitMQ accepts a policy.

    Args:
        call: The request.
        policy: The policy; its values are those of the body, of any type.
        by_operator: Whether it is an operator policy.

    Raises:
        Refusal: 400, it does not; the reason names each mistake.
    """
    profile = call.node.profile
    mistakes = list(_mistakes(policy, profile, by_operator=by_operator))
    if mistakes and call.release.escapes_policies and not by_operator:
        mistakes = [escape(each, quote=False) for each in mistakes]
    if mistakes:
        raise _invalid("\n".join(mistakes))
    try:
        policy.check(profile, by_operator=by_operator)
    except (TypeError, ValueError) as error:
        raise _invalid(str(error)) from None


def _invalid(reason: str) -> Refusal:
    return bad_request(f"Validation failed\n\n{reason}\n")


def _mistakes(policy: Policy, profile: Profile, *, by_operator: bool) -> Iterator[str]:
    """Yield the mistakes for which the broker has RabbitMQ's words."""
    known = profile.operator_policy_keys if by_operator else profile.policy_keys
    yield from _mistakes_in_definition(policy.definition, known)
    if policy.apply_to not in profile.policy_targets:
        yield f"apply-to '{policy.apply_to}' unrecognised; {_expected(profile)}"
    pattern: Any = policy.pattern
    if not isinstance(pattern, str):
        yield f"pattern should be a binary but was {erlang_value(pattern)}"
    priority: Any = policy.priority
    if isinstance(priority, bool) or not isinstance(priority, int | float):
        yield f"priority should be a number, actually was {erlang_value(priority)}"


def _mistakes_in_definition(definition: Any, known: frozenset[str]) -> Iterator[str]:
    if not isinstance(definition, Mapping):
        return
    if not definition:
        yield "no policy provided"
    unknown = sorted(definition.keys() - known)
    if unknown:
        terms = (f"{{{erlang_value(name)},{erlang_value(definition[name])}}}" for name in unknown)
        yield f"{erlang_list(terms)} are not recognised policy settings"


def _expected(profile: Profile) -> str:
    """Return what a policy may apply to, in the words of the release."""
    if "streams" not in profile.policy_targets:
        return "should be 'queues', 'exchanges' or 'all'"
    kinds = "'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'"
    return f"should be one of: {kinds}"
