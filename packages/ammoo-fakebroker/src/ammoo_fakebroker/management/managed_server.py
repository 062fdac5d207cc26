"""A broker's server and its management interface, which start and stop together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import ALL_ROUTES
from .call import Host
from .router import Router
from .server import Answer, HttpServer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

    from ..network.server import Server
    from .http import Request, Response
    from .statistics.statistics import Statistics

__all__ = ["ManagedServer"]


class ManagedServer:
    """A broker's server, and the HTTP server of its management interface.

    Args:
        server: The broker's server.
        statistics: What the broker counts.
        port: The port of the management interface, at the same address; 0 for a free one.
        control: Answers requests below ``/fake``; None if there is no control API.
    """

    def __init__(
        self, server: Server, statistics: Statistics, *, port: int, control: Answer | None = None
    ) -> None:
        self._server = server
        self._router = Router(lambda: server.node, statistics, self._host, ALL_ROUTES)
        self._control = control
        self._http = HttpServer(self._answer, host=server.host, port=port)

    def _answer(self, request: Request) -> Response | Awaitable[Response]:
        if self._control is not None and request.path[:1] == ("fake",):
            return self._control(request)
        return self._router.answer(request)

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
