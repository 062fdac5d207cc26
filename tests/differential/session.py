"""One run of a program on one broker: do a step, wait for its effects, say what was observed.

What a broker answers by itself and in order is waited for with a barrier on every channel. What
its queues do takes a moment longer in RabbitMQ (each is a process of its own: deliveries, confirms,
dead-lettering, the queues of a connection that is gone), and nothing tells when they are done. So a
session can be asked for what it has observed again and again; `compare` knows what it waits for.

What is observed in a step: everything that arrived on each channel, in order, and the counts of all
queues. `names` and `channel_log` say what is altered in it.
"""

from typing import Any, NamedTuple

from ammoo_wire import (
    BasicAckParameters,
    BasicNackParameters,
    BasicRejectParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    ConnectionCloseParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    TxCommitParameters,
)
from tests.support.brokers import LIMITED, with_login
from tests.support.peer import Message

from .channel_log import ChannelLog
from .line import SILENCE, STREAM_ENDED, Line, name_of
from .names import Names
from .program import (
    BARE_CONNECTION,
    LIMITED_CONNECTION,
    OPENED_CHANNELS,
    Burst,
    Call,
    HangUp,
    Publish,
    Raw,
    Settle,
    Step,
)

PROBE = 99
"""The channel that a connection's exclusive queues are looked at through."""
OBSERVER = -1
"""The connection that looks at queues, which no step of a program uses."""
A_STREAM = "a stream"
"""In the place of how many messages it holds: RabbitMQ counts those every five seconds."""


class Observation(NamedTuple):
    """What there was to see of a step.

    Attributes:
        events: For each (connection, channel), what arrived, in the program's words.
        settled: For each of them, which publishes were confirmed, and how.
        counts: For each queue, its ready messages and consumers, or why it could not be asked.
    """

    events: dict[tuple[int, int], list[Any]]
    settled: dict[tuple[int, int], dict[int, str]]
    counts: dict[str, Any]


