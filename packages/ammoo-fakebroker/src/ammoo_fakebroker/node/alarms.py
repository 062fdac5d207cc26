"""The alarms of a node, during which connections that publish are not read.

See https://www.rabbitmq.com/docs/alarms
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["Alarms"]

_LOW_ON = "low on "


class Alarms:
    """The alarms in force, each with a reason for the clients.

    There can be several: those of operators, and the node's own memory alarm.

    Attributes:
        reason: The reason in connection.blocked; None while there is no alarm. For alarms that
            concern only some connections, see `reason_for`.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._reasons: dict[str, str] = {}
        self._concerned: dict[str, Callable[[object], bool]] = {}

    def raise_(
        self, source: str, reason: str, concerns: Callable[[object], bool] | None = None
    ) -> None:
        """Raise an alarm, or change the reason of an alarm in force.

        Args:
            source: The name by which `clear` ends the alarm.
            reason: The reason, such as ``low on memory``.
            concerns: Returns whether the alarm concerns a connection; None for all connections.
        """
        self._reasons[source] = reason
        self._concerned.pop(source, None)
        if concerns is not None:
            self._concerned[source] = concerns
        self.reason = _join(self._reasons.values())

    def reason_for(self, connection: object) -> str | None:
        """Return the reason for a connection; None if no alarm concerns it."""
        if not self._concerned:
            return self.reason
        return _join(
            reason
            for source, reason in self._reasons.items()
            if source not in self._concerned or self._concerned[source](connection)
        )

    def sources_of(self, reason: str | None) -> list[str]:
        """Return the sources of the alarms in force that have a reason; None for all alarms."""
        return [source for source, own in self._reasons.items() if reason in (None, own)]

    def clear(self, source: str) -> None:
        """End an alarm, if it is in force."""
        self._reasons.pop(source, None)
        self._concerned.pop(source, None)
        self.reason = _join(self._reasons.values())


def _join(reasons: Iterable[str]) -> str | None:
    """Return one reason for all: ``low on disk & memory``."""
    distinct = list(dict.fromkeys(reasons))
    if len(distinct) < 2 or not all(reason.startswith(_LOW_ON) for reason in distinct):
        return distinct[0] if distinct else None
    resources = {
        resource for reason in distinct for resource in reason.removeprefix(_LOW_ON).split(" & ")
    }
    return _LOW_ON + " & ".join(sorted(resources))
