"""Stragglers: entities that could not be restored at once, and are retried in the background.

Each straggler has its own delay, which doubles. A queue that the lost connection locks is free
within milliseconds; a queue whose node is down may need as long as the outage. When an exchange
or queue is restored, its bindings and consumers follow.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from ...exceptions.base import OperationTimeout
from ...exceptions.channel import ChannelClosed, ClientClosedChannelOK
from ...exceptions.connection import ConnectionClosed
from ...topology import ConsumerRecord, Entity, ExchangeRecord, QueueRecord
from .remedies import Remedy, remedy_for
from .replay import Declared, Replay, answered_in_time

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
        locked_for: How long a locked queue is retried, in seconds.
        start_consumer: Starts a consumer.
        on_restored: Called with each restored entity.
        on_failed: Called with each entity that is given up, and with its last error.
    """

    def __init__(
        self,
        replay: Replay,
        locked_for: float,
        start_consumer: Callable[[ConsumerRecord], Awaitable[None]],
        on_restored: Callable[[Entity], None],
        on_failed: Callable[[Entity, Exception], None],
    ) -> None:
        self._replay = replay
        self._locked_for = locked_for
        self._start_consumer = start_consumer
        self._on_restored = on_restored
        self._on_failed = on_failed
        self._slots = asyncio.Semaphore(AT_A_TIME)  # consumers need none: see `_slot_for`

    async def run(self) -> None:
        """Try all stragglers until each is restored or given up, or the connection ends.

        Raises:
            GaveUp: The server refused one, and on_error is "fail".
        """
        results = await asyncio.gather(
            *(self._retry(entity) for entity in list(self._replay.stragglers)),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _retry(self, entity: Entity) -> None:
        loop = asyncio.get_running_loop()
        began, delay = loop.time(), FIRST_DELAY
        if isinstance(self._replay.stragglers.get(entity), OperationTimeout):
            delay = 0.0  # its request waits for the answer as long as needed
        while entity in self._replay.stragglers:
            error = self._replay.stragglers[entity]
            is_locked = remedy_for(error, entity) is Remedy.LOCKED
            if is_locked and loop.time() - began >= self._locked_for:
                del self._replay.stragglers[entity]
                self._fail(entity, error)
                return
            await asyncio.sleep(delay)
            delay = min(max(2 * delay, FIRST_DELAY), LOCKED_MAX_DELAY if is_locked else MAX_DELAY)
            async with self._slot_for(entity):
                if entity in self._replay.stragglers and not await self._try(entity):
                    return

    def _slot_for(self, entity: Entity) -> AbstractAsyncContextManager[None]:
        """Return the semaphore that limits how many are tried at a time; none for a consumer.

        A consumer waits on its own channel for as long as its queue has no leader. Meanwhile the
        others must not wait.
        """
        return nullcontext() if isinstance(entity, ConsumerRecord) else self._slots

    async def _try(self, entity: Entity) -> bool:
        """Try an entity once; return whether the connection is still open."""
        try:
            await self._restore(entity)
        except ConnectionClosed:
            return False
        except (ChannelClosed, OperationTimeout) as error:
            self._replay.stragglers.pop(entity, None)
            self._replay.refuse(entity, error)
            if entity in self._replay.failed:
                self._fail(entity, error)
        else:
            self._replay.stragglers.pop(entity, None)
            self._on_restored(entity)
            await self._restore_dependents(entity)
        return True

    async def _restore(self, entity: Entity) -> None:
        if isinstance(entity, ConsumerRecord):
            if not entity.has_ended:
                await self._start_consumer(entity)
        else:
            await self._declare(entity)

    async def _declare(self, entity: Declared) -> None:
        channel = await self._replay.open_channel()
        waiter = self._replay.send(channel, entity)
        try:
            async with answered_in_time("an entity"):
                reply = await waiter
        finally:
            channel.begin_close(ClientClosedChannelOK())
        self._replay.done(entity, reply)

    async def _restore_dependents(self, entity: Entity) -> None:
        dependents: list[Entity] = []
        if isinstance(entity, ExchangeRecord):
            dependents += [*entity.bindings_from, *entity.bindings_to]
        elif isinstance(entity, QueueRecord):
            dependents += [*entity.bindings, *entity.consumers]
        else:
            return
        for dependent in dependents:
            if self._replay.restores(dependent) and not self._replay.is_waiting_for(dependent):
                await self._try_first(dependent)

    async def _try_first(self, entity: Entity) -> None:
        """Try an entity that had to wait for another; if refused, it becomes a straggler itself."""
        try:
            await self._restore(entity)
        except ConnectionClosed:
            return
        except (ChannelClosed, OperationTimeout) as error:
            self._replay.refuse(entity, error)
            if entity in self._replay.stragglers:
                await self._retry(entity)
            else:
                self._fail(entity, error)
        else:
            self._on_restored(entity)

    def _fail(self, entity: Entity, error: Exception) -> None:
        self._replay.failed[entity] = error
        self._on_failed(entity, error)
        if isinstance(entity, QueueRecord):
            for record in list(entity.consumers):
                self._on_failed(record, error)
