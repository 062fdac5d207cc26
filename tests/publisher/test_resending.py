"""Which messages are sent again, and which one is refused."""

from collections import deque

import pytest

from ammoo.exceptions import (
    ConnectionForced,
    InternalError,
    MethodNotImplemented,
    NotFound,
    PreconditionFailed,
    PublishRefused,
    PublishUnknown,
)
from ammoo.publisher.confirmation import Confirmation
from ammoo.publisher.outcomes import Outcomes
from ammoo.publisher.resending import Resending
from ammoo.publisher.window import Window

OF_A_PUBLISH = NotFound(404, "NOT_FOUND - no exchange 'e'", 60, 40)
OF_A_DECLARE = PreconditionFailed(406, "PRECONDITION_FAILED - inequivalent arg", 50, 10)
OF_NOTHING = InternalError(541, "INTERNAL_ERROR", 0, 0)
FORCED = ConnectionForced(320, "CONNECTION_FORCED - shutdown", 0, 0)


def confirmations(count: int) -> list[Confirmation]:
    """Return messages with numbers from 1."""
    made = [
        Confirmation(Outcomes(Window(1, 1), None), "e", str(number), 0, None)
        for number in range(count)
    ]
    for number, each in enumerate(made, 1):
        each.publish_sequence_number = number
    return made


def lose(resending: Resending, confirmation: Confirmation, error: Exception) -> bool:
    """Lose a message; return whether it is refused."""
    refused = resending.take(confirmation, PublishUnknown(error))
    assert refused is None or isinstance(refused, PublishRefused)
    return refused is not None


def test_lost_messages_come_before_those_that_were_never_sent() -> None:
    resending = Resending()
    first, second, third = confirmations(3)
    queue = deque([third])

    lose(resending, first, FORCED)
    lose(resending, second, FORCED)
    resending.give_back_to(queue)

    assert [first, second, third] == list(queue)


@pytest.mark.parametrize(
    ("error", "is_suspect"),
    [
        (OF_A_PUBLISH, True),
        (MethodNotImplemented(540, "NOT_IMPLEMENTED - immediate=true", 60, 40), True),
        (OF_NOTHING, True),
        (OF_A_DECLARE, False),
        (InternalError(541, "INTERNAL_ERROR", 50, 10), False),
        (FORCED, False),
        (ConnectionResetError(), False),
    ],
    ids=repr,
)
def test_messages_are_suspect_after_a_close_that_may_be_about_one(
    error: Exception, is_suspect: bool
) -> None:
    resending = Resending()
    first, second, later = confirmations(3)

    lose(resending, first, error)
    lose(resending, second, error)

    assert [is_suspect, is_suspect, False] == [
        resending.is_suspect(each) for each in (first, second, later)
    ]


def test_suspect_is_refused_at_its_third_close_while_it_was_sent_alone() -> None:
    resending = Resending()
    (message,) = confirmations(1)

    assert [False, False, False, True] == [lose(resending, message, OF_NOTHING) for _ in range(4)]


@pytest.mark.parametrize(
    ("error", "outcome"), [(OF_A_PUBLISH, PublishRefused), (FORCED, PublishUnknown)]
)
def test_refused_message_may_be_stored_after_a_loss_that_is_no_close_for_it(
    error: Exception, outcome: type[Exception]
) -> None:
    resending = Resending()
    (message,) = confirmations(1)

    lose(resending, message, error)
    taken = [resending.take(message, PublishUnknown(OF_A_PUBLISH)) for _ in range(4)]

    assert outcome is type(taken[-1])


def test_messages_that_may_be_stored_are_forgotten_when_they_have_their_outcomes() -> None:
    resending = Resending()
    first, second = confirmations(2)
    lose(resending, first, FORCED)
    resending.give_back_to(deque())

    lose(resending, second, FORCED)

    assert {second.publish_sequence_number} == resending._may_be_stored


def test_loss_without_a_close_says_nothing_about_a_suspect() -> None:
    resending = Resending()
    (message,) = confirmations(1)
    lose(resending, message, OF_NOTHING)

    assert [False] * 5 == [lose(resending, message, FORCED) for _ in range(5)]
    assert resending.is_suspect(message)
