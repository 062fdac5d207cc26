"""The HTTP server when its sockets fail."""

import asyncio
import errno
from collections.abc import Callable
from itertools import chain, repeat
from typing import Any
from unittest.mock import DEFAULT, AsyncMock

import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.management import server
from ammoo_fakebroker.management.http import Request, Response
from ammoo_fakebroker.management.server import HttpServer
from tests.support.management_api import ManagementApi


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


async def test_client_that_asks_before_it_sends_a_body_is_told_to() -> None:
    http = HttpServer(answer, host="127.0.0.1", port=0)
    await http.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
        head = b"PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
        writer.write(head + b"Connection: close\r\n\r\n")
        first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        writer.write(b"{}")
        rest = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    finally:
        await http.stop()

    assert b"HTTP/1.1 100 Continue\r\n\r\n" == first
    assert rest.startswith(b"HTTP/1.1 204")


def test_guest_may_not_log_in_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, make_fakebroker: Callable[..., FakeBroker]
) -> None:
    monkeypatch.setattr(server, "is_loopback", lambda host: False)
    broker = make_fakebroker(management_port=0)
    broker.add_user("visitor", "secret", tags=["management"])
    api = ManagementApi(broker.management_url)

    assert (401, "not_authorised", "User can only log in via localhost") == (
        api.get("whoami").problem
    )
    assert "visitor" == api.as_user("visitor", "secret").get("whoami").json["name"]


def test_named_loopback_users_decide_who_may_log_in_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, make_fakebroker: Callable[..., FakeBroker]
) -> None:
    monkeypatch.setattr(server, "is_loopback", lambda host: False)
    broker = make_fakebroker(management_port=0, loopback_users=())

    assert 200 == ManagementApi(broker.management_url).get("whoami").status
