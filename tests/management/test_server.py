"""The HTTP server when its sockets fail."""

import asyncio
import errno
from itertools import chain, repeat
from typing import Any
from unittest.mock import DEFAULT, AsyncMock

import pytest

from ammoo_fakebroker.management import server
from ammoo_fakebroker.management.http import Request, Response
from ammoo_fakebroker.management.server import HttpServer


def answer(request: Request) -> Response:
    return Response(204)


async def test_server_accepts_again_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ACCEPT_AGAIN", 0.0)
    loop = asyncio.get_running_loop()
    reported: list[dict[str, Any]] = []
    results = chain([OSError(errno.EMFILE, "none left")], repeat(DEFAULT))
    accept = AsyncMock(side_effect=results, wraps=loop.sock_accept)
    monkeypatch.setattr(loop, "sock_accept", accept)
    monkeypatch.setattr(loop, "call_exception_handler", reported.append)
    http = HttpServer(answer, host="127.0.0.1", port=0)
    await http.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        octets = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    finally:
        await http.stop()

    assert octets.startswith(b"HTTP/1.1 204")
    assert ["cannot accept"] == [context["message"] for context in reported]
