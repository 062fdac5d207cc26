"""Stragglers: entities that could not be restored at once, and are retried in the background.

Each straggler has its own delay, which doubles. A queue that the lost connection locks is free
within milliseconds; a queue whose node is down may need as long as the outage. When an exchange
or queue is restored, its bindings and consumers follow, each with a delay of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from ...exceptions.base import OperationTimeout
from ...exceptions.channel import ChannelClosed, NotFound
from ...exceptions.connection import ConnectionClosed, TooManyChannels
from ...topology import BindingRecord, ConsumerRecord, Entity
from .private_channels import answered_in_time
from .remedies import Remedy, remedy_for
from .topology_replay import Declared, Replay

__all__ = ["Stragglers"]

FIRST_DELAY: Final = 0.05
LOCKED_MAX_DELAY: Final = 2.0
MAX_DELAY: Final = 30.0
AT_A_TIME: Final = 16
"""How many stragglers are tried at the same time."""


class Stragglers:
    """The stragglers of one attempt.

    Args:
        replay: The attempt.
        locked_for: Returns for how many seconds a locked queue is retried; each entity that is
            restored meanwhile renews this time, because the server is still deleting.
        is_wanted: Returns whether an entity is still to be restored, by this attempt.
        start_consumer: Starts a consumer; returns whether it has.
        on_restored: Called with each restored entity.
        on_failed: Called with each entity that is given up, and with its last error.
    """

    def __init__(
        self,
        replay: Replay,
        locked_for: Callable[[], float],
        is_wanted: Callable[[Entity], bool],
        start_consumer: Callable[[ConsumerRecord], Awaitable[bool]],
        on_restored: Callable[[Entity], None],
        on_failed: Callable[[Entity, Exception], None],
    ) -> None:
        self._replay = replay
        self._locked_for = locked_for
        self._is_wanted = is_wanted
        self._start_consumer = start_consumer
        self._on_restored = on_restored
        self._on_failed = on_failed
        self._slots = asyncio.Semaphore(AT_A_TIME)  # consumers need none: see `_slot_for`
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
                    tasks.create_task(self._retry(tasks, entity, delay))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _retry(self, tasks: asyncio.TaskGroup, entity: Entity, delay: float) -> None:
        """Try a straggler until it is one no more; then begin to try what had to wait for it."""
        loop, stragglers = asyncio.get_running_loop(), self._replay.stragglers
        began = loop.time()
        while entity in stragglers:
            error = stragglers[entity]
            is_locked = remedy_for(error, entity) is Remedy.LOCKED
            if is_locked and loop.time() - max(began, self._restored_at) >= self._locked_for():
                self._fail(entity, error)
                return
            await asyncio.sleep(delay)
            delay = min(max(2 * delay, FIRST_DELAY), LOCKED_MAX_DELAY if is_locked else MAX_DELAY)
            async with self._slot_for(entity):
                if entity in stragglers and not await self._try(entity):
                    return
            if entity not in stragglers:
                for released in self._replay.release(entity, error):
                    tasks.create_task(self._retry(tasks, released, 0.0))

    def _slot_for(self, entity: Entity) -> AbstractAsyncContextManager[None]:
        """Return the semaphore that limits how many are tried at a time; none for a consumer.

        A consumer waits on its own channel for as long as its queue has no leader. Meanwhile the
        others must not wait.
        """
        return nullcontext() if isinstance(entity, ConsumerRecord) else self._slots

    async def _try(self, entity: Entity) -> bool:
        """Try an entity once; return whether the connection is still open."""
        try:
            is_restored = self._is_wanted(entity) and await self._restore(entity)
        except ConnectionClosed:
            return False
        except (ChannelClosed, OperationTimeout, TooManyChannels) as error:
            self._replay.stragglers.pop(entity, None)
            self._replay.refuse(entity, error)
            if entity in self._replay.failed:
                self._fail(entity, error)
        else:
            self._replay.stragglers.pop(entity, None)
            if is_restored:
                self._restored_at = asyncio.get_running_loop().time()
                self._on_restored(entity)
        return True

    async def _restore(self, entity: Entity) -> bool:
        """Send the request for an entity; return whether it is restored.

        Raises:
            ChannelClosed, OperationTimeout: The server refuses it, or does not answer.
            TooManyChannels: The caller's channels have all numbers.
        """
        if isinstance(entity, ConsumerRecord):
            return await self._start_consumer(entity)
        try:
            return await self._declare(entity)
        except NotFound as error:
            if not isinstance(entity, BindingRecord) or not await self._declare_ends(entity, error):
                raise
            return True

    async def _declare_ends(self, binding: BindingRecord, error: NotFound) -> bool:
        """Declare the ends of a binding once more, and bind them; return whether they are bound.

        The server may have deleted an auto-delete exchange with the last queue of the lost
        connection.
        """
        if remedy_for(error, binding) is not Remedy.REDECLARE:
            return False
        await self._replay.redeclare([binding])
        return self._replay.has_done(binding)

    async def _declare(self, entity: Declared) -> bool:
        """Declare or bind an entity; return whether it is still to be restored.

        The program may have deleted it meanwhile.
        """
        channel = await self._replay.private_channels.open()
        waiter = self._replay.send(channel, entity)
        try:
            async with answered_in_time("an entity"):
                reply = await waiter
        finally:
            self._replay.private_channels.close(channel)
        is_wanted = self._is_wanted(entity)
        if is_wanted:
            self._replay.done(entity, reply)
        return is_wanted

    def _fail(self, entity: Entity, error: Exception) -> None:
        """Give up an entity, and all that wait for it."""
        for each in (entity, *self._replay.dependents(entity)):
            self._replay.stragglers.pop(each, None)
            self._replay.failed[each] = error
            self._on_failed(each, error)
