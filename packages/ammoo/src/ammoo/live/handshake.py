"""The client's part in the handshake: client properties, mechanism, responses to challenges.

The wire knows the sequence of methods (`ammoo_wire.client`). This module supplies what
the wire asks for: the client's properties, the login mechanism, and the responses to
challenges, which a mechanism may take time to compute.
"""

import asyncio
import sys
from collections import deque
from typing import Any, Final

from ammoo_wire import (
    FRAME_OVERHEAD,
    ConnectionSecureOkParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    Parameters,
    encode_method,
    method_of,
)

from ..auth.abc import AuthenticationMechanism
from ..exceptions.connection import ServerLocalesNotSupportedError
from ..parameters import ConnectionParameters
from ..version import __version__

__all__ = ["LOCALE", "Opening", "client_properties"]

LOCALE: Final = "en_US"

CAPABILITIES: Final = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "exchange_exchange_bindings": True,
    "publisher_confirms": True,
}
"""The extensions that the client understands; RabbitMQ sends some only to clients that say so."""


def client_properties(parameters: ConnectionParameters) -> dict[str, Any]:
    """Return the properties that the client sends; the user's own take precedence."""
    own = parameters.client_properties
    return {
        "product": "ammoo",
        "version": __version__,
        "platform": "Python {}.{}.{}".format(*sys.version_info),
        **own,
        "capabilities": {**CAPABILITIES, **own.get("capabilities", {})},
    }


class Opening:
    """Answers the server's requests during the handshake.

    Args:
        loop: The event loop.
        parameters: The connection's parameters, the login included.

    Attributes:
        mechanism: The mechanism that was chosen; None before the server offered any.
        login_method: The method with the largest login response; empty before the login.
        login_size: The size of its frame, in octets.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, parameters: ConnectionParameters) -> None:
        self.mechanism: AuthenticationMechanism | None = None
        self.login_method: str = ""
        self.login_size: int = 0
        self._auth = parameters.auth
        self._parameters = parameters
        self._loop = loop
        self._challenges: deque[bytes] = deque()
        self._is_over = False
        self._step: asyncio.Future[None] | None = None

    def choose_mechanism(self, start: ConnectionStartParameters) -> tuple[str, bytes]:
        """Return the answer to connection.start.

        Returns:
            The mechanism's name, and its first response.

        Raises:
            ServerLocalesNotSupportedError: The server does not offer the client's locale.
            ServerAuthMechanismsNotSupportedError: The server offers no mechanism that the client
                may use.
        """
        locales = frozenset(start.locales.decode(errors="replace").split())
        if LOCALE not in locales:
            raise ServerLocalesNotSupportedError(locales)
        auth = self._auth
        if not isinstance(auth, AuthenticationMechanism):
            auth = auth.select_mechanism(set(start.mechanisms.decode(errors="replace").split()))
        self.mechanism = auth
        is_rabbitmq = start.server_properties.get("product") == "RabbitMQ"
        name, response = auth.name(), auth.build_start_ok_response("utf-8", is_rabbitmq)
        properties = client_properties(self._parameters)
        self._note_size(ConnectionStartOkParameters(properties, name, response, LOCALE))
        return name, response

    async def next_response(self) -> bytes | None:
        """Wait for the server's next challenge, and return the response.

        Returns:
            The response, or None when the connection is open.

        Raises:
            Exception: The error that ended the connection, or an error of the mechanism.
        """
        while not self._challenges:
            if self._is_over:
                return None
            self._step = self._loop.create_future()
            try:
                await self._step
            finally:
                self._step = None
        assert self.mechanism is not None
        response = await self.mechanism.challenge(self._challenges.popleft())
        self._note_size(ConnectionSecureOkParameters(response))
        return response

    def challenged(self, challenge: bytes) -> None:
        """Record a challenge (connection.secure)."""
        self._challenges.append(challenge)
        self._take_step()

    def succeed(self) -> None:
        """Record that the connection is open."""
        self._is_over = True
        self._take_step()

    def fail(self, error: Exception) -> None:
        """Record that the connection will not be opened."""
        if self._step is not None and not self._step.done():
            self._step.set_exception(error)

    def _note_size(self, parameters: Parameters) -> None:
        """Record the size of a login frame: servers close the socket if it is too large."""
        size = FRAME_OVERHEAD + len(encode_method(parameters))
        if size > self.login_size:
            self.login_method = method_of(parameters).name
            self.login_size = size

    def _take_step(self) -> None:
        if self._step is not None and not self._step.done():
            self._step.set_result(None)
