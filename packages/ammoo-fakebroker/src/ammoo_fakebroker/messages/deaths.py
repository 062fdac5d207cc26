"""The deaths of a message: what its header x-death states, one entry for each queue and reason.

A message can go through thousands of queues in a row, and each adds an entry. So a history keeps
its entries encoded as well as decoded, and answers from sets what it is asked for each queue.
See https://www.rabbitmq.com/docs/dlx#effects
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ammoo_wire import BasicHeaderProperties, EncodedValue, Int64, encode_table

from ..rabbitmq.erlang_terms import comparable

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


class DeathHistory:
    """The deaths of one message, the last one first. It is never changed.

    Args:
        entries: The deaths.
        queue_names: The queues of all entries.
        properties: The message's properties, with all headers but x-death.

    Attributes:
        properties: As passed.
    """

    __slots__ = ("_entries", "_queue_names", "properties")

    def __init__(
        self,
        entries: list[_Entry],
        queue_names: frozenset[str],
        properties: BasicHeaderProperties,
    ) -> None:
        self.properties: BasicHeaderProperties = properties
        self._entries = entries
        self._queue_names = queue_names

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
        names = (entry.death.get("queue") for entry in entries)
        return cls(entries, frozenset(name for name in names if isinstance(name, str)), properties)

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
        queue_name, entries = death["queue"], self._entries
        if queue_name in self._queue_names:
            kind = (queue_name, death["reason"])
            for earlier in [entry.death for entry in entries if entry.kind == kind]:
                count = earlier.get("count", 0)
                if not isinstance(count, int):
                    raise MalformedHistory("a count of x-death is no number")
                death = {**earlier, "count": Int64(count + 1)}
            entries = [entry for entry in entries if entry.kind != kind]
        if turns:
            death = dict(sorted(death.items()))
            entries = entries[::-1]
        names = self._queue_names | {queue_name}
        return DeathHistory([_entry(death), *entries], names, properties)

    @property
    def header(self) -> EncodedValue:
        """The value of the header x-death."""
        octets = b"".join([entry.encoded for entry in self._entries])
        return EncodedValue(b"A" + len(octets).to_bytes(4, "big") + octets)

    def is_cycle(self, queue_name: str) -> bool:
        """Return whether a message comes back to a queue that it died in, unrejected since then."""
        if queue_name not in self._queue_names:
            return False
        for death, _ in self._entries:
            if death.get("reason") == "rejected":
                return False
            if death.get("queue") == queue_name:
                return True
        return False
