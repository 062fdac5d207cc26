"""Counts of logins by protocol."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LoginCounts", "Logins"]


class LoginCounts(NamedTuple):
    """How often clients have logged in, and have failed to."""

    succeeded: int = 0
    failed: int = 0


class Logins(dict[str, LoginCounts]):
    """The counts of logins, by RabbitMQ's name of the protocol."""

    def count(self, protocol: str, *, succeeded: bool) -> None:
        """Count a login."""
        counts = self.get(protocol, LoginCounts())
        if succeeded:
            self[protocol] = counts._replace(succeeded=counts.succeeded + 1)
        else:
            self[protocol] = counts._replace(failed=counts.failed + 1)
