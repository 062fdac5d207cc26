"""The options of `FakeBroker`: what is wrong with one is said at once, by its name."""

import inspect
import re
from typing import Any

import pytest

from ammoo_fakebroker import FakeBroker, ManualClock
from ammoo_fakebroker.node.limits import Limits


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("heartbeat", "x", "an integer from 0 (none) to 65535, in seconds"),
        ("heartbeat", 1.5, "an integer from 0 (none) to 65535, in seconds"),
        ("channel_max", True, "an integer from 0 (no limit) to 65535, in channels"),
        ("frame_max", None, "0 (no limit) or an integer from 4096 on, in octets"),
        ("max_message_size", 1e6, "an integer from 0 on, in octets"),
        ("handshake_timeout", "1", "a number from 0 on, in seconds"),
        ("login_pause", None, "a number from 0 on, in seconds"),
        ("closing_timeout", b"", "a number from 0 on, in seconds"),
        ("consumer_timeout", 0.5, "an integer from 0 on, in milliseconds, or None"),
        ("consumer_timeout_check", None, "a number above 0, in seconds"),
        ("port", "5672", "an integer from 0 (a free port) to 65535"),
        ("port", False, "an integer from 0 (a free port) to 65535"),
    ],
)
def test_option_of_a_wrong_type_is_refused_at_once(
    option: str, value: object, expected: str
) -> None:
    text = re.escape(f"{option} is {value!r}; expected {expected}")
    options: dict[str, Any] = {option: value}

    with pytest.raises(TypeError, match=f"^{text}$"):
        FakeBroker(**options)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("heartbeat", -1),
        ("heartbeat", 65_536),
        ("channel_max", 65_536),
        ("frame_max", 4095),
        ("frame_max", 1 << 32),
        ("max_message_size", -1),
        ("handshake_timeout", -0.1),
        ("handshake_timeout", float("nan")),
        ("consumer_timeout", -1),
        ("consumer_timeout_check", 0),
        ("port", 65_536),
        ("port", -1),
        ("certificate_login", "subject"),
    ],
)
def test_option_out_of_its_range_is_refused_at_once(option: str, value: object) -> None:
    options: dict[str, Any] = {option: value}

    with pytest.raises(ValueError, match=f"^{option} is {re.escape(repr(value))}; expected "):
        FakeBroker(**options)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("heartbeat", 0),
        ("channel_max", 0),
        ("frame_max", 0),
        ("frame_max", 4096),
        ("consumer_timeout", None),
        ("handshake_timeout", 1),
    ],
)
def test_option_at_the_edge_of_its_range_is_taken(option: str, value: object) -> None:
    options: dict[str, Any] = {option: value}

    broker = FakeBroker(**options)

    assert value == getattr(broker._node.limits, option)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("heartbeet", "heartbeat"),
        ("channels_max", "channel_max"),
        ("compatability", "compatibility"),
    ],
)
def test_misspelt_option_names_the_broker_and_what_was_meant(misspelt: str, meant: str) -> None:
    options: dict[str, Any] = {misspelt: 1}

    with pytest.raises(
        TypeError, match=f"^FakeBroker has no option '{misspelt}'; did you mean '{meant}'\\?$"
    ):
        FakeBroker(**options)


def test_unknown_option_lists_those_that_there_are() -> None:
    options: dict[str, Any] = {"quorum": 1}

    with pytest.raises(
        TypeError, match=r"^FakeBroker has no option 'quorum'; its options are host, port, "
    ):
        FakeBroker(**options)


def test_help_shows_each_option_with_its_type_and_default() -> None:
    parameters = inspect.signature(FakeBroker).parameters

    assert ("int", 60) == (parameters["heartbeat"].annotation, parameters["heartbeat"].default)
    assert [] == [
        name for name in parameters if f"\n    {name}: " not in str(inspect.getdoc(FakeBroker))
    ]


def test_defaults_of_the_broker_are_those_of_its_limits() -> None:
    limits = inspect.signature(Limits).parameters
    options = inspect.signature(FakeBroker).parameters

    assert {name: options[name].default for name in limits} == {
        **{name: parameter.default for name, parameter in limits.items()},
        "max_message_size": None,
    }


def test_clock_has_to_be_a_clock() -> None:
    with pytest.raises(TypeError, match="ManualClock'>; expected a ManualClock"):
        FakeBroker(clock=ManualClock)  # type: ignore[arg-type]  # the mistake
