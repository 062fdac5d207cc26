"""Sockets: the listening one, the one that keeps its port, and how accepted ones end."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

__all__ = ["ENDS_WITH_FIN", "ENDS_WITH_RESET", "Listener", "hold_port"]

ENDS_WITH_RESET = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
"""The value of SO_LINGER with which a socket ends with a reset, as RabbitMQ's sockets do."""
ENDS_WITH_FIN = struct.pack("HH" if sys.platform == "win32" else "ii", 0, 0)
"""The value of SO_LINGER with which a socket ends with a FIN."""


def hold_port(host: str, port: int) -> socket.socket | None:
    """Bind a socket that never listens, to keep a port while the server does not listen.

    Without this socket another program may get the port. A client that connects may even get it as
    its own port, and be connected to itself. On Windows other programs could still take the port, and
    some systems allow only one socket for a port; the port is not held there.

    Returns:
        The socket; None if the port cannot be held.

    Raises:
        OSError: The address is not available.
    """
    if sys.platform == "win32":
        return None
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, port))
    except BaseException:
        holder.close()
        raise
    return holder


class Listener(socket.socket):
    """A listening socket that remembers the accepted sockets that have no transport yet.

    Several turns of the event loop lie between accept and the transport. A task that is cancelled
    in one of them loses the socket: neither `asyncio.Server` nor `loop.sock_accept` closes it.
    """

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=128)
        super().__init__(fileno=bound.detach())
        self.setblocking(False)
        self.unattended: set[socket.socket] = set()

    def accept(self) -> tuple[socket.socket, Any]:
        accepted, address = super().accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ENDS_WITH_RESET)
        self.unattended.add(accepted)
        return accepted, address

    def close(self) -> None:
        while self.unattended:
            self.unattended.pop().close()
        super().close()
