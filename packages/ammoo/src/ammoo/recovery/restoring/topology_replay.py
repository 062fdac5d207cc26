"""Declaring the recorded topology again on a connection that has just been opened.

A replay uses private channels: an error then closes no channel of the caller's. It works in
stages; the entities of a stage need only those of the stages before it. Requests are pipelined;
`pipelines` decides which request an error refuses.

`remedies` and `Recovery` decide whether an entity that the server refuses is skipped, retried
or final. An entity that is retried is a straggler: see `stragglers`.
"""

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ammoo_wire import (
    ExchangeBindOkParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    method_of,
)

from ...exceptions.base import OperationTimeout
from ...exceptions.channel import ServerClosedChannel
from ...exceptions.connection import ServerClosedConnection, TooManyChannels
from ...exceptions.publishing import NotSent
from ...live.channel import LiveChannel
from ...live.connection import LiveConnection
from ...live.replies import Reply
from ...topology import Topology
from ...topology_records import (
    BindingRecord,
    ConsumerRecord,
    Entity,
    ExchangeRecord,
    Plan,
    QueueRecord,
)
from ..events import NotRestored
from ..options import Recovery
from .locked_pauses import LockedPauses
from .pipelines import Pipeline, spread
from .private_channels import ANSWER_TIMEOUT, PrivateChannels
from .remedies import Remedy, remedy_for

__all__ = ["GaveUp", "Replay"]

MOST_PIPELINES: Final = 16
"""How many private channels a replay uses; the server makes new queues twice as fast as with one."""
ENTITIES_PER_PIPELINE: Final = 16
"""How many requests a further channel needs to be worth opening."""
STUCK_AFTER: Final = 0.2
"""How long to await an answer before asking the server on another channel, in seconds. If the server
answers there, the entity is a straggler: its queue has no leader yet, or its node is down."""
REDECLARE_PAUSES: Final = (0.0, 0.05, 0.2)
"""The delays before the ends of bindings are declared again, in seconds. The server may still
delete the queues of the lost connection, and auto-delete exchanges with them."""

Declared = ExchangeRecord | QueueRecord | BindingRecord
Request = (
    ExchangeDeclareParameters
    | QueueDeclareParameters
    | ExchangeBindParameters
    | QueueBindParameters
)

_REPLIES: Final[dict[type[Any], type[Any]]] = {
    ExchangeDeclareParameters: ExchangeDeclareOkParameters,
    QueueDeclareParameters: QueueDeclareOkParameters,
    ExchangeBindParameters: ExchangeBindOkParameters,
    QueueBindParameters: QueueBindOkParameters,
}


class GaveUp(Exception):
    """The server refused an entity, and the user wants no connection without it.

    Attributes:
        error: Why the server refused the entity.
    """

    def __init__(self, entity: Entity, error: Exception) -> None:
        super().__init__(entity, error)
        self.error = error
        error.add_note(f"It was refused when {entity!r} was to be restored (on_error='fail').")


