"""The fake broker does what RabbitMQ does, whatever program it is told.

The programs are the same in each run, so that what has agreed once agrees again, unless others are
asked for (see `conftest`). A counterexample is a program that can be pasted into `test_programs.py`, or be stated as a fact in
tests/behaviour once it is understood.
"""

import os
import random

import pytest
from hypothesis import HealthCheck, given, seed, settings

from .accounts import Account
from .compare import check
from .program import Program
from .programs import programs
from .running import RabbitMQ, fake_like

PROGRAMS = int(os.environ.get("AMMOO_DIFFERENTIAL_PROGRAMS", "150"))
SEED = os.environ.get("AMMOO_DIFFERENTIAL_SEED", "0")


@pytest.mark.timeout(600 + PROGRAMS)  # 600 are for making a counterexample small
def test_fake_does_what_rabbitmq_does(rabbitmq: RabbitMQ, account: Account) -> None:
    number = random.getrandbits(32) if SEED == "random" else int(SEED)
    account.seed = number

    @seed(number)
    @settings(
        max_examples=PROGRAMS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs())
    def agree(program: Program) -> None:
        with (
            fake_like(rabbitmq) as url,
            fake_like(rabbitmq, in_reverse=True) as reverse,
            fake_like(rabbitmq, at_once=True) as at_once,
            fake_like(rabbitmq, in_reverse=True, at_once=True) as reverse_at_once,
        ):
            others = (reverse, at_once, reverse_at_once)
            runs = check(program, url, rabbitmq.url, other_fake_urls=others)
        account.note(len(program), runs)

    agree()
