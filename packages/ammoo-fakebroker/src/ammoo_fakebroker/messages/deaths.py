"""The deaths of a message, which its header x-death lists: one entry for each queue and reason.

A message can be dead-lettered by thousands of queues in a row, and each adds an entry. So the histories
of a message share their entries, keep each of them encoded, and join them only for a message that is
delivered.
See https://www.rabbitmq.com/docs/dlx#effects
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from ammoo_wire import BasicHeaderProperties, EncodedValue, Int64, encode_table

from ..rabbitmq.erlang_terms import comparable
from .headers import with_headers

__all__ = ["Death", "DeathHistory", "MalformedHistory"]

Death = dict[str, Any]


class _Entry(NamedTuple):
    """A death, decoded and encoded."""

    death: Death
    encoded: bytes

    @property
    def kind(self) -> tuple[Any, Any]:
        return self.death.get("queue"), self.death.get("reason")


def _entry(death: Death) -> _Entry:
    return _Entry(death, b"F" + encode_table(death))


class MalformedHistory(ValueError):
    """A client has published a header x-death that RabbitMQ fails to read."""


def _grouped(deaths: list[Death]) -> list[Death]:
    """Return the first entry of each queue and reason.

    An entry without a count gets the number of the entries of its queue and reason. A single entry
    is not changed.
    """
    if len(deaths) < 2:
        return deaths
    groups: dict[tuple[Any, Any], list[Death]] = {}
    for death in deaths:
        kind = comparable(death.get("queue")), comparable(death.get("reason"))
        groups.setdefault(kind, []).append(death)
    return [
        group[0] if "count" in group[0] else {"count": Int64(len(group)), **group[0]}
        for group in groups.values()
    ]


class _DeathLog:
    """Numbered deaths in the order of the header, which the histories of one message share.

    The next death is added to the log of the former history, so a message that is dead-lettered by
    thousands of queues in a row costs each of them the same. A history is copied only if two
    histories continue it.
    """

    __slots__ = ("entries", "numbers")

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self.entries: deque[tuple[int, _Entry]] = deque(enumerate(entries, start=1))
        self.numbers: dict[str, int] = {}
        for number, (death, _) in self.entries:
            name = death.get("queue")
            if isinstance(name, str):
                self.numbers.setdefault(name, number)


class DeathHistory:
    """The deaths of one message, the last one first; an immutable object.

    Args:
        log: The deaths of this history, and perhaps later ones.
        count: How many deaths of the log belong to this history.
        is_reversed: Whether the log has the deaths in reverse order.
        properties: The message's properties, with all headers but x-death.

    Attributes:
        properties: As passed.
    """

    __slots__ = ("_count", "_encoded", "_is_reversed", "_log", "properties")

    def __init__(
        self, log: _DeathLog, count: int, properties: BasicHeaderProperties, *, is_reversed: bool
    ) -> None:
        self.properties: BasicHeaderProperties = properties
        self._log = log
        self._count = count
        self._is_reversed = is_reversed
        self._encoded: bytes | None = None

    @classmethod
    def published(cls, deaths: object, properties: BasicHeaderProperties) -> DeathHistory:
        """Return the history that a client has published, as RabbitMQ 3.10 reads it.

        Raises:
            MalformedHistory: An entry is not a table.
        """
        listed = deaths if isinstance(deaths, list) else []
        if not all(isinstance(death, dict) for death in listed):
            raise MalformedHistory("an entry of x-death is no table")
        entries = [_entry(death) for death in _grouped(listed)]
        return cls(_DeathLog(entries), len(entries), properties, is_reversed=False)

    def with_death(
        self, death: Death, properties: BasicHeaderProperties, *, reverses: bool
    ) -> DeathHistory:
        """Return the history with another death.

        A second death in the same queue for the same reason is counted in the existing entry, which
        keeps its time, exchange and routing keys, and moves to the front.

        Args:
            death: The new entry; its count is 1.
            properties: The message's properties after the death, with all headers but x-death.
            reverses: Whether the other entries are reversed and the fields of the new entry sorted,
                as RabbitMQ 3.10 does.
        """
        queue_name, log, is_reversed = death["queue"], self._log, self._is_reversed
        if self._knows(queue_name):
            entries = self._entries()
            kind = (queue_name, death["reason"])
            for earlier in [entry.death for entry in entries if entry.kind == kind]:
                count = earlier.get("count", 0)
                if not isinstance(count, int):
                    raise MalformedHistory("a count of x-death is no number")
                death = {**earlier, "count": Int64(count + 1)}
            log, is_reversed = _DeathLog(entry for entry in entries if entry.kind != kind), False
        elif len(log.entries) != self._count:  # another history has continued it
            log, is_reversed = _DeathLog(self._entries()), False
        if reverses:
            death = dict(sorted(death.items()))
            is_reversed = not is_reversed
        number = len(log.entries) + 1
        (log.entries.append if is_reversed else log.entries.appendleft)((number, _entry(death)))
        log.numbers.setdefault(queue_name, number)
        return DeathHistory(log, number, properties, is_reversed=is_reversed)

    def with_properties(self, properties: BasicHeaderProperties) -> DeathHistory:
        """Return the history of a copy with other properties.

        Args:
            properties: The properties, with all headers but x-death.
        """
        return DeathHistory(self._log, self._count, properties, is_reversed=self._is_reversed)

    def encoded(self) -> bytes:
        """Return the encoded properties with the header x-death."""
        if self._encoded is None:
            octets = b"".join([encoded for _, encoded in self._entries()])
            header = EncodedValue(b"A" + len(octets).to_bytes(4, "big") + octets)
            headers = {**(self.properties.headers or {}), "x-death": header}
            self._encoded = with_headers(self.properties, headers)
        return self._encoded

    def is_cycle(self, queue_name: str) -> bool:
        """Return whether a message died in a queue, and was not rejected since then."""
        if not self._knows(queue_name):
            return False
        for death, _ in self._entries():
            if death.get("reason") == "rejected":
                return False
            if death.get("queue") == queue_name:
                return True
        return False

    def _knows(self, queue_name: str) -> bool:
        return self._log.numbers.get(queue_name, self._count + 1) <= self._count

    def _entries(self) -> list[_Entry]:
        """List the history's own entries, the last death first."""
        own = [entry for number, entry in self._log.entries if number <= self._count]
        return own[::-1] if self._is_reversed else own
