"""When a heartbeat is due and when the peer is gone, on a clock of the test's own."""

import pytest

from ammoo_wire import Heartbeat, HeartbeatVerdict

NOTHING, SEND, PEER_GONE = HeartbeatVerdict


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (100, NOTHING),
        (104.9, NOTHING),
        (105, SEND),
        (119.9, SEND),
        (120, PEER_GONE),
        (1000, PEER_GONE),
    ],
)
def test_check_when_nothing_passes_either_way(now: float, verdict: HeartbeatVerdict) -> None:
    assert Heartbeat(10, 100).check(now) is verdict


def test_check_finds_nothing_due_after_something_was_sent() -> None:
    heartbeat = Heartbeat(10, 100)

    heartbeat.data_sent(104)

    assert heartbeat.check(105) is NOTHING
    assert heartbeat.check(109) is SEND


def test_check_keeps_a_peer_that_was_heard() -> None:
    heartbeat = Heartbeat(10, 100)
    heartbeat.data_sent(119)

    heartbeat.data_received(119)

    assert heartbeat.check(120) is NOTHING
    assert heartbeat.check(139) is PEER_GONE


def test_check_puts_a_gone_peer_above_a_heartbeat_to_send() -> None:
    heartbeat = Heartbeat(10, 100)

    assert heartbeat.check(heartbeat.timeout + 100) is PEER_GONE


def test_timeout_is_twice_the_interval() -> None:
    assert 20 == Heartbeat(10, 0).timeout


def test_next_check_is_half_an_interval_after_the_last_write() -> None:
    heartbeat = Heartbeat(10, 100)

    heartbeat.data_sent(103)

    assert 108 == heartbeat.next_check()


def test_next_check_is_the_peers_last_moment_if_that_is_earlier() -> None:
    heartbeat = Heartbeat(10, 100)

    heartbeat.data_sent(118)

    assert 120 == heartbeat.next_check()


def test_something_is_due_at_next_check() -> None:
    heartbeat = Heartbeat(0.25, 7.5)

    assert heartbeat.check(heartbeat.next_check()) is SEND
