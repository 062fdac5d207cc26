"""Wait until a broker answers at a URL, for scripts that start one in the background."""

from __future__ import annotations

import argparse
import socket
import ssl
import time
from urllib.parse import urlsplit

from .problems import CommandError

__all__ = ["wait_until_ready"]

_HEADER = b"AMQP\x00\x00\x09\x01"
_PAUSE = 0.05
_PORTS = {"amqp": 5672, "amqps": 5671}


def wait_until_ready(options: argparse.Namespace) -> None:
    """Wait until a broker answers an AMQP header with a frame, and print that it is ready.

    Certificates are not verified, because the identity of the broker does not matter here.

    Args:
        options: The result of `options.parse_ready`.

    Raises:
        CommandError: The URL is wrong, or no broker answered in time.
    """
    scheme, address = _place_of(options.url)
    deadline = time.monotonic() + options.timeout
    while (problem := _ask(address, uses_tls=scheme == "amqps")) is not None:
        if time.monotonic() >= deadline:
            place = f"{address[0]}:{address[1]}"
            raise CommandError(
                f"no broker answered at {place} within {options.timeout:g} s: {problem}", code=1
            )
        time.sleep(_PAUSE)
    print(f"ready: {scheme}://{address[0]}:{address[1]}", flush=True)


def _place_of(url: str) -> tuple[str, tuple[str, int]]:
    """Return the scheme of a URL, and the host and the port.

    Raises:
        CommandError: It is not the URL of a broker.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # the port is no number, or too large
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise CommandError(f"URL is {url!r}; expected amqp://host:port or amqps://host:port")
    return parts.scheme, (parts.hostname, port or _PORTS[parts.scheme])


def _ask(address: tuple[str, int], *, uses_tls: bool) -> str | None:
    """Open a connection as a client does; return the error, or None if a broker answered."""
    try:
        with socket.create_connection(address, timeout=1.0) as plain:
            if not uses_tls:
                return _greet(plain)
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with context.wrap_socket(plain) as encrypted:
                return _greet(encrypted)
    except OSError as error:
        return error.strerror or str(error)


def _greet(connection: socket.socket) -> str | None:
    connection.sendall(_HEADER)
    answer = connection.recv(7)
    if answer[:1] == b"\x01":  # the header of a method frame: connection.start
        return None
    return "it does not speak AMQP 0-9-1" if answer else "it closed the connection"
