"""The types of exchanges, by the names that exchange.declare has for them.

A new type is a module beside this one, and a line in the table below.
"""

from __future__ import annotations

from typing import Any

from .direct import DirectExchange
from .exchange import Exchange
from .fanout import FanoutExchange
from .headers import HeadersExchange
from .local_random import LocalRandomExchange
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
    )
}


def create_exchange(
    exchange_type: str, name: str, *, numbers_by_value: bool = False, **options: Any
) -> Exchange:
    """Create an exchange of a known type.

    Args:
        exchange_type: A key of `EXCHANGE_TYPES`.
        name: Its name.
        numbers_by_value: Whether 1 and 1.0 are equal to a headers exchange.
        options: The flags and arguments that `Exchange` takes.
    """
    if exchange_type == HeadersExchange.type:
        return HeadersExchange(name, numbers_by_value=numbers_by_value, **options)
    return EXCHANGE_TYPES[exchange_type](name, **options)
