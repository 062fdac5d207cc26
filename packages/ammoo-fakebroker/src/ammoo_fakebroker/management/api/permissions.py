"""Permissions of users in virtual hosts, and on the routing keys of topic exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...auth.users import Permissions, TopicPermissions, User
from ..call import Call, Role, changed, done, json_response
from ..lists import list_response
from ..refusals import bad_request, not_found
from ..route import Handler, Route, Routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..http import Response

__all__ = ["ROUTES", "permission_items", "topic_permission_items"]


# -- permissions -------------------------------------------------------------------------------


def list_permissions(call: Call) -> Response:
    """List the permissions of all users, of one, or in one virtual host."""
    return list_response(_chosen(call, permission_items(call.node.users)), call.request.query)


def permission_items(users: Any) -> Iterator[dict[str, Any]]:
    """Return the API's objects for the users' permissions."""
    for user in users:
        for virtualhost in user.permissions:
            yield _permission_item(user, virtualhost)


def _permission_item(user: User, virtualhost: str) -> dict[str, Any]:
    return {"user": user.name, "vhost": virtualhost, **user.permissions[virtualhost]._asdict()}


def show_permissions(call: Call) -> Response:
    """Show the permissions of a user in a virtual host."""
    user = _user_with_permissions(call)
    return json_response(_permission_item(user, call.names["vhost"]))


def put_permissions(call: Call) -> Response:
    """Set the permissions of a user in a virtual host."""
    body = call.body("configure", "write", "read")
    user, virtualhost = _user_and_virtualhost(call)
    permissions = Permissions(body["configure"], body["write"], body["read"])
    _check(permissions)
    is_new = virtualhost not in user.permissions
    user.permissions[virtualhost] = permissions
    return changed(is_new=is_new)


def delete_permissions(call: Call) -> Response:
    """Remove the permissions of a user in a virtual host."""
    del _user_with_permissions(call).permissions[call.names["vhost"]]
    return done()


def _user_with_permissions(call: Call) -> User:
    users, name = call.node.users, call.names["user"]
    if name not in users or call.names["vhost"] not in users[name].permissions:
        raise not_found()
    return users[name]


def _user_and_virtualhost(call: Call) -> tuple[User, str]:
    name, virtualhost = call.names["user"], call.names["vhost"]
    if name not in call.node.users or virtualhost not in call.node.virtualhosts:
        raise bad_request("vhost_or_user_not_found")
    return call.node.users[name], virtualhost


def _check(permissions: Permissions | TopicPermissions) -> None:
    try:
        permissions.check()
    except (TypeError, ValueError) as error:
        raise bad_request(["invalid_regexp", str(error)]) from None


# -- topic permissions -------------------------------------------------------------------------


def list_topic_permissions(call: Call) -> Response:
    """List the topic permissions of all users, of one, or in one virtual host."""
    return list_response(_chosen(call, topic_permission_items(call.node.users)), call.request.query)


def topic_permission_items(users: Any) -> Iterator[dict[str, Any]]:
    """Return the API's objects for the users' topic permissions."""
    for user in users:
        for (virtualhost, exchange), permissions in user.topic_permissions.items():
            yield {
                "user": user.name,
                "vhost": virtualhost,
                "exchange": exchange,
                **permissions._asdict(),
            }


def show_topic_permissions(call: Call) -> Response:
    """Show the topic permissions of a user in a virtual host."""
    items = list(_chosen(call, topic_permission_items(call.node.users)))
    if not items:
        raise not_found()
    return json_response(items)


def put_topic_permissions(call: Call) -> Response:
    """Set the permissions of a user on the routing keys of a topic exchange."""
    body = call.body("exchange", "write", "read")
    user, virtualhost = _user_and_virtualhost(call)
    permissions = TopicPermissions(body["write"], body["read"])
    _check(permissions)
    _check_exchange(call, body["exchange"])
    key = virtualhost, str(body["exchange"])
    is_new = key not in user.topic_permissions
    user.topic_permissions[key] = permissions
    return changed(is_new=is_new)


def _check_exchange(call: Call, name: Any) -> None:
    """Check, for releases that do, that there is an exchange of a name."""
    exchanges = call.node.virtualhosts[call.names["vhost"]].exchanges
    exists = isinstance(name, str) and name in exchanges
    if call.release.checks_topic_exchanges and not exists:
        raise bad_request(["no_such_exchange", name])


def delete_topic_permission(call: Call) -> Response:
    """Remove the permission of a user on the routing keys of one topic exchange."""
    user, virtualhost = _user_and_virtualhost(call)
    if user.topic_permissions.pop((virtualhost, call.names["exchange"]), None) is None:
        raise not_found()
    return done()


def delete_topic_permissions(call: Call) -> Response:
    """Remove the topic permissions of a user in a virtual host."""
    if not list(_chosen(call, topic_permission_items(call.node.users))):
        raise not_found()
    call.node.users[call.names["user"]].clear_topic_permissions(call.names["vhost"])
    return done()


# -- both --------------------------------------------------------------------------------------


def _chosen(call: Call, items: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the items of the user and of the virtual host that the path names.

    Raises:
        Refusal: 404, there is no such user, or no such virtual host.
    """
    user, virtualhost = call.names.get("user"), call.names.get("vhost")
    if user is not None and user not in call.node.users:
        raise not_found()
    if virtualhost is not None and virtualhost not in call.node.virtualhosts:
        raise not_found()
    return (
        item
        for item in items
        if user in (None, item["user"]) and virtualhost in (None, item["vhost"])
    )


_TOPIC: dict[str, Handler] = {"GET": show_topic_permissions, "PUT": put_topic_permissions}

ROUTES: Routes = {
    "permissions": Route({"GET": list_permissions}, Role.ADMINISTRATOR),
    "permissions/:vhost/:user": Route(
        {"GET": show_permissions, "PUT": put_permissions, "DELETE": delete_permissions},
        Role.ADMINISTRATOR,
    ),
    "topic-permissions": Route({"GET": list_topic_permissions}, Role.ADMINISTRATOR),
    "topic-permissions/:vhost/:user": Route(
        {**_TOPIC, "DELETE": delete_topic_permissions}, Role.ADMINISTRATOR
    ),
    "topic-permissions/:vhost/:user/:exchange": Route(
        {**_TOPIC, "DELETE": delete_topic_permission}, Role.ADMINISTRATOR
    ),
    "users/:user/permissions": Route({"GET": list_permissions}, Role.ADMINISTRATOR),
    "users/:user/topic-permissions": Route({"GET": list_topic_permissions}, Role.ADMINISTRATOR),
    "vhosts/:vhost/permissions": Route({"GET": list_permissions}, Role.ADMINISTRATOR),
    "vhosts/:vhost/topic-permissions": Route({"GET": list_topic_permissions}, Role.ADMINISTRATOR),
}
