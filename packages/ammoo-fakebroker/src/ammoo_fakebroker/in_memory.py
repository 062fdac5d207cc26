"""Connecting to a broker without a socket: clients in the event loop that the broker runs in.

Client and broker then exchange octets through the loop alone. They can therefore run in a loop with
virtual time (`clocks/virtual_time.py`), heartbeats included, and each run has the same order of events.
"""

from __future__ import annotations

import asyncio
from abc import ABC
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .network.server import Server

__all__ = ["InMemory"]

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)


class InMemory(ABC):
    """The method that connects a client in memory.

    Attributes:
        _server: The server.
        _is_running: Whether the broker is started, and not stopped.
    """

    _server: Server
    _is_running: bool

    async def open_transport(
        self,
        protocol_factory: Callable[[], _Protocol],
        host: object = None,
        port: object = None,
        *,
        ssl: object = None,
        server_hostname: object = None,
    ) -> tuple[asyncio.Transport, _Protocol]:
        """Connect a client of this event loop in memory, without a socket.

        It has the signature of `asyncio.loop.create_connection`; `ammoo.connect` has an option for
        it::

            async with FakeBroker() as broker:
                options = {"open_transport": broker.open_transport}
                async with ammoo.connect(broker.url, **options) as connection:
                    ...

        Octets, pauses, faults and the end are the same as over a socket. The client's address is
        ``127.0.0.1``, with ports that count from 1.

        Args:
            protocol_factory: Returns the client's protocol.
            host, port: The address of a real connection; ignored.
            ssl: The TLS settings of a real connection; only None and False are possible.
            server_hostname: The name in a certificate; ignored.

        Returns:
            The client's transport, and its protocol.

        Raises:
            ConnectionRefusedError: The broker does not listen at the moment.
            RuntimeError: The broker does not run in this event loop.
            ValueError: The client or the broker's option `tls` asks for encryption.
        """
        if self._server.thread_id == 0 or self._server.loop is not asyncio.get_running_loop():
            raise RuntimeError(
                "the broker does not run in this event loop, which connections in memory need;"
                " start it with `async with FakeBroker() as broker:`, or connect to broker.url"
            )
        if ssl or self._server.uses_tls:
            raise ValueError(
                "connections in memory are not encrypted; use an amqp:// URL, and no tls"
            )
        return await self._server.connect_in_memory(protocol_factory)
