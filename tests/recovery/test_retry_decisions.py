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
from ammoo.recovery.retry_decisions import FaultCounter, RetryDecision, retry_decision_on

VHOST_DOWN = "INTERNAL_ERROR - access to vhost '/' refused for user 'guest': vhost '/' is down"
LIMIT = "NOT_ALLOWED - access to vhost '/' refused for user 'guest': user connection limit (1) is reached"
NO_VHOST = "NOT_ALLOWED - vhost shop not found"


def closed(code: int, text: str) -> Exception:
    return server_closed_connection(code, text, 10, 40)


@pytest.mark.parametrize(
    ("error", "first", "again"),
    [
        (ConnectionRefusedError(), RetryDecision.RETRY, RetryDecision.RETRY),
        (TimeoutError(), RetryDecision.RETRY, RetryDecision.RETRY),
        (socket.gaierror(-3, "try again"), RetryDecision.RETRY, RetryDecision.RETRY),
        (ssl.SSLError("reset"), RetryDecision.RETRY, RetryDecision.RETRY),
        (ssl.SSLCertVerificationError("expired"), RetryDecision.FINAL, RetryDecision.RETRY),
        (ConnectionLost(), RetryDecision.RETRY, RetryDecision.RETRY),
        (HeartbeatTimeout(20), RetryDecision.RETRY, RetryDecision.RETRY),
        (ConnectionTimeout(10), RetryDecision.RETRY, RetryDecision.RETRY),
        (InvalidServerFrame(ValueError()), RetryDecision.RETRY, RetryDecision.RETRY),
        (UnexpectedFrame("frame"), RetryDecision.RETRY, RetryDecision.RETRY),
        (OperationTimeout("channel.open", 10), RetryDecision.RETRY, RetryDecision.RETRY),
        (TooManyChannels(16), RetryDecision.RETRY, RetryDecision.RETRY),
        (closed(320, "CONNECTION_FORCED - shutdown"), RetryDecision.RETRY, RetryDecision.RETRY),
        (closed(506, "RESOURCE_ERROR"), RetryDecision.RETRY, RetryDecision.RETRY),
        (closed(541, VHOST_DOWN), RetryDecision.RETRY, RetryDecision.RETRY),
        (closed(530, LIMIT), RetryDecision.SLOWLY, RetryDecision.SLOWLY),
        (closed(530, NO_VHOST), RetryDecision.FINAL, RetryDecision.FEW_ROUNDS),
        (
            closed(403, "ACCESS_REFUSED - login refused"),
            RetryDecision.FINAL,
            RetryDecision.FEW_ROUNDS,
        ),
        (closed(402, "INVALID_PATH"), RetryDecision.FINAL, RetryDecision.FEW_ROUNDS),
        (AuthenticationError("PLAIN"), RetryDecision.FINAL, RetryDecision.FEW_ROUNDS),
        (ServerAuthMechanismsNotSupportedError(), RetryDecision.FINAL, RetryDecision.FEW_ROUNDS),
        (
            ClientClosedConnectionError(OperationTimeout("queue.declare", 60)),
            RetryDecision.RETRY,
            RetryDecision.RETRY,
        ),
        (ClientClosedConnectionError(KeyError()), RetryDecision.FINAL, RetryDecision.FINAL),
        (ValueError("no such URL"), RetryDecision.FINAL, RetryDecision.FINAL),
    ],
    ids=lambda value: f"{type(value).__name__}-{value}"[:60],
)
def test_decision_on_an_error(error: Exception, first: RetryDecision, again: RetryDecision) -> None:
    assert retry_decision_on(error, has_worked=False) is first
    assert retry_decision_on(error, has_worked=True) is again


def test_mildest_decision_of_several_hosts_counts() -> None:
    assert (
        min(RetryDecision.FINAL, RetryDecision.SLOWLY, RetryDecision.FEW_ROUNDS)
        is RetryDecision.SLOWLY
    )


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

    decisions = [faults.is_final(e, 0) for e in (NOT_IMPLEMENTED, other, NOT_IMPLEMENTED, other)]

    assert [False] * 4 == decisions


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
