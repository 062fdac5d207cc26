"""The deaths of a message: what its header x-death states, one entry for each queue and reason.

A message can go through thousands of queues in a row, and each adds an entry. So the histories of a
message share their entries, keep them encoded as well as decoded, and are put together only for a
message that is delivered.
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
    """A history that a client has made up, and that RabbitMQ fails to read."""


def _grouped(deaths: list[Death]) -> list[Death]:
    """Return the first of the entries of each queue and reason.

    One that has no count gets the number of the entries. A single entry is left alone.
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

    A history that is continued leaves its entries to the next one, so a message that goes through
    thousands of queues in a row costs each of them the same. Only what is continued twice is copied.
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
    """The deaths of one message, the last one first. It is never changed.

    Args:
        log: The deaths, and perhaps later ones.
        count: How many of them are the history's.
        is_turned: Whether the log has them the other way around.
        properties: The message's properties, with all headers but x-death.

    Attributes:
        properties: As passed.
    """

    __slots__ = ("_count", "_encoded", "_is_turned", "_log", "properties")

    def __init__(
        self, log: _DeathLog, count: int, properties: BasicHeaderProperties, *, is_turned: bool
    ) -> None:
        self.properties: BasicHeaderProperties = properties
        self._log = log
        self._count = count
        self._is_turned = is_turned
        self._encoded: bytes | None = None

    @classmethod
    def published(cls, deaths: object, properties: BasicHeaderProperties) -> DeathHistory:
        """Return the history that a client has made up, as RabbitMQ 3.10 reads it.

        Raises:
            MalformedHistory: An entry is no table.
        """
        listed = deaths if isinstance(deaths, list) else []
        if not all(isinstance(death, dict) for death in listed):
            raise MalformedHistory("an entry of x-death is no table")
        entries = [_entry(death) for death in _grouped(listed)]
        return cls(_DeathLog(entries), len(entries), properties, is_turned=False)

    def with_death(
        self, death: Death, properties: BasicHeaderProperties, *, turns: bool
    ) -> DeathHistory:
        """Return the history with one death more.

        A second death of the same kind in the same queue is counted in the first one's entry, which
        keeps its time, exchange and routing keys, and moves to the front.

        Args:
            death: What has happened; its count is 1.
            properties: The message's properties after it, with all headers but x-death.
            turns: Whether the other entries are turned around and the new one's fields sorted, as
                older releases do.
        """
        queue_name, log, is_turned = death["queue"], self._log, self._is_turned
        if self._knows(queue_name):
            entries = self._entries()
            kind = (queue_name, death["reason"])
            for earlier in [entry.death for entry in entries if entry.kind == kind]:
                count = earlier.get("count", 0)
                if not isinstance(count, int):
                    raise MalformedHistory("a count of x-death is no number")
                death = {**earlier, "count": Int64(count + 1)}
            log, is_turned = _DeathLog(entry for entry in entries if entry.kind != kind), False
        elif len(log.entries) != self._count:  # another history has continued it
            log, is_turned = _DeathLog(self._entries()), False
        if turns:
            death = dict(sorted(death.items()))
            is_turned = not is_turned
        number = len(log.entries) + 1
        (log.entries.append if is_turned else log.entries.appendleft)((number, _entry(death)))
        log.numbers.setdefault(queue_name, number)
        return DeathHistory(log, number, properties, is_turned=is_turned)

    def with_properties(self, properties: BasicHeaderProperties) -> DeathHistory:
        """Return the history of a copy with other properties.

        Args:
            properties: They have all headers but x-death.
        """
        return DeathHistory(self._log, self._count, properties, is_turned=self._is_turned)

    def encoded(self) -> bytes:
        """Return the encoded properties with the header x-death."""
        if self._encoded is None:
            octets = b"".join([encoded for _, encoded in self._entries()])
            header = EncodedValue(b"A" + len(octets).to_bytes(4, "big") + octets)
            headers = {**(self.properties.headers or {}), "x-death": header}
            self._encoded = with_headers(self.properties, headers)
        return self._encoded

    def is_cycle(self, queue_name: str) -> bool:
        """Return whether a message comes back to a queue that it died in, unrejected since then."""
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
        return own[::-1] if self._is_turned else own
