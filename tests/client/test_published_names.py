"""The names of messages that are not confirmed, kept in as many entries as there are runs."""

import pytest

from ammoo.live.published_names import MOST_RUNS, PublishedNames
from ammoo_wire import ContentHead

HEADS = [ContentHead(1, bytes(32)) for _ in range(2)]


def named(runs: int) -> PublishedNames:
    """Return the names of runs of ten messages each, to exchanges "0", "1", …"""
    names = PublishedNames()
    for run in range(runs):
        names.begin_run(HEADS[run % 2], 1 + 10 * run, str(run), f"key.{run}")
    return names


@pytest.mark.parametrize(
    ("number", "run"), [(1, 0), (10, 0), (11, 1), (20, 1), (21, 2), (30, 2), (1000, 2)]
)
def test_message_has_the_names_of_its_run(number: int, run: int) -> None:
    assert (str(run), f"key.{run}") == named(3).of(number)


def test_nothing_is_known_before_the_first_run() -> None:
    names = PublishedNames()

    assert (None, ("", "")) == (names.last, names.of(1))


def test_runs_of_confirmed_messages_are_dropped() -> None:
    names = named(MOST_RUNS + 1)
    assert names.are_many

    names.drop_below(15)

    assert (MOST_RUNS, False) == (len(names), names.are_many)
    assert (("", ""), ("1", "key.1")) == (names.of(10), names.of(15))


def test_runs_that_are_not_confirmed_are_kept_however_many_they_are() -> None:
    names = named(MOST_RUNS + 1)

    names.drop_below(1)

    assert (MOST_RUNS + 1, False) == (len(names), names.are_many)
    assert HEADS[MOST_RUNS % 2] is names.last
