"""Medians, ratios and verdicts of a comparison."""

import pytest

from benchmarks.job import Figures
from benchmarks.results import Reached, Results, goals_table, medians, ratio
from benchmarks.workloads import WORKLOADS

CONSUME = next(workload for workload in WORKLOADS if workload.name == "consume_ack")
NOWAIT = next(workload for workload in WORKLOADS if workload.name == "publish_nowait")


def figures(cpu: float, wall: float = 10.0) -> Figures:
    return Figures(cpu, 0.0, wall, 0, 0)


def found(ours: float, limit: float, peer: float, wall: float = 5.0) -> Results:
    """Make a comparison of one round; by the clock ammoo is twice as fast as the others."""
    return {
        "consume_ack": {
            "rabbitmq-c": [figures(limit)],
            "ammoo": [figures(ours, wall)],
            "aio-pika": [figures(peer)],
        }
    }


def test_medians_are_of_the_rounds_that_were_measured() -> None:
    assert figures(2.0) == medians([figures(1.0), None, figures(2.0), figures(9.0)])


def test_medians_of_a_workload_that_a_client_lacks_are_none() -> None:
    assert medians([None, None]) is None


def test_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """A slow round slows all down alike: the ratio of medians would be 10 / 2."""
    ours: list[Figures | None] = [figures(4.0), figures(10.0), figures(300.0)]
    theirs: list[Figures | None] = [figures(1.0), figures(2.0), figures(100.0)]

    assert 4.0 == ratio(ours, theirs)


def test_ratio_leaves_out_rounds_without_both() -> None:
    ours = [figures(4.0), None, figures(6.0)]

    assert 3.0 == ratio(ours, [None, figures(1.0), figures(2.0)])
    assert 2.0 == ratio(ours, [figures(2.0)])  # it was interrupted
    assert ratio(ours, []) is None


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        (0.7, "stretch"),
        (1.0, "met"),
        (1.2, "missed: C"),
        (3.0, "missed: C, aio-pika"),
    ],
)
def test_verdict_compares_with_both_goals(ours: float, verdict: str) -> None:
    reached = Reached(found(ours, limit=1.0, peer=30.0), CONSUME, "ammoo")

    assert verdict == reached.verdict


def test_verdict_without_the_limit_is_about_the_peer() -> None:
    results = found(2.0, limit=1.0, peer=30.0)
    del results["consume_ack"]["rabbitmq-c"]

    assert "missed: aio-pika" == Reached(results, CONSUME, "ammoo").verdict


def test_stretch_may_ask_for_a_rate_too() -> None:
    results = found(0.7, limit=1.0, peer=30.0, wall=9.0)

    assert "met" == Reached(results, CONSUME, "ammoo").verdict


def test_rate_is_compared_by_the_clock() -> None:
    results = found(1.0, limit=1.0, peer=30.0, wall=5.0)

    assert 2.0 == Reached(results, CONSUME, "ammoo").rate_of_limit


def test_what_only_ammoo_has_is_compared_with_the_workload_in_its_place() -> None:
    results: Results = {
        "publish_confirm_gathered": {"rabbitmq-c": [figures(4.0)], "ammoo": [figures(9.0)]},
        "publish_nowait": {"rabbitmq-c": [None], "ammoo": [figures(6.0)]},
    }

    assert 1.5 == Reached(results, NOWAIT, "ammoo").of_limit


def test_table_of_goals_has_a_column_for_uvloop_when_that_was_measured() -> None:
    results = found(1.0, limit=1.0, peer=30.0)
    without = goals_table(results, "ammoo")
    results["consume_ack"]["ammoo+uvloop"] = [figures(0.75)]

    head, _, row = goals_table(results, "ammoo")

    assert "on uvloop" not in without[0]
    assert "on uvloop" in head
    assert " x 0.75 " in row
