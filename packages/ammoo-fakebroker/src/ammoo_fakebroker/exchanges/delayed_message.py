"""The delayed message exchange: it keeps a message for the time in its header ``x-delay``.

RabbitMQ has this type in the plugin rabbitmq_delayed_message_exchange. The argument ``x-delayed-type``
names the type of exchange that it routes as. A delayed message has no route when it is published, so
it is returned if it is mandatory, and an alternate exchange gets it at once. This was compared with the
plugin for RabbitMQ 3.10 and 4.0. RabbitMQ 4.3 cannot load the plugin; the fake behaves as 4.0 there.
See https://github.com/rabbitmq/rabbitmq-delayed-message-exchange
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Self

from ammoo_wire import Int64

from ..messages.message import Message
from ..rabbitmq import errors
from ..rabbitmq.erlang_terms import type_name
from .delays import Delay
from .exchange import Binding, Destination, Exchange, FindType

if TYPE_CHECKING:
    from ..clocks.clock import Timer
    from ..messages.copying import Copying
    from .ports import ExchangeHost

__all__ = ["DelayedMessageExchange"]

_HEADER: Final = "x-delay"
_MAX_DELAY: Final = 4_294_967_295
"""The longest delay in milliseconds (Erlang's longest timer); a longer delay is ignored."""
_MOST_DIGITS: Final = 4000
_INTEGER: Final = re.compile(rb"[+-]?[0-9]+")
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
"""The numeric types that all releases accept as a delay."""


class DelayedMessageExchange(Exchange):
    """Routes as an exchange of another type, after the delay that a message asks for.

    Args:
        name: Its name.
        routing: An exchange of that type, which has the same bindings.
        delays_are_annotations: See the attribute of `Profile`.
        options: The flags and arguments that `Exchange` takes.
    """

    type = "x-delayed-message"
    description = "Delayed Message Exchange."
    routes_by_key_only = False

    def __init__(
        self, name: str, *, routing: Exchange, delays_are_annotations: bool, **options: Any
    ) -> None:
        super().__init__(name, **options)
        self._routing = routing
        self._are_annotations = delays_are_annotations
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
        """How many messages are delayed."""
        return len(self._delayed)

    def delayed_messages(self) -> Iterable[Message]:
        return (message for _, _, message in sorted(self._delayed))

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
        delay = _delay_of(message.headers, is_annotation=self._are_annotations)
        if self._host is None or not 0 < delay <= _MAX_DELAY:
            return self._routing.matching(message)
        self._delay(self._host, message, delay)
        return ()

    def _delay(self, host: ExchangeHost, message: Message, delay: int) -> None:
        """Keep a message for so many milliseconds, and note this for the history."""
        deadline = host.clock.time() + delay / 1000
        later = _with_passed_delay(message, delay, is_annotation=self._are_annotations)
        host.delays.note(Delay(self.name, message, later, delay / 1000, deadline))
        if not host.delays.only_looks:
            heappush(self._delayed, (deadline, next(self._order), later))
            self._await_next(host)

    def copy_messages(self, source: Self, copying: Copying) -> None:
        self._delayed = [
            (deadline + copying.seconds, order, copying.message(message))
            for deadline, order, message in source._delayed
        ]
        self._order = count(max((order for _, order, _ in self._delayed), default=0) + 1)
        assert self._host is not None
        self._await_next(self._host)

    def _await_next(self, host: ExchangeHost) -> None:
        """Start the timer for the message whose delay ends first."""
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


def _delay_of(headers: Mapping[str, Any], *, is_annotation: bool) -> int:
    """Return the milliseconds that a message is to wait; 0 for none.

    Raises:
        ProtocolError: 541, RabbitMQ's channel crashes on the value.
    """
    if _HEADER not in headers:
        return 0
    value = headers[_HEADER]
    kind = type_name(value)
    if kind in _NUMBERS:
        return int(value)
    if kind == "byte" and not is_annotation:
        return int(value)
    if kind == "longstr" or (kind == "binary" and is_annotation):
        digits = value.encode() if isinstance(value, str) else bytes(value)
        if _INTEGER.fullmatch(digits):
            # A longer number is above the longest delay, and Python refuses to parse it.
            return int(digits) if len(digits) <= _MOST_DIGITS else 0
        raise errors.internal_error()
    if kind == "decimal" or (kind == "void" and is_annotation):
        raise errors.internal_error()
    return 0


def _with_passed_delay(message: Message, delay: int, *, is_annotation: bool) -> Message:
    """Return the message as it is routed later: a negative ``x-delay`` states how long it waited.

    In releases in which the delay is no annotation, consumers get the published octets, unless
    RabbitMQ encodes the headers again for another reason: a BCC header, the count of a quorum queue,
    a death.
    """
    passed = Int64(-delay) if is_annotation else -delay
    later = message.with_header(_HEADER, passed)
    if is_annotation or message.parsed.hidden:
        return later
    return later.shown_as(message.properties)
