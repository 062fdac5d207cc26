"""The parts that several objects of the API have: totals of queues, and counts of messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..rates import LENGTHS, MESSAGE_RATES
from ..statistics.counts import shown_counts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...queues.queue import Queue
    from ..rates import Rates
    from ..statistics.counts import Counts

__all__ = ["idle_since", "message_stats", "queue_totals"]


def queue_totals(queues: Iterable[Queue], rates: Rates) -> dict[str, Any]:
    """Return how many messages queues have."""
    ready = unacknowledged = 0
    for queue in queues:
        ready += queue.message_count
        unacknowledged += queue.unacked_count
    totals = {
        "messages": ready + unacknowledged,
        "messages_ready": ready,
        "messages_unacknowledged": unacknowledged,
    }
    return rates.with_details(totals, LENGTHS)


def message_stats(
    counts: Counts, groups: Iterable[tuple[str, ...]], rates: Rates
) -> dict[str, Any]:
    """Return ``message_stats``; nothing while nothing has been counted."""
    shown = shown_counts(counts, groups)
    return {"message_stats": rates.with_details(shown, MESSAGE_RATES)} if shown else {}


def idle_since(counts: Counts) -> dict[str, str]:
    """Return the time of the last activity, as RabbitMQ writes it."""
    time = datetime.fromtimestamp(counts.active_at, UTC)
    return {"idle_since": time.isoformat(timespec="milliseconds")}
