"""Find the brokers that are compared: a real one by its URL, and fakes like it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.node.virtual_host import VirtualHost
from ammoo_fakebroker.queues.dead_lettering import DeadLetters
from tests.support.brokers import LIMITED, PERMISSIONS, add_users
from tests.support.peer import Peer
from tests.support.releases import FAKE_RELEASES, newest_up_to, release_of


class RabbitMQ(NamedTuple):
    """A real broker: where it listens, and its release, such as "4.0"."""

    url: str
    version: str


def rabbitmq_at(url: str) -> RabbitMQ:
    """Ask a broker for its release."""
    with Peer.connect(url) as peer:
        assert peer.start is not None
        version: str = peer.start.server_properties["version"]
        peer.close()
    return RabbitMQ(url, release_of(version))


@contextmanager
def fake_like(
    rabbitmq: RabbitMQ, *, in_reverse: bool = False, at_once: bool = False
) -> Iterator[str]:
    """Run a fresh fake broker of a RabbitMQ's release, or of the newest before it.

    Args:
        rabbitmq: What it is to be like.
        in_reverse: Whether the last queue that a message is routed to has it first. In RabbitMQ
            all of them work at once; what they dead-letter to the same queue may come either way.
        at_once: Whether dead letters are forwarded before the next queue has the message. In
            RabbitMQ a classic queue may do so while a quorum queue registers a new publisher.

    Yields:
        Its URL, with the same virtual host.
    """
    virtualhost = unquote(urlsplit(rabbitmq.url).path[1:]) or "/"
    with FakeBroker(compatibility=newest_up_to(rabbitmq.version, FAKE_RELEASES)) as fake:
        add_users(fake)
        if virtualhost not in fake.virtualhosts:
            fake.add_virtualhost(virtualhost)
            fake.set_permissions(LIMITED, **PERMISSIONS, virtualhost=virtualhost)
        if in_reverse:
            _reverse_routes(fake._node.virtualhosts[virtualhost])
        if at_once:
            _forward_at_once(fake._node.virtualhosts[virtualhost].dead_letters)
        yield fake.url_for(virtualhost=virtualhost)


def _reverse_routes(virtualhost: VirtualHost) -> None:
    route = virtualhost.routing.route
    # Of one virtual host alone: the other fake keeps its order.
    virtualhost.routing.route = lambda exchange, message: tuple(route(exchange, message))[::-1]  # type: ignore[method-assign]  # see above


def _forward_at_once(dead_letters: DeadLetters) -> None:
    dead_letters.send = dead_letters._publish  # type: ignore[method-assign]  # as above
