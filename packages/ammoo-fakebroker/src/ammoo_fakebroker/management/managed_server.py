"""A broker's server with the management interface beside it: they start and stop together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import ALL_ROUTES
from .call import Host
from .router import Router
from .server import HttpServer

if TYPE_CHECKING:
    import asyncio

    from ..server import Server

__all__ = ["ManagedServer"]


class ManagedServer:
    """A broker's server, and the HTTP server of its management interface.

    Args:
        server: The broker's server.
        port: The port of the management interface, at the same address; 0 for any that is free.
    """

    def __init__(self, server: Server, *, port: int) -> None:
        self._server = server
        router = Router(lambda: server.node, self._host, ALL_ROUTES)
        self._http = HttpServer(router.answer, host=server.host, port=port)

    @property
    def port(self) -> int:
        """The port of the management interface."""
        return self._http.port

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that both run in."""
        return self._server.loop

    async def start(self) -> None:
        """Begin to listen on both ports.

        Raises:
            OSError: One of the addresses is not available; nothing listens then.
        """
        await self._http.start()
        try:
            await self._server.start()
        except BaseException:
            await self._http.stop()
            raise

    async def stop(self) -> None:
        """Stop both."""
        try:
            await self._http.stop()
        finally:
            await self._server.stop()

    def _host(self) -> Host:
        server = self._server
        return Host(server.host, server.port, self.port, server.uses_tls)
