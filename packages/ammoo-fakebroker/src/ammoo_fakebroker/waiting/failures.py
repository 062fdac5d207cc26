"""The texts of failed waits: what exists now, and where the missing messages are.

The history shows where messages went that have left the queue, and where messages went that were
published and never reached it. Without history, a text shows only what exists now.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ..clocks.clock import Timeline
from ..history.texts import describe_body, describe_origin, what_happened

if TYPE_CHECKING:
    from ..history.events import Event
    from ..history.recorder import Recorder
    from ..node.node import Node
    from ..node.virtual_host import VirtualHost

__all__ = [
    "describe_connections",
    "describe_queues",
    "explain_connections",
    "explain_consumers",
    "explain_messages",
    "summarize_node",
]

_SHOWN: Final = 5
_KINDS: Final = frozenset(
    (
        *("published", "routed", "delayed", "unroutable", "returned", "delivered", "got"),
        *("acknowledged", "rejected", "requeued", "expired", "dead_lettered", "dropped", "nacked"),
    )
)


def explain_messages(
    node: Node, queue_name: str, virtualhost: str, *, awaited: int, when: str
) -> str:
    """Return why a queue has too few messages."""
    home = node.virtualhost(virtualhost)
    queue = home.queues.get(queue_name)
    place = f"queue {queue_name!r} (virtual host {virtualhost!r})"
    if queue is None:
        lines = [
            _missing_queue(home, queue_name, when, f"{_count(awaited, 'message')} awaited in it")
        ]
    else:
        lines = [f"{place} had {_count(queue.message_count, 'message')} {when}, {awaited} awaited"]
    if node.history is None:
        lines.append("  history is off: FakeBroker(history=10_000) shows where messages went")
    else:
        lines += _fates(node.history, home, queue_name)
    lines.append(f"  now: {_summarize_queue(home, queue_name)}{summarize_node(node)}")
    return "\n".join(lines)


def explain_consumers(
    node: Node, queue_name: str, virtualhost: str, *, awaited: int, when: str
) -> str:
    """Return why a queue has too few consumers."""
    home = node.virtualhost(virtualhost)
    queue = home.queues.get(queue_name)
    if queue is None:
        lines = [_missing_queue(home, queue_name, when, f"{_count(awaited, 'consumer')} awaited")]
    else:
        count = _count(len(queue.consumers), "consumer")
        place = f"queue {queue_name!r} (virtual host {virtualhost!r})"
        lines = [f"{place} had {count} {when}, {awaited} awaited"]
    lines += _recent(node.history, "consumer_started", "consumer_cancelled", "channel_closed")
    lines.append(f"  now: {_summarize_queue(home, queue_name)}{summarize_node(node)}")
    return "\n".join(lines)


def explain_connections(node: Node, *, awaited: int, timeout: float) -> str:
    """Return why there are too few connections."""
    count = sum(connection.is_open for connection in node.connections)
    verb = "was" if count == 1 else "were"
    lines = [f"{_count(count, 'connection')} {verb} open after {timeout:g} s, {awaited} awaited"]
    if node.is_down:
        lines.append(f"  now: {summarize_node(node)}")
    opening = len(node.connections) - count
    if opening:
        lines.append(f"  {_count(opening, 'connection')} opening or closing")
    lines += _recent(node.history, "connection_opened", "connection_closed")
    return "\n".join(lines)


def summarize_node(node: Node) -> str:
    """Return a short text about the connections of a node, or that the broker is down."""
    if node.is_down:
        return "the broker is down; start() takes it up again"
    is_open = [connection for connection in node.connections if connection.is_open]
    blocked = sum(connection.is_blocked for connection in is_open)
    state = f"{blocked} blocked" if blocked else "not blocked"
    return _count(len(is_open), "connection") + (f", {state}" if is_open else "")


def describe_connections(node: Node) -> str:
    """Return a line for each of some open connections, the oldest first."""
    is_open = [connection for connection in node.connections if connection.is_open]
    lines = [
        f"\n  connection {each.identity.name!r}: {_count(len(each.channels), 'channel')}"
        for each in is_open[:_SHOWN]
    ]
    left = len(is_open) - _SHOWN
    return "".join(lines) + (f"\n  … and {_count(left, 'more connection')}" if left > 0 else "")


def describe_queues(node: Node) -> str:
    """Return a line for each of some queues, those with messages first."""
    queues = [queue for home in node.virtualhosts.values() for queue in home.queues.values()]
    queues.sort(key=lambda queue: not (queue.message_count or queue.unacked_count))
    lines = [
        f"\n  queue {queue.name!r}: {queue.message_count} ready, {queue.unacked_count} with clients,"
        f" {_count(len(queue.consumers), 'consumer')}"
        for queue in queues[:_SHOWN]
    ]
    more = f"\n  … and {_count(len(queues) - _SHOWN, 'more queue')}" if len(queues) > _SHOWN else ""
    return "".join(lines) + more


def _missing_queue(home: VirtualHost, queue_name: str, when: str, awaited: str) -> str:
    close = get_close_matches(queue_name, home.queues, n=1)
    hint = f" (it has {close[0]!r})" if close else ""
    when = "any more" if when.startswith("when") else when
    return f"virtual host {home.name!r} has no queue {queue_name!r} {when}{hint}; {awaited}"


def _summarize_queue(home: VirtualHost, queue_name: str) -> str:
    queue = home.queues.get(queue_name)
    if queue is None:
        return ""
    return f"{_count(len(queue.consumers), 'consumer')}, {queue.unacked_count} with clients; "


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _recent(recorder: Recorder | None, *kinds: str) -> list[str]:
    """Return the last events of some kinds, a line each."""
    if recorder is None:
        return []
    events = list(recorder.events(0, kinds))[-_SHOWN:]
    return [f"  {event.time:.3f} s: {_with_origin(event)}" for event in events]


def _with_origin(event: Event) -> str:
    origin = describe_origin(event)
    return f"{what_happened(event)}{origin and f' ({origin})'}"


# -- where messages went -----------------------------------------------------------------------


class _Fate:
    """What the history holds about one message, for a queue.

    Attributes:
        published: The event of its publish, or the first event that is kept.
        last: Its last event in the queue; if there is none, its last event.
        delivered: Its last delivery from the queue.
        routed: The event of its routing when it was published.
        delayed: The events of its delays that are not over, by exchange.
        came: Whether it reached the queue.
    """

    def __init__(self, published: Event) -> None:
        self.published = published
        self.last = published
        self.delivered: Event | None = None
        self.routed: Event | None = None
        self.delayed: dict[str | None, Event] = {}
        self.came = False

    def follow(self, event: Event, queue_name: str) -> None:
        """Process the next event."""
        comes = event.kind in ("routed", "dead_lettered") and queue_name in (
            event.queue_names or ()
        )
        self.came |= comes
        if event.kind == "routed":
            self.routed = event
        if event.kind == "delayed":
            self.delayed[event.exchange_name] = event
        elif event.kind in ("routed", "unroutable", "dropped"):
            self.delayed.pop(event.exchange_name, None)
        if event.kind in ("delivered", "got") and event.queue_name == queue_name:
            self.delivered = event
        if not self.came or comes or event.queue_name == queue_name:
            self.last = event


def _fates(recorder: Recorder, home: VirtualHost, queue_name: str) -> list[str]:
    """Return the lines about messages that left the queue, and about those that never reached it."""
    fates: dict[int, _Fate] = {}
    for event in recorder.events(0, _KINDS):
        if event.message_number is None or event.virtualhost != home.name:
            continue
        fate = fates.setdefault(event.message_number, _Fate(event))
        fate.follow(event, queue_name)
    queue = home.queues.get(queue_name)
    ready = set() if queue is None else {each.message.number for each in queue.ready_messages()}
    gone = [fate for number, fate in fates.items() if fate.came and number not in ready]
    elsewhere = [fate for fate in fates.values() if not fate.came]
    end = "deleted with the queue" if queue is None else "purged"
    lines = _listed("came and went", [_departure(fate, end) for fate in gone[-_SHOWN:]], len(gone))
    delayed = [fate for fate in elsewhere if fate.delayed]
    described = [_delay(fate, home, queue_name) for fate in delayed[-_SHOWN:]]
    lines += _listed("delayed", described, len(delayed))
    elsewhere = [fate for fate in elsewhere if not fate.delayed]
    described = [_other_way(fate, home, queue_name) for fate in elsewhere[-_SHOWN:]]
    lines += _listed("went elsewhere", described, len(elsewhere))
    refused = [each for each in recorder.events(0, ("channel_closed",)) if each.by == "broker"]
    lines += _listed("refused", [_with_origin(each) for each in refused[-3:]], len(refused))
    if lines:
        return lines
    return [
        f"  all {len(fates)} published messages are in it" if fates else "  nothing was published"
    ]


def _listed(title: str, texts: list[str], count: int) -> list[str]:
    """Return texts under a title, each further line of one indented."""
    if not texts:
        return []
    indent = "\n    "
    lines = [f"  {title}: " + texts[0].replace("\n", indent)]
    lines += [indent[1:] + text.replace("\n", indent) for text in texts[1:]]
    if count > len(texts):
        lines.append(f"    … and {count - len(texts)} before")
    return lines


def _name(fate: _Fate) -> str:
    number = fate.published.message_number
    return f"message {number}, {describe_body(fate.published)}"


def _departure(fate: _Fate, end_of_queue: str) -> str:
    """Return where a message went that has left the queue.

    Args:
        fate: The message.
        end_of_queue: The text if the history has no later event.
    """
    last, delivered = fate.last, fate.delivered
    if last.kind in ("routed", "dead_lettered", "requeued"):
        return f"{_name(fate)}, {end_of_queue}"
    subject = f"message {fate.published.message_number} "
    if delivered is None:
        return f"{_name(fate)}, {what_happened(last).removeprefix(subject)}"
    to = (
        "got with basic.get"
        if delivered.kind == "got"
        else f"delivered to consumer {delivered.consumer_tag!r}"
    )
    where = f"{_name(fate)}, {to} ({describe_origin(delivered)})"
    if last is delivered:
        return f"{where}, and not settled yet"
    later = (last.time - delivered.time) * 1000
    return f"{where},\n{what_happened(last).removeprefix(subject)} after {later:.0f} ms"


def _other_way(fate: _Fate, home: VirtualHost, queue_name: str) -> str:
    """Return where a message went that never reached the queue, and why."""
    event = fate.published
    exchange, key = event.exchange_name, event.routing_key
    subject = f"message {event.message_number} "
    happened = what_happened(fate.routed or fate.last).removeprefix(subject)
    happened = happened.partition(": exchange")[0] if fate.last.kind == "unroutable" else happened
    if fate.last.kind == "published":
        happened = "waits for tx.commit, or history has no more of it"
    text = f"message {event.message_number}, exchange {exchange!r}, key {key!r}: {happened}"
    hint = _binding_hint(home, exchange or "", queue_name)
    return f"{text}\n{hint}" if hint else text


def _delay(fate: _Fate, home: VirtualHost, queue_name: str) -> str:
    """Return until when an exchange delays a message, and how that time comes."""
    event = min(fate.delayed.values(), key=lambda each: float(each.details["due"]))
    due = event.details["due"]
    remaining = due - home.clock.time()
    if isinstance(home.clock, Timeline):
        shown = f"until the clock shows {due:,.3f} s, {remaining:,.3f} s from now: move the clock"
    else:
        shown = (
            f"due {remaining:,.3f} s from now: FakeBroker(clock=ManualClock()) can pass this time"
        )
    text = f"{_name(fate)}, by exchange {event.exchange_name!r} {shown}"
    hint = _binding_hint(home, event.exchange_name or "", queue_name)
    return f"{text}\n{hint}" if hint else text


def _binding_hint(home: VirtualHost, exchange_name: str, queue_name: str) -> str:
    """Return how an exchange and the queue are bound, and an exchange that the queue is bound to."""
    queue = home.queues.get(queue_name)
    exchange = home.exchanges.get(exchange_name)
    if queue is None or not exchange_name:
        return ""
    if exchange is None:
        return f"exchange {exchange_name!r} is deleted"
    ours = [binding for binding in queue.incoming if binding.source is exchange]
    if ours:
        keys = ", ".join(repr(binding.routing_key) for binding in ours[:_SHOWN])
        return f"{queue_name!r} is bound to {exchange_name!r} with {keys}"
    others = {binding.source.name: binding.routing_key for binding in queue.incoming}
    bound = _count(len(exchange.bindings), "binding")
    hint = f"exchange {exchange_name!r} has {bound}, none of them to {queue_name!r}"
    for name, key in list(others.items())[:1]:
        hint += f"; {queue_name!r} is bound to {name!r} with {key!r}"
    return hint
