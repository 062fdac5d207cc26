"""The alarms of a node, during which connections that publish are not read.

See https://www.rabbitmq.com/docs/alarms
"""

from __future__ import annotations

__all__ = ["Alarms"]

_LOW_ON = "low on "


class Alarms:
    """The alarms in force, each with a reason for the clients.

    There can be several: those of operators, and the node's own memory alarm.

    Attributes:
        reason: What clients are told (connection.blocked); None while there is no alarm.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._reasons: dict[str, str] = {}

    def raise_(self, source: str, reason: str) -> None:
        """Raise an alarm, or give one that is in force another reason.

        Args:
            source: What knows when the alarm is over.
            reason: Such as ``low on memory``.
        """
        self._reasons[source] = reason
        self.reason = self._joined()

    @property
    def sources(self) -> list[str]:
        """The sources of the alarms that are in force."""
        return list(self._reasons)

    def clear(self, source: str) -> None:
        """End an alarm, if it is in force."""
        self._reasons.pop(source, None)
        self.reason = self._joined()

    def _joined(self) -> str | None:
        """Return one reason for all: ``low on disk & memory``."""
        reasons = list(dict.fromkeys(self._reasons.values()))
        if len(reasons) < 2 or not all(reason.startswith(_LOW_ON) for reason in reasons):
            return reasons[0] if reasons else None
        resources = {
            resource for reason in reasons for resource in reason.removeprefix(_LOW_ON).split(" & ")
        }
        return _LOW_ON + " & ".join(sorted(resources))
