"""Checks of numbers that a program passes, with one text for each kind of number.

A value that is no number raises `TypeError`, and one that is out of range `ValueError`; both texts
name the argument, its value and what is expected. A bool is no number here: where a number is
expected, it is most likely in the wrong place.
"""

__all__ = [
    "check_above_zero",
    "check_bound",
    "check_seconds",
    "check_time_limit",
    "check_whole_number",
]


def check_whole_number(name: str, value: object, least: int = 0, most: int | None = None) -> int:
    """Return a whole number.

    Args:
        name: The argument's, for the error.
        value: The number.
        least: The lowest number that is allowed.
        most: The highest number that is allowed; None for no limit.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is out of range.
    """
    limits = f", {least} or more" if most is None else f" from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; expected a whole number{limits}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} is {value!r}; expected a whole number{limits}")
    return value


def check_bound(name: str, value: object, least: int = 0) -> None:
    """Check how much there may be of something: a whole number, or `math.inf` for no limit.

    Args:
        name: The argument's, for the error.
        value: The bound; a float such as 1e6 counts as a whole number, too.
        least: The lowest bound that is allowed.

    Raises:
        TypeError: It is no number.
        ValueError: It is too low, or not a number (NaN).
    """
    if not _number(name, value, f"a number, {least} or more") >= least:
        raise ValueError(f"{name} is {value!r}; expected a number, {least} or more")


def check_time_limit(name: str, value: float | None) -> float | None:
    """Return a time limit in seconds, or None for no limit.

    Args:
        name: The argument's, for the error.
        value: The limit.

    Raises:
        TypeError, ValueError: As in `check_seconds`.
    """
    return None if value is None else check_seconds(name, value)


def check_seconds(name: str, value: object) -> float:
    """Return a time in seconds.

    Args:
        name: The argument's, for the error.
        value: The time.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative, or not a number (NaN).
    """
    seconds = _number(name, value, "seconds, 0 or more")
    if not seconds >= 0:  # NaN fails this comparison, too
        raise ValueError(f"{name} is {value!r}; expected seconds, 0 or more")
    return seconds


def check_above_zero(name: str, value: object, expected: str = "a number") -> float:
    """Return a number above 0.

    Args:
        name: The argument's, for the error.
        value: The number.
        expected: What the number is, for the error.

    Raises:
        TypeError: It is no number.
        ValueError: It is 0 or negative, or not a number (NaN).
    """
    number = _number(name, value, f"{expected} above 0")
    if not number > 0:
        raise ValueError(f"{name} is {value!r}; expected {expected} above 0")
    return number


def _number(name: str, value: object, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}; expected {expected}")
    return value