class Replay:
    """One attempt to declare the topology again.

    Args:
        live: The connection.
        topology: The record.
        recovery: The user's options.
        suspects: How often each entity may have ended a connection; shared by all attempts.

    Attributes:
        failed: The errors of entities that will not be retried.
        private_channels: The channels on which entities are declared.
        started: The consumers that are started already; also those whose channel has ended since,
            which are started with it and not by this replay.
        stragglers: The errors of entities that will be retried.
    """

    def __init__(
        self,
        live: LiveConnection,
        topology: Topology,
        recovery: Recovery,
        suspects: "Counter[Entity]",
    ) -> None:
        self.failed: dict[Entity, Exception] = {}
        self.private_channels: PrivateChannels = PrivateChannels(live)
        self.started: set[Entity] = set()
        self.stragglers: dict[Entity, Exception] = {}
        self._done: set[Entity] = set()
        self._live = live
        self._topology = topology
        self._recovery = recovery
        self._suspects = suspects
        self._unbound: dict[BindingRecord, None] = {}  # the server did not find one of their ends
        self._redeclare_pauses = list(REDECLARE_PAUSES)

    @property
    def restored(self) -> int:
        """How many entities are restored."""
        return len(self._done)

    @property
    def is_worth_waiting(self) -> bool:
        """Whether a straggler is likely to be restored or refused soon.

        A locked queue is free within moments. A queue may be down or stuck for long.
        """
        return any(
            remedy_for(error, entity) is not Remedy.TRANSIENT
            for entity, error in self.stragglers.items()
        )

    # --- all of it ---

    async def run(self) -> None:
        """Declare everything that the user wants restored.

        Raises:
            GaveUp: The server refused an entity, and on_error is "fail".
            ConnectionClosed, OperationTimeout: The connection is lost.
            TooManyChannels: The server does not close a private channel in time.
        """
        await self.run_plan(self._topology.plan())
        while self._unbound and self._redeclare_pauses:
            await asyncio.sleep(self._redeclare_pauses.pop(0))
            bindings, self._unbound = self._unbound, {}
            plan = self.plan_around(bindings)
            self.undo(plan.entities)
            await self.run_plan(plan)
        self._redeclare_pauses.clear()  # stragglers declare the ends of a binding themselves

    async def run_plan(self, plan: Plan) -> None:
        """Declare the entities of a plan that can be declared now.

        Raises:
            GaveUp, ConnectionClosed, OperationTimeout, TooManyChannels: As in `run`.
        """
        for stage in plan:
            await self._run_stage(list(self._ready(stage)))

    def _ready(self, stage: Iterable[Declared]) -> Iterator[Declared]:
        """Yield the entities of a stage that can be declared now, in their order."""
        for entity in stage:
            if not self.wants(entity):
                continue
            if self._suspects[entity]:
                self.postpone_suspect(entity)
            elif isinstance(entity, BindingRecord) and self.is_waiting_for(entity):
                pass  # it is bound when its end exists
            else:
                yield entity

    def is_waiting_for(self, entity: Entity) -> bool:
        """Return whether an entity needs one that is a straggler."""
        if isinstance(entity, BindingRecord):
            return entity.source in self.stragglers or entity.destination in self.stragglers
        return isinstance(entity, ConsumerRecord) and entity.queue in self.stragglers

    def wants(self, entity: Entity) -> bool:
        """Return whether an entity is still recorded, and the user wants it to be restored."""
        return self.restores(entity) and self._topology.holds(entity)

    def restores(self, entity: Entity) -> bool:
        """Return whether the user wants an entity to be restored."""
        return self._recovery.restores(entity)

    def postpone_suspect(self, entity: Entity) -> None:
        """Try last an entity that may have ended a connection; give it up at the second time."""
        method = "basic.consume" if isinstance(entity, ConsumerRecord) else self.method_for(entity)
        reason = "restoring an earlier connection failed, perhaps because of it"
        suspicion = NotSent(method, reason)
        if self._suspects[entity] > 1:
            self.refuse(entity, suspicion)
        else:
            self.stragglers[entity] = suspicion

    async def _run_stage(self, entities: list[Declared]) -> None:
        channel_max = self._live.protocol.channel_max or 65535
        pipelines = min(MOST_PIPELINES, channel_max, max(1, len(entities) // ENTITIES_PER_PIPELINE))
        results = await asyncio.gather(
            *(
                self._run_pipeline(Pipeline(each), LockedPauses(len(entities)))
                for each in spread(entities, pipelines)
            ),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def plan_around(self, bindings: Iterable[BindingRecord]) -> Plan:
        """Return the ends of bindings, and all bindings of those ends.

        A queue may have expired since it was declared.
        """
        ends = {end: None for binding in bindings for end in (binding.source, binding.destination)}
        exchanges = [end for end in ends if isinstance(end, ExchangeRecord)]
        queues = [end for end in ends if isinstance(end, QueueRecord)]
        bound: dict[BindingRecord, None] = {}
        for exchange in exchanges:
            bound |= exchange.bindings_from | exchange.bindings_to
        for queue in queues:
            bound |= queue.bindings
        declared_exchanges = [end for end in exchanges if end.is_declared]
        declared_queues = [end for end in queues if end.is_declared]
        return Plan(
            declared_exchanges,
            [],  # the server would name another one
            [queue for queue in declared_queues if not queue.is_server_named],
            [each for each in bound if isinstance(each.destination, ExchangeRecord)],
            [each for each in bound if isinstance(each.destination, QueueRecord)],
        )

    # --- one channel ---

    async def _run_pipeline(self, pipeline: Pipeline[Declared], pauses: LockedPauses) -> None:
        while pipeline:
            channel = await self.private_channels.open()
            try:
                await self._run_channel(pipeline, channel)
            except ServerClosedChannel as error:
                await self._postpone_or_refuse(pipeline, pauses, error)
            except OperationTimeout as error:
                self._refuse_if_wanted(pipeline.refused(), error)
                self.private_channels.close(channel)  # the server may still answer
            except ServerClosedConnection as error:
                self._suspect(pipeline, error)
                raise
            else:
                self.private_channels.close(channel)

    async def _postpone_or_refuse(
        self, pipeline: Pipeline[Declared], pauses: LockedPauses, error: ServerClosedChannel
    ) -> None:
        """Pause if an entity is locked: the server is deleting the old one; else refuse it."""
        culprit = pipeline.refused()
        pause = None
        if remedy_for(error, culprit) is Remedy.LOCKED:
            pause = pauses.next_pause(self.restored, asyncio.get_running_loop().time())
        if pause is None:
            self._refuse_if_wanted(culprit, error)
        else:
            pipeline.postpone(culprit)
            await asyncio.sleep(pause)

    async def _run_channel(self, pipeline: Pipeline[Declared], channel: LiveChannel) -> None:
        """Send a pipeline's requests on one channel until all are done, or the channel is closed."""
        waiters: dict[Entity, Future[Reply]] = {}
        while pipeline:
            while (entity := pipeline.next_to_send()) is not None:
                if self._topology.holds(entity):
                    waiters[entity] = self.send(channel, entity)
                else:
                    pipeline.withdraw()  # the program has deleted it
            oldest = pipeline.oldest
            if oldest is None:
                return
            waiter = waiters.pop(oldest)
            if not waiter.done():
                await self.wait_unless_stuck(waiter, self.method_for(oldest))
            reply = waiter.result()
            pipeline.answered()
            self.done(oldest, reply)

    async def wait_unless_stuck(
        self, answer: "Future[Any]", method: str, seconds: float | None = None
    ) -> None:
        """Wait for an answer, but not for long if the server answers on another channel.

        Args:
            answer: The future of the answer.
            method: The method that the server should answer, ``queue.declare`` for example.
            seconds: How long to wait before asking on another channel; None for `STUCK_AFTER`.

        Raises:
            OperationTimeout: The server answers other requests, but not this one.
        """
        seconds = STUCK_AFTER if seconds is None else seconds
        await asyncio.wait({answer}, timeout=seconds)
        if not answer.done():
            await self._probe(answer)
        if not answer.done():
            raise OperationTimeout(method, seconds)

    async def _probe(self, answer: "Future[Any]") -> None:
        """Make a round trip on another channel: a busy server is slow there, too."""
        try:
            self.private_channels.close(await self.private_channels.open(seconds=0))
        except TooManyChannels:  # nothing to ask with
            await asyncio.wait({answer}, timeout=ANSWER_TIMEOUT)

    def method_for(self, entity: Declared) -> str:
        """Return the method that declares or binds an entity, ``queue.declare`` for example."""
        return method_of(self._topology.request_for(entity)).name

    def send(self, channel: LiveChannel, entity: Declared) -> "Future[Reply]":
        """Send the request for an entity."""
        request = self._topology.request_for(entity)
        waiter = channel.send_request(request, _REPLIES[type(request)])
        waiter.add_done_callback(_retrieve)
        return waiter

    def done(self, entity: Declared, reply: Reply) -> None:
        """Record that an entity is restored."""
        self._done.add(entity)
        self.stragglers.pop(entity, None)
        self.failed.pop(entity, None)
        if isinstance(entity, QueueRecord):
            self._topology.queue_renamed(entity, reply.parameters.queue_name)

    # --- refusals ---

    def _refuse_if_wanted(self, entity: Entity, error: Exception) -> None:
        """Do as `refuse`, unless the program has deleted the entity meanwhile."""
        if self._topology.holds(entity):
            self.refuse(entity, error)

    def refuse(self, entity: Entity, error: Exception) -> None:
        """Decide what recovery does about an entity that the server has refused.

        Raises:
            GaveUp: The user wants no connection without it.
        """
        remedy = remedy_for(error, entity)
        if remedy is Remedy.REDECLARE and isinstance(entity, BindingRecord):
            if self._redeclare_pauses:
                self._unbound[entity] = None
                return
            remedy = Remedy.POLICY
        if remedy is not Remedy.POLICY or self._recovery.on_error == "retry":
            self.stragglers[entity] = error
        elif self._recovery.on_error == "fail":
            raise GaveUp(entity, error)
        else:
            self.failed[entity] = error

    def _suspect(self, pipeline: Pipeline[Declared], error: ServerClosedConnection) -> None:
        """Record which requests may have closed the connection: the error names only a method."""
        culprit = (error.class_id, error.method_id)
        for entity in pipeline.in_flight:
            if method_of(self._topology.request_for(entity)).id == culprit:
                self._suspects[entity] += 1
                return

    def suspect_unanswered(self) -> None:
        """Record which requests the server has not answered; the next attempt sends them last.

        Their private channels have numbers that the caller's channels need.
        """
        for entity, error in self.stragglers.items():
            if isinstance(error, OperationTimeout):
                self._suspects[entity] = max(1, self._suspects[entity])

    def failed_consumers(self) -> dict[ConsumerRecord, Exception]:
        """Return the consumers that will not be retried, and why."""
        return {
            entity: error
            for entity, error in self.failed.items()
            if isinstance(entity, ConsumerRecord)
        }

    def retried(self) -> dict[Entity, Exception]:
        """Return the entities that are retried, or wait for one that is, and why."""
        retried = dict(self.stragglers)
        for entity, error in self.stragglers.items():
            for each in self.dependents(entity):
                retried.setdefault(each, error)
        return retried

    def not_restored(self) -> tuple[NotRestored, ...]:
        """Return the entities that are not restored, and why."""
        return (
            *(NotRestored(entity, error, False) for entity, error in self.failed.items()),
            *(NotRestored(entity, error, True) for entity, error in self.retried().items()),
        )

    # --- what waits for another entity ---

    def undo(self, entities: Iterable[Entity]) -> set[Entity]:
        """Forget that entities are restored, before they are declared again; return which were."""
        undone = self._done.intersection(entities)
        self._done -= undone
        return undone

    def has_done(self, entity: Entity) -> bool:
        """Return whether an exchange, queue or binding is restored."""
        return entity in self._done

    def dependents(self, entity: Entity) -> list[Entity]:
        """Return the entities that need this one, and are neither restored nor given up."""
        needing: list[Entity] = []
        if isinstance(entity, ExchangeRecord):
            needing += [*entity.bindings_from, *entity.bindings_to]
        elif isinstance(entity, QueueRecord):
            needing += [*entity.bindings, *entity.consumers]
        return [
            each
            for each in needing
            if not (each in self._done or each in self.failed or each in self.started)
            and self.restores(each)
        ]

    def release(self, entity: Entity, error: Exception) -> list[Entity]:
        """Return the entities that had to wait for a restored one, and need no other straggler.

        They are stragglers from now on.

        Args:
            entity: The former straggler; if it is not restored, no entities are returned.
            error: Why it was a straggler.
        """
        if entity not in self._done:
            return []
        released = [
            each
            for each in self.dependents(entity)
            if each not in self.stragglers and not self.is_waiting_for(each)
        ]
        self.stragglers.update(dict.fromkeys(released, error))
        return released


def _retrieve(waiter: "Future[Reply]") -> None:
    """Retrieve an error, because asyncio logs it otherwise; another request has raised it."""
    if not waiter.cancelled():
        waiter.exception()
