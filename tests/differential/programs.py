"""Make programs: mostly sensible ones, since nonsense ends them early, but with any nonsense in.

A program has a theme, which says what steps are likely. Without one, everything is about as likely
as everything else, and little meets what it needs: a message of high priority, a full queue and a
consumer at its limit come together only where such things are common.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ammoo_wire import BasicCancelParameters, BasicConsumeParameters, QueueDeclareParameters

from .drawing import one_of
from .program import Call, Program, Step
from .themes import administration, messaging
from .themes.theme import Theme

THEMES = (
    (4, messaging.ANYTHING),
    (4, messaging.CONSUMING),
    (3, messaging.DEAD_LETTERS),
    (2, messaging.ROUTING),
    (2, messaging.TRANSACTIONS),
    (1, messaging.MATCHING),
    (1, messaging.DIRECT_REPLIES),
    (2, messaging.QUORUM),
    (2, messaging.MIXED_DEATHS),
    (1, messaging.STREAMS),
    (1, administration.EXCLUSIVE),
    (1, administration.DECLARING),
    (2, administration.PERMISSIONS),
)


def of_theme(theme: Theme) -> SearchStrategy[Program]:
    """Make programs of a theme."""
    # Hypothesis makes short lists (about five steps) but shrinks them best: take several.
    parts = st.tuples(*[st.lists(one_of(*theme.steps))] * 6)
    return st.builds(
        lambda scene, parts: _with_fresh_tags((*scene, *(step for part in parts for step in part))),
        st.tuples(*theme.scene),
        parts,
    )


def programs() -> SearchStrategy[Program]:
    """Make programs."""
    return one_of(*((weight, of_theme(theme)) for weight, theme in THEMES))


def _with_fresh_tags(program: Program) -> Program:
    """Leave out consumers with a tag that was cancelled on their channel before.

    A quorum queue of 3.10 that still has deliveries of the first one to be settled crashes.
    """
    cancelled: set[tuple[int, int, str]] = set()
    kept: list[Step] = []
    for step in program:
        match step:
            case Call(connection, channel, BasicCancelParameters(tag)):
                cancelled.add((connection, channel, tag))
            case Call(connection, channel, BasicConsumeParameters(consumer_tag=tag)) if (
                connection,
                channel,
                tag,
            ) in cancelled:
                continue
        kept.append(step)
    return tuple(kept)


def _without_handovers(program: Program) -> Program:
    """Leave out consumer priorities if a quorum queue has a single active consumer.

    If one of higher priority waits for 4.3.6's active consumer, and both channels are closed, the
    queue keeps the messages, and a consumer, for good.
    """
    if not any(map(_declares_handover, program)):
        return program
    return tuple(map(_without_priority, program))


def _declares_handover(step: Step) -> bool:
    match step:
        case Call(_, _, QueueDeclareParameters(arguments=arguments)):
            is_single = arguments.get("x-single-active-consumer") is True
            return is_single and arguments.get("x-queue-type") == "quorum"
    return False


def _without_priority(step: Step) -> Step:
    match step:
        case Call(_, _, BasicConsumeParameters(arguments=arguments) as consume):
            kept = {name: value for name, value in arguments.items() if name != "x-priority"}
            return step._replace(parameters=consume._replace(arguments=kept))
    return step
