"""A channel of the tests is usable after what it attempts."""

from ammoo_fakebroker import FakeBroker
from ammoo_wire import QueueDeclareParameters, QueueDeleteParameters
from tests.support.peer import Peer


def test_attempt_opens_a_channel_again_that_the_server_closes() -> None:
    with FakeBroker() as broker, Peer.connect(broker.url) as owner:
        owner.channel().declare_queue("exclusive", exclusive=True)
        with Peer.connect(broker.url) as peer:
            channel = peer.channel()

            passed = [
                channel.attempt(QueueDeleteParameters("exclusive")),
                channel.attempt(QueueDeleteParameters("exclusive")),
                channel.attempt(QueueDeclareParameters("own")),
            ]

    assert [False, False, True] == passed
