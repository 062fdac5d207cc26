"""Which failures are retried: always, with patience, a few times, or never.

A server that is restarting refuses in many voices: no socket, a socket and silence, 541 while a
virtual host is down, and 403 while the authentication backend is not up yet. What only the
first of several connects can mean (a wrong password, an unknown virtual host) is retried for a
few rounds if the same login has worked before.
"""

import ssl
from collections import deque
from enum import IntEnum
from typing import Final

from ..exceptions.base import OperationTimeout, ServerRefusal
from ..exceptions.connection import (
    AuthenticationError,
    ClientClosedConnectionError,
    ConnectionClosed,
    ConnectionForced,
    InvalidPath,
    LoginRefused,
    NotAllowed,
    ServerAuthMechanismsNotSupportedError,
    ServerLocalesNotSupportedError,
)

__all__ = ["FaultCounter", "Verdict", "verdict_on"]

REFUSED_ROUNDS: Final = 3
"""How many rounds a login is tried that has worked before, and is refused now."""
SAME_FAULTS: Final = 3
FAULT_WINDOW: Final = 60.0
"""So many ends in so many seconds, with the same error of the client, are final."""


class Verdict(IntEnum):
    """What is done about a failure; of several hosts' failures, the lowest counts."""

    RETRY = 0
    SLOWLY = 1
    """Retried with a longer delay: the server may still count the connection that was lost."""
    FEW_ROUNDS = 2
    FINAL = 3


def verdict_on(error: Exception, *, has_worked: bool) -> Verdict:
    """Decide what is done about a failure to connect.

    Args:
        error: What the attempt raised.
        has_worked: Whether the connection was open before.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return Verdict.RETRY if has_worked else Verdict.FINAL
    if isinstance(error, OSError | OperationTimeout):
        return Verdict.RETRY
    if isinstance(error, NotAllowed) and "connection limit" in error.reply_text:
        return Verdict.SLOWLY
    refused = (
        AuthenticationError,
        LoginRefused,
        NotAllowed,
        InvalidPath,
        ServerAuthMechanismsNotSupportedError,
        ServerLocalesNotSupportedError,
    )
    if isinstance(error, refused):
        return Verdict.FEW_ROUNDS if has_worked else Verdict.FINAL
    if isinstance(error, ClientClosedConnectionError):
        is_silence = isinstance(error.exc, OperationTimeout)
        return Verdict.RETRY if is_silence else Verdict.FINAL
    # 320, 506, 541 ("vhost is down" and whatever a server says that is not well) and silence.
    return Verdict.RETRY if isinstance(error, ConnectionClosed) else Verdict.FINAL


class FaultCounter:
    """Counts connections that the server closed because of what this client sent.

    Connecting again would send the same, and be closed again.
    """

    __slots__ = ("_faults",)

    def __init__(self) -> None:
        self._faults: deque[tuple[float, int, int, int]] = deque(maxlen=64)

    def is_final(self, error: Exception, now: float) -> bool:
        """Record the end of a connection, and return whether it has ended like that too often."""
        if not isinstance(error, ServerRefusal) or isinstance(error, ConnectionForced):
            return False
        if error.reply_code < 500 or not error.class_id:
            return False  # it answers no frame of the client's
        fault = (error.reply_code, error.class_id, error.method_id)
        self._faults.append((now, *fault))
        recent = [
            each for each in self._faults if each[1:] == fault and now - each[0] < FAULT_WINDOW
        ]
        return len(recent) >= SAME_FAULTS
