"""Stub responders, which answer requests in place of a server that a test does not run.

A responder is a consumer inside of the broker: it receives the requests of a queue, and publishes its
answers to the queue in their reply_to. It runs in the broker's thread, at the moment of the request,
which makes a test deterministic. Its errors are raised at the end, because a client cannot see them.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ammoo_wire import QueueDeclareParameters

from .call_checks import checks_arguments
from .described_messages import encode_body
from .function_errors import ErrorsPassedTo
from .node.node import DEFAULT_VIRTUALHOST, Node
from .predicates import check_is_not_async, decides, result_of
from .queues.consumers import Consumer
from .setup_channel import SetUpChannel, as_value_errors
from .snapshots import MessageSnapshot, snapshot_message

if TYPE_CHECKING:
    from types import TracebackType

    from .messages.message import QueuedMessage

__all__ = ["Responder", "Responders"]

_Result = TypeVar("_Result")
_Answer = Callable[[MessageSnapshot], Any] | Sequence[Any]
_Encode = Callable[[MessageSnapshot], tuple[bytes, bytes]]

_SLOW = 0.1
"""Seconds that a function may take without a warning: the broker does nothing else meanwhile."""
_FAILURES_SHOWN = 3


class Responder:
    """A stub that answers requests; `FakeBroker.respond` returns it.

    As a context manager it is removed at the end of the block, which raises AssertionError if a
    request had no answer, unless another exception leaves the block.
    """

    def __init__(
        self,
        stub: _Stub,
        call: Callable[[Callable[[], Any]], Any],
        answer: _Encode,
        when: Callable[[MessageSnapshot], bool] | None,
    ) -> None:
        self._stub = stub
        self._call = call
        self._answer = answer
        self._when = when
        self._requests: list[MessageSnapshot] = []
        self._failures: list[str] = []
        self._is_checked = False
        """Whether its block has ended, and has raised its errors."""

    def __repr__(self) -> str:
        return f"<Responder of {self._stub.queue_name!r}: {len(self._requests)} requests>"

    @property
    def queue_name(self) -> str:
        """The queue whose requests it answers."""
        return self._stub.queue_name

    @property
    def requests(self) -> tuple[MessageSnapshot, ...]:
        """The requests that it has received, oldest first."""
        found: tuple[MessageSnapshot, ...] = self._call(lambda: tuple(self._requests))
        return found

    @property
    def failures(self) -> tuple[str, ...]:
        """Why requests had no answer: an error of its function, or a missing reply_to."""
        found: tuple[str, ...] = self._call(lambda: tuple(self._failures))
        return found

    def _takes(self, request: MessageSnapshot) -> bool:
        """Return whether the responder answers a request.

        Args:
            request: The request.
        """
        return self._when is None or decides(self._when, request)

    def _respond_to(self, request: MessageSnapshot) -> None:
        """Answer a request; record the reason if that fails.

        Args:
            request: The request.
        """
        self._requests.append(request)
        reply_to = request.properties.reply_to
        if not reply_to:
            self._failures.append(f"{_describe(request)} has no reply_to")
            return
        began = self._stub.time()
        with ErrorsPassedTo(lambda error: self._failures.append(_describe_error(request, error))):
            self._stub.reply(reply_to, *self._answer(request))
            self._warn_of_slowness(self._stub.time() - began)

    def _warn_of_slowness(self, seconds: float) -> None:
        if seconds > _SLOW:
            warnings.warn(
                f"a responder of {self._stub.queue_name!r} took more than {_SLOW:g} s, in which"
                " the broker did nothing else",
                RuntimeWarning,
                stacklevel=2,
            )

    def remove(self) -> None:
        """Stop answering requests."""
        self._call(lambda: self._stub.remove(self))

    def check(self) -> None:
        """Check that each request had an answer.

        Raises:
            AssertionError: A request had no answer; the text gives the reason.
        """
        if self.failures:
            raise AssertionError(_describe_failures(self._stub.queue_name, self.failures))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()
        self._is_checked = True
        if error is None:
            self.check()


class _StubConsumer(Consumer):
    """A consumer inside of the broker, which passes its messages to a function."""

    __slots__ = ("_node", "_take")

    def __init__(
        self,
        node: Node,
        queue_name: str,
        channel: SetUpChannel,
        take: Callable[[QueuedMessage], object],
    ) -> None:
        super().__init__(
            "stub responder",
            channel.channel,
            channel.virtualhost.queues[queue_name],
            no_ack=True,
            exclusive=False,
            priority=0,
            prefetch_count=0,
            arguments={},
        )
        self._node = node
        self._take = take

    def can_take(self) -> bool:
        """Return whether the broker is up: while it is down, requests stay in the queue."""
        return not self._node.is_down

    def deliver(self, queued: QueuedMessage) -> None:
        """Pass a message to the function."""
        self._take(queued)


class _Stub:
    """All responders of one queue: of those that accept a request, the newest answers it."""

    def __init__(
        self, node: Node, queue_name: str, virtualhost: str, unanswered: list[str]
    ) -> None:
        self.queue_name = queue_name
        self.responders: list[Responder] = []
        self.unanswered = unanswered
        self.time: Callable[[], float] = node.network_clock.time
        self._node = node
        self._channel = SetUpChannel(node, virtualhost)
        self._consumer = self._create_consumer()

    def _create_consumer(self) -> _StubConsumer:
        if self.queue_name not in self._channel.virtualhost.queues:
            self._channel.call(QueueDeclareParameters(self.queue_name))
        consumer = _StubConsumer(self._node, self.queue_name, self._channel, self._respond)
        with as_value_errors():
            consumer.queue.check_consumer(consumer)
        return consumer

    def start(self) -> None:
        """Consume the requests that wait in the queue, and all later ones."""
        self._consumer.queue.add_consumer(self._consumer)

    def go_on(self) -> None:
        """Consume again after a restart, which may have deleted the queue."""
        if self._consumer.queue.is_deleted:
            self._consumer = self._create_consumer()
            self.start()
        else:
            self._consumer.queue.wake(self._consumer)

    def remove(self, responder: Responder) -> None:
        """Remove a responder; with the last one, requests stay in the queue."""
        if responder in self.responders:
            self.responders.remove(responder)
            if not self.responders:
                self._consumer.queue.remove_consumer(self._consumer)

    def _respond(self, queued: QueuedMessage) -> None:
        request = snapshot_message(queued)
        with ErrorsPassedTo(lambda error: self.unanswered.append(_describe_error(request, error))):
            for responder in self.responders:
                if responder._takes(request):
                    responder._respond_to(request)
                    return
            self.unanswered.append(f"{_describe(request)}: no responder takes it")

    def reply(self, reply_to: str, properties: bytes, body: bytes) -> None:
        """Publish an answer; if the client that asked is gone, this is no error."""
        self._channel.send("", reply_to, properties, body)


@checks_arguments
class Responders(ABC):
    """The method that makes stub responders, and the check of their errors.

    Attributes:
        _node: The broker's node.
    """

    _node: Node

    def __init__(self) -> None:
        self._stubs: dict[tuple[str, str], _Stub] = {}
        self._responders: list[Responder] = []

    @abstractmethod
    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""

    @abstractmethod
    def _change(self, function: Callable[[], _Result]) -> _Result:
        """Do the same with a function that changes the broker; raise if the broker was stopped."""

    def respond(
        self,
        queue_name: str,
        answer: _Answer | None = None,
        *,
        json: Any = None,
        body: bytes | str | None = None,
        when: Callable[[MessageSnapshot], bool] | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        **properties: Any,
    ) -> Responder:
        """Answer the requests of a queue, in place of a server (RPC).

        The broker declares the queue if it does not exist. Of the responders that accept a request,
        the newest answers it. The answer is published to the request's reply_to, with its
        correlation_id. A request without an answer is an error, which is raised at the end of the
        ``with`` block, or at the end of the broker.

        Example::

            with broker.respond("prices", json={"eur": 3}) as prices:
                ...
            assert prices.requests[0].json() == {"sku": "pen"}

        Args:
            queue_name: The queue that requests are published to.
            answer: A function that is called with the request and returns the answer: bytes, text,
                or a value to encode as JSON. It runs in the broker's thread, so it must return soon.
                Or a list of answers, one for each request; the last one is repeated.
            json: The answer to all requests: a value to encode as JSON.
            body: The answer to all requests; text is encoded in UTF-8.
            when: A function that decides whether to answer a request; None for all requests.
            virtualhost: The name of the virtual host.
            properties: Properties of the answers by their names, such as ``headers``.

        Raises:
            LookupError: There is no such virtual host.
            TypeError: No answer or more than one is given, or there is no such property.
            ValueError: The broker refuses the queue or its consumer; the text is RabbitMQ's.
        """
        encode_body(b"", None, properties)  # raises for a misspelt property
        answering = _answering(answer, json, body, properties)

        def begin() -> Responder:
            stub = self._stubs.get((virtualhost, queue_name))
            is_new = stub is None or not stub.responders
            if stub is None or is_new:
                unanswered = [] if stub is None else stub.unanswered
                stub = _Stub(self._node, queue_name, virtualhost, unanswered)
                self._stubs[virtualhost, queue_name] = stub
            responder = Responder(stub, self._call, answering, when)
            stub.responders.insert(0, responder)
            self._responders.append(responder)
            if is_new:
                stub.start()
            return responder

        return self._change(begin)

    def _responders_go_on(self) -> None:
        """Answer requests again after a restart."""
        for stub in self._stubs.values():
            if stub.responders:
                stub.go_on()

    def check_responders(self) -> None:
        """Check that each request to a stub responder had an answer, as the end of the broker does.

        Raises:
            AssertionError: Some had none; the text says of each queue why.
        """
        lines = self._call(self._describe_unanswered)
        if lines:
            raise AssertionError("\n".join(lines))

    def _describe_unanswered(self) -> list[str]:
        """Return a line about each queue with requests that had no answer."""
        failures: dict[str, list[str]] = {}
        for responder in self._responders:
            if not responder._is_checked:
                failures.setdefault(responder.queue_name, []).extend(responder.failures)
        for stub in self._stubs.values():
            failures.setdefault(stub.queue_name, []).extend(stub.unanswered)
        return [
            _describe_failures(queue_name, texts) for queue_name, texts in failures.items() if texts
        ]


def _answering(
    answer: _Answer | None, json: Any, body: bytes | str | None, properties: Mapping[str, Any]
) -> _Encode:
    """Return a function that encodes the answer to each request.

    Raises:
        TypeError: No answer or more than one is given.
    """
    answers = {"answer": answer, "json": json, "body": body}
    given = [name for name, value in answers.items() if value is not None]
    if len(given) != 1:
        was = " and ".join(given) or "nothing"
        raise TypeError(f"respond() got {was}; expected exactly one of answer, json and body")
    check_is_not_async("answer", answer)
    if answer is not None and not callable(answer):
        _check_answers(answer)
    if json is not None:
        return lambda request: encode_body(None, json, _related(request, properties))
    choose = answer if callable(answer) else _in_turn([body] if answer is None else answer)

    def encode(request: MessageSnapshot) -> tuple[bytes, bytes]:
        chosen = result_of(choose, request)
        if chosen is None:
            raise TypeError("the answer is None; expected bytes, a string or a value for JSON")
        related = _related(request, properties)
        if isinstance(chosen, bytes | str):
            return encode_body(chosen, None, related)
        return encode_body(None, chosen, related)

    return encode


def _check_answers(answers: object) -> None:
    """Check a list of answers.

    Raises:
        TypeError: The value is not a list; a text or a mapping is not accepted.
        ValueError: The list is empty.
    """
    if isinstance(answers, str | bytes) or not isinstance(answers, Sequence):
        raise TypeError(
            f"answer is {answers!r}; expected a function or a list of answers;"
            " for the same answer to all requests, pass json=… or body=…"
        )
    if not answers:
        raise ValueError("answer is an empty list; expected one answer or more")


def _related(request: MessageSnapshot, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of the answer to a request."""
    return {"correlation_id": request.properties.correlation_id, **properties}


def _in_turn(answers: Sequence[Any]) -> Callable[[MessageSnapshot], Any]:
    """Return a function that returns one answer after the other, and repeats the last one."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def _describe(request: MessageSnapshot) -> str:
    body = request.body[:40]
    return f"request {body!r}{'…' if len(request.body) > len(body) else ''}"


def _describe_error(request: MessageSnapshot, error: BaseException) -> str:
    return f"{_describe(request)}: {type(error).__name__}: {error}"


def _describe_failures(queue_name: str, failures: Sequence[str]) -> str:
    """Return a line about the requests of a queue that had no answer."""
    count = "1 request" if len(failures) == 1 else f"{len(failures)} requests"
    shown = "; ".join(failures[:_FAILURES_SHOWN])
    more = (
        f"; and {len(failures) - _FAILURES_SHOWN} more" if len(failures) > _FAILURES_SHOWN else ""
    )
    return f"{queue_name}: {count} had no answer: {shown}{more}"
