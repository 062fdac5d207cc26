"""Dead-lettering: what left a queue unconsumed is published to that queue's dead-letter exchange.

The copy carries its history in the header x-death: one entry for each (queue, reason), the most
recent first. A message that would go round without anybody having rejected it is dropped.
See https://www.rabbitmq.com/docs/dlx
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ammoo_wire import Int64

from ..messages.message import Message
from ..messages.properties import with_headers

if TYPE_CHECKING:
    from .ports import Router
    from .queue import Queue

__all__ = ["DeadLetter", "DeadLetters"]

Death = dict[str, Any]


class DeadLetter(NamedTuple):
    """A message that died."""

    message: Message
    """As it goes on."""
    reason: str
    deaths: list[Death]
    """Its history, the last death first."""


class DeadLetters:
    """Publishes a virtual host's dead letters, one after the other.

    A dead letter may push another message out of a full queue, which is a dead letter again.
    They queue up here, so that the chain may be longer than a call stack is deep, and no queue is
    called while it is in the middle of something.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._waiting: deque[tuple[Message, Queue, str]] = deque()
        self._is_deferring = False

    def send(self, message: Message, queue: Queue, reason: str) -> None:
        """Publish a message that died in a queue.

        Args:
            message: As it was in the queue.
            queue: Whose settings say where it goes.
            reason: rejected, expired, maxlen or delivery_limit.
        """
        self._waiting.append((message, queue, reason))
        if not self._is_deferring:
            with self.deferred():
                pass

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let dead letters wait while something else is done, and send them then.

        What a publish pushes out of one queue comes behind that publish in all its other queues.
        """
        if self._is_deferring:
            yield
            return
        self._is_deferring = True
        try:
            yield
            while self._waiting:
                self._publish(*self._waiting.popleft())
        finally:
            self._is_deferring = False

    def _publish(self, message: Message, queue: Queue, reason: str) -> None:
        worker = queue.dead_letter_worker
        if worker is not None:
            worker.forward(self._make_copy(message, queue, reason))
        elif queue.settings.dead_letter_exchange in self._router.exchanges:
            letter = self._make_copy(message, queue, reason)
            for target in self.targets(letter):
                target.publish(letter.message)

    def targets(self, letter: DeadLetter) -> Collection[Queue]:
        """Find the queues that a dead letter reaches now, except where it would go round."""
        exchange = self._router.exchanges.get(letter.message.exchange_name)
        if exchange is None:
            return ()
        targets = self._router.route(exchange, letter.message)
        if letter.reason == "rejected":
            return targets
        return [target for target in targets if not is_cycle(target.name, letter.deaths)]

    def _make_copy(self, message: Message, queue: Queue, reason: str) -> DeadLetter:
        """Write the obituary."""
        profile = self._router.profile
        properties = message.decoded()
        headers = dict(properties.headers or {})
        now = datetime.fromtimestamp(int(self._router.clock.timestamp()), UTC)
        death: Death = {
            "count": Int64(1),
            "reason": reason,
            "queue": queue.name,
            "time": now,
            "exchange": message.exchange_name,
            "routing-keys": _visible_routing_keys(
                message, removes_first=profile.removes_first_of_equal_routing_keys
            ),
        }
        if properties.expiration:
            first = {"original-expiration": properties.expiration}
            death = {**first, **death} if profile.last_death_headers else {**death, **first}
        had_died = message.parsed.has_died or (
            profile.honours_published_deaths and "x-death" in headers
        )
        previous = headers.get("x-death") if had_died else None
        deaths = record_death(death, previous if isinstance(previous, list) else [])
        if profile.honours_published_deaths and isinstance(previous, list):
            # Older releases sort the fields of the entry in front, and turn the rest around.
            deaths = [dict(sorted(deaths[0].items())), *deaths[:0:-1]]
        headers["x-death"] = deaths
        if not had_died:
            _set_death_headers(headers, "first", death)
        if profile.last_death_headers:
            _set_death_headers(headers, "last", death)
        routing_key = queue.settings.dead_letter_routing_key
        if routing_key is not None and profile.explicit_dead_letter_key_drops_cc:
            headers.pop("CC", None)
        encoded = with_headers(properties._replace(expiration=None), headers)
        parsed = message.parsed._replace(outgoing=encoded, expiration=None, has_died=True)
        if routing_key is not None:
            parsed = parsed._replace(carbon_copies=(), blind_carbon_copies=())
        copy = Message(
            queue.settings.dead_letter_exchange or "",
            message.routing_key if routing_key is None else routing_key,
            encoded,
            message.body,
            parsed,
        )
        return DeadLetter(copy, reason, deaths)


def _visible_routing_keys(message: Message, *, removes_first: bool) -> list[str]:
    """Give the routing keys of a message but those that were in BCC when it was published.

    A key that is in CC as well stays once: where it stands in CC, or, if the first one is removed,
    where it stands in BCC.
    """
    if not removes_first:
        return [message.routing_key, *message.parsed.carbon_copies]
    routing_keys = list(message.routing_keys)
    for hidden in message.parsed.hidden:
        if hidden in routing_keys:
            routing_keys.remove(hidden)
    return routing_keys


def record_death(death: Death, previous: list[Any]) -> list[Death]:
    """Add a death to the history.

    A second death of the same kind in the same queue is counted in the first one's entry, which
    keeps its time, exchange and routing keys, and moves to the front.
    """
    same_kind = (death["queue"], death["reason"])
    others: list[Death] = []
    for earlier in previous:
        if not isinstance(earlier, dict):
            continue
        if (earlier.get("queue"), earlier.get("reason")) == same_kind:
            count = earlier.get("count")
            death = {**earlier, "count": Int64(count + 1 if isinstance(count, int) else 1)}
        else:
            others.append(earlier)
    return [death, *others]


def is_cycle(queue_name: str, deaths: list[Death]) -> bool:
    """Whether a message comes back to a queue it died in, with no client having rejected it."""
    for death in deaths:
        if death.get("reason") == "rejected":
            return False
        if death.get("queue") == queue_name:
            return True
    return False


def _set_death_headers(headers: dict[str, Any], which: str, death: Death) -> None:
    for subject in ("reason", "queue", "exchange"):
        headers[f"x-{which}-death-{subject}"] = death[subject]
