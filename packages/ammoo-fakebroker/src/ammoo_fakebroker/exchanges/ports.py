"""What an exchange asks of its virtual host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..clocks.clock import Clock
    from ..messages.message import Message
    from .delays import NotedDelays

__all__ = ["ExchangeHost"]


class ExchangeHost(Protocol):
    """What an exchange asks of its virtual host.

    Attributes:
        delays: The delays that are not recorded yet.
    """

    delays: NotedDelays

    @property
    def clock(self) -> Clock:
        """The broker's clock."""
        ...

    def publish_delayed(self, exchange_name: str, message: Message) -> None:
        """Route a message from an exchange, and put it into the queues that it reaches."""
