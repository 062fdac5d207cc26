"""Counts with their rates, and with samples of the past if a query asks for them.

The fake shows what is now, and has no past: rates are 0, and each sample is the count itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .refusals import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DATA_RATES", "LENGTHS", "MESSAGE_RATES", "NODE_STATS", "UNSAMPLED", "Rates"]

LENGTHS: Final = "lengths"
"""The counts of messages in queues: asked for by ``lengths_age`` and ``lengths_incr``."""
MESSAGE_RATES: Final = "msg_rates"
"""The counts of ``message_stats``."""
DATA_RATES: Final = "data_rates"
"""The counts of octets."""
NODE_STATS: Final = "node_stats"
"""What is measured of the node."""
UNSAMPLED: Final = ""
"""Counts of which there are no samples."""

_MOST_STEPS = 500


class _Range(NamedTuple):
    """The times of samples, in milliseconds since 1970, newest first."""

    times: range

    def details(self, value: float) -> dict[str, Any]:
        samples = [{"sample": value, "timestamp": time} for time in self.times]
        return {"rate": 0.0, "avg": float(value), "avg_rate": 0.0, "samples": samples}


class Rates:
    """What a query says of samples.

    Args:
        query: The query.
        now: Returns the time in seconds since 1970.
    """

    def __init__(self, query: Mapping[str, str], now: Callable[[], float]) -> None:
        self._query = query
        self._now = now
        self._ranges: dict[str, _Range | None] = {}

    def with_details(self, counts: Mapping[str, float], kind: str) -> dict[str, Any]:
        """Return counts, each with the details of its rate.

        Args:
            counts: The counts by name.
            kind: Which parameters of the query ask for samples of them.

        Raises:
            Refusal: 400, the query asks for too many samples, or for none.
        """
        shown: dict[str, Any] = {}
        for name, value in counts.items():
            shown[name] = value
            shown[f"{name}_details"] = self._details(value, kind)
        return shown

    def _details(self, value: float, kind: str) -> dict[str, Any]:
        if kind not in self._ranges:
            self._ranges[kind] = self._range(kind)
        asked = self._ranges[kind]
        return {"rate": 0.0} if asked is None else asked.details(value)

    def _range(self, kind: str) -> _Range | None:
        """Return the times that the query asks for; None unless it has two integers."""
        try:
            age, step = (int(self._query[f"{kind}_{word}"]) for word in ("age", "incr"))
        except (KeyError, ValueError):
            return None
        if age < 1 or step < 1 or age // step > _MOST_STEPS:
            raise bad_request(f"Invalid range parameters: age {age}, incr {step}")
        newest = int(self._now()) // step * step
        times = range(newest, newest - age // step * step - 1, -step)
        return _Range(range(times.start * 1000, times.stop * 1000, times.step * 1000))
