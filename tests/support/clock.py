"""The time of an event loop, which stands still until a test moves it on.

So nobody has to wait for what takes time; and what is done while the time stands still has
waited for no time-out.
"""

import asyncio

import pytest

__all__ = ["LoopClock"]


class LoopClock:
    """The time of the running event loop.

    Args:
        monkeypatch: Puts the loop's own time back in the end.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self._now)

    async def advance(self, seconds: float) -> None:
        """Move the time on, and have everything done that is due then."""
        await self.settle()
        self._now += seconds
        await self.settle()

    async def advance_repeatedly(self, seconds: float, *, times: int) -> None:
        """Move the time on in steps of so many seconds."""
        for _ in range(times):
            await self.advance(seconds)

    async def settle(self, *, turns: int = 5) -> None:
        """Let tasks go on that are ready: they may be about to wait for some time."""
        for _ in range(turns):
            await asyncio.sleep(0)
