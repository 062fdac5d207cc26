"""RabbitMQ's plugins that add types of exchanges, by the names of the plugins."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from .consistent_hash import ConsistentHashExchange
from .delayed_message import DelayedMessageExchange
from .exchange import Exchange

__all__ = ["PLUGINS", "check_plugins", "plugin_of"]

PLUGINS: dict[str, type[Exchange]] = {
    "rabbitmq_consistent_hash_exchange": ConsistentHashExchange,
    "rabbitmq_delayed_message_exchange": DelayedMessageExchange,
}


def check_plugins(names: Iterable[str]) -> frozenset[str]:
    """Return the names of plugins, each once.

    Raises:
        TypeError: `names` is a string.
        ValueError: The fake broker does not have a plugin of that name.
    """
    if isinstance(names, str):
        raise TypeError(f"plugins is {names!r}; expected a list of names")
    for name in names:
        if name not in PLUGINS:
            close = get_close_matches(str(name), PLUGINS, n=1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"expected some of {', '.join(PLUGINS)}"
            )
            raise ValueError(f"plugins has {name!r}; {hint}")
    return frozenset(names)


def plugin_of(exchange_type: str) -> str | None:
    """Return the plugin that adds a type of exchanges; None if none does."""
    return next((name for name, each in PLUGINS.items() if each.type == exchange_type), None)
