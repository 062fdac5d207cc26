"""Which failures recovery retries: always, with a longer delay, a few times, or never.

A server that restarts refuses connections in several ways: it accepts no socket, it is silent,
it closes with 541 while a virtual host is down, and with 403 while the authentication backend is
down. A wrong password or an unknown virtual host looks the same. If the same login has worked
before, recovery retries these for a few rounds.
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
    TooManyChannels,
)

__all__ = ["FaultCounter", "RetryDecision", "retry_decision_on"]

REFUSED_ROUNDS: Final = 3
"""For how many rounds a refused login is retried if it has worked before."""
SAME_FAULTS: Final = 3
FAULT_WINDOW: Final = 60.0
"""So many connections in so many seconds, all closed for the same fault of the client, are final."""


class RetryDecision(IntEnum):
    """What recovery does about a failure; of several hosts' decisions, the lowest counts."""

    RETRY = 0
    SLOWLY = 1
    """Retried with a longer delay: the server may still count the connection that was lost."""
    FEW_ROUNDS = 2
    FINAL = 3


def retry_decision_on(error: Exception, *, has_worked: bool) -> RetryDecision:
    """Decide what recovery does about a failure to connect.

    Args:
        error: The exception of the attempt.
        has_worked: Whether the connection was open before.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return RetryDecision.RETRY if has_worked else RetryDecision.FINAL
    if isinstance(error, OSError | OperationTimeout | TooManyChannels):
        return RetryDecision.RETRY
    if isinstance(error, NotAllowed) and "connection limit" in error.reply_text:
        return RetryDecision.SLOWLY
    refused = (
        AuthenticationError,
        LoginRefused,
        NotAllowed,
        InvalidPath,
        ServerAuthMechanismsNotSupportedError,
        ServerLocalesNotSupportedError,
    )
    if isinstance(error, refused):
        return RetryDecision.FEW_ROUNDS if has_worked else RetryDecision.FINAL
    if isinstance(error, ClientClosedConnectionError):
        is_silence = isinstance(error.exc, OperationTimeout)
        return RetryDecision.RETRY if is_silence else RetryDecision.FINAL
    # 320, 506, 541 ("vhost is down", and any other text of a server in trouble) and silence.
    return RetryDecision.RETRY if isinstance(error, ConnectionClosed) else RetryDecision.FINAL


class FaultCounter:
    """Counts connections that the server closed because of what this client sent.

    A new connection would send the same, and the server would close it again.
    """

    __slots__ = ("_faults",)

    def __init__(self) -> None:
        self._faults: deque[tuple[float, int, int, int]] = deque(maxlen=64)

    def is_final(self, error: Exception, now: float) -> bool:
        """Record the end of a connection; return whether the same fault has closed too many."""
        if not isinstance(error, ServerRefusal) or isinstance(error, ConnectionForced):
            return False
        if error.reply_code < 500 or not error.class_id:
            return False  # no frame of the client's caused it
        fault = (error.reply_code, error.class_id, error.method_id)
        self._faults.append((now, *fault))
        recent = [
            each for each in self._faults if each[1:] == fault and now - each[0] < FAULT_WINDOW
        ]
        return len(recent) >= SAME_FAULTS
