"""`Publisher.publish_many`: messages from an iterable, as fast as the window has room."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeAlias, Unpack

from ammoo_wire import FieldValue

from ..publish_options import Body, MessageOptions

__all__ = ["Publication", "Route", "feed"]

Route: TypeAlias = str | Mapping[str, FieldValue]
"""A routing key, or headers for a headers exchange."""
Publication: TypeAlias = tuple[str, Route, Body] | tuple[str, Route, Body, MessageOptions]
"""The arguments of `Publisher.publish`: exchange, route, body, and possibly options as a dict."""

_TURN: Final = 65536
"""After so many octets other tasks get a turn."""


class WindowedPublisher(Protocol):
    """The part of a `Publisher` that `feed` uses."""

    @property
    def has_room(self) -> bool:
        """Whether `publish` would not wait now."""
        ...

    async def wait_for_room(self) -> None:
        """Wait until the window has room for a message."""

    async def publish(
        self, exchange_name: str, route: Route, body: Body, **options: Unpack[MessageOptions]
    ) -> object:
        """Publish a message; wait only while the window is full."""


async def feed(
    publisher: WindowedPublisher, messages: Iterable[Publication] | AsyncIterable[Publication]
) -> int:
    """Publish all messages, and close the iterator if it can be closed; return their number."""
    count = octets = 0
    if isinstance(messages, AsyncIterable):
        source: AsyncIterator[Publication] = aiter(messages)
        close: Callable[[], Any] | None = getattr(source, "aclose", None)
    else:
        iterator = iter(messages)
        source = _Awaitable(iterator)
        close = getattr(iterator, "close", None)
    try:
        while True:
            if not publisher.has_room:
                await publisher.wait_for_room()
            try:
                exchange_name, route, body, *options = await anext(source)
            except StopAsyncIteration:
                return count
            await publisher.publish(exchange_name, route, body, **(options[0] if options else {}))
            count += 1
            octets += len(body)
            if octets >= _TURN:
                octets = 0
                await asyncio.sleep(0)
    finally:
        if close is not None:
            closing = close()
            if closing is not None:
                await closing


class _Awaitable:
    """An iterator as an asynchronous one."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Iterator[Publication]) -> None:
        self._iterator = iterator

    def __aiter__(self) -> "_Awaitable":
        return self

    async def __anext__(self) -> Publication:
        for each in self._iterator:
            return each
        raise StopAsyncIteration
