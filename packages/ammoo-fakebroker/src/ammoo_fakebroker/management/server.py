"""The HTTP server: it reads requests, calls a function for each, and writes the responses.

It runs in the broker's event loop, so handlers use the broker without a lock. Each connection has one
task. The number of connections and their idle time are limited.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..auth.login import is_loopback
from .http import CONTINUE, HttpError, Request, RequestReader, Response, encode_response

__all__ = ["AddressError", "Answer", "HttpServer"]

Answer = Callable[[Request], Response | Awaitable[Response]]

_READ_SIZE = 65_536
_MAX_CONNECTIONS = 256
_IDLE_SECONDS = 120.0
_ACCEPT_AGAIN = 1.0


class AddressError(OSError):
    """The address of the HTTP server is not available; that of the broker may be."""


class _Listener(socket.socket):
    """A listening socket that remembers the accepted sockets that no task serves yet.

    A task that is cancelled in `loop.sock_accept` can lose the socket that it has accepted.
    """

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family)
        super().__init__(fileno=bound.detach())
        self.setblocking(False)
        self.unserved: set[socket.socket] = set()

    def accept(self) -> tuple[socket.socket, Any]:
        accepted, address = super().accept()
        self.unserved.add(accepted)
        return accepted, address

    def close(self) -> None:
        while self.unserved:
            self.unserved.pop().close()
        super().close()


def _close(client: socket.socket, _: object) -> None:
    client.close()


class HttpServer:
    """A server of HTTP/1.1.

    Args:
        answer: A function that answers a request: it returns a response, or an awaitable of one.
        host: The address to listen on.
        port: The port; 0 for a free one.

    Attributes:
        port: The port; valid once the server is started.
    """

    def __init__(self, answer: Answer, *, host: str, port: int) -> None:
        self._answer = answer
        self._host = host
        self.port: int = port
        self._listener: _Listener | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            AddressError: The address is not available.
        """
        try:
            self._listener = _Listener(self._host, self.port)
        except OSError as error:
            place = f"{self._host}, port {self.port}"
            reason = str(error.strerror).partition(" (while")[0]  # the address is named once
            text = f"the management interface cannot listen on {place}: {reason}"
            raise AddressError(error.errno, text) from None
        self.port = self._listener.getsockname()[1]
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._listener))

    async def stop(self) -> None:
        """Stop listening, and close all connections at once."""
        if self._listener is None or self._accepting is None:
            return
        tasks = [self._accepting, *self._serving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self, listener: _Listener) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as error:  # no file descriptors left; the client waits in the backlog
                loop.call_exception_handler({"message": "cannot accept", "exception": error})
                await asyncio.sleep(_ACCEPT_AGAIN)
                continue
            listener.unserved.discard(client)
            if len(self._serving) >= _MAX_CONNECTIONS:
                client.close()
                continue
            task = loop.create_task(self._serve(client))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
            # The callback closes the socket even if the task is cancelled before it begins.
            task.add_done_callback(partial(_close, client))

    async def _serve(self, client: socket.socket) -> None:
        """Answer the requests of one client until either side is done."""
        client.setblocking(False)
        try:
            await self._converse(client)
        except HttpError as error:
            text = f"{error}\n".encode()
            refusal = Response(error.status, text, {"content-type": "text/plain"})
            with contextlib.suppress(OSError):
                octets = encode_response(refusal, has_body=True, keeps_alive=False)
                await asyncio.get_running_loop().sock_sendall(client, octets)
        except (OSError, TimeoutError):
            return  # the client is gone

    async def _converse(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        address = client.getpeername()[0]
        reader = RequestReader(is_from_loopback=is_loopback(address))
        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                data = await loop.sock_recv(client, _READ_SIZE)
            if not data:
                return
            for request in reader.receive(data):
                response = await self._respond(request)
                octets = encode_response(
                    response, has_body=request.method != "HEAD", keeps_alive=request.keeps_alive
                )
                await loop.sock_sendall(client, octets)
                if not request.keeps_alive:
                    return
            if reader.must_continue():
                await loop.sock_sendall(client, CONTINUE)

    async def _respond(self, request: Request) -> Response:
        """Answer a request; report an error of the broker itself to the event loop."""
        try:
            answer = self._answer(request)
            return answer if isinstance(answer, Response) else await answer
        except Exception as error:  # noqa: BLE001  it is reported to the loop
            place = "/".join(request.path)
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"cannot answer {request.method} /{place}", "exception": error}
            )
            return Response(500)
