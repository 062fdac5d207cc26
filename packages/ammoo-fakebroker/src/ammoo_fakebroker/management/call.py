"""A call of the API: a request, the user who makes it, and functions that handlers need.

As RabbitMQ's `rabbit_mgmt_util`, this module has the roles of user tags, access to virtual hosts,
bodies of JSON, and the responses that most handlers return.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from ammoo_wire import ProtocolError

from ..connections.direct_channel import DirectChannel
from .http import Request, Response
from .json_bodies import json_object, json_response
from .rates import Rates
from .refusals import (
    Refusal,
    access_refused,
    bad_request,
    not_authorised,
    not_found,
    refusal_of,
)
from .releases import ApiRelease, api_release

if TYPE_CHECKING:
    from ..auth.users import User
    from ..node.node import Node
    from ..node.virtual_host import VirtualHost
    from .statistics.statistics import Statistics

__all__ = [
    "Call",
    "Host",
    "Role",
    "boolean",
    "changed",
    "created",
    "done",
    "integer",
    "json_response",
    "read_tags",
]


class Role(Enum):
    """A role of a user in the API: the tags that give it, and the refusal of users without it."""

    MANAGEMENT = (
        frozenset(("administrator", "monitoring", "policymaker", "management")),
        "Not management user",
    )
    MONITORING = (frozenset(("administrator", "monitoring")), "Not monitor user")
    POLICYMAKER = (
        frozenset(("administrator", "policymaker")),
        "User not authorised to access object",
    )
    ADMINISTRATOR = (frozenset(("administrator",)), "Not administrator user")

    def includes(self, user: User) -> bool:
        """Return whether a user has the role."""
        return not self.value[0].isdisjoint(user.tags)


class Host(NamedTuple):
    """The data of the server that the API shows."""

    address: str
    port: int
    management_port: int
    uses_tls: bool


class Call:
    """One request to the API.

    Attributes:
        node: The broker's node.
        statistics: What the broker has counted.
        host: The data of the server.
        user: The user who makes the call.
        request: The request.
        release: How the API of the imitated RabbitMQ differs from that of other releases.
        rates: What the query says of samples.
        names: The variable segments of the path, by the names that the route has for them.
    """

    def __init__(
        self,
        node: Node,
        statistics: Statistics,
        host: Host,
        user: User,
        request: Request,
        names: Mapping[str, str],
    ) -> None:
        self.node = node
        self.statistics = statistics
        self.host = host
        self.user = user
        self.request = request
        self.release: ApiRelease = api_release(node.profile.name)
        self.rates: Rates = Rates(request.query, statistics.now)
        self.names = names

    # -- access --------------------------------------------------------------------------------

    def require(self, role: Role) -> None:
        """Check that the user has a role.

        Raises:
            Refusal: 401, the user does not have the role.
        """
        if not role.includes(self.user):
            raise not_authorised(role.value[1])

    def virtualhost(self, *, to_look: bool = False) -> VirtualHost:
        """Return the virtual host that the path names.

        Administrators may see every virtual host, and change there what AMQP has no method for.

        Args:
            to_look: Whether users who monitor the broker may see it without permissions in it.

        Raises:
            Refusal: 404 or 401, there is no such virtual host, or the user may not see it.
        """
        virtualhost = self.node.virtualhosts.get(self.names["vhost"])
        if virtualhost is None:
            is_change = self.request.method in ("PUT", "POST")
            raise _no_virtualhost() if is_change else not_found()
        sees_all = Role.MONITORING if to_look else Role.ADMINISTRATOR
        if not (sees_all.includes(self.user) or virtualhost.name in self.user.permissions):
            raise self._others_virtualhost()
        return virtualhost

    def _others_virtualhost(self) -> Refusal:
        """Return the refusal for a virtual host in which the user has no permissions."""
        if self.release.hides_virtualhosts:
            return Refusal(HTTPStatus.NOT_FOUND, "not_found", "Not Found")
        return not_authorised("User not authorised to access virtual host")

    def own_virtualhosts(self) -> list[VirtualHost]:
        """Return the virtual hosts that the user has permissions in, or the one in the path."""
        if "vhost" in self.names:
            return [self.virtualhost()]
        return [
            virtualhost
            for name, virtualhost in self.node.virtualhosts.items()
            if name in self.user.permissions
        ]

    def direct_channel(self, virtualhost: VirtualHost) -> DirectChannel:
        """Return a channel of the user's.

        Raises:
            Refusal: 401, the user has no permissions in the virtual host.
        """
        if virtualhost.name not in self.user.permissions:
            raise access_refused()
        return DirectChannel(self.node, self.user, virtualhost)

    def execute(self, virtualhost: VirtualHost, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """Execute a method of AMQP as the user.

        Raises:
            Refusal: The broker refuses the method.
        """
        with self.direct_channel(virtualhost) as channel:
            try:
                return channel.call(parameters)
            except ProtocolError as error:
                raise refusal_of(error) from None

    # -- bodies and queries --------------------------------------------------------------------

    def body(self, *required: str) -> dict[str, Any]:
        """Return the body, a JSON object; a missing body is an empty object.

        Args:
            required: The members that it must have.

        Raises:
            Refusal: 400, the body is not a JSON object, or lacks one of these members.
        """
        return json_object(self.request, *required)

    def is_asked_for(self, name: str) -> bool:
        """Return whether a flag of the query is set."""
        return self.request.query.get(name) == "true"


def _no_virtualhost() -> Refusal:
    """Return the refusal of a change in a virtual host that does not exist."""
    return Refusal(HTTPStatus.NOT_FOUND, "not_found", "vhost_not_found")


def boolean(body: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Return a boolean member; RabbitMQ also accepts the words ``"true"`` and ``"false"``.

    Raises:
        Refusal: 400, the member is not a boolean.
    """
    value = body.get(name, default)
    words = {"true": True, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in words:
        return words[value]
    raise bad_request(["not_boolean", value])


def integer(value: Any) -> int:
    """Return an integer; RabbitMQ also accepts a text of digits.

    Raises:
        Refusal: 400, the value is not an integer.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(value)
    except (TypeError, ValueError):
        raise bad_request(["not_integer", value]) from None


def read_tags(tags: Any) -> tuple[str, ...]:
    """Return tags that are a list, or a text with commas between them."""
    each = tags.split(",") if isinstance(tags, str) else tags
    return tuple(tag for name in each if (tag := str(name).strip()))


def created(location: str | None = None) -> Response:
    """Return the response to a request that has created something."""
    return Response(HTTPStatus.CREATED, b"", {"location": location} if location else {})


def done() -> Response:
    """Return the response to a request that has changed or deleted something."""
    return Response(HTTPStatus.NO_CONTENT)


def changed(*, is_new: bool) -> Response:
    """Return the response to a PUT."""
    return created() if is_new else done()
