"""What a node proposes to its clients, and how long it waits for them.

These values are options of `FakeBroker`. A wrong value is refused when the broker is created, by its
name, unit and range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

__all__ = ["Limits"]

SMALLEST_FRAME = 4096


class _Range(NamedTuple):
    """The allowed values of a limit."""

    types: tuple[type[float], ...]
    lowest: float
    highest: float
    words: str
    accepts_none: bool = False

    def check(self, name: str, value: Any) -> None:
        """Check a value.

        Raises:
            TypeError: The value is of a wrong type.
            ValueError: The value is too low or too high.
        """
        if value is None and self.accepts_none:
            return
        if isinstance(value, bool) or not isinstance(value, self.types):
            raise TypeError(f"{name} is {value!r}; expected {self.words}")
        if not self.lowest <= value <= self.highest:
            self.refuse(name, value)

    def refuse(self, name: str, value: float) -> NoReturn:
        """Raise the ValueError for a value that is too low or too high."""
        raise ValueError(f"{name} is {value!r}; expected {self.words}")


_INTEGER: tuple[type[float], ...] = (int,)
_NUMBER: tuple[type[float], ...] = (int, float)
_YEAR = 31_536_000.0
_RANGES = {
    "channel_max": _Range(
        _INTEGER, 0, 65_535, "an integer from 0 (no limit) to 65535, in channels"
    ),
    "frame_max": _Range(
        _INTEGER, 0, 0xFFFF_FFFF, "0 (no limit) or an integer from 4096 on, in octets"
    ),
    "heartbeat": _Range(_INTEGER, 0, 65_535, "an integer from 0 (none) to 65535, in seconds"),
    "max_message_size": _Range(
        _INTEGER, 0, 0x7FFF_FFFF_FFFF_FFFF, "an integer from 0 on, in octets"
    ),
    "memory_limit": _Range(
        _INTEGER, 0, 0x7FFF_FFFF_FFFF_FFFF, "an integer from 0 on, in octets, or None", True
    ),
    "handshake_timeout": _Range(_NUMBER, 0, _YEAR, "a number from 0 on, in seconds"),
    "login_pause": _Range(_NUMBER, 0, _YEAR, "a number from 0 on, in seconds"),
    "closing_timeout": _Range(_NUMBER, 0, _YEAR, "a number from 0 on, in seconds"),
    "send_timeout": _Range(_NUMBER, 0.001, _YEAR, "a number above 0, in seconds"),
    "consumer_timeout": _Range(
        _INTEGER, 0, _YEAR * 10_000, "an integer from 0 on, in milliseconds, or None", True
    ),
    "consumer_timeout_check": _Range(_NUMBER, 0.001, _YEAR, "a number above 0, in seconds"),
}


@dataclass(slots=True, kw_only=True)
class Limits:
    """What a node proposes to clients, and how long it waits for them.

    Attributes:
        channel_max: The channels that connection.tune proposes for a connection; 0 for no limit.
        frame_max: The octets that connection.tune proposes for a frame; 0 for no limit.
        heartbeat: The seconds that connection.tune proposes between heartbeats; 0 for none.
        max_message_size: The largest body, in octets.
        memory_limit: The memory that messages may take before publishers are blocked, in octets;
            None for any amount.
        handshake_timeout: Seconds until a connection must be open.
        login_pause: Seconds between a failed login and the closing of the socket.
        closing_timeout: Seconds to wait for connection.close-ok, or for the client to close its
            socket; a heartbeat interval if that is shorter.
        send_timeout: Seconds after which a client that does not read is disconnected.
        consumer_timeout: Milliseconds within which a delivery must be settled; None for no limit.
        consumer_timeout_check: Seconds between two checks for deliveries that were not settled in
            time.

    Raises:
        TypeError: A value is of a wrong type; the text names the limit.
        ValueError: A value is out of its range; the text names the limit.
    """

    channel_max: int = 2047
    frame_max: int = 131_072
    heartbeat: int = 60
    max_message_size: int = 134_217_728
    memory_limit: int | None = 1_073_741_824
    handshake_timeout: float = 10.0
    login_pause: float = 3.0
    closing_timeout: float = 30.0
    send_timeout: float = 30.0
    consumer_timeout: int | None = 1_800_000
    consumer_timeout_check: float = 60.0

    def __post_init__(self) -> None:
        for name, values in _RANGES.items():
            values.check(name, getattr(self, name))
        if 0 < self.frame_max < SMALLEST_FRAME:
            _RANGES["frame_max"].refuse("frame_max", self.frame_max)
