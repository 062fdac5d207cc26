"""Stragglers: entities that could not be restored at once, and are retried in the background.

Each straggler has its own delay, which doubles. A queue that the lost connection locks is free
within milliseconds; a queue whose node is down may need as long as the outage. When an exchange
or queue is restored, its bindings and consumers follow, each with a delay of its own.
"""

import asyncio
from collections.abc import Container, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, Protocol

from ...exceptions.base import OperationTimeout
from ...exceptions.channel import ChannelClosed, NotFound
from ...exceptions.connection import ConnectionClosed, TooManyChannels
from ...topology_records import BindingRecord, ConsumerRecord, Entity
from .private_channels import answered_in_time
from .remedies import Remedy, remedy_for
from .topology_replay import Declared, Replay

__all__ = ["StragglerHost", "Stragglers"]

FIRST_DELAY: Final = 0.05
LOCKED_MAX_DELAY: Final = 2.0
MAX_DELAY: Final = 30.0
AT_A_TIME: Final = 16
"""How many stragglers are tried at the same time."""


class StragglerHost(Protocol):
    """What stragglers ask of the connection that they belong to, and report to it."""

    def locked_for(self) -> float:
        """Return for how many seconds a locked queue is retried.

        Each entity that is restored meanwhile renews this time: the server is still deleting.
        """
        ...

    def is_wanted(self, entity: Entity) -> bool:
        """Return whether an entity is still to be restored, by these stragglers."""
        ...

    def is_being_deleted(self, entity: Entity) -> bool:
        """Return whether the program deletes an entity, and the server has not answered yet."""
        ...

    async def start(self, record: ConsumerRecord) -> bool:
        """Start a consumer; return whether this call has started it.

        Raises:
            ChannelClosed, OperationTimeout: The server refuses it, or does not answer.
        """
        ...

    def went_missing(self, entity: Entity) -> None:
        """Record an entity that was restored, and that the server has deleted since."""

    def restored(self, entity: Entity) -> None:
        """Record that an entity is restored."""

    def failed(self, entity: Entity, error: Exception) -> None:
        """Record that an entity is given up, and why."""


