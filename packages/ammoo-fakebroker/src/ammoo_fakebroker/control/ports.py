"""What the control API asks of a broker: `FakeBroker` has all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Protocol

__all__ = ["ControlledBroker", "ControlledEvents", "ControlledFault", "ControlledFaults"]


class ControlledFault(Protocol):
    """A fault that is in force, or has been."""

    @property
    def ordinal(self) -> int:
        """Its number among all faults of the broker."""
        ...

    @property
    def name(self) -> str:
        """The name of what it does."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that it was made with."""
        ...

    @property
    def count(self) -> int:
        """How often it has struck."""
        ...

    @property
    def matched(self) -> int:
        """How many occasions were in its scope."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove it; raise AssertionError if it should have struck, and never has."""


class ControlledFaults(Protocol):
    """The faults of a broker."""

    @property
    def active(self) -> tuple[ControlledFault, ...]:
        """Those in force, newest first."""
        ...

    def add(self, name: str, options: Mapping[str, Any] | None = None) -> ControlledFault:
        """Make a fault from plain data; raise ValueError or LookupError if it cannot be."""
        ...

    def clear(self) -> None:
        """Remove all."""


class ControlledEvent(Protocol):
    """Something that has happened."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        ...


class ControlledEvents(Protocol):
    """The answer of a query of the history."""

    def __iter__(self) -> Iterator[ControlledEvent]: ...

    async def wait_async(self, count: int = 1, *, timeout: float = 5.0) -> ControlledEvents:  # noqa: ASYNC109  it ends with a text that says what was there
        """Wait until there are as many; raise AssertionError if that is not so in time."""
        ...


class ControlledBroker(Protocol):
    """What the control API asks of a broker."""

    @property
    def faults(self) -> ControlledFaults:
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
        """A function that returns what has happened, by the names of an event's attributes."""
        ...

    def mark(self) -> int:
        """Return a mark of what has happened up to now."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the clock that the broker was created with."""

    def block(self, reason: str = ...) -> object:
        """Raise an alarm."""

    def unblock(self, reason: str | None = None) -> None:
        """Clear an alarm, or all."""

    def cut_connections(self) -> None:
        """Close all sockets without a goodbye."""

    def close_connections(self, reason: str = ...) -> None:
        """Close all connections as an operator does."""
