from collections.abc import AsyncIterator
from typing import Any

import pytest
from audit import Audit

import ammoo
from ammoo_fakebroker import FakeBroker


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--release", default="4.3", help="what the fake broker imitates")


@pytest.fixture(scope="session")
def fakebroker_options(pytestconfig: pytest.Config) -> dict[str, Any]:
    if pytestconfig.getoption("fakebroker_url"):
        return {}
    return {"compatibility": pytestconfig.getoption("release")}


@pytest.fixture
async def audit(fakebroker: FakeBroker) -> AsyncIterator[Audit]:
    async with (
        await ammoo.connect(fakebroker.url) as connection,
        connection.channel() as channel,
    ):
        await channel.select_confirm()
        audit = Audit(channel, limit=2)
        await audit.declare()
        yield audit
