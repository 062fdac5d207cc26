"""Rows go out once, and stay while RabbitMQ does not take them."""

import pytest
from outbox.models import OutboxRow
from outbox.sending import send_outbox


@pytest.fixture(autouse=True)
def rows(db):
    for number in (1, 2, 3):
        OutboxRow.objects.create(routing_key="orders", body={"id": number})


def sent(broker):
    return [message.json()["id"] for message in broker.messages("orders")]


def test_rows_are_sent_once(broker):
    assert (3, 0) == (send_outbox(), send_outbox())
    assert [1, 2, 3] == sent(broker)


def test_rows_stay_while_connections_are_refused(broker):
    with broker.faults.refuse_connections():
        assert 0 == send_outbox()
    assert 3 == OutboxRow.objects.count()

    assert 3 == send_outbox()
    assert [1, 2, 3] == sent(broker)


def test_rows_stay_while_the_broker_is_down(broker):
    broker.shut_down()
    assert 0 == send_outbox()
    broker.start()
    assert 3 == send_outbox()


def test_refused_row_and_those_behind_it_stay(broker):
    with broker.faults.nack_publishes(skip=1, times=1):
        assert 1 == send_outbox()
    assert 2 == send_outbox()
    assert [1, 2, 3] == sent(broker)
