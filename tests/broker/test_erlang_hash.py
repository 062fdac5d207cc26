"""Erlang's hash and random numbers; the expected ones were computed by Erlang/OTP 25."""

from itertools import islice

import pytest

from ammoo_fakebroker.rabbitmq.erlang_hash import Atom, Term, phash2, uniform_numbers


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (b"", 13708901),
        (b"a", 112802447),
        (b"abcdefghijkl", 15432855),
        (b"abcdefghijklmnopq", 60072641),
        (Atom("undefined"), 45914356),
        (Atom("true"), 506293),
        ((Atom("longstr"), b"x"), 14442427),
        ((Atom("long"), 5), 129380108),
        ((Atom("signedint"), -5), 39932925),
        ((Atom("long"), 123456789012345), 61026054),
        ((Atom("long"), -123456789012345), 2352014),
        ((Atom("bool"), Atom("true")), 32030443),
        (1.5, 10380315),
        (-0.0, 20875736),
        ((Atom("double"), 2.5), 126418831),
        (5, 5878562),
        (-5, 115015680),
        (134217727, 112602999),
        (134217728, 12354923),
        (-134217728, 69672967),
        (-134217729, 76739502),
        (1234567890123456789, 33257760),
        (9223372036854775807, 28179613),
        (-9223372036854775808, 126213383),
    ],
    ids=repr,
)
def test_phash2(term: Term, expected: int) -> None:
    assert expected == phash2(term)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0.2942322177448042, 0.9893093436811865]),
        (5, [0.3524409836262642, 0.6709089196544433]),
        (98228475, [0.8210255459420612, 0.41053316450726096]),
        (123456789012345678, [0.8036431790692709, 0.2792783543211743]),
    ],
)
def test_random_numbers_of_a_seed(seed: int, expected: list[float]) -> None:
    assert expected == list(islice(uniform_numbers(seed), 2))


def test_random_numbers_go_on_behind_the_first_round_of_states() -> None:
    numbers = list(islice(uniform_numbers(7), 41))

    assert (0.8215447767703548, 0.46170616235475004) == (numbers[20], numbers[40])