class Session:
    """A run of a program.

    Args:
        url: Where the broker listens.
        prefix: What makes names unique.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._names = Names(prefix)
        self._lines: dict[int, Line] = {}
        self._logs: dict[tuple[int, int], ChannelLog] = {}
        self._queues: dict[str, int] = {}
        self._answers: dict[str, Any] = {}
        self._used_names: set[str] = set()
        self._streams: set[str] = set()
        self._step: Step | None = None
        self._bound_exchanges: list[ExchangeUnbindParameters] = []

    def open_channels(self, connection: int) -> list[int]:
        """List the channels of a connection that steps have opened."""
        line = self._lines.get(connection)
        return [] if line is None else [n for n in line.open_channels if n in OPENED_CHANNELS]

    # --- steps --------------------------------------------------------------------------------

    def perform(self, step: Step) -> None:
        """Send what a step says."""
        self._step = step
        line = self._line(step.connection)
        if isinstance(step, HangUp):
            line.hang_up()
            return
        if step.channel in OPENED_CHANNELS and step.channel not in line.open_channels:
            self._reset(step.connection, step.channel)
            if getattr(step, "parameters", None) != ChannelOpenParameters():
                line.open_channel(step.channel)
        self._send(line, step)

    def _line(self, connection: int) -> Line:
        line = self._lines.get(connection)
        if line is None or not line.is_open:
            line = self._lines[connection] = self._connect(connection)
            for key in [key for key in self._logs if key[0] == connection]:
                del self._logs[key]
        return line

    def _connect(self, connection: int) -> Line:
        if connection == LIMITED_CONNECTION:
            return Line(with_login(self._url, LIMITED))
        return Line(self._url, capabilities={} if connection == BARE_CONNECTION else None)

    def _log(self, connection: int, channel: int) -> ChannelLog:
        return self._logs.setdefault((connection, channel), ChannelLog(self._names.in_program))

    def _reset(self, connection: int, channel: int) -> None:
        self._logs.pop((connection, channel), None)

    def _send(self, line: Line, step: Call | Publish | Settle | Raw | Burst) -> None:
        log = self._log(step.connection, step.channel)
        match step:
            case Call():
                parameters = self._names.translated(step.parameters)
                self._note(step.connection, parameters)
                log.asked(parameters)
                line.send(step.channel, parameters)
                self._await_no_more(line, step.channel, parameters)
            case Publish():
                parameters = self._names.translated(step.parameters)
                properties = self._names.translated(step.properties)
                line.send_content(step.channel, parameters, properties, step.body)
            case Settle():
                tag = log.delivery_tag(step.delivery, multiple=step.multiple)
                if tag is not None:
                    line.send(step.channel, _settlement(step, tag))
            case Burst():
                log.is_burst = True
                for part in step.steps:
                    self._send(
                        line, part._replace(connection=step.connection, channel=step.channel)
                    )
            case Raw():
                for frame_type, payload in step.frames:
                    line.send_frame(frame_type, step.channel, payload)

    @staticmethod
    def _await_no_more(line: Line, channel: int, parameters: Any) -> None:
        """Wait for the effects of what nothing may be sent behind.

        RabbitMQ's reader forgets a channel with its close-ok, wanted or not, while the channel is
        still refusing it: what comes behind may be refused instead.
        """
        match parameters:
            case TxCommitParameters():
                line.await_commit(channel)
            case ConnectionCloseParameters() if channel == 0:
                line.await_end()
            case ChannelCloseOkParameters():
                line.await_end()

    def _note(self, connection: int, parameters: Any) -> None:
        """Note what has to be looked at, and tidied up, because of a method."""
        if getattr(parameters, "arguments", {}).get("x-queue-type") == "stream":
            self._streams.add(parameters.queue_name)
        match parameters:
            case QueueDeclareParameters(passive=False, no_wait=True) if parameters.queue_name:
                self._expect_queue(connection, parameters.queue_name, parameters.exclusive)
            case QueueDeclareParameters(name) | ExchangeDeclareParameters(name):
                self._used_names.add(_stripped(name))
            case ExchangeBindParameters(destination, source):
                if destination.startswith("amq.") and source.startswith("amq."):
                    undo = ExchangeUnbindParameters(*parameters._replace(no_wait=True))
                    self._bound_exchanges.append(undo)

    def _expect_queue(self, connection: int, queue_name: str, exclusive: bool) -> None:
        if queue_name.startswith("amq.rabbitmq."):
            return  # a name for direct replies, which is no queue
        self._used_names.add(_stripped(queue_name))
        owner = connection if exclusive else OBSERVER
        self._queues.setdefault(_stripped(queue_name), owner)

    # --- observing ----------------------------------------------------------------------------

    def observe(self) -> Observation:
        """Look at everything once more, and give all that this step has shown up to now."""
        lines = list(self._open_lines().values())
        for line in lines:
            line.send_barrier()
        asked = self._ask(self._queues)
        for line in lines:
            line.await_barrier()
        self._sort_arrivals()
        counts = self._count(asked)
        for log in self._logs_of_dying_connections():
            log.forget_deliveries()
        return Observation(
            {
                key: [self._in_words(what) for what in log.in_order()]
                for key, log in self._logs.items()
                if log.arrived
            },
            {key: dict(log.settled) for key, log in self._logs.items() if log.settled},
            counts,
        )

    def _logs_of_dying_connections(self) -> list[ChannelLog]:
        """List the channels of connections that the broker has closed in this step.

        RabbitMQ ends the channel at fault first; what that gives back may yet be delivered to
        another, or not.
        """
        dying = {
            connection
            for (connection, channel), log in self._logs.items()
            if channel == 0
            and any(isinstance(what, ConnectionCloseParameters) for what in log.arrived)
        }
        return [log for (connection, _), log in self._logs.items() if connection in dying]

    def _open_lines(self) -> dict[int, Line]:
        return {number: line for number, line in self._lines.items() if line.is_open}

    def _sort_arrivals(self) -> None:
        for connection, line in self._lines.items():
            if connection == OBSERVER:
                continue
            for channel, what in line.arrivals:
                if channel != PROBE:
                    self._log(connection, channel).take(what)
                    self._note_arrival(connection, what)
            line.arrivals = [arrival for arrival in line.arrivals if arrival.channel == PROBE]

    def _note_arrival(self, connection: int, what: Any) -> None:
        if isinstance(what, QueueDeclareOkParameters):
            declare = getattr(self._step, "parameters", None)
            exclusive = isinstance(declare, QueueDeclareParameters) and declare.exclusive
            self._expect_queue(connection, what.queue_name, exclusive)

    def _in_words(self, what: Any) -> Any:
        if what in (STREAM_ENDED, SILENCE):
            return what
        if isinstance(what, Message):
            properties = {
                name: self._names.observed([value])[0]
                for name, value in what.properties._asdict().items()
                if value is not None
            }
            return (*self._in_words(what.parameters), properties, what.body)
        if isinstance(what, QueueDeclareOkParameters) and what.queue_name in self._streams:
            name, _, *others = self._names.observed(what)
            return (name_of(what), name, A_STREAM, *others)
        return (name_of(what), *self._names.observed(what))

    # --- queues' counts -----------------------------------------------------------------------

    def _ask(self, queues: dict[str, int]) -> list[tuple[Line, list[str]]]:
        """Ask queues how many messages and consumers they have; the answers come later."""
        by_line: dict[Line, list[str]] = {}
        for name, owner in queues.items():
            line = self._probe(owner)
            line.send(PROBE, QueueDeclareParameters(name, passive=True))
            by_line.setdefault(line, []).append(name)
        return list(by_line.items())

    def _count(self, asked: list[tuple[Line, list[str]]]) -> dict[str, Any]:
        """Take the answers of the queues that were asked, and ask those that could not answer."""
        self._answers = {}
        while asked:
            for line, names in asked:
                for name in names:
                    self._answers[name] = answer = self._answer(line)
                    if name in self._streams and isinstance(answer, tuple):
                        self._answers[name] = A_STREAM
                    if not isinstance(answer, tuple):
                        break  # it cost the channel; what was asked behind it has no answer
            rest = self._queues.keys() - self._answers.keys()
            asked = self._ask({name: self._queues[name] for name in rest})
        return {self._names.in_program(name): self._answers[name] for name in sorted(self._answers)}

    @staticmethod
    def _answer(line: Line) -> Any:
        answer = line.await_arrival(PROBE, QueueDeclareOkParameters, ChannelCloseParameters)
        if answer is None:
            return SILENCE
        if isinstance(answer, ChannelCloseParameters):
            return answer.reply_code
        return (answer.message_count, answer.consumer_count)

    def _probe(self, owner: int) -> Line:
        """Give the line that a queue is to be looked at through, with its channel open."""
        line = self._lines.get(owner)
        if line is None or not line.is_open:
            line = self._line(OBSERVER)
        if PROBE not in line.open_channels:
            line.open_channel(PROBE)
        return line

    def end_step(self) -> None:
        """Note that what was observed is all there is to this step."""
        for log in self._logs.values():
            log.end_step()
        if isinstance(self._step, Call) and name_of(self._step.parameters) in _GIVES_BACK:
            self._log(self._step.connection, self._step.channel).forget_outstanding()
        for name in [name for name, answer in self._answers.items() if answer == 404]:
            self._queues.pop(name, None)

    # --- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the program's connections."""
        for connection, line in self._open_lines().items():
            if connection != OBSERVER:
                line.send(0, ConnectionCloseParameters(200, "end of the program"))
                line.await_end()

    def tidy_up(self) -> None:
        """Delete what the program has left behind."""
        self.close()
        line = self._probe(OBSERVER)
        for unbind in self._bound_exchanges:
            line.send(PROBE, unbind)
        for name in sorted(self._used_names - {""}):
            line.send(PROBE, QueueDeleteParameters(name, no_wait=True))
            if not name.startswith("amq."):
                line.send(PROBE, ExchangeDeleteParameters(name, no_wait=True))
        line.send_barrier()
        line.await_barrier()
        line.hang_up()


def _stripped(name: str) -> str:
    """Take out of a queue's or an exchange's name what RabbitMQ does not keep of it."""
    return name.replace("\r", "").replace("\n", "")


_GIVES_BACK = ("basic.recover", "basic.recover-async")


def _settlement(step: Settle, delivery_tag: int) -> Any:
    match step.verb:
        case "ack":
            return BasicAckParameters(delivery_tag, step.multiple)
        case "nack":
            return BasicNackParameters(delivery_tag, step.multiple, step.requeue)
        case _:
            return BasicRejectParameters(delivery_tag, step.requeue)
