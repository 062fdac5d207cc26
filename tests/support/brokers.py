"""The brokers and users of tests/behaviour, and the types of its fixtures."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from ammoo_fakebroker import FakeBroker
from tests.support.peer import Peer
from tests.support.releases import Value, is_among, value_on

Connect = Callable[..., Peer]
"""Opens a connection; see `Peer.connect` for its arguments."""

Unique = Callable[[str], str]
"""Makes a name that nobody else uses out of a label."""


class Broker(NamedTuple):
    """A broker that a test runs on.

    Attributes:
        url: Where it listens, with a login that may do everything.
        version: The RabbitMQ release whose behaviour it shows, such as "4.0".
        fake: The broker if it is ours. Only fixtures may ask.
    """

    url: str
    version: str
    fake: FakeBroker | None

    def is_among(self, releases: str) -> bool:
        """Return whether its release belongs to a set of releases such as ">=4.0"."""
        return is_among(self.version, releases)

    def value_of(self, values: Mapping[str, Value]) -> Value:
        """Return what holds on its release of values, each under the first that it holds on."""
        return value_on(self.version, values)

    def url_of(self, login: str) -> str:
        """Give the URL with the login of one of the suite's other users."""
        return with_login(self.url, login)

    def url_in(self, virtualhost: str) -> str:
        """Give the URL of another virtual host."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/{virtualhost}"


def with_login(url: str, login: str) -> str:
    """Give a URL with the login of one of the suite's other users."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{login}:{PASSWORD}@{parts.hostname}:{parts.port}{parts.path}"


STRANGER = "ammoo-stranger"
"""A user who may not even open the virtual host."""

LIMITED = "ammoo-limited"
"""A user who may configure, write or read what has these initials in its name, behind a plus."""

PASSWORD = "secret"
PERMISSIONS = {"configure": "[+]w?r?c", "write": "[+]c?r?w", "read": "[+]c?w?r"}


def add_users(fake: FakeBroker) -> None:
    """Make the suite's users; on a RabbitMQ, `.ci/rabbitmq prepare` does."""
    fake.add_user(STRANGER, PASSWORD, virtualhosts=())
    fake.add_user(LIMITED, PASSWORD)
    fake.set_permissions(LIMITED, **PERMISSIONS)
