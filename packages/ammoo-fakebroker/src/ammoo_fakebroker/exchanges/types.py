"""The types of exchanges, by the names that exchange.declare has for them.

A new type is a module beside this one, a line in the table below and, if a release lacks it, its
name in that release's profile (`missing_exchange_types` in `rabbitmq/profiles.py`).
"""

from __future__ import annotations

from typing import Any

from ..rabbitmq.profiles import Profile
from .direct import DirectExchange
from .exchange import Exchange
from .fanout import FanoutExchange
from .headers import HeadersExchange
from .local_random import LocalRandomExchange
from .modulus_hash import ModulusHashExchange
from .topic import TopicExchange

__all__ = ["EXCHANGE_TYPES", "create_exchange"]

EXCHANGE_TYPES: dict[str, type[Exchange]] = {
    exchange.type: exchange
    for exchange in (
        DirectExchange,
        FanoutExchange,
        TopicExchange,
        HeadersExchange,
        LocalRandomExchange,
        ModulusHashExchange,
    )
}


def create_exchange(exchange_type: str, name: str, profile: Profile, **options: Any) -> Exchange:
    """Create an exchange of a known type, as a release of RabbitMQ has it.

    Args:
        exchange_type: A key of `EXCHANGE_TYPES`.
        name: Its name.
        profile: The release's.
        options: The flags and arguments that `Exchange` takes.
    """
    if exchange_type == HeadersExchange.type:
        numbers_by_value = profile.headers_compare_numbers_by_value
        return HeadersExchange(name, numbers_by_value=numbers_by_value, **options)
    if exchange_type == TopicExchange.type:
        return TopicExchange(name, most_wildcards=profile.most_topic_wildcards, **options)
    return EXCHANGE_TYPES[exchange_type](name, **options)
