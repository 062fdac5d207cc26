"""The pytest plugin: fake brokers as fixtures.

Every pytest run of an environment with this package loads it, so it imports the broker only when a
fixture is used. It needs no asyncio plugin: the brokers run in threads, and serve tests of every
style.
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
    """Return the options of `FakeBroker` that all fixtures use; override it to change them.

    The override must have the scope ``session``, because ``fakebroker_session`` uses it as well.
    """
    return {}


@pytest.fixture
def make_fakebroker(fakebroker_options: dict[str, Any]) -> Iterator[_Factory]:
    """Return a function that starts a fake broker with the options of `FakeBroker` it is given.

    All brokers are stopped when the test ends.
    """
    from .broker import FakeBroker

    with ExitStack() as running:

        def make(**options: Any) -> FakeBroker:
            return running.enter_context(FakeBroker(**{**fakebroker_options, **options}))

        yield make


@pytest.fixture
def fakebroker(make_fakebroker: _Factory) -> FakeBroker:
    """A new fake broker for this test, running in a thread; clients connect to its ``url``."""
    return make_fakebroker()


@pytest.fixture(scope="session")
def fakebroker_session(fakebroker_options: dict[str, Any]) -> Iterator[FakeBroker]:
    """A fake broker that runs for the whole session; under xdist, one for each worker."""
    from .broker import FakeBroker

    with FakeBroker(**fakebroker_options) as broker:
        yield broker
