"""A fault, which is in force until it is removed.

`matching` decides which occasions it strikes. The fault counts and records its strikes, waits for
them, and is a context manager. Its subclasses define what it does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..call_checks import checks_arguments
from ..function_errors import ErrorsPassedTo
from .limits import Limit
from .matching import Matcher
from .strikes import Strike

if TYPE_CHECKING:
    from types import TracebackType

    from .occasions import Occasion
    from .ports import FaultHost

__all__ = ["Fault"]

_STRIKES_KEPT = 1000


@checks_arguments
class Fault:
    """A fault in force; the methods of ``broker.faults`` return it.

    As a context manager it is removed at the end of the block. A block in which it never struck
    raises AssertionError, unless the fault is optional or another exception leaves the block. So does
    a block in which one of its functions has raised an error; then it did not strike.

    Example::

        with broker.faults.nack_publishes(exchange_name="orders", times=1) as fault:
            ...
        assert fault.count == 1

    Attributes:
        name: The name of the method of ``broker.faults`` that makes it.
        ordinal: Its number among the broker's faults, counted from 1.
        options: The options that it was made with.
    """

    name: ClassVar[str] = ""
    _noun: ClassVar[tuple[str, str]] = ("occasion", "occasions")
    """The noun for what it strikes, in singular and plural."""

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        self.ordinal: int = ordinal
        self.options: Mapping[str, Any] = dict(options)
        self._is_optional = bool(options.get("optional", False))
        self._host = host
        limits = {name: options[name] for name in Limit._fields if name in options}
        self._matcher = Matcher(
            self._read_scope(options),
            Limit(**limits).check(),
            Random(f"{seed}/{ordinal}"),
            self._noun,
        )
        self._count = 0
        self._claims = 0
        self._strikes: deque[Strike] = deque(maxlen=_STRIKES_KEPT)
        self._is_in_force = True
        self._raised: BaseException | None = None
        self._is_reported = False

    def _read_scope(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the scope: the options that are neither limits nor the subclass's own."""
        other = {*Limit._fields, "optional", *self._own_options}
        return {
            name: value
            for name, value in options.items()
            if name not in other and value is not None
        }

    _own_options: ClassVar[frozenset[str]] = frozenset()
    """The options that define what it does, not what it strikes."""

    def __repr__(self) -> str:
        return f"<Fault {self.describe()}: struck {self._count} of {self._matcher.matched}>"

    def describe(self) -> str:
        """Return the fault as it was made: ``nack_publishes(exchange_name='orders')``."""
        given = ", ".join(f"{name}={_print(value)}" for name, value in self.options.items())
        return f"{self.name}({given})"

    _describe_when_due = describe
    """`AutoAdvance` calls this, and not a public name that an object of the test may have."""

    # -- for tests -----------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How often it struck."""
        return self._host.call(lambda: self._count)

    @property
    def matched(self) -> int:
        """How many occasions it matched, including those that its limits let pass."""
        return self._host.call(lambda: self._matcher.matched)

    @property
    def events(self) -> tuple[Strike, ...]:
        """The strikes, oldest first; the last 1,000 are kept."""
        return self._host.call(lambda: tuple(self._strikes))

    @property
    def is_in_force(self) -> bool:
        """Whether it has not been removed."""
        return self._is_in_force

    def wait(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until it has struck.

        Args:
            count: How many strikes to wait for, earlier ones included.
            timeout: How long to wait, in seconds of real time.

        Raises:
            AssertionError: It has struck less often in that time, was removed, or a function in its
                options has raised an error; the text gives the reason.
            RuntimeError: The broker runs in the event loop of this thread, or cannot count the
                strikes of the fault, as of `Faults.refuse_connections` without a limit.
        """
        __tracebackhide__ = True
        self._check_countable()
        when = f"after {timeout:g} s"
        self._host.wait_until(
            lambda: self._ends_wait(count), timeout, lambda: self._describe_wait(count, when)
        )
        self._check_wait(count)

    async def wait_async(
        self,
        count: int = 1,
        timeout: float = 5.0,  # noqa: ASYNC109  the test's, as in `wait`
    ) -> None:
        """Wait until it has struck, as `wait` does, in any event loop.

        Args:
            count, timeout: As for `wait`.

        Raises:
            AssertionError: It has struck less often in that time, was removed, or a function in its
                options has raised an error; the text gives the reason.
            RuntimeError: The broker cannot count the strikes of the fault.
        """
        __tracebackhide__ = True
        self._check_countable()
        when = f"after {timeout:g} s"
        await self._host.wait_until_async(
            lambda: self._ends_wait(count), timeout, lambda: self._describe_wait(count, when)
        )
        self._check_wait(count)

    def _check_countable(self) -> None:
        if not self._is_countable:
            raise RuntimeError(
                f"the broker cannot count how often {self.describe()} strikes, because it does not"
                " listen meanwhile; give the fault a limit, such as times=2"
            )

    def _ends_wait(self, count: int) -> bool:
        """Return whether it has struck as often, or cannot any more."""
        return self._count >= count or not self._is_in_force or self._raised is not None

    def _check_wait(self, count: int) -> None:
        __tracebackhide__ = True
        self._check_functions()
        if self._count < count:
            raise AssertionError(self._describe_wait(count, "until it was removed"))

    def _describe_wait(self, count: int, when: str) -> str:
        times = "1 time" if self._count == 1 else f"{self._count} times"
        why = self._matcher.why_not(struck=self._count)
        return f"{self.describe()} struck {times} {when}, {count} awaited: {why}"

    def _check_functions(self) -> None:
        """Check that the functions in its options have raised nothing.

        Raises:
            AssertionError: One has.
        """
        __tracebackhide__ = True
        if self._raised is not None:
            self._is_reported = True
            raise AssertionError(self._describe_error()) from self._raised

    def _take_error(self) -> str | None:
        """Return what one of its functions has raised, once, and only if the fault has not raised it."""
        if self._raised is None or self._is_reported:
            return None
        self._is_reported = True
        return self._describe_error()

    def _describe_error(self) -> str:
        error = self._raised
        return f"a function of {self.describe()} raised {type(error).__name__}: {error}"

    # -- its end -------------------------------------------------------------------------------

    def remove(self) -> None:
        """Remove the fault: it strikes no more. The method that made it documents the effects."""
        self._host.call(self._remove)

    def _remove(self) -> None:
        if self._is_in_force:
            self._is_in_force = False
            self._host.end(self)
            self._ended()

    def _begin(self) -> None:
        """Do what the fault does at once; called in the broker's thread when it begins."""

    def _ended(self) -> None:
        """Release what the fault keeps; called in the broker's thread when it ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self.remove()  # first: it may strike until then
        if error is None:
            self._check_functions()
        if error is None and self._is_missed:
            why = self._matcher.why_not(struck=0)
            raise AssertionError(f"{self.describe()} never struck: {why}")

    @property
    def _is_missed(self) -> bool:
        """Whether it never struck, and that is an error of the test."""
        return not self._is_optional and self._is_countable and not self.count

    @property
    def _is_countable(self) -> bool:
        """Whether the broker can know that it struck."""
        return True

    # -- what it strikes -----------------------------------------------------------------------

    def _takes(self, occasion: Occasion) -> bool:
        """Return whether the fault strikes an occasion; count it, and record the strike.

        Args:
            occasion: The publish, delivery, method, login or connection.
        """
        is_struck = self._admits(occasion, self._count)
        if is_struck:
            self._strike(occasion)
        return is_struck

    def _affects(self, occasion: Occasion) -> bool:
        """Return whether the fault affects a connection, which it may strike later.

        Args:
            occasion: The connection.
        """
        is_claimed = self._admits(occasion, self._claims)
        self._claims += is_claimed
        return is_claimed

    def _admits(self, occasion: Occasion, struck: int) -> bool:
        """Return whether it may strike; not if a function of the test raises an error.

        The error must not end the connection that it is asked about. The test gets it where it waits
        for the fault, where its block ends, or else at the end of the broker.
        """
        with ErrorsPassedTo(self._fail):
            return self._matcher.admits(occasion, struck, self._obstacle)
        return False

    def _fail(self, error: BaseException) -> None:
        if self._raised is None:
            self._raised = error
            self._host.failed(self)

    def _strike(self, occasion: Occasion) -> None:
        """Count a strike, and record it.

        Args:
            occasion: The occasion that is struck.
        """
        self._count += 1
        strike = Strike(
            self.name, occasion.connection, occasion.channel_number, occasion.describe()
        )
        self._strikes.append(strike)
        self._host.struck(self, occasion)

    def _obstacle(self, occasion: Occasion) -> str | None:
        """Return why the fault cannot strike an occasion of its scope; None if it can.

        Args:
            occasion: The occasion.
        """
        return None


def _print(value: object) -> str:
    return getattr(value, "__name__", None) or repr(value)
