"""The section about a broker in the report of a failing test, and transcripts of all its events.

A section has at most 80 lines and 8 KiB: the broker, a line for each connection and each queue that
is not empty, the last events, and the last frames of the last connections if there is room.
Consecutive events that are alike are one line; if there are too many lines, all repeats are.
Passwords are never shown.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ..history.texts import describe, describe_origin, what_happened

if TYPE_CHECKING:
    from pathlib import Path

    from ..broker import FakeBroker
    from ..history.events import Event
    from ..node.node import Node

__all__ = ["describe_broker", "write_transcript"]

MAX_LINES: Final = 80
MAX_OCTETS: Final = 8192
_EVENTS: Final = 30
"""How many lines about events a section has at most."""
_SEARCHED: Final = 1000
"""How many of the last events those lines are about."""
_REPEATS: Final = 5
"""How many events of a kind, at the same exchange or queue, are repeats."""
_FRAMES: Final = 20
"""How many frames of each connection are shown."""
_CONNECTIONS_WITH_FRAMES: Final = 3
_LEAST_FRAMES: Final = 3
_LINE_SIZE: Final = 160
_QUEUES: Final = 15
_CONNECTIONS: Final = 15
_NUMBERS: Final = re.compile(r"\b\d+\b|'ctag[^']*'")


def describe_broker(broker: FakeBroker) -> str:
    """Return the section about a broker in the report of a failing test."""
    return broker._call(lambda: _describe(broker))


def _describe(broker: FakeBroker) -> str:
    text = _bounded(list(_lines(broker)))
    lines_left = MAX_LINES - len(text.splitlines())
    octets_left = MAX_OCTETS - len(text.encode())
    return "\n".join([text, *_frame_lines(broker, lines_left, octets_left)])


def _bounded(lines: list[str]) -> str:
    """Return as many of the last lines as fit."""
    head, octets = lines[0], len(lines[0])
    kept: list[str] = []
    for line in reversed(lines[1:]):
        octets += len(line.encode()) + 1
        if octets > MAX_OCTETS - 100 or len(kept) == MAX_LINES - 2:
            kept.append(f"… {len(lines) - 1 - len(kept)} lines are left out")
            break
        kept.append(line)
    return "\n".join([head, *reversed(kept)])


def _lines(broker: FakeBroker) -> Iterator[str]:
    node = broker._node
    yield f"{broker!r}, RabbitMQ {node.profile.version}, seed {broker._seed}"
    yield from _connection_lines(node)
    yield from _queue_lines(node)
    recorder = node.history
    if recorder is None:
        yield "history is off"
        return
    events = list(recorder.events(recorder.total - _SEARCHED))
    lines = list(_folded(events))
    if len(lines) > _EVENTS:
        lines = list(_folded_repeats(events))[-_EVENTS:]
        yield f"the last of {recorder.total:,} events, repeats in one line:"
    elif recorder.total > len(events):
        yield f"the last {len(events):,} of {recorder.total:,} events:"
    yield from lines


def _connection_lines(node: Node) -> Iterator[str]:
    open_ones = [each for each in node.connections if each.is_open]
    for each in open_ones[:_CONNECTIONS]:
        blocked = ", blocked" if each.is_blocked else ""
        yield (
            f"connection {each.identity.name!r}: user {each.user.name!r}, virtual host"
            f" {each.virtualhost.name!r}, {len(each.channels)} channels{blocked}"
        )
    if len(open_ones) > _CONNECTIONS:
        yield f"… and {len(open_ones) - _CONNECTIONS} more connections"


def _queue_lines(node: Node) -> Iterator[str]:
    queues = [
        f"queue {queue.name!r}: {queue.message_count} ready, {queue.unacked_count} with clients,"
        f" {len(queue.consumers)} consumers"
        for virtualhost in node.virtualhosts.values()
        for queue in virtualhost.queues.values()
        if queue.message_count or queue.unacked_count
    ]
    yield from queues[:_QUEUES]
    if len(queues) > _QUEUES:
        yield f"… and {len(queues) - _QUEUES} more queues that are not empty"


def _folded(events: list[Event]) -> Iterator[str]:
    """Yield a line for each event; events that differ only in numbers share a line."""
    for _, group in groupby(events, key=_pattern):
        first, *others = group
        yield describe(first) + (f" (x{len(others) + 1})" if others else "")


def _folded_repeats(events: list[Event]) -> Iterator[str]:
    """Yield a line for each event; of events that repeat often, only the last has a line."""
    counts = Counter(map(_subject, events))
    last = {_subject(event): event for event in events}
    for event in events:
        count = counts[_subject(event)]
        if count < _REPEATS:
            yield describe(event)
        elif last[_subject(event)] is event:
            yield f"{describe(event)} (the last of {count:,})"


def _subject(event: Event) -> tuple[object, ...]:
    """Return what repeats have in common."""
    places = event.exchange_name, event.routing_key, event.queue_name, event.consumer_tag
    return event.kind, event.connection, event.channel_number, *places


def _pattern(event: Event) -> tuple[str, str]:
    return describe_origin(event), _NUMBERS.sub("#", what_happened(event))


def _frame_lines(broker: FakeBroker, lines: int, octets: int) -> list[str]:
    """Return the last frames of the last connections, within a number of lines and of octets."""
    last = broker._server.last_octets()[-_CONNECTIONS_WITH_FRAMES:]
    shown = min(_FRAMES, lines // max(len(last), 1) - 1)
    found: list[str] = []
    for each in last if shown >= _LEAST_FRAMES else ():
        frames = [_cut(frame) for frame in each.frames(shown)]
        state = "" if each.is_open else " (closed)"
        found += [f"the last frames of connection {each.identity.name!r}{state}:", *frames]
    while found and sum(len(line.encode()) + 1 for line in found) > octets:
        found.pop()
    return found


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_SIZE else f"{line[:_LINE_SIZE]}…"


def write_transcript(folder: Path, test: str, broker: FakeBroker) -> None:
    """Write all events of a broker to two files: one to read, and one with a JSON object a line."""
    recorder = broker._node.history
    if recorder is None:
        return
    events = broker._call(lambda: list(recorder.events()))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = re.sub(r"[^\w.-]+", "_", f"{worker}-{test}".strip("-"))[-150:]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{broker.port}"
    path.with_name(f"{path.name}.txt").write_text("".join(f"{describe(each)}\n" for each in events))
    path.with_name(f"{path.name}.jsonl").write_text(
        "".join(json.dumps(each.as_dict()) + "\n" for each in events)
    )
