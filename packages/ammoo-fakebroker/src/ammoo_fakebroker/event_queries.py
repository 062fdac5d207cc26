"""The methods of a broker that query its history."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Unpack, cast

from .call_checks import check_texts, checks_arguments
from .history.criteria import Criteria, check_names
from .history.event_fields import KINDS
from .history.events import Event
from .history.message_life import Life, find_life
from .history.queries import Events, Found, Query, find, find_of_other_kinds
from .similar_names import similar_name
from .snapshots import MessageSnapshot
from .waiting.conditions import EventsHappened
from .waiting.waits import Waits

if TYPE_CHECKING:
    from .history.recorder import Recorder

__all__ = ["EventQueries"]


@checks_arguments
class EventQueries(Waits):
    """The methods that return events of the broker's history."""

    def history(
        self,
        *,
        kind: str | Collection[str] | None = None,
        since: int = 0,
        **criteria: Unpack[Criteria],
    ) -> Events:
        """Return the events of the broker, oldest first.

        Each keyword is an attribute of `Event`, or a property of the message. A plain value must be
        equal, a compiled regular expression must be found, a function decides. A mapping for
        ``json`` or ``headers`` must be contained in the body or the headers; see `exactly`.

        Example::

            broker.history(kind=["rejected", "requeued"], queue_name="orders").assert_none()

        Args:
            kind: The kind of events, or several; None for all. They are ``published``, ``routed``,
                ``delayed``, ``unroutable``, ``returned``, ``confirmed``, ``nacked``,
                ``delivered``, ``got``, ``acknowledged``, ``rejected``, ``requeued``, ``expired``,
                ``dead_lettered``, ``dropped``, ``purged``, ``restored``, ``queue_declared``,
                ``queue_deleted``, ``exchange_declared``, ``exchange_deleted``, ``bound``,
                ``unbound``, ``consumer_started``, ``consumer_cancelled``, ``channel_opened``,
                ``channel_closed``, ``connection_opened``, ``connection_closed``,
                ``connection_blocked``, ``connection_unblocked`` and ``fault_struck``.
            since: A result of `mark`: only later events count. By default all count.
            criteria: The criteria that events must meet.

        Raises:
            RuntimeError: History is off.
            TypeError: There is no such keyword.
            ValueError: There is no such kind.
        """
        check_names(cast("dict[str, object]", criteria), "history")
        kinds = (kind,) if isinstance(kind, str) else kind
        if kinds is not None:
            check_texts("kind", kinds)
            kinds = tuple(kinds)
        for each in kinds or ():
            if each not in KINDS:
                close = similar_name(each, KINDS)
                hint = (
                    f"did you mean {close!r}?" if close else f"expected some of {', '.join(KINDS)}"
                )
                raise ValueError(f"kind is {each!r}; {hint}")
        query = Query(kinds, cast("dict[str, object]", criteria), since)
        return Events(self, query, self._find(query))

    def _of_kind(self, kind: str, since: int, criteria: Criteria) -> Events:
        check_names(cast("dict[str, object]", criteria), kind)
        query = Query((kind,), cast("dict[str, object]", criteria), since)
        return Events(self, query, self._find(query))

    def published(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the messages that were published.

        Example::

            broker.published(exchange_name="orders", json={"id": 7}).assert_count(1)

        Args:
            since: A result of `mark`: only later events count. By default all count.
            criteria: The criteria that events must meet; see `history`.
        """
        return self._of_kind("published", since, criteria)

    def delivered(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the deliveries to consumers; see `history`. A delivery may not be handled yet."""
        return self._of_kind("delivered", since, criteria)

    def got(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the messages that clients fetched with basic.get; see `history`."""
        return self._of_kind("got", since, criteria)

    def acknowledged(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the deliveries that clients acknowledged; see `history`."""
        return self._of_kind("acknowledged", since, criteria)

    def rejected(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the deliveries that clients rejected without requeueing; see `history`."""
        return self._of_kind("rejected", since, criteria)

    def requeued(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the deliveries that went back to their queues; see `history`."""
        return self._of_kind("requeued", since, criteria)

    def returned(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the mandatory messages that were returned to publishers; see `history`."""
        return self._of_kind("returned", since, criteria)

    def unroutable(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the messages that reached no queue; see `history`."""
        return self._of_kind("unroutable", since, criteria)

    def confirmed(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the publishes that were confirmed (basic.ack); see `history`."""
        return self._of_kind("confirmed", since, criteria)

    def nacked(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the publishes that were refused (basic.nack); see `history`."""
        return self._of_kind("nacked", since, criteria)

    def expired(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the messages whose time-to-live ended in a queue; see `history`."""
        return self._of_kind("expired", since, criteria)

    def dropped(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the messages that a limit removed from a queue or refused; see `history`."""
        return self._of_kind("dropped", since, criteria)

    def dead_lettered(self, *, since: int = 0, **criteria: Unpack[Criteria]) -> Events:
        """Return the messages that queues dead-lettered; see `history`.

        Their `reason` is ``rejected``, ``expired``, ``maxlen`` or ``delivery_limit``.
        """
        return self._of_kind("dead_lettered", since, criteria)

    def mark(self) -> int:
        """Return a mark after the latest event, for the `since` of a query.

        Example::

            mark = broker.mark()
            ...
            broker.published(since=mark).assert_none()

        Raises:
            RuntimeError: History is off.
        """
        recorder = self._history()
        return self._call(lambda: recorder.total)

    def life_of(self, message: Event | MessageSnapshot | int) -> Life:
        """Return all events of one message; `print` shows a line for each.

        Example::

            print(broker.life_of(broker.published(json={"id": 7})[0]))

        Args:
            message: An event of the message, a snapshot of it, or its message number.

        Raises:
            LookupError: The history holds no event of the message.
            RuntimeError: History is off.
            TypeError: `message` is none of these.
            ValueError: The event is not about a message, or of another broker.
        """
        recorder = self._history()
        if not isinstance(message, Event | MessageSnapshot | int):
            raise TypeError(
                f"message is {message!r}; expected an Event, a MessageSnapshot or a message number"
            )
        number = message if isinstance(message, int) else message.message_number
        if number is None:
            raise ValueError(f"{message!r} has no message number")
        known = message if isinstance(message, Event) else None
        return self._call(lambda: find_life(recorder, number, known))

    # -- for events ----------------------------------------------------------------------------

    def _history(self) -> Recorder:
        recorder = self._node.history
        if recorder is None:
            raise RuntimeError("history is off; FakeBroker(history=10_000) keeps so many events")
        return recorder

    def _find(self, query: Query) -> Found:
        recorder = self._history()
        return self._call(lambda: find(recorder, query))

    def _find_of_other_kinds(self, query: Query) -> tuple[Event, ...]:
        recorder = self._history()
        return self._call(lambda: find_of_other_kinds(recorder, query))

    def _wait_for_events(self, query: Query, count: int, timeout: float) -> Found:
        __tracebackhide__ = True
        condition = EventsHappened(self._node, self._history(), query, count)
        return cast("Found", self._wait("wait", condition, timeout))

    async def _wait_for_events_async(self, query: Query, count: int, timeout: float) -> Found:  # noqa: ASYNC109  it ends with a text that says what was there
        __tracebackhide__ = True
        condition = EventsHappened(self._node, self._history(), query, count)
        return cast("Found", await self._wait_async(condition, timeout))
