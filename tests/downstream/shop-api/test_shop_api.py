import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from shop_api import app

from ammoo_fakebroker import FakeBroker


@pytest.fixture
def shop(fakebroker_env: FakeBroker) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_order_is_published(shop: TestClient, fakebroker: FakeBroker) -> None:
    assert 202 == shop.post("/orders", json={"id": 7, "sum": 30}).status_code

    fakebroker.published(
        exchange_name="orders",
        routing_key="order.created",
        json={"id": 7},
        content_type="application/json",
    ).assert_count(1)


def test_second_order_is_refused(shop: TestClient, fakebroker: FakeBroker) -> None:
    with fakebroker.faults.nack_publishes(exchange_name="orders", skip=1, times=1):
        answers = [shop.post("/orders", json={"id": n, "sum": 1}).status_code for n in (1, 2, 3)]

    assert [202, 503, 202] == answers
    assert [1, 3] == [json.loads(each.body)["id"] for each in fakebroker.messages("billing")]
