"""`Recovery`: the options of recovery, which are checked when they are given."""

from collections.abc import Callable
from typing import Final, Literal, get_args

from ..number_checks import check_bound, check_seconds, check_time_limit
from ..topology_records import Entity

__all__ = ["OnError", "Recovery"]

OnError = Literal["skip", "retry", "fail"]
"""What is done about an entity that the server refuses to restore."""

MEBIBYTE: Final = 1024 * 1024


class Recovery:
    """Options for ``connect(…, recovery=Recovery(…))``; the defaults suit most programs.

    Args:
        deadline: How long recovery tries to connect again, in seconds; then operations that wait
            raise `RecoveryFailed`, and publishes `PublishNotSent`. None, the default, for no
            limit.
        max_attempts: After how many rounds through all hosts recovery gives up; the first connect
            does not count. None, the default, for no limit.
        max_delay: The longest delay between two rounds, in seconds; 30 by default. The delay is
            random, between 0 and a bound. The bound is 0.2 s before the first round, and then a
            hundredth of the outage so far, at least 0.1 s. While the server refuses the login, or a
            connection limit is reached, it is 20 s.
        retry_first: Whether the first connect is retried too. False, the default, raises its
            failure.
        on_error: What is done about an exchange, queue, binding or consumer that the server
            refuses to restore: ``"skip"`` (the default) reports it, ``"retry"`` reports it and
            tries again in the background, ``"fail"`` gives the connection up.
        restore: A function that is called with each recorded entity and returns whether to
            restore it. None, the default, restores all. A consumer that is not restored raises the
            error that ended its connection.
        max_waiting: How many operations may wait for recovery; further ones raise `NotSent`. 1000
            by default; `math.inf` for no limit.
        max_waiting_bytes: How many octets of message bodies may wait for recovery; a publish that
            exceeds this raises `PublishNotSent`. 16 MiB by default; `math.inf` for no limit.
        consumer_grace: How long a consumer whose queue was deleted waits for the queue to be
            declared again, before it raises, in seconds; 10 by default.
        random: A function that returns a random number from 0 up to 1, for the delays and the
            order of hosts. None, the default, for `random.random`.

    Raises:
        ValueError: A number is negative, or on_error is unknown.
        TypeError: A number has a wrong type.
    """

    __slots__ = (
        "consumer_grace",
        "deadline",
        "max_attempts",
        "max_delay",
        "max_waiting",
        "max_waiting_bytes",
        "on_error",
        "random",
        "restore",
        "retry_first",
    )

    def __init__(
        self,
        *,
        deadline: float | None = None,
        max_attempts: int | None = None,
        max_delay: float = 30.0,
        retry_first: bool = False,
        on_error: OnError = "skip",
        restore: Callable[[Entity], bool] | None = None,
        max_waiting: float = 1000,
        max_waiting_bytes: float = 16 * MEBIBYTE,
        consumer_grace: float = 10.0,
        random: Callable[[], float] | None = None,
    ) -> None:
        check_time_limit("deadline", deadline)
        if max_attempts is not None:
            check_bound("max_attempts", max_attempts)
        check_seconds("max_delay", max_delay)
        check_bound("max_waiting", max_waiting)
        check_bound("max_waiting_bytes", max_waiting_bytes)
        check_seconds("consumer_grace", consumer_grace)
        if on_error not in get_args(OnError):
            raise ValueError(f"on_error is {on_error!r}; expected 'skip', 'retry' or 'fail'")
        if random is None:
            from random import random as random_number  # 4 ms at import

            random = random_number
        self.deadline: float | None = deadline
        self.max_attempts: int | None = max_attempts
        self.max_delay: float = max_delay
        self.retry_first: bool = retry_first
        self.on_error = on_error
        self.restore: Callable[[Entity], bool] | None = restore
        self.max_waiting: float = max_waiting
        self.max_waiting_bytes: float = max_waiting_bytes
        self.consumer_grace: float = consumer_grace
        self.random: Callable[[], float] = random

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"Recovery({options})"

    def restores(self, entity: Entity) -> bool:
        """Return whether an entity is to be restored.

        Args:
            entity: A recorded exchange, queue, binding or consumer.
        """
        return self.restore is None or self.restore(entity)
