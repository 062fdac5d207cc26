from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from order_service import app

from ammoo_fakebroker import FakeBroker


@pytest.fixture
def service(fakebroker_env: FakeBroker) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_order_is_published(service: TestClient, fakebroker: FakeBroker) -> None:
    assert 202 == service.post("/orders", json={"id": 7, "sum": 30}).status_code

    fakebroker.published(routing_key="orders", json={"id": 7, "sum": 30}).assert_count(1)


def test_order_that_the_broker_refuses_is_refused(
    service: TestClient, fakebroker: FakeBroker
) -> None:
    with fakebroker.faults.nack_publishes(routing_key="orders", times=1):
        assert 503 == service.post("/orders", json={"id": 7, "sum": 30}).status_code


def test_service_outlives_its_channel(service: TestClient, fakebroker: FakeBroker) -> None:
    with fakebroker.faults.close_channels(406, method="basic.publish", times=1):
        assert 503 == service.post("/orders", json={"id": 7, "sum": 30}).status_code

    assert 202 == service.post("/orders", json={"id": 8, "sum": 1}).status_code


def test_service_outlives_its_connection(service: TestClient, fakebroker: FakeBroker) -> None:
    fakebroker.cut_connections()
    fakebroker.wait_for_connections(1)

    assert 200 == service.get("/ready").status_code
    assert 202 == service.post("/orders", json={"id": 8, "sum": 1}).status_code
