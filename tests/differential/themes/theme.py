"""What a theme is, and the scenes that most of them begin with."""

from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ammoo_wire import ExchangeDeclareParameters, QueueDeclareParameters

from ..drawing import built
from ..program import Call, Step
from ..values import good_exchange_arguments, rarely

Strategy = SearchStrategy[Step]


class Theme(NamedTuple):
    """A kind of programs.

    Attributes:
        scene: Steps that come first, all of them, in this order.
        steps: What comes then, as often as the weights say.
    """

    scene: tuple[Strategy, ...]
    steps: tuple[tuple[int, Strategy], ...]


def declare_queues(
    arguments: SearchStrategy[Any], *, durable: bool = False, auto_delete: bool = True
) -> tuple[Strategy, ...]:
    return tuple(
        built(
            Call,
            st.just(0),
            st.just(1),
            built(
                QueueDeclareParameters,
                st.just(name),
                durable=st.just(durable),
                auto_delete=rarely if auto_delete else st.just(False),
                arguments=arguments,
            ),
        )
        for name in ("q0", "q1", "q2")
    )


def declare_exchanges(types: SearchStrategy[str]) -> tuple[Strategy, ...]:
    return tuple(
        built(
            Call,
            st.just(0),
            st.just(1),
            built(
                ExchangeDeclareParameters,
                st.just(name),
                types,
                auto_delete=rarely,
                internal=rarely,
                arguments=good_exchange_arguments,
            ),
        )
        for name in ("e0", "e1", "e2")
    )
