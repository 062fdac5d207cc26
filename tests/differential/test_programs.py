"""Programs run, and are compared, as `test_rabbitmq.py` relies on; with fake brokers only."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.connections.methods import basic
from ammoo_wire import (
    BasicConsumeParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    ExchangeDeclareParameters,
    QueueDeclareParameters,
)
from tests.support.brokers import add_users
from tests.support.releases import FAKE_RELEASES

from .compare import Divergence, check
from .program import Call, HangUp, Outstanding, Program, Publish, Settle, show
from .programs import programs

REQUEUE = (
    Call(0, 1, QueueDeclareParameters("q0")),
    Call(0, 1, BasicConsumeParameters("q0", "c0")),
    Publish(1, 1, BasicPublishParameters("", "q0"), BasicHeaderProperties(), b"one"),
    Settle(0, 1, "nack", Outstanding(0)),
    HangUp(0),
)


@pytest.mark.timeout(300)  # forty runs of programs; a minute is short on a machine that is busy
@pytest.mark.parametrize("version", FAKE_RELEASES)
@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(program=programs())
def test_two_fakes_of_a_version_agree_on_any_program(
    monkeypatch: pytest.MonkeyPatch, version: str, program: Program
) -> None:
    """Consumers get names that follow each other: in 3.10 they say who gives back what first."""
    numbers = itertools.count()
    monkeypatch.setattr(basic, "generate_name", lambda prefix: f"{prefix}{next(numbers):022}")
    with FakeBroker(compatibility=version) as fake, FakeBroker(compatibility=version) as other:
        add_users(fake)
        add_users(other)
        runs = check(program, fake.url, other.url)

    assert 1 == runs


def test_brokers_that_answer_differently_diverge() -> None:
    program = (*REQUEUE, Call(0, 1, ExchangeDeclareParameters("e0", "x-other")))

    with (
        FakeBroker(compatibility="4.0") as fake,
        FakeBroker(compatibility="3.10") as other,
        pytest.raises(Divergence) as caught,
    ):
        check(program, fake.url, other.url, patience=0.1)

    assert "\n+ {'connection 0, channel 0': [('connection.close'" in str(caught.value)


def test_program_leaves_nothing_behind() -> None:
    with FakeBroker() as fake, FakeBroker() as other:
        check(REQUEUE, fake.url, other.url)

        assert {} == fake.queues()
        assert {} == other.queues()


def test_steps_are_shown_as_they_can_be_written() -> None:
    assert all(step == eval(show(step)) for step in REQUEUE)