class Stragglers:
    """The stragglers of one attempt.

    Args:
        replay: The attempt.
        host: The connection.
    """

    def __init__(self, replay: Replay, host: StragglerHost) -> None:
        self._replay = replay
        self._host = host
        self._slots = asyncio.Semaphore(AT_A_TIME)  # consumers need none: see `_slot_for`
        self._redeclaring = asyncio.Lock()
        self._retried: set[Entity] = set()  # each has a task
        self._restored_at = 0.0  # the last entity

    async def run(self) -> None:
        """Try all stragglers until each is restored or given up, or the connection ends.

        Raises:
            GaveUp: The server refused one, and on_error is "fail".
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                for entity, error in list(self._replay.stragglers.items()):
                    # The request that was not answered waits now for as long as needed.
                    delay = 0.0 if isinstance(error, OperationTimeout) else FIRST_DELAY
                    self._begin(tasks, entity, delay)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def _begin(self, tasks: asyncio.TaskGroup, entity: Entity, delay: float) -> None:
        """Begin to retry a straggler, unless it is retried already."""
        if entity not in self._retried:
            self._retried.add(entity)
            tasks.create_task(self._retry(tasks, entity, delay))

    async def _retry(self, tasks: asyncio.TaskGroup, entity: Entity, delay: float) -> None:
        try:
            await self._retry_until_done(tasks, entity, delay)
        finally:
            self._retried.discard(entity)

    async def _retry_until_done(
        self, tasks: asyncio.TaskGroup, entity: Entity, delay: float
    ) -> None:
        """Try a straggler until it is restored or given up; then try the entities that wait for it."""
        loop, stragglers = asyncio.get_running_loop(), self._replay.stragglers
        began = loop.time()
        while entity in stragglers:
            error = stragglers[entity]
            is_locked = remedy_for(error, entity) is Remedy.LOCKED
            if is_locked and loop.time() - max(began, self._restored_at) >= self._host.locked_for():
                self._fail(entity, error)
                return
            await asyncio.sleep(delay)
            delay = min(max(2 * delay, FIRST_DELAY), LOCKED_MAX_DELAY if is_locked else MAX_DELAY)
            async with self._slot_for(entity):
                if entity in stragglers and not await self._try(tasks, entity):
                    return
            if entity not in stragglers:
                self._begin_dependents(tasks, entity, error)

    def _begin_dependents(self, tasks: asyncio.TaskGroup, entity: Entity, error: Exception) -> None:
        """Begin to try the entities that had to wait for another one, if that one is restored."""
        for released in self._replay.release(entity, error):
            self._begin(tasks, released, 0.0)

    def _slot_for(self, entity: Entity) -> AbstractAsyncContextManager[None]:
        """Return the semaphore that limits how many are tried at a time; none for a consumer.

        A consumer waits on its own channel for as long as its queue has no leader. Meanwhile the
        others must not wait.
        """
        return nullcontext() if isinstance(entity, ConsumerRecord) else self._slots

    async def _try(self, tasks: asyncio.TaskGroup, entity: Entity) -> bool:
        """Try an entity once; return whether the connection is still open."""
        try:
            is_restored = self._host.is_wanted(entity) and await self._restore(tasks, entity)
        except ConnectionClosed:
            return False
        except (ChannelClosed, OperationTimeout, TooManyChannels) as error:
            if self._host.is_wanted(entity):
                self._replay.stragglers.pop(entity, None)
                self._replay.refuse(entity, error)
                if entity in self._replay.failed:
                    self._fail(entity, error)
                return True
            is_restored = False  # the program has deleted it meanwhile
        if is_restored:
            self._replay.stragglers.pop(entity, None)
            self._restored(entity)
        elif not self._host.is_being_deleted(entity):  # it may yet be wanted again
            self._replay.stragglers.pop(entity, None)
        return True

    def _restored(self, entity: Entity) -> None:
        self._restored_at = asyncio.get_running_loop().time()
        self._host.restored(entity)

    async def _restore(self, tasks: asyncio.TaskGroup, entity: Entity) -> bool:
        """Send the request for an entity; return whether it is restored.

        Raises:
            ChannelClosed, OperationTimeout: The server refuses it, or does not answer.
            TooManyChannels: The caller's channels have all numbers.
        """
        if isinstance(entity, ConsumerRecord):
            return await self._host.start(entity)
        try:
            return await self._declare(entity)
        except NotFound as error:
            is_redeclared = remedy_for(error, entity) is Remedy.REDECLARE
            if not is_redeclared or not isinstance(entity, BindingRecord):
                raise
            await self._declare_ends(tasks, entity, error)
            if self._replay.has_done(entity):
                return True
            if self._replay.is_waiting_for(entity):
                return False  # it is released with its end
            raise

    async def _declare_ends(
        self, tasks: asyncio.TaskGroup, binding: BindingRecord, error: NotFound
    ) -> None:
        """Declare the ends of a binding once more, with all their bindings.

        The server may have deleted an auto-delete exchange with the last queue of the lost
        connection.
        """
        async with self._redeclaring:
            if self._replay.has_done(binding):
                return  # it was bound with another one
            plan = self._replay.plan_around([binding])
            others = [entity for entity in plan.entities if entity is not binding]
            undone = self._replay.undo(others)
            try:
                await self._replay.run_plan(plan)
            except (OperationTimeout, TooManyChannels) as broken_off:
                self._declared_again(tasks, others, undone, broken_off)
                raise
            self._declared_again(tasks, others, undone, error)

    def _declared_again(
        self,
        tasks: asyncio.TaskGroup,
        entities: Iterable[Entity],
        undone: Container[Entity],
        error: Exception,
    ) -> None:
        """Report which entities are restored, and which are missing from now on and retried.

        Args:
            tasks: The group of the tasks that retry.
            entities: The entities to declare again, without the binding that needed it.
            undone: Those that were restored before.
            error: Why they were declared again; or why not all of them were.
        """
        replay, host = self._replay, self._host
        for entity in entities:
            if replay.has_done(entity):
                if entity not in undone:
                    self._restored(entity)
                    self._begin_dependents(tasks, entity, error)
            elif entity in self._retried:  # its task decides
                refusal = replay.failed.pop(entity, error)
                if entity in undone:  # another plan had restored it, and the task sleeps still
                    host.went_missing(entity)
                    replay.stragglers.setdefault(entity, refusal)
            elif entity in replay.failed:
                host.went_missing(entity)
                host.failed(entity, replay.failed[entity])
            elif replay.wants(entity):
                host.went_missing(entity)
                if not replay.is_waiting_for(entity):  # else it is released with its end
                    replay.stragglers.setdefault(entity, error)
                    self._begin(tasks, entity, FIRST_DELAY)

    async def _declare(self, entity: Declared) -> bool:
        """Declare or bind an entity; return whether it is still to be restored.

        The program may have deleted it meanwhile.
        """
        channel = await self._replay.private_channels.open()
        try:
            if not self._host.is_wanted(entity):
                return False
            waiter = self._replay.send(channel, entity)
            async with answered_in_time(self._replay.method_for(entity)):
                reply = await waiter
        finally:
            self._replay.private_channels.close(channel)
        is_wanted = self._host.is_wanted(entity)
        if is_wanted:
            self._replay.done(entity, reply)
        return is_wanted

    def _fail(self, entity: Entity, error: Exception) -> None:
        """Give up an entity, and all that wait for it."""
        for each in (entity, *self._replay.dependents(entity)):
            self._replay.stragglers.pop(each, None)
            self._replay.failed[each] = error
            self._host.failed(each, error)
