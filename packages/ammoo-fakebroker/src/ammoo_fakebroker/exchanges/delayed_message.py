"""The delayed message exchange: it keeps a message for the time in its header ``x-delay``.

It comes as RabbitMQ's plugin rabbitmq_delayed_message_exchange. The argument ``x-delayed-type`` says
as which type of exchange it routes. A delayed message has no route when it is published, so it is
returned if it is mandatory, and an alternate exchange gets it at once, too.
See https://github.com/rabbitmq/rabbitmq-delayed-message-exchange
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from ..messages.headers import with_headers
from ..messages.message import Message
from ..rabbitmq import errors
from ..rabbitmq.erlang_terms import type_name
from .exchange import Binding, Destination, Exchange, FindType

if TYPE_CHECKING:
    from ..clock import Timer
    from .ports import ExchangeHost

__all__ = ["DelayedMessageExchange"]

_MAX_DELAY: Final = 4_294_967_295
"""The longest delay in milliseconds (Erlang's longest timer); a longer one is none."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBERS: Final = frozenset(
    (
        "double",
        "float",
        "long",
        "short",
        "signedint",
        "unsignedbyte",
        "unsignedint",
        "unsignedshort",
    )
)
"""The types of numbers that are a delay; a signed byte is none."""


class DelayedMessageExchange(Exchange):
    """Routes as an exchange of another type, after the delay that a message asks for.

    Args:
        name: Its name.
        routing: An exchange of that type, which has the same bindings.
        options: The flags and arguments that `Exchange` takes.
    """

    type = "x-delayed-message"
    routes_by_key_only = False

    def __init__(self, name: str, *, routing: Exchange, **options: Any) -> None:
        super().__init__(name, **options)
        self._routing = routing
        self._host: ExchangeHost | None = None
        self._delayed: list[tuple[float, int, Message]] = []
        self._order = count()
        self._timer: Timer | None = None

    @classmethod
    def validate_arguments(cls, arguments: Mapping[str, Any], find_type: FindType) -> None:
        delayed_type = arguments.get("x-delayed-type")
        if delayed_type == cls.type:
            raise errors.delayed_type_is_delayed()
        if not isinstance(delayed_type, str):
            raise errors.no_delayed_type()
        find_type(delayed_type).validate_arguments(arguments, find_type)

    @property
    def delayed_count(self) -> int:
        """How many messages wait."""
        return len(self._delayed)

    def attach(self, host: ExchangeHost) -> None:
        self._host = host

    def validate_binding(
        self, destination: Destination, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        self._routing.validate_binding(destination, routing_key, arguments)

    def add_binding(self, binding: Binding) -> None:
        super().add_binding(binding)
        self._routing.add_binding(binding)

    def remove_binding(self, binding: Binding) -> None:
        super().remove_binding(binding)
        self._routing.remove_binding(binding)

    def matching(self, message: Message) -> Iterable[Binding]:
        delay = _delay_of(message.headers)
        if self._host is None or not 0 < delay <= _MAX_DELAY:
            return self._routing.matching(message)
        deadline = self._host.clock.time() + delay / 1000
        heappush(self._delayed, (deadline, next(self._order), _without_delay(message, delay)))
        self._await_next(self._host)
        return ()

    def _await_next(self, host: ExchangeHost) -> None:
        """Plan the routing of the message that is due first."""
        self.stop_timers()
        if self._delayed:
            delay = self._delayed[0][0] - host.clock.time()
            self._timer = host.clock.call_later(delay, self._route_due)

    def _route_due(self) -> None:
        """Route messages whose delay is over."""
        self._timer = None
        assert self._host is not None
        now = self._host.clock.time()
        while self._delayed and self._delayed[0][0] <= now:
            self._host.publish_delayed(self.name, heappop(self._delayed)[2])
        self._await_next(self._host)

    def stop_timers(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _delay_of(headers: Mapping[str, Any]) -> int:
    """Return the milliseconds that a message is to wait; 0 for none."""
    value = headers.get("x-delay")
    if value is None:
        return 0
    kind = type_name(value)
    if kind == "longstr":
        if not _INTEGER.fullmatch(value):
            raise errors.internal_error()
        return int(value)
    return int(value) if kind in _NUMBERS else 0


def _without_delay(message: Message, delay: int) -> Message:
    """Return the message as it is routed later: a negative ``x-delay`` tells how long it waited."""
    headers = {**message.headers, "x-delay": -delay}
    return message.with_properties(with_headers(message.decoded(), headers))
