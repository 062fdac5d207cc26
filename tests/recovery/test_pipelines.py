"""Which request an answer or an error belongs to."""

from collections.abc import Callable

from ammoo.recovery.restoring.locked_pauses import LockedPauses
from ammoo.recovery.restoring.pipelines import MOST_IN_FLIGHT, Pipeline, spread


def sent(pipeline: Pipeline[int]) -> list[int]:
    return list(iter(pipeline.next_to_send, None))


def test_requests_in_flight_are_bounded() -> None:
    pipeline = Pipeline(range(100))

    assert MOST_IN_FLIGHT == len(sent(pipeline))
    pipeline.answered()
    assert [MOST_IN_FLIGHT] == sent(pipeline)


def test_answers_belong_to_the_oldest() -> None:
    pipeline = Pipeline([1, 2, 3])
    sent(pipeline)

    assert [1, 2, 3] == [pipeline.answered(), pipeline.answered(), pipeline.answered()]
    assert not pipeline


def test_error_belongs_to_the_oldest_and_the_rest_is_sent_again_in_order() -> None:
    pipeline = Pipeline(range(5))
    sent(pipeline)
    pipeline.answered()

    assert 1 == pipeline.refused()
    assert pipeline.oldest is None
    assert [2, 3, 4] == sent(pipeline)
    assert (2, 3, 4) == pipeline.in_flight


def test_what_was_not_sent_stays_behind_what_is_sent_again() -> None:
    pipeline = Pipeline(range(MOST_IN_FLIGHT + 2))
    sent(pipeline)

    pipeline.refused()

    assert [1, 2] == [pipeline.next_to_send(), pipeline.next_to_send()]


def work_off(
    pipeline: Pipeline[int], is_refused: Callable[[int], bool]
) -> tuple[list[int], list[int]]:
    done: list[int] = []
    refused: list[int] = []
    while pipeline:
        sent(pipeline)
        if is_refused(pipeline.in_flight[0]):
            refused.append(pipeline.refused())
        else:
            done.append(pipeline.answered())
    return done, refused


def test_every_request_is_done_or_refused_once_whatever_is_refused() -> None:
    done, refused = work_off(Pipeline(range(1000)), lambda each: each % 7 == 0)

    assert done == [each for each in range(1000) if each % 7]
    assert refused == [each for each in range(1000) if not each % 7]


def test_pauses_for_locked_queues_double_up_to_a_limit() -> None:
    pauses = LockedPauses(400)

    found = [pauses.next_pause(0, 0.1 * number) for number in range(5)]

    assert [0.05, 0.1, 0.2, 0.4, 0.4] == found


def test_patience_with_locked_queues_is_a_second_and_what_the_server_may_take() -> None:
    pauses = LockedPauses(400)

    found = [pauses.next_pause(0, now) is None for now in (10.0, 11.9, 12.0)]

    assert [False, False, True] == found


def test_progress_renews_the_patience_with_locked_queues() -> None:
    pauses = LockedPauses(0)

    found = [pauses.next_pause(done, now) is None for done, now in ((0, 0.0), (1, 0.9), (1, 1.8))]

    assert [False, False, False] == found
    assert pauses.next_pause(1, 2.0) is None


def test_item_that_is_postponed_is_sent_last() -> None:
    pipeline = Pipeline(["locked", "free"])
    pipeline.next_to_send()

    pipeline.postpone(pipeline.refused())

    assert ["free", "locked"] == [pipeline.next_to_send(), pipeline.next_to_send()]


def test_items_are_dealt_out_in_turn_and_no_pipeline_is_empty() -> None:
    assert [["a", "c", "e"], ["b", "d"]] == spread("abcde", 2)
    assert [["a"], ["b"]] == spread("ab", 16)
    assert [] == spread("", 4)
    assert [["a", "b"]] == spread("ab", 0)
