"""Which failures are retried."""

import socket
import ssl

import pytest

from ammoo.exceptions import (
    AuthenticationError,
    ClientClosedConnectionError,
    ConnectionLost,
    ConnectionTimeout,
    HeartbeatTimeout,
    InvalidServerFrame,
    OperationTimeout,
    ServerAuthMechanismsNotSupportedError,
    TooManyChannels,
    UnexpectedFrame,
)
from ammoo.exceptions.connection import server_closed_connection
from ammoo.recovery.verdicts import FaultCounter, Verdict, verdict_on

VHOST_DOWN = "INTERNAL_ERROR - access to vhost '/' refused for user 'guest': vhost '/' is down"
LIMIT = "NOT_ALLOWED - access to vhost '/' refused for user 'guest': user connection limit (1) is reached"
NO_VHOST = "NOT_ALLOWED - vhost shop not found"


def closed(code: int, text: str) -> Exception:
    return server_closed_connection(code, text, 10, 40)


@pytest.mark.parametrize(
    ("error", "first", "again"),
    [
        (ConnectionRefusedError(), Verdict.RETRY, Verdict.RETRY),
        (TimeoutError(), Verdict.RETRY, Verdict.RETRY),
        (socket.gaierror(-3, "try again"), Verdict.RETRY, Verdict.RETRY),
        (ssl.SSLError("reset"), Verdict.RETRY, Verdict.RETRY),
        (ssl.SSLCertVerificationError("expired"), Verdict.FINAL, Verdict.RETRY),
        (ConnectionLost(), Verdict.RETRY, Verdict.RETRY),
        (HeartbeatTimeout(20), Verdict.RETRY, Verdict.RETRY),
        (ConnectionTimeout(10), Verdict.RETRY, Verdict.RETRY),
        (InvalidServerFrame(ValueError()), Verdict.RETRY, Verdict.RETRY),
        (UnexpectedFrame("frame"), Verdict.RETRY, Verdict.RETRY),
        (OperationTimeout("channel.open", 10), Verdict.RETRY, Verdict.RETRY),
        (TooManyChannels(16), Verdict.RETRY, Verdict.RETRY),
        (closed(320, "CONNECTION_FORCED - shutdown"), Verdict.RETRY, Verdict.RETRY),
        (closed(506, "RESOURCE_ERROR"), Verdict.RETRY, Verdict.RETRY),
        (closed(541, VHOST_DOWN), Verdict.RETRY, Verdict.RETRY),
        (closed(530, LIMIT), Verdict.SLOWLY, Verdict.SLOWLY),
        (closed(530, NO_VHOST), Verdict.FINAL, Verdict.FEW_ROUNDS),
        (closed(403, "ACCESS_REFUSED - login refused"), Verdict.FINAL, Verdict.FEW_ROUNDS),
        (closed(402, "INVALID_PATH"), Verdict.FINAL, Verdict.FEW_ROUNDS),
        (AuthenticationError("PLAIN"), Verdict.FINAL, Verdict.FEW_ROUNDS),
        (ServerAuthMechanismsNotSupportedError(), Verdict.FINAL, Verdict.FEW_ROUNDS),
        (
            ClientClosedConnectionError(OperationTimeout("queue.declare", 60)),
            Verdict.RETRY,
            Verdict.RETRY,
        ),
        (ClientClosedConnectionError(KeyError()), Verdict.FINAL, Verdict.FINAL),
        (ValueError("no such URL"), Verdict.FINAL, Verdict.FINAL),
    ],
    ids=lambda value: f"{type(value).__name__}-{value}"[:60],
)
def test_verdict(error: Exception, first: Verdict, again: Verdict) -> None:
    assert verdict_on(error, has_worked=False) is first
    assert verdict_on(error, has_worked=True) is again


def test_mildest_of_several_hosts_verdicts_counts() -> None:
    assert min(Verdict.FINAL, Verdict.SLOWLY, Verdict.FEW_ROUNDS) is Verdict.SLOWLY


NOT_IMPLEMENTED = server_closed_connection(540, "NOT_IMPLEMENTED - immediate=true", 60, 40)


def test_third_close_for_the_same_fault_within_a_minute_is_final() -> None:
    faults = FaultCounter()

    assert [False, False, True] == [faults.is_final(NOT_IMPLEMENTED, now) for now in (0, 30, 59)]


def test_faults_are_forgotten_after_a_minute() -> None:
    faults = FaultCounter()

    assert [False, False, False] == [faults.is_final(NOT_IMPLEMENTED, now) for now in (0, 30, 60)]


def test_another_method_is_another_fault() -> None:
    faults = FaultCounter()
    other = server_closed_connection(540, "NOT_IMPLEMENTED - prefetch_size", 60, 10)

    verdicts = [faults.is_final(e, 0) for e in (NOT_IMPLEMENTED, other, NOT_IMPLEMENTED, other)]

    assert [False] * 4 == verdicts


@pytest.mark.parametrize(
    "error",
    [
        server_closed_connection(320, "CONNECTION_FORCED", 0, 0),
        server_closed_connection(541, "INTERNAL_ERROR", 0, 0),
        ConnectionLost(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_answers_no_frame_of_ours_is_no_fault_of_ours(error: Exception) -> None:
    faults = FaultCounter()

    assert [False] * 5 == [faults.is_final(error, 0) for _ in range(5)]
