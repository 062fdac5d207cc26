"""The types of exchanges by their names in exchange.declare.

A new type is a module beside this one, a line in the table below and, if a release lacks it, its
name in that release's profile (`missing_exchange_types` in `rabbitmq/profiles.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..rabbitmq.profiles import Profile
from .consistent_hash import ConsistentHashExchange
from .delayed_message import DelayedMessageExchange
from .direct import DirectExchange
from .exchange import Exchange
from .fanout import FanoutExchange
from .headers import HeadersExchange
from .local_random import LocalRandomExchange
from .modulus_hash import ModulusHashExchange
from .plugins import PLUGINS
from .topic import TopicExchange

__all__ = ["EXCHANGE_TYPES", "available_types", "create_exchange"]

_TYPES: tuple[type[Exchange], ...] = (
    DirectExchange,
    FanoutExchange,
    TopicExchange,
    HeadersExchange,
    LocalRandomExchange,
    ModulusHashExchange,
    *PLUGINS.values(),
)
EXCHANGE_TYPES: dict[str, type[Exchange]] = {exchange.type: exchange for exchange in _TYPES}


def available_types(profile: Profile, plugins: Collection[str]) -> frozenset[str]:
    """Return the names of the types that a release has with these plugins enabled."""
    disabled = {PLUGINS[name].type for name in PLUGINS.keys() - set(plugins)}
    return frozenset(EXCHANGE_TYPES) - profile.missing_exchange_types - disabled


def create_exchange(exchange_type: str, name: str, profile: Profile, **options: Any) -> Exchange:
    """Create an exchange of a known type, with the behaviour of a release.

    Args:
        exchange_type: A key of `EXCHANGE_TYPES`.
        name: The name of the exchange.
        profile: The profile of the release.
        options: The flags and arguments that `Exchange` takes.
    """
    if exchange_type == HeadersExchange.type:
        numbers_by_value = profile.headers_compare_numbers_by_value
        return HeadersExchange(name, numbers_by_value=numbers_by_value, **options)
    if exchange_type == ConsistentHashExchange.type:
        return ConsistentHashExchange(
            name,
            most_weight=profile.most_hash_weight,
            hashes_types=profile.hashes_header_types,
            **options,
        )
    if exchange_type == DelayedMessageExchange.type:
        routing = create_exchange(options["arguments"]["x-delayed-type"], name, profile, **options)
        return DelayedMessageExchange(
            name,
            routing=routing,
            delays_are_annotations=profile.delays_are_annotations,
            **options,
        )
    if exchange_type == TopicExchange.type:
        return TopicExchange(name, most_wildcards=profile.most_topic_wildcards, **options)
    return EXCHANGE_TYPES[exchange_type](name, **options)
