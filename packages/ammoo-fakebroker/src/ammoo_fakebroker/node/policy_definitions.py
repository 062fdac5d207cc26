"""The definition of a policy: its keys, and the values that each key can have.

A definition is an operator's input. What RabbitMQ's command-line tool refuses raises ValueError here.
The profile lists the keys of a release; `policies.py` applies them.
See https://www.rabbitmq.com/docs/policies
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from ..rabbitmq.arguments import MAX_SEGMENT_SIZE, age_milliseconds
from ..rabbitmq.profiles import Profile
from ..similar_names import similar_name

__all__ = ["Definition", "check_definition", "check_priority"]

Definition = Mapping[str, Any]


class _Values(NamedTuple):
    """The allowed values of a key.

    Attributes:
        includes: Returns whether a value is allowed.
        words: The words for the allowed values in the text of an error.
    """

    includes: Callable[[Any], bool]
    words: str


def _integer(lowest: int | None = None, highest: int | None = None) -> _Values:
    words = "an integer"
    if highest is not None:
        words += f" from {lowest} to {highest}"
    elif lowest is not None:
        words += f" from {lowest} on"

    def includes(value: Any) -> bool:
        return (
            _is_integer(value)
            and (lowest is None or value >= lowest)
            and (highest is None or value <= highest)
        )

    return _Values(includes, words)


def _one_of(*choices: Any) -> _Values:
    def includes(value: Any) -> bool:
        return type(value) in (str, int) and value in choices

    return _Values(includes, " or ".join(map(repr, choices)))


def _string(words: str) -> _Values:
    return _Values(lambda value: isinstance(value, str), words)


def _ages() -> _Values:
    return _Values(
        lambda value: age_milliseconds(value) is not None,
        "a positive number with a unit (Y, M, D, h, m or s) such as '7D'",
    )


_LENGTH = _integer(0)
_WHEN_PROMOTED = _one_of("always", "when-synced")
_VALUES = {
    "alternate-exchange": _string("the name of an exchange"),
    "consumer-disconnected-timeout": _integer(0),
    "consumer-timeout": _integer(0),
    "dead-letter-exchange": _string("the name of an exchange"),
    "dead-letter-routing-key": _string("a string"),
    "dead-letter-strategy": _one_of("at-most-once", "at-least-once"),
    "delayed-retry-max": _integer(1),
    "delayed-retry-min": _integer(1),
    "delayed-retry-type": _one_of("all", "failed", "returned", "disabled"),
    "delivery-limit": _integer(),
    "expires": _integer(1),
    "ha-mode": _one_of("all", "exactly", "nodes"),
    "ha-promote-on-failure": _WHEN_PROMOTED,
    "ha-promote-on-shutdown": _WHEN_PROMOTED,
    "ha-sync-batch-size": _integer(1),
    "ha-sync-mode": _one_of("manual", "automatic"),
    "initial-cluster-size": _integer(0),
    "max-age": _ages(),
    "max-in-memory-bytes": _LENGTH,
    "max-in-memory-length": _LENGTH,
    "max-length": _LENGTH,
    "max-length-bytes": _LENGTH,
    "message-ttl": _integer(0),
    "overflow": _one_of("drop-head", "reject-publish", "reject-publish-dlx"),
    "queue-leader-locator": _one_of("client-local", "balanced", "random", "least-leaders"),
    "queue-mode": _one_of("default", "lazy"),
    "queue-version": _one_of(1, 2),
    "stream-filter-size-bytes": _integer(16, 255),
    "stream-max-segment-size-bytes": _integer(0, MAX_SEGMENT_SIZE),
    "target-group-size": _integer(1),
}


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def check_priority(priority: Any) -> None:
    """Check the priority of a policy.

    Raises:
        ValueError: The priority is not an integer.
    """
    if not _is_integer(priority):
        raise ValueError(f"priority is {priority!r}; expected an integer")


def check_definition(definition: Any, known: Collection[str], profile: Profile) -> None:
    """Check the definition of a policy.

    Args:
        definition: The definition that was passed.
        known: The keys that policies of this kind can have.
        profile: The profile of the release.

    Raises:
        ValueError: The definition is not valid; the text says why.
    """
    if not isinstance(definition, Mapping) or not definition:
        raise ValueError(
            f"definition is {definition!r}; expected a mapping with at least one key such as"
            " 'max-length'"
        )
    for key, value in definition.items():
        if key not in known:
            close = similar_name(str(key), known)
            others = f"expected some of {', '.join(sorted(known))}"
            hint = f"did you mean {close!r}?" if close else others
            raise ValueError(f"definition has the key {key!r}; {hint}")
        values = _values_of(key, definition, profile)
        if not values.includes(value):
            raise ValueError(f"{key} is {value!r}; expected {values.words}")
    _check_mirroring(definition)
    _check_delayed_retry(definition)


def _check_delayed_retry(definition: Definition) -> None:
    """Check that delayed retries have a shortest delay, and that the longest one is not shorter."""
    kind = definition.get("delayed-retry-type", "disabled")
    shortest, longest = (definition.get(f"delayed-retry-{bound}") for bound in ("min", "max"))
    if kind != "disabled" and shortest is None:
        raise ValueError(f"delayed-retry-type is {kind!r}; expected 'delayed-retry-min' with it")
    if shortest is not None and longest is not None and longest < shortest:
        raise ValueError(
            f"delayed-retry-max is {longest}; expected at least delayed-retry-min, {shortest}"
        )


def _check_mirroring(definition: Definition) -> None:
    """Check that a definition with keys for mirroring has all keys that they need."""
    mirroring = [key for key in definition if key.startswith("ha-")]
    mode = definition.get("ha-mode")
    if mirroring and mode is None:
        raise ValueError(f"definition has the key {mirroring[0]!r}; expected 'ha-mode' with it")
    if mode in ("exactly", "nodes") and "ha-params" not in definition:
        raise ValueError(f"ha-mode is {mode!r}; expected 'ha-params' with it")


def _values_of(key: str, definition: Definition, profile: Profile) -> _Values:
    """Return the values of a known key; some depend on the release, or on another key."""
    if key == "ha-params":
        return _mirroring_parameters(definition.get("ha-mode"))
    if key == "delivery-limit" and not profile.negative_delivery_limit_is_none:
        return _LENGTH
    if key == "queue-master-locator":
        return _one_of(*profile.master_locators)
    return _VALUES[key]


def _mirroring_parameters(mode: Any) -> _Values:
    if mode == "exactly":
        return _integer(1)
    if mode == "nodes":
        return _Values(_is_list_of_strings, "a list of names of nodes")
    return _Values(lambda value: False, "no 'ha-params' with this 'ha-mode'")


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
