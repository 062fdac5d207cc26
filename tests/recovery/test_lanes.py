"""Which request an answer or an error belongs to."""

from collections.abc import Callable

from ammoo.recovery.lanes import MOST_IN_FLIGHT, Lane, spread


def sent(lane: Lane[int]) -> list[int]:
    return list(iter(lane.next_to_send, None))


def test_requests_in_flight_are_bounded() -> None:
    lane = Lane(range(100))

    assert len(sent(lane)) == MOST_IN_FLIGHT
    lane.answered()
    assert sent(lane) == [MOST_IN_FLIGHT]


def test_answers_belong_to_the_oldest() -> None:
    lane = Lane([1, 2, 3])
    sent(lane)

    assert [lane.answered(), lane.answered(), lane.answered()] == [1, 2, 3]
    assert not lane


def test_error_belongs_to_the_oldest_and_the_rest_is_sent_again_in_order() -> None:
    lane = Lane(range(5))
    sent(lane)
    lane.answered()

    assert lane.refused() == 1
    assert lane.oldest is None
    assert sent(lane) == [2, 3, 4]
    assert lane.in_flight == (2, 3, 4)


def test_what_was_not_sent_stays_behind_what_is_sent_again() -> None:
    lane = Lane(range(MOST_IN_FLIGHT + 2))
    sent(lane)

    lane.refused()

    assert [lane.next_to_send(), lane.next_to_send()] == [1, 2]


def work_off(lane: Lane[int], is_refused: Callable[[int], bool]) -> tuple[list[int], list[int]]:
    done: list[int] = []
    refused: list[int] = []
    while lane:
        sent(lane)
        if is_refused(lane.in_flight[0]):
            refused.append(lane.refused())
        else:
            done.append(lane.answered())
    return done, refused


def test_every_request_is_done_or_refused_once_whatever_is_refused() -> None:
    done, refused = work_off(Lane(range(1000)), lambda each: each % 7 == 0)

    assert done == [each for each in range(1000) if each % 7]
    assert refused == [each for each in range(1000) if not each % 7]


def test_items_are_dealt_out_in_turn_and_no_lane_is_empty() -> None:
    assert spread("abcde", 2) == [["a", "c", "e"], ["b", "d"]]
    assert spread("ab", 16) == [["a"], ["b"]]
    assert spread("", 4) == []
    assert spread("ab", 0) == [["a", "b"]]
