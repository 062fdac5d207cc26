"""Many operations, so many at a time."""

import asyncio
from collections.abc import Awaitable, Iterable


async def in_batches(operations: Iterable[Awaitable[object]], size: int = 100) -> None:
    """Await operations, so many at a time."""
    batch: list[Awaitable[object]] = []
    for operation in operations:
        batch.append(operation)
        if len(batch) == size:
            await asyncio.gather(*batch)
            batch.clear()
    await asyncio.gather(*batch)
