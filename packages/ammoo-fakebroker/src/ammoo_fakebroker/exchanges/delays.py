"""What exchanges have begun to delay while a message was routed, until the history records it.

An exchange delays a message before the message has a number, so the exchange cannot record it. It
notes the delay; the code that routes the message records the publish first, and then the delays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..messages.message import Message

__all__ = ["Delay", "NotedDelays"]


class Delay(NamedTuple):
    """A message that an exchange has begun to delay."""

    exchange_name: str
    message: Message
    """The message as the exchange got it."""
    later: Message
    """The message as it is routed later."""
    seconds: float
    due: float
    """When the delay ends, on the broker's clock."""


class NotedDelays:
    """The delays of a virtual host that are not recorded yet.

    Args:
        are_recorded: Whether anything records them; if not, none is noted.

    Attributes:
        noted: The delays since the last call of `take`.
        only_looks: Whether messages are routed only to find their routes, so that no exchange may
            begin to delay one.
    """

    __slots__ = ("_are_recorded", "noted", "only_looks")

    def __init__(self, *, are_recorded: bool) -> None:
        self.noted: list[Delay] = []
        self.only_looks: bool = False
        self._are_recorded = are_recorded

    def note(self, delay: Delay) -> None:
        """Note a delay that begins."""
        if self._are_recorded:
            self.noted.append(delay)

    def take(self, message: Message) -> list[Delay]:
        """Return the delays of a message, which has its number now, and forget all others."""
        noted, self.noted = self.noted, []
        found = [delay for delay in noted if delay.message is message]
        for delay in found:
            delay.later.number = message.number
        return found
