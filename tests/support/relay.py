"""A relay between a client and a broker: the network, which can fall silent.

A broker cannot be made to stop answering in the middle of a connection; what lies between can.
"""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Relay"]


class Relay:
    """Listens on loopback, and carries octets to a broker and back until it is silenced.

    Args:
        url: The broker's.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._carriers: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._answers = asyncio.Event()
        self._answers.set()
        self._carried = bytearray()  # to the broker, since somebody asked
        self._has_carried = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the broker is to be had through the relay."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        login, _, _ = self._parts.netloc.rpartition("@")
        return self._parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()

    def silence(self) -> None:
        """Carry nothing more of what the broker says, until `resume`."""
        self._answers.clear()

    def resume(self) -> None:
        """Carry again; what was said meanwhile comes first."""
        self._answers.set()

    async def carried_to_broker(self) -> bytes:
        """Wait for octets on their way to the broker, and give all since the last call."""
        await self._has_carried.wait()
        carried = bytes(self._carried)
        self._carried.clear()
        self._has_carried.clear()
        return carried

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for carrier in self._carriers:
            carrier.cancel()
        await asyncio.gather(*self._carriers, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_broker = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._writers += [writer, to_broker[1]]
        self._carriers += [
            asyncio.create_task(self._carry_to_broker(reader, to_broker[1])),
            asyncio.create_task(self._carry_back(to_broker[0], writer)),
        ]

    async def _carry_to_broker(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):  # one of them has gone without a word
            while octets := await source.read(65536):
                self._carried += octets
                self._has_carried.set()
                target.write(octets)
                await target.drain()
        target.close()

    async def _carry_back(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while octets := await source.read(65536):
                await self._answers.wait()
                target.write(octets)
                await target.drain()
            await self._answers.wait()
        target.close()
