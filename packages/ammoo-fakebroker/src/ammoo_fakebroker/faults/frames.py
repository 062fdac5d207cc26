"""Frames in a stream of octets: where each ends, and which method it holds."""

from __future__ import annotations

__all__ = ["FrameCounter"]

_HEADER = 7
_END = 1
_PROTOCOL_HEADER = 8


class FrameCounter:
    """Follows the frames of one direction; a protocol header counts as one.

    Args:
        has_header: Whether the stream begins with a protocol header.
    """

    def __init__(self, *, has_header: bool) -> None:
        self._head = bytearray()
        self._left = _PROTOCOL_HEADER if has_header else 0

    def end_of_frame(self, octets: bytes, start: int) -> int | None:
        """Return where the current frame ends.

        Args:
            octets: The octets.
            start: The index at which the current frame continues, or the next one begins.

        Returns:
            The index behind its last octet; None if it ends behind these octets.
        """
        if not self._left:
            needed = _HEADER - len(self._head)
            self._head += octets[start : start + needed]
            if len(self._head) < _HEADER:
                return None
            size = int.from_bytes(self._head[3:7], "big")
            self._left = _HEADER + size + _END - (_HEADER - needed)
            self._head.clear()
        available = len(octets) - start
        if available < self._left:
            self._left -= available
            return None
        end = start + self._left
        self._left = 0
        return end
