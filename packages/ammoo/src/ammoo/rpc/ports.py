"""What `Rpc` and `RpcServer` ask of their channels."""

from asyncio import Future
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Protocol

from ..consumer import Consumer

__all__ = ["ReplyChannel", "RequestChannel"]


class ReplyChannel(Protocol):
    """The user's `Channel`, as a server of requests sees it: it publishes the replies."""

    @property
    def closing(self) -> bool:
        """Whether the channel is closed, or is being closed."""
        ...

    async def __aenter__(self) -> object:
        """Open the channel."""
        ...

    async def close(self, *, timeout: float = ...) -> None:  # noqa: ASYNC109  as `Channel.close` has it
        """Close the channel."""

    async def select_confirm(self) -> None:
        """Make the server confirm every message from now on."""

    def publish(
        self, exchange_name: str, route: Any, /, *body: Any, **options: Any
    ) -> Coroutine[Any, Any, None]:
        """Publish a message, and wait until the server has confirmed it."""
        ...


class RequestChannel(Protocol):
    """The user's `Channel`, as `Rpc` sees it: it publishes requests, and consumes their replies."""

    @property
    def closing_exc(self) -> Exception | None:
        """The exception that closed the channel; None while it is open."""
        ...

    @property
    def is_publishable(self) -> bool:
        """Whether a publish would be sent at once."""
        ...

    async def __aenter__(self) -> object:
        """Open the channel."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the channel."""

    async def select_confirm(self) -> None:
        """Make the server confirm every message from now on."""

    def consume(self, queue_name: str, *, no_ack: bool) -> Consumer:
        """Return a consumer, which is not started yet."""
        ...

    async def wait_publishable(self) -> None:
        """Wait until a publish would be sent at once."""

    def publish(
        self, exchange_name: str, route: Any, /, *body: Any, **options: Any
    ) -> Coroutine[Any, Any, None]:
        """Publish a message, and wait until the server has confirmed it."""
        ...

    def publish_nowait(
        self, exchange_name: str, route: Any, /, *body: Any, **options: Any
    ) -> "Future[None]":
        """Publish a message, and return the future of its confirm."""
        ...
