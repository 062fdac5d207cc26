"""Where a consumer of a stream resumes, and what it does not show again."""

import pytest

from ammoo.stream_progress import StreamProgress


def delivered(progress: StreamProgress, offsets: range, first_tag: int = 1) -> list[int]:
    """Deliver offsets under successive tags; return those that the caller is to see."""
    return [
        offset
        for tag, offset in enumerate(offsets, first_tag)
        if progress.deliver(tag, offset, first_tag)
    ]


def test_nothing_is_known_before_the_first_delivery() -> None:
    progress = StreamProgress()

    progress.lose(set())

    assert progress.resume_at is None


@pytest.mark.parametrize(
    ("unacked", "resume_at", "seen"),
    [
        ({1, 2, 3, 4}, 10, [10, 11, 12, 13, 14, 15]),
        ({3}, 12, [12, 14, 15]),
        ({2, 4}, 11, [11, 13, 14, 15]),
        (set(), 14, [14, 15]),
    ],
)
def test_resumes_at_the_lowest_unsettled(
    unacked: set[int], resume_at: int, seen: list[int]
) -> None:
    progress = StreamProgress()
    delivered(progress, range(10, 14))

    progress.lose(unacked)

    assert resume_at == progress.resume_at
    # RabbitMQ begins at the offset; another server may begin at the chunk that holds it.
    assert delivered(progress, range(8, 16)) == seen


def test_what_was_settled_stays_settled_through_several_losses() -> None:
    progress = StreamProgress()
    delivered(progress, range(10, 14))
    progress.lose({1, 3})  # 11 and 13 are settled

    assert [10] == delivered(progress, range(10, 12))
    progress.lose({1})

    assert [10, 12, 14] == delivered(progress, range(10, 15))


def test_what_was_not_delivered_again_before_the_next_loss_is_not_left_out() -> None:
    progress = StreamProgress()
    delivered(progress, range(10, 14))
    progress.lose({1, 3})  # 11 and 13 are settled

    assert [10] == delivered(progress, range(10, 11))
    progress.lose(set())

    assert 12 == progress.resume_at
    assert [12, 14] == delivered(progress, range(12, 15))


def test_deliveries_that_are_settled_are_not_kept() -> None:
    progress = StreamProgress()
    shown = [progress.deliver(tag, tag + 100, tag) for tag in range(1, 1000)]

    assert all(shown)
    assert 1 == len(progress._deliveries)
