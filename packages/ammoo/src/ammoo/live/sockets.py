"""Connecting a socket: TCP or Unix, with or without TLS."""

import asyncio

from ..parameters import ConnectionParameters
from .opening_failures import describe_socket_error
from .transport import Transport

__all__ = ["connect_socket"]


async def connect_socket(
    loop: asyncio.AbstractEventLoop, parameters: ConnectionParameters, transport: Transport
) -> None:
    """Connect the socket of a transport, TLS included; send nothing yet.

    Args:
        loop: The event loop.
        parameters: Where to connect to; connection_timeout limits how long it takes.
        transport: What the socket is given to.

    Raises:
        OSError: The socket cannot be connected. `ssl.SSLError` and `TimeoutError` are
            subclasses.
    """
    timeout = parameters.connection_timeout
    try:
        async with asyncio.timeout(timeout):
            await _connect(loop, parameters, transport)
    except TimeoutError as error:
        if error.errno is not None:
            raise  # from the operating system, whose own limit was shorter
        raise TimeoutError(
            f"the socket to {parameters.address} was not connected within {timeout:g} s"
        ) from None
    except OSError as error:
        describe_socket_error(error, parameters)
        raise


async def _connect(
    loop: asyncio.AbstractEventLoop, parameters: ConnectionParameters, transport: Transport
) -> None:
    context = parameters.ssl_context
    hostname = None if context is None else parameters.server_hostname
    if parameters.host.startswith("/"):
        await loop.create_unix_connection(
            lambda: transport,
            parameters.host,
            ssl=context,
            server_hostname=hostname if context is None else hostname or "",
        )
    else:
        await loop.create_connection(
            lambda: transport,
            parameters.host,
            parameters.port,
            ssl=context,
            server_hostname=hostname,
        )
