"""Dead-lettering: rejected, expired and dropped messages go to their queue's dead-letter exchange.

The copy has its history in the header x-death: one entry for each queue and reason, the most recent
first. A message that would return to a queue without having been rejected since is dropped.
See https://www.rabbitmq.com/docs/dlx
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ammoo_wire import Int64

from ..messages.deaths import Death, DeathHistory, MalformedHistory
from ..messages.message import DeadMessage, Message

if TYPE_CHECKING:
    from .ports import Router
    from .queue import Queue

__all__ = ["DeadLetter", "DeadLetters"]


class DeadLetter(NamedTuple):
    """A message that a queue has dead-lettered."""

    message: Message
    """The copy that is published."""
    reason: str
    history: DeathHistory
    """Its deaths, this one included."""


class DeadLetters:
    """Publishes a virtual host's dead letters, one after the other.

    A dead letter may push another message out of a full queue, which is then dead-lettered as well.
    They wait here, so the chain can be longer than a call stack is deep, and no queue is called while
    it is in the middle of an operation.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._waiting: deque[tuple[Message, Queue, str]] = deque()
        self._is_deferring = False

    def send(self, message: Message, queue: Queue, reason: str) -> None:
        """Publish a message that died in a queue.

        Args:
            message: The message as it was in the queue.
            queue: The queue, whose settings name the exchange and the routing key.
            reason: rejected, expired, maxlen or delivery_limit.
        """
        self._waiting.append((message, queue, reason))
        if not self._is_deferring:
            with self.deferred():
                pass

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer dead letters until a block of code is done.

        A message that a publish pushes out of one queue is dead-lettered after all other queues have
        got the published message.
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
        """Publish a dead letter; one with a history that RabbitMQ fails to read is lost there, too."""
        with suppress(MalformedHistory):
            self._publish_readable(message, queue, reason)

    def _publish_readable(self, message: Message, queue: Queue, reason: str) -> None:
        worker = queue.dead_letter_worker
        if worker is not None:
            letter = self._make_copy(message, queue, reason)
            if queue.recorder is not None:
                self._record(letter, queue, self.targets(letter))
            worker.forward(letter)
        elif queue.settings.dead_letter_exchange in self._router.exchanges:
            letter = self._make_copy(message, queue, reason)
            targets = self.targets(letter)
            self._record(letter, queue, targets)
            for target in targets:
                target.publish(letter.message)
        else:
            missing = f"exchange {queue.settings.dead_letter_exchange!r} does not exist"
            queue.record("dropped", message, reason=missing)

    def _record(self, letter: DeadLetter, queue: Queue, targets: Collection[Queue]) -> None:
        """Record in the history where a dead letter goes."""
        names = tuple(target.name for target in targets)
        queue.record("dead_lettered", letter.message, reason=letter.reason, queue_names=names)
        if not names:
            queue.record("unroutable", letter.message)

    def targets(self, letter: DeadLetter) -> Collection[Queue]:
        """Find the queues that a dead letter reaches now, except those that would be a cycle."""
        exchange = self._router.exchanges.get(letter.message.exchange_name)
        if exchange is None:
            return ()
        targets = self._router.route(exchange, letter.message)
        if letter.reason == "rejected":
            return targets
        return [target for target in targets if not letter.history.is_cycle(target.name)]

    def _make_copy(self, message: Message, queue: Queue, reason: str) -> DeadLetter:
        """Return the dead letter: a message with history, routing key and headers of its own."""
        profile = self._router.profile
        history = message.parsed.history
        properties = message.own_decoded() if history is None else history.properties
        headers = dict(properties.headers or {})
        had_died, turns = history is not None, profile.honours_published_deaths
        if history is None:
            had_died = turns and "x-death" in headers
            published = headers.pop("x-death", None)
            turns = turns and isinstance(published, list)
            history = DeathHistory.published(published if had_died else None, properties)
        death = self._death(message, properties.expiration, queue, reason)
        if not had_died:
            _set_death_headers(headers, "first", death)
        if profile.last_death_headers:
            _set_death_headers(headers, "last", death)
        routing_key = queue.settings.dead_letter_routing_key
        if routing_key is not None and profile.explicit_dead_letter_key_drops_cc:
            headers.pop("CC", None)
        properties = properties._replace(expiration=None, headers=headers)
        history = history.with_death(death, properties, turns=turns)
        parsed = message.parsed._replace(expiration=None, history=history)
        if routing_key is not None:
            parsed = parsed._replace(carbon_copies=(), blind_carbon_copies=())
        copy = DeadMessage(
            queue.settings.dead_letter_exchange or "",
            message.routing_key if routing_key is None else routing_key,
            message.body,
            parsed,
        )
        copy.number = message.number
        return DeadLetter(copy, reason, history)

    def _death(self, message: Message, expiration: str | None, queue: Queue, reason: str) -> Death:
        """Return the entry of x-death for one death."""
        profile = self._router.profile
        death: Death = {
            "count": Int64(1),
            "reason": reason,
            "queue": queue.name,
            "time": datetime.fromtimestamp(int(self._router.clock.timestamp()), UTC),
            "exchange": message.exchange_name,
            "routing-keys": _visible_routing_keys(
                message, removes_first=profile.removes_first_of_equal_routing_keys
            ),
        }
        if not expiration:
            return death
        original = {"original-expiration": expiration}
        return {**original, **death} if profile.last_death_headers else {**death, **original}


def _visible_routing_keys(message: Message, *, removes_first: bool) -> list[str]:
    """Return the routing keys of a message without those that were in BCC at publishing.

    A key that is in CC as well appears once: at its place in CC or, if the first one is removed, at
    its place in BCC.
    """
    if not removes_first:
        return [message.routing_key, *message.parsed.carbon_copies]
    routing_keys = list(message.routing_keys)
    for hidden in message.parsed.hidden:
        if hidden in routing_keys:
            routing_keys.remove(hidden)
    return routing_keys


def _set_death_headers(headers: dict[str, Any], which: str, death: Death) -> None:
    for subject in ("reason", "queue", "exchange"):
        headers[f"x-{which}-death-{subject}"] = death[subject]
