"""What clients see of a broker that is shut down.

On a RabbitMQ only with AMMOO_TEST_SHUTDOWN=1 (see `tests.support.broker_matrix`): it takes all others'
connections as well.
"""

import pytest

from ammoo_wire import ConnectionCloseParameters, ConnectionTuneParameters
from tests.support.broker_matrix import MortalBroker
from tests.support.peer import Peer

FORCED = ConnectionCloseParameters(
    320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", 0, 0
)


def test_shutdown_closes_connections_and_lets_nobody_in(mortal_broker: MortalBroker) -> None:
    """Who has not come in yet is told nothing, and consumers do not hear that they are cancelled."""
    url, shut_down = mortal_broker
    with (
        Peer.connect(url) as idle,
        Peer.connect(url) as busy,
        Peer(url) as opening,
    ):
        channel = busy.channel()
        channel.consume(channel.declare_queue("", exclusive=True))
        opening.begin()
        opening.expect(0, ConnectionTuneParameters)

        shut_down()

        with pytest.raises(ConnectionRefusedError):
            Peer(url)
        assert FORCED == idle.receive(0)
        assert FORCED == busy.receive(0)
        assert not busy.has_received(1)
        assert [] == idle.frames_until_end_of_stream()
        assert [] == opening.frames_until_end_of_stream()
