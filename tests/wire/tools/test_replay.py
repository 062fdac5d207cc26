"""One peer of a recording, played again: whose turn it is depends on what the other has said."""

import pytest

from ammoo_wire import (
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    encode_command,
    encode_heartbeat,
)
from ammoo_wire.tools.recordings import Piece
from ammoo_wire.tools.replay import Replay

DECLARE = encode_command(1, QueueDeclareParameters("q"))
FIRST, SECOND = (encode_command(1, QueueDeclareOkParameters(name, 0, 0)) for name in "ab")
RECORDING = [
    Piece(0.0, 1, "client", DECLARE),
    Piece(0.1, 2, "client", DECLARE),
    Piece(0.2, 1, "server", FIRST),
    Piece(0.3, 2, "server", SECOND),
    Piece(0.4, 1, "server", b""),
]


def test_piece_waits_for_what_came_before_it() -> None:
    replay = Replay(RECORDING, "server")

    assert [] == list(replay.octets_to_send())
    replay.receive_data(encode_heartbeat() + DECLARE[:-1])
    assert [] == list(replay.octets_to_send())
    replay.receive_data(DECLARE[-1:])
    assert [FIRST] == list(replay.octets_to_send())
    assert not replay.has_more()


@pytest.mark.parametrize(("number", "expected"), [(1, FIRST), (2, SECOND), (3, FIRST)])
def test_connections_are_played_in_turn(number: int, expected: bytes) -> None:
    replay = Replay(RECORDING, "server", number)

    replay.receive_data(DECLARE)

    assert [expected] == list(replay.octets_to_send())


def test_empty_recording_plays_nothing() -> None:
    assert not Replay([], "client").has_more()
