"""The hosts that a connection can be made to, and which of them is tried next.

The order of the hosts is shuffled once, so that the clients of a cluster spread over its nodes. A
round begins behind the host that was connected last, because that host is most likely down.
"""

from collections.abc import Iterator, Sequence

from ..auth.password import PasswordAuthentication
from ..parameters import ConnectionParameters
from .options import Recovery

__all__ = ["Hosts"]


class Hosts:
    """The hosts of one connection, in the order in which they are tried.

    Args:
        hosts: Where to connect to, and how; at least one.
        recovery: The user's options, whose random numbers shuffle the hosts; None for a connection
            without recovery.
    """

    def __init__(self, hosts: Sequence[ConnectionParameters], recovery: Recovery | None) -> None:
        self._hosts = list(hosts)
        self._next = 0
        if len(self._hosts) > 1:
            self._shuffle(recovery)

    def _shuffle(self, recovery: Recovery | None) -> None:
        from random import Random, random

        seed = random() if recovery is None else recovery.random()
        Random(seed).shuffle(self._hosts)

    def round(self) -> Iterator[ConnectionParameters]:
        """Yield each host once, beginning behind the one that was connected last."""
        begin = self._next
        for index in range(len(self._hosts)):
            yield self._hosts[(begin + index) % len(self._hosts)]

    def connected(self, address: str) -> None:
        """Record that a host was connected: the next round begins behind it.

        Args:
            address: The address of the host.
        """
        self._next = 1 + next(
            index for index, host in enumerate(self._hosts) if host.address == address
        )

    def change_password(self, password: str) -> None:
        """Use another password from now on, for each host whose mechanism uses a password.

        Args:
            password: The password.
        """
        for index, host in enumerate(self._hosts):
            if isinstance(host.auth, PasswordAuthentication):
                self._hosts[index] = host._replace(auth=host.auth.with_password(password))
