"""The output of the command: the broker's address, and with ``-v`` its events."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from ..history.texts import describe

if TYPE_CHECKING:
    from ..broker import FakeBroker
    from ..history.events import Event

__all__ = ["Output"]

_ABOUT_MESSAGES = frozenset(
    (
        "published",
        "routed",
        "confirmed",
        "delivered",
        "got",
        "acknowledged",
        "requeued",
    )
)
"""The kinds of events about messages; they are printed only with -vv."""
_DAY = 86_400.0


class Output:
    """The lines that the command prints.

    Args:
        log_format: ``text`` or ``json``.
        verbosity: 0 for the address only, 1 for events, too, and 2 for events of messages, too.
    """

    def __init__(self, log_format: str, verbosity: int) -> None:
        self._is_json = log_format == "json"
        self._verbosity = verbosity

    def listening(self, broker: FakeBroker, options: argparse.Namespace) -> None:
        """Print the broker's address."""
        places = {"url": broker.url}
        if options.management_port is not None:
            places["management_url"] = broker.management_url
        if self._is_json:
            self._print_json({"kind": "listening", **places})
            return
        print(f"listening on {broker.url}", flush=True)
        if "management_url" in places:
            what = "management and control" if options.control else "management"
            print(f"{what} on {broker.management_url}", flush=True)

    @contextlib.asynccontextmanager
    async def following(self, broker: FakeBroker) -> AsyncIterator[None]:
        """Print events as they happen, within the block."""
        if not self._verbosity:
            yield
            return
        task = asyncio.create_task(self._follow(broker))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self, broker: FakeBroker) -> None:
        mark = broker.mark()
        while True:
            events = await broker.history(since=mark).wait_async(1, timeout=_DAY)
            self._print_events(events)
            mark = events[-1].number

    def _print_events(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind in _ABOUT_MESSAGES and self._verbosity < 2:
                continue
            if self._is_json:
                self._print_json(event.as_dict())
            else:
                print(describe(event), flush=True)

    def _print_json(self, value: dict[str, Any]) -> None:
        print(json.dumps(value), flush=True)
