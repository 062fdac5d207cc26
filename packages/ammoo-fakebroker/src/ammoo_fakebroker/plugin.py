"""The pytest plugin: brokers as fixtures.

It is loaded by every pytest run of an environment that has this package, so it imports nothing
before a fixture is used, and it depends on no asyncio plugin: the brokers run in threads of their
own, and serve tests of every style.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .broker import FakeBroker

__all__ = [
    "fakebroker",
    "fakebroker_options",
    "fakebroker_session",
    "make_fakebroker",
]

_Factory = Callable[..., "FakeBroker"]


@pytest.fixture(scope="session")
def fakebroker_options() -> dict[str, Any]:
    """Keyword arguments for all fake brokers; override it, session-scoped, to change them.

    A fixture of a narrower scope would not do: ``fakebroker_session`` asks for it as well.
    """
    return {}


@pytest.fixture
def make_fakebroker(fakebroker_options: dict[str, Any]) -> Iterator[_Factory]:
    """Start fake brokers, each with its own options; all are stopped when the test ends."""
    from .broker import FakeBroker

    with ExitStack() as running:

        def make(**options: Any) -> FakeBroker:
            return running.enter_context(FakeBroker(**{**fakebroker_options, **options}))

        yield make


@pytest.fixture
def fakebroker(make_fakebroker: _Factory) -> FakeBroker:
    """A fake broker, fresh for this test and running in its own thread; see its ``url``."""
    return make_fakebroker()


@pytest.fixture(scope="session")
def fakebroker_session(fakebroker_options: dict[str, Any]) -> Iterator[FakeBroker]:
    """A fake broker that runs for the whole session (one for each worker under xdist)."""
    from .broker import FakeBroker

    with FakeBroker(**fakebroker_options) as broker:
        yield broker
