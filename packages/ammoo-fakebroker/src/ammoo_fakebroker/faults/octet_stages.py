"""Stages on the path of octets: the effect of a network fault on one direction of one client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .frames import FrameCounter

if TYPE_CHECKING:
    from ..clocks.clock import Clock, Timer

__all__ = [
    "CoalescingStage",
    "CuttingStage",
    "DiscardingStage",
    "HoldingStage",
    "OctetStage",
    "SilentStage",
    "SlowStage",
    "SplittingStage",
    "UnansweringStage",
]

_Forward = Callable[[bytes], object]

_TICK = 0.02
"""Seconds between two pieces of a slow stream; more if fewer than one octet would pass in this time."""


class OctetStage:
    """One direction of one client that a fault affects.

    Args:
        clock: The clock of networks: real time.
        strike: Called at the first octets that are affected.
    """

    is_silent: bool = False

    def __init__(self, clock: Clock, strike: Callable[[], object]) -> None:
        self._clock = clock
        self._strike = strike
        self._kept = bytearray()
        self._forward: _Forward = lambda octets: None
        self._has_struck = False

    @property
    def kept_size(self) -> int:
        """How many octets it keeps."""
        return len(self._kept)

    @property
    def has_lost(self) -> bool:
        """Whether it has lost octets: AMQP cannot continue behind a gap."""
        return False

    def pass_on(self, octets: bytes, forward: _Forward) -> None:
        """Process octets; pass them on with `forward`, now or later."""
        self._forward = forward
        if not self._has_struck:
            self._has_struck = True
            self._strike()
        self.take(octets)

    def take(self, octets: bytes) -> None:
        """Do to octets what the fault does."""
        self._kept += octets

    def let_go(self) -> None:
        """Pass on all kept octets."""
        octets, self._kept = bytes(self._kept), bytearray()
        if octets:
            self._forward(octets)


class HoldingStage(OctetStage):
    """Keeps octets until `let_go`."""


class SilentStage(OctetStage):
    """Loses octets."""

    is_silent = True

    @property
    def has_lost(self) -> bool:
        return self._has_struck

    def take(self, octets: bytes) -> None:
        """Lose octets."""


class SplittingStage(OctetStage):
    """Passes octets on in small pieces, each in another turn of the loop."""

    def __init__(self, clock: Clock, strike: Callable[[], object], size: int) -> None:
        super().__init__(clock, strike)
        self._size = size
        self._timer: Timer | None = None

    def take(self, octets: bytes) -> None:
        self._kept += octets
        if self._timer is None:
            self._pass_piece()

    def _pass_piece(self) -> None:
        self._timer = None
        piece, self._kept = bytes(self._kept[: self._size]), self._kept[self._size :]
        if self._kept:
            self._timer = self._clock.call_later(self._pause(), self._pass_piece)
        if piece:
            self._forward(piece)

    def _pause(self) -> float:
        """Return the seconds between two pieces."""
        return 0.0


class SlowStage(SplittingStage):
    """Passes octets on at a limited speed."""

    def __init__(
        self, clock: Clock, strike: Callable[[], object], octets_per_second: float
    ) -> None:
        self._tick = max(_TICK, 1 / octets_per_second)
        super().__init__(clock, strike, max(round(octets_per_second * self._tick), 1))

    def _pause(self) -> float:
        return self._tick

    def take(self, octets: bytes) -> None:
        self._kept += octets
        if self._timer is None:
            self._timer = self._clock.call_later(self._tick, self._pass_piece)


class CoalescingStage(OctetStage):
    """Collects octets for a time, and passes them on together."""

    def __init__(self, clock: Clock, strike: Callable[[], object], seconds: float) -> None:
        super().__init__(clock, strike)
        self._seconds = seconds
        self._is_waiting = False

    def take(self, octets: bytes) -> None:
        self._kept += octets
        if not self._is_waiting:
            self._is_waiting = True
            self._clock.call_later(self._seconds, self._end)

    def _end(self) -> None:
        self._is_waiting = False
        self.let_go()


class CuttingStage(OctetStage):
    """Passes octets or frames on, and then cuts the socket.

    Args:
        clock: The clock of networks: real time.
        strike: Called when the socket is cut.
        cut: Cuts the socket.
        after_octets: How many octets pass; None if frames are counted.
        after_frames: How many frames pass.
        inside_frame: Whether the first half of one more frame passes.
        has_header: Whether the stream begins with a protocol header.
    """

    def __init__(
        self,
        clock: Clock,
        strike: Callable[[], object],
        cut: Callable[[], object],
        *,
        after_octets: int | None,
        after_frames: int,
        inside_frame: bool,
        has_header: bool,
    ) -> None:
        super().__init__(clock, lambda: None)
        self._struck = strike
        self._cut = cut
        self._octets_left = after_octets
        self._frames_left = after_frames
        self._inside_frame = inside_frame
        self._frames = FrameCounter(has_header=has_header)
        self._is_cut = False

    def take(self, octets: bytes) -> None:
        if self._is_cut:
            return
        passing = self._passing(octets)
        if passing is None:
            self._forward(octets)
            return
        self._is_cut = True
        self._struck()
        if passing:
            self._forward(octets[:passing])
        self._cut()

    def _passing(self, octets: bytes) -> int | None:
        """Return how many of these octets pass before the cut; None if the cut comes later."""
        if self._octets_left is not None:
            passing = self._octets_left
            self._octets_left -= len(octets)
            return None if self._octets_left > 0 or passing > len(octets) else passing
        start = 0
        while self._frames_left and (end := self._frames.end_of_frame(octets, start)) is not None:
            self._frames_left -= 1
            start = end
        if self._frames_left or (self._inside_frame and start == len(octets)):
            return None
        if not self._inside_frame:
            return start
        end = self._frames.end_of_frame(octets, start) or len(octets)
        return start + max((end - start) // 2, 1)


class DiscardingStage(SilentStage):
    """Passes octets on for a time, and then discards them.

    Args:
        clock: The clock of networks: real time.
        is_discarding: Returns whether octets are discarded now.
    """

    def __init__(self, clock: Clock, is_discarding: Callable[[], bool]) -> None:
        super().__init__(clock, lambda: None)
        self._is_discarding = is_discarding

    def take(self, octets: bytes) -> None:
        if not self._is_discarding():
            self._forward(octets)


class UnansweringStage(SilentStage):
    """Passes the opening on up to a method, and then loses all octets.

    Args:
        clock: The clock of networks: real time.
        after: The class and method id of the last method that passes; None if no method passes.
    """

    def __init__(self, clock: Clock, after: tuple[int, int] | None) -> None:
        super().__init__(clock, lambda: None)
        self._after = after

    @property
    def is_over(self) -> bool:
        """Whether all further octets are lost."""
        return self._after is None

    def take(self, octets: bytes) -> None:
        if self._after is None:
            return
        frames = FrameCounter(has_header=False)
        start = 0
        while start < len(octets):
            end = frames.end_of_frame(octets, start) or len(octets)
            method = octets[start + 7 : start + 11]
            if (
                int.from_bytes(method[:2], "big"),
                int.from_bytes(method[2:], "big"),
            ) == self._after:
                self._after = None
                self._forward(octets[:end])
                return
            start = end
        self._forward(octets)
