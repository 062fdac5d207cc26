"""Connecting a socket: TCP or Unix, with or without TLS, or with the user's factory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from socket import AF_INET, AF_INET6, SOCK_STREAM, inet_pton
from typing import Final

from ..parameters import ConnectionParameters
from .opening_failures import describe_socket_error
from .transport import Transport

__all__ = ["connect_socket"]


HAPPY_EYEBALLS_DELAY: Final = 0.25
"""After so many seconds the next address is tried, too (RFC 8305)."""


async def connect_socket(
    loop: asyncio.AbstractEventLoop,
    parameters: ConnectionParameters,
    transport: Transport,
    tries_each_address: bool = False,
) -> None:
    """Connect the socket of a transport, TLS included; send nothing yet.

    Args:
        loop: The event loop.
        parameters: Where to connect to; connection_timeout limits how long it takes.
        transport: The transport that gets the socket.
        tries_each_address: If the host has several addresses, whether each of them gets a part of
            the time; by default the system decides.

    Raises:
        OSError: The socket cannot be connected. `ssl.SSLError` and `TimeoutError` are
            subclasses.
    """
    try:
        async with _within(parameters.connection_timeout, parameters):
            await _connect(loop, parameters, transport, tries_each_address)
    except OSError as error:
        describe_socket_error(error, parameters)
        raise


@asynccontextmanager
async def _within(seconds: float | None, parameters: ConnectionParameters) -> AsyncIterator[None]:
    """Limit how long it takes to connect.

    Raises:
        TimeoutError: The time is over. The operating system and open_transport may have limits of
            their own; their errors are raised as they are.
    """
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError:
        if seconds is None or not scope.expired():
            raise
        raise TimeoutError(
            f"the socket to {parameters.address} was not connected within {seconds:g} s"
        ) from None


async def _connect(
    loop: asyncio.AbstractEventLoop,
    parameters: ConnectionParameters,
    transport: Transport,
    tries_each_address: bool,
) -> None:
    context = parameters.ssl_context
    hostname = None if context is None else parameters.server_hostname
    if parameters.open_transport is not None:
        await parameters.open_transport(
            lambda: transport,
            parameters.host,
            parameters.port,
            ssl=context,
            server_hostname=hostname,
        )
    elif parameters.host.startswith("/"):
        await loop.create_unix_connection(
            lambda: transport,
            parameters.host,
            ssl=context,
            server_hostname=hostname if context is None else hostname or "",
        )
    elif not tries_each_address:
        await loop.create_connection(
            lambda: transport,
            parameters.host,
            parameters.port,
            ssl=context,
            server_hostname=hostname,
        )
    else:
        await _connect_to_any(loop, parameters, transport)


async def _connect_to_any(
    loop: asyncio.AbstractEventLoop, parameters: ConnectionParameters, transport: Transport
) -> None:
    """Connect to one of the host's addresses; try the next one while one does not answer.

    With uvloop, try them one after the other, each for a limited time. Do the same with a single
    address on any loop: asyncio loses a socket that connects in the turn in which several are
    cancelled.
    """
    context = parameters.ssl_context
    name = parameters.server_hostname or parameters.host
    addresses = await _resolve(loop, parameters)
    if len(addresses) > 1 and has_happy_eyeballs(loop):
        await loop.create_connection(
            lambda: transport,
            parameters.host,
            parameters.port,
            ssl=context,
            server_hostname=None if context is None else name,
            happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
            interleave=1,
        )
        return
    seconds = parameters.address_timeout
    if seconds is None and parameters.connection_timeout is not None:
        seconds = parameters.connection_timeout / len(addresses)
    for address in addresses:
        try:
            async with _within(seconds, parameters):
                await loop.create_connection(
                    lambda: transport,
                    address,
                    parameters.port,
                    ssl=context,
                    server_hostname=None if context is None else name,
                )
        except OSError:
            if address == addresses[-1]:
                raise
        else:
            return


def has_happy_eyeballs(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop can try several addresses at a time; uvloop cannot."""
    return isinstance(loop, asyncio.BaseEventLoop)


async def _resolve(loop: asyncio.AbstractEventLoop, parameters: ConnectionParameters) -> list[str]:
    """Return each address of the host once."""
    for family in (AF_INET, AF_INET6):
        with suppress(OSError, ValueError):
            inet_pton(family, parameters.host)
            return [parameters.host]  # without a thread
    found = await loop.getaddrinfo(parameters.host, parameters.port, type=SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
