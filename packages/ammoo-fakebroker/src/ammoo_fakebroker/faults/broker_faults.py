"""The faults that a broker itself can have: those of `broker.faults` for methods and messages.

Each docstring says what happens to traffic in flight, what happens when the fault is removed, and
whether RabbitMQ, a network or neither behaves like this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .confirms import DropConfirms, HeldConfirms, MergeConfirms, ReorderConfirms
from .deliveries import DelayDeliveries, HeldDeliveries
from .fault import Fault
from .logins import ExpireCredentials, FailLogins
from .methods import CloseChannels, CloseConnections, DelayMethod, FailMethod
from .options import (
    DeliveryRule,
    LoginRule,
    MethodRule,
    OptionalRule,
    PublishRule,
    with_options_of,
)
from .publishes import DuplicateDeliveries, NackPublishes, ReturnPublishes

if TYPE_CHECKING:
    from typing import Unpack

__all__ = ["BrokerFaults"]

_FaultT = TypeVar("_FaultT", bound=Fault)


class BrokerFaults(ABC):
    """The faults that strike logins, methods, publishes, confirms and deliveries.

    `Faults` describes the options that they share.
    """

    @abstractmethod
    def _begin(self, kind: type[_FaultT], options: Mapping[str, Any]) -> _FaultT:
        """Check the options of a fault, make it, and put it in force."""

    # -- publishes -----------------------------------------------------------------------------

    @with_options_of(PublishRule)
    def nack_publishes(self, **options: Unpack[PublishRule]) -> Fault:
        """Refuse publishes with basic.nack; do not strike channels without confirm mode.

        The broker checks a publish as usual, and then routes it to no queue.
        In flight: earlier publishes get their acks. At removal: nothing happens.
        RabbitMQ does this when a queue is full and rejects publishes (``reject-publish``), when it
        has no leader, or when its process has died.

        Example::

            broker.faults.nack_publishes(exchange_name="orders", times=1)
        """
        return self._begin(NackPublishes, options)

    @with_options_of(PublishRule)
    def return_publishes(self, **options: Unpack[PublishRule]) -> Fault:
        """Treat publishes as unroutable: mandatory ones are returned, the others are dropped.

        In confirm mode basic.ack follows, as after every unroutable publish.
        In flight: earlier publishes stay routed. At removal: nothing happens.
        RabbitMQ does this when no binding matches (312, NO_ROUTE).
        """
        return self._begin(ReturnPublishes, options)

    # -- confirms ------------------------------------------------------------------------------

    @with_options_of(PublishRule)
    def hold_confirms(self, **options: Unpack[PublishRule]) -> HeldConfirms:
        """Route and store publishes, and keep their confirms until `release` or `nack` sends them.

        In flight: confirms that were due before are sent. At removal: all held confirms are sent, in
        order, one by one. Those of a channel that closes are never sent.
        RabbitMQ does this while a queue's disk or a quorum is slow.

        Example::

            with broker.faults.hold_confirms() as confirms:
                ...                  # the publisher's window fills
                confirms.release(1)  # basic.ack for the oldest
                confirms.nack(1)     # basic.nack for the next one
        """
        return self._begin(HeldConfirms, options)

    @with_options_of(PublishRule)
    def drop_confirms(self, **options: Unpack[PublishRule]) -> Fault:
        """Route and store publishes, and never confirm them.

        Later confirms of the channel are sent one by one, so that none covers a dropped one.
        In flight: confirms that were due before are sent. At removal: dropped ones stay lost.
        Neither RabbitMQ nor a network does this. A publisher that loses the connection just before
        the confirm is in the same situation.
        """
        return self._begin(DropConfirms, options)

    @with_options_of(PublishRule)
    def reorder_confirms(self, *, window: int, **options: Unpack[PublishRule]) -> Fault:
        """Collect confirms, and send them in another order, one by one.

        In flight: confirms that were due before are sent. At removal: incomplete windows are sent.
        RabbitMQ does this when publishes go to queues of different speed.

        Args:
            window: How many confirms of a channel are collected and shuffled; at least 2.
        """
        return self._begin(ReorderConfirms, {"window": window, **options})

    @with_options_of(PublishRule)
    def merge_confirms(self, *, count: int, **options: Unpack[PublishRule]) -> Fault:
        """Collect confirms, and send one basic.ack with ``multiple`` for all of them.

        If one is a nack, or another fault keeps a confirm of the channel, they are sent one by one.
        In flight: confirms that were due before are sent. At removal: collected confirms are sent.
        RabbitMQ does this under load.

        Args:
            count: How many confirms of a channel are collected; at least 2.
        """
        return self._begin(MergeConfirms, {"count": count, **options})

    # -- deliveries ----------------------------------------------------------------------------

    @with_options_of(DeliveryRule)
    def hold_deliveries(self, **options: Unpack[DeliveryRule]) -> HeldDeliveries:
        """Keep deliveries to consumers until `release` sends them.

        Answers to basic.get and direct replies (``amq.rabbitmq.reply-to``) are not affected.
        The messages are unacknowledged, and count for the prefetch. If the channel closes, they
        return to their queues; those of a consumer without acknowledgements are lost.
        In flight: earlier deliveries stay delivered. At removal: the kept ones are sent, in order;
        those whose consumer was cancelled return to their queues.
        RabbitMQ and a network do this when a delivery takes long.
        """
        return self._begin(HeldDeliveries, options)

    @with_options_of(DeliveryRule)
    def delay_deliveries(self, *, seconds: float, **options: Unpack[DeliveryRule]) -> Fault:
        """Keep deliveries to consumers for a time; several delays add up.

        It works as `hold_deliveries`, but sends each delivery when its time is over. Deliveries that
        the fault does not strike overtake those that wait.
        In flight: earlier deliveries stay delivered. At removal: the kept ones are sent at once, in
        order.
        RabbitMQ and a network do this.

        Args:
            seconds: The delay, in seconds on the broker's clock.
        """
        return self._begin(DelayDeliveries, {"seconds": seconds, **options})

    @with_options_of(DeliveryRule)
    def duplicate_deliveries(self, **options: Unpack[DeliveryRule]) -> Fault:
        """Put published messages into their queues twice, the second one marked as redelivered.

        In flight: messages that are already in the queues are not copied (`FakeBroker.requeue`
        requeues those that clients hold). At removal: copies stay.
        RabbitMQ does this when a consumer has handled a message and loses its connection before
        the acknowledgement: the queue delivers it again.
        """
        return self._begin(DuplicateDeliveries, options)

    # -- methods -------------------------------------------------------------------------------

    @with_options_of(MethodRule)
    def close_channels(
        self,
        code: int = 406,
        text: str = "closed by the test",
        *,
        method: str | None = None,
        **options: Unpack[MethodRule],
    ) -> Fault:
        """Close a channel when a method arrives on it, before the method does anything.

        In flight: earlier methods are executed; later ones on the channel are dropped until the
        client has answered. At removal: closed channels stay closed.
        RabbitMQ does this for errors that no method has caused, such as a consumer timeout (406).

        Args:
            code: The reply code of channel.close; a code that closes connections is not allowed.
            text: The reply text, with or without the code's name in front.
            method: The name of the method to strike, such as ``"basic.publish"``; None for any.
        """
        return self._begin(CloseChannels, {"code": code, "text": text, "method": method, **options})

    @with_options_of(MethodRule)
    def close_connections(
        self,
        code: int = 320,
        text: str = "closed by the test",
        *,
        method: str | None = None,
        **options: Unpack[MethodRule],
    ) -> Fault:
        """Close a connection when a method arrives on it, before the method does anything.

        `FakeBroker.close_connections` closes connections at once.
        In flight: earlier methods are executed; later ones are dropped. At removal: closed
        connections stay closed.
        RabbitMQ does this when an operator closes the connection, or a virtual host is deleted.

        Args:
            code: The reply code of connection.close.
            text: The reply text, with or without the code's name in front.
            method: The name of the method to strike; None for any.
        """
        return self._begin(
            CloseConnections, {"code": code, "text": text, "method": method, **options}
        )

    @with_options_of(MethodRule)
    def fail_method(
        self,
        method: str,
        code: int = 406,
        text: str = "failed by the test",
        **options: Unpack[MethodRule],
    ) -> Fault:
        """Answer a method with an error that names it, and do not execute the method.

        The code decides whether the error closes the channel or the connection.
        In flight: earlier methods are executed. At removal: nothing happens.
        RabbitMQ does this for each method that it refuses.

        Args:
            method: The name of the method, such as ``"queue.declare"``.
            code: The reply code, such as 404 or 541.
            text: The reply text, with or without the code's name in front.
        """
        return self._begin(FailMethod, {"method": method, "code": code, "text": text, **options})

    @with_options_of(MethodRule)
    def delay_method(
        self, method: str | None = None, *, seconds: float, **options: Unpack[MethodRule]
    ) -> Fault:
        """Execute a method later, and all later methods of its channel behind it; delays add up.

        Other channels of the connection are not delayed: in RabbitMQ each channel is a process.
        In flight: earlier methods are executed. At removal: methods that wait are executed at once.
        RabbitMQ does this when it is slow, for example while it declares a replicated queue.

        Args:
            method: The name of the method, such as ``"queue.declare"``; None for any.
            seconds: The delay, in seconds on the broker's clock.
        """
        return self._begin(DelayMethod, {"method": method, "seconds": seconds, **options})

    # -- logins --------------------------------------------------------------------------------

    @with_options_of(LoginRule)
    def fail_logins(self, *, text: str | None = None, **options: Unpack[LoginRule]) -> Fault:
        """Refuse logins with valid credentials (403), and close the socket after `login_pause`.

        In flight: open connections stay open. At removal: new logins succeed.
        RabbitMQ does this when a password was changed, or when its authentication backend fails.

        Args:
            text: The reply text; None for RabbitMQ's.
        """
        return self._begin(FailLogins, {"text": text, **options})

    @with_options_of(OptionalRule)
    def expire_credentials(self, user: str, **options: Unpack[OptionalRule]) -> Fault:
        """Let the credentials of a user expire, as a token of OAuth 2 does; new logins fail.

        RabbitMQ from 4.3 on closes the user's connections (320, ``credential expired``). Earlier
        releases close the channel of each method that needs a permission (403), and continue to
        deliver to consumers.
        In flight: earlier methods are executed. At removal: the credentials are valid again.
        RabbitMQ does this with the backend for OAuth 2.

        Args:
            user: The name of the user.

        Raises:
            LookupError: There is no such user.
        """
        return self._begin(ExpireCredentials, {**options, "user": user})
