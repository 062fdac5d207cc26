"""What the control API asks of a broker; `FakeBroker` implements it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..faults.faults import Faults

__all__ = ["ControlledBroker", "ControlledEvents"]


class ControlledEvent(Protocol):
    """An event of the history."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        ...


class ControlledEvents(Protocol):
    """The answer of a query of the history."""

    def __iter__(self) -> Iterator[ControlledEvent]: ...

    async def wait_async(self, count: int = 1, *, timeout: float = 5.0) -> ControlledEvents:  # noqa: ASYNC109  it ends with a text that says what was there
        """Wait until there are so many events; raise AssertionError if there are fewer in time."""
        ...


class ControlledBroker(Protocol):
    """What the control API asks of a broker."""

    @property
    def faults(self) -> Faults:
        """The faults of the broker."""
        ...

    @property
    def restart_async(self) -> Callable[..., Awaitable[None]]:
        """A function that takes the broker down and up again."""
        ...

    @property
    def wait_until_async(self) -> Callable[..., Awaitable[Any]]:
        """A function that waits until a function of a look returns something true."""
        ...

    @property
    def history(self) -> Callable[..., ControlledEvents]:
        """A function that returns events; its criteria are attributes of events."""
        ...

    def mark(self) -> int:
        """Return a mark after the latest event."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the clock that the broker was created with."""

    def block(self, reason: str = ..., *, connection: str | None = ...) -> object:
        """Raise an alarm."""

    def unblock(self, reason: str | None = None) -> None:
        """Clear an alarm, or all."""

    def cut_connections(self, *, connection: str | None = ...) -> None:
        """Close sockets without a connection.close; None for all connections."""

    def close_connections(self, reason: str = ..., *, connection: str | None = ...) -> None:
        """Close connections as an operator does; None for all."""

    def cancel_consumer(
        self,
        consumer_tag: str | None = ...,
        *,
        queue_name: str | None = ...,
        virtualhost: str = ...,
    ) -> tuple[str, ...]:
        """Cancel consumers; return their tags."""
        ...
