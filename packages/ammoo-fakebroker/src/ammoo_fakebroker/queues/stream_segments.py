"""The segments of a stream's log, and how long they are kept.

When a segment has reached its size, RabbitMQ begins a new one, and drops whole old segments until the
rest is within the stream's limits. The last segment is never dropped. This room knows the sizes, times
and offsets of segments; `stream.py` has the messages.
See https://www.rabbitmq.com/docs/streams#retention
"""

from __future__ import annotations

from collections import deque

__all__ = ["StreamSegments"]

_DEFAULT_SIZE = 500_000_000
_MOST_CHUNKS = 256_000
_HEADER_SIZE = 8
_SNAPSHOT_SIZE = 104  # of the list of publishers; each one adds a few dozen octets


class _Segment:
    """A part of the log.

    Attributes:
        first_offset: The offset of its first entry.
        size: Its size in octets.
        chunks: How many messages it holds.
        last_time: The time of its last message.
    """

    __slots__ = ("chunks", "first_offset", "last_time", "size")

    def __init__(self, first_offset: int, size: int, now: float) -> None:
        self.first_offset = first_offset
        self.size = size
        self.chunks = 0
        self.last_time = now

    def copy(self, *, later: float) -> _Segment:
        """Return a copy, with a time that is later by a number of seconds."""
        copy = _Segment(self.first_offset, self.size, self.last_time + later)
        copy.chunks = self.chunks
        return copy


class StreamSegments:
    """The segments of a stream.

    Args:
        segment_size: The size in octets at which a segment is full; None for 500 MB.

    Attributes:
        next_offset: The offset of the next entry: a message, or the list of publishers that a new
            segment begins with.
    """

    def __init__(self, segment_size: int | None) -> None:
        self._segment_size = _DEFAULT_SIZE if segment_size is None else segment_size
        self._max_octets: int | None = None
        self._max_age: int | None = None
        self._segments: deque[_Segment] = deque()
        self.next_offset: int = 0

    def limit(self, max_octets: int | None, max_age: int | None) -> None:
        """Set the limits of the log.

        Args:
            max_octets: The largest size in octets; None for no limit.
            max_age: The longest time that a segment is kept, in milliseconds; None for no limit.
        """
        self._max_octets = max_octets
        self._max_age = max_age

    def copy(self, *, later: float) -> StreamSegments:
        """Return a copy, in which all times are later by a number of seconds."""
        copy = StreamSegments(self._segment_size)
        copy.limit(self._max_octets, self._max_age)
        copy.next_offset = self.next_offset
        copy._segments.extend(segment.copy(later=later) for segment in self._segments)
        return copy

    @property
    def first_offset(self) -> int:
        """The lowest offset in the log."""
        return self._segments[0].first_offset if self._segments else 0

    @property
    def may_become_too_old(self) -> bool:
        """Whether a segment can be dropped because of its age."""
        return self._max_age is not None and len(self._segments) > 1

    @property
    def octets(self) -> int:
        """The total size of all segments."""
        return sum(segment.size for segment in self._segments)

    def append(self, size: int, now: float) -> int:
        """Add a message, in a new segment if necessary, and return its offset."""
        last = self._segments[-1] if self._segments else None
        if last is not None and last.size < self._segment_size and last.chunks < _MOST_CHUNKS:
            self._add(last, size, now)
        else:
            self._add(self._begin(now), size, now)
            self.drop_old(now)
        return self.next_offset - 1

    def _add(self, segment: _Segment, size: int, now: float) -> None:
        segment.size += size
        segment.chunks += 1
        segment.last_time = now
        self.next_offset += 1

    def _begin(self, now: float) -> _Segment:
        """Begin a segment; all but the first start with a list of publishers, which has an offset."""
        segment = _Segment(self.next_offset, _HEADER_SIZE, now)
        if self._segments:
            segment.size += _SNAPSHOT_SIZE
            self.next_offset += 1
        self._segments.append(segment)
        return segment

    def drop_old(self, now: float) -> None:
        """Drop the old segments that are over the limits."""
        if self._max_octets is not None:
            self._drop_to_size(self._max_octets)
        if self._max_age is not None:
            self._drop_to_age(now - self._max_age / 1000)

    def _drop_to_size(self, most: int) -> None:
        """Drop the newest segment that is over the limit, and all older ones."""
        size = kept = 0
        for segment in reversed(self._segments):
            size += segment.size
            if kept and size > most:
                break
            kept += 1
        while len(self._segments) > kept:
            self._segments.popleft()

    def _drop_to_age(self, oldest: float) -> None:
        while len(self._segments) > 1 and self._segments[0].last_time < oldest:
            self._segments.popleft()
