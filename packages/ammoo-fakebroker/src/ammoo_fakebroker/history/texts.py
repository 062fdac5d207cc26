"""Texts about events, for failing assertions and reports.

A text is made when it is shown, never when the event happens; long bodies are cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .event_fields import EventFields

__all__ = ["BODY_SHOWN", "describe", "describe_body", "describe_origin", "what_happened"]

BODY_SHOWN: Final = 200
"""Octets of a body that are shown."""


def describe(event: EventFields) -> str:
    """Return one line about an event: number, time, origin and what happened."""
    parts = [f"#{event.number}", f"{event.time:.3f} s", describe_origin(event)]
    return " ".join(filter(None, parts)) + ": " + what_happened(event)


def describe_origin(event: EventFields) -> str:
    """Return the connection and the channel of an event; empty if no client caused it."""
    if event.connection is None:
        return ""
    channel = "" if event.channel_number is None else f", channel {event.channel_number}"
    return f"connection {event.connection!r}{channel}"


def describe_body(event: EventFields) -> str:
    """Return a body as a literal; after 200 octets it is cut, and its size follows."""
    start = event.body_start(BODY_SHOWN)
    size = event.body_size or 0
    return repr(start) if size <= BODY_SHOWN else f"{start!r}… ({size:,} octets)"


def what_happened(event: EventFields) -> str:
    """Return what happened, as a clause without a subject."""
    message = "" if event.message_number is None else f"message {event.message_number} "
    words = _WORDS.get(event.kind)
    return message + (event.kind.replace("_", " ") if words is None else words(event))


def _published(event: EventFields) -> str:
    exchange = f"exchange {event.exchange_name!r}" if event.exchange_name else "default exchange"
    return f"published to {exchange}, key {event.routing_key!r}: {describe_body(event)}"


def _routed(event: EventFields) -> str:
    return f"routed to {_names(event)}"


def _unroutable(event: EventFields) -> str:
    fates = {True: "returned (mandatory)", False: "dropped (not mandatory)", None: "dropped"}
    fate = fates[event.details.get("mandatory")]
    return f"unroutable, {fate}: exchange {event.exchange_name!r}, key {event.routing_key!r}"


def _delayed(event: EventFields) -> str:
    return f"delayed by exchange {event.exchange_name!r} for {event.details['seconds']:,.3f} s"


def _dropped(event: EventFields) -> str:
    place = f"exchange {event.exchange_name!r}"
    source = place if event.queue_name is None else repr(event.queue_name)
    return f"dropped from {source} ({event.reason})"


def _delivered(event: EventFields) -> str:
    again = " again" if event.redelivered else ""
    return f"delivered{again} from {event.queue_name!r} to consumer {event.consumer_tag!r}"


def _got(event: EventFields) -> str:
    again = " again" if event.redelivered else ""
    return f"got{again} from {event.queue_name!r} (basic.get)"


def _settled(event: EventFields) -> str:
    reason = f" ({event.reason})" if event.reason else ""
    place = "to" if event.kind == "requeued" else "from"
    return f"{event.kind} {place} {event.queue_name!r}{reason}"


def _restored(event: EventFields) -> str:
    exchange = f"exchange {event.exchange_name!r}, where it waits"
    place = exchange if event.queue_name is None else repr(event.queue_name)
    return f"restored from a snapshot to {place}: {describe_body(event)}"


def _dead_lettered(event: EventFields) -> str:
    where = f" and routed to {_names(event)}" if event.queue_names else ""
    return (
        f"dead-lettered from {event.queue_name!r} ({event.reason}) to exchange"
        f" {event.exchange_name!r}, key {event.routing_key!r}{where}"
    )


def _closed(event: EventFields) -> str:
    reason = "" if event.code is None else f": {event.code} {event.text}"
    return f"{event.kind.replace('_', ' ')} by the {event.by}{reason}"


def _bound(event: EventFields) -> str:
    to = event.queue_name if event.queue_name is not None else event.details.get("destination")
    return f"{event.kind} {to!r} to exchange {event.exchange_name!r}, key {event.routing_key!r}"


def _queue(event: EventFields) -> str:
    existed = " (it existed)" if event.details.get("existed") else ""
    return f"{event.kind.replace('_', ' ')}: {event.queue_name!r}{existed}"


def _exchange(event: EventFields) -> str:
    return f"{event.kind.replace('_', ' ')}: {event.exchange_name!r}"


def _consumer(event: EventFields) -> str:
    reason = f" ({event.reason})" if event.reason else ""
    verb = event.kind.replace("_", " ")
    return f"{verb}: {event.consumer_tag!r} of queue {event.queue_name!r}{reason}"


def _names(event: EventFields) -> str:
    names: tuple[Any, ...] = event.queue_names or ()
    return ", ".join(map(repr, names)) or "no queue"


_WORDS: Final[dict[str, Callable[[EventFields], str]]] = {
    "published": _published,
    "routed": _routed,
    "delayed": _delayed,
    "unroutable": _unroutable,
    "returned": lambda event: f"returned: {event.code} {event.text}",
    "delivered": _delivered,
    "got": _got,
    "acknowledged": _settled,
    "rejected": _settled,
    "requeued": _settled,
    "expired": lambda event: f"expired in {event.queue_name!r}",
    "dropped": _dropped,
    "dead_lettered": _dead_lettered,
    "restored": _restored,
    "purged": lambda event: f"purged {event.queue_name!r} of {event.details['message_count']}",
    "queue_declared": _queue,
    "queue_deleted": _queue,
    "exchange_declared": _exchange,
    "exchange_deleted": _exchange,
    "bound": _bound,
    "unbound": _bound,
    "consumer_started": _consumer,
    "consumer_cancelled": _consumer,
    "channel_closed": _closed,
    "connection_closed": _closed,
    "connection_blocked": lambda event: f"connection blocked ({event.reason})",
    "fault_struck": lambda event: f"fault struck: {event.fault}",
}
