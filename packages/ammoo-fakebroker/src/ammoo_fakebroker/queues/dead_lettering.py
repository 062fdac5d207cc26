"""Dead-lettering: rejected, expired and dropped messages go to their queue's dead-letter exchange.

The copy has its history in the header x-death: one entry for each queue and reason, the most recent
first. A message that would return to a queue, and was not rejected since it was there, is dropped.
This room knows queues and the virtual host only as the protocols below.
See https://www.rabbitmq.com/docs/dlx
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ammoo_wire import Int64

from ..history.delays import record_delays
from ..messages.deaths import Death, DeathHistory, MalformedHistory
from ..messages.message import DeadMessage, Message

if TYPE_CHECKING:
    from ..clocks.clock import Clock
    from ..exchanges.delays import NotedDelays
    from ..exchanges.exchange import Exchange
    from ..history.ports import EventRecorder
    from ..rabbitmq.arguments import QueueSettings
    from ..rabbitmq.profiles import Profile

__all__ = ["DeadLetter", "DeadLetterTarget", "DeadLetters"]


class DeadLetter(NamedTuple):
    """A message that a queue has dead-lettered."""

    message: Message
    """The copy that is published."""
    reason: str
    history: DeathHistory
    """Its deaths, this one included."""


class DeadLetterTarget(Protocol):
    """A queue that a dead letter goes to."""

    @property
    def name(self) -> str:
        """The name of the queue."""
        ...

    def publish(self, message: Message) -> bool:
        """Take a dead letter; return whether the queue accepts it."""
        ...


class Forwarder(Protocol):
    """What keeps the dead letters of a queue until they have arrived (`dead_letter_worker.py`)."""

    def forward(self, letter: DeadLetter) -> None:
        """Send a dead letter, and keep it until all its queues have accepted it."""


class DeadLetterSource(Protocol):
    """A queue that dead-letters messages."""

    @property
    def name(self) -> str:
        """The name of the queue."""
        ...

    @property
    def settings(self) -> QueueSettings:
        """The settings, which name the exchange and the routing key."""
        ...

    @property
    def dead_letter_worker(self) -> Forwarder | None:
        """The worker of a queue that dead-letters at least once; None for at most once."""
        ...

    @property
    def recorder(self) -> EventRecorder | None:
        """What records events: the history, statistics or both; None for neither."""
        ...

    def record(self, kind: str, message: Message, **details: Any) -> None:
        """Record in the history what the queue has done with a message."""


class Router(Protocol):
    """What dead-lettering asks of the virtual host.

    Attributes:
        name: Its name.
        delays: The delays that are not recorded yet.
    """

    name: str
    delays: NotedDelays

    @property
    def profile(self) -> Profile:
        """The RabbitMQ release that is imitated."""
        ...

    @property
    def clock(self) -> Clock:
        """The time that is written into the x-death header."""
        ...

    @property
    def exchanges(self) -> Mapping[str, Exchange]:
        """The exchanges by name."""
        ...

    def route(self, exchange: Exchange, message: Message) -> Collection[DeadLetterTarget]:
        """Find the queues that a message reaches from an exchange, each once."""
        ...


class DeadLetters:
    """Publishes a virtual host's dead letters, one after the other.

    A dead letter may push another message out of a full queue, which is then dead-lettered as well.
    Dead letters wait here, so a chain of them can be longer than a call stack is deep, and no queue is
    called while it is in the middle of an operation.

    Args:
        router: The virtual host.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._waiting: deque[tuple[Message, DeadLetterSource, str]] = deque()
        self._is_deferring = False

    def send(self, message: Message, queue: DeadLetterSource, reason: str) -> None:
        """Publish a message that died in a queue.

        Args:
            message: The message as it was in the queue.
            queue: The queue.
            reason: rejected, expired, maxlen or delivery_limit.
        """
        self._waiting.append((message, queue, reason))
        if not self._is_deferring:
            with self.deferred():
                pass

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer dead letters until a block of code is done.

        A publish may push a message out of one of its queues. That message is dead-lettered when all
        queues have the published message.
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

    def _publish(self, message: Message, queue: DeadLetterSource, reason: str) -> None:
        """Publish a dead letter; drop one whose history RabbitMQ fails to read, as RabbitMQ does."""
        with suppress(MalformedHistory):
            self._publish_readable(message, queue, reason)

    def _publish_readable(self, message: Message, queue: DeadLetterSource, reason: str) -> None:
        worker = queue.dead_letter_worker
        if worker is not None:
            letter = self._make_copy(message, queue, reason)
            if queue.recorder is not None:
                self._record(letter, queue, self._look_for_targets(letter))
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

    def _record(
        self, letter: DeadLetter, queue: DeadLetterSource, targets: Collection[DeadLetterTarget]
    ) -> None:
        """Record in the history where a dead letter goes."""
        names = tuple(target.name for target in targets)
        queue.record("dead_lettered", letter.message, reason=letter.reason, queue_names=names)
        is_delayed = queue.recorder is not None and record_delays(
            queue.recorder,
            self._router.delays.take(letter.message),
            letter.message,
            virtualhost=self._router.name,
        )
        if not (names or is_delayed):
            queue.record("unroutable", letter.message)

    def _look_for_targets(self, letter: DeadLetter) -> Collection[DeadLetterTarget]:
        """Find the queues that a dead letter reaches now, and let no exchange delay it."""
        delays = self._router.delays
        delays.only_looks = True
        try:
            return self.targets(letter)
        finally:
            delays.only_looks = False

    def forget_delays(self, letter: DeadLetter) -> None:
        """Forget the delays of a further attempt to send a dead letter: the first is recorded."""
        self._router.delays.take(letter.message)

    def targets(self, letter: DeadLetter) -> Collection[DeadLetterTarget]:
        """Find the queues that a dead letter reaches now, without those that make a cycle."""
        exchange = self._router.exchanges.get(letter.message.exchange_name)
        if exchange is None:
            return ()
        targets = self._router.route(exchange, letter.message)
        if letter.reason == "rejected":
            return targets
        return [target for target in targets if not letter.history.is_cycle(target.name)]

    def _make_copy(self, message: Message, queue: DeadLetterSource, reason: str) -> DeadLetter:
        """Return the dead letter: a copy with another history, routing key and headers."""
        profile = self._router.profile
        history = message.parsed.history
        properties = message.own_decoded() if history is None else history.properties
        headers = dict(properties.headers or {})
        had_died, reverses = history is not None, profile.honours_published_deaths
        if history is None:
            had_died = reverses and "x-death" in headers
            published = headers.pop("x-death", None)
            reverses = reverses and isinstance(published, list)
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
        history = history.with_death(death, properties, reverses=reverses)
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

    def _death(
        self, message: Message, expiration: str | None, queue: DeadLetterSource, reason: str
    ) -> Death:
        """Return the entry of one death in x-death."""
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

    Args:
        message: The message.
        removes_first: Whether a key that is both in CC and in BCC is removed at its place in CC and
            stays at its place in BCC; else it stays in CC.
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
