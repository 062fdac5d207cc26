"""The outcomes of a publish, of an operation that waited, and of a settlement that came too late."""

import pickle

import pytest

from ammoo.exceptions import (
    AmmooError,
    ConnectionLost,
    NotSent,
    NotSentInTime,
    OperationTimeout,
    PublishFailed,
    PublishNack,
    PublishNotSent,
    PublishRefused,
    PublishUnknown,
    RecoveryFailed,
    StaleDelivery,
)

LOST = ConnectionLost()


def about(error: PublishFailed) -> PublishFailed:
    error.exchange_name, error.routing_key = "orders", "paid"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            about(PublishRefused(LOST, 3)),
            f"the server refused message 3 to exchange 'orders' with routing key 'paid': {LOST}",
        ),
        (
            PublishUnknown(LOST, 4),
            f"message 4 was sent and not confirmed; it is not known whether the server has it: {LOST}",
        ),
        (PublishNotSent("too late"), "message was not sent: too late"),
        (NotSent("queue.declare", "too many wait"), "queue.declare was not sent: too many wait"),
        (
            NotSentInTime("queue.declare", 0.5),
            "queue.declare was not sent: the connection was not open again in 0.5 s",
        ),
        (
            StaleDelivery(7),
            (
                "delivery 7 came on a channel that is gone, so it cannot be settled; nothing was sent,"
                " and the server delivers the message again"
            ),
        ),
        (
            RecoveryFailed(LOST, 3, 4.25),
            f"the connection could not be opened in 3 attempts within 4.2 s: {LOST}",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_outcome_says_what_is_known(error: AmmooError, text: str) -> None:
    assert text == str(error)
    assert text == str(pickle.loads(pickle.dumps(error)))


def test_outcomes_of_publishing_are_one_family() -> None:
    family = (PublishNack, PublishRefused, PublishNotSent, PublishUnknown)

    assert all(issubclass(each, PublishFailed) for each in family)
    assert issubclass(PublishRefused, PublishNack)
    assert issubclass(PublishNotSent, NotSent)
    assert issubclass(NotSentInTime, (NotSent, OperationTimeout))


async def test_recovered_returns_where_nothing_has_ended() -> None:
    await PublishNack(3).recovered()


async def test_recovered_raises_the_error_where_no_recovery_will_come() -> None:
    with pytest.raises(ConnectionLost) as caught:
        await LOST.recovered()

    assert caught.value is LOST
